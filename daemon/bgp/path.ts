/** Paths: what one source says about one prefix. The unit that Adj-RIB-In, Loc-RIB and Adj-RIB-Out share. */
import type { Destination } from './wire/families.js';
import type { NextHop, PathAttributes } from './wire/types.js';

/** Where a path comes from, as far as the decision process and the export rules depend on it. */
export interface PathSource {
  /** Peer address, canonical text; empty for routes of this router. */
  readonly address: string;
  readonly as: number;
  readonly kind: 'local' | 'ibgp' | 'ebgp';
  /** BGP identifier of the peer as an unsigned number. */
  readonly identifier: number;
  /** A client of this route reflector (RFC 4456 section 6). */
  readonly reflectorClient?: boolean;
  /** Of the SR domain: SIDs of its unicast routes are used. */
  readonly srv6?: boolean;
}

export interface Path {
  readonly prefix: Destination;
  readonly source: PathSource;
  /** Path identifier as received (RFC 7911), 0 without ADD-PATH. */
  readonly pathId: number;
  readonly nextHop: NextHop;
  /** After import: what the decision process sees and the export starts from. */
  readonly attributes: PathAttributes;
  /** As the peer sent them, for a later policy; undefined for routes of this router. */
  readonly received?: PathAttributes;
  /** ms of the injected clock. */
  readonly receivedAt: number;
  /** Why the import policy keeps the path out of the Loc-RIB; undefined when it is in. */
  readonly rejected: string | undefined;
  /** Kept from a session that ended (RFC 4724), or not yet refreshed (RFC 7313). */
  readonly stale: boolean;
  /** Path identifier under which the path is sent; unique and stable within its prefix, assigned by the Loc-RIB. */
  localId: number;
}

/** Key of a path within one source. */
export const pathKey = (prefix: Destination, pathId: number): string => (pathId === 0 ? prefix.toString() : `${prefix.toString()}#${pathId}`);
