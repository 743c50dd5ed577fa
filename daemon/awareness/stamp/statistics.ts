/** What the probes of one session say: round trip, jitter and loss over a window of the last probes. */

export interface PathStatistics {
  /** Round trip without the reflector's residence time, us: smoothed, least and mean of the window; undefined before the first reply. */
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

/** How the values above are smoothed, in words, for those who are shown them. */
export const SMOOTHING = 'round trip and one-way delays: moving average, gain 1/8 (RFC 6298), of bunched replies the last; jitter: gain 1/16 (RFC 3550); variation and loss: the last 100 probes';

const RTT_GAIN = 1 / 8;
const JITTER_GAIN = 1 / 16;
/** So many first round trips are not smoothed but give their median: the first ones wait for neighbor discovery. */
const FIRST = 8;
const LOST = -1;
const VARIATION_SHARE = 0.95;

interface Estimate {
  readonly first: readonly number[];
  readonly smoothed: number | undefined;
  readonly previous: number | undefined;
  readonly jitter: number;
}

const NOTHING: Estimate = { first: [], smoothed: undefined, previous: undefined, jitter: 0 };

function extend(estimate: Estimate, rttUs: number): Estimate {
  const { smoothed, previous } = estimate;
  const first = estimate.first.length < FIRST ? [...estimate.first, rttUs] : estimate.first;
  const median = [...first].sort((a, b) => a - b)[(first.length - 1) >> 1]!;
  return {
    first,
    smoothed: smoothed === undefined || first !== estimate.first ? median : smoothed + (rttUs - smoothed) * RTT_GAIN,
    previous: rttUs,
    jitter: previous === undefined ? 0 : estimate.jitter + (Math.abs(rttUs - previous) - estimate.jitter) * JITTER_GAIN,
  };
}

export class StatisticsWindow {
  private readonly outcomes: Float64Array;
  private count = 0;
  private estimate = NOTHING;
  /** The estimate before the last reply, and when that came. */
  private before = NOTHING;
  private repliedAt = -Infinity;
  private counters = { sent: 0, received: 0, lost: 0, late: 0 };

  /**
   * Replies that come within `bunchMs` of each other were held up together (by neighbor discovery, a queue): only the last of them says how
   * long the way is now.
   */
  constructor(
    private readonly bunchMs: number,
    size = 100,
  ) {
    this.outcomes = new Float64Array(size);
  }

  get rttUs(): number | undefined {
    return this.estimate.smoothed;
  }

  get jitterUs(): number {
    return this.estimate.jitter;
  }

  onSent(): void {
    this.counters.sent++;
  }

  /** `at`: when the reply came in, ms. */
  onReply(rttUs: number, at: number): void {
    this.counters.received++;
    this.record(rttUs);
    this.smooth(rttUs, at);
  }

  onLost(): void {
    this.counters.lost++;
    this.record(LOST);
  }

  /** A reply to a probe that was counted as lost: takes one loss back. */
  onLateReply(rttUs: number, at: number): void {
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
    this.smooth(rttUs, at);
  }

  private record(outcome: number): void {
    this.outcomes[this.count++ % this.outcomes.length] = outcome;
  }

  private smooth(rttUs: number, at: number): void {
    if (at - this.repliedAt >= this.bunchMs) this.before = this.estimate;
    this.repliedAt = at;
    this.estimate = extend(this.before, rttUs);
  }

  /**
   * Delay variation of the window, us: what 95 of 100 replies took longer at most than the fastest (RFC 3393 section 2.6 with the minimum as the
   * reference, RFC 5481 section 4.2 calls it PDV); undefined before the first reply.
   */
  variation(): number | undefined {
    const replies = this.outcomes.subarray(0, Math.min(this.count, this.outcomes.length)).filter((outcome) => outcome !== LOST).sort();
    return replies.length === 0 ? undefined : replies[Math.ceil(replies.length * VARIATION_SHARE) - 1]! - replies[0]!;
  }

  /** Forgets window, round trip and jitter; the counters go on. */
  restart(): void {
    this.count = 0;
    this.estimate = NOTHING;
    this.before = NOTHING;
    this.repliedAt = -Infinity;
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
      rttUs: this.rttUs,
      minimumUs: received > 0 ? minimum : undefined,
      meanUs: received > 0 ? sum / received : undefined,
      jitterUs: this.jitterUs,
      lossPpm: filled > 0 ? Math.round((lost * 1_000_000) / filled) : 0,
      ...this.counters,
    };
  }
}
