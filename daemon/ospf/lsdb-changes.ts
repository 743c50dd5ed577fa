/** Tells what changed in the link-state database: once a turn of the event loop, in batches that hold nobody up. */
import type { Clock, Timer } from '../clock.js';
import { SLICE } from './constants.js';
import type { StoredLsa, StoredScope } from './stored-lsa.js';
import type { LsaKey } from './wire/types.js';

export interface LsdbChange {
  readonly key: LsaKey;
  readonly scope: StoredScope;
  /** Link scope: the interface. */
  readonly interface: string | undefined;
  /** As of the last batch; undefined: there was none that counted. */
  readonly before: StoredLsa | undefined;
  /** Undefined: gone, or of MaxAge and so without meaning for routing. */
  readonly after: StoredLsa | undefined;
  /** False: a refresh, with the contents it had. */
  readonly changed: boolean;
}

export type LsdbListener = (changes: readonly LsdbChange[]) => void;

interface Pending {
  readonly before: StoredLsa | undefined;
  after: StoredLsa | undefined;
  readonly of: StoredLsa;
}

export class LsdbChanges {
  private readonly listeners = new Set<LsdbListener>();
  private readonly pending = new Map<string, Pending>();
  private timer: Timer | undefined;

  constructor(private readonly clock: Clock) {}

  add(listener: LsdbListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.pending.clear();
  }

  /** `old` and `current` are the same where one became MaxAge in its place. */
  record(key: string, old: StoredLsa | undefined, current: StoredLsa | undefined): void {
    const of = (current ?? old)!;
    const place = of.link === undefined ? key : `${key} ${of.link}`;
    const counted = current?.isMaxAge === true ? undefined : current;
    const known = this.pending.get(place);
    if (known) known.after = counted;
    else {
      const counts = old !== undefined && (old === current || !old.isMaxAge);
      if (!counts && !counted) return;
      this.pending.set(place, { before: counts ? old : undefined, after: counted, of });
    }
    this.timer ??= this.clock.setTimeout(() => this.deliver(), 0);
  }

  private deliver(): void {
    this.timer = undefined;
    const batch: LsdbChange[] = [];
    for (const [place, { before, after, of }] of this.pending) {
      if (batch.length === SLICE) break;
      this.pending.delete(place);
      if (!before && !after) continue;
      const { type, id, router } = of.header;
      batch.push({ key: { type, id, router }, scope: of.scope, interface: of.link, before, after, changed: !before || !after?.hasBodyOf(before) });
    }
    if (this.pending.size > 0) this.timer = this.clock.setTimeout(() => this.deliver(), 0);
    if (batch.length > 0) for (const listener of [...this.listeners]) listener(batch);
  }
}
