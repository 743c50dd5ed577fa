/** The neighbour state machine of RFC 2328 section 10.3, as a pure function. Attempt (NBMA networks) does not occur. */
import type { NeighborState } from './types.js';

export type NeighborEvent =
  | 'HelloReceived'
  | '2-WayReceived'
  | 'NegotiationDone'
  | 'ExchangeDone'
  | 'BadLSReq'
  | 'LoadingDone'
  | 'AdjOK?'
  | 'SeqNumberMismatch'
  | '1-WayReceived'
  | 'KillNbr'
  | 'InactivityTimer'
  | 'LLDown';

export interface NeighborContext {
  /** An adjacency should exist (section 10.4). */
  readonly adjacent: boolean;
  /** The Link State request list is empty. */
  readonly requestsEmpty: boolean;
}

/**
 * 'startExchange': next DD sequence number, declare oneself master, send the empty Database Description again and again.
 * 'listDatabase': put the link-state database into the summary list. 'clearLists': retransmission, summary and request lists.
 */
export type NeighborAction = 'restartInactivityTimer' | 'stopInactivityTimer' | 'clearLists' | 'startExchange' | 'listDatabase' | 'sendRequests';

export interface NeighborTransition {
  readonly state: NeighborState;
  readonly actions: readonly NeighborAction[];
}

const order: readonly NeighborState[] = ['Down', 'Init', '2-Way', 'ExStart', 'Exchange', 'Loading', 'Full'];

/** Whether `state` is `least` or greater (section 10.1 orders them). */
export const isAtLeast = (state: NeighborState, least: NeighborState): boolean => order.indexOf(state) >= order.indexOf(least);

const exStart: NeighborTransition = { state: 'ExStart', actions: ['startExchange'] };
const restart: NeighborTransition = { state: 'ExStart', actions: ['clearLists', 'startExchange'] };
const down: NeighborTransition = { state: 'Down', actions: ['clearLists', 'stopInactivityTimer'] };

/** Undefined: the event means nothing in this state. */
export function neighborTransition(state: NeighborState, event: NeighborEvent, context: NeighborContext): NeighborTransition | undefined {
  switch (event) {
    case 'HelloReceived':
      return { state: state === 'Down' ? 'Init' : state, actions: ['restartInactivityTimer'] };
    case '2-WayReceived':
      if (state !== 'Init') return undefined;
      return context.adjacent ? exStart : { state: '2-Way', actions: [] };
    case 'NegotiationDone':
      return state === 'ExStart' ? { state: 'Exchange', actions: ['listDatabase'] } : undefined;
    case 'ExchangeDone':
      if (state !== 'Exchange') return undefined;
      return context.requestsEmpty ? { state: 'Full', actions: [] } : { state: 'Loading', actions: ['sendRequests'] };
    case 'LoadingDone':
      return state === 'Loading' ? { state: 'Full', actions: [] } : undefined;
    case 'AdjOK?':
      if (state === '2-Way') return context.adjacent ? exStart : undefined;
      return isAtLeast(state, 'ExStart') && !context.adjacent ? { state: '2-Way', actions: ['clearLists'] } : undefined;
    case 'SeqNumberMismatch':
    case 'BadLSReq':
      return isAtLeast(state, 'Exchange') ? restart : undefined;
    case '1-WayReceived':
      return isAtLeast(state, '2-Way') ? { state: 'Init', actions: ['clearLists'] } : undefined;
    case 'KillNbr':
    case 'LLDown':
    case 'InactivityTimer':
      return state === 'Down' ? undefined : down;
  }
}
