/** The flow table of the kernel: BPF program and maps, policies, punt path, ageing and path MTU, as one FlowTable. */
import type {
  DataplaneOptions,
  FlowCounters,
  FlowPassListener,
  FlowTable,
  InstallStatus,
  InterfaceRole,
  PolicyBlockOwner,
  PolicyWrite,
  ScannedFlow,
  Settle,
  Steer,
} from '../dataplane.js';
import { FLOW_SPACES, POLICIES_PER_BLOCK, TUN_NAME } from '../dataplane.js';
import { native, type PollHandle } from '../native/index.js';
import { systemCallError } from '../netlink/error.js';
import { FLOW_KEY_LENGTH, flowKeyAddress } from '../packet/flow-key.js';
import { Prefix, parseIp } from '../packet/ip.js';
import { BPF_COUNTERS } from './counters.js';
import {
  DESTINATION_AGGREGATE,
  DESTINATION_SERVICE,
  DESTINATION_SERVICE_IPV4,
  DESTINATION_SID,
  FLOW_POLICY,
  FLOW_VALUE_LENGTH,
  LIMITS_TUN,
  LIMITS_VALUE_LENGTH,
  PREFIX_KEY_LENGTH,
  ROLE_CLIENT,
  ROLE_CORE,
  ROLE_NODE,
} from './layout.js';
import { openIcmpv4Socket, sendIcmpv4 } from './icmpv4-socket.js';
import { loadBpf, unpinBpf, type LoadedBpf } from './loader.js';
import type { BpfMap } from './maps.js';
import { readOwners, writeOwner } from './owners.js';
import { drainPathMtu, openPathMtuSocket } from './path-mtu.js';
import { PolicyTable, type Slot } from './policies.js';
import { PUNT_BATCH, PuntPath, type PuntSettings } from './punt.js';
import { PuntGovernor } from './punt-governor.js';
import { FlowAgeing, scanFlows } from './scanner.js';
import { openTun, removeTun, type Tun } from './tun.js';

/** Where the classifier sits among the filters of an interface's clsact ingress. */
export const TC_PRIORITY = 50;

/** Batches of the punt path before the event loop gets its turn: about 10 ms of work. */
const BATCHES_PER_TURN = 1024 / PUNT_BATCH;

/** Packets at once that an interface may always have, where the configuration allows as many. */
const LEAST_BURST = 500;

/** Ageing: so long a step and so long between two steps of a pass, in ms. First packets wait for a step, and a pass over a million flows takes a minute. */
const AGEING_BUDGET_MS = 0.5;
const AGEING_PAUSE_MS = 20;

const ROLES: Record<InterfaceRole, number> = { core: ROLE_CORE, client: ROLE_CLIENT, node: ROLE_NODE };

export interface FlowTableSettings {
  /** Where the bpffs is or will be mounted. */
  readonly bpffs: string;
  readonly tunName: string;
  readonly log: (message: string) => void;
}

export const DEFAULT_FLOW_TABLE_SETTINGS = { bpffs: '/run/cpn/bpf', tunName: TUN_NAME } as const;

/** What exists while the table is open. */
interface OpenState {
  readonly bpf: LoadedBpf;
  readonly tun: Tun;
  readonly policies: PolicyTable;
  readonly punt: PuntPath;
  readonly ageing: FlowAgeing;
  readonly pathMtuSocket: number;
  readonly icmpv4Socket: number;
  readonly polls: readonly PollHandle[];
  readonly adopted: readonly { block: number; owner: PolicyBlockOwner }[];
  /** Prefixes in the maps, as text. */
  readonly destinations: Set<string>;
  readonly domainSources: Set<string>;
  readonly attached: Set<number>;
  readonly governor: PuntGovernor;
  options: DataplaneOptions;
  /** When the pass of ageing that is under way or over began, ms. */
  passBegan: number;
  timer: NodeJS.Timeout;
  /** Ends the window of packets that wait for each other. */
  windowTimer: NodeJS.Timeout | undefined;
}

/** FlowTable of the running kernel. Everything but open() needs it open. */
export class KernelFlowTable implements FlowTable {
  private state: OpenState | undefined;
  private steer: Steer | undefined;
  private settle: Settle | undefined;
  private readonly expiryListeners: ((keys: readonly Uint8Array[]) => void)[] = [];
  private readonly passListeners: FlowPassListener[] = [];
  private readonly mtuListeners: ((policies: readonly number[], mtu: number) => void)[] = [];
  private readonly passes: FlowPassListener = {
    begun: () => this.passListeners.forEach((listener) => listener.begun()),
    seen: (keys, policies, count) => this.passListeners.forEach((listener) => listener.seen(keys, policies, count)),
    ended: () => this.passListeners.forEach((listener) => listener.ended()),
  };

  constructor(private readonly settings: FlowTableSettings) {}

  private get opened(): OpenState {
    if (!this.state) throw new Error('the flow table is not open');
    return this.state;
  }

  /** Interface index of the punt TUN. */
  get tunIndex(): number {
    return this.opened.tun.ifindex;
  }

  /** Loads the program, adopts pinned policies, opens the TUN. No interface is attached yet. Throws when the kernel cannot do it. */
  open(options: DataplaneOptions): void {
    const { bpffs, tunName, log } = this.settings;
    const source = addressOf(options.sourceAddress);
    const bpf = loadBpf(bpffs, options);
    for (const name of bpf.replaced) log(`BPF map ${name}: size or layout changed, its entries are gone`);
    let tun: Tun | undefined;
    try {
      let applyInnerMtu: (mtu: number) => void = () => undefined;
      const policies = new PolicyTable({
        policies: bpf.maps.policies,
        slots: bpf.maps.slots,
        source,
        reduced: options.reduced,
        now: () => performance.now(),
        onInnerMtu: (mtu) => applyInnerMtu(mtu),
      });
      const adopted = readOwners(bpf.maps.owners);
      const owned = new Set(adopted.map(({ block }) => block));
      policies.adopt((policy) => owned.has(Math.floor(policy / POLICIES_PER_BLOCK)));

      const opened = openTun(tunName, policies.leastInnerMtu);
      tun = opened;
      const icmpv4Socket = openIcmpv4Socket();
      const punt = new PuntPath(
        {
          device: {
            readBatch: (arena, lengths) => native.readBatch(opened.fd, arena, lengths),
            writeBatch: (arena, offsets, lengths, count, errors) => native.writeBatch(opened.fd, arena, offsets, lengths, count, errors),
          },
          flows: bpf.maps.flows,
          newFlows: bpf.maps.newFlows,
          fragments: bpf.maps.fragments,
          policies,
          sendIcmpv4: (packet) => sendIcmpv4(icmpv4Socket, packet),
          nowNs: () => native.monotonicNs(),
        },
        puntSettings(options),
        policies.leastInnerMtu,
      );
      applyInnerMtu = (mtu) => {
        punt.setMtu(mtu);
        opened.setMtu(mtu);
      };
      if (this.steer) punt.onPunt(this.steer, this.settle);

      const pathMtuSocket = openPathMtuSocket();
      const polls = [
        native.poll(opened.fd, 1, (status) => this.readTun(status)),
        native.poll(pathMtuSocket, 1, () => this.readPathMtu()),
      ];
      this.state = {
        bpf,
        tun: opened,
        policies,
        punt,
        ageing: new FlowAgeing(bpf.maps.flows, bpf.maps.newFlows, () => native.monotonicNs(), this.passes),
        pathMtuSocket,
        icmpv4Socket,
        polls,
        adopted,
        destinations: new Set(),
        domainSources: new Set(),
        attached: new Set(),
        governor: new PuntGovernor(),
        options,
        passBegan: 0,
        timer: setTimeout(() => this.tick(), 0).unref(),
        windowTimer: undefined,
      };
      this.applyOptions(options);
    } catch (error) {
      tun?.close();
      bpf.close();
      throw error;
    }
  }

  /** Applies changed options; map sizes stay until the next start. */
  reconfigure(options: DataplaneOptions): void {
    const state = this.opened;
    state.policies.reconfigure(addressOf(options.sourceAddress), options.reduced);
    state.punt.configure(puntSettings(options));
    state.options = options;
    this.applyOptions(options);
  }

  private applyOptions(options: DataplaneOptions): void {
    const { bpf, destinations, domainSources } = this.opened;
    const wanted = new Map<string, number>();
    for (const prefix of options.sidBlocks) wanted.set(prefix, DESTINATION_SID);
    for (const { sid, space } of options.aggregateSids ?? []) wanted.set(`${sid}/128`, DESTINATION_AGGREGATE + FLOW_SPACES.indexOf(space));
    for (const prefix of options.servicePrefixes) wanted.set(prefix, Prefix.from(prefix).family === 4 ? DESTINATION_SERVICE_IPV4 : DESTINATION_SERVICE);
    syncPrefixes(bpf.maps.destinations, destinations, wanted);
    syncPrefixes(bpf.maps.domainSources, domainSources, new Map(options.domainSources.map((prefix) => [prefix, 1])));
    this.opened.governor.configure(options.puntLimits.interfaceRate);
    this.writeLimits();
  }

  private writeLimits(): void {
    const { bpf, governor, options, tun } = this.opened;
    const { interfaceRate, interfaceBurst, sourceRate, sourceBurst } = options.puntLimits;
    const limits = new BigUint64Array(LIMITS_VALUE_LENGTH / 8);
    const interval = (rate: number): number => (rate > 0 ? Math.max(1, Math.round(1e9 / rate)) : 0);
    limits[0] = BigInt(interval(governor.limit));
    // As long in time when the limit is lowered, or lowering it would let another burst in; but some packets at once must remain for those who send little.
    const leastBurst = Math.min(interfaceBurst, LEAST_BURST);
    limits[1] = BigInt(Math.max(interval(interfaceRate) * (interfaceBurst - 1), interval(governor.limit) * (leastBurst - 1), 0));
    limits[2] = BigInt(interval(sourceRate));
    limits[3] = BigInt(interval(sourceRate) * Math.max(0, sourceBurst - 1));
    new DataView(limits.buffer).setUint32(LIMITS_TUN, tun.ifindex, true);
    bpf.maps.puntLimits.update(u32(0), new Uint8Array(limits.buffer));
  }

  /**
   * Puts the program on an interface, or changes its role, or puts it back. `ethernet` says whether packets there start with an Ethernet header. Must not be
   * called for the TUN or the loopback. Throws NativeError when the kernel refuses.
   */
  attach(ifindex: number, role: InterfaceRole, ethernet: boolean): void {
    const { bpf, attached } = this.opened;
    bpf.maps.interfaces.update(u32(ifindex), u32(ROLES[role]));
    // Asked, not remembered: somebody may have removed the filter or the qdisc.
    if (attached.has(ifindex) && native.tcQuery(ifindex, 'ingress', TC_PRIORITY) !== 0) return;
    native.tcAttach(ifindex, 'ingress', ethernet ? bpf.ethernetProgram : bpf.rawProgram, TC_PRIORITY);
    attached.add(ifindex);
  }

  /** An interface went away: its index may come back as another one. */
  forget(ifindex: number): void {
    const { bpf, attached } = this.opened;
    attached.delete(ifindex);
    bpf.maps.interfaces.delete(u32(ifindex));
  }

  onPunt(steer: Steer, settle?: Settle): void {
    this.steer = steer;
    this.settle = settle;
    this.state?.punt.onPunt(steer, settle);
  }

  setPolicies(writes: readonly PolicyWrite[]): void {
    this.opened.policies.set(writes);
  }

  policyStatus(policy: number): (InstallStatus & { readonly segments: readonly string[]; readonly mtu: number }) | undefined {
    return this.opened.policies.status(policy);
  }

  setBlockOwner(block: number, owner: PolicyBlockOwner | undefined): void {
    writeOwner(this.opened.bpf.maps.owners, block, owner);
  }

  adoptedBlocks(): { readonly block: number; readonly owner: PolicyBlockOwner }[] {
    return [...this.opened.adopted];
  }

  scanFlows(): Iterable<readonly ScannedFlow[]> {
    const { flows, newFlows } = this.opened.bpf.maps;
    return scanFlows(flows, newFlows);
  }

  onPass(listener: FlowPassListener): void {
    this.passListeners.push(listener);
  }

  deleteFlows(keys: readonly Uint8Array[]): void {
    const { flows, newFlows } = this.opened.bpf.maps;
    const packed = new Uint8Array(keys.length * FLOW_KEY_LENGTH);
    keys.forEach((key, i) => packed.set(key, i * FLOW_KEY_LENGTH));
    // The new ones first: a promotion in between would be missed the other way round.
    newFlows.deleteBatch(packed, keys.length);
    flows.deleteBatch(packed, keys.length);
  }

  onExpired(listener: (keys: readonly Uint8Array[]) => void): void {
    this.expiryListeners.push(listener);
  }

  onPathMtu(listener: (policies: readonly number[], mtu: number) => void): void {
    this.mtuListeners.push(listener);
  }

  counters(): FlowCounters {
    const { bpf, punt, tun } = this.opened;
    const counters: Record<string, bigint> = {};
    const value = new Uint8Array(native.bpfPossibleCpus() * 8);
    BPF_COUNTERS.forEach((name, index) => {
      let sum = 0n;
      if (bpf.maps.stats.lookup(u32(index), value)) for (const part of new BigUint64Array(value.buffer)) sum += part;
      counters[`kernel_${name}`] = sum;
    });
    for (const [name, count] of Object.entries(punt.counters as unknown as Record<string, number>)) {
      counters[`punt_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`] = BigInt(count);
    }
    counters['punt_queue_dropped'] = BigInt(tun.dropped());
    return counters;
  }

  /** One step of ageing. Passes begin at most as often as the idle time asks for. */
  private tick(): void {
    const { state } = this;
    if (!state) return;
    const { ageing, options, policies } = state;
    const period = Math.min(1000, Math.max(20, options.flowIdleMs / 64));
    const now = performance.now();
    if (ageing.isBetweenPasses) state.passBegan = now;
    const expired = ageing.step(options.flowIdleMs, AGEING_BUDGET_MS, () => performance.now());
    const wait = ageing.isBetweenPasses ? Math.max(AGEING_PAUSE_MS, state.passBegan + period - performance.now()) : AGEING_PAUSE_MS;
    state.timer = setTimeout(() => this.tick(), wait).unref();
    if (expired.length > 0) for (const listener of this.expiryListeners) listener(expired);
    if (!ageing.isBetweenPasses) return;
    for (const { policies: raised, mtu } of policies.expirePathMtus()) this.tellPathMtu(raised, mtu);
  }

  private readTun(status: number): void {
    const { governor, punt, polls } = this.opened;
    try {
      if (status < 0) throw Object.assign(new Error(`poll: error ${-status}`), { errno: -status, syscall: 'read' });
      const emptied = punt.run(BATCHES_PER_TURN) < BATCHES_PER_TURN * PUNT_BATCH;
      this.endWindowLater();
      if (governor.look(emptied, punt.counters.received, performance.now())) this.writeLimits();
    } catch (error) {
      const { syscall, message } = systemCallError(error);
      if (syscall !== 'read') {
        this.settings.log(`punt path: ${message}`);
        return;
      }
      // Somebody removed the device: without a listener on it the loop would spin.
      polls[0]?.close();
      this.settings.log(`punt TUN ${this.settings.tunName} failed, first packets are lost until the next start: ${message}`);
    }
  }

  private endWindowLater(): void {
    const { state } = this;
    const windowMs = state?.punt.windowMs;
    if (!state || state.windowTimer || windowMs === undefined) return;
    state.windowTimer = setTimeout(() => {
      state.windowTimer = undefined;
      try {
        state.punt.release();
      } catch (error) {
        this.settings.log(`punt path: ${systemCallError(error).message}`);
      }
    }, windowMs);
  }

  private readPathMtu(): void {
    const { pathMtuSocket, options, policies } = this.opened;
    drainPathMtu(pathMtuSocket, addressOf(options.sourceAddress), ({ segments, mtu, flow }) => {
      let lowered = policies.lowerPathMtu(segments, mtu);
      // What a border rewrote is quoted with a SID that is in no segment list here: the flow inside tells which list it left with.
      const sent = lowered.policies.length === 0 && flow ? this.slotOfFlow(flow)?.segments : undefined;
      if (sent) lowered = policies.lowerPathMtu(sent, mtu);
      this.tellPathMtu(lowered.policies, lowered.mtu);
    });
  }

  /** What the kernel sends a pinned flow with. */
  private slotOfFlow(key: Uint8Array): Slot | undefined {
    const { bpf, policies } = this.opened;
    const value = new Uint8Array(FLOW_VALUE_LENGTH);
    if (!bpf.maps.flows.lookup(key, value) && !bpf.maps.newFlows.lookup(key, value)) return undefined;
    return policies.slotOf(new DataView(value.buffer).getUint32(FLOW_POLICY, true));
  }

  private tellPathMtu(policies: readonly number[], mtu: number): void {
    if (policies.length > 0) for (const listener of this.mtuListeners) listener(policies, mtu);
  }

  /** Closes descriptors. Programs, maps and the TUN stay, and pinned flows go on being forwarded. */
  close(): void {
    const { state } = this;
    if (!state) return;
    this.release(state);
    state.tun.close();
    this.state = undefined;
  }

  /** Takes programs (from these interfaces), maps and the TUN away, also those that an earlier run left; need not be open. */
  remove(interfaces: readonly number[]): void {
    this.close();
    for (const ifindex of interfaces) native.tcDetach(ifindex, 'ingress', TC_PRIORITY);
    removeTun(this.settings.tunName);
    unpinBpf(this.settings.bpffs);
  }

  private release(state: OpenState): void {
    clearTimeout(state.timer);
    clearTimeout(state.windowTimer);
    for (const poll of state.polls) poll.close();
    native.close(state.pathMtuSocket);
    native.close(state.icmpv4Socket);
    state.bpf.close();
  }
}

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

function addressOf(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (bytes?.length !== 16) throw new TypeError(`not an IPv6 address: ${text}`);
  return bytes;
}

function puntSettings(options: DataplaneOptions): PuntSettings {
  return {
    routerAddress: addressOf(options.sourceAddress),
    servicePrefixes: options.servicePrefixes.map((prefix) => Prefix.from(prefix)),
    requirementOption: options.requirementOption,
    aggregateSids: (options.aggregateSids ?? []).map(({ sid, space }) => ({ sid: addressOf(sid), space: FLOW_SPACES.indexOf(space) })),
  };
}

/** Makes a longest-prefix-match map hold exactly `wanted`; IPv4 prefixes as those of mapped addresses. `present` is what it holds. */
function syncPrefixes(map: BpfMap, present: Set<string>, wanted: ReadonlyMap<string, number>): void {
  const keyOf = (prefix: Prefix): Uint8Array => {
    const key = new Uint8Array(PREFIX_KEY_LENGTH);
    new DataView(key.buffer).setUint32(0, prefix.family === 4 ? 96 + prefix.length : prefix.length, true);
    key.set(flowKeyAddress(prefix.address), 4);
    return key;
  };
  const added = new Set<string>();
  for (const [text, value] of wanted) {
    const prefix = Prefix.from(text);
    map.update(keyOf(prefix), u32(value));
    added.add(prefix.toString());
  }
  for (const text of present) if (!added.has(text)) map.delete(keyOf(Prefix.from(text)));
  present.clear();
  for (const text of added) present.add(text);
}
