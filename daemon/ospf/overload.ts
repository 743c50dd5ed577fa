/**
 * Protection of the link-state database. More LSAs of others than allowed, and the router leaves the network for a while: no packets, no
 * adjacencies, LSAs of others forgotten. Its neighbours route around it, which a router with half a database could not make sure of. It comes
 * back by itself; the time away doubles while that does not help.
 */
import type { Clock, Timer } from '../clock.js';
import { OVERLOAD_COOL_OFF_MS, OVERLOAD_MAXIMUM_COOL_OFF_MS } from './constants.js';

export class Overload {
  private timer: Timer | undefined;
  private coolOffMs = OVERLOAD_COOL_OFF_MS;
  private endedAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    /** Called once this turn is over: interfaces go down inside. */
    private readonly began: (coolOffMs: number) => void,
    private readonly ended: () => void,
  ) {}

  get isOn(): boolean {
    return this.timer !== undefined;
  }

  begin(): void {
    if (this.timer) return;
    // A quiet time as long as the last absence was: what was wrong is over.
    this.coolOffMs = this.clock.now() - this.endedAt > this.coolOffMs ? OVERLOAD_COOL_OFF_MS : Math.min(2 * this.coolOffMs, OVERLOAD_MAXIMUM_COOL_OFF_MS);
    const { coolOffMs } = this;
    this.timer = this.clock.setTimeout(() => {
      this.began(coolOffMs);
      this.timer = this.clock.setTimeout(() => {
        this.stop();
        this.endedAt = this.clock.now();
        this.ended();
      }, coolOffMs);
    }, 0);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
