/**
 * The computing RIB: what all protocols say of services, and the candidates that follow (proto/WIRE.md section 1).
 *
 * An advertisement is one announcement of one (service, exit), held by (source, peer, path id, route distinguisher, service). Of the advertisements of one
 * (service, exit) held now, the one with the highest sequence counts and brings all Instances; at a tie fresh before stale, local and
 * BGP before OSPF, BGP unicast before VPN, then the lowest peer. What is withdrawn or expired counts no more, so that the next best one takes over.
 *
 * An exit inside the own edge network (heard by OSPFv3, or said to be) that tells the outside of an aggregate by BGP speaks of instances that are known here one by
 * one: such an aggregate makes no candidate.
 */
import FlatQueue from 'flatqueue';
import type { Clock, Timer } from '../clock.js';
import type { Instance, SidInfo } from '../computing/types.js';
import type { Logger } from '../log.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import type { Advertisement, Candidate, CandidateSource } from './candidate.js';

export interface ComputingRibOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Loopback of this router. What others say of it makes no candidate: the local source knows better. */
  readonly ownExit: string;
  /** Exits inside the own edge network beside those that OSPFv3 tells of. */
  readonly isInside?: (exit: string) => boolean;
  /** Changes within this time are told in one call; ms. */
  readonly batchMs?: number;
}

/** One advertisement with its state, for display. */
export interface HeldAdvertisement {
  readonly advertisement: Advertisement;
  /** ms of the injected clock. */
  readonly receivedAt: number;
  readonly stale: boolean;
  /** Whether its Instances are candidates now. */
  readonly counts: boolean;
}

interface Held {
  readonly advertisement: Advertisement;
  readonly receivedAt: number;
  stale: boolean;
  /** Replaced, withdrawn or expired. */
  gone: boolean;
}

interface ServiceEntry {
  readonly service: string;
  held: Held[];
  candidates: readonly Candidate[] | undefined;
}

/** The longest a timer is set for, ms: Node runs one of 2^31 ms or more at once, and a validity may be 136 years. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A domain has one or two SID structures; what a peer makes up beyond is kept as it is. */
const MAX_STRUCTURES = 64;

type SidStructure = SidInfo['structure'];

const SOURCE_ORDER: Readonly<Record<CandidateSource, number>> = { local: 0, bgp: 1, ospf: 2, controller: 3 };
const NO_CANDIDATES: readonly Candidate[] = Object.freeze([]);
const EMPTY: readonly never[] = Object.freeze([]);

export class ComputingRib {
  private readonly entries = new Map<string, ServiceEntry>();
  private readonly byPeer = new Map<string, Set<Held>>();
  /** One copy of each address text, whatever the number of advertisements that carry it. */
  private readonly texts = new Map<string, { readonly text: string; readonly order: Uint8Array | undefined }>();
  private readonly structures = new Map<number, SidStructure>();
  private readonly listeners: ((services: ReadonlySet<string>) => void)[] = [];
  private readonly ownSequenceListeners: ((sequence: bigint) => void)[] = [];
  private changed = new Set<string>();
  private batch: Timer | undefined;
  private readonly expiries = new FlatQueue<Held>();
  private expiryTimer: Timer | undefined;
  private expiryAt = Infinity;
  private held = 0;
  /** Advertisements held by OSPFv3, by exit. */
  private readonly ospfExits = new Map<string, number>();

  constructor(private readonly options: ComputingRibOptions) {}

  /** Number of services with at least one advertisement. */
  get size(): number {
    return this.entries.size;
  }

  /** Number of advertisements held, those that do not count included. */
  get advertisementCount(): number {
    return this.held;
  }

  /** Advertisements, some replaced already, whose validity is watched. */
  get waitingForExpiry(): number {
    return this.expiries.length;
  }

  /** Calls `listener` with the services that changed, at most once a batch. */
  onChange(listener: (services: ReadonlySet<string>) => void): void {
    this.listeners.push(listener);
  }

  /** Calls `listener` when somebody else holds a sequence of this router: its own counter has to jump above it. */
  onOwnSequence(listener: (sequence: bigint) => void): void {
    this.ownSequenceListeners.push(listener);
  }

  /** Adds an advertisement, or replaces the one with the same source, peer, path id, route distinguisher and service. */
  advertise(advertisement: Advertisement): void {
    const { source, service } = advertisement;
    if (source !== 'local' && advertisement.exit === this.options.ownExit) {
      for (const listener of this.ownSequenceListeners) listener(advertisement.sequence);
    }
    const held: Held = { advertisement: this.compact(advertisement), receivedAt: this.options.clock.now(), stale: advertisement.stale, gone: false };
    let entry = this.entries.get(service);
    if (!entry) {
      entry = { service: held.advertisement.service, held: [], candidates: undefined };
      this.entries.set(entry.service, entry);
    }
    if (source === 'ospf') this.countOspf(held.advertisement.exit, 1);
    const index = entry.held.findIndex((other) => sameKey(other.advertisement, held.advertisement));
    if (index >= 0) this.forget(entry.held[index]!);
    if (index >= 0) entry.held[index] = held;
    else entry.held.push(held);
    this.held++;
    this.peerSet(source, held.advertisement.peer).add(held);
    if (advertisement.validityMs > 0) this.expireAt(held.receivedAt + advertisement.validityMs, held);
    this.touch(entry);
  }

  /** Removes one advertisement; false when it was not held. */
  withdraw(source: CandidateSource, peer: string, pathId: number, service: string, rd?: string): boolean {
    const entry = this.entries.get(service);
    const held = entry?.held.find(({ advertisement: other }) => sameKey(other, { source, peer, pathId, rd }));
    if (!held) return false;
    this.drop(held);
    return true;
  }

  /** Removes everything from a peer (its session is lost for good). Returns how many. */
  withdrawPeer(source: CandidateSource, peer: string): number {
    const set = this.byPeer.get(`${source} ${peer}`);
    const all = set ? [...set] : [];
    for (const held of all) this.drop(held);
    return all.length;
  }

  /** Graceful restart (RFC 4724): keeps everything from a peer, marked, until it is advertised again or swept. Returns how many. */
  markStale(source: CandidateSource, peer: string): number {
    const set = this.byPeer.get(`${source} ${peer}`);
    if (!set) return 0;
    for (const held of set) {
      held.stale = true;
      this.touch(this.entries.get(held.advertisement.service)!);
    }
    return set.size;
  }

  /** Removes what is still stale of a peer (End-of-RIB came, or the restart time is over). Returns how many. */
  sweepStale(source: CandidateSource, peer: string): number {
    const set = this.byPeer.get(`${source} ${peer}`);
    const stale = set ? [...set].filter((held) => held.stale) : [];
    for (const held of stale) this.drop(held);
    return stale.length;
  }

  /** Candidates of a service, by exit and instance id. */
  candidates(service: string): readonly Candidate[] {
    const entry = this.entries.get(service);
    if (!entry) return NO_CANDIDATES;
    return (entry.candidates ??= this.makeCandidates(entry));
  }

  services(): IterableIterator<string> {
    return this.entries.keys();
  }

  /** Exits other than this router that candidates are behind: where to send probes to. */
  foreignExits(): Set<string> {
    const exits = new Set<string>();
    for (const { held } of this.entries.values()) {
      for (const { advertisement } of held) if (advertisement.exit !== this.options.ownExit) exits.add(advertisement.exit);
    }
    return exits;
  }

  /** OSPFv3 holds an announcement of this exit. */
  isHeardByOspf(exit: string): boolean {
    return this.ospfExits.has(exit);
  }

  /** An exit of the own edge network. */
  isInside(exit: string): boolean {
    return this.ospfExits.has(exit) || this.options.isInside?.(exit) === true;
  }

  /** Who is inside changed otherwise than by OSPFv3: decides anew what counts. */
  insideChanged(): void {
    for (const entry of this.entries.values()) if (entry.held.some(({ advertisement }) => advertisement.source === 'bgp')) this.touch(entry);
  }

  private countOspf(exit: string, change: 1 | -1): void {
    const count = (this.ospfExits.get(exit) ?? 0) + change;
    if (count > 0) this.ospfExits.set(exit, count);
    else this.ospfExits.delete(exit);
    if (count !== (change > 0 ? 1 : 0)) return;
    // It has come inside, or is so no longer: what BGP says of it counts otherwise, whatever the service.
    for (const entry of this.entries.values()) if (entry.held.some(({ advertisement }) => advertisement.exit === exit && advertisement.source === 'bgp')) this.touch(entry);
  }

  /** Whether an advertisement is one of those that candidates are made of. */
  private readonly mayCount = ({ advertisement: { exit, source, instances } }: Held): boolean => {
    if (exit === this.options.ownExit) return source === 'local';
    return source !== 'bgp' || !instances.some(({ aggregate }) => aggregate) || !this.isInside(exit);
  };

  /** Everything held of a service. */
  advertisements(service: string): HeldAdvertisement[] {
    const entry = this.entries.get(service);
    if (!entry) return [];
    const counting = new Set(winners(entry, this.mayCount, this.comparePeers).flat());
    return entry.held.map((held) => ({ advertisement: held.advertisement, receivedAt: held.receivedAt, stale: held.stale, counts: counting.has(held) }));
  }

  /** Tells the listeners what changed now instead of at the end of the batch. */
  flush(): void {
    this.batch?.cancel();
    this.batch = undefined;
    if (this.changed.size === 0) return;
    const services = this.changed;
    this.changed = new Set();
    for (const listener of this.listeners) listener(services);
  }

  /** Stops its timers. */
  close(): void {
    this.batch?.cancel();
    this.expiryTimer?.cancel();
  }

  private readonly comparePeers = (a: string, b: string): number => {
    const left = this.texts.get(a)?.order;
    const right = this.texts.get(b)?.order;
    return left && right ? Buffer.compare(left, right) : a < b ? -1 : a > b ? 1 : 0;
  };

  private makeCandidates(entry: ServiceEntry): readonly Candidate[] {
    const candidates: Candidate[] = [];
    for (const group of winners(entry, this.mayCount, this.comparePeers)) {
      const seen = new Set<number>();
      for (const { advertisement, receivedAt, stale } of group) {
        for (const instance of advertisement.instances) {
          if (seen.has(instance.id)) continue;
          seen.add(instance.id);
          const { service, exit, source, peer, sequence, originatedAt, validityMs } = advertisement;
          candidates.push({ service, exit, instance, source, peer, sequence, originatedAt, receivedAt, validityMs, stale });
        }
      }
    }
    return candidates.sort((a, b) => (a.exit === b.exit ? a.instance.id - b.instance.id : a.exit < b.exit ? -1 : 1));
  }

  private intern(text: string): string {
    let known = this.texts.get(text);
    if (!known) {
      if (this.texts.size > 2 * this.held + 1024) this.forgetTexts();
      known = { text, order: parseIp(text) };
      this.texts.set(text, known);
    }
    return known.text;
  }

  /** Exits and peers come and go: only those in use stay. */
  private forgetTexts(): void {
    const used = new Set([...this.entries.values()].flatMap(({ held }) => held.flatMap(({ advertisement: { exit, peer } }) => [exit, peer])));
    for (const text of this.texts.keys()) if (!used.has(text)) this.texts.delete(text);
  }

  /** A copy that shares what is equal in most advertisements, without Instances that no packet could be sent to. */
  private compact(advertisement: Advertisement): Advertisement {
    const usable = advertisement.instances.filter(({ sid }) => sid !== undefined);
    if (usable.length < advertisement.instances.length) {
      const { service, exit, source, peer } = advertisement;
      this.options.log.warn('instances without an SRv6 SID make no candidate', { service, exit, source, peer, count: advertisement.instances.length - usable.length });
    }
    return {
      ...advertisement,
      service: this.entries.get(advertisement.service)?.service ?? advertisement.service,
      exit: this.intern(advertisement.exit),
      peer: this.intern(advertisement.peer),
      instances: usable.map((instance) => this.compactInstance(instance)),
    };
  }

  private compactInstance(instance: Instance): Instance {
    const { sid } = instance;
    return {
      ...instance,
      sid: sid && { ...sid, structure: this.internStructure(sid.structure) },
      computing: shared(instance.computing),
      storage: shared(instance.storage),
      algorithms: shared(instance.algorithms),
      cats: shared(instance.cats),
    };
  }

  private internStructure(structure: SidStructure): SidStructure {
    const key = (structure.block << 24) | (structure.node << 16) | (structure.function << 8) | structure.argument;
    const known = this.structures.get(key);
    if (known) return known;
    if (this.structures.size < MAX_STRUCTURES) this.structures.set(key, structure);
    return structure;
  }

  private peerSet(source: CandidateSource, peer: string): Set<Held> {
    const key = `${source} ${peer}`;
    let set = this.byPeer.get(key);
    if (!set) {
      set = new Set();
      this.byPeer.set(key, set);
    }
    return set;
  }

  private drop(held: Held): void {
    const entry = this.entries.get(held.advertisement.service)!;
    this.forget(held);
    entry.held = entry.held.filter((other) => other !== held);
    if (entry.held.length === 0) this.entries.delete(entry.service);
    this.touch(entry);
  }

  private forget(held: Held): void {
    const { source, peer, exit } = held.advertisement;
    if (source === 'ospf') this.countOspf(exit, -1);
    held.gone = true;
    this.held--;
    const set = this.byPeer.get(`${source} ${peer}`);
    set?.delete(held);
    if (set?.size === 0) this.byPeer.delete(`${source} ${peer}`);
  }

  private touch(entry: ServiceEntry): void {
    entry.candidates = undefined;
    this.changed.add(entry.service);
    this.batch ??= this.options.clock.setTimeout(() => this.flush(), this.options.batchMs ?? 0);
  }

  private expireAt(time: number, held: Held): void {
    if (this.expiries.length > 2 * this.held + 1024) this.forgetExpiries();
    this.expiries.push(held, time);
    if (time < this.expiryAt) this.armExpiry(time);
  }

  /** What was replaced before its time: only advertisements that are held stay in the queue. */
  private forgetExpiries(): void {
    this.expiries.clear();
    for (const { held } of this.entries.values()) {
      for (const one of held) if (!one.gone && one.advertisement.validityMs > 0) this.expiries.push(one, one.receivedAt + one.advertisement.validityMs);
    }
  }

  private armExpiry(time: number): void {
    this.expiryTimer?.cancel();
    this.expiryAt = time;
    this.expiryTimer = this.options.clock.setTimeout(() => this.expire(), Math.min(LONGEST_TIMER_MS, Math.max(1, time - this.options.clock.now())));
  }

  private expire(): void {
    const now = this.options.clock.now();
    while (this.expiries.length > 0 && this.expiries.peekValue()! <= now) {
      const held = this.expiries.pop()!;
      if (!held.gone) this.drop(held);
    }
    this.expiryAt = Infinity;
    this.expiryTimer = undefined;
    const next = this.expiries.peekValue();
    if (next !== undefined) this.armExpiry(next);
  }
}

type RouteKey = Pick<Advertisement, 'source' | 'peer' | 'pathId' | 'rd'>;

function sameKey(a: RouteKey, b: RouteKey): boolean {
  return a.pathId === b.pathId && a.rd === b.rd && a.source === b.source && a.peer === b.peer;
}

/** What counts of each exit: one advertisement, or the several of one OSPFv3 router that share its highest sequence (WIRE.md section 3). */
function winners(entry: ServiceEntry, mayCount: (held: Held) => boolean, comparePeers: (a: string, b: string) => number): Held[][] {
  const best = new Map<string, Held>();
  for (const held of entry.held) {
    if (!mayCount(held)) continue;
    const { exit } = held.advertisement;
    const other = best.get(exit);
    if (!other || precedes(held, other, comparePeers)) best.set(exit, held);
  }
  const groups = new Map<Held, Held[]>([...best.values()].map((winner) => [winner, [winner]]));
  for (const held of entry.held) {
    const { exit, source, peer, sequence } = held.advertisement;
    const winner = best.get(exit);
    if (source !== 'ospf' || !winner || winner === held) continue;
    const { advertisement } = winner;
    if (advertisement.source === source && advertisement.peer === peer && advertisement.sequence === sequence) groups.get(winner)!.push(held);
  }
  for (const group of groups.values()) if (group.length > 1) group.sort((a, b) => a.advertisement.pathId - b.advertisement.pathId);
  return [...groups.values()];
}

function precedes(a: Held, b: Held, comparePeers: (a: string, b: string) => number): boolean {
  const [left, right] = [a.advertisement, b.advertisement];
  if (left.sequence !== right.sequence) return left.sequence > right.sequence;
  if (a.stale !== b.stale) return b.stale;
  if (left.source !== right.source) return SOURCE_ORDER[left.source] < SOURCE_ORDER[right.source];
  if ((left.rd === undefined) !== (right.rd === undefined)) return left.rd === undefined;
  const peers = comparePeers(left.peer, right.peer);
  if (peers !== 0) return peers < 0;
  return left.rd === right.rd || left.rd === undefined || right.rd === undefined ? left.pathId < right.pathId : left.rd < right.rd;
}

const shared = <T>(items: readonly T[]): readonly T[] => (items.length === 0 ? EMPTY : items);
