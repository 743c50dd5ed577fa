/** Long work in parts, one at a time, with pauses: the event loop gets its turn in between. */
import type { Clock, Timer } from '../clock.js';

export class Sliced {
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly pauseMs: number,
  ) {}

  /** Begins with the first part, unless earlier work is still under way: then nothing happens. `work` is only called when it begins. */
  begin(work: () => Iterator<unknown>): void {
    if (this.timer) return;
    const parts = work();
    const run = (): void => {
      this.timer = undefined;
      if (parts.next().done !== true) this.timer = this.clock.setTimeout(run, this.pauseMs);
    };
    run();
  }

  /** Leaves the rest undone. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
