import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Fragments } from '../../../../daemon/ospf/origination/fragments.js';
import { LinkStateIds } from '../../../../daemon/ospf/origination/link-state-ids.js';

interface Item {
  readonly name: string;
  readonly size: number;
}

const fragments = (capacity = 10): Fragments<Item> => new Fragments<Item>(capacity, ({ name }) => name, ({ size }) => size);
const items = fc.uniqueArray(fc.record({ name: fc.string({ maxLength: 3 }), size: fc.integer({ min: 1, max: 12 }) }), { selector: ({ name }) => name, maxLength: 40 });

describe('Fragments of LSAs', () => {
  test('every item is in one fragment, none is larger than allowed unless one item is', () => {
    fc.assert(
      fc.property(fc.array(items, { maxLength: 5 }), (rounds) => {
        const divider = fragments();
        for (const round of rounds) {
          const divided = divider.divide(round);
          assert.deepEqual([...divided.values()].flat().map(({ name }) => name).sort(), round.map(({ name }) => name).sort());
          for (const fragment of divided.values()) assert.ok(fragment.length === 1 || fragment.reduce((sum, { size }) => sum + size, 0) <= 10);
        }
      }),
    );
  });

  test('what comes or goes moves nothing else', () => {
    fc.assert(
      fc.property(items, fc.nat(), (all, pick) => {
        fc.pre(all.length > 1);
        const divider = fragments();
        const places = (divided: ReadonlyMap<number, readonly Item[]>): Map<string, number> => new Map([...divided].flatMap(([place, entries]) => entries.map(({ name }) => [name, place] as const)));
        const before = places(divider.divide(all));
        const gone = all[pick % all.length]!;
        const after = places(divider.divide([{ name: 'another', size: 3 }, ...all.filter((item) => item !== gone && item.name !== 'another')]));
        for (const [name, place] of after) if (name !== 'another') assert.equal(place, before.get(name));
      }),
    );
  });
});

describe('Link State IDs', () => {
  test('a name keeps its ID over restarts, and no two names share one', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `2001:db8:${index.toString(16)}::/48`);
    const [one, other] = [new LinkStateIds(), new LinkStateIds()];
    const ids = names.map((name) => one.take(name));
    assert.equal(new Set(ids).size, names.length);
    assert.ok(!ids.includes(0));
    assert.deepEqual(names.map((name) => other.take(name)), ids);
    assert.equal(one.take(names[5]!), ids[5]);
  });

  test('a released ID may be taken again', () => {
    const ids = new LinkStateIds();
    const id = ids.take('a');
    ids.release('a');
    ids.release('never taken');
    assert.equal(ids.take('a'), id);
  });
});
