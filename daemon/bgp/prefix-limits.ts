/** How many routes a peer may send by family (RFC 4271 section 6.7), and the NOTIFICATION for one that sends more (RFC 4486 section 4). */
import { Writer } from '../../dataplane/packet/cursor.js';
import type { PrefixLimitConfig } from '../config/types.js';
import type { PathChange } from './adj-rib-in.js';
import { CeaseSubcode, ErrorCode } from './wire/notification.js';
import { afiSafiOf, FAMILY_NAMES, type FamilyName, familyOfDestination } from './wire/families.js';
import type { Notification } from './wire/types.js';

interface PrefixLimitHandlers {
  /** The share that is worth a warning is reached, or the limit passed where a warning is all that was asked for. */
  warn(text: string): void;
  exceeded(family: FamilyName, limit: PrefixLimitConfig): void;
}

/** Cease / Maximum Number of Prefixes Reached: AFI, SAFI and the upper bound are its data. */
export function maximumPrefixesNotification(family: FamilyName, limit: number): Notification {
  const { afi, safi } = afiSafiOf(family);
  return { code: ErrorCode.cease, subcode: CeaseSubcode.maximumPrefixes, data: new Writer().u16(afi).u8(safi).u32(limit).finish() };
}

export class PrefixLimits {
  private readonly counts: Record<FamilyName, number> = { 'ipv6-unicast': 0, 'ipv4-unicast': 0, 'ipv6-vpn': 0, 'ipv4-vpn': 0 };
  /** What has been said about a family already: said again only after it was well below. */
  private readonly said = new Set<string>();

  constructor(
    private limits: Readonly<Record<string, PrefixLimitConfig>>,
    private readonly handlers: PrefixLimitHandlers,
  ) {}

  /** Other limits; what is there already is held against them. */
  configure(limits: Readonly<Record<string, PrefixLimitConfig>>): void {
    this.limits = limits;
    this.said.clear();
    this.check();
  }

  /** Takes note of what the Adj-RIB-In has got and lost. */
  count(changes: readonly PathChange[]): void {
    let grown = false;
    for (const { previous, next } of changes) {
      const prefix = (next ?? previous)?.prefix;
      if (!prefix || (previous !== undefined) === (next !== undefined)) continue;
      this.counts[familyOfDestination(prefix)] += next ? 1 : -1;
      grown ||= next !== undefined;
    }
    if (grown) this.check();
    else if (this.said.size > 0) this.forget();
  }

  private check(): void {
    for (const name of FAMILY_NAMES) {
      const limit = this.limits[name];
      if (!limit) continue;
      const count = this.counts[name];
      if (count > limit.limit && limit.action !== 'warn') this.handlers.exceeded(name, limit);
      else if (count > limit.limit) this.say(`${name} over`, `${count} routes of ${name}, more than the limit of ${limit.limit}`);
      else if (count >= this.warningFrom(limit)) this.say(`${name} near`, `${count} routes of ${name}, ${limit.warnPercent} % of the limit of ${limit.limit} are reached`);
    }
  }

  private warningFrom({ limit, warnPercent }: PrefixLimitConfig): number {
    return Math.ceil((limit * warnPercent) / 100);
  }

  private say(what: string, text: string): void {
    if (this.said.has(what)) return;
    this.said.add(what);
    this.handlers.warn(text);
  }

  /** A tenth below, so that a count that goes up and down does not fill the log. */
  private forget(): void {
    for (const name of FAMILY_NAMES) {
      const limit = this.limits[name];
      if (limit && this.counts[name] < this.warningFrom(limit) * 0.9) for (const what of ['near', 'over']) this.said.delete(`${name} ${what}`);
    }
  }
}
