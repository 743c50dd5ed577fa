/** Time is injected everywhere: the core never reads a clock or sets a timer of its own. */
export interface Clock {
  /** Monotonic ms, fractions allowed. */
  now(): number;
  /** Unix time in ms. */
  unixMs(): number;
  setTimeout(callback: () => void, ms: number): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  setTimeout(callback, ms) {
    if (ms <= 0) {
      // A timer waits for a millisecond at least; this lets others have their turn and goes on.
      const handle = setImmediate(callback);
      return { cancel: () => clearImmediate(handle) };
    }
    const handle = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A clock that moves only when told to: networks of routers run in milliseconds in a test. */
export class ManualClock implements Clock {
  private current = 0;
  private sequence = 0;
  private queue: { at: number; sequence: number; callback: () => void }[] = [];

  constructor(private readonly epochMs = 1_700_000_000_000) {}

  now(): number {
    return this.current;
  }

  unixMs(): number {
    return this.epochMs + Math.floor(this.current);
  }

  setTimeout(callback: () => void, ms: number): Timer {
    const entry = { at: this.current + Math.max(0, ms), sequence: this.sequence++, callback };
    this.queue.push(entry);
    return { cancel: () => (this.queue = this.queue.filter((other) => other !== entry)) };
  }

  /** Moves on by `ms`, running due timers in order (also those they set). */
  advance(ms: number): void {
    const end = this.current + ms;
    for (;;) {
      const due = this.queue.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at || a.sequence - b.sequence)[0];
      if (!due) break;
      this.queue = this.queue.filter((entry) => entry !== due);
      this.current = due.at;
      due.callback();
    }
    this.current = end;
  }
}
