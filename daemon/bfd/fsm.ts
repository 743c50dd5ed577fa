/** The state machine of a session (RFC 5880 sections 6.2 and 6.8.6) as a pure function. */
import { Diagnostic } from './diagnostic.js';
import type { BfdState } from './wire/packet.js';

export interface Transition {
  readonly state: BfdState;
  /** Why; undefined leaves the diagnostic as it is. */
  readonly diagnostic?: number;
}

const NEIGHBOR_SIGNALED: Transition = { state: 'down', diagnostic: Diagnostic.neighborSignaledSessionDown };

/** What a packet with the peer's state does; undefined: the session stays as it is. AdminDown is left by the operator alone. */
export function onPacket(local: BfdState, remote: BfdState): Transition | undefined {
  switch (local) {
    case 'adminDown':
      return undefined;
    case 'down':
      if (remote === 'down') return { state: 'init' };
      return remote === 'init' ? { state: 'up', diagnostic: Diagnostic.none } : undefined;
    case 'init':
      if (remote === 'adminDown') return NEIGHBOR_SIGNALED;
      return remote === 'down' ? undefined : { state: 'up', diagnostic: Diagnostic.none };
    case 'up':
      return remote === 'adminDown' || remote === 'down' ? NEIGHBOR_SIGNALED : undefined;
  }
}

/** The Detection Time passed without a packet (section 6.8.4). */
export function onSilence(local: BfdState): Transition | undefined {
  return local === 'init' || local === 'up' ? { state: 'down', diagnostic: Diagnostic.controlDetectionTimeExpired } : undefined;
}
