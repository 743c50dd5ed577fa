/**
 * One STAMP Session-Sender along one way to one exit (RFC 8762 section 4.2): when to probe, what a reply says, and when the exit counts as
 * gone. No sockets; time is injected. Loss is found by timers: a reply is lost when it is not there one interval and a bound after
 * its probe, so that `lost` missing replies are noticed although nothing arrives.
 */
import type { Clock, Timer } from '../../clock.js';
import { decodeReflector, encodeReturnPath, encodeSender, followedReturnPath, type ReflectorPacket } from './packet.js';
import { errorEstimate } from './reflector.js';
import { StatisticsWindow, type PathStatistics } from './statistics.js';
import { differenceNs, ntpFromUnixNs } from './timestamp.js';

export interface SessionOptions {
  readonly intervalMs: number;
  /** Consecutive lost replies that say the exit is gone; as many replies in a row say it is back ... */
  readonly lost: number;
  /** ... if they have come for this long, ms (hold-down): a way that flaps stays out. */
  readonly holdMs?: number;
  /** Margin beyond one interval before a reply is missed, at least, ms (BOUND_LEAST). */
  readonly leastBoundMs?: number;
  /** SIDs the replies shall take, travel order (RFC 9503 section 4.1.3); empty: the plain way. */
  readonly returnPath?: readonly Uint8Array[];
  /** Our clock is synchronised to UTC: with a reflector that says so too, one-way delays are known. */
  readonly synchronised?: boolean;
  /** RFC 8972 session identifier, 1..65535. */
  readonly sessionId: number;
}

export interface SessionShell {
  /**
   * Sends a probe; false when the socket refused it (no route): the probe then counts as lost in its time. `onTransmitted` gets the Unix time in ns
   * at which the kernel handed it to the driver, where that is told.
   */
  send(packet: Uint8Array, onTransmitted: (sentNs: bigint) => void): boolean;
  /** Hands over replies that wait in the socket. Called before a probe is counted as lost: after a pause of this process the reply is there already. */
  drain(): void;
  /** Unix time in ns, for the timestamps on the wire. */
  unixNs(): bigint;
  /** 0..1 */
  random(): number;
  /** `outage`: what was missing when it went, or was while it was gone. */
  onAlive(alive: boolean, outage: Outage): void;
  /** New statistics: a reply or a loss. */
  onMeasured(): void;
}

/** The replies that were missing when a way was found dead. */
export interface Outage {
  /** Sequence numbers of the first and the last probe that got no reply. */
  readonly first: number;
  readonly last: number;
  /** When the first of them was sent: Unix time, ms, and how long before the way was found dead or alive again, ms. */
  readonly sinceUnixMs: number;
  readonly elapsedMs: number;
}

/** What is known beyond the statistics that choices are made from. */
export interface PathDetail {
  /** RFC 3393 delay variation of the round trip, us (`StatisticsWindow.variation`). */
  readonly variationUs: number | undefined;
  /** Smoothed one-way delays there and back, us; undefined unless both clocks are synchronised. */
  readonly forwardUs: number | undefined;
  readonly backwardUs: number | undefined;
  /** Routers that forwarded the last probe that was answered; 0: the exit is a neighbour. */
  readonly hops: number | undefined;
  /** Replies took the return path that was asked for; undefined: none was asked for, or there was no reply yet. */
  readonly returnPathFollowed: boolean | undefined;
}

/** Margin beyond one interval before a reply is missed, ms: at least, until a round trip is known, and at most. */
const BOUND_LEAST = 50;
const BOUND_FIRST = 200;
const BOUND_MOST = 1000;
/** A reply this late is still taken, ms after its probe: it shows that the path got slower, not that it broke. */
const LATE_LIMIT = 3000;
/** By how much the kernel's clocks may disagree with ours on how long a probe was under way, us; past that somebody set the clock. */
const CLOCK_TOLERANCE = 50_000;
const ONE_WAY_GAIN = 1 / 8;

interface Probe {
  readonly sequence: number;
  readonly timestamp: bigint;
  /** Monotonic ms. */
  readonly sentAt: number;
  readonly sentUnixMs: number;
  /** Kernel's transmit timestamp, Unix time in ns. */
  transmittedNs: bigint | undefined;
  lost: boolean;
}

export type ReplyVerdict = 'measured' | 'late' | 'malformed' | 'unexpected';

export class StampSession {
  alive = true;
  private readonly window: StatisticsWindow;
  private readonly probes = new Map<number, Probe>();
  private sequence = 0;
  private missed = 0;
  private firstMissed: Probe | undefined;
  private lastMissed: Probe | undefined;
  private good = 0;
  private goodSince = 0;
  private forward: number | undefined;
  private backward: number | undefined;
  private hops: number | undefined;
  private returnPathFollowed: boolean | undefined;
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

  get detail(): PathDetail {
    return { variationUs: this.window.variation(), forwardUs: this.forward, backwardUs: this.backward, hops: this.hops, returnPathFollowed: this.returnPathFollowed };
  }

  private probe(): void {
    this.sendTimer = this.clock.setTimeout(() => this.probe(), this.options.intervalMs);
    const sequence = this.sequence;
    this.sequence = (this.sequence + 1) >>> 0;
    const timestamp = ntpFromUnixNs(this.shell.unixNs());
    const probe: Probe = { sequence, timestamp, sentAt: this.clock.now(), sentUnixMs: this.clock.unixMs(), transmittedNs: undefined, lost: false };
    this.probes.set(sequence, probe);
    this.window.onSent();
    this.shell.send(this.packet(sequence, timestamp), (sentNs) => (probe.transmittedNs = sentNs));
    const timer: Timer = this.clock.setTimeout(() => {
      this.lossTimers.delete(timer);
      this.due(probe);
    }, this.options.intervalMs + this.bound());
    this.lossTimers.add(timer);
    this.forgetOld();
  }

  private packet(sequence: number, timestamp: bigint): Uint8Array {
    const { sessionId, synchronised, returnPath } = this.options;
    const packet = encodeSender({ sequence, timestamp, errorEstimate: errorEstimate(synchronised ?? false), sessionId });
    return returnPath?.length ? Buffer.concat([packet, encodeReturnPath(returnPath)]) : packet;
  }

  /** Smoothed round trip and four times its variation, as RFC 6298 section 2 waits for an answer. */
  private bound(): number {
    const rttUs = this.window.rttUs;
    if (rttUs === undefined) return BOUND_FIRST;
    return Math.min(BOUND_MOST, Math.max(this.options.leastBoundMs ?? BOUND_LEAST, (rttUs + 4 * this.window.jitterUs) / 1000));
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
    if (this.missed === 0 && this.alive) this.firstMissed = probe;
    this.missed++;
    this.lastMissed = probe;
    this.good = 0;
    this.window.onLost();
    if (this.alive && this.missed >= this.options.lost) {
      this.alive = false;
      this.shell.onAlive(false, this.outage());
    }
    this.shell.onMeasured();
  }

  private outage(): Outage {
    const { firstMissed, lastMissed } = this;
    if (!firstMissed || !lastMissed) throw new Error('a way is dead or back only after a reply was missing');
    return { first: firstMissed.sequence, last: lastMissed.sequence, sinceUnixMs: firstMissed.sentUnixMs, elapsedMs: this.clock.now() - firstMissed.sentAt };
  }

  /**
   * Takes a packet from the exit's address and port. `receivedAt` is when it came in, monotonic ms, and `receivedNs` the same as the kernel's
   * Unix time, where it is known. Only a reply that repeats sequence
   * number and timestamp of a probe under way counts, so that others cannot make up a path that is not there.
   */
  onPacket(bytes: Uint8Array, receivedAt: number, receivedNs?: bigint): ReplyVerdict {
    const reply = decodeReflector(bytes);
    if ('fault' in reply) return 'malformed';
    const probe = this.probes.get(reply.senderSequence);
    if (!probe || probe.timestamp !== reply.senderTimestamp) return 'unexpected';
    // RFC 8972 section 3: a reflector that knows no session identifiers (RFC 8762 only) sends zeros.
    if (reply.sessionId !== 0 && reply.sessionId !== this.options.sessionId) return 'unexpected';
    this.probes.delete(reply.senderSequence);
    const elapsedUs = elapsed(probe, receivedAt, receivedNs);
    const residenceUs = Number(differenceNs(reply.timestamp, reply.receiveTimestamp, reply.errorEstimate.format)) / 1000;
    // A residence that cannot be (its clock was set meanwhile) is not taken out.
    const rttUs = residenceUs >= 0 && residenceUs <= elapsedUs ? elapsedUs - residenceUs : elapsedUs;
    // Back after it was gone: perhaps by another path, of which the old round trips say nothing.
    if (!this.alive && this.good === 0) this.window.restart();
    if (probe.lost) this.window.onLateReply(rttUs, receivedAt);
    else this.window.onReply(rttUs, receivedAt);
    if (receivedNs !== undefined) this.oneWay(probe, reply, receivedNs);
    // Probes leave with a hop limit of 255 (RFC 8762 section 4.2.1).
    this.hops = 255 - reply.senderTtl;
    if (this.options.returnPath?.length) this.returnPathFollowed = followedReturnPath(bytes);
    this.missed = 0;
    if (this.good++ === 0) this.goodSince = this.clock.now();
    if (!this.alive && this.good >= this.options.lost && this.clock.now() - this.goodSince >= (this.options.holdMs ?? 0)) {
      this.alive = true;
      this.shell.onAlive(true, this.outage());
    }
    this.shell.onMeasured();
    return probe.lost ? 'late' : 'measured';
  }

  /** One-way delays (RFC 7679 section 3): only where both ends say that their clocks are synchronised, and in our format. */
  private oneWay(probe: Probe, reply: ReflectorPacket, receivedNs: bigint): void {
    if (!this.options.synchronised || !reply.errorEstimate.synchronised || reply.errorEstimate.format !== 'ntp') return;
    const sent = probe.transmittedNs === undefined ? probe.timestamp : ntpFromUnixNs(probe.transmittedNs);
    const smooth = (before: number | undefined, ns: bigint): number => (before === undefined ? Number(ns) / 1000 : before + (Number(ns) / 1000 - before) * ONE_WAY_GAIN);
    this.forward = smooth(this.forward, differenceNs(reply.receiveTimestamp, sent, 'ntp'));
    this.backward = smooth(this.backward, differenceNs(ntpFromUnixNs(receivedNs), reply.timestamp, 'ntp'));
  }
}

/** How long a probe was under way, us: by the kernel's timestamps where both are there and the clock was not set in between, else by ours. */
function elapsed(probe: Probe, receivedAt: number, receivedNs: bigint | undefined): number {
  const elapsedUs = Math.max(0, receivedAt - probe.sentAt) * 1000;
  if (receivedNs === undefined || probe.transmittedNs === undefined) return elapsedUs;
  const kernelUs = Number(receivedNs - probe.transmittedNs) / 1000;
  return kernelUs >= 0 && Math.abs(kernelUs - elapsedUs) < CLOCK_TOLERANCE ? kernelUs : elapsedUs;
}
