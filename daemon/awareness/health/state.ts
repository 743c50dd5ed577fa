/** Whether checks say that an instance works: `fall` failures in a row take it down, `rise` successes bring it up; the first check decides alone. */
export type HealthStatus = 'unknown' | 'up' | 'down';

export class HealthState {
  status: HealthStatus = 'unknown';
  /** What the last check said; empty after a success. */
  reason = '';
  private streak = 0;

  constructor(
    private readonly fall: number,
    private readonly rise: number,
  ) {}

  /** Takes the result of one check (why it failed, undefined for a success); true when the status changed. */
  result(failure: string | undefined): boolean {
    const good = failure === undefined;
    this.reason = failure ?? '';
    if (this.status === 'unknown') {
      this.status = good ? 'up' : 'down';
      return true;
    }
    if (good === (this.status === 'up')) {
      this.streak = 0;
      return false;
    }
    this.streak++;
    if (this.streak < (good ? this.rise : this.fall)) return false;
    this.streak = 0;
    this.status = good ? 'up' : 'down';
    return true;
  }
}
