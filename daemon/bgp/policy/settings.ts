/** What a rule sets. Changed attributes are made once for all routes that share the old ones, so that they are packed together again. */
import type { PolicySettings } from '../../config/schema/bgp-policy.js';
import { prependAs } from '../attributes.js';
import { defaultLocalPref } from '../best-path.js';
import { OriginCode, type LargeCommunity, type PathAttributes } from '../wire/types.js';
import {
  communityPattern,
  extendedCommunityPattern,
  largeCommunityPattern,
  parseCommunity,
  parseExtendedCommunity,
  parseLargeCommunity,
  type CommunityPattern,
} from './communities.js';
import type { PolicyRoute } from './conditions.js';
import { memo } from './memo.js';

/** `self`, `unchanged`, or an address. */
export type NextHopSetting = NonNullable<PolicySettings['nextHop']>;

export type Setter = (route: PolicyRoute, attributes: PathAttributes) => PathAttributes;

const highest = 0xffffffff;
const bounded = (value: number): number => Math.min(highest, Math.max(0, value));

type NumberChange = number | { readonly add: number };
const changed = (change: NumberChange, old: number): number => (typeof change === 'number' ? change : bounded(old + change.add));

interface ListChange {
  readonly add?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
  readonly replace?: readonly string[] | undefined;
}

/** Replaces, then removes, then adds; nothing stands there twice (RFC 8092 section 5). */
function listChange<T>(
  change: ListChange | undefined,
  parse: (text: string) => T | undefined,
  pattern: (text: string) => CommunityPattern<T> | undefined,
  equal: (a: T, b: T) => boolean,
): ((old: readonly T[]) => readonly T[]) | undefined {
  if (!change) return undefined;
  const values = (texts: readonly string[]): T[] => texts.flatMap((text) => parse(text) ?? []);
  const replacement = change.replace && values(change.replace);
  const added = values(change.add ?? []);
  const removed = (change.remove ?? []).flatMap((text) => pattern(text) ?? []);
  return (old) => {
    const kept = (replacement ?? old).filter((value) => !removed.some((matches) => matches(value)));
    for (const value of added) if (!kept.some((other) => equal(other, value))) kept.push(value);
    return kept;
  };
}

const equalLarge = (a: LargeCommunity, b: LargeCommunity): boolean => a.global === b.global && a.local1 === b.local1 && a.local2 === b.local2;

/** What depends on the attributes alone. */
function attributeChange(set: PolicySettings, defaultPrependAs: number): ((attributes: PathAttributes) => PathAttributes) | undefined {
  const communities = listChange(set.community, parseCommunity, communityPattern, Object.is);
  const extendedCommunities = listChange(set.extendedCommunity, parseExtendedCommunity, extendedCommunityPattern, Object.is);
  const largeCommunities = listChange(set.largeCommunity, parseLargeCommunity, largeCommunityPattern, equalLarge);
  const { localPreference, med, origin, prepend } = set;
  const setsMed = med !== undefined && med !== 'igp';
  if (!communities && !extendedCommunities && !largeCommunities && localPreference === undefined && !setsMed && origin === undefined && !prepend) return undefined;
  return memo((old) => {
    let { asPath } = old;
    for (let count = 0; count < (prepend?.count ?? 0); count++) asPath = prependAs(asPath, prepend?.as ?? defaultPrependAs);
    return {
      ...old,
      asPath,
      localPref: localPreference === undefined ? old.localPref : changed(localPreference, old.localPref ?? defaultLocalPref),
      med: !setsMed ? old.med : med === 'none' ? undefined : changed(med, old.med ?? 0),
      origin: origin === undefined ? old.origin : OriginCode[origin],
      communities: communities ? communities(old.communities) : old.communities,
      extendedCommunities: extendedCommunities ? extendedCommunities(old.extendedCommunities) : old.extendedCommunities,
      largeCommunities: largeCommunities ? largeCommunities(old.largeCommunities) : old.largeCommunities,
    };
  });
}

/** MED from the cost of the next hop; a next hop that does not resolve gives none. */
function medFromIgp(): Setter {
  const byCost = new Map<number | undefined, (attributes: PathAttributes) => PathAttributes>();
  return (route, attributes) => {
    const cost = route.nextHopCost();
    let apply = byCost.get(cost);
    if (!apply) byCost.set(cost, (apply = memo((old) => ({ ...old, med: cost === undefined ? undefined : bounded(cost) }))));
    return apply(attributes);
  };
}

/** Undefined when nothing about the attributes is set. `defaultPrependAs` is put in front where the rule names no AS. */
export function compileSettings(set: PolicySettings, defaultPrependAs: number): Setter | undefined {
  const change = attributeChange(set, defaultPrependAs);
  if (set.med !== 'igp') return change && ((_route, attributes) => change(attributes));
  const fromIgp = medFromIgp();
  return (route, attributes) => fromIgp(route, change ? change(attributes) : attributes);
}
