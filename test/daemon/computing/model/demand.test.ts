import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DEMAND_OPTIONS, evaluateDemand, fitDemandModel, fitDemandModelNow, predictDemand, type DemandModel } from '../../../../daemon/computing/model/demand.js';
import { predictionErrors, quantile } from '../../../../daemon/computing/model/errors.js';
import { nonNegativeLeastSquares } from '../../../../daemon/computing/model/least-squares.js';
import { evaluateQueueingForm, fitQueueingForm } from '../../../../daemon/computing/model/queueing-form.js';
import { seededRandom, shuffled } from '../../../../daemon/computing/model/random.js';
import { checkRun, runMeans, stateAt, storageDemandOf, workloadOf, type NodeState, type StateSample, type TaskRun } from '../../../../daemon/computing/model/run.js';

const state = (values: Partial<NodeState> = {}): NodeState => ({ capacity: 1e9, computingUsed: 0, storage: 0, storageUsed: 0, ioRate: 0, ...values });

/** Runs of tasks whose time is `tau` of work, data and load, with noise of a share. */
function runs(count: number, tau: (s: number, used: number, dataSize: number) => number, noise: number, seed = 1): TaskRun[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const s = 0.001 * 10 ** (2 * random());
    const dataSize = Math.round(1e5 * random());
    const computingUsed = 0.9 * random();
    const gauss = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return { workload: s * 1e9, dataSize, latencyUs: tau(s, computingUsed, dataSize) * Math.exp(noise * gauss), state: state({ computingUsed }), atMs: 0 };
  });
}

/** Processor sharing, data at 10 MB/s and half a millisecond for every run. */
const sharing = (s: number, used: number, dataSize: number): number => (2e6 * s) / (1 - used) + 0.1 * dataSize + 500;

function fitted(list: readonly TaskRun[]): DemandModel {
  const model = fitDemandModelNow(list);
  assert.ok(model.ok, model.ok ? '' : model.reason);
  return model.value;
}

describe('quantities of a run, Eqs. (4) to (10)', () => {
  // Half of the node for one second, all of it for the next; storage rises evenly from 0 to a fifth.
  const samples: StateSample[] = [
    { atMs: 1000, computingUsed: 0.5, storageUsed: 0, ioRate: 100 },
    { atMs: 2000, computingUsed: 0.5, storageUsed: 0.1, ioRate: 200 },
    { atMs: 2000.001, computingUsed: 1, storageUsed: 0.1, ioRate: 200 },
    { atMs: 3000, computingUsed: 1, storageUsed: 0.2, ioRate: 300 },
  ];

  it('means are integrals over the time of the run', () => {
    const means = runMeans(samples, 1000, 3000)!;
    assert.ok(Math.abs(means.computing - 0.75) < 1e-5);
    assert.ok(Math.abs(means.storage - 0.1) < 1e-5);
    assert.ok(Math.abs(means.ioRate - 200) < 1e-2);
    assert.equal(runMeans([], 0, 1), undefined);
    assert.equal(runMeans(samples, 5, 5), undefined);
  });

  it('W is F_w times the integral of F, and so F_w times mean F times tau', () => {
    const w = workloadOf(1e9, samples, 1000, 3000);
    assert.ok(Math.abs(w / 1.5e9 - 1) < 1e-5);
    assert.ok(Math.abs(w / (1e9 * runMeans(samples, 1000, 3000)!.computing * 2) - 1) < 1e-12);
    assert.ok(Math.abs(storageDemandOf(1000, samples, 1000, 3000) - 200) < 1e-2);
  });

  it('the state at the start is the last one seen before it', () => {
    assert.equal(stateAt(samples, 2500)!.atMs, 2000.001);
    assert.equal(stateAt(samples, 0)!.atMs, 1000);
    assert.equal(stateAt([], 0), undefined);
  });

  it('runs that cannot be are refused with a reason', () => {
    const good: TaskRun = { workload: 1e6, dataSize: 10, latencyUs: 100, state: state(), atMs: 0 };
    assert.equal(checkRun(good).ok, true);
    const reason = (values: Partial<TaskRun>): string => {
      const answer = checkRun({ ...good, ...values });
      return answer.ok ? 'taken' : answer.reason;
    };
    assert.match(reason({ workload: NaN }), /workload/);
    assert.match(reason({ dataSize: -1 }), /data size/);
    assert.match(reason({ latencyUs: 0 }), /latency/);
    assert.match(reason({ latencyUs: Infinity }), /latency/);
    assert.match(reason({ state: state({ computingUsed: 1.2 }) }), /computing in use/);
    assert.match(reason({ state: state({ capacity: 0 }) }), /capacity: a workload says nothing/);
    assert.match(reason({ state: state({ ioRate: -1 }) }), /I\/O rate/);
  });
});

describe('least squares with coefficients of 0 or more', () => {
  it('solves what has an exact answer', () => {
    const x = [[1, 0], [0, 1], [1, 1], [2, 1]];
    const solved = nonNegativeLeastSquares(x, x.map(([a, b]) => 3 * a! + 5 * b!), [1, 2, 1, 1]);
    assert.ok(Math.abs(solved[0]! - 3) < 1e-9 && Math.abs(solved[1]! - 5) < 1e-9);
  });

  it('gives 0 instead of a negative coefficient, and the best of the others', () => {
    // Without the bound: y = 2 x - 1. With it: the line through the origin, sum(xy) / sum(x^2) = 22 / 14.
    const solved = nonNegativeLeastSquares([[1, 1], [2, 1], [3, 1]], [1, 3, 5], [1, 1, 1]);
    assert.ok(Math.abs(solved[0]! - 22 / 14) < 1e-9);
    assert.equal(solved[1], 0);
  });

  it('is not thrown off by columns that say the same, or nothing', () => {
    const solved = nonNegativeLeastSquares([[1, 2, 0, 1], [2, 4, 0, 1], [3, 6, 0, 1]], [3, 5, 7], [1, 1, 1]);
    assert.ok(solved.every((value) => Number.isFinite(value) && value >= 0));
    [1, 2, 3].forEach((at) => assert.ok(Math.abs(solved[0]! * at + solved[1]! * 2 * at + solved[3]! - (2 * at + 1)) < 1e-6));
    assert.equal(solved[2], 0);
  });

  it('leaves no gradient to follow (Karush-Kuhn-Tucker), whatever the numbers', () => {
    const cell = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell, cell), { minLength: 4, maxLength: 12 }), (rows) => {
        const x = rows.map(([a, b, c]) => [a, b, c]);
        const y = rows.map((row) => row[3]);
        const b = nonNegativeLeastSquares(x, y, rows.map(() => 1));
        const residuals = x.map((row, i) => y[i]! - row.reduce((sum, value, j) => sum + value * b[j]!, 0));
        return b.every((value, j) => {
          const gradient = x.reduce((sum, row, i) => sum + row[j]! * residuals[i]!, 0);
          const scale = 1e-4 * (1 + Math.sqrt(x.reduce((sum, row) => sum + row[j]! ** 2, 0)) * Math.sqrt(y.reduce((sum, value) => sum + value ** 2, 0)));
          return value >= 0 && gradient <= scale && (value === 0 || gradient >= -scale);
        });
      }),
    );
  });
});

describe('the queueing form', () => {
  it('finds the coefficients that made the runs', () => {
    const { coefficients } = fitQueueingForm(runs(200, sharing, 0));
    assert.ok(Math.abs(coefficients.work / 2e6 - 1) < 1e-6, `work ${coefficients.work}`);
    assert.ok(Math.abs(coefficients.sharing / 2e6 - 1) < 1e-6, `sharing ${coefficients.sharing}`);
    assert.ok(Math.abs(coefficients.data / 0.1 - 1) < 1e-6);
    assert.ok(Math.abs(coefficients.constant / 500 - 1) < 1e-4);
  });

  it('never takes less time for more work, more data or more load', () => {
    const form = fitQueueingForm(runs(60, (s, used) => 1e6 * s * (1 + used), 0.4));
    const value = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(value, value, value, value, (s, more, used, moreUsed) => {
        const at = (work: number, load: number): number => evaluateQueueingForm(form, { workload: work * 1e8, dataSize: work * 1e4 }, state({ computingUsed: Math.min(1, load) }));
        return at(s, used) <= at(s + more, used + moreUsed) + 1e-9;
      }),
    );
  });

  it('knows only the mean where nothing varied', () => {
    const same = Array.from({ length: 20 }, (_, i): TaskRun => ({ workload: 1e6, dataSize: 10, latencyUs: 900 + 10 * i, state: state({ computingUsed: 0.5 }), atMs: 0 }));
    const form = fitQueueingForm(same);
    assert.deepEqual(form.dropped, ['work', 'sharing', 'waiting', 'data', 'storage', 'io']);
    const at = evaluateQueueingForm(form, same[0]!, same[0]!.state);
    assert.ok(at > 900 && at < 1090, `${at}`);
  });
});

describe('the demand model, Eq. (2)', () => {
  it('chooses the queueing form where runs follow it, with an error no larger than their noise', () => {
    const model = fitted(runs(300, sharing, 0.05));
    assert.equal(model.chosen, 'queueing');
    assert.ok(model.errors.queueing.mape < 0.05, `${model.errors.queueing.mape}`);
    assert.ok(model.errors.queueing.r2 > 0.98);
    assert.ok(model.errors.queueing.maeUs < model.errors.forest.maeUs);
    assert.ok(model.errors.queueing.maeUs < model.errors.mean.maeUs / 5);
  });

  it('chooses the forest where they do not: a cache that is too small makes tasks ten times slower', () => {
    const cliff = (s: number, used: number, dataSize: number): number => (dataSize > 50_000 ? 10 : 1) * 1e6 * s * (used > 0.5 ? 3 : 1);
    const model = fitted(runs(400, cliff, 0.05));
    assert.equal(model.chosen, 'forest');
    assert.ok(model.errors.forest.maeUs < 0.6 * model.errors.queueing.maeUs);
  });

  it('gives intervals that hold the share of new runs that they say', () => {
    for (const [seed, tau] of [[11, sharing], [12, (s: number, used: number) => 1e6 * s * (used > 0.5 ? 4 : 1)]] as const) {
      const model = fitted(runs(300, tau, 0.2, seed));
      const fresh = runs(2000, tau, 0.2, seed + 100);
      const inside = fresh.filter((run) => {
        const predicted = predictDemand(model, run, run.state);
        assert.ok(predicted.ok);
        return run.latencyUs >= predicted.value.lowUs && run.latencyUs <= predicted.value.highUs;
      }).length;
      assert.ok(inside / fresh.length > 0.85 && inside / fresh.length < 0.95, `${inside / fresh.length} of 0.9`);
    }
  });

  it('says where it goes beyond what it saw, and does so by the queueing form', () => {
    const model = { ...fitted(runs(100, sharing, 0.05)), chosen: 'forest' as const };
    const far = predictDemand(model, { workload: 1e9 * 3, dataSize: 1000 }, state());
    assert.ok(far.ok);
    assert.deepEqual(far.value.beyond, ['workload']);
    assert.equal(far.value.form, 'queueing');
    assert.ok(Math.abs(far.value.latencyUs / sharing(3, 0, 1000) - 1) < 0.1);
    const near = predictDemand(model, { workload: 1e7, dataSize: 1000 }, state({ computingUsed: 0.4 }));
    assert.ok(near.ok && near.value.form === 'forest' && near.value.beyond.length === 0);
  });

  it('is the same model for the same runs', () => {
    const list = runs(60, sharing, 0.1);
    assert.deepEqual(fitted(list), fitted(list));
  });

  it('works in steps of some milliseconds at most, so that others get their turn', () => {
    const list = runs(512, sharing, 0.1);
    const steps = fitDemandModel(list, { ...DEMAND_OPTIONS, folds: 2, forest: { ...DEMAND_OPTIONS.forest, trees: 5 } });
    const took: number[] = [];
    for (;;) {
      const began = performance.now();
      const step = steps.next();
      took.push(performance.now() - began);
      if (step.done === true) break;
    }
    assert.ok(took.length > 100, `${took.length} steps`);
    // The machine may be busy: the middle counts, and what most steps take.
    took.sort((a, b) => a - b);
    assert.ok(quantile(took, 0.95) < 10, `95 % of steps within ${quantile(took, 0.95)} ms`);
  });

  it('refuses too few runs and names the one that is no run', () => {
    const few = fitDemandModelNow(runs(9, sharing, 0));
    assert.match(few.ok ? '' : few.reason, /9 runs: at least 10/);
    assert.match(fitDemandModelNow([]).ok ? '' : 'refused', /refused/);
    const list = runs(20, sharing, 0);
    list[4] = { ...list[4]!, latencyUs: NaN };
    const wrong = fitDemandModelNow(list);
    assert.match(wrong.ok ? '' : wrong.reason, /^run 5: latency/);
  });

  it('answers any finite demand with a positive time inside its interval, and refuses the rest', () => {
    const model = fitted(runs(40, sharing, 0.1));
    const number = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(NaN, -1, 0, 1e12, Infinity));
    fc.assert(
      fc.property(number, number, number, number, (workload, dataSize, capacity, computingUsed) => {
        const answer = predictDemand(model, { workload, dataSize }, state({ capacity, computingUsed }));
        if (!answer.ok) return answer.reason.length > 0;
        const { latencyUs, lowUs, highUs } = answer.value;
        return latencyUs > 0 && lowUs <= latencyUs && latencyUs <= highUs;
      }),
    );
    assert.ok(evaluateDemand(model, { workload: 1e6, dataSize: 0 }, state(), 'forest') > 0);
  });

  it('keeps its promises with runs that do not vary at all', () => {
    const same = Array.from({ length: 12 }, (): TaskRun => ({ workload: 0, dataSize: 0, latencyUs: 1000, state: state({ capacity: 0 }), atMs: 0 }));
    const model = fitted(same);
    const answer = predictDemand(model, { workload: 0, dataSize: 0 }, state({ capacity: 0 }));
    assert.ok(answer.ok && Math.abs(answer.value.latencyUs - 1000) < 1e-6);
  });
});

describe('errors of predictions', () => {
  it('are those worked out by hand', () => {
    // Errors 1, -2, 2; squares 1, 4, 4; variance about the mean of 4: 4 + 0 + 4.
    const { maeUs, rmseUs, mape, r2, count } = predictionErrors([2, 4, 6], [3, 2, 8]);
    assert.equal(count, 3);
    assert.ok(Math.abs(maeUs - 5 / 3) < 1e-12);
    assert.ok(Math.abs(rmseUs - Math.sqrt(3)) < 1e-12);
    assert.ok(Math.abs(mape - (1 / 2 + 1 / 2 + 1 / 3) / 3) < 1e-12);
    assert.ok(Math.abs(r2 - (1 - 9 / 8)) < 1e-12);
    assert.equal(predictionErrors([], []).count, 0);
    assert.equal(predictionErrors([5, 5], [5, 5]).r2, 0);
  });

  it('quantiles lie between neighbours, and a shuffle loses nothing', () => {
    assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
    assert.equal(quantile([1, 2, 3], 1), 3);
    assert.deepEqual([...shuffled(50, seededRandom(3))].sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
  });
});
