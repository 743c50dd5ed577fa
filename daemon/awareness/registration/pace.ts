/** How often one node may speak: a token bucket in front of its updates, and a hard limit above which it is sent away for a while. Pure. */

/** Above so many times the permitted rate within a second a node is a flood. */
const FLOOD_FACTOR = 50;
const FLOOD_PENALTY_MS = 5000;

export class UpdatePace {
  private tokens: number;
  private filledAt: number;
  private windowAt: number;
  private inWindow = 0;
  private barredUntil = -Infinity;

  constructor(
    private rate: number, // updates per second
    now: number,
  ) {
    this.tokens = rate;
    this.filledAt = now;
    this.windowAt = now;
  }

  setRate(rate: number): void {
    this.rate = rate;
  }

  /** 'apply': at once. 'gather': together with what follows, in `wait` ms. 'flood': end the stream. */
  judge(now: number): 'apply' | 'gather' | 'flood' {
    if (now - this.windowAt >= 1000) {
      this.windowAt = now;
      this.inWindow = 0;
    }
    if (++this.inWindow > this.rate * FLOOD_FACTOR) {
      this.barredUntil = now + FLOOD_PENALTY_MS;
      return 'flood';
    }
    this.fill(now);
    if (this.tokens < 1) return 'gather';
    this.tokens--;
    return 'apply';
  }

  /** ms until the next update may be applied. */
  wait(now: number): number {
    this.fill(now);
    return Math.max(0, ((1 - this.tokens) / this.rate) * 1000);
  }

  /** ms for which the node is still sent away. */
  barred(now: number): number {
    return Math.max(0, this.barredUntil - now);
  }

  private fill(now: number): void {
    this.tokens = Math.min(this.rate, this.tokens + ((now - this.filledAt) / 1000) * this.rate);
    this.filledAt = now;
  }
}
