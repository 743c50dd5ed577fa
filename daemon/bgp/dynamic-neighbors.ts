/**
 * Neighbours that are not configured one by one: a connection from a configured range becomes a neighbour with the values of its group, once
 * its OPEN has said which AS it is of, and stops being one when its session is over. What the range allows is counted from the
 * connection on, so that connections that say nothing cannot pile up.
 */
import type { Clock } from '../clock.js';
import type { BgpNeighborConfig, DynamicNeighborsConfig } from '../config/types.js';
import { parseIp, Prefix } from '../../dataplane/packet/ip.js';
import { peekMessage } from './peeked-stream.js';
import type { NeighborRules, Stream } from './transport.js';
import { decodeMessage } from './wire/decode.js';
import type { DecodeContext } from './wire/types.js';

interface Range extends DynamicNeighborsConfig {
  readonly covers: Prefix;
}

interface DynamicHandlers {
  /** A neighbour with its first connection. */
  appeared(config: BgpNeighborConfig, stream: Stream): void;
  refused(address: string, reason: string): void;
}

/** An OPEN is read the same way whatever it will negotiate. */
const openContext: DecodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: 255 };

function asOf(message: Uint8Array | undefined): number | undefined {
  const decoded = message && decodeMessage(message, openContext);
  return decoded?.ok === true && decoded.message.type === 'open' ? decoded.message.as : undefined;
}

export class DynamicNeighbors {
  private ranges: readonly Range[] = [];
  /** Neighbours, and connections that have not said yet who they are, with the range each counts for. */
  private readonly members = new Map<string, { readonly range: string; readonly giveUp: () => void }>();

  constructor(
    private readonly clock: Clock,
    private readonly handlers: DynamicHandlers,
  ) {}

  /** Returns the addresses of neighbours whose range or values are other ones now: their sessions are to end. */
  configure(ranges: readonly DynamicNeighborsConfig[]): string[] {
    const before = new Map(this.ranges.map((range) => [range.prefix, range]));
    this.ranges = ranges.map((range) => ({ ...range, covers: Prefix.from(range.prefix) }));
    const unchanged = new Set(this.ranges.filter((range) => JSON.stringify(range.templates) === JSON.stringify(before.get(range.prefix)?.templates)).map(({ prefix }) => prefix));
    return [...this.members].filter(([, { range }]) => !unchanged.has(range)).map(([address]) => address);
  }

  has(address: string): boolean {
    return this.members.has(address);
  }

  /** All that count for a range. */
  all(): string[] {
    return [...this.members.keys()];
  }

  /** Rules for the packets of addresses in ranges: whoever may connect from one can. */
  rules(): NeighborRules[] {
    return this.ranges.flatMap(({ prefix, templates }) => {
      if (templates.length === 0) return [];
      const minimumTtl = Math.min(...templates.map((template) => template.minimumTtl ?? 0));
      return [{ address: prefix, ttl: Math.max(...templates.map(({ ttl }) => ttl)), minimumTtl: minimumTtl === 0 ? undefined : minimumTtl, password: undefined }];
    });
  }

  /** Takes a connection of an address that is no neighbour; false when no range covers it. */
  accept(stream: Stream): boolean {
    const { address } = stream.remote;
    const bytes = parseIp(address);
    // The longest prefix says most about an address.
    const range = this.ranges.filter(({ covers }) => bytes && covers.contains(bytes)).sort((a, b) => b.covers.length - a.covers.length)[0];
    if (!range) return false;
    const reason = this.refusal(range, address);
    if (reason === undefined) {
      this.identify(stream, range);
    } else {
      stream.close();
      this.handlers.refused(address, reason);
    }
    return true;
  }

  private refusal(range: Range, address: string): string | undefined {
    if (this.members.has(address)) return 'a second connection before the first one has said who it is';
    const count = [...this.members.values()].filter((member) => member.range === range.prefix).length;
    return count >= range.limit ? `${range.prefix} has its ${range.limit} dynamic neighbors already` : undefined;
  }

  private identify(stream: Stream, range: Range): void {
    const { address } = stream.remote;
    const giveUp = peekMessage(
      this.clock,
      stream,
      (message, peeked) => {
        const as = asOf(message);
        // One of an AS that may not connect gets a session all the same, which tells it so (RFC 4271 section 6.2).
        const template = range.templates.find((candidate) => candidate.as === as) ?? range.templates[0]!;
        this.members.set(address, { range: range.prefix, giveUp: () => undefined });
        this.handlers.appeared({ ...template, address, localAddress: stream.local.address }, peeked);
      },
      () => void this.members.delete(address),
    );
    this.members.set(address, { range: range.prefix, giveUp });
  }

  /** The neighbour is gone. */
  remove(address: string): void {
    this.members.get(address)?.giveUp();
    this.members.delete(address);
  }

  /** Gives up every connection that has not said who it is. */
  stop(): void {
    for (const { giveUp } of this.members.values()) giveUp();
    this.members.clear();
  }
}
