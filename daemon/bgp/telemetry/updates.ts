/** Routes back into UPDATE messages, as telemetry passes them on: equal attributes share messages. */
import { equalNextHops } from '../attributes.js';
import { afiSafiOf, type FamilyName, familyOfDestination } from '../wire/families.js';
import { encodeEndOfRib, packAnnouncements, packWithdrawals } from '../wire/pack.js';
import type { EncodeContext, NextHop, Nlri, PathAttributes } from '../wire/types.js';
import type { AdjRoute } from './source.js';

interface Group {
  readonly family: FamilyName;
  readonly nextHop: NextHop;
  readonly nlri: Nlri[];
}

/** UPDATEs that announce routes. Routes whose attributes fit no message are left out: there is no way to tell them. */
export function announcements(routes: Iterable<AdjRoute>, context: EncodeContext): Uint8Array[] {
  const groups = new Map<PathAttributes, Group[]>();
  for (const { prefix, pathId, nextHop, attributes } of routes) {
    const family = familyOfDestination(prefix);
    const same = groups.get(attributes) ?? [];
    if (same.length === 0) groups.set(attributes, same);
    let group = same.find((other) => other.family === family && equalNextHops(other.nextHop, nextHop));
    if (!group) same.push((group = { family, nextHop, nlri: [] }));
    group.nlri.push({ prefix, pathId });
  }
  const updates: Uint8Array[] = [];
  for (const [attributes, same] of groups) {
    for (const { family, nextHop, nlri } of same) updates.push(...(packAnnouncements({ family: afiSafiOf(family), nextHop, nlri }, attributes, context) ?? []));
  }
  return updates;
}

/** UPDATEs that withdraw routes. */
export function withdrawals(nlri: readonly Nlri[], context: EncodeContext): Uint8Array[] {
  const families = new Map<FamilyName, Nlri[]>();
  for (const item of nlri) {
    const family = familyOfDestination(item.prefix);
    const same = families.get(family);
    if (same) same.push(item);
    else families.set(family, [item]);
  }
  return [...families].flatMap(([family, same]) => packWithdrawals(afiSafiOf(family), same, context));
}

export const endOfRib = (family: FamilyName): Uint8Array => encodeEndOfRib(afiSafiOf(family));
