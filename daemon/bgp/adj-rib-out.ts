/**
 * Adj-RIB-Out (RFC 4271 section 3.2) of an update group: what its peers have been told, and which prefixes they still have to be told about.
 *
 * A prefix waits at most once however often it changes, and what is sent is worked out when the connections can take it. Slow peers
 * therefore cost one list of prefixes and skip states in between, instead of a queue that grows.
 *
 * What was sent stands in arrays under the numbers of the Loc-RIB's entries, one shared value for all routes that left alike.
 */
import { equalAttributes, equalNextHops } from './attributes.js';
import { eligiblePaths, type NextHopResolver } from './best-path.js';
import type { LocRib, RibEntry } from './loc-rib.js';
import { NumberedSlots } from './numbered-slots.js';
import type { Path } from './path.js';
import type { Exported } from './policy.js';
import { type FamilyName, familyOfDestination } from './wire/families.js';
import type { NextHop, Nlri, PathAttributes } from './wire/types.js';
import { VpnPrefix } from './wire/vpn-prefix.js';

export type Export = (path: Path) => Exported | string;

/** Announcements that share next hop and attributes, to be packed into as few messages as possible. */
export interface AnnouncementGroup {
  readonly nextHop: NextHop;
  readonly attributes: PathAttributes;
  readonly family: FamilyName;
  /** The peer it comes from, to which it does not go; empty for routes of this router. */
  readonly from: string;
  readonly nlri: Nlri[];
}

/** Prefixes to be withdrawn from all peers but one, to which they never went. */
interface WithdrawalGroup {
  readonly family: FamilyName;
  readonly from: string;
  readonly nlri: Nlri[];
}

export interface OutgoingBatch {
  readonly withdrawn: readonly WithdrawalGroup[];
  readonly announced: readonly AnnouncementGroup[];
  /** What a peer alone has to lose, because the route that replaces it comes from that very peer. */
  readonly takenBack: ReadonlyMap<string, readonly Nlri[]>;
}

/** Routes that came from one peer, of those that were sent. */
interface Tally {
  readonly from: string;
  count: number;
}

/** How a path was sent. */
interface Sent extends Exported {
  /** The peer it came from, empty for routes of this router. */
  readonly from: string;
  /** Label field of a VPN prefix, 0 otherwise. */
  readonly label: number;
}

/** All that was sent of a prefix: without ADD-PATH one path, with it several by path identifier. Never changed in place. */
type SentPaths = Sent | ReadonlyMap<number, Sent>;

export interface AdjRibOutOptions {
  readonly exportRoute: Export;
  /** All eligible paths of a prefix (RFC 7911) instead of the best one. */
  readonly addPath: (family: FamilyName) => boolean;
  /** Families that were negotiated. */
  readonly families: (family: FamilyName) => boolean;
  readonly resolve: NextHopResolver;
  readonly locRib: LocRib;
}

const WAITING = 1;
const RESEND = 2;

const labelOf = ({ prefix }: Path): number => (prefix instanceof VpnPrefix ? prefix.label : 0);
const sentAs = (paths: SentPaths | undefined, pathId: number): Sent | undefined => (paths instanceof Map ? (paths as ReadonlyMap<number, Sent>).get(pathId) : (paths as Sent | undefined));

function equalSent(a: Sent, b: Sent): boolean {
  return a === b || (a.from === b.from && a.label === b.label && equalNextHops(a.nextHop, b.nextHop) && equalAttributes(a.attributes, b.attributes));
}

export class AdjRibOut {
  private sent = new NumberedSlots<SentPaths>();
  private flags = new Uint8Array(1024);
  /** Entries that changed; those before `next` have been taken. */
  private waiting: RibEntry[] = [];
  private next = 0;
  /** Numbers of entries that are still to be looked at, for peers that have been told nothing yet or are told all again. */
  private scanned = 0;
  private scanEnd = 0;
  private count = 0;
  private readonly tallies = new Map<string, Tally>();
  private lastTally: Tally | undefined;
  private last: Sent | undefined;

  constructor(private options: AdjRibOutOptions) {}

  /** Paths that a peer holds from us. */
  sizeFor(peer: string): number {
    return this.count - (this.tallies.get(peer)?.count ?? 0);
  }

  /** Prefixes that may have to be told. */
  get pending(): number {
    return this.waiting.length - this.next + this.scanEnd - this.scanned;
  }

  /** Nothing has been told yet, and everything is to be. */
  get isUntouched(): boolean {
    return this.scanned === 0 && this.count === 0 && this.next === 0;
  }

  /** What a peer has been told of one prefix: path identifiers as sent. */
  announcedFor(peer: string, entry: RibEntry): number[] {
    const paths = this.sent.get(entry.id);
    if (paths === undefined) return [];
    const list: readonly (readonly [number, Sent])[] = paths instanceof Map ? [...(paths as ReadonlyMap<number, Sent>)] : [[0, paths as Sent]];
    return list.filter(([, { from }]) => from !== peer).map(([pathId]) => pathId);
  }

  /** All that a peer has been told, as it was sent. */
  *toldTo(peer: string): Iterable<Nlri & Exported> {
    const { locRib } = this.options;
    for (let id = 0; id < locRib.idLimit; id++) {
      const paths = this.sent.get(id);
      if (paths === undefined) continue;
      const { prefix } = locRib.at(id)!;
      const list: Iterable<readonly [number, Sent]> = paths instanceof Map ? (paths as ReadonlyMap<number, Sent>) : [[0, paths as Sent]];
      for (const [pathId, { nextHop, attributes, from }] of list) if (from !== peer) yield { prefix, pathId, nextHop, attributes };
    }
  }

  /** Notes that a prefix changed. */
  mark(entry: RibEntry): void {
    const { id } = entry;
    if (id >= this.flags.length) this.growFlags(id);
    if ((this.flags[id]! & WAITING) !== 0 || !this.options.families(familyOfDestination(entry.prefix))) return;
    if (this.sent.get(id) === undefined) this.options.locRib.hold(entry);
    this.flags[id]! |= WAITING;
    this.waiting.push(entry);
  }

  /** Notes every prefix. */
  markAll(): void {
    this.scanned = 0;
    this.scanEnd = this.options.locRib.idLimit;
  }

  /** Other export rules from now on. */
  setExport(exportRoute: Export): void {
    this.options = { ...this.options, exportRoute };
    this.markAll();
  }

  /** Everything of one family is to be sent again (RFC 2918 section 4). */
  resend(family: FamilyName): void {
    const { locRib } = this.options;
    for (let id = 0; id < locRib.idLimit; id++) {
      if (this.sent.get(id) === undefined || familyOfDestination(locRib.at(id)!.prefix) !== family) continue;
      if (id >= this.flags.length) this.growFlags(id);
      this.flags[id]! |= RESEND;
    }
    this.markAll();
  }

  /** The same for a part of the peers, which from now on is told other things, or at another pace. */
  clone(): AdjRibOut {
    const copy = new AdjRibOut(this.options);
    const { locRib } = this.options;
    copy.sent = this.sent.clone();
    copy.flags = this.flags.slice();
    copy.waiting = this.waiting.slice(this.next);
    copy.scanned = this.scanned;
    copy.scanEnd = this.scanEnd;
    copy.count = this.count;
    for (const { from, count } of this.tallies.values()) copy.tallyOf(from).count = count;
    this.forEachHeld((entry) => locRib.hold(entry));
    return copy;
  }

  /** Gives up all that was noted of entries. */
  dispose(): void {
    const { locRib } = this.options;
    this.forEachHeld((entry) => locRib.release(entry));
    this.sent = new NumberedSlots();
    this.flags.fill(0);
    this.waiting = [];
    this.next = this.scanned = this.scanEnd = this.count = 0;
  }

  /**
   * Works out what to send for up to `limit` prefixes, fewer when they share no attributes and need many messages, and counts it as sent.
   */
  take(limit: number): OutgoingBatch {
    const batch = new Batch();
    const { locRib } = this.options;
    let taken = 0;
    for (; this.next < this.waiting.length && taken < limit && !batch.isFull(limit); taken++) this.takeEntry(this.waiting[this.next++]!, batch);
    if (this.next * 2 >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.next);
      this.next = 0;
    }
    for (; this.scanned < this.scanEnd && taken < limit && !batch.isFull(limit); taken++) {
      const entry = locRib.at(this.scanned++);
      if (entry && this.options.families(familyOfDestination(entry.prefix))) this.takeEntry(entry, batch);
    }
    return batch;
  }

  /** Paths that could not be sent after all. */
  forget(nlri: readonly Nlri[]): void {
    const { locRib } = this.options;
    for (const { prefix, pathId } of nlri) {
      const entry = locRib.get(prefix);
      const paths = entry && this.sent.get(entry.id);
      const sent = sentAs(paths, pathId);
      if (!entry || !sent) continue;
      const rest = paths instanceof Map ? new Map([...(paths as ReadonlyMap<number, Sent>)].filter(([id]) => id !== pathId)) : undefined;
      this.note(sent, -1);
      this.setSent(entry, rest?.size === 0 ? undefined : rest);
    }
  }

  private takeEntry(entry: RibEntry, batch: Batch): void {
    const { id } = entry;
    if (id >= this.flags.length) this.growFlags(id);
    const flags = this.flags[id]!;
    const before = this.sent.get(id);
    const again = (flags & RESEND) !== 0;
    const after = this.options.addPath(familyOfDestination(entry.prefix)) ? this.allWanted(entry, before, again, batch) : this.bestWanted(entry, before, again, batch);
    this.flags[id] = 0;
    if ((flags & WAITING) !== 0 && before === undefined) this.options.locRib.release(entry);
    this.setSent(entry, after);
  }

  private bestWanted(entry: RibEntry, before: SentPaths | undefined, again: boolean, batch: Batch): Sent | undefined {
    const after = entry.best && this.wanted(entry.best);
    this.compare(entry, 0, entry.best, before as Sent | undefined, after, again, batch);
    return after;
  }

  private allWanted(entry: RibEntry, before: SentPaths | undefined, again: boolean, batch: Batch): SentPaths | undefined {
    const after = new Map<number, Sent>();
    for (const path of eligiblePaths(entry.paths, this.options.resolve)) {
      const wanted = this.wanted(path);
      if (!wanted) continue;
      after.set(path.localId, wanted);
      this.compare(entry, path.localId, path, sentAs(before, path.localId), wanted, again, batch);
    }
    for (const [pathId, sent] of (before as ReadonlyMap<number, Sent> | undefined) ?? []) if (!after.has(pathId)) this.compare(entry, pathId, undefined, sent, undefined, again, batch);
    return after.size === 0 ? undefined : after;
  }

  /** What has to be said so that peers who know `before` know `after`. */
  private compare(entry: RibEntry, pathId: number, path: Path | undefined, before: Sent | undefined, after: Sent | undefined, again: boolean, batch: Batch): void {
    if (before === after && !again) return;
    if (before) this.note(before, -1);
    if (!after || !path) {
      if (before) batch.withdraw(entry, pathId, before);
      return;
    }
    this.note(after, 1);
    if (before && !again && equalSent(before, after)) return;
    batch.announce(path, pathId, after);
    if (before && before.from !== after.from) batch.takeBack(after.from, { prefix: entry.prefix, pathId });
  }

  /** How a path is to be sent, the same value for routes in a row that are sent alike; undefined when it is not. */
  private wanted(path: Path): Sent | undefined {
    const exported = this.options.exportRoute(path);
    if (typeof exported === 'string') return undefined;
    const { last } = this;
    const { nextHop, attributes } = exported;
    const label = labelOf(path);
    if (last?.attributes === attributes && last.label === label && last.from === path.source.address && equalNextHops(last.nextHop, nextHop)) return last;
    return (this.last = { nextHop, attributes, label, from: path.source.address });
  }

  private tallyOf(from: string): Tally {
    if (this.lastTally?.from === from) return this.lastTally;
    let tally = this.tallies.get(from);
    if (!tally) this.tallies.set(from, (tally = { from, count: 0 }));
    return (this.lastTally = tally);
  }

  private note({ from }: Sent, by: number): void {
    this.count += by;
    this.tallyOf(from).count += by;
  }

  private setSent(entry: RibEntry, paths: SentPaths | undefined): void {
    const { locRib } = this.options;
    const before = this.sent.get(entry.id);
    this.sent.set(entry.id, paths);
    if (paths !== undefined && before === undefined) locRib.hold(entry);
    else if (paths === undefined && before !== undefined) locRib.release(entry);
  }

  private forEachHeld(use: (entry: RibEntry) => void): void {
    const { locRib } = this.options;
    for (let id = 0; id < locRib.idLimit; id++) if (this.sent.get(id) !== undefined || ((this.flags[id] ?? 0) & WAITING) !== 0) use(locRib.at(id)!);
  }

  private growFlags(id: number): void {
    const larger = new Uint8Array(Math.max(this.flags.length * 2, id + 1));
    larger.set(this.flags);
    this.flags = larger;
  }
}

/** Collects what is to be sent. */
class Batch implements OutgoingBatch {
  readonly withdrawn: WithdrawalGroup[] = [];
  readonly announced: AnnouncementGroup[] = [];
  readonly takenBack = new Map<string, Nlri[]>();
  private readonly byAttributes = new Map<PathAttributes, AnnouncementGroup[]>();
  private lastSent: Sent | undefined;
  private lastGroup: AnnouncementGroup | undefined;

  /** Many groups need many messages. */
  isFull(limit: number): boolean {
    return this.announced.length >= limit / 4;
  }

  announce(path: Path, pathId: number, sent: Sent): void {
    const family = familyOfDestination(path.prefix);
    if (this.lastSent !== sent || this.lastGroup?.family !== family) this.lastGroup = this.groupOf(sent, family);
    this.lastSent = sent;
    this.lastGroup.nlri.push({ prefix: path.prefix, pathId });
  }

  withdraw({ prefix }: RibEntry, pathId: number, { from }: Sent): void {
    const family = familyOfDestination(prefix);
    let group = this.withdrawn.find((other) => other.family === family && other.from === from);
    if (!group) this.withdrawn.push((group = { family, from, nlri: [] }));
    group.nlri.push({ prefix, pathId });
  }

  takeBack(peer: string, nlri: Nlri): void {
    const list = this.takenBack.get(peer);
    if (list) list.push(nlri);
    else if (peer !== '') this.takenBack.set(peer, [nlri]);
  }

  private groupOf({ nextHop, attributes, from }: Sent, family: FamilyName): AnnouncementGroup {
    let same = this.byAttributes.get(attributes);
    if (!same) this.byAttributes.set(attributes, (same = []));
    let group = same.find((other) => other.family === family && other.from === from && equalNextHops(other.nextHop, nextHop));
    if (!group) {
      group = { nextHop, attributes, family, from, nlri: [] };
      same.push(group);
      this.announced.push(group);
    }
    return group;
  }
}
