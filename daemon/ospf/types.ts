/** What the parts of OSPFv3 share: the effective configuration of an instance, and what its views show. */
import type { LsaBody, LsaHeader } from './wire/types.js';

export type OspfNetworkType = 'point-to-point' | 'broadcast';

export type AuthenticationAlgorithm = 'hmac-sha-1' | 'hmac-sha-256' | 'hmac-sha-384' | 'hmac-sha-512';

/** Authentication trailer (RFC 7166). Secret: in no message, view or difference. */
export interface OspfAuthentication {
  /** Security Association ID, 0..65535. */
  readonly keyId: number;
  readonly algorithm: AuthenticationAlgorithm;
  readonly password: string;
  /** Cryptographic Protocol ID; absent: 1. FRR before 9.1 on little-endian machines has 256. */
  readonly protocolId?: number;
}

export interface OspfInterfaceConfig {
  readonly name: string;
  readonly network: OspfNetworkType;
  /** Output cost, 1..65535. */
  readonly cost: number;
  /** Router priority, 0..255; 0: never DR. */
  readonly priority: number;
  readonly helloIntervalMs: number; // whole seconds on the wire
  readonly deadIntervalMs: number;
  readonly retransmitIntervalMs: number;
  /** InfTransDelay, s. */
  readonly transmitDelay: number;
  readonly instanceId: number;
  readonly mtuIgnore: boolean;
  /** Its prefixes are announced; no packets are sent or taken. */
  readonly passive: boolean;
  /** BFD profile that watches the neighbours; undefined: none. */
  readonly bfd: string | undefined;
  /** Keys: the first is sent with, all are accepted, so that keys roll over. Empty: no authentication. */
  readonly authentication: readonly OspfAuthentication[];
}

/** Delays of RFC 8405, ms. */
export interface SpfTimers {
  readonly initialDelayMs: number; // 50
  readonly shortDelayMs: number; // 200
  readonly longDelayMs: number; // 5000
  readonly timeToLearnMs: number; // 500
  readonly holdDownMs: number; // 10000
}

export interface RedistributeConfig {
  readonly source: 'connected' | 'static' | 'bgp';
  readonly metric: number;
  readonly type: 1 | 2;
  readonly tag: number | undefined;
  /** Only prefixes inside these; empty: all. */
  readonly prefixes: readonly string[];
}

export interface OspfConfig {
  /** Dotted quad. */
  readonly routerId: string;
  /** Dotted quad; 0.0.0.0 is the backbone, anything else makes this an internal router of that area. */
  readonly area: string;
  readonly interfaces: readonly OspfInterfaceConfig[];
  readonly redistribute: readonly RedistributeConfig[];
  readonly spf: SpfTimers;
  /** LSDB overload protection: LSAs of others beyond which no adjacency brings more; 0: no limit. */
  readonly maxLsas: number;
  /** Equal-cost next hops a route, 1..64. */
  readonly maxPaths: number;
  readonly fastReroute: 'none' | 'lfa' | 'ti-lfa';
  /** Help neighbours that restart (RFC 5187). */
  readonly gracefulRestartHelper: { readonly enabled: boolean; readonly maxGraceSeconds: number; readonly strictLsaChecking: boolean };
  /** Announce and use measured delay, jitter, loss and bandwidth (RFC 7471). */
  readonly trafficEngineering: { readonly enabled: boolean; readonly minIntervalMs: number; readonly maxIntervalMs: number; readonly threshold: number };
  /** Paths of least measured delay beside those of least cost; `gain`: least share by which they must be faster, 0..1. */
  readonly delayPaths: { readonly enabled: boolean; readonly gain: number };
  /** Own instances are announced in CPN LSAs, and those of others taken. */
  readonly computing: boolean;
  /** LS type of computing LSAs (proto/WIRE.md section 3). */
  readonly cpnLsType: number;
}

export type InterfaceState = 'Down' | 'Loopback' | 'Waiting' | 'Point-to-point' | 'DROther' | 'Backup' | 'DR';
export type NeighborState = 'Down' | 'Init' | '2-Way' | 'ExStart' | 'Exchange' | 'Loading' | 'Full';

export interface OspfInterfaceView {
  readonly name: string;
  readonly interfaceId: number;
  readonly network: OspfNetworkType;
  readonly state: InterfaceState;
  readonly cost: number;
  readonly priority: number;
  readonly area: string;
  readonly instanceId: number;
  readonly linkLocal: string | undefined;
  readonly mtu: number;
  readonly helloIntervalMs: number;
  readonly deadIntervalMs: number;
  readonly designated: string; // router ID, 0.0.0.0: none
  readonly backup: string;
  readonly passive: boolean;
  readonly authenticated: boolean;
  readonly neighbors: number;
  readonly adjacencies: number;
  /** Packets dropped by reason, and packets sent and received by kind. */
  readonly counters: Readonly<Record<string, number>>;
}

export interface OspfNeighborView {
  readonly routerId: string;
  readonly interface: string;
  readonly address: string; // link-local
  readonly interfaceId: number;
  readonly priority: number;
  readonly state: NeighborState;
  readonly designated: string;
  readonly backup: string;
  readonly options: number;
  /** ms until it is declared dead; Infinity never. */
  readonly deadInMs: number;
  readonly uptimeMs: number;
  readonly retransmissions: number;
  readonly requests: number;
  readonly databaseSummaries: number;
  readonly restarting: boolean; // helped (RFC 5187)
  readonly stateChanges: number;
}

export interface OspfLsaView {
  readonly header: LsaHeader; // age as of now
  readonly scope: 'link' | 'area' | 'as';
  /** Link scope: the interface. */
  readonly interface: string | undefined;
  readonly self: boolean;
  readonly body: LsaBody;
  readonly raw: Uint8Array;
}
