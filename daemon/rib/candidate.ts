/** A computing RIB entry: one instance of a service behind one exit, with computing and path state. */
import type { Instance } from '../computing/types.js';

export type CandidateSource = 'local' | 'bgp' | 'ospf' | 'controller';

/** What one protocol source says of a (service, exit): all Instances of one announcement. */
export interface Advertisement {
  readonly service: string; // canonical address
  readonly exit: string; // exit router ID
  readonly source: CandidateSource;
  /** Peer address (bgp), advertising router (ospf), empty for local. */
  readonly peer: string;
  /** Tells routes of one peer apart (ADD-PATH path id); with source, peer, rd and service the key of this advertisement. */
  readonly pathId: number;
  /** Route distinguisher of a BGP route of a VPN family, which tells the routes of one peer apart too; absent for others. */
  readonly rd?: string | undefined;
  readonly sequence: bigint;
  readonly originatedAt: bigint;
  readonly validityMs: number; // 0: no expiry
  readonly instances: readonly Instance[];
  /** Kept from an earlier session or run (graceful restart). */
  readonly stale: boolean;
}

/** State of the way to an exit, measured or resolved. */
export interface PathState {
  /** Round trip of STAMP probes to the exit's loopback, us (path delay = half of it); undefined until measured. */
  readonly rttUs: number | undefined;
  readonly jitterUs: number;
  readonly lossPpm: number;
  /** False once probes say the exit is gone. */
  readonly alive: boolean;
  /** IGP/BGP metric of the route to the exit. */
  readonly cost: number;
  /** MTU of the way, octets. */
  readonly mtu: number;
  /** The first SID resolves by a route that is not the default route. */
  readonly resolved: boolean;
}

export interface Candidate {
  readonly service: string;
  readonly exit: string;
  readonly instance: Instance;
  readonly source: CandidateSource;
  readonly peer: string;
  readonly sequence: bigint;
  readonly originatedAt: bigint;
  /** When it was received, ms of the injected clock. */
  readonly receivedAt: number;
  readonly validityMs: number;
  readonly stale: boolean;
}
