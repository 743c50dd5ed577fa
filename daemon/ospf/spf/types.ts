/**
 * What the route calculation takes and gives. It is pure: LSAs in, routes with next hops and backups out; router IDs and interface IDs are
 * unsigned 32-bit numbers, costs those of RFC 5340, delays whole microseconds, addresses canonical text.
 */
import type { SpfTimers } from '../types.js';
import type { Lsa, LsaKey } from '../wire/types.js';

/** One change of the link state database. `after` undefined or at MaxAge: the LSA is gone. */
export interface LsaChange {
  readonly key: LsaKey;
  readonly before: Lsa | undefined;
  readonly after: Lsa | undefined;
}

/** An interface of this router that runs OSPF, with the neighbours heard on it. */
export interface SpfInterface {
  readonly name: string;
  readonly interfaceId: number;
  readonly neighbors: readonly { readonly routerId: number; readonly interfaceId: number; readonly address: string }[];
}

export interface SpfNextHop {
  readonly interface: string;
  readonly interfaceId: number;
  /** Undefined: the destination is on the link itself. */
  readonly neighbor: number | undefined;
  /** Link-local address of the neighbour; undefined: on the link. */
  readonly gateway: string | undefined;
}

/** What takes over at once when the primary next hops are lost, all on one interface. */
export interface SpfBackup {
  /** The interface whose loss, or the loss of the neighbour on it, this survives. */
  readonly protects: readonly string[];
  /** Towards the first segment where there are segments: that is where the route of the first SID leads after the failure. */
  readonly nextHop: { readonly interface: string; readonly gateway: string };
  /** H.Encaps towards these SIDs, in travel order, the last one decapsulates; empty: plain forwarding. */
  readonly segments: readonly string[];
  /** It avoids the neighbour too. */
  readonly nodeProtecting: boolean;
}

export type SpfRouteType = 'intra' | 'inter' | 'external1' | 'external2';

export interface SpfRoute {
  readonly prefix: string;
  readonly type: SpfRouteType;
  /** Cost to the prefix; of external type 2 to the border router or forwarding address. */
  readonly cost: number;
  /** External type 2 metric. */
  readonly type2Metric: number | undefined;
  readonly tag: number | undefined;
  readonly nextHops: readonly SpfNextHop[];
  /** Where the next hops lie on several interfaces the others are the backup, and this is empty. */
  readonly backups: readonly SpfBackup[];
}

export interface RouteDelta {
  readonly added: readonly SpfRoute[];
  readonly changed: readonly SpfRoute[];
  /** Prefixes. */
  readonly removed: readonly string[];
}

export interface ReachabilityChange {
  readonly routerId: number;
  readonly reachable: boolean;
}

/** A delay along a path; `estimated`: some link of it announces none and counted with the default. */
export interface PathDelay {
  readonly us: number;
  readonly estimated: boolean;
}

/** How a router of the area is reached by cost and by delay. */
export interface RouterPath {
  readonly routerId: number;
  readonly cost: number;
  /** Delay along the path of least cost; of several the slowest. */
  readonly costPathDelay: PathDelay;
  /** The path of least delay, or the pinned one that is as good: routers from this one (excluded) to the destination; none: not known. */
  readonly delayPath: PathDelay & { readonly routers: readonly number[] };
  /**
   * Transit SIDs that pin the delay path when a SID of the destination follows them. Empty: traffic is left to the path of least cost, since the delay path is
   * the same or not better by more than the threshold, or cannot be pinned.
   */
  readonly segments: readonly string[];
  /** The delay path is better, but no list of SIDs that is short enough pins it. */
  readonly unpinnable: boolean;
}

/** The SIDs a router announces (RFC 9513), of algorithm 0. */
export interface RouterSids {
  readonly routerId: number;
  readonly locators: readonly { readonly prefix: string; readonly algorithm: number; readonly metric: number }[];
  readonly end: readonly { readonly sid: string; readonly behaviour: number }[];
  readonly endX: readonly { readonly sid: string; readonly behaviour: number; readonly interfaceId: number; readonly neighbor: number }[];
}

export interface DelayOptions {
  /** Delay of a link that announces none, us. */
  readonly missingUs: number;
  /** A link's delay counts as changed when it moves by more than this, us and share of it. */
  readonly deadBandUs: number;
  readonly deadBandRatio: number;
  /** Another path than that of least cost is worth its segments when it is faster by more than this, us and share. */
  readonly gainUs: number;
  readonly gainRatio: number;
  /** Transit SIDs at most. */
  readonly maxSegments: number;
}

export interface SpfOptions {
  readonly maxPaths: number;
  readonly fastReroute: 'none' | 'lfa' | 'ti-lfa';
  /** SIDs of a repair list at most. */
  readonly maxRepairSegments: number;
  readonly delay: DelayOptions;
  readonly timers: SpfTimers;
}

export interface SpfStatistics {
  /** Runs: of the whole tree, of the part of it that changed, of prefixes alone (RFC 5340 section 4.8.5: no tree at all). */
  readonly full: number;
  readonly incremental: number;
  readonly partial: number;
  /** Protection runs that were finished, and routes with and without a backup among those that can have one, as of the last. */
  readonly protection: { readonly runs: number; readonly protectedRoutes: number; readonly unprotectedRoutes: number; readonly durationMs: number };
  readonly last: { readonly kind: 'full' | 'incremental' | 'partial'; readonly reason: string; readonly durationMs: number; readonly at: number } | undefined;
  readonly backoff: 'QUIET' | 'SHORT_WAIT' | 'LONG_WAIT';
  readonly routers: number;
  readonly reachableRouters: number;
  readonly networks: number;
  readonly routes: number;
}
