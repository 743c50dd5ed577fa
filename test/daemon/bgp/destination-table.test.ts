import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DestinationTable, type Keyed } from '../../../daemon/bgp/destination-table.js';
import type { Destination } from '../../../daemon/bgp/wire/families.js';
import { VpnPrefix } from '../../../daemon/bgp/wire/vpn-prefix.js';
import { Prefix } from '../../../dataplane/packet/ip.js';

interface Item extends Keyed {
  readonly value: number;
}

/** Few enough that random operations meet each other: both IP versions, lengths that share octets, the same prefixes inside VPNs. */
const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(fc.constantFrom(4, 16), fc.uint8Array({ minLength: 2, maxLength: 2, max: 3 }), fc.constantFrom(0, 8, 15, 16, 32))
  .map(([size, head, length]) => Prefix.of(Uint8Array.from({ length: size }, (_, i) => head[i] ?? 0), length));
const destination: fc.Arbitrary<Destination> = fc.oneof(
  prefix,
  fc.tuple(fc.constantFrom(1n, 1n << 40n), prefix, fc.nat(2)).map(([rd, inner, label]) => new VpnPrefix(rd, inner, label)),
);
const operation = fc.record({ kind: fc.constantFrom('put', 'put', 'delete', 'get'), prefix: destination, pathId: fc.nat(2), value: fc.nat() });

const keyOf = ({ prefix: { constructor }, pathId, prefix: own }: Keyed): string => `${constructor.name} ${own.toString()} ${pathId}`;

describe('The table of destinations', () => {
  it('holds what a map by text would hold, after any operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const table = new DestinationTable<Item>();
        const model = new Map<string, Item>();
        for (const { kind, ...item } of operations) {
          const key = keyOf(item);
          const expected = model.get(key);
          if (kind === 'put') {
            assert.equal(table.put(item), expected);
            model.set(key, item);
          } else if (kind === 'delete') {
            assert.equal(table.delete(item.prefix, item.pathId), expected);
            model.delete(key);
          } else {
            assert.equal(table.get(item.prefix, item.pathId), expected);
          }
        }
        assert.equal(table.size, model.size);
        assert.deepEqual(new Set(table.values()), new Set(model.values()));
      }),
      { numRuns: 300 },
    );
  });

  it('finds every one of many, while others go', () => {
    const table = new DestinationTable<Item>();
    const items = Array.from({ length: 20_000 }, (_, value): Item => ({ prefix: Prefix.from(`2001:db8:${(value >> 4).toString(16)}:${(value & 15).toString(16)}::/64`), pathId: 0, value }));
    for (const item of items) table.put(item);
    for (const item of items) if (item.value % 3 === 0) table.delete(item.prefix);
    for (const item of items) assert.equal(table.get(Prefix.from(item.prefix.toString())), item.value % 3 === 0 ? undefined : item);
    for (const item of items) table.delete(item.prefix);
    assert.equal(table.size, 0);
    assert.deepEqual(table.values(), []);
  });

  it('takes the label of a VPN prefix for no part of the key (RFC 8277 section 2.4)', () => {
    const table = new DestinationTable<Item>();
    const inner = Prefix.from('2001:db8::/32');
    const old = { prefix: new VpnPrefix(7n, inner, 16), pathId: 0, value: 1 };
    table.put(old);
    assert.equal(table.put({ prefix: new VpnPrefix(7n, inner, 32), pathId: 0, value: 2 }), old);
    assert.equal(table.get(inner), undefined);
    assert.equal(table.size, 1);
  });
});
