/** What the protocol engine tells of itself: for logs, and for those who act on neighbours. */
import type { InterfaceState, NeighborState } from './types.js';

export type OspfEvent =
  | { readonly kind: 'interface-state'; readonly interface: string; readonly from: InterfaceState; readonly to: InterfaceState }
  | {
      readonly kind: 'neighbor-state';
      readonly interface: string;
      readonly routerId: string;
      readonly address: string;
      readonly from: NeighborState;
      readonly to: NeighborState;
      readonly reason: string;
      /** It restarts and is helped: its adjacency stands, whatever its state. */
      readonly restarting: boolean;
    }
  /** At most one a second an interface; the counters have them all. */
  | { readonly kind: 'packet-dropped'; readonly interface: string; readonly source: string; readonly counter: string; readonly reason: string }
  /** At most one a second an interface too. */
  | { readonly kind: 'transport-failed'; readonly interface: string; readonly reason: string }
  | { readonly kind: 'graceful-restart'; readonly interface: string; readonly routerId: string; readonly helping: boolean; readonly reason: string }
  /** More LSAs of others than `maximum`: no adjacencies for `coolOffMs`, and LSAs of others are forgotten. */
  | { readonly kind: 'lsdb-overload'; readonly lsas: number; readonly maximum: number; readonly coolOffMs: number }
  | { readonly kind: 'lsdb-overload-over' }
  /** An LSA of ours came back newer than we made it: one of our earlier life, or of a router with our router ID. */
  | { readonly kind: 'own-lsa-received'; readonly type: number; readonly id: number; readonly action: 'superseded' | 'flushed' }
  /** This router has its neighbours back, or goes on without them: it makes its own LSAs from here on. */
  | { readonly kind: 'restart-over'; readonly reason: string }
  | { readonly kind: 'lsa-corrupted'; readonly type: number; readonly id: number; readonly router: string };

/** A neighbour as those see it who watch it or route by it. */
export interface NeighborIdentity {
  readonly interface: string;
  readonly routerId: string;
  /** Link-local. */
  readonly address: string;
}
