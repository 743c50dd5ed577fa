/**
 * The effective configuration: what `config/load.ts` returns after checking, with every default filled in. All addresses and prefixes
 * are canonical text; all durations are ms; all rates are what their names say. A running daemon holds one of these and replaces it whole.
 */
import type { ModelConfig } from './model.js';
import type { InterfaceRole } from '../../dataplane/dataplane.js';
import type { PrefixRange } from '../bgp/policy/prefix-list.js';
import type { BfdConfig } from '../bfd/types.js';
import type { FamilyName } from '../bgp/wire/families.js';
import type { OspfConfig } from '../ospf/types.js';
import type { ForecastConfig } from '../steering/load/forecast.js';
import type { StrategyConfig } from '../steering/strategies/strategy.js';
import type { PolicyConfig } from './schema/bgp-policy.js';
import type { RegistrationConfig } from './registration.js';

export interface Config {
  readonly router: RouterConfig;
  /** By interface name; an interface not named here is `core`. */
  readonly interfaces: Readonly<Record<string, InterfaceConfig>>;
  readonly static: readonly StaticRouteConfig[];
  readonly bfd: BfdConfig;
  readonly bgp: BgpConfig | undefined;
  readonly ospf: OspfConfig | undefined;
  readonly cpn: CpnConfig;
  /** This router is a border of an edge network; undefined: it is none. */
  readonly hierarchy: HierarchyConfig | undefined;
  /** Computing nodes that register themselves; undefined: none. */
  readonly registration: RegistrationConfig | undefined;
  readonly dataplane: DataplaneConfig;
  readonly telemetry: TelemetryConfig;
  readonly api: { readonly listen: string }; // unix:///run/cpn/cpnd.sock
  readonly log: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' };
}

export interface RouterConfig {
  readonly name: string;
  /** BGP identifier, dotted quad. */
  readonly id: string;
  /** SRv6 loopback address: exit router ID, outer source, BGP local address, STAMP address. Put on `lo`. */
  readonly loopback: string;
  /** Locator prefix of this router, e.g. fcbb:bb00:1::/48. */
  readonly locator: string;
  /** SID structure in bits: locator block, locator node, function, argument; block + node = locator length. */
  readonly sidStructure: { readonly block: number; readonly node: number; readonly function: number; readonly argument: number };
  /** Prefixes all SIDs of the domain come from. */
  readonly sidBlocks: readonly string[];
  /** Outer sources that may use SIDs (loopbacks of the domain). */
  readonly domainSources: readonly string[];
}

export interface InterfaceConfig {
  readonly role: InterfaceRole;
  /** Addresses "address/length" that cpnd puts on the interface (it may also be left to the system). */
  readonly addresses: readonly string[];
  /** Global next hop for an End.X SID of this adjacency. */
  readonly endX: string | undefined;
  /** What the link carries, bit/s; what the driver states where absent. */
  readonly bandwidth: bigint | undefined;
}

export interface StaticRouteConfig {
  readonly prefix: string;
  /** Next hops; empty with `unreachable`. */
  readonly nextHops: readonly { readonly via: string | undefined; readonly interface: string | undefined; readonly weight: number }[];
  readonly unreachable: boolean;
  readonly distance: number;
}

export interface BgpConfig {
  readonly as: number;
  readonly listen: { readonly addresses: readonly string[]; readonly port: number };
  /** Unicast prefixes that are announced when they are in the unicast RIB (locator and loopback by default). */
  readonly networks: readonly string[];
  /** VPN families (RFC 4364, RFC 4659); without it neither services nor networks are announced in them, and nothing is imported. */
  readonly vpn?: BgpVpnConfig | undefined;
  readonly neighbors: readonly BgpNeighborConfig[];
  /** CLUSTER_ID of this route reflector, dotted (RFC 4456 section 7); the BGP identifier when undefined. */
  readonly clusterId?: string | undefined;
  readonly dynamic?: readonly DynamicNeighborsConfig[];
  /** What rules of policies name. */
  readonly prefixLists?: Readonly<Record<string, readonly PrefixRange[]>>;
  readonly asPathLists?: Readonly<Record<string, readonly string[]>>;
  readonly policies?: Readonly<Record<string, PolicyConfig>>;
}

/** Neighbors that nobody configured one by one: whoever connects from the range becomes one, until its session ends. */
export interface DynamicNeighborsConfig {
  readonly prefix: string;
  /** At most so many at once. */
  readonly limit: number;
  /** One for each AS that may connect; address and local address are those of the connection. */
  readonly templates: readonly BgpNeighborConfig[];
}

/** What to do about a neighbor that sends more routes than it should (RFC 4271 section 6.7, RFC 4486 section 4). */
export interface PrefixLimitConfig {
  /** Routes of one family, rejected ones too. */
  readonly limit: number;
  /** A warning from this share of the limit on. */
  readonly warnPercent: number;
  readonly action: 'warn' | 'restart' | 'shutdown';
  /** With `restart`. */
  readonly restartAfterMs: number;
}

/** Which routes pass: `any`, `none`, those inside prefixes, or those that policies accept, in this order. */
export type RouteFilterConfig = readonly string[] | 'any' | 'none' | { readonly policy: readonly string[] };

export interface BgpVpnConfig {
  /** Route distinguisher of this exit, canonical text. */
  readonly rd: string;
  /** Route targets, canonical text: what our routes carry, and of which one is enough for a route to be imported. */
  readonly exportTargets: readonly string[];
  readonly importTargets: readonly string[];
  /** The function of our SIDs travels in the label field of the NLRI (RFC 9252 section 4). */
  readonly transposition: boolean;
  /** IPv6 prefixes that are announced in the VPN with our End.DT6 SID while they are in the unicast RIB. */
  readonly networks: readonly string[];
}

export interface BgpNeighborConfig {
  readonly address: string;
  readonly port: number;
  readonly as: number;
  /** Local address of the session; by default ours on the link of a neighbor in another AS that is reached in one hop, else the loopback. */
  readonly localAddress: string;
  readonly description: string;
  readonly passive: boolean;
  readonly holdTimeMs: number; // 0 or >= 3000
  readonly connectRetryMs: number;
  /** The least time between two advertisements, withdrawals too (RFC 4271 section 9.2.1.1); 0: none. */
  readonly advertisementIntervalMs?: number;
  /** How long OPEN waits for the peer's (RFC 4271 section 8.1.1, DelayOpen); 0 sends it at once. */
  readonly delayOpenMs?: number;
  /** BGP role of this side (RFC 9234), eBGP only. */
  readonly role?: 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer' | undefined;
  /** The neighbor must say its role too (RFC 9234 section 4.2). */
  readonly strictRole?: boolean;
  /** eBGP multihop: hop limit of our packets, 1 for directly connected eBGP, 255 else and with GTSM. */
  readonly ttl: number;
  /** GTSM (RFC 5082 section 3): packets that arrive with a lower hop limit are dropped; undefined takes all. */
  readonly minimumTtl: number | undefined;
  /** Key of the TCP MD5 signature (RFC 2385). Secret: for the kernel only, in no message, view or difference. */
  readonly password: string | undefined;
  /** BFD watches the neighbor (RFC 5882 section 10); undefined: it does not. */
  readonly bfd?: BgpBfdConfig | undefined;
  /** May carry service routes (proto/WIRE.md section 2). */
  readonly cpn: boolean;
  /** Service prefixes this eBGP peer may announce (iBGP: all). */
  readonly cpnAccept: readonly string[];
  readonly addPath: { readonly receive: boolean; readonly send: boolean };
  readonly nextHopSelf: boolean;
  /** Families to exchange routes of; by default IPv6 unicast, and IPv4 unicast where a service prefix is IPv4. */
  readonly families?: readonly FamilyName[] | undefined;
  /** In the SR domain: networks are announced with our End.DT6 SID, and routes with a SID are reached through it (RFC 9252 section 5). */
  readonly srv6?: boolean | undefined;
  /** The group it took its values from. */
  readonly group?: string | undefined;
  readonly routeReflectorClient?: boolean;
  /** How often the own AS may stand in an AS_PATH from this neighbor. */
  readonly allowAsIn?: number;
  /** Also send routes that went through the neighbor's AS already. */
  readonly advertisePeerAs?: boolean;
  readonly removePrivateAs?: 'keep' | 'remove' | 'replace';
  /** By family, such as `ipv6-unicast`. */
  readonly maxPrefix?: Readonly<Record<string, PrefixLimitConfig>> | undefined;
  /** RFC 8212: eBGP without policy neither imports nor exports. */
  readonly import: RouteFilterConfig;
  readonly export: RouteFilterConfig;
}

export interface BgpBfdConfig {
  /** Name of a profile. */
  readonly profile: string;
  /** No session without BFD. */
  readonly strict: boolean;
  /** RFC 5883; otherwise the neighbor is on a link of ours (RFC 5881). */
  readonly multihop: boolean;
}

/** When a service is announced anew (awareness/announcement-control.ts). */
export interface AnnouncePolicy {
  /** Relative change from which on a service is announced before its maximum interval, 0..1. */
  readonly threshold: number;
  readonly minIntervalMs: number;
  /** After so long smaller changes are announced too; 0: they wait for a large one. */
  readonly maxIntervalMs: number;
  /** How long receivers may use an announcement; 0: as long as the session lives. */
  readonly validityMs: number;
}

/** A token bucket over all services of this router; urgent announcements (up, down, draining) never wait for it. */
export interface AnnounceBudget {
  /** Services a second; 0: no limit. */
  readonly rate: number;
  readonly burst: number;
}

/** What holds for all services, and for those that differ. */
export interface AnnounceConfig extends AnnouncePolicy {
  readonly budget: AnnounceBudget;
  /** By service ID. */
  readonly services: Readonly<Record<string, AnnouncePolicy>>;
}

/** When and of which services a border announces an aggregate. */
export interface AggregationConfig extends AnnouncePolicy {
  /** Prefixes. */
  readonly services: readonly string[];
}

export interface HierarchyConfig {
  /** Prefixes of loopbacks of routers inside the edge network, beside those that OSPFv3 announcements tell of. */
  readonly inside: readonly string[];
  /** What is inside, told the outside by BGP. */
  readonly outward: AggregationConfig | undefined;
  /** What is outside, told the inside by OSPFv3. */
  readonly inward: AggregationConfig | undefined;
}

export interface CpnConfig {
  readonly servicePrefixes: readonly string[];
  /** BGP attribute type (default 255, never 254). */
  readonly attributeType: number;
  /** IPv6 option type (default 0x1e). */
  readonly requirementOption: number;
  /** Entry side: default requirements and selection weights, by service address; `default` for the rest. */
  readonly services: readonly ServiceConfig[];
  /** Exit side: local instances. */
  readonly instances: readonly InstanceConfig[];
  readonly stamp: StampConfig;
  readonly announce: AnnounceConfig;
  readonly model: ModelConfig;
  /** How the load of candidates is foretold. */
  readonly prediction: ForecastConfig;
  /** How long flows and candidates of an earlier run are kept after a restart while sessions come up. */
  readonly restartTimeMs: number;
}

export interface RequirementDefaults {
  readonly maxLatencyUs: number | undefined;
  readonly computing: { readonly class: 'logical' | 'parallel' | 'neural'; readonly minOps: bigint } | undefined;
  readonly stickiness: { readonly mode: 'none' | 'flow' | 'client'; readonly seconds: number } | undefined;
  readonly storage: { readonly ability: 'block' | 'file' | 'object'; readonly minOctets: bigint } | undefined;
  readonly network: { readonly minBandwidth: bigint; readonly maxPdvUs: number; readonly maxLossPpm: number } | undefined;
  readonly algorithm: number | undefined;
  /** Weights 0..255 of what to minimise; latency alone when absent. */
  readonly objective: { readonly latency: number; readonly energy: number; readonly utilisation: number; readonly price: number } | undefined;
}

export interface ServiceConfig {
  /** Service address, or `default` for all services without an entry of their own. */
  readonly id: string;
  readonly requirements: RequirementDefaults;
  /** Ways to an exit, by exit router ID, in order of preference: the first that is alive is taken. */
  readonly via: Readonly<Record<string, readonly TransitPath[]>>;
  /** How the exit of a first packet is chosen among the feasible ones. */
  readonly strategy: StrategyConfig;
}

export interface TransitPath {
  /** Transit SIDs to put before the instance SID: policies with segment lists of up to three SIDs; empty: the plain way. */
  readonly segments: readonly string[];
  /** SIDs that replies of probes take on their way back; by default the transit SIDs in reverse. */
  readonly back: readonly string[];
}

export interface InstanceConfig {
  readonly service: string;
  readonly id: number; // instanceId, 1..2^32-1
  /** Computing node: where End.DX6 (End.DX4 of an IPv4 service) delivers to. */
  readonly node: { readonly address: string; readonly interface: string };
  /** Inside the locator; when the file has none, the function is made from the instance id. */
  readonly sid: string;
  readonly computing: readonly { readonly class: 'logical' | 'parallel' | 'neural'; readonly chip: 'mixed' | 'cpu' | 'gpu' | 'dpu' | 'npu' | 'tpu' | 'fpga'; readonly total: bigint; readonly residual: bigint }[];
  /** Requests per second one after another; 0 unknown. */
  readonly serviceRate: number;
  /** Mean and p99 time a request takes without queueing, us; 0 unknown. */
  readonly serviceDelay: { readonly meanUs: number; readonly p99Us: number };
  readonly queueCapacity: number;
  readonly healthCheck: HealthCheckConfig | undefined;
}

export interface HealthCheckConfig {
  readonly kind: 'tcp' | 'icmp' | 'http' | 'grpc';
  readonly address: string;
  readonly port: number;
  readonly http: {
    readonly path: string;
    /** Host header; the address without one. */
    readonly host: string | undefined;
    /** Status codes that are good; empty: 200 to 299. */
    readonly status: readonly number[];
    /** Text that the first 64 KiB of the body must hold. */
    readonly body: string | undefined;
  };
  /** Service that a gRPC server is asked about; empty: the whole server (grpc.health.v1). */
  readonly grpcService: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Consecutive failures to go down, successes to come up. */
  readonly fall: number;
  readonly rise: number;
  /** How long checks must be good before an instance that was down is up again. */
  readonly holdDownMs: number;
  readonly damping: FlapDampingConfig | undefined;
}

/** Flap damping in the words of RFC 2439 section 4.2; a fall costs a penalty of 1000. */
export interface FlapDampingConfig {
  readonly halfLifeMs: number;
  /** Penalty above which an instance is suppressed, and below which it is used again. */
  readonly suppress: number;
  readonly reuse: number;
  /** Longest suppression after the last fall. */
  readonly maxSuppressMs: number;
}

export interface StampConfig {
  readonly enabled: boolean;
  readonly port: number; // 862
  /** `fast`: a fault is noticed within 200 ms instead of a second; for ways with round trips of some 10 ms. */
  readonly profile: 'default' | 'fast';
  readonly intervalMs: number; // 100, fast 20
  /** Consecutive lost replies that exclude an exit. */
  readonly lost: number; // 3, fast 4
  /** Margin beyond one interval before a reply is missed, at least, ms. */
  readonly leastBoundMs: number; // 50, fast 30
  /** How long an excluded exit must answer before it is used again, ms. */
  readonly holdDownMs: number; // 1000
  /** The system clock is synchronised to UTC (PTP, NTP): one-way delays between routers that say so. */
  readonly synchronised: boolean;
  readonly links: { readonly enabled: boolean; readonly intervalMs: number };
}

export interface DataplaneConfig {
  readonly kind: 'kernel' | 'fake';
  readonly reduced: boolean;
  readonly flowIdleMs: number;
  readonly maxFlows: number;
  readonly maxNewFlows: number;
  readonly puntLimits: { readonly interfaceRate: number; readonly interfaceBurst: number; readonly sourceRate: number; readonly sourceBurst: number };
}

export type BmpTableName = 'adj-rib-in-pre' | 'adj-rib-in-post' | 'adj-rib-out-post' | 'loc-rib';

export interface BmpStationConfig {
  readonly address: string;
  readonly port: number;
  readonly tables: readonly BmpTableName[];
  readonly mirrorFaulty: boolean;
  /** 0: none. */
  readonly statisticsMs: number;
  readonly retryMs: number;
}

export interface MrtConfig {
  readonly directory: string;
  readonly updates: { readonly rotateMs: number; readonly maxOctets: number } | undefined;
  readonly table: { readonly intervalMs: number } | undefined;
}

export interface TelemetryConfig {
  readonly bmp: readonly BmpStationConfig[];
  readonly mrt: MrtConfig | undefined;
  readonly metrics: MetricsConfig | undefined;
}

export interface MetricsConfig {
  readonly address: string;
  readonly port: number;
  readonly perNeighbor: boolean;
}
