import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshness } from '../../../daemon/steering/freshness.js';

describe('freshness of a candidate', () => {
  it('is full without a validity, whatever the age', () => {
    assert.equal(freshness({ validityMs: 0, receivedAt: 0 }, 1e12), 1);
  });
  it('is full while the next announcement is not overdue, then falls evenly until the validity ends', () => {
    const at = (ageMs: number): number => freshness({ validityMs: 9000, receivedAt: 1000 }, 1000 + ageMs);
    assert.deepEqual([0, 3000].map(at), [1, 1]);
    assert.ok(Math.abs(at(6000) - 0.5) < 1e-12);
    assert.ok(at(8999) > 0 && at(8999) <= 0.01);
  });
});
