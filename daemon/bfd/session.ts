/**
 * One BFD session in asynchronous mode (RFC 5880 section 6): state variables, timers, Poll Sequences, authentication. It knows no socket and
 * no clock of its own. Demand mode is never asked for, but respected where the peer does; echo packets are refused (Required Min Echo RX 0).
 */
import type { Clock, Timer } from '../clock.js';
import { Diagnostic } from './diagnostic.js';
import { onPacket, onSilence, type Transition } from './fsm.js';
import type { BfdCounters, BfdProfile } from './types.js';
import { encodeAuthenticated, isAuthentic, isFresh } from './wire/authentication.js';
import { encodeControl, type BfdState, type ControlPacket } from './wire/packet.js';

export interface SessionEnvironment {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** False when the packet was not taken. */
  send(octets: Uint8Array): boolean;
  /** Hands over all packets that wait, before a silence counts as one. */
  drain(): void;
  /** The state of this side or of the peer is another one. */
  changed(from: BfdState): void;
}

/** Section 6.8.3: not faster than once a second while the session is not up. */
const SLOW_US = 1_000_000;
/** Section 6.8.1: until the peer says more. */
const REMOTE_UNKNOWN = { discriminator: 0, state: 'down' as BfdState, diagnostic: 0, minRxUs: 1, minTxUs: 0, multiplier: 0, demand: false };

export class BfdSession {
  /** bfd.SessionState, bfd.LocalDiag */
  state: BfdState = 'down';
  diagnostic: number = Diagnostic.none;
  /** What the peer said last. */
  remote: typeof REMOTE_UNKNOWN = REMOTE_UNKNOWN;
  /** The C bit of the last packet, also when the peer has fallen silent since. */
  peerIndependent = false;
  readonly counters: { -readonly [Name in keyof BfdCounters]: number } = { sent: 0, received: 0, sendFailed: 0, authenticationFailed: 0, refused: 0 };
  private desiredMinTxUs: number;
  private requiredMinRxUs: number;
  /** What counts until the peer has acknowledged a change (section 6.8.3): a transmission that gets slower, a detection that gets faster. */
  private activeMinTxUs: number;
  private activeMinRxUs: number;
  private polling = false;
  /** Something changed again while a Poll Sequence was under way. */
  private pollAgain = false;
  private transmitTimer: Timer | undefined;
  private detectionTimer: Timer | undefined;
  private sentAt = -Infinity;
  private receivedAt = -Infinity;
  /** bfd.XmitAuthSeq */
  private sequence: number;
  private lastContent = '';
  /** bfd.RcvAuthSeq; undefined: not known (bfd.AuthSeqKnown). */
  private receivedSequence: number | undefined;
  private started = false;

  constructor(
    readonly discriminator: number,
    private profile: BfdProfile,
    private readonly environment: SessionEnvironment,
  ) {
    this.requiredMinRxUs = this.activeMinRxUs = profile.intervalMs * 1000;
    this.desiredMinTxUs = this.activeMinTxUs = this.wantedMinTxUs();
    this.sequence = Math.floor(environment.random() * 2 ** 32);
  }

  start(): void {
    this.started = true;
    if (this.state === 'adminDown') this.move({ state: 'down', diagnostic: Diagnostic.none });
    this.transmitPeriodic();
  }

  /** Says once that the session is switched off; the peer hears it again every second until `stop`. */
  adminDown(): void {
    if (this.state !== 'adminDown') this.move({ state: 'adminDown', diagnostic: Diagnostic.administrativelyDown });
  }

  /** Silence from now on. */
  stop(): void {
    this.started = false;
    this.transmitTimer?.cancel();
    this.detectionTimer?.cancel();
  }

  /** Other timers and the like; while the session is up they take effect by a Poll Sequence. */
  configure(profile: BfdProfile): void {
    const before = this.profile;
    this.profile = profile;
    if (JSON.stringify(before.authentication) !== JSON.stringify(profile.authentication)) this.receivedSequence = undefined;
    this.applyTimers();
    if (before.multiplier !== profile.multiplier || before.passive !== profile.passive) this.transmitPeriodic();
  }

  /** Takes a packet that belongs to this session; `octets` are the whole of it. False when its authentication is not accepted. */
  receive(packet: ControlPacket, octets: Uint8Array): boolean {
    const { clock } = this.environment;
    if (!this.authenticate(packet, octets)) {
      this.counters.authenticationFailed++;
      return false;
    }
    this.counters.received++;
    this.receivedAt = clock.now();
    const { remote } = this;
    this.remote = {
      discriminator: packet.myDiscriminator,
      state: packet.state,
      diagnostic: packet.diagnostic,
      minRxUs: packet.requiredMinRxUs,
      minTxUs: packet.desiredMinTxUs,
      multiplier: packet.detectMultiplier,
      demand: packet.demand,
    };
    this.peerIndependent = packet.controlPlaneIndependent;
    if (packet.final && this.polling) this.pollEnded();
    const { state } = this;
    const transition = onPacket(state, packet.state);
    if (transition) this.enter(transition);
    this.watch();
    if (transition || packet.poll) this.transmit(packet.poll);
    // A peer that takes more now is not left waiting for the old interval (section 6.8.3).
    if (transition || packet.requiredMinRxUs !== remote.minRxUs || packet.demand !== remote.demand) this.schedule();
    if (transition || packet.state !== remote.state) this.environment.changed(state);
    return true;
  }

  private authenticate({ authentication: section, detectMultiplier }: ControlPacket, octets: Uint8Array): boolean {
    const key = this.profile.authentication;
    if (!key || !section) return !key && !section;
    if (!isAuthentic(octets, section, key)) return false;
    if (section.type === 'simple' || section.type === 'unknown') return true;
    // Section 6.8.1: bfd.AuthSeqKnown is cleared when nothing came for twice the Detection Time.
    const known = this.environment.clock.now() - this.receivedAt <= 2 * this.detectionTimeMs ? this.receivedSequence : undefined;
    if (known !== undefined && !isFresh(section.sequence, known, section.type, detectMultiplier)) return false;
    this.receivedSequence = section.sequence;
    return true;
  }

  private wantedMinTxUs(): number {
    const configured = this.profile.intervalMs * 1000;
    return this.state === 'up' ? configured : Math.max(SLOW_US, configured);
  }

  /** Takes the intervals that belong to profile and state. */
  private applyTimers(): void {
    const minTxUs = this.wantedMinTxUs();
    const minRxUs = this.profile.intervalMs * 1000;
    if (minTxUs === this.desiredMinTxUs && minRxUs === this.requiredMinRxUs) return;
    this.desiredMinTxUs = minTxUs;
    this.requiredMinRxUs = minRxUs;
    const isUp = this.state === 'up';
    if (!isUp || minTxUs < this.activeMinTxUs) this.activeMinTxUs = minTxUs;
    if (!isUp || minRxUs > this.activeMinRxUs) this.activeMinRxUs = minRxUs;
    if (isUp) {
      this.pollAgain = this.polling;
      this.polling = true;
    }
    this.watch();
    this.schedule();
  }

  /** The peer acknowledged the values of this Poll Sequence; those that changed meanwhile get one of their own. */
  private pollEnded(): void {
    this.polling = this.pollAgain;
    this.pollAgain = false;
    if (this.polling) return;
    this.activeMinTxUs = this.desiredMinTxUs;
    this.activeMinRxUs = this.requiredMinRxUs;
    this.schedule();
  }

  /** Changes the state and what hangs on it, without a word to anybody. */
  private enter({ state, diagnostic }: Transition): void {
    this.state = state;
    if (diagnostic !== undefined) this.diagnostic = diagnostic;
    if (state !== 'up') this.polling = this.pollAgain = false;
    this.applyTimers();
  }

  private move(transition: Transition): void {
    const from = this.state;
    this.enter(transition);
    if (this.started) this.transmitPeriodic();
    this.environment.changed(from);
  }

  /** How often we send, before jitter, us; 0: not by ourselves (section 6.8.7). */
  get transmitIntervalUs(): number {
    const { remote } = this;
    if (remote.minRxUs === 0 || (this.profile.passive && remote.discriminator === 0)) return 0;
    if (remote.demand && this.state === 'up' && remote.state === 'up' && !this.polling) return 0;
    return Math.max(this.activeMinTxUs, remote.minRxUs);
  }

  /** Section 6.8.4. */
  get detectionTimeMs(): number {
    return (this.remote.multiplier * this.receiveIntervalUs) / 1000;
  }

  /** The interval at which the peer may send, us. */
  get receiveIntervalUs(): number {
    return Math.max(this.activeMinRxUs, this.remote.minTxUs);
  }

  private transmitPeriodic(): void {
    if (this.transmitIntervalUs > 0) this.transmit(false);
    this.schedule();
  }

  /** Sets the timer of the next packet by the interval that counts now. */
  private schedule(): void {
    this.transmitTimer?.cancel();
    this.transmitTimer = undefined;
    const intervalUs = this.transmitIntervalUs;
    if (!this.started || intervalUs === 0) return;
    const { clock, random } = this.environment;
    // Section 6.8.7: 75 to 100 % of the interval, and with a multiplier of 1 not more than 90 %.
    const spread = this.profile.multiplier === 1 ? 0.15 : 0.25;
    const waitMs = (intervalUs / 1000) * (0.75 + spread * random());
    this.transmitTimer = clock.setTimeout(() => this.transmitPeriodic(), Math.max(0, this.sentAt + waitMs - clock.now()));
  }

  /** Sends a packet; one with Final never polls (section 6.5). */
  private transmit(final: boolean): void {
    const { clock } = this.environment;
    const packet = {
      diagnostic: this.diagnostic,
      state: this.state,
      poll: this.polling && !final,
      final,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: this.profile.multiplier,
      myDiscriminator: this.discriminator,
      yourDiscriminator: this.remote.discriminator,
      desiredMinTxUs: this.desiredMinTxUs,
      requiredMinRxUs: this.requiredMinRxUs,
      requiredMinEchoRxUs: 0,
    };
    this.sentAt = clock.now();
    if (this.environment.send(this.encode(packet))) this.counters.sent++;
    else this.counters.sendFailed++;
  }

  private encode(packet: Omit<ControlPacket, 'authentication'>): Uint8Array {
    const key = this.profile.authentication;
    if (!key) return encodeControl({ ...packet, authentication: undefined });
    // Section 6.7.3: without meticulous the number goes on when the packet says something else.
    const content = JSON.stringify(packet);
    if (key.type.startsWith('meticulous') || content !== this.lastContent) this.sequence = (this.sequence + 1) >>> 0;
    this.lastContent = content;
    return encodeAuthenticated(packet, key, this.sequence);
  }

  /** Arms the detection timer by the time that counts now. */
  private watch(): void {
    this.detectionTimer?.cancel();
    this.detectionTimer = undefined;
    if (this.remote.discriminator === 0) return;
    const { clock } = this.environment;
    this.detectionTimer = clock.setTimeout(() => this.detectionExpired(), Math.max(0, this.receivedAt + this.detectionTimeMs - clock.now()));
  }

  private detectionExpired(): void {
    // A busy process must not mistake its own delay for the peer's silence: what has arrived is looked at first.
    this.environment.drain();
    if (this.environment.clock.now() < this.receivedAt + this.detectionTimeMs) {
      this.watch();
      return;
    }
    // Section 6.8.1: the peer may be another one when it comes back.
    this.remote = REMOTE_UNKNOWN;
    const transition = onSilence(this.state);
    if (transition) this.move(transition);
    else this.environment.changed(this.state);
  }
}
