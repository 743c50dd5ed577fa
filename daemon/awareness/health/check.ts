/** Repeats one health check: a probe an interval, each with a time limit, never two at once. */
import type { Clock, Timer } from '../../clock.js';
import type { HealthCheckConfig } from '../../config/types.js';
import { HealthState } from './state.js';

/** One attempt. Calls `done` once: with undefined when it worked, else with why not. Returns the way to give up. */
export type Probe = (done: (failure: string | undefined) => void) => { cancel(): void };

export class HealthCheck {
  readonly state: HealthState;
  private next: Timer | undefined;
  private limit: Timer | undefined;
  private attempt: { cancel(): void } | undefined;
  private stopped = true;

  constructor(
    private readonly config: Pick<HealthCheckConfig, 'intervalMs' | 'timeoutMs' | 'fall' | 'rise'>,
    private readonly probe: Probe,
    private readonly clock: Clock,
    /** Called when the status changed. */
    private readonly onChange: (state: HealthState) => void,
  ) {
    this.state = new HealthState(config.fall, config.rise);
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.run();
  }

  stop(): void {
    this.stopped = true;
    this.next?.cancel();
    this.limit?.cancel();
    this.attempt?.cancel();
    this.attempt = undefined;
  }

  private run(): void {
    const startedAt = this.clock.now();
    let ended = false;
    const end = (failure: string | undefined): void => {
      if (ended || this.stopped) return;
      ended = true;
      this.limit?.cancel();
      this.attempt = undefined;
      this.next = this.clock.setTimeout(() => this.run(), Math.max(0, startedAt + this.config.intervalMs - this.clock.now()));
      if (this.state.result(failure)) this.onChange(this.state);
    };
    this.limit = this.clock.setTimeout(() => {
      this.attempt?.cancel();
      end(`no answer within ${this.config.timeoutMs} ms`);
    }, this.config.timeoutMs);
    const attempt = this.probe(end);
    // The probe may have answered at once; `end` has then run already.
    if (!(ended as boolean)) this.attempt = attempt;
  }
}
