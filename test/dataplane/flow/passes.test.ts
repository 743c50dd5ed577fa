import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FLOW_CREATED_NS, FLOW_LAST_SEEN_NS, FLOW_PACKETS, FLOW_VALUE_LENGTH } from '../../../dataplane/flow/layout.js';
import type { BpfMap } from '../../../dataplane/flow/maps.js';
import { FlowAgeing, scanFlows } from '../../../dataplane/flow/scanner.js';
import { FLOW_KEY_LENGTH, decodeFlowKey, encodeFlowKey } from '../../../dataplane/packet/flow-key.js';

const BUCKETS = 8;
const IDLE_NS = 1000n;

const key = (port: number): Uint8Array => encodeFlowKey({ source: '2001:db8::1', destination: 'fd5e::1', protocol: 17, sourcePort: port, destinationPort: 53 });
const portOf = (keys: Uint8Array, index = 0): number => decodeFlowKey(keys.subarray(index * FLOW_KEY_LENGTH, (index + 1) * FLOW_KEY_LENGTH)).sourcePort;

/** A hash map that is read a bucket at a time, in the order of buckets, as the kernel's are: what is not touched meanwhile is read once. */
class BucketMap implements BpfMap {
  readonly maxEntries = 1000;
  readonly entries = new Map<number, Uint8Array>();

  put(port: number, createdNs: bigint, lastSeenNs: bigint): void {
    const value = new Uint8Array(FLOW_VALUE_LENGTH);
    const view = new DataView(value.buffer);
    view.setBigUint64(FLOW_PACKETS, 1n, true);
    view.setBigUint64(FLOW_CREATED_NS, createdNs, true);
    view.setBigUint64(FLOW_LAST_SEEN_NS, lastSeenNs, true);
    this.entries.set(port, value);
  }

  lookupBatch(cursor: Uint8Array, first: boolean, keys: Uint8Array, values: Uint8Array): { count: number; done: boolean } {
    const bucket = first ? 0 : cursor[0]!;
    cursor[0] = bucket + 1;
    let count = 0;
    for (const [port, value] of this.entries) {
      if (port % BUCKETS !== bucket) continue;
      keys.set(key(port), count * FLOW_KEY_LENGTH);
      values.set(value, count++ * FLOW_VALUE_LENGTH);
    }
    // An empty bucket in the middle is no end: the kernel goes on to the next one that has entries.
    if (count === 0 && bucket + 1 < BUCKETS) return this.lookupBatch(cursor, false, keys, values);
    return { count, done: bucket + 1 >= BUCKETS };
  }

  deleteBatch(keys: Uint8Array, count: number): number {
    let deleted = 0;
    for (let i = 0; i < count; i++) if (this.entries.delete(portOf(keys, i))) deleted++;
    return deleted;
  }

  update(): boolean {
    throw new Error('not used');
  }
  updateBatch(): number {
    throw new Error('not used');
  }
  lookup(): boolean {
    throw new Error('not used');
  }
  delete(): boolean {
    throw new Error('not used');
  }
}

const port = fc.nat(30);
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('first packet' as const), port }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('packet' as const), port }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('evict' as const), port }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ns: fc.integer({ min: 1, max: 700 }) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('step' as const) }) },
);

/** Plays events in between `step`s; `gone` hears of flows that left the kernel but by a step. */
function play(events: readonly { kind: string; port?: number; ns?: number }[], flows: BucketMap, newFlows: BucketMap, clock: { ns: bigint }, gone: (port: number) => void, step: () => void): void {
  for (const item of events) {
    const number = item.port ?? 0;
    const known = flows.entries.has(number) || newFlows.entries.has(number);
    if (item.kind === 'first packet' && !known) newFlows.put(number, clock.ns, clock.ns);
    if (item.kind === 'packet' && known) {
      // Promotes a new flow as the BPF program does.
      flows.put(number, 1n, clock.ns);
      newFlows.entries.delete(number);
    }
    if (item.kind === 'evict' && known) {
      flows.entries.delete(number);
      newFlows.entries.delete(number);
      gone(number);
    }
    if (item.kind === 'time') clock.ns += BigInt(item.ns ?? 0);
    if (item.kind === 'step') step();
  }
}

const present = (flows: BucketMap, newFlows: BucketMap): Set<number> => new Set([...flows.entries.keys(), ...newFlows.entries.keys()]);

describe('a pass of ageing', () => {
  it('sees each flow that is there from its beginning to its end, and deletes idle ones alone, whatever happens between its steps', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 20, maxLength: 200 }), (events) => {
        const flows = new BucketMap();
        const newFlows = new BucketMap();
        const clock = { ns: 10_000n };
        /** Flows that are there since the pass began. */
        let throughout = new Set<number>();
        const seen = new Set<number>();
        let passes = 0;
        const ageing = new FlowAgeing(flows, newFlows, () => clock.ns, {
          begun: () => {
            throughout = present(flows, newFlows);
            seen.clear();
          },
          seen: (keys, _policies, count) => {
            for (let i = 0; i < count; i++) seen.add(portOf(keys, i));
          },
          ended: () => {
            passes++;
            const there = present(flows, newFlows);
            for (const number of throughout) assert.ok(seen.has(number) || !there.has(number), `flow ${number} was not seen`);
          },
        });
        const step = (): void => {
          const before = new Map([...newFlows.entries, ...flows.entries]);
          const expired = ageing.step(Number(IDLE_NS) / 1e6, 0, () => 0);
          for (const number of expired.map((found) => portOf(found))) {
            throughout.delete(number);
            const lastSeen = new DataView(before.get(number)!.buffer).getBigUint64(FLOW_LAST_SEEN_NS, true);
            assert.ok(clock.ns - lastSeen >= IDLE_NS);
            before.delete(number);
          }
          assert.deepEqual([...present(flows, newFlows)].sort(), [...before.keys()].sort(), 'what went was told');
        };
        play(events, flows, newFlows, clock, (number) => throughout.delete(number), step);
        for (const before = passes; passes < before + 2; ) step();
        clock.ns += IDLE_NS;
        for (const before = passes; passes < before + 2; ) step();
        assert.equal(present(flows, newFlows).size, 0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a scan', () => {
  it('gives each flow that is there all the while once, whatever happens between its batches', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 20, maxLength: 100 }), fc.array(event, { minLength: 20, maxLength: 200 }), (first, events) => {
        const flows = new BucketMap();
        const newFlows = new BucketMap();
        const clock = { ns: 10_000n };
        play(first, flows, newFlows, clock, () => undefined, () => undefined);
        const throughout = present(flows, newFlows);
        const found: number[] = [];
        const scan = scanFlows(flows, newFlows);
        let done = false;
        const step = (): void => {
          const next = scan.next();
          done = next.done === true;
          if (next.done !== true) for (const { key: octets } of next.value) found.push(portOf(octets));
        };
        play(events, flows, newFlows, clock, (number) => throughout.delete(number), () => (done ? undefined : step()));
        while (!done) step();
        for (const number of throughout) assert.equal(found.filter((other) => other === number).length, 1, `flow ${number}`);
      }),
      { numRuns: 300 },
    );
  });
});
