/**
 * Keeps the punt queue short under a flood. The configured limit of an interface says what a client may do at most; what the daemon can take
 * at the moment depends on the machine and on what else it does, and a queue that one interface fills is full for all. So when the daemon
 * has not come to the end of the queue for a while, every interface gets a lower limit, until the queue drains; afterwards the limit rises
 * until it is the configured one. An interface that sends less does not notice. (How long a queue stands, not how long it is, tells a
 * burst from an overload: RFC 8289 section 3.) Pure; time is given.
 */

/** How long a queue may stand, ms. */
const STANDING_MS = 50;
/** The limit is lowered to this share, then again when the queue has been standing for as long again. */
const DECREASE = 0.7;
/** It rises by this factor a second. */
const INCREASE = 2;
/** New flows a second that an interface may always have. */
const LEAST = 1000;

export class PuntGovernor {
  /** Packets a second and interface; 0 is no limit, as in the configuration. */
  private configured = 0;
  /** In force while it is under the configured one. */
  private lowered = Infinity;
  private lastLook = 0;
  /** Since when the queue stands, or stands under the limit now in force, and what had been read until then. */
  private standing: { readonly since: number; readonly received: number } | undefined;

  /** The limit in force, packets a second and interface; 0: none. */
  get limit(): number {
    return this.lowered < Infinity ? Math.round(this.lowered) : this.configured;
  }

  /** The limit of the configuration; 0: none, then nothing is lowered either. */
  configure(limit: number): void {
    this.configured = limit;
    if (limit === 0 || this.lowered >= limit) this.lowered = Infinity;
  }

  /**
   * To be called after every turn of reading: whether the queue was read to its end, and how many packets were read so far. Returns
   * whether the limit has changed.
   */
  look(emptied: boolean, received: number, nowMs: number): boolean {
    const before = this.limit;
    const elapsed = nowMs - this.lastLook;
    this.lastLook = nowMs;
    if (this.configured === 0) return false;
    if (emptied) {
      this.standing = undefined;
      this.raise(elapsed);
    } else if (!this.standing) {
      this.standing = { since: nowMs, received };
    } else if (nowMs - this.standing.since >= STANDING_MS) {
      this.lower(((received - this.standing.received) / (nowMs - this.standing.since)) * 1000);
      this.standing = { since: nowMs, received };
    }
    return this.limit !== before;
  }

  /** The first time from what was really read: the configured limit may be far above it. */
  private lower(readPerSecond: number): void {
    const from = this.lowered < Infinity ? this.lowered : Math.min(this.configured, readPerSecond);
    this.lowered = Math.max(LEAST, from * DECREASE);
    if (this.lowered >= this.configured) this.lowered = Infinity;
  }

  private raise(elapsedMs: number): void {
    if (this.lowered === Infinity) return;
    this.lowered *= INCREASE ** (elapsedMs / 1000);
    if (this.lowered >= this.configured) this.lowered = Infinity;
  }
}
