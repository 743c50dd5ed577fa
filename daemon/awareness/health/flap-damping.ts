/**
 * Flap damping (RFC 2439): every fall adds a penalty that decays exponentially; above the suppress threshold what flaps is not used, until
 * the penalty has decayed below the reuse threshold. No timers: the caller asks, with the time.
 */
import type { FlapDampingConfig } from '../../config/types.js';

export const FLAP_PENALTY = 1000;

export class FlapDamping {
  private value = 0;
  private at = 0;
  private held = false;
  /** RFC 2439 section 4.2: no penalty above this, so that nothing is suppressed for longer than the maximum. */
  private readonly ceiling: number;

  constructor(private readonly config: FlapDampingConfig) {
    this.ceiling = config.reuse * 2 ** (config.maxSuppressMs / config.halfLifeMs);
  }

  /** A fall at `now`, ms. */
  fell(now: number): void {
    this.value = Math.min(this.ceiling, this.penalty(now) + FLAP_PENALTY);
    this.at = now;
    if (this.value > this.config.suppress) this.held = true;
  }

  penalty(now: number): number {
    return this.value * 2 ** -((now - this.at) / this.config.halfLifeMs);
  }

  isSuppressed(now: number): boolean {
    if (this.held && this.penalty(now) <= this.config.reuse) this.held = false;
    return this.held;
  }

  /** How long until it may be used again, ms; 0: now. */
  remainingMs(now: number): number {
    return this.isSuppressed(now) ? Math.ceil(this.config.halfLifeMs * Math.log2(this.penalty(now) / this.config.reuse)) : 0;
  }
}
