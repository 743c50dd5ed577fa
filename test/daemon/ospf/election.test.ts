import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Candidate, elect, type Elected } from '../../../daemon/ospf/election.js';

const router = (routerId: number, priority = 1, designated = 0, backup = 0): Candidate => ({ routerId, priority, designated, backup });

describe('Election of the Designated Router (RFC 2328 section 9.4)', () => {
  test('among routers that declare nobody the highest priority wins, then the highest router ID', () => {
    assert.deepEqual(elect(router(3), [router(2), router(1)]), { designated: 3, backup: 2 } satisfies Elected);
    assert.deepEqual(elect(router(1, 9), [router(2, 5), router(3)]), { designated: 1, backup: 2 });
  });

  test('the one elected is both to others until it declares itself', () => {
    assert.deepEqual(elect(router(1), [router(2), router(3)]), { designated: 3, backup: 3 });
    assert.deepEqual(elect(router(1), [router(2), router(3, 1, 3, 2)]), { designated: 3, backup: 2 });
  });

  test('a router alone becomes Designated Router without backup', () => {
    assert.deepEqual(elect(router(1), []), { designated: 1, backup: 0 });
  });

  test('whoever holds the office keeps it when one of higher priority comes', () => {
    const sitting = [router(1, 1, 1, 2), router(2, 1, 1, 2)];
    assert.deepEqual(elect(router(9, 200), sitting), { designated: 1, backup: 2 });
    assert.deepEqual(elect(router(1, 1, 1, 2), [router(2, 1, 1, 2), router(9, 200)]), { designated: 1, backup: 2 });
  });

  test('the backup follows when the Designated Router goes, and another becomes backup', () => {
    assert.deepEqual(elect(router(2, 1, 1, 2), [router(3, 1, 1, 2)]), { designated: 2, backup: 3 });
    assert.deepEqual(elect(router(3, 1, 1, 2), [router(2, 1, 2, 0)]), { designated: 2, backup: 3 });
  });

  test('a router of priority 0 is never elected, whatever it declares', () => {
    assert.deepEqual(elect(router(1), [router(9, 0, 9, 9)]), { designated: 1, backup: 0 });
    assert.deepEqual(elect(router(9, 0), [router(8, 0)]), { designated: 0, backup: 0 });
  });

  test('of two that both declare themselves Designated Router, as after a partition, one remains', () => {
    assert.deepEqual(elect(router(1, 1, 1, 2), [router(2, 1, 1, 2), router(3, 1, 3, 4), router(4, 1, 3, 4)]), { designated: 3, backup: 4 });
    assert.deepEqual(elect(router(3, 1, 3, 4), [router(4, 1, 3, 4), router(1, 1, 1, 2), router(2, 1, 1, 2)]), { designated: 3, backup: 4 });
  });

  test('routers that all hear each other agree after a few rounds, whatever they declared before, and stay agreed', () => {
    const known = fc.integer({ min: 0, max: 6 });
    const routers = fc.array(fc.record({ priority: fc.integer({ min: 0, max: 2 }), designated: known, backup: known }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(routers, (said) => {
        let all: Candidate[] = said.map((entry, index) => router(index + 1, entry.priority, entry.designated, entry.backup));
        // In turn, as their timers fire: when all calculate at once on what the others said before, they may trade places for ever.
        for (let round = 0; round < 4; round++) {
          for (const self of all) {
            const elected = elect(all.find(({ routerId }) => routerId === self.routerId)!, all.filter(({ routerId }) => routerId !== self.routerId));
            assert.ok(elected.designated !== self.routerId || elected.backup !== self.routerId, 'a router holds one office at most');
            all = all.map((other) => (other.routerId === self.routerId ? { ...other, ...elected } : other));
          }
        }
        assert.equal(new Set(all.map(({ designated }) => designated)).size, 1, JSON.stringify(all));
        assert.equal(new Set(all.map(({ backup }) => backup)).size, 1, JSON.stringify(all));
      }),
    );
  });
});
