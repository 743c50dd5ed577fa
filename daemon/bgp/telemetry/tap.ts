/**
 * What telemetry sees of the sessions: every message as it was sent and received, and the changes of state. Listeners must not throw,
 * must not keep `message` octets (they view a receive buffer), and cost nothing while there are none.
 */
import type { PathChange } from '../adj-rib-in.js';
import type { StateName } from '../fsm.js';
import type { DecisionChange } from '../loc-rib.js';
import type { FamilyName } from '../wire/families.js';
import type { DecodeContext, EncodeContext } from '../wire/types.js';

/** A session as telemetry names it. */
export interface TappedSession {
  readonly address: string;
  readonly as: number;
  readonly localAddress: string;
  readonly localAs: number;
  /** BGP identifier of the peer, dotted; 0.0.0.0 before its OPEN. */
  readonly identifier: string;
  readonly localPort: number;
  readonly remotePort: number;
  readonly fourOctetAs: boolean;
  /** Families that are exchanged. */
  readonly families: readonly FamilyName[];
  /** How the peer writes, for UPDATEs that are to read like its own, and how its octets and ours are to be read. */
  readonly asReceived: EncodeContext & DecodeContext;
  readonly asSent: DecodeContext;
  /** OPEN messages as they went over the wire, header included; empty before. */
  readonly sentOpen: Uint8Array;
  readonly receivedOpen: Uint8Array;
}

/** What ended a session. */
export type SessionEnd =
  | { readonly kind: 'sent'; readonly notification: Uint8Array }
  | { readonly kind: 'received'; readonly notification: Uint8Array }
  /** Without a NOTIFICATION: the connection broke, or the neighbour was removed. */
  | { readonly kind: 'closed' };

export interface SessionTap {
  message?(session: TappedSession, direction: 'sent' | 'received', message: Uint8Array): void;
  /** An UPDATE that broke the rules (RFC 7606). */
  faulty?(session: TappedSession, message: Uint8Array): void;
  state?(session: TappedSession, from: StateName, to: StateName): void;
  up?(session: TappedSession): void;
  down?(session: TappedSession, end: SessionEnd): void;
  /** Paths of one peer after the import policy: accepted ones that came, changed or went. */
  paths?(changes: readonly PathChange[]): void;
  /** A prefix whose best path changed. */
  decided?(change: DecisionChange): void;
}

/** Fans out to those that look on. */
export class Taps implements Required<SessionTap> {
  private readonly taps = new Set<SessionTap>();

  /** False: nobody looks on, and nothing needs to be prepared. */
  get active(): boolean {
    return this.taps.size > 0;
  }

  /** Adds one; the answer takes it away. */
  add(tap: SessionTap): () => void {
    this.taps.add(tap);
    return () => void this.taps.delete(tap);
  }

  message(session: TappedSession, direction: 'sent' | 'received', message: Uint8Array): void {
    for (const tap of this.taps) tap.message?.(session, direction, message);
  }

  faulty(session: TappedSession, message: Uint8Array): void {
    for (const tap of this.taps) tap.faulty?.(session, message);
  }

  state(session: TappedSession, from: StateName, to: StateName): void {
    for (const tap of this.taps) tap.state?.(session, from, to);
  }

  up(session: TappedSession): void {
    for (const tap of this.taps) tap.up?.(session);
  }

  down(session: TappedSession, end: SessionEnd): void {
    for (const tap of this.taps) tap.down?.(session, end);
  }

  paths(changes: readonly PathChange[]): void {
    for (const tap of this.taps) tap.paths?.(changes);
  }

  decided(change: DecisionChange): void {
    for (const tap of this.taps) tap.decided?.(change);
  }
}
