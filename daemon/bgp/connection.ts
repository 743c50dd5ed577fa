/** One connection with a peer, or the attempt to get one: carries out what the state machine decides on a stream, timers and the codec. */
import type { Clock, Timer } from '../clock.js';
import type { Counters } from './counters.js';
import { handleEvent, initialState, timerNames, type FsmAction, type FsmContext, type FsmEvent, type FsmState, type StateName, type TimerName } from './fsm.js';
import { Inbox } from './inbox.js';
import { buildOpen, negotiate, openFault, type Negotiated, type OpenOptions } from './open.js';
import { SendHold } from './send-hold.js';
import type { Cancellable, ConnectOptions, Stream, Transport } from './transport.js';
import { decodeMessage } from './wire/decode.js';
import { encodeKeepalive, encodeNotification, encodeOpen } from './wire/encode.js';
import { ErrorCode, notification } from './wire/notification.js';
import { type FamilyName, familyOf } from './wire/families.js';
import type { DecodeContext, EncodeContext, Fault, Message, Notification, OpenMessage, RouteRefreshMessage, SessionFault, UpdateMessage } from './wire/types.js';

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly fsm: FsmContext;
  readonly connect: ConnectOptions;
  readonly open: OpenOptions;
  readonly attributeType: number;
  readonly counters: Counters;
}

/** What the peer hears from its connections. */
export interface ConnectionHandlers {
  stateChanged(connection: Connection, from: StateName): void;
  /** Collision handling (RFC 4271 section 6.8): false when this connection has been closed in favour of another one. */
  survivesCollision(connection: Connection, open: OpenMessage): boolean;
  sessionUp(connection: Connection, negotiated: Negotiated): void;
  /** `notification` when one was sent or received; undefined when the connection just broke. */
  sessionDown(connection: Connection, notification: Notification | undefined): void;
  update(message: UpdateMessage, raw: Uint8Array): void;
  routeRefresh(message: RouteRefreshMessage): void;
  notification(direction: 'sent' | 'received', notification: Notification): void;
  fault(fault: Fault, raw: Uint8Array): void;
  failed(reason: string): void;
  drained(): void;
  /** Whether `message` is to be called. */
  isTapped(): boolean;
  /** Every message as it goes over the wire; `raw` views a buffer that is used again. */
  message(connection: Connection, direction: 'sent' | 'received', raw: Uint8Array): void;
}

/** How much longer than the hold time we wait for octets that may be in the socket already, ms. */
const holdGraceMs = 50;

const NO_OCTETS = new Uint8Array(0);

export class Connection {
  state: FsmState;
  stream: Stream | undefined;
  negotiated: Negotiated | undefined;
  peerOpen: OpenMessage | undefined;
  /** The peer connected to us. */
  accepted = false;
  private readonly timers = new Map<TimerName, { readonly timer: Timer; readonly at: number }>();
  private attempt: Cancellable | undefined;
  private inbox: Inbox | undefined;
  private sendHold: SendHold | undefined;
  private graced = false;
  private lastNotification: Notification | undefined;
  /** OPEN messages of this connection as they went over the wire; empty before. */
  sentOpen: Uint8Array = NO_OCTETS;
  receivedOpen: Uint8Array = NO_OCTETS;
  private current: { readonly message: Message; readonly raw: Uint8Array } | undefined;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly handlers: ConnectionHandlers,
  ) {
    this.state = initialState(options.fsm);
  }

  /** A connection that only waits to take an incoming stream, beside the peer's first one. */
  static incoming(options: ConnectionOptions, handlers: ConnectionHandlers): Connection {
    const connection = new Connection(options, handlers);
    connection.state = { ...connection.state, name: 'Active', stopped: false };
    return connection;
  }

  /** Goes on with the failure history of another connection of the same peer. */
  inherit(other: Connection): void {
    const { connectRetryCounter, idleHoldMs } = other.state;
    this.state = { ...this.state, connectRetryCounter, idleHoldMs };
  }

  /** Takes a stream the peer has opened. The state machine may refuse it. */
  accept(stream: Stream): void {
    this.attempt?.cancel();
    this.attempt = undefined;
    this.adopt(stream, true);
    this.event({ type: 'TcpAccepted' });
  }

  event(event: FsmEvent): void {
    const before = this.state.name;
    const { state, actions } = handleEvent(this.state, event, this.options.fsm);
    this.state = state;
    for (const action of actions) this.perform(action);
    if (state.name !== before) this.handlers.stateChanged(this, before);
  }

  /** Drops everything without a word: the connection is not needed any more, or keeps its silence for a graceful restart. */
  dispose(): void {
    for (const name of timerNames) this.stopTimer(name);
    this.close();
    this.state = { ...this.state, name: 'Idle', stopped: true };
  }

  /** Sends encoded messages of one type in one write; dropped when there is no stream. */
  send(type: Message['type'], ...messages: readonly Uint8Array[]): void {
    if (!this.stream || messages.length === 0) return;
    this.sendEncoded(type, messages.length, messages.length === 1 ? messages[0]! : Buffer.concat(messages));
  }

  /** The same for messages that stand one after the other already, and may have been sent to others too. */
  sendEncoded(type: Message['type'], count: number, bytes: Uint8Array): void {
    if (!this.stream || count === 0) return;
    this.options.counters.sent[type] += count;
    this.options.counters.octetsSent += bytes.length;
    if (type === 'open') this.sentOpen = bytes;
    if (this.handlers.isTapped()) for (const message of messagesIn(bytes)) this.handlers.message(this, 'sent', message);
    this.stream.write(bytes);
    this.sendHold?.wrote(bytes.length);
  }

  /** ms until a timer expires, undefined when it does not run. */
  timeLeft(name: TimerName): number | undefined {
    const running = this.timers.get(name);
    return running && Math.max(0, running.at - this.options.clock.now());
  }

  get encodeContext(): EncodeContext {
    return {
      fourOctetAs: this.negotiated?.fourOctetAs ?? false,
      addPath: (afi, safi) => includesFamily(this.negotiated?.addPathSend, afi, safi),
      extendedMessage: this.negotiated?.extendedMessage ?? false,
      ibgp: this.isInternal,
      cpnAttributeType: this.options.attributeType,
    };
  }

  private get isInternal(): boolean {
    return this.options.open.localAs === this.options.open.peerAs;
  }

  /** How the peer writes its messages. */
  decodeContext(): DecodeContext {
    return {
      fourOctetAs: this.negotiated?.fourOctetAs ?? false,
      addPath: (afi, safi) => includesFamily(this.negotiated?.addPathReceive, afi, safi),
      extendedMessage: true,
      ibgp: this.isInternal,
      cpnAttributeType: this.options.attributeType,
    };
  }

  private perform(action: FsmAction): void {
    switch (action.type) {
      case 'connect':
        this.connect();
        break;
      case 'close':
        this.close();
        break;
      case 'sendOpen':
        this.lastNotification = undefined;
        this.send('open', encodeOpen(buildOpen(this.options.open)));
        break;
      case 'sendKeepalive':
        this.send('keepalive', encodeKeepalive());
        break;
      case 'sendNotification':
        this.lastNotification = action.notification;
        this.send('notification', encodeNotification(action.notification));
        this.handlers.notification('sent', action.notification);
        break;
      case 'startTimer':
        this.startTimer(action.timer, action.ms);
        break;
      case 'stopTimer':
        this.stopTimer(action.timer);
        break;
      case 'sessionUp':
        if (this.negotiated) this.handlers.sessionUp(this, this.negotiated);
        break;
      case 'sessionDown':
        this.handlers.sessionDown(this, this.lastNotification);
        break;
      case 'deliver':
        if (this.current?.message.type === 'update') this.handlers.update(this.current.message, this.current.raw);
        else if (this.current?.message.type === 'routeRefresh') this.handlers.routeRefresh(this.current.message);
        break;
    }
  }

  private startTimer(name: TimerName, ms: number): void {
    this.stopTimer(name);
    const { clock } = this.options;
    if (name === 'hold') this.graced = false;
    this.timers.set(name, { timer: clock.setTimeout(() => this.timerExpired(name), ms), at: clock.now() + ms });
  }

  private stopTimer(name: TimerName): void {
    this.timers.get(name)?.timer.cancel();
    this.timers.delete(name);
  }

  private timerExpired(name: TimerName): void {
    this.timers.delete(name);
    if (name === 'hold' && (this.inbox?.isBusy || !this.graced)) {
      // A busy process must not mistake its own delay for the peer's silence: what has arrived is looked at first.
      this.startTimer('hold', holdGraceMs);
      this.graced = true;
      return;
    }
    this.event({ type: 'TimerExpired', timer: name });
  }

  private connect(): void {
    this.attempt = this.options.transport.connect(
      this.options.connect,
      (stream) => {
        this.attempt = undefined;
        this.adopt(stream, false);
        this.event({ type: 'TcpConnected' });
      },
      (error) => {
        this.attempt = undefined;
        this.handlers.failed(error);
        this.event({ type: 'TcpFailed' });
      },
    );
  }

  private adopt(stream: Stream, accepted: boolean): void {
    const { clock, counters } = this.options;
    this.stream = stream;
    this.accepted = accepted;
    const inbox = new Inbox(clock, stream, { message: (raw) => this.handleMessage(raw), fault: (fault, raw) => this.fail(fault, raw) });
    this.inbox = inbox;
    this.sendHold = new SendHold(
      clock,
      stream,
      () => this.state.holdMs,
      () => this.event({ type: 'MessageError', notification: notification(ErrorCode.sendHoldTimerExpired, 0) }),
    );
    stream.attach({
      received: (bytes) => {
        counters.octetsReceived += bytes.length;
        inbox.push(bytes);
      },
      drained: () => this.handlers.drained(),
      closed: (error) => {
        this.stream = undefined;
        // What came before the end is still handled: a NOTIFICATION is mostly followed by it.
        inbox.flush();
        if (this.state.name !== 'Idle') this.handlers.failed(error ?? 'connection closed by the peer');
        this.event({ type: 'TcpFailed' });
      },
    });
  }

  private close(): void {
    this.attempt?.cancel();
    this.attempt = undefined;
    this.stream?.close();
    this.stream = undefined;
    this.negotiated = undefined;
    this.peerOpen = undefined;
    this.inbox?.close();
    this.inbox = undefined;
    this.sendHold?.stop();
    this.sendHold = undefined;
  }

  private fail(fault: SessionFault, raw: Uint8Array): void {
    this.handlers.fault(fault, raw);
    this.event({ type: 'MessageError', notification: fault.notification });
  }

  private handleMessage(raw: Uint8Array): void {
    const result = decodeMessage(raw, this.decodeContext());
    if (!result.ok) {
      this.fail(result.fault, raw);
      return;
    }
    const { message } = result;
    this.options.counters.received[message.type]++;
    if (message.type === 'open') this.receivedOpen = Uint8Array.from(raw);
    if (this.handlers.isTapped()) this.handlers.message(this, 'received', raw);
    this.current = { message, raw };
    switch (message.type) {
      case 'open':
        this.openReceived(message);
        break;
      case 'keepalive':
        this.event({ type: 'KeepaliveReceived' });
        break;
      case 'notification':
        this.lastNotification = message;
        this.handlers.notification('received', message);
        this.event({ type: 'NotificationReceived', notification: message });
        break;
      case 'update':
        this.event({ type: 'UpdateReceived' });
        break;
      case 'routeRefresh':
        this.event({ type: 'RouteRefreshReceived' });
        break;
    }
    this.current = undefined;
  }

  private openReceived(open: OpenMessage): void {
    // A second OPEN is the state machine's to refuse, without being looked at.
    if (this.state.name === 'OpenConfirm' || this.state.name === 'Established') {
      this.event({ type: 'OpenReceived', holdMs: 0 });
      return;
    }
    const fault = openFault(this.options.open, open);
    if (fault) {
      this.event({ type: 'MessageError', notification: fault });
      return;
    }
    if (!this.handlers.survivesCollision(this, open)) return;
    this.peerOpen = open;
    this.negotiated = negotiate(this.options.open, open);
    this.event({ type: 'OpenReceived', holdMs: this.negotiated.holdMs });
  }
}

const includesFamily = (families: readonly FamilyName[] | undefined, afi: number, safi: number): boolean => {
  const family = familyOf({ afi, safi });
  return family !== undefined && (families?.includes(family) ?? false);
};

/** Messages that stand one after the other. */
function* messagesIn(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + ((bytes[at + 16]! << 8) | bytes[at + 17]!);
    yield bytes.subarray(at, end);
    at = end;
  }
}
