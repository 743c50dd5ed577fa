import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulate, type OffloadingOptions, type OffloadingResult } from '../../bench/support/offloading.js';
import type { StrategyConfig } from '../../daemon/steering/strategies/strategy.js';

const run = (strategy: OffloadingOptions['strategy'], updateMs: number): OffloadingResult =>
  simulate({ strategy, entries: 8, rates: new Array<number>(8).fill(50), rttUs: new Array<number>(8).fill(10_000), load: 0.7, updateMs, seconds: 60, seed: 1 });

/** Queues vary no more than where every request draws its exit by service rate, and requests wait no longer. */
const isCalm = (result: OffloadingResult, random: OffloadingResult): boolean => result.variation <= random.variation * 1.05 && result.meanMs <= random.meanMs * 1.2;

describe('eight entries with the same old picture', () => {
  const random = run('random', 1000);

  for (const updateMs of [1000, 5000, 10_000]) {
    for (const strategy of [{ name: 'round-robin' }, { name: 'adaptive', holdMs: 1000 }] satisfies StrategyConfig[]) {
      it(`${strategy.name} does not send load back and forth with updates every ${updateMs / 1000} s`, () => {
        const result = run(strategy, updateMs);
        assert.ok(isCalm(result, random), JSON.stringify({ result, random }));
      });
    }

    it(`the check finds the herd of greedy entries without own account with updates every ${updateMs / 1000} s`, () => {
      const result = run({ name: 'greedy', ownAccount: false }, updateMs);
      assert.ok(!isCalm(result, random), JSON.stringify({ result, random }));
      assert.ok(result.meanMs > 3 * random.meanMs);
    });
  }

  it('nothing is as quick as who knows all queues', () => {
    assert.ok(run('omniscient', 1000).meanMs < run({ name: 'round-robin' }, 1000).meanMs);
  });
});
