/**
 * Watch streams: a snapshot, one `synced`, then deltas. What changed while a client was slow is sent once, with its newest value,
 * so that a stalled client costs the daemon no more than the set of keys that changed.
 */
import type { Clock, Timer } from '../clock.js';
import type { Change, EventView } from '../../proto/methods.js';
import type { RouterEvent } from '../events.js';
import type { Sink } from './transport.js';

/** How one kind of thing is watched. */
export interface WatchSource<T, M extends object> {
  /** The present things; of one key only, when given (none: it is gone). */
  read(key: string | undefined): Iterable<T> | AsyncIterable<T>;
  key(thing: T): string;
  /** Text that differs when a change is worth telling; ages and the like are left out. */
  fingerprint(thing: T): string;
  message(change: Change, thing: T | undefined): M;
  /** What `remove` carries of a thing that is gone. */
  removed(key: string, last: T): T;
}

export class Watch<T, M extends object> {
  private readonly known = new Map<string, { fingerprint: string; thing: T }>();
  private readonly dirty = new Set<string>();
  private allDirty = false;
  private readonly extra: M[] = [];
  private lost = 0;
  private timer: Timer | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly source: WatchSource<T, M>,
    private readonly sink: Sink<M>,
    private readonly clock: Clock,
    /** Changes are gathered for this long before they are told. */
    private readonly gatherMs = 50,
    /** Messages outside the deltas (events) that wait for a slow client; older ones are dropped. */
    private readonly extraLimit = 1024,
  ) {}

  /** Something changed: one key, or anything. */
  touch(key: string | undefined): void {
    if (key === undefined) this.allDirty = true;
    else this.dirty.add(key);
    this.timer ??= this.clock.setTimeout(() => {
      this.timer = undefined;
      this.wake?.();
    }, this.gatherMs);
  }

  /** Sends a message in between the deltas, soon. */
  push(message: M): void {
    this.extra.push(message);
    if (this.extra.length > this.extraLimit) {
      this.extra.shift();
      this.lost++;
    }
    this.wake?.();
  }

  /** Messages dropped because the client was slow. */
  get dropped(): number {
    return this.lost;
  }

  /** Runs until the client is gone. */
  async run(): Promise<void> {
    for await (const thing of this.source.read(undefined)) {
      this.known.set(this.source.key(thing), { fingerprint: this.source.fingerprint(thing), thing });
      if (!(await this.sink.send(this.source.message('snapshot', thing)))) return;
    }
    if (!(await this.sink.send(this.source.message('synced', undefined)))) return;
    void this.sink.end.then(() => this.wake?.());
    while (this.sink.open) {
      if (!(await this.sendAll(await this.take()))) break;
      if (this.extra.length > 0 || (!this.timer && (this.allDirty || this.dirty.size > 0))) continue;
      await this.woken();
    }
    this.timer?.cancel();
  }

  /** Resolves when there may be something to send, or the client is gone: perhaps it went while the last messages were gathered. */
  private async woken(): Promise<void> {
    if (!this.sink.open) return;
    await new Promise<void>((resolve) => (this.wake = resolve));
    this.wake = undefined;
  }

  private async sendAll(messages: readonly M[]): Promise<boolean> {
    for (const message of messages) if (!(await this.sink.send(message))) return false;
    return true;
  }

  /** The messages that are due now. */
  private async take(): Promise<M[]> {
    const messages = this.extra.splice(0);
    if (this.timer) return messages;
    const { allDirty } = this;
    const keys = [...this.dirty];
    // What is touched while this runs is looked at again.
    this.allDirty = false;
    this.dirty.clear();
    const pace = new Pace();
    if (allDirty) {
      const present = new Set<string>();
      for await (const thing of this.source.read(undefined)) {
        present.add(this.compare(thing, messages));
        await pace.step();
      }
      for (const key of this.known.keys()) {
        if (!present.has(key)) this.forget(key, messages);
        await pace.step();
      }
      return messages;
    }
    for (const key of keys) {
      let found = false;
      for await (const thing of this.source.read(key)) {
        this.compare(thing, messages);
        found = true;
      }
      if (!found) this.forget(key, messages);
      await pace.step();
    }
    return messages;
  }

  private compare(thing: T, messages: M[]): string {
    const key = this.source.key(thing);
    const fingerprint = this.source.fingerprint(thing);
    if (this.known.get(key)?.fingerprint !== fingerprint) {
      this.known.set(key, { fingerprint, thing });
      messages.push(this.source.message('update', thing));
    }
    return key;
  }

  private forget(key: string, messages: M[]): void {
    const last = this.known.get(key);
    if (!last) return;
    this.known.delete(key);
    messages.push(this.source.message('remove', this.source.removed(key, last.thing)));
  }
}

/** Things looked at before others get their turn. */
const SLICE = 32;

/** Gives up the event loop now and then within a long loop. */
class Pace {
  private steps = 0;

  async step(): Promise<void> {
    if (++this.steps % SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** JSON of a value without the named fields at any depth, bigint included: a fingerprint. */
export function fingerprintWithout(...fields: string[]): (value: unknown) => string {
  const ignored = new Set(fields);
  return (value) => JSON.stringify(value, (field, content: unknown) => (ignored.has(field) ? undefined : typeof content === 'bigint' ? content.toString() : content));
}

/** An event as it travels. */
export function eventView(event: RouterEvent): EventView {
  return { ...event, number: BigInt(event.number), fields: Object.fromEntries(Object.entries(event.fields).map(([name, value]) => [name, String(value)])) };
}
