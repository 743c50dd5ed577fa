/**
 * The Send Hold Timer (RFC 9687): a peer that reads nothing would keep old routes of ours for ever, while its own KEEPALIVEs hold the
 * session up. The session ends when nothing has left for the Send Hold Time.
 */
import type { Clock, Timer } from '../clock.js';
import type { Stream } from './transport.js';

/** RFC 9687 section 4.1: eight minutes, or twice the hold time if that is longer; ms. */
const sendHoldMs = 480_000;
/** How often progress is looked at in that time, as long as something waits. */
const checks = 8;

export class SendHold {
  private timer: Timer | undefined;
  /** Octets written to the stream. */
  private written = 0;

  constructor(
    private readonly clock: Clock,
    private readonly stream: Stream,
    private readonly holdMs: () => number,
    private readonly expired: () => void,
  ) {}

  /** Notes a write of some octets. */
  wrote(octets: number): void {
    this.written += octets;
    if (!this.timer) this.start(0, -1);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private start(idleChecks: number, takenBefore: number): void {
    const check = (): void => {
      this.timer = undefined;
      if (this.stream.buffered === 0) return;
      const taken = this.written - this.stream.buffered;
      if (taken > takenBefore) this.start(0, taken);
      else if (idleChecks + 1 < checks) this.start(idleChecks + 1, taken);
      else this.expired();
    };
    this.timer = this.clock.setTimeout(check, Math.max(sendHoldMs, 2 * this.holdMs()) / checks);
  }
}
