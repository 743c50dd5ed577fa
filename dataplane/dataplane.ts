/**
 * The seam between the daemon and packets. Two implementations: `kernel.ts` (rtnetlink, BPF, TUN) and `fake.ts` (memory, for tests).
 *
 * The daemon declares what should be; the dataplane programs it, reads every acknowledgement, and mends what differs later.
 * Addresses and prefixes are canonical text (see packet/ip.ts); times are ms of the injected clock unless the name says otherwise.
 */

/** The punt TUN. Always up, so that routes which need some device and no particular one hang on it. */
export const TUN_NAME = 'cpn0';

/** How an interface takes part in the SR domain (proto/WIRE.md section 5): client and node interfaces are the edge and filter. */
export type InterfaceRole = 'core' | 'client' | 'node';

export interface LinkState {
  readonly name: string;
  readonly index: number;
  readonly up: boolean;
  readonly mtu: number;
  readonly addresses: readonly string[]; // "address/length", canonical
}

/** What an interface has carried since it was made, and how fast it is. */
export interface InterfaceCounters {
  readonly name: string;
  readonly receivedPackets: bigint;
  readonly sentPackets: bigint;
  readonly receivedOctets: bigint;
  readonly sentOctets: bigint;
  /** Errors and drops of either direction. */
  readonly receiveFaults: bigint;
  readonly sendFaults: bigint;
  /** bit/s as the driver states it; undefined where it states none. */
  readonly speed: number | undefined;
}

export interface NextHop {
  /** Gateway; absent for a directly connected destination. */
  readonly gateway?: string;
  readonly interface: string;
  /** Relative weight of ECMP, 1..256. */
  readonly weight?: number;
  /** IPv4: the gateway is on that link, whatever other routes say of it. */
  readonly onLink?: boolean;
}

/** A way around primary next hops that failed, in the kernel before it is needed. */
export interface RouteBackup {
  /** Interfaces of primary next hops whose loss it survives. */
  readonly protects: readonly string[];
  readonly nextHop: NextHop;
  /**
   * Empty: a loop-free alternate (RFC 5286). Otherwise H.Encaps towards these SIDs in travel order, of which the last decapsulates. The kernel routes the outer
   * packet by its first SID, so that the route to that SID must itself be unaffected or have a plain alternate.
   */
  readonly segments: readonly string[];
}

/** seg6local behaviours (RFC 8986 section 4) that the kernel runs for us. */
export type LocalBehaviour =
  | { readonly kind: 'End' }
  | { readonly kind: 'End.X'; readonly nextHop: string; readonly interface: string }
  | { readonly kind: 'End.DX6'; readonly nextHop: string; readonly interface: string }
  | { readonly kind: 'End.DX4'; readonly nextHop: string; readonly interface: string }
  | { readonly kind: 'End.DT6'; readonly table: number };

export type RouteTarget =
  /**
   * With `backups` (also an empty list) the next hops are switched for all such routes at once by failAdjacency(), or by the kernel when a carrier is lost: to
   * the next hops that survive, else to the first backup that protects what failed.
   */
  | { readonly kind: 'unicast'; readonly nextHops: readonly NextHop[]; readonly backups?: readonly RouteBackup[] }
  /** H.Encaps by the kernel itself; `segments` in travel order. */
  | { readonly kind: 'seg6'; readonly segments: readonly string[]; readonly nextHops: readonly NextHop[] }
  | { readonly kind: 'seg6local'; readonly behaviour: LocalBehaviour; readonly interface: string }
  | { readonly kind: 'unreachable' };

/** One kernel route of ours. Key: prefix, table, metric. */
export interface KernelRoute {
  readonly prefix: string;
  readonly table?: number; // default main (254)
  readonly metric?: number; // default 1024
  readonly target: RouteTarget;
}

export interface InstallStatus {
  readonly installed: boolean;
  /** Why not, with the kernel's extended-ack text where it gave one. */
  readonly error?: string;
  /** Of a route with a backup. `active`: packets take the backup now. */
  readonly backup?: { readonly installed: boolean; readonly active: boolean; readonly error?: string };
}

/** The part that owns kernel routes. Writes are batched; a status is known once the kernel answered. */
export interface RouteTable {
  /** Declares a route (add or replace). */
  set(route: KernelRoute): void;
  remove(prefix: string, table?: number, metric?: number): void;
  status(prefix: string, table?: number, metric?: number): InstallStatus | undefined;
  /** Everything declared, with its status. */
  list(): { readonly route: KernelRoute; readonly status: InstallStatus }[];
  /** Resolves when all declared so far was answered by the kernel. */
  settled(): Promise<void>;
  /** How many routes found at start nobody has declared yet. */
  staleCount(): number;
  /** Routes found at start with our protocol number that nobody declared are kept until this call, then deleted (restart without black hole). */
  sweepStale(): Promise<number>;
  /**
   * A neighbour is lost, or all on the interface where no gateway is named: routes with `backups` leave it at once, before anything that is queued. Idempotent;
   * holds for routes declared later too, until restoreAdjacency() says that the neighbour is back. Returns how many routes were switched.
   */
  failAdjacency(interfaceName: string, gateway?: string): number;
  /** Takes back what failAdjacency() was told with the same arguments. */
  restoreAdjacency(interfaceName: string, gateway?: string): void;
  /** Longest match in the kernel for an address: how a next hop or SID resolves; undefined when unreachable. */
  lookup(address: string): Promise<{ readonly prefix?: string; readonly isDefault: boolean; readonly interface: string; readonly gateway?: string; readonly mtu: number; readonly local: boolean } | undefined>;
}

/** A 5-tuple. For ICMP echo both ports are the identifier; protocols without ports have 0. */
export interface FlowKey {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface FlowRecord extends FlowKey {
  readonly policy: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly ageMs: number;
  readonly idleMs: number;
}

/**
 * Whose choice a flow is: this router's as entry, which encapsulates; or as border, for packets that come to one of its aggregate SIDs and go on to the SID of
 * an instance inside its edge network (`outward`: the SID that the outside is told) or outside of it (`inward`), rewritten (proto/WIRE.md section 5).
 */
export type FlowSpace = 'entry' | 'outward' | 'inward';
/** By the number that stands in flow keys. */
export const FLOW_SPACES: readonly FlowSpace[] = ['entry', 'outward', 'inward'];

/** What a policy id stands for, kept beside it in the pinned maps so that a restarted daemon can adopt it. One a block of 16 policy ids. */
export interface PolicyBlockOwner {
  readonly service: string;
  readonly exit: string;
  readonly instance: number;
  /** Of the flows on it; absent: `entry`. */
  readonly space?: FlowSpace;
}

/** Policy ids come in blocks of 16 that one instance owns for one service: policy id = block * 16 + (0..15). */
export const POLICIES_PER_BLOCK = 16;

export interface PolicyWrite {
  readonly policy: number;
  /** Segment list in travel order (first hop SID ... last); empty: drop (Destination Unreachable from the daemon's path). For flows of a border one SID. */
  readonly segments: readonly string[];
  /** Path MTU for the outer packet in octets. */
  readonly mtu: number;
}

/** A punted first packet, parsed in place. Valid only during the call. */
export interface PuntedPacket {
  /** The whole packet of the user, IPv6 or IPv4, in a shared arena. */
  readonly arena: Uint8Array;
  readonly offset: number;
  readonly length: number;
  /** 40 octets: source 16, destination 16 (IPv4: mapped), source port 2, destination port 2 (network order), protocol 1, space 1, zero 2. The key of the pinned-flow map. */
  readonly key: Uint8Array;
  /** Option data of the requirement option (proto/WIRE.md section 4; after type and length octets), when the packet has one. */
  readonly requirement: Uint8Array | undefined;
  /** It was deferred and its window is over: the answer must be for good. */
  readonly held?: boolean;
}

/** Answer of the steering for a first packet: a policy id, or why there is none. */
export const NO_SERVICE = -1; // unknown service: Destination Unreachable (code 0)
export const NO_CANDIDATE = -2; // known service, no usable exit: Destination Unreachable (code 3)

/** Not an answer yet: the packet is held until the end of a window, and asked about again after Settle.decide(). */
export const DEFERRED = -3;

export type Steer = (packet: PuntedPacket) => number;

/** Ends the window of packets that wait for each other. */
export interface Settle {
  /** How long from the first deferred packet, ms; Infinity: none waits. */
  windowMs(): number;
  decide(): void;
}

export interface FlowCounters {
  /** First packets the daemon handled, sent, and dropped by reason; BPF counters by name (see dataplane/bpf/cpn.bpf.c). */
  readonly [name: string]: bigint;
}

/** A pinned flow as the kernel has it. */
export interface ScannedFlow {
  /** Layout as in PuntedPacket. */
  readonly key: Uint8Array;
  readonly policy: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  /** CLOCK_MONOTONIC, ns. */
  readonly createdNs: bigint;
  readonly lastSeenNs: bigint;
}

/**
 * Follows the passes over all pinned flows that ageing makes, one after another, a little at a time. A flow that is in the kernel when a pass begins and still
 * when it ends was seen in between, however often it moved from map to map; one that was pinned meanwhile may have been seen or not.
 */
export interface FlowPassListener {
  begun(): void;
  /** `count` flows that are not idle: their keys stand on end, each with its policy. Valid during the call; a flow may be seen twice. */
  seen(keys: Uint8Array, policies: Uint32Array, count: number): void;
  ended(): void;
}

/** The part that owns pinned flows, policies and the punt path. */
export interface FlowTable {
  /** Called for each punted first packet, synchronously; the flow is pinned with the answer and the packet sent. `settle`: of a steering that defers. */
  onPunt(steer: Steer, settle?: Settle): void;
  /** Writes policies; each takes effect at once for all flows of that id, never torn. */
  setPolicies(writes: readonly PolicyWrite[]): void;
  policyStatus(policy: number): (InstallStatus & { readonly segments: readonly string[]; readonly mtu: number }) | undefined;
  setBlockOwner(block: number, owner: PolicyBlockOwner | undefined): void;
  /** Blocks found in the pinned maps at start, with their current policies: what to adopt. */
  adoptedBlocks(): { readonly block: number; readonly owner: PolicyBlockOwner }[];
  /**
   * Reads pinned flows, a batch each time that the next one is asked for: some 100 us of work. Other work may run between batches; a flow that is there all the
   * while comes once. A batch may be empty.
   */
  scanFlows(): Iterable<readonly ScannedFlow[]>;
  onPass(listener: FlowPassListener): void;
  deleteFlows(keys: readonly Uint8Array[]): void;
  /** Flows that went idle were removed from the kernel; keys as in PuntedPacket. */
  onExpired(listener: (keys: readonly Uint8Array[]) => void): void;
  /** A Packet Too Big about an outer packet lowered the MTU of these policies. */
  onPathMtu(listener: (policies: readonly number[], mtu: number) => void): void;
  counters(): FlowCounters;
}

export interface AggregateSid {
  readonly sid: string;
  readonly space: Exclude<FlowSpace, 'entry'>;
}

export interface DataplaneOptions {
  /** Outer source address: the router's SRv6 loopback. */
  readonly sourceAddress: string;
  /** All prefixes that SIDs of the domain come from (edge filter). */
  readonly sidBlocks: readonly string[];
  /** Outer sources that may use our SIDs. */
  readonly domainSources: readonly string[];
  /** IPv6 and IPv4; where there is one of IPv4, IPv4 is forwarded. */
  readonly servicePrefixes: readonly string[];
  readonly interfaces: Readonly<Record<string, InterfaceRole>>; // by name; unnamed interfaces are core
  /** Aggregate SIDs of this router: packets to them are rewritten to where their flow is pinned; each of a space of its own. None by default. */
  readonly aggregateSids?: readonly AggregateSid[];
  /** H.Encaps.Red (RFC 8986 section 5.2) instead of H.Encaps. */
  readonly reduced: boolean;
  /** Hop-by-hop/destination option type of requirements (default 0x1e). */
  readonly requirementOption: number;
  readonly flowIdleMs: number;
  readonly maxFlows: number;
  readonly maxNewFlows: number;
  /** Token buckets ahead of the punt queue, packets per second and burst: an interface, and a source (IPv6 /64, IPv4 /32). 0: none. */
  readonly puntLimits: { readonly interfaceRate: number; readonly interfaceBurst: number; readonly sourceRate: number; readonly sourceBurst: number };
}

export interface DataplaneCapabilities {
  readonly seg6: boolean;
  readonly seg6local: boolean;
  readonly bpf: boolean;
  readonly vrf: boolean;
  /** Routes with backups are switched together. */
  readonly nextHopObjects: boolean;
  /** One line each: what this kernel lacks and what follows. */
  readonly notes: readonly string[];
}

export interface Dataplane {
  readonly routes: RouteTable;
  readonly flows: FlowTable;
  capabilities(): DataplaneCapabilities;
  /** Programs what stands in the options and adopts what an earlier run left. Throws with a clear message when it cannot run at all. */
  open(options: DataplaneOptions): Promise<void>;
  /** Applies changed options without touching pinned flows. */
  reconfigure(options: DataplaneOptions): Promise<void>;
  links(): readonly LinkState[];
  onLinks(listener: (links: readonly LinkState[]) => void): void;
  /** Counters of all interfaces. Rejects with NetlinkError. */
  interfaceCounters(): Promise<readonly InterfaceCounters[]>;
  /** Adds an address to an interface (loopback addresses of the router); idempotent. */
  setAddresses(interfaceName: string, addresses: readonly string[]): Promise<void>;
  /** Closes descriptors; everything in the kernel keeps forwarding. */
  close(): Promise<void>;
  /** Takes away all that is ours: routes, programs, maps, TUN, addresses we added. */
  remove(): Promise<void>;
}
