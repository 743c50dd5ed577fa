import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { anchorsFault, CATS_PARAMETERS, catsMetrics, categoryScores, checkCatsParameters, normalise, overallScore, type Anchors } from '../../../../daemon/computing/model/cats.js';
import { gradeOfFlops } from '../../../../daemon/computing/model/grade.js';

const nothing = { computing: [], interface: undefined, serviceDelay: undefined, load: undefined };
const parallel = (residual: bigint) => ({ class: 2 as const, chip: 2, total: 10n ** 16n, residual });

describe('normalisation between anchors', () => {
  it('is min-max scaling of the logarithm', () => {
    const anchors: Anchors = [[1, 0], [100, 10]];
    assert.equal(normalise(10, anchors), 5);
    assert.equal(normalise(1, anchors), 0);
    assert.equal(normalise(1000, anchors), 10);
    assert.equal(normalise(0, anchors), 0);
    assert.equal(normalise(NaN, anchors), 0);
  });

  it('never falls when there is more, and stays within 0 to 10', () => {
    const value = fc.double({ min: 0, max: 1e18, noNaN: true });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = [normalise(Math.min(a, b), CATS_PARAMETERS.computing), normalise(Math.max(a, b), CATS_PARAMETERS.computing)];
        return low <= high && low >= 0 && high <= 10;
      }),
    );
  });

  it('refuses anchors that go back and forth or are no numbers', () => {
    assert.equal(anchorsFault(CATS_PARAMETERS.service), undefined);
    for (const bad of [[[1, 0]], [[1, 0], [1, 5]], [[1, 0], [2, 5], [3, 4]], [[0, 0], [1, 1]], [[1, 0], [2, 11]], [[NaN, 0], [2, 1]]] as Anchors[]) assert.notEqual(anchorsFault(bad), undefined);
    assert.match((checkCatsParameters({ ...CATS_PARAMETERS, computing: [[1, 0]] }) as { reason: string }).reason, /computing: at least two/);
    assert.equal(checkCatsParameters(CATS_PARAMETERS).ok, true);
  });
});

describe('CATS metrics of an instance', () => {
  it('put the bands of the draft where the grades of the survey are: low below medium, high from large on', () => {
    const score = (residual: bigint): number => Number(catsMetrics({ ...nothing, computing: [parallel(residual)] })[0]!.value);
    assert.deepEqual([499_999_999_999n, 500_000_000_000n, 9_999_999_999_999n, 10_000_000_000_000n, 10n ** 15n].map(score), [3, 4, 7, 8, 10]);
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 16n }), (flops) => {
        const [low, high] = ([, [8, 10], [8, 10], [4, 7], [0, 3]] as const)[gradeOfFlops(flops)]!;
        return score(flops) >= low && score(flops) <= high;
      }),
    );
  });

  it('are one of level 1 for each category that is known, and one of level 2', () => {
    const instance = { computing: [parallel(10n ** 13n)], interface: { capacity: 10n ** 10n, available: 10n ** 8n }, serviceDelay: { meanUs: 1000, p99Us: 0, serviceRate: 0 }, load: undefined };
    assert.deepEqual(
      catsMetrics(instance).map(({ type, level, source, value }) => [type, level, source, value]),
      // The geometric mean of 8, 4 and 8 is 6.35.
      [[1, 1, 4, 8n], [2, 1, 4, 4n], [3, 1, 4, 8n], [5, 2, 4, 6n]],
    );
    assert.deepEqual(catsMetrics(nothing), []);
  });

  it('fall with the load', () => {
    const at = (utilisation: number, queueLength = 0): number | undefined =>
      categoryScores({ ...nothing, serviceDelay: { meanUs: 1000, p99Us: 0, serviceRate: 100 }, load: { utilisation, queueLength, activeFlows: 0 } }, CATS_PARAMETERS).service;
    assert.equal(at(0), 8);
    // A tenth of the speed is half of the way from 8 to 4 over two powers of ten.
    assert.ok(Math.abs(at(9000)! - 6) < 1e-9);
    assert.ok(at(0, 99)! < at(0)!);
  });

  it('compose to nothing where a category has nothing, whatever the others have', () => {
    assert.equal(overallScore({ computing: 0, communication: 10, service: 10 }, CATS_PARAMETERS), 0);
    assert.equal(overallScore({ computing: 0, communication: 10, service: undefined }, { ...CATS_PARAMETERS, weights: { computing: 0, communication: 1, service: 1 } }), 10);
    assert.equal(overallScore({ computing: undefined, communication: undefined, service: undefined }, CATS_PARAMETERS), undefined);
  });

  it('go by operations where a node counts no floating-point ones', () => {
    assert.equal(categoryScores({ ...nothing, computing: [{ class: 1, chip: 1, total: 10n ** 13n, residual: 10n ** 13n }] }, CATS_PARAMETERS).computing, 8);
  });
});
