/**
 * When to compute routes: the SPF delay algorithm (RFC 8405). The first change is answered at once, a burst of them with a short delay, and a
 * network that keeps changing with a long one, so that all routers compute at about the same times.
 */
import type { Clock, Timer } from '../../clock.js';
import type { SpfTimers } from '../types.js';

export type BackoffState = 'QUIET' | 'SHORT_WAIT' | 'LONG_WAIT';

export class SpfBackoff {
  private current: BackoffState = 'QUIET';
  private spfTimer: Timer | undefined;
  private learnTimer: Timer | undefined;
  private holdDownTimer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly timers: SpfTimers,
    private readonly compute: () => void,
  ) {}

  get state(): BackoffState {
    return this.current;
  }

  /** Whether a computation is due. */
  get isPending(): boolean {
    return this.spfTimer !== undefined;
  }

  /** An IGP event: something that needs a computation has changed. */
  event(): void {
    const { initialDelayMs, shortDelayMs, longDelayMs, timeToLearnMs } = this.timers;
    switch (this.current) {
      case 'QUIET': // transition 1
        this.startSpf(initialDelayMs);
        this.learnTimer = this.clock.setTimeout(() => this.learned(), timeToLearnMs);
        this.restartHoldDown();
        this.current = 'SHORT_WAIT';
        return;
      case 'SHORT_WAIT': // transition 2
        this.restartHoldDown();
        this.startSpf(shortDelayMs);
        return;
      case 'LONG_WAIT': // transition 4
        this.restartHoldDown();
        this.startSpf(longDelayMs);
    }
  }

  stop(): void {
    for (const timer of [this.spfTimer, this.learnTimer, this.holdDownTimer]) timer?.cancel();
    this.spfTimer = this.learnTimer = this.holdDownTimer = undefined;
    this.current = 'QUIET';
  }

  private startSpf(delayMs: number): void {
    this.spfTimer ??= this.clock.setTimeout(() => {
      this.spfTimer = undefined;
      this.compute();
    }, delayMs);
  }

  private restartHoldDown(): void {
    this.holdDownTimer?.cancel();
    this.holdDownTimer = this.clock.setTimeout(() => this.quiet(), this.timers.holdDownMs);
  }

  /** Transition 3. */
  private learned(): void {
    this.learnTimer = undefined;
    this.current = 'LONG_WAIT';
  }

  /** Transitions 5 and 6. */
  private quiet(): void {
    this.holdDownTimer = undefined;
    this.learnTimer?.cancel();
    this.learnTimer = undefined;
    this.current = 'QUIET';
  }
}
