/**
 * The BGP finite state machine of RFC 4271 section 8, as a pure function: `handleEvent(state, event, context) -> {state, actions}`.
 *
 * One state belongs to one connection, or to the attempt to get one. It knows no socket and no clock: actions are data that the
 * connection carries out in order, and timers come back as events. OPEN messages are validated before they get here (open.ts), so that
 * the machine sees either `OpenReceived` with the negotiated times or `MessageError` with the NOTIFICATION to send.
 */
import type { Notification } from './wire/types.js';

export type StateName = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

export type TimerName = 'connectRetry' | 'hold' | 'keepalive' | 'delayOpen' | 'idleHold';

export const timerNames: readonly TimerName[] = ['connectRetry', 'hold', 'keepalive', 'delayOpen', 'idleHold'];

export interface FsmState {
  readonly name: StateName;
  readonly connectRetryCounter: number;
  /** How long the next stay in Idle lasts, ms; doubles with every failure (DampPeerOscillations, RFC 4271 section 8.1.1). */
  readonly idleHoldMs: number;
  /** A connection is up and OPEN is being held back (RFC 4271 section 8.1.1, DelayOpen). */
  readonly delayingOpen: boolean;
  /** Negotiated times, ms; 0 means that neither KEEPALIVE is sent nor the peer's silence noticed. */
  readonly holdMs: number;
  readonly keepaliveMs: number;
  /** Stopped by the operator: nothing but ManualStart leaves Idle. */
  readonly stopped: boolean;
}

/** Configuration of one session's machine; constant while it runs. */
export interface FsmContext {
  /** PassiveTcpEstablishment: never connect, only accept. */
  readonly passive: boolean;
  readonly connectRetryMs: number;
  /** 0 turns DelayOpen off. */
  readonly delayOpenMs: number;
  readonly idleHold: { readonly initialMs: number; readonly maximumMs: number };
  /** SendNOTIFICATIONwithoutOPEN: a connection that ends before OPEN went out on it ends with its reason all the same. */
  readonly notificationWithoutOpen: boolean;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export type FsmEvent =
  | { readonly type: 'ManualStart' | 'AutomaticStart' }
  /** `notification` is the Cease to send: of a subcode of RFC 4486, perhaps with the operator's words, perhaps inside a Hard Reset. */
  | { readonly type: 'ManualStop'; readonly notification: Notification }
  /** The peer is closed for another reason than the operator's stop. */
  | { readonly type: 'AutomaticStop'; readonly notification: Notification }
  | { readonly type: 'TimerExpired'; readonly timer: TimerName }
  | { readonly type: 'TcpConnected' | 'TcpAccepted' }
  /** A connection attempt failed, or the connection was closed or reset. */
  | { readonly type: 'TcpFailed' }
  | { readonly type: 'OpenReceived'; readonly holdMs: number }
  /** A header, OPEN, UPDATE or ROUTE-REFRESH error that ends the session (RFC 4271 sections 6.1-6.3, RFC 7313 section 5). */
  | { readonly type: 'MessageError'; readonly notification: Notification }
  /** This connection lost against another one of the same peer (RFC 4271 section 6.8). */
  | { readonly type: 'CollisionDump' }
  | { readonly type: 'NotificationReceived'; readonly notification: Notification }
  | { readonly type: 'KeepaliveReceived' | 'UpdateReceived' | 'RouteRefreshReceived' };

export type FsmAction =
  | { readonly type: 'connect' | 'close' | 'sendOpen' | 'sendKeepalive' }
  | { readonly type: 'sendNotification'; readonly notification: Notification }
  | { readonly type: 'startTimer'; readonly timer: TimerName; readonly ms: number }
  | { readonly type: 'stopTimer'; readonly timer: TimerName }
  | { readonly type: 'sessionUp' | 'sessionDown' }
  /** Hand the UPDATE or ROUTE-REFRESH of this event to the RIBs. */
  | { readonly type: 'deliver' };

export interface FsmResult {
  readonly state: FsmState;
  readonly actions: readonly FsmAction[];
}

/** RFC 4271 section 8.2.2: "a value of 4 minutes is suggested" until the peer's OPEN is there. */
export const openHoldMs = 240_000;

/** Failures in a row after which a peer is damped, that is refused while it waits in Idle. */
const toleratedFailures = 3;

export function initialState(context: FsmContext): FsmState {
  return {
    name: 'Idle',
    connectRetryCounter: 0,
    idleHoldMs: context.idleHold.initialMs,
    delayingOpen: false,
    holdMs: 0,
    keepaliveMs: 0,
    stopped: true,
  };
}

/** RFC 4271 section 10: timers are shortened by a random factor between 0.75 and 1. */
export const jitter = (ms: number, random: () => number): number => ms * (0.75 + 0.25 * random());

const startTimer = (timer: TimerName, ms: number): FsmAction => ({ type: 'startTimer', timer, ms });
const stopTimer = (timer: TimerName): FsmAction => ({ type: 'stopTimer', timer });
const send = (notification: Notification): FsmAction => ({ type: 'sendNotification', notification });
const notify = (code: number, subcode: number, ...data: readonly number[]): FsmAction => send({ code, subcode, data: Uint8Array.from(data) });
const stay = (state: FsmState, ...actions: FsmAction[]): FsmResult => ({ state, actions });

/** Applies one event. Events that mean nothing in a state leave it unchanged. Never throws. */
export function handleEvent(state: FsmState, event: FsmEvent, context: FsmContext): FsmResult {
  switch (state.name) {
    case 'Idle':
      return idle(state, event, context);
    case 'Connect':
    case 'Active':
      return connecting(state, event, context);
    case 'OpenSent':
      return openSent(state, event, context);
    case 'OpenConfirm':
      return openConfirm(state, event, context);
    case 'Established':
      return established(state, event, context);
  }
}

function idle(state: FsmState, event: FsmEvent, context: FsmContext): FsmResult {
  switch (event.type) {
    case 'ManualStart':
      return start({ ...state, stopped: false, connectRetryCounter: 0, idleHoldMs: context.idleHold.initialMs }, context);
    case 'AutomaticStart':
      return state.stopped ? stay(state) : start(state, context);
    case 'TimerExpired':
      return event.timer === 'idleHold' && !state.stopped ? start(state, context) : stay(state);
    case 'ManualStop':
      return stay({ ...state, stopped: true, connectRetryCounter: 0 }, stopTimer('idleHold'));
    case 'TcpAccepted': {
      // A peer that restarts connects at once; refusing it in Idle would leave the session to the retry timer of the slower side.
      // Only a peer that keeps failing is refused.
      const damped = state.idleHoldMs > context.idleHold.initialMs * 2 ** toleratedFailures;
      // The damped one gets no NOTIFICATION: two that damp each other would count that as one more failure, for ever.
      if (damped) return stay(state, { type: 'close' });
      if (state.stopped) return stay(state, ...(context.notificationWithoutOpen ? [notify(6, 5)] : []), { type: 'close' });
      return connectionUp(state, context, [stopTimer('idleHold')]);
    }
    default:
      return stay(state);
  }
}

function start(state: FsmState, context: FsmContext): FsmResult {
  const actions: FsmAction[] = [stopTimer('idleHold'), startTimer('connectRetry', jitter(context.connectRetryMs, context.random))];
  if (context.passive) return { state: { ...state, name: 'Active' }, actions };
  return { state: { ...state, name: 'Connect' }, actions: [...actions, { type: 'connect' }] };
}

/** A connection is there: OPEN goes out, now or after DelayOpen. */
function connectionUp(state: FsmState, context: FsmContext, before: readonly FsmAction[]): FsmResult {
  if (context.delayOpenMs > 0) {
    const name = state.name === 'Idle' ? 'Active' : state.name;
    return { state: { ...state, name, delayingOpen: true }, actions: [...before, startTimer('delayOpen', context.delayOpenMs)] };
  }
  return { state: { ...state, name: 'OpenSent', delayingOpen: false }, actions: [...before, { type: 'sendOpen' }, startTimer('hold', openHoldMs)] };
}

/** Connect and Active differ only in whether an attempt of our own is under way. */
function connecting(state: FsmState, event: FsmEvent, context: FsmContext): FsmResult {
  const retry = startTimer('connectRetry', jitter(context.connectRetryMs, context.random));
  switch (event.type) {
    case 'ManualStart':
    case 'AutomaticStart':
      return stay(state);
    case 'ManualStop':
      return stopped(state, withoutOpen(state, context, event.notification));
    case 'TcpConnected':
    case 'TcpAccepted':
      return connectionUp(state, context, [stopTimer('connectRetry')]);
    case 'TcpFailed':
      // RFC 4271 section 8.2.2 goes to Idle from Connect without DelayOpen and comes back by IdleHold. Idle refuses connections, so two
      // speakers that start together would miss each other: this machine listens in Active until ConnectRetry.
      return { state: { ...state, name: 'Active', delayingOpen: false }, actions: [stopTimer('delayOpen'), { type: 'close' }, retry] };
    case 'TimerExpired':
      if (event.timer === 'connectRetry') {
        if (context.passive) return stay(state, retry);
        return {
          state: { ...state, name: 'Connect', delayingOpen: false },
          actions: [stopTimer('delayOpen'), { type: 'close' }, retry, { type: 'connect' }],
        };
      }
      if (event.timer === 'delayOpen' && state.delayingOpen) {
        return {
          state: { ...state, name: 'OpenSent', delayingOpen: false },
          actions: [stopTimer('connectRetry'), { type: 'sendOpen' }, startTimer('hold', openHoldMs)],
        };
      }
      return failed(state, context, []);
    case 'OpenReceived':
      if (!state.delayingOpen) return failed(state, context, []);
      return openAccepted({ ...state, delayingOpen: false }, event.holdMs, context, [stopTimer('connectRetry'), stopTimer('delayOpen'), { type: 'sendOpen' }]);
    case 'NotificationReceived':
      return isVersionError(event.notification) && state.delayingOpen ? closed(state, context, []) : failed(state, context, []);
    case 'MessageError':
    case 'AutomaticStop':
      return failed(state, context, withoutOpen(state, context, event.notification));
    default:
      return failed(state, context, []);
  }
}

/** The NOTIFICATION of a connection on which OPEN is still held back, where it may be sent (RFC 4271 section 8.1.1, attribute 13). */
const withoutOpen = (state: FsmState, context: FsmContext, notification: Notification): FsmAction[] =>
  state.delayingOpen && context.notificationWithoutOpen ? [send(notification)] : [];

function openSent(state: FsmState, event: FsmEvent, context: FsmContext): FsmResult {
  switch (event.type) {
    case 'TcpFailed':
      return {
        state: { ...state, name: 'Active' },
        actions: [stopTimer('hold'), { type: 'close' }, startTimer('connectRetry', jitter(context.connectRetryMs, context.random))],
      };
    case 'OpenReceived':
      return openAccepted(state, event.holdMs, context, [stopTimer('connectRetry')]);
    default:
      return withConnection(state, event, context, 1);
  }
}

/** A valid OPEN: KEEPALIVE answers it, and the negotiated times take effect (RFC 4271 section 4.2: the lower hold time). */
function openAccepted(state: FsmState, holdMs: number, context: FsmContext, before: readonly FsmAction[]): FsmResult {
  // RFC 4271 section 4.4: a third of the hold time, and not more than one KEEPALIVE a second.
  const keepaliveMs = holdMs === 0 ? 0 : Math.max(1000, holdMs / 3);
  const next: FsmState = { ...state, name: 'OpenConfirm', holdMs, keepaliveMs };
  const timers = holdMs === 0 ? [stopTimer('hold')] : [startTimer('hold', holdMs), startTimer('keepalive', jitter(keepaliveMs, context.random))];
  return { state: next, actions: [...before, { type: 'sendKeepalive' }, ...timers] };
}

function openConfirm(state: FsmState, event: FsmEvent, context: FsmContext): FsmResult {
  if (event.type !== 'KeepaliveReceived') return withConnection(state, event, context, 2);
  // Without KEEPALIVEs nothing later tells that the session is stable, so it counts as such at once.
  const idleHoldMs = state.holdMs === 0 ? context.idleHold.initialMs : state.idleHoldMs;
  return { state: { ...state, name: 'Established', idleHoldMs }, actions: [...restartHold(state), { type: 'sessionUp' }] };
}

function established(state: FsmState, event: FsmEvent, context: FsmContext): FsmResult {
  switch (event.type) {
    case 'KeepaliveReceived':
      return { state, actions: restartHold(state) };
    case 'UpdateReceived':
      return { state, actions: [...restartHold(state), { type: 'deliver' }] };
    case 'RouteRefreshReceived':
      return stay(state, { type: 'deliver' });
    case 'TimerExpired':
      if (event.timer !== 'keepalive') return withConnection(state, event, context, 3);
      // Up for a keepalive time: the failures before are forgotten.
      return { state: { ...state, connectRetryCounter: 0, idleHoldMs: context.idleHold.initialMs }, actions: sendKeepalive(state, context) };
    default:
      return withConnection(state, event, context, 3);
  }
}

const restartHold = (state: FsmState): FsmAction[] => (state.holdMs === 0 ? [] : [startTimer('hold', state.holdMs)]);

const sendKeepalive = (state: FsmState, context: FsmContext): FsmAction[] =>
  state.keepaliveMs === 0 ? [] : [{ type: 'sendKeepalive' }, startTimer('keepalive', jitter(state.keepaliveMs, context.random))];

/** What OpenSent, OpenConfirm and Established have in common. `errorSubcode` is the FSM error subcode of the state (RFC 6608). */
function withConnection(state: FsmState, event: FsmEvent, context: FsmContext, errorSubcode: number): FsmResult {
  switch (event.type) {
    case 'ManualStart':
    case 'AutomaticStart':
    // Another connection of this peer is another machine's business until its OPEN arrives (RFC 4271 section 6.8).
    case 'TcpConnected':
    case 'TcpAccepted':
      return stay(state);
    case 'ManualStop':
      return stopped(state, [send(event.notification)]);
    case 'CollisionDump':
      return failed(state, context, [notify(6, 7)]);
    case 'TimerExpired':
      if (event.timer === 'hold') return failed(state, context, [notify(4, 0)]);
      if (event.timer === 'keepalive') return { state, actions: sendKeepalive(state, context) };
      return failed(state, context, [notify(5, errorSubcode)]);
    case 'MessageError':
    case 'AutomaticStop':
      return failed(state, context, [send(event.notification)]);
    case 'TcpFailed':
      return failed(state, context, []);
    case 'NotificationReceived':
      // Never answered by a NOTIFICATION, although RFC 4271 lists it under "any other event" in OpenSent: the peer has closed already.
      return isVersionError(event.notification) ? closed(state, context, []) : failed(state, context, []);
    default:
      // RFC 6608 section 3: the data is the type of the unexpected message.
      return failed(state, context, [notify(5, errorSubcode, messageType[event.type])]);
  }
}

const messageType = { OpenReceived: 1, UpdateReceived: 2, KeepaliveReceived: 4, RouteRefreshReceived: 5 } as const;

const isVersionError = (notification: Notification): boolean => notification.code === 2 && notification.subcode === 1;

const stopSessionTimers: readonly FsmAction[] = (['connectRetry', 'hold', 'keepalive', 'delayOpen'] as const).map(stopTimer);

function down(state: FsmState, before: readonly FsmAction[], after: readonly FsmAction[]): FsmResult {
  const sessionDown: FsmAction[] = state.name === 'Established' ? [{ type: 'sessionDown' }] : [];
  return {
    state: { ...state, name: 'Idle', delayingOpen: false, holdMs: 0, keepaliveMs: 0 },
    actions: [...before, ...stopSessionTimers, { type: 'close' }, ...sessionDown, ...after],
  };
}

/** By the operator: stays in Idle. */
function stopped(state: FsmState, before: readonly FsmAction[]): FsmResult {
  return down({ ...state, stopped: true, connectRetryCounter: 0 }, before, []);
}

/** Not the peer's fault: no damping beyond the normal wait in Idle. */
function closed(state: FsmState, context: FsmContext, before: readonly FsmAction[]): FsmResult {
  return down(state, before, [startTimer('idleHold', jitter(state.idleHoldMs, context.random))]);
}

/** A failure: the peer waits in Idle, twice as long as the last time. */
function failed(state: FsmState, context: FsmContext, before: readonly FsmAction[]): FsmResult {
  const idleHoldMs = Math.min(state.idleHoldMs * 2, context.idleHold.maximumMs);
  const next = { ...state, connectRetryCounter: state.connectRetryCounter + 1, idleHoldMs };
  return down(next, before, [startTimer('idleHold', jitter(state.idleHoldMs, context.random))]);
}
