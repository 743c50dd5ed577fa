/** An emulated server: one request at a time, first come first served, each taking a service time. */
export class ServiceQueue {
  private busyUntil = 0;
  private waiting = 0;

  constructor(
    /** Milliseconds a request takes; a change applies to requests that arrive from then on. */
    public serviceTimeMs: number,
    /** Milliseconds on a steady clock. */
    private readonly now: () => number,
    private readonly after: (milliseconds: number, action: () => void) => void,
  ) {}

  /** Requests accepted and not answered yet. */
  get length(): number {
    return this.waiting;
  }

  /** Calls `done` when the request is served, with the milliseconds it spent here. */
  accept(done: (spentMs: number) => void): void {
    const arrival = this.now();
    this.busyUntil = Math.max(this.busyUntil, arrival) + this.serviceTimeMs;
    const spent = this.busyUntil - arrival;
    if (spent <= 0) {
      done(0);
      return;
    }
    this.waiting++;
    this.after(spent, () => {
      this.waiting--;
      done(this.now() - arrival);
    });
  }
}
