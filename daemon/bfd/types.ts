/** What clients of BFD (routing protocols) and its views see: profiles, registration, sessions. */
import type { AuthenticationKey } from './wire/authentication.js';
import type { BfdState } from './wire/packet.js';

export interface BfdProfile {
  readonly name: string;
  /** How often packets are sent and wanted while the session is up, ms: Desired Min TX and Required Min RX Interval. */
  readonly intervalMs: number;
  /** Detect Mult, 1..255. */
  readonly multiplier: number;
  /** The neighbor begins (RFC 5880 section 6.1). */
  readonly passive: boolean;
  readonly authentication: AuthenticationKey | undefined;
}

export interface BfdConfig {
  /** By name; `default` and `fast` are always there. */
  readonly profiles: Readonly<Record<string, BfdProfile>>;
  /** Sessions at most. */
  readonly maxSessions: number;
}

/** Whom a client wants to hear of. */
export interface BfdRequest {
  /** Who asks, for views: `bgp`, `ospf`. */
  readonly client: string;
  /** Canonical address; a link-local one needs the interface. */
  readonly peer: string;
  readonly interface?: string | undefined;
  /** Source of our packets; by default the kernel's choice. Needed for multihop. */
  readonly localAddress?: string | undefined;
  /** RFC 5883, port 4784; otherwise one hop, port 3784 (RFC 5881). */
  readonly multihop: boolean;
  /** Name of a profile; of several clients of one session the fastest one's counts. */
  readonly profile: string;
}

/**
 * What a client hears: `up`; `down`, the peer cannot be reached any more; `adminDown`, somebody switched BFD off, which says nothing of the
 * peer (RFC 5880 section 6.2, RFC 5882 section 3.2).
 */
export type BfdVerdict = 'up' | 'down' | 'adminDown';

export interface BfdChange {
  readonly diagnostic: number;
  /** Unix time, ms. */
  readonly at: number;
  /** The peer's C bit: its BFD outlives a restart of its control plane, so that `down` is no sign of one (RFC 5882 section 4.3). */
  readonly controlPlaneIndependent: boolean;
}

export type BfdListener = (verdict: BfdVerdict, change: BfdChange) => void;

export interface BfdHandle {
  /** The client is not interested any more; the session ends with its last client. Safe to call twice. */
  unregister(): void;
}

/** The seam for clients. */
export interface BfdRegistrar {
  /** The listener hears the verdict on a session that others had before, too; never before this returns. A name of no profile is `default`. */
  register(request: BfdRequest, listener: BfdListener): BfdHandle;
}

export interface BfdCounters {
  readonly sent: number;
  readonly received: number;
  /** Packets the kernel did not take. */
  readonly sendFailed: number;
  readonly authenticationFailed: number;
  /** Packets with another hop limit than 255, or from another interface. */
  readonly refused: number;
}

export interface BfdTransition {
  /** Unix time, ms. */
  readonly at: number;
  readonly state: BfdState;
  readonly diagnostic: string;
}

export interface BfdSessionView {
  readonly peer: string;
  readonly interface: string | undefined;
  /** Our address; undefined until it is known. */
  readonly local: string | undefined;
  readonly multihop: boolean;
  readonly state: BfdState;
  readonly stateMs: number;
  readonly remoteState: BfdState;
  readonly diagnostic: string;
  readonly remoteDiagnostic: string;
  readonly discriminator: number;
  /** 0: not known. */
  readonly remoteDiscriminator: number;
  readonly profile: string;
  readonly clients: readonly string[];
  readonly multiplier: number;
  readonly remoteMultiplier: number;
  /** How often we send, before jitter, and how often the peer does at most, ms; 0: not at all. */
  readonly transmitIntervalMs: number;
  readonly receiveIntervalMs: number;
  readonly detectionTimeMs: number;
  readonly remoteMinTxMs: number;
  readonly remoteMinRxMs: number;
  readonly demand: boolean;
  readonly controlPlaneIndependent: boolean;
  readonly passive: boolean;
  /** Type of the authentication; undefined without. */
  readonly authentication: string | undefined;
  /** How often the session was up and went down. */
  readonly flaps: number;
  /** How long it has been up; undefined while it is not. */
  readonly uptimeMs: number | undefined;
  readonly counters: BfdCounters;
  /** The last changes of state, oldest first. */
  readonly history: readonly BfdTransition[];
  /** Why nothing can be sent; undefined while all is well. */
  readonly error: string | undefined;
}

/** Packets that belong to no session, by why. */
export type BfdDiscards = Readonly<Record<string, number>>;

export interface BfdView {
  readonly sessions: readonly BfdSessionView[];
  readonly discards: BfdDiscards;
}
