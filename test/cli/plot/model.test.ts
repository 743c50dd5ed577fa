import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modelPlotSvg } from '../../../cli/plot/model.js';
import { fitDemandModelNow } from '../../../daemon/computing/model/demand.js';
import type { TaskRun } from '../../../daemon/computing/model/run.js';

describe('the plot of a demand model', () => {
  it('has one point a run and form, one a residual, and names the chosen form', () => {
    const runs = Array.from({ length: 60 }, (_, i): TaskRun => ({ workload: 1e6 * (1 + (i % 13)), dataSize: 0, latencyUs: 1000 * (1 + (i % 13)) * (i % 2 === 0 ? 1 : 1.1), state: { capacity: 1e9, computingUsed: 0, storage: 0, storageUsed: 0, ioRate: 0 }, atMs: 0 }));
    const model = fitDemandModelNow(runs);
    assert.ok(model.ok);
    const svg = modelPlotSvg('runs <of> "one"', runs, model.value);
    // Two points at the ends of each of the four lines.
    assert.equal(svg.match(/<circle/g)!.length, 3 * 60 + 4 * 2);
    assert.ok(svg.includes('(chosen)') && svg.includes('runs &#60;of&#62; &#34;one&#34;'));
    assert.equal(svg.match(/<svg /g)!.length, svg.match(/<\/svg>/g)!.length);
    assert.ok(!/NaN|Infinity/.test(svg));
  });
});
