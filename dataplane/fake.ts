/**
 * A dataplane in memory: records what was declared, lets a test punt packets, expire flows, change links and refuse an installation.
 *
 * State outlives close(), as pinned maps and kernel routes do, so that a test can restart a daemon over the same FakeDataplane.
 */
import type {
  Dataplane,
  DataplaneCapabilities,
  DataplaneOptions,
  FlowCounters,
  FlowKey,
  FlowPassListener,
  FlowTable,
  InstallStatus,
  KernelRoute,
  InterfaceCounters,
  LinkState,
  PolicyBlockOwner,
  PolicyWrite,
  PuntedPacket,
  RouteTable,
  ScannedFlow,
  Settle,
  Steer,
} from './dataplane.js';
import { DEFERRED, FLOW_SPACES, NO_SERVICE, type FlowSpace } from './dataplane.js';
import { Adjacencies, isProtected, type Forwarding, type ProtectedTarget } from './adjacencies.js';
import { foldChecksum, sumOctets } from './packet/checksum.js';
import { FLOW_KEY_LENGTH, FLOW_KEY_SPACE, MAPPED_PREFIX, encodeFlowKey, flowKeyText } from './packet/flow-key.js';
import { Prefix, parseIp } from './packet/ip.js';

const DEFAULT_TABLE = 254;
const DEFAULT_METRIC = 1024;
const UDP = 17;
const MIN_IPV6_MTU = 1280;
/** Flows a batch of a scan. */
const BATCH = 256;

const INSTALLED: InstallStatus = { installed: true };

type RouteLookup = Awaited<ReturnType<RouteTable['lookup']>>;

/** Kernel routes in memory. */
export class FakeRouteTable implements RouteTable {
  private readonly declared = new Map<string, { route: KernelRoute; status: InstallStatus; stale: boolean }>();
  private readonly refusals = new Map<string, string>();
  private readonly adjacencies = new Adjacencies();

  constructor(private readonly links: () => readonly LinkState[]) {}

  private static key(prefix: string, table = DEFAULT_TABLE, metric = DEFAULT_METRIC): string {
    return `${prefix} ${table} ${metric}`;
  }

  set(route: KernelRoute): void {
    const error = this.refusals.get(route.prefix);
    const status = error === undefined ? INSTALLED : { installed: false, error };
    this.declared.set(FakeRouteTable.key(route.prefix, route.table, route.metric), { route, status, stale: false });
  }

  remove(prefix: string, table?: number, metric?: number): void {
    this.declared.delete(FakeRouteTable.key(prefix, table, metric));
  }

  status(prefix: string, table?: number, metric?: number): InstallStatus | undefined {
    const found = this.declared.get(FakeRouteTable.key(prefix, table, metric));
    return found && !found.stale ? this.statusOf(found) : undefined;
  }

  list(): { route: KernelRoute; status: InstallStatus }[] {
    return [...this.declared.values()].filter((entry) => !entry.stale).map((entry) => ({ route: entry.route, status: this.statusOf(entry) }));
  }

  private statusOf({ route, status }: { readonly route: KernelRoute; readonly status: InstallStatus }): InstallStatus {
    if (!status.installed || !isProtected(route.target) || route.target.backups.length === 0) return status;
    return { ...status, backup: { installed: true, active: this.forwarding(route.target).backup !== undefined } };
  }

  private forwarding(target: ProtectedTarget): Forwarding {
    return this.adjacencies.forwarding(target, (name) => this.links().find((link) => link.name === name)?.up !== true);
  }

  failAdjacency(interfaceName: string, gateway?: string): number {
    const active = (): number => this.list().filter(({ status }) => status.backup?.active).length;
    const before = active();
    this.adjacencies.fail(interfaceName, gateway);
    return active() - before;
  }

  restoreAdjacency(interfaceName: string, gateway?: string): void {
    this.adjacencies.restore(interfaceName, gateway);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  staleCount(): number {
    return [...this.declared.values()].filter(({ stale }) => stale).length;
  }

  sweepStale(): Promise<number> {
    let swept = 0;
    for (const [key, entry] of this.declared) {
      if (!entry.stale) continue;
      this.declared.delete(key);
      swept++;
    }
    return Promise.resolve(swept);
  }

  /** Longest match over installed routes of the main table and the prefixes of addresses of links that are up. */
  lookup(address: string): Promise<RouteLookup> {
    const bytes = parseIp(address);
    if (!bytes) return Promise.resolve(undefined);
    const links = this.links().filter((link) => link.up);
    let best: { length: number; metric: number; value: RouteLookup } | undefined;
    const offer = (length: number, metric: number, value: RouteLookup): void => {
      if (!best || length > best.length || (length === best.length && metric < best.metric)) best = { length, metric, value };
    };
    for (const link of links) {
      for (const text of link.addresses) {
        const prefix = Prefix.from(text);
        const local = text.slice(0, text.indexOf('/')) === address;
        if (prefix.contains(bytes)) {
          offer(local ? 129 : prefix.length, 0, { prefix: prefix.toString(), isDefault: false, interface: link.name, mtu: link.mtu, local });
        }
      }
    }
    for (const { route, status } of this.declared.values()) {
      if (!status.installed || (route.table ?? DEFAULT_TABLE) !== DEFAULT_TABLE) continue;
      const prefix = Prefix.from(route.prefix);
      if (!prefix.contains(bytes)) continue;
      const target = route.target;
      const metric = route.metric ?? DEFAULT_METRIC;
      if (target.kind === 'unreachable') {
        offer(prefix.length, metric, undefined);
      } else if (target.kind === 'seg6local') {
        const value = { prefix: prefix.toString(), isDefault: prefix.length === 0, interface: target.interface, mtu: this.mtuOf(target.interface), local: true };
        offer(prefix.length, metric, value);
      } else {
        const now = isProtected(target) ? this.forwarding(target) : target;
        const hops = 'nextHops' in now ? now.nextHops : [now.backup.nextHop];
        const hop = hops.find((candidate) => links.some((link) => link.name === candidate.interface));
        if (!hop) continue;
        const value = { prefix: prefix.toString(), isDefault: prefix.length === 0, interface: hop.interface, mtu: this.mtuOf(hop.interface), local: false };
        offer(prefix.length, metric, hop.gateway === undefined ? value : { ...value, gateway: hop.gateway });
      }
    }
    return Promise.resolve(best?.value);
  }

  private mtuOf(interfaceName: string): number {
    return this.links().find((link) => link.name === interfaceName)?.mtu ?? 1500;
  }

  /** Test: routes of this prefix are refused with `error` from now on (undefined: accepted again); those declared change at once. */
  refuse(prefix: string, error: string | undefined): void {
    if (error === undefined) this.refusals.delete(prefix);
    else this.refusals.set(prefix, error);
    for (const entry of this.declared.values()) {
      if (entry.route.prefix === prefix) entry.status = error === undefined ? INSTALLED : { installed: false, error };
    }
  }

  /** What a restart does: all routes stay and are stale until declared again. */
  markStale(): void {
    for (const entry of this.declared.values()) entry.stale = true;
  }

  clear(): void {
    this.declared.clear();
  }
}

interface FakeFlow {
  readonly key: Uint8Array;
  policy: number;
  packets: bigint;
  bytes: bigint;
  createdNs: bigint;
  lastSeenNs: bigint;
}

/** What the steering answered a packet that a test punted. */
export interface PuntResult {
  /** Policy id, NO_SERVICE or NO_CANDIDATE. */
  readonly policy: number;
  /** Whether the packet left encapsulated. */
  readonly sent: boolean;
  /** Segment list it left with, in travel order. */
  readonly segments: readonly string[];
}

/** Pinned flows and policies in memory. */
export class FakeFlowTable implements FlowTable {
  private readonly policies = new Map<number, { write: PolicyWrite; status: InstallStatus }>();
  private readonly owners = new Map<number, PolicyBlockOwner>();
  private readonly flows = new Map<string, FakeFlow>();
  private adopted: { block: number; owner: PolicyBlockOwner }[] = [];
  private steer: Steer | undefined;
  private settle: Settle | undefined;
  private isBurst = false;
  private expiryListeners: ((keys: readonly Uint8Array[]) => void)[] = [];
  private mtuListeners: ((policies: readonly number[], mtu: number) => void)[] = [];
  private passListeners: FlowPassListener[] = [];
  private readonly refusals = new Map<number, string>();
  private readonly counts = new Map<string, bigint>();

  /** `nowNs` is the clock of created and last-seen stamps, in ns. */
  constructor(private readonly nowNs: () => bigint) {}

  onPunt(steer: Steer, settle?: Settle): void {
    this.steer = steer;
    this.settle = settle;
  }

  setPolicies(writes: readonly PolicyWrite[]): void {
    for (const write of writes) {
      const error = this.refusals.get(write.policy);
      this.policies.set(write.policy, { write, status: error === undefined ? INSTALLED : { installed: false, error } });
    }
  }

  policyStatus(policy: number): (InstallStatus & { segments: readonly string[]; mtu: number }) | undefined {
    const found = this.policies.get(policy);
    return found && { ...found.status, segments: found.write.segments, mtu: found.write.mtu };
  }

  setBlockOwner(block: number, owner: PolicyBlockOwner | undefined): void {
    if (owner) this.owners.set(block, owner);
    else this.owners.delete(block);
  }

  adoptedBlocks(): { block: number; owner: PolicyBlockOwner }[] {
    return [...this.adopted];
  }

  /** Batches of `BATCH` flows of those that are there at first. */
  *scanFlows(): Generator<readonly ScannedFlow[]> {
    const texts = [...this.flows.keys()];
    for (let at = 0; at < texts.length; at += BATCH) {
      yield texts.slice(at, at + BATCH).flatMap((text) => {
        const flow = this.flows.get(text);
        return flow ? [{ ...flow }] : [];
      });
    }
  }

  onPass(listener: FlowPassListener): void {
    this.passListeners.push(listener);
  }

  deleteFlows(keys: readonly Uint8Array[]): void {
    for (const key of keys) this.flows.delete(flowKeyText(key));
  }

  onExpired(listener: (keys: readonly Uint8Array[]) => void): void {
    this.expiryListeners.push(listener);
  }

  onPathMtu(listener: (policies: readonly number[], mtu: number) => void): void {
    this.mtuListeners.push(listener);
  }

  counters(): FlowCounters {
    return Object.fromEntries(this.counts);
  }

  private count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0n) + 1n);
  }

  /**
   * Test: a packet of this flow arrives. A pinned flow is only counted; any other is punted to the steering and pinned with its answer.
   * `requirement` is the option data (proto/WIRE.md section 4); `octets` the length of the packet; `space` other than `entry`: it came to that aggregate SID.
   */
  packet(flow: FlowKey, requirement?: Uint8Array, octets = 48, space: FlowSpace = 'entry'): PuntResult {
    const key = encodeFlowKey(flow);
    key[FLOW_KEY_SPACE] = FLOW_SPACES.indexOf(space);
    const text = flowKeyText(key);
    const pinned = this.flows.get(text);
    if (pinned) {
      pinned.packets++;
      pinned.bytes += BigInt(octets);
      pinned.lastSeenNs = this.nowNs();
      return this.result(pinned.policy);
    }
    const arena = fakePacket(key, octets);
    const punted: PuntedPacket = { arena, offset: 0, length: arena.length, key, requirement };
    let policy = this.steer ? this.steer(punted) : NO_SERVICE;
    if (policy === DEFERRED) {
      if (this.isBurst) return { policy, sent: false, segments: [] };
      this.settle?.decide();
      policy = this.steer!({ ...punted, held: true });
    }
    this.count('punted');
    if (policy < 0) {
      this.count(policy === NO_SERVICE ? 'no_service' : 'no_candidate');
      return { policy, sent: false, segments: [] };
    }
    const now = this.nowNs();
    this.flows.set(text, { key: Uint8Array.from(key), policy, packets: 1n, bytes: BigInt(octets), createdNs: now, lastSeenNs: now });
    this.count('first_sent');
    return this.result(policy);
  }

  /** Test: packets of these flows arrive within one window. */
  burst(flows: readonly FlowKey[], requirement?: (flow: FlowKey) => Uint8Array | undefined): PuntResult[] {
    this.isBurst = true;
    for (const flow of flows) this.packet(flow, requirement?.(flow));
    this.isBurst = false;
    this.settle?.decide();
    return flows.map((flow) => this.packet(flow, requirement?.(flow)));
  }

  private result(policy: number): PuntResult {
    const found = this.policies.get(policy);
    const segments = found?.status.installed === true ? found.write.segments : [];
    return { policy, sent: segments.length > 0, segments };
  }

  /** Test: these pinned flows went idle. All of them by default. */
  expire(flows?: readonly FlowKey[]): void {
    const keys = flows ? flows.map(encodeFlowKey) : [...this.flows.values()].map((flow) => flow.key);
    const gone = keys.filter((key) => this.flows.delete(flowKeyText(key)));
    for (const listener of this.expiryListeners) listener(gone);
  }

  /** Test: the kernel's flow table lost a flow without the daemon hearing of it (LRU eviction). */
  evict(flow: FlowKey): void {
    this.flows.delete(flowKeyText(encodeFlowKey(flow)));
  }

  /** Test: a Packet Too Big about outer packets of policies with this segment list. */
  packetTooBig(segments: readonly string[], mtu: number): void {
    const lowered = Math.max(mtu, MIN_IPV6_MTU);
    const hit: number[] = [];
    for (const [policy, { write, status }] of this.policies) {
      if (write.mtu <= lowered || write.segments.join() !== segments.join()) continue;
      this.policies.set(policy, { write: { ...write, mtu: lowered }, status });
      hit.push(policy);
    }
    if (hit.length > 0) for (const listener of this.mtuListeners) listener(hit, lowered);
  }

  /** Test: writes of this policy are refused with `error` from now on (undefined: accepted again). */
  refuse(policy: number, error: string | undefined): void {
    if (error === undefined) this.refusals.delete(policy);
    else this.refusals.set(policy, error);
    const found = this.policies.get(policy);
    if (found) found.status = error === undefined ? INSTALLED : { installed: false, error };
  }

  /** Test: a pass over all flows, `step` of those that were there at its beginning at a time; other things may happen in between. */
  *passSteps(step = BATCH): Generator<void> {
    for (const listener of this.passListeners) listener.begun();
    const texts = [...this.flows.keys()];
    for (let at = 0; at < texts.length; at += step) {
      yield;
      const there = texts.slice(at, at + step).flatMap((text) => this.flows.get(text) ?? []);
      const keys = new Uint8Array(there.length * FLOW_KEY_LENGTH);
      there.forEach(({ key }, i) => keys.set(key, i * FLOW_KEY_LENGTH));
      const policies = Uint32Array.from(there, ({ policy }) => policy);
      for (const listener of this.passListeners) listener.seen(keys, policies, there.length);
    }
    yield;
    for (const listener of this.passListeners) listener.ended();
  }

  /** Test: a whole pass at once. */
  pass(): void {
    for (const steps = this.passSteps(); steps.next().done !== true; );
  }

  /** Number of pinned flows. */
  get size(): number {
    return this.flows.size;
  }

  /** What a restart does: listeners go, maps stay and can be adopted. */
  restart(): void {
    this.steer = undefined;
    this.expiryListeners = [];
    this.mtuListeners = [];
    this.passListeners = [];
    this.adopted = [...this.owners].map(([block, owner]) => ({ block, owner }));
  }

  clear(): void {
    this.policies.clear();
    this.owners.clear();
    this.flows.clear();
    this.adopted = [];
  }
}

/** A UDP packet with the 5-tuple of a flow key; payload zero. Mapped addresses make it one of IPv4. */
function fakePacket(key: Uint8Array, octets: number): Uint8Array {
  if (MAPPED_PREFIX.contains(key.subarray(16, 32))) return fakeIpv4Packet(key, octets);
  const packet = new Uint8Array(Math.max(octets, 48));
  packet[0] = 0x60;
  packet[4] = (packet.length - 40) >> 8;
  packet[5] = (packet.length - 40) & 0xff;
  packet[6] = key[36] ?? UDP;
  packet[7] = 63;
  packet.set(key.subarray(0, 32), 8);
  packet.set(key.subarray(32, 36), 40);
  packet[45] = 8;
  return packet;
}

function fakeIpv4Packet(key: Uint8Array, octets: number): Uint8Array {
  const packet = new Uint8Array(Math.max(octets, 28));
  packet[0] = 0x45;
  packet[2] = packet.length >> 8;
  packet[3] = packet.length & 0xff;
  packet[8] = 63;
  packet[9] = key[36] ?? UDP;
  packet.set(key.subarray(12, 16), 12);
  packet.set(key.subarray(28, 32), 16);
  packet.set(key.subarray(32, 36), 20);
  packet[25] = 8;
  const checksum = foldChecksum(sumOctets(packet, 0, 20));
  packet[10] = checksum >> 8;
  packet[11] = checksum & 0xff;
  return packet;
}

/** Dataplane in memory. `now` gives ms, for stamps of flows. */
export class FakeDataplane implements Dataplane {
  readonly routes: FakeRouteTable;
  readonly flows: FakeFlowTable;
  /** Options of the last open() or reconfigure(). */
  options: DataplaneOptions | undefined;
  isOpen = false;
  private state: readonly LinkState[];
  private readonly counters = new Map<string, InterfaceCounters>();
  private linkListeners: ((links: readonly LinkState[]) => void)[] = [];

  constructor(
    links: readonly LinkState[] = [{ name: 'lo', index: 1, up: true, mtu: 65536, addresses: ['::1/128'] }],
    now: () => number = () => 0,
  ) {
    this.state = links;
    this.routes = new FakeRouteTable(() => this.state);
    this.flows = new FakeFlowTable(() => BigInt(Math.round(now() * 1e6)));
  }

  capabilities(): DataplaneCapabilities {
    return { seg6: true, seg6local: true, bpf: true, vrf: true, nextHopObjects: true, notes: [] };
  }

  open(options: DataplaneOptions): Promise<void> {
    this.options = options;
    this.isOpen = true;
    return Promise.resolve();
  }

  reconfigure(options: DataplaneOptions): Promise<void> {
    this.options = options;
    return Promise.resolve();
  }

  links(): readonly LinkState[] {
    return this.state;
  }

  onLinks(listener: (links: readonly LinkState[]) => void): void {
    this.linkListeners.push(listener);
  }

  interfaceCounters(): Promise<readonly InterfaceCounters[]> {
    return Promise.resolve([...this.counters.values()]);
  }

  /** Test: what an interface has carried. */
  setCounters(counters: InterfaceCounters): void {
    this.counters.set(counters.name, counters);
  }

  setAddresses(interfaceName: string, addresses: readonly string[]): Promise<void> {
    this.state = this.state.map((link) =>
      link.name === interfaceName ? { ...link, addresses: [...new Set([...link.addresses, ...addresses])] } : link,
    );
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isOpen = false;
    this.linkListeners = [];
    this.routes.markStale();
    this.flows.restart();
    return Promise.resolve();
  }

  remove(): Promise<void> {
    this.isOpen = false;
    this.linkListeners = [];
    this.routes.clear();
    this.flows.clear();
    return Promise.resolve();
  }

  /** Test: links changed; listeners hear of it. */
  setLinks(links: readonly LinkState[]): void {
    this.state = links;
    for (const listener of this.linkListeners) listener(links);
  }
}
