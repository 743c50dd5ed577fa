/** What the probes of one session say: round trip, jitter and loss over a window of the last probes. */

export interface PathStatistics {
  /** Round trip without the reflector's residence time, us: smoothed (1/8 weight of the newest), least and mean of the window; undefined before the first reply. */
  readonly rttUs: number | undefined;
  readonly minimumUs: number | undefined;
  readonly meanUs: number | undefined;
  /** Smoothed difference of consecutive round trips, us (RFC 3550 section 6.4.1, with round trips for transit times). */
  readonly jitterUs: number;
  /** Lost probes of the window, ppm. */
  readonly lossPpm: number;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** Replies that came after they were counted as lost, and are no longer. */
  readonly late: number;
}

const RTT_GAIN = 1 / 8;
const JITTER_GAIN = 1 / 16;
const LOST = -1;

export class StatisticsWindow {
  private readonly outcomes: Float64Array;
  private count = 0;
  private smoothed: number | undefined;
  private previous: number | undefined;
  private jitter = 0;
  private counters = { sent: 0, received: 0, lost: 0, late: 0 };

  constructor(size = 100) {
    this.outcomes = new Float64Array(size);
  }

  get rttUs(): number | undefined {
    return this.smoothed;
  }

  get jitterUs(): number {
    return this.jitter;
  }

  onSent(): void {
    this.counters.sent++;
  }

  onReply(rttUs: number): void {
    this.counters.received++;
    this.record(rttUs);
    this.smooth(rttUs);
  }

  onLost(): void {
    this.counters.lost++;
    this.record(LOST);
  }

  /** A reply to a probe that was counted as lost: takes one loss back. */
  onLateReply(rttUs: number): void {
    this.counters.received++;
    this.counters.lost--;
    this.counters.late++;
    const filled = Math.min(this.count, this.outcomes.length);
    for (let back = 1; back <= filled; back++) {
      const index = (this.count - back) % this.outcomes.length;
      if (this.outcomes[index] !== LOST) continue;
      this.outcomes[index] = rttUs;
      break;
    }
    this.smooth(rttUs);
  }

  private record(outcome: number): void {
    this.outcomes[this.count++ % this.outcomes.length] = outcome;
  }

  private smooth(rttUs: number): void {
    this.smoothed = this.smoothed === undefined ? rttUs : this.smoothed + (rttUs - this.smoothed) * RTT_GAIN;
    if (this.previous !== undefined) this.jitter += (Math.abs(rttUs - this.previous) - this.jitter) * JITTER_GAIN;
    this.previous = rttUs;
  }

  /** Forgets window, round trip and jitter; the counters go on. */
  restart(): void {
    this.count = 0;
    this.smoothed = undefined;
    this.previous = undefined;
    this.jitter = 0;
  }

  read(): PathStatistics {
    const filled = Math.min(this.count, this.outcomes.length);
    let lost = 0;
    let sum = 0;
    let minimum = Infinity;
    for (let i = 0; i < filled; i++) {
      const outcome = this.outcomes[i]!;
      if (outcome === LOST) {
        lost++;
        continue;
      }
      sum += outcome;
      minimum = Math.min(minimum, outcome);
    }
    const received = filled - lost;
    return {
      rttUs: this.smoothed,
      minimumUs: received > 0 ? minimum : undefined,
      meanUs: received > 0 ? sum / received : undefined,
      jitterUs: this.jitter,
      lossPpm: filled > 0 ? Math.round((lost * 1_000_000) / filled) : 0,
      ...this.counters,
    };
  }
}
