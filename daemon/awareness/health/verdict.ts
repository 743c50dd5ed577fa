/**
 * What is told of an instance, out of what its checks say: it falls at once, and comes back only when its checks have been good for the
 * hold-down time and it is not suppressed for flapping.
 */
import type { Clock, Timer } from '../../clock.js';
import type { HealthCheckConfig } from '../../config/types.js';
import { FlapDamping } from './flap-damping.js';

export class HealthVerdict {
  private told: 'up' | 'down' | undefined;
  private checked: 'up' | 'down' | undefined;
  private goodSince = 0;
  private wait: Timer | undefined;
  private readonly damping: FlapDamping | undefined;

  constructor(
    private readonly config: Pick<HealthCheckConfig, 'holdDownMs' | 'damping'>,
    private readonly clock: Clock,
    /** Told each status, and `down` once more when its reason changed. */
    private readonly tell: (status: 'up' | 'down', reason: string) => void,
  ) {
    this.damping = config.damping && new FlapDamping(config.damping);
  }

  /** The checks changed their mind. */
  update(status: 'up' | 'down', reason: string): void {
    const now = this.clock.now();
    const first = this.checked === undefined;
    if (status === 'down') {
      this.wait?.cancel();
      if (this.checked === 'up') this.damping?.fell(now);
    } else {
      // What was never down has nothing to prove.
      this.goodSince = first ? -Infinity : now;
    }
    this.checked = status;
    if (status === 'down') this.say('down', reason);
    else this.settle();
  }

  stop(): void {
    this.wait?.cancel();
  }

  /** Up, unless there is something to wait for. */
  private settle(): void {
    this.wait?.cancel();
    const now = this.clock.now();
    const held = this.goodSince + this.config.holdDownMs - now;
    const suppressed = this.damping?.remainingMs(now) ?? 0;
    if (held <= 0 && suppressed <= 0) {
      this.say('up', '');
      return;
    }
    const { damping } = this.config;
    const reason =
      suppressed > held && damping
        ? `suppressed for flapping: its penalty of ${Math.round(this.damping!.penalty(now))} must fall to ${damping.reuse}, which takes ${Math.ceil(suppressed / 1000)} s`
        : `held down: its checks must be good for ${this.config.holdDownMs} ms`;
    this.say('down', reason);
    this.wait = this.clock.setTimeout(() => this.settle(), Math.max(held, suppressed));
  }

  private say(status: 'up' | 'down', reason: string): void {
    if (status === 'up' && this.told === 'up') return;
    this.told = status;
    this.tell(status, reason);
  }
}
