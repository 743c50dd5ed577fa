import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DemandModels } from '../../../../daemon/awareness/demand/demand-models.js';
import { ManualClock } from '../../../../daemon/clock.js';
import type { LabelledRun } from '../../../../daemon/computing/model/history.js';

const SERVICE = '2001:db8:5e::1';
const FAST = 'fc00:0:11::1#1';
const SLOW = 'fc00:0:12::1#1';

/** A task of so many ms on the whole node, in a node that is a tenth slower when it is half busy; the slow node needs twice the time. */
function run(i: number, instance: string): LabelledRun {
  const workload = 1e6 * (1 + (i % 17));
  const computingUsed = (i % 5) / 10;
  const latencyUs = ((workload / 1e9) * 1e6 * (instance === SLOW ? 2 : 1)) / (1 - computingUsed);
  return { service: SERVICE, instance, workload, dataSize: 0, latencyUs, state: { capacity: 1e9, computingUsed, storage: 0, storageUsed: 0, ioRate: 0 }, atMs: i };
}

const instance = { id: 1, computing: [{ class: 2 as const, chip: 1, total: 1_000_000_000n, residual: 800_000_000n }], storage: [] };

describe('the demand models of a router', () => {
  it('answer once runs are there, an instance with enough of them by its own model', () => {
    const clock = new ManualClock();
    const changed: string[] = [];
    const models = new DemandModels(clock, (service) => void changed.push(service));
    for (let i = 0; i < 40; i++) for (const at of [FAST, SLOW]) assert.ok(models.add(run(i, at)).ok);
    assert.equal(models.estimate(SERVICE, 'fc00:0:11::1', instance, { workload: 8e6, dataSize: 0 }), undefined);
    clock.advance(1000);
    const [fast, slow] = ['fc00:0:11::1', 'fc00:0:12::1'].map((exit) => models.estimate(SERVICE, exit, instance, { workload: 8e6, dataSize: 0 })!);
    assert.equal(fast!.scope, FAST);
    assert.ok(Math.abs(fast!.latencyUs / 10_000 - 1) < 0.02, `${fast!.latencyUs}`);
    assert.ok(Math.abs(slow!.latencyUs / 20_000 - 1) < 0.02, `${slow!.latencyUs}`);
    // One nobody saw runs of is known by the service.
    const other = models.estimate(SERVICE, 'fc00:0:13::1', instance, { workload: 8e6, dataSize: 0 })!;
    assert.equal(other.scope, '');
    assert.equal(other.runs, 80);
    assert.ok(other.latencyUs > 9000 && other.latencyUs < 21_000);
    assert.ok(changed.every((service) => service === SERVICE) && changed.length === 3);
  });

  it('are fitted anew when a tenth of the runs is new, and not more often than every ten seconds', () => {
    const clock = new ManualClock();
    const models = new DemandModels(clock);
    for (let i = 0; i < 20; i++) models.add(run(i, ''));
    clock.advance(100);
    assert.equal(models.counters.fits, 1n);
    models.add(run(20, ''));
    clock.advance(20_000);
    assert.equal(models.counters.fits, 1n);
    for (let i = 21; i < 60; i++) models.add(run(i, ''));
    clock.advance(0);
    assert.equal(models.counters.fits, 2n);
    for (let i = 60; i < 120; i++) models.add(run(i, ''));
    clock.advance(5000);
    assert.equal(models.counters.fits, 2n);
    clock.advance(6000);
    assert.equal(models.counters.fits, 3n);
  });

  it('are bounded in runs and services, and refuse nonsense with a reason', () => {
    const clock = new ManualClock();
    const models = new DemandModels(clock);
    for (let i = 0; i < 600; i++) models.add({ ...run(i, ''), service: '2001:db8::9' });
    assert.equal(models.runs('2001:db8::9').length, 512);
    assert.equal(models.runs('2001:db8::9')[0]!.atMs, 88);
    for (let i = 1; i < 256; i++) assert.ok(models.add({ ...run(i, ''), service: `2001:db8::1:${i.toString(16)}` }).ok);
    const full = models.add({ ...run(1, ''), service: '2001:db8::2:1' });
    assert.match(full.ok ? '' : full.reason, /256 services/);
    for (const bad of [{ latencyUs: NaN }, { workload: -1 }, { service: '' }]) assert.equal(models.add({ ...run(1, ''), service: '2001:db8::9', ...bad }).ok, false);
    assert.equal(models.counters.refused, 4n);
    models.stop();
  });

  it('tell what they are, and why there is none', () => {
    const clock = new ManualClock();
    const models = new DemandModels(clock);
    for (let i = 0; i < 5; i++) models.add(run(i, FAST));
    assert.match(models.views(undefined)[0]!.reason, /5 runs: at least 10/);
    for (let i = 5; i < 40; i++) models.add(run(i, FAST));
    clock.advance(100);
    assert.deepEqual(models.views(SERVICE).map(({ scope, runs, model }) => [scope, runs, model?.chosen]), [['', 40, 'queueing'], [FAST, 40, 'queueing']]);
    assert.deepEqual(models.views('2001:db8::9'), []);
  });
});
