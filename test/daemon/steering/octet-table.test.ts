import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OctetTable } from '../../../daemon/steering/octet-table.js';
import { PinTable } from '../../../daemon/steering/pins.js';

/** Keys that differ in few octets. */
const key = fc.nat(40).map((number) => Uint8Array.from([...new Array<number>(36).fill(7), number, 0, 0, 0]));

const sum = (counts: Iterable<number>): number => [...counts].reduce((a, b) => a + b, 0);

describe('octet table', () => {
  it('behaves as a map does after any sequence of insertions and removals', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), key, fc.nat(1000)), { maxLength: 200 }), fc.integer(), (steps, seed) => {
        const table = new OctetTable(40, 1000, seed);
        const model = new Map<string, number>();
        for (const [remove, bytes, value] of steps) {
          const text = bytes.join();
          const hash = table.load(bytes);
          const slot = table.find(hash);
          assert.equal(slot >= 0, model.has(text));
          if (remove && slot >= 0) {
            table.remove(slot);
            model.delete(text);
          } else if (!remove && slot < 0) {
            table.insert(hash, value, 0, 0);
            model.set(text, value);
          }
        }
        assert.equal(table.size, model.size);
        for (const [text, value] of model) {
          const bytes = Uint8Array.from(text.split(','), Number);
          const slot = table.find(table.load(bytes));
          assert.equal(table.value(slot), value);
          assert.deepEqual(table.keyAt(slot), bytes);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps every entry while it grows through many sizes and shrinks by a condition', () => {
    const table = new OctetTable(16, 100_000, 5);
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 50_000; i++) {
      view.setUint32(12, i);
      table.insert(table.load(bytes), i, 0, i % 2 === 0 ? 1000 : 5000);
    }
    assert.equal(sum(table.removeWhere((slot) => table.expiryMs(slot) <= 1000)), 25_000);
    assert.equal(table.size, 25_000);
    for (let i = 0; i < 50_000; i++) {
      view.setUint32(12, i);
      const slot = table.find(table.load(bytes));
      if (i % 2 === 0) assert.equal(slot, -1);
      else assert.equal(table.value(slot), i);
    }
  });

  it('behaves as a map does when it has many segments, also while it is looked through a part at a time', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), from: fc.nat(3000), count: fc.integer({ min: 1, max: 500 }), expiry: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), from: fc.nat(3000), count: fc.integer({ min: 1, max: 200 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), before: fc.nat(20) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('part' as const), count: fc.integer({ min: 1, max: 8 }) }) },
    );
    const octets = new Uint8Array(40);
    const view = new DataView(octets.buffer);
    const load = (table: OctetTable, number: number): number => {
      view.setUint32(20, number);
      return table.load(octets);
    };
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), fc.integer(), (steps, seed) => {
        const table = new OctetTable(40, 100_000, seed);
        const model = new Map<number, number>();
        let parts: Iterator<number, void> | undefined;
        for (const item of steps) {
          if (item.kind === 'put') {
            for (let number = item.from; number < item.from + item.count; number++) {
              const hash = load(table, number);
              const slot = table.find(hash);
              assert.equal(slot >= 0, model.has(number));
              if (slot >= 0) table.setExpiry(slot, item.expiry * 100);
              else table.insert(hash, number, 0, item.expiry * 100);
              model.set(number, item.expiry);
            }
          } else if (item.kind === 'remove') {
            for (let number = item.from; number < item.from + item.count; number++) {
              const slot = table.find(load(table, number));
              if (slot >= 0) table.remove(slot);
              assert.equal(model.delete(number), slot >= 0);
            }
          } else if (item.kind === 'expire') {
            const { before } = item;
            const gone = (slot: number): boolean => {
              if (table.expiryMs(slot) > before * 100) return false;
              model.delete(table.value(slot));
              return true;
            };
            parts = table.removeWhere(gone);
          } else {
            for (let part = 0; part < item.count; part++) parts?.next();
          }
          assert.equal(table.size, model.size);
        }
        while (parts && parts.next().done !== true);
        assert.equal(table.size, model.size);
        for (const [number, expiry] of model) {
          const slot = table.find(load(table, number));
          assert.deepEqual([table.value(slot), table.expiryMs(slot)], [number, expiry * 100]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('refuses what is beyond its limit', () => {
    const table = new OctetTable(4, 2, 0);
    for (let i = 0; i < 3; i++) assert.equal(table.insert(table.load(Uint8Array.of(i, 0, 0, 0)), i, 0, 0) >= 0, i < 2);
  });

  it('hashes as MurmurHash3 does', () => {
    // Values that other implementations of MurmurHash3_x86_32 agree on (of smhasher's, for four octets and a seed).
    const hash = (bytes: number[], seed: number): number => new OctetTable(4, 1, seed).load(Uint8Array.from(bytes));
    assert.equal(hash([0xff, 0xff, 0xff, 0xff], 0), 0x76293b50);
    assert.equal(hash([0x21, 0x43, 0x65, 0x87], 0), 0xf55b516b);
    assert.equal(hash([0x21, 0x43, 0x65, 0x87], 0x5082edee), 0x2362f9de);
    assert.equal(hash([0, 0, 0, 0], 0), 0x2362f9de);
  });
});

describe('pin table', () => {
  const bytes = (number: number): Uint8Array => Uint8Array.from([...new Array<number>(38).fill(0), number >> 8, number & 0xff]);

  it('counts the flows of each policy through additions, removals and expiry', () => {
    const pins = new PinTable(10_000, 1);
    for (let i = 0; i < 3000; i++) assert.ok(pins.add(pins.load(bytes(i)), i % 3, 0, i < 1500 ? 1000 : 2000));
    assert.deepEqual([pins.count(0), pins.count(1), pins.count(2), pins.countRange(0, 16)], [1000, 1000, 1000, 3000]);
    assert.ok(pins.remove(bytes(0)));
    assert.equal(pins.remove(bytes(0)), false);
    assert.equal(sum(pins.removeExpired(1000)), 1499);
    assert.deepEqual([pins.size, pins.countRange(0, 3)], [1500, 1500]);
    assert.equal(pins.policyOf(bytes(1501)), 1);
    assert.equal(pins.policyOf(bytes(1)), -1);
  });
});
