/** The interface state machine of RFC 2328 section 9.3 (RFC 5340 section 4.2.1), as a pure function. */
import type { InterfaceState, OspfNetworkType } from './types.js';

export type InterfaceEvent = 'InterfaceUp' | 'WaitTimer' | 'BackupSeen' | 'NeighborChange' | 'LoopInd' | 'UnloopInd' | 'InterfaceDown';

export interface InterfaceTraits {
  readonly network: OspfNetworkType;
  readonly priority: number;
}

/** 'elect': run the election; `electedState` tells the state that follows. 'reset': stop timers, destroy all neighbours. */
export type InterfaceAction = 'startHellos' | 'startWaitTimer' | 'elect' | 'reset';

export interface InterfaceTransition {
  readonly state: InterfaceState;
  readonly actions: readonly InterfaceAction[];
}

export function interfaceTransition(state: InterfaceState, event: InterfaceEvent, { network, priority }: InterfaceTraits): InterfaceTransition {
  const stay: InterfaceTransition = { state, actions: [] };
  switch (event) {
    case 'InterfaceUp':
      if (state !== 'Down') return stay;
      if (network === 'point-to-point') return { state: 'Point-to-point', actions: ['startHellos'] };
      if (priority === 0) return { state: 'DROther', actions: ['startHellos'] };
      return { state: 'Waiting', actions: ['startHellos', 'startWaitTimer'] };
    case 'WaitTimer':
    case 'BackupSeen':
      return state === 'Waiting' ? { state, actions: ['elect'] } : stay;
    case 'NeighborChange':
      return state === 'DROther' || state === 'Backup' || state === 'DR' ? { state, actions: ['elect'] } : stay;
    case 'LoopInd':
      return state === 'Loopback' ? stay : { state: 'Loopback', actions: ['reset'] };
    case 'UnloopInd':
      return state === 'Loopback' ? { state: 'Down', actions: [] } : stay;
    case 'InterfaceDown':
      return state === 'Down' ? stay : { state: 'Down', actions: ['reset'] };
  }
}

/** The state of a broadcast interface after an election. */
export const electedState = (routerId: number, elected: { readonly designated: number; readonly backup: number }): InterfaceState =>
  elected.designated === routerId ? 'DR' : elected.backup === routerId ? 'Backup' : 'DROther';
