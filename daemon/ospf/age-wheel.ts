/** What is due at which second: one timer for all, whatever their number. */
import type { Clock, Timer } from '../clock.js';
import { SLICE } from './constants.js';

/** Something that waits in the wheel, and remembers where. */
export interface Ageing {
  /** Second in which it is due; undefined: it does not wait. */
  dueAt: number | undefined;
}

export class AgeWheel<T extends Ageing> {
  private readonly slots = new Map<number, Set<T>>();
  private second: number;
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly due: (item: T) => void,
    /** Once a second, after what was due. */
    private readonly ticked: () => void,
  ) {
    this.second = Math.floor(clock.now() / 1000);
  }

  start(): void {
    this.timer ??= this.clock.setTimeout(() => this.tick(), 1000);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Moves an item, or puts it in: due in `seconds`, a second at least. */
  schedule(item: T, seconds: number): void {
    this.cancel(item);
    const at = Math.max(Math.floor(this.clock.now() / 1000 + seconds), this.second + 1);
    let slot = this.slots.get(at);
    if (!slot) this.slots.set(at, (slot = new Set()));
    slot.add(item);
    item.dueAt = at;
  }

  cancel(item: T): void {
    const at = item.dueAt;
    if (at === undefined) return;
    item.dueAt = undefined;
    const slot = this.slots.get(at);
    slot?.delete(item);
    if (slot?.size === 0) this.slots.delete(at);
  }

  private tick(): void {
    const now = Math.floor(this.clock.now() / 1000);
    let left = SLICE;
    while (this.second <= now && left > 0) {
      for (const item of this.slots.get(this.second) ?? []) {
        if (left-- === 0) break;
        this.cancel(item);
        this.due(item);
      }
      if (left > 0) this.second++;
    }
    const isBehind = left <= 0;
    if (!isBehind) this.ticked();
    // A callback may have stopped it.
    if (this.timer) this.timer = this.clock.setTimeout(() => this.tick(), isBehind ? 0 : 1000);
  }
}
