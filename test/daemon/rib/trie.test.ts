import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { PrefixTrie } from '../../../daemon/rib/trie.js';

/** Addresses from few distinct octets, so that prefixes nest and share long heads. */
const octet = fc.constantFrom(0, 1, 0x80, 0xff);
const address = fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.array(octet, { minLength: 16, maxLength: 16 }).map((octets) => Uint8Array.from(octets)));
const prefix = fc.oneof(
  fc.tuple(address, fc.nat(128)).map(([bytes, length]) => Prefix.of(bytes, length)),
  fc.tuple(address, fc.nat(32)).map(([bytes, length]) => Prefix.of(bytes.subarray(0, 4), length)),
);

describe('prefix trie', () => {
  it('finds the longest match as a linear search does, after any sequence of additions and removals', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), prefix), { maxLength: 60 }), fc.array(address, { maxLength: 10 }), (steps, probes) => {
        const trie = new PrefixTrie<number>();
        const model = new Map<string, { prefix: Prefix; value: number }>();
        steps.forEach(([remove, item], index) => {
          // Half of the removals hit something that is there.
          const known = [...model.values()][index % Math.max(1, model.size)]?.prefix;
          const target = remove && known && index % 2 === 0 ? known : item;
          if (remove) {
            assert.equal(trie.delete(target), model.delete(target.toString()));
          } else {
            trie.set(target, index);
            model.set(target.toString(), { prefix: target, value: index });
          }
        });
        assert.equal(trie.size, model.size);
        for (const { prefix: item, value } of model.values()) assert.equal(trie.get(item), value);
        const addresses = [...probes, ...probes.map((bytes) => bytes.slice(0, 4)), ...[...model.values()].map(({ prefix: item }) => item.bytes)];
        for (const bytes of addresses) {
          const matching = [...model.values()].filter(({ prefix: item }) => item.contains(bytes)).sort((a, b) => b.prefix.length - a.prefix.length);
          assert.equal(trie.lookup(bytes), matching[0]?.value);
          assert.deepEqual(trie.matches(bytes), matching.map(({ value }) => value));
        }
        assert.deepEqual([...trie.entries()].map(([item]) => item.toString()).sort(), [...model.keys()].sort());
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the families apart', () => {
    const trie = new PrefixTrie<string>();
    trie.set(Prefix.from('0.0.0.0/0'), 'four');
    assert.equal(trie.lookup(Prefix.host('::1').bytes), undefined);
    trie.set(Prefix.from('::/0'), 'six');
    assert.equal(trie.lookup(Prefix.host('::1').bytes), 'six');
    assert.equal(trie.lookup(Prefix.host('192.0.2.1').bytes), 'four');
  });

  it('lists a prefix before those inside it, in address order', () => {
    const trie = new PrefixTrie<number>();
    for (const text of ['2001:db8:2::/48', '2001:db8::/32', '::/0', '2001:db8:1::/48']) trie.set(Prefix.from(text), 1);
    assert.deepEqual([...trie.entries()].map(([item]) => item.toString()), ['::/0', '2001:db8::/32', '2001:db8:1::/48', '2001:db8:2::/48']);
  });
});
