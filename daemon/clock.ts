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

interface Entry {
  readonly at: number;
  readonly sequence: number;
  readonly callback: () => void;
  cancelled: boolean;
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

/** A clock that moves only when told to: networks of routers run in milliseconds in a test. */
export class ManualClock implements Clock {
  private current = 0;
  private sequence = 0;
  /** A binary heap, so that networks with thousands of timers stay quick. */
  private readonly heap: Entry[] = [];

  constructor(private readonly epochMs = 1_700_000_000_000) {}

  now(): number {
    return this.current;
  }

  unixMs(): number {
    return this.epochMs + Math.floor(this.current);
  }

  setTimeout(callback: () => void, ms: number): Timer {
    const entry: Entry = { at: this.current + Math.max(0, ms), sequence: this.sequence++, callback, cancelled: false };
    this.push(entry);
    return { cancel: () => void (entry.cancelled = true) };
  }

  /** Moves on by `ms`, running due timers in order (also those they set). */
  advance(ms: number): void {
    const end = this.current + ms;
    for (let first = this.heap[0]; first && first.at <= end; first = this.heap[0]) {
      this.pop();
      if (first.cancelled) continue;
      this.current = first.at;
      first.callback();
    }
    this.current = end;
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}
