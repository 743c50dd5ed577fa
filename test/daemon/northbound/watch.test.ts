import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ManualClock } from '../../../daemon/clock.js';
import type { Sink } from '../../../daemon/northbound/transport.js';
import { fingerprintWithout, Watch } from '../../../daemon/northbound/watch.js';

interface Thing {
  readonly name: string;
  readonly value: number;
  readonly ageMs: number;
}

interface Message {
  readonly change: string;
  readonly thing?: Thing | undefined;
}

/** A client that reads when told to. */
class SlowSink {
  readonly messages: Message[] = [];
  open = true;
  blocked = false;
  private waiting: (() => void)[] = [];
  private ended: () => void = () => undefined;
  readonly end = new Promise<void>((resolve) => (this.ended = resolve));

  async send(message: Message): Promise<boolean> {
    if (!this.open) return false;
    this.messages.push(message);
    if (this.blocked) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.open;
  }

  read(): void {
    this.blocked = false;
    this.waiting.splice(0).forEach((resume) => resume());
  }

  close(): void {
    this.open = false;
    this.read();
    this.ended();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a watch', () => {
  let clock: ManualClock;
  let sink: SlowSink;
  let things: Map<string, Thing>;
  let reads: number;
  let watch: Watch<Thing, Message>;
  let running: Promise<void>;
  function* matching(key: string | undefined): Generator<Thing> {
    const one = key === undefined ? undefined : things.get(key);
    if (key === undefined) yield* things.values();
    else if (one) yield one;
  }
  const put = (name: string, value: number, ageMs = 0): void => void things.set(name, { name, value, ageMs });
  const said = (): string[] => sink.messages.splice(0).map(({ change, thing }) => (thing ? `${change} ${thing.name} ${thing.value}` : change));

  beforeEach(async () => {
    clock = new ManualClock();
    sink = new SlowSink();
    things = new Map();
    reads = 0;
    put('a', 1);
    put('b', 2);
    watch = new Watch<Thing, Message>(
      {
        read: (key) => {
          reads++;
          return matching(key);
        },
        key: ({ name }) => name,
        fingerprint: fingerprintWithout('ageMs'),
        message: (change, thing) => ({ change, thing }),
        removed: (_key, last) => ({ ...last, value: 0 }),
      },
      sink as unknown as Sink<Message>,
      clock,
      50,
      3,
    );
    running = watch.run();
    await settle();
  });

  it('begins with a snapshot and the mark that it is complete', () => assert.deepEqual(said(), ['snapshot a 1', 'snapshot b 2', 'synced']));

  it('leaves the event loop its turns while it looks at many things, and tells what changed meanwhile', async () => {
    for (let i = 0; i < 1000; i++) put(`many ${i}`, i);
    let looked = 0;
    let most = 0;
    const read = things.values.bind(things);
    things.values = function* () {
      for (const thing of read()) {
        looked++;
        yield thing;
      }
    } as typeof read;
    watch.touch(undefined);
    clock.advance(50);
    for (let turn = 0; turn < 200; turn++) {
      const before = looked;
      await settle();
      most = Math.max(most, looked - before);
      if (turn === 3) {
        put('many 0', 5);
        watch.touch('many 0');
        clock.advance(50);
      }
    }
    assert.ok(most <= 64, `${most} things in one turn`);
    assert.ok(said().includes('update many 0 5'));
  });

  it('tells what changed, came and went, gathered for a moment', async () => {
    said();
    put('a', 5);
    put('c', 3);
    things.delete('b');
    for (const key of ['a', 'b', 'c']) watch.touch(key);
    clock.advance(49);
    await settle();
    assert.deepEqual(said(), []);
    clock.advance(1);
    await settle();
    assert.deepEqual(said().sort(), ['remove b 0', 'update a 5', 'update c 3']);
  });

  it('looks at everything when it does not know what changed', async () => {
    said();
    things.delete('a');
    put('b', 9);
    watch.touch(undefined);
    clock.advance(50);
    await settle();
    assert.deepEqual(said().sort(), ['remove a 0', 'update b 9']);
  });

  it('says nothing of what only got older', async () => {
    said();
    put('a', 1, 100);
    watch.touch('a');
    clock.advance(50);
    await settle();
    assert.deepEqual(said(), []);
  });

  it('tells a slow client the newest value once, however often it changed meanwhile', async () => {
    said();
    sink.blocked = true;
    put('a', 10);
    watch.touch('a');
    clock.advance(50);
    await settle();
    assert.deepEqual(said(), ['update a 10']);
    const before = reads;
    for (let value = 11; value <= 100; value++) {
      put('a', value);
      watch.touch('a');
      clock.advance(50);
      await settle();
    }
    assert.equal(reads, before, 'no work for a client that does not read');
    sink.read();
    await settle();
    assert.deepEqual(said(), ['update a 100']);
  });

  it('sends events in between, and drops the oldest when too many wait', async () => {
    said();
    sink.blocked = true;
    for (let i = 1; i <= 6; i++) watch.push({ change: `event ${i}` });
    await settle();
    for (let i = 7; i <= 10; i++) watch.push({ change: `event ${i}` });
    sink.read();
    await settle();
    const all = said();
    assert.equal(all.at(-1), 'event 10');
    assert.ok(watch.dropped > 0);
    assert.equal(all.length + watch.dropped, 10);
  });

  it('ends when the client is gone', async () => {
    sink.close();
    await running;
  });
});
