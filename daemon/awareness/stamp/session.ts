/**
 * One STAMP Session-Sender towards one exit (RFC 8762 section 4.2): when to probe, what a reply says, and when the exit counts as
 * gone. No sockets; time is injected. Loss is found by timers: a reply is lost when it is not there one interval and a bound after
 * its probe, so that `lost` missing replies are noticed although nothing arrives.
 */
import type { Clock, Timer } from '../../clock.js';
import { decodeReflector, encodeSender } from './packet.js';
import { ERROR_ESTIMATE } from './reflector.js';
import { StatisticsWindow, type PathStatistics } from './statistics.js';
import { differenceNs, ntpFromUnixNs } from './timestamp.js';

export interface SessionOptions {
  readonly intervalMs: number;
  /** Consecutive lost replies that say the exit is gone; as many replies in a row say it is back. */
  readonly lost: number;
  /** RFC 8972 session identifier, 1..65535. */
  readonly sessionId: number;
}

export interface SessionShell {
  /** Sends a probe; false when the socket refused it (no route): the probe then counts as lost in its time. */
  send(packet: Uint8Array): boolean;
  /** Hands over replies that wait in the socket. Called before a probe is counted as lost: after a pause of this process the reply is there already. */
  drain(): void;
  /** Unix time in ns, for the timestamps on the wire. */
  unixNs(): bigint;
  /** 0..1 */
  random(): number;
  onAlive(alive: boolean): void;
  /** New statistics: a reply or a loss. */
  onMeasured(): void;
}

/** Margin beyond one interval before a reply is missed, ms: at least, until a round trip is known, and at most. */
const BOUND_LEAST = 50;
const BOUND_FIRST = 200;
const BOUND_MOST = 1000;
/** A reply this late is still taken, ms after its probe: it shows that the path got slower, not that it broke. */
const LATE_LIMIT = 3000;

interface Probe {
  readonly sequence: number;
  readonly timestamp: bigint;
  /** Monotonic ms. */
  readonly sentAt: number;
  lost: boolean;
}

export type ReplyVerdict = 'measured' | 'late' | 'malformed' | 'unexpected';

export class StampSession {
  alive = true;
  private readonly window: StatisticsWindow;
  private readonly probes = new Map<number, Probe>();
  private sequence = 0;
  private missed = 0;
  private good = 0;
  private sendTimer: Timer | undefined;
  private readonly lossTimers = new Set<Timer>();

  constructor(
    private options: SessionOptions,
    private readonly shell: SessionShell,
    private readonly clock: Clock,
  ) {
    this.window = new StatisticsWindow(options.intervalMs / 4);
  }

  /** Starts at a random point of the interval, so that the sessions of a router (and of all routers started together) spread. */
  start(): void {
    this.sendTimer ??= this.clock.setTimeout(() => this.probe(), this.shell.random() * this.options.intervalMs);
  }

  stop(): void {
    this.sendTimer?.cancel();
    this.sendTimer = undefined;
    for (const timer of this.lossTimers) timer.cancel();
    this.lossTimers.clear();
    this.probes.clear();
  }

  /** Takes effect with the next probe. */
  reconfigure(options: Omit<SessionOptions, 'sessionId'>): void {
    this.options = { ...this.options, ...options };
  }

  /** Probes whose replies would still be taken. */
  get underWay(): number {
    return this.probes.size;
  }

  get statistics(): PathStatistics {
    return this.window.read();
  }

  private probe(): void {
    this.sendTimer = this.clock.setTimeout(() => this.probe(), this.options.intervalMs);
    const sequence = this.sequence;
    this.sequence = (this.sequence + 1) >>> 0;
    const timestamp = ntpFromUnixNs(this.shell.unixNs());
    const probe: Probe = { sequence, timestamp, sentAt: this.clock.now(), lost: false };
    this.probes.set(sequence, probe);
    this.window.onSent();
    this.shell.send(encodeSender({ sequence, timestamp, errorEstimate: ERROR_ESTIMATE, sessionId: this.options.sessionId }));
    const timer: Timer = this.clock.setTimeout(() => {
      this.lossTimers.delete(timer);
      this.due(probe);
    }, this.options.intervalMs + this.bound());
    this.lossTimers.add(timer);
    this.forgetOld();
  }

  /** Smoothed round trip and four times its variation, as RFC 6298 section 2 waits for an answer. */
  private bound(): number {
    const rttUs = this.window.rttUs;
    if (rttUs === undefined) return BOUND_FIRST;
    return Math.min(BOUND_MOST, Math.max(BOUND_LEAST, (rttUs + 4 * this.window.jitterUs) / 1000));
  }

  private forgetOld(): void {
    const oldest = this.clock.now() - LATE_LIMIT;
    for (const [sequence, probe] of this.probes) {
      if (probe.sentAt >= oldest) break; // the map is in the order of sending
      if (probe.lost) this.probes.delete(sequence);
    }
  }

  private due(probe: Probe): void {
    if (!this.probes.has(probe.sequence)) return;
    this.shell.drain();
    if (!this.probes.has(probe.sequence)) return;
    probe.lost = true;
    this.missed++;
    this.good = 0;
    this.window.onLost();
    if (this.alive && this.missed >= this.options.lost) {
      this.alive = false;
      this.shell.onAlive(false);
    }
    this.shell.onMeasured();
  }

  /**
   * Takes a packet from the exit's address and port. `receivedAt` is when it came in, monotonic ms. Only a reply that repeats sequence
   * number and timestamp of a probe under way counts, so that others cannot make up a path that is not there.
   */
  onPacket(bytes: Uint8Array, receivedAt: number): ReplyVerdict {
    const reply = decodeReflector(bytes);
    if ('fault' in reply) return 'malformed';
    const probe = this.probes.get(reply.senderSequence);
    if (!probe || probe.timestamp !== reply.senderTimestamp) return 'unexpected';
    // RFC 8972 section 3: a reflector that knows no session identifiers (RFC 8762 only) sends zeros.
    if (reply.sessionId !== 0 && reply.sessionId !== this.options.sessionId) return 'unexpected';
    this.probes.delete(reply.senderSequence);
    const elapsedUs = Math.max(0, receivedAt - probe.sentAt) * 1000;
    const residenceUs = Number(differenceNs(reply.timestamp, reply.receiveTimestamp, reply.errorEstimate.format)) / 1000;
    // A residence that cannot be (its clock was set meanwhile) is not taken out.
    const rttUs = residenceUs >= 0 && residenceUs <= elapsedUs ? elapsedUs - residenceUs : elapsedUs;
    // Back after it was gone: perhaps by another path, of which the old round trips say nothing.
    if (!this.alive && this.good === 0) this.window.restart();
    if (probe.lost) this.window.onLateReply(rttUs, receivedAt);
    else this.window.onReply(rttUs, receivedAt);
    this.missed = 0;
    this.good++;
    if (!this.alive && this.good >= this.options.lost) {
      this.alive = true;
      this.shell.onAlive(true);
    }
    this.shell.onMeasured();
    return probe.lost ? 'late' : 'measured';
  }
}
