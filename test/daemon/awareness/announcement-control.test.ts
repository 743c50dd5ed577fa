import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AnnouncementControl } from '../../../daemon/awareness/announcement-control.js';
import { changeOf } from '../../../daemon/awareness/damping.js';
import type { Instance } from '../../../daemon/computing/types.js';
import type { AnnouncePolicy } from '../../../daemon/config/types.js';

const policy: AnnouncePolicy = { threshold: 0.1, minIntervalMs: 1000, maxIntervalMs: 10_000, validityMs: 0 };
const NO_LIMIT = { rate: 0, burst: 1 };

const instance = (utilisation: number, changes: Partial<Instance> = {}): Instance => ({
  id: 1,
  aggregate: false,
  draining: false,
  sid: { sid: 'fcbb:bb00:11:e001::', behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
  computing: [],
  load: { utilisation, queueLength: 0, activeFlows: 0 },
  serviceDelay: undefined,
  storage: [],
  interface: undefined,
  location: undefined,
  energy: undefined,
  price: undefined,
  algorithms: [],
  cats: [],
  grade: undefined,
  address: undefined,
  ...changes,
});
const picture = (...instances: Instance[]) => ({ instances, queueCapacities: instances.map(() => 100) });

/** A control with one service announced at time 0. */
function started(budget = NO_LIMIT, rules = policy): AnnouncementControl {
  const control = new AnnouncementControl(budget);
  control.offer('a', picture(instance(5000)), rules);
  assert.deepEqual(control.take(0).map(({ service }) => service), ['a']);
  return control;
}

describe('announcement control', () => {
  it('announces what appears, drains and goes at once, inside the minimum interval', () => {
    const control = started();
    for (const next of [picture(instance(5000, { draining: true })), picture(instance(5000), instance(1000, { id: 2 })), picture()]) {
      control.offer('a', next, policy);
      assert.ok(control.wakeAt <= 1);
      assert.deepEqual(control.take(1), [{ service: 'a', instances: next.instances }]);
    }
    assert.equal(control.announced('a'), undefined);
    assert.equal(control.wakeAt, Infinity);
  });

  it('a change beyond the threshold waits for the minimum interval and takes the newest value', () => {
    const control = started();
    control.offer('a', picture(instance(7000)), policy);
    control.offer('a', picture(instance(9000)), policy);
    assert.equal(control.wakeAt, 1000);
    assert.deepEqual(control.take(999), []);
    assert.equal(control.take(1000)[0]!.instances[0]!.load!.utilisation, 9000);
  });

  it('a smaller change waits for the maximum interval, no change for nothing', () => {
    const control = started();
    assert.equal(control.wakeAt, Infinity);
    control.offer('a', picture(instance(5001)), policy);
    assert.equal(control.wakeAt, 10_000);
    assert.deepEqual(control.take(9999), []);
    assert.equal(control.take(10_000).length, 1);
    assert.equal(control.wakeAt, Infinity);
  });

  it('a change that is taken back is not announced', () => {
    const control = started();
    control.offer('a', picture(instance(9000)), policy);
    control.offer('a', picture(instance(5000)), policy);
    assert.deepEqual(control.take(60_000), []);
  });

  it('another grade is a change beyond any threshold', () => {
    const control = started(NO_LIMIT, { ...policy, threshold: 0.99 });
    control.offer('a', picture(instance(5000, { grade: 2 })), { ...policy, threshold: 0.99 });
    assert.equal(control.wakeAt, 1000);
  });

  it('an announcement with a validity is made anew after a third of it', () => {
    const rules = { ...policy, validityMs: 9000 };
    const control = started(NO_LIMIT, rules);
    assert.equal(control.wakeAt, 3000);
    assert.equal(control.take(3000).length, 1);
    assert.equal(control.wakeAt, 6000);
  });

  it('the budget goes to the most wrong pictures first, and the others follow', () => {
    const control = new AnnouncementControl({ rate: 10, burst: 2 });
    const services = ['a', 'b', 'c', 'd'];
    for (const service of services) control.offer(service, picture(instance(0)), policy);
    assert.equal(control.take(0).length, 4, 'what appears is urgent');
    services.forEach((service, index) => control.offer(service, picture(instance(2000 * (index + 1))), policy));
    assert.deepEqual(control.take(1000).map(({ service }) => service), ['d', 'c']);
    assert.equal(control.wakeAt, 1100);
    assert.deepEqual(control.take(1100).map(({ service }) => service), ['b']);
    assert.deepEqual(control.take(1200).map(({ service }) => service), ['a']);
    assert.equal(control.counters.delayedByBudget, 3);
    control.offer('a', picture(), policy);
    assert.equal(control.take(1200).length, 1, 'and what is urgent never waits for it');
  });

  it('a lifted budget releases what waits', () => {
    const control = started({ rate: 1, burst: 1 });
    control.offer('b', picture(instance(0)), policy);
    control.take(0);
    control.offer('a', picture(instance(9000)), policy);
    assert.deepEqual(control.take(1000), [], 'the debt of the urgent one is not paid yet');
    control.setBudget(NO_LIMIT);
    assert.equal(control.take(1001).length, 1);
  });

  it('announces everything again when asked to', () => {
    const control = started();
    control.renewAll();
    assert.deepEqual(control.take(1).map(({ service }) => service), ['a']);
  });

  it('never announces a service twice within its minimum interval, never exceeds the budget, and leaves no picture wrong for long', () => {
    const update = fc.record({ gap: fc.nat({ max: 700 }), service: fc.constantFrom('a', 'b', 'c'), utilisation: fc.nat({ max: 10_000 }) });
    fc.assert(
      fc.property(fc.array(update, { minLength: 1, maxLength: 80 }), fc.integer({ min: 4, max: 50 }), (updates, rate) => {
        const control = new AnnouncementControl({ rate, burst: 3 });
        const truth = new Map<string, Instance>();
        const told = new Map<string, { at: number; instance: Instance }>();
        let now = 0;
        let dues = 0;
        const take = (at: number, isFirst: (service: string) => boolean): void => {
          for (const { service, instances } of control.take(at)) {
            const before = told.get(service);
            if (before && !isFirst(service)) assert.ok(at - before.at >= policy.minIntervalMs, `${service} again after ${at - before.at} ms`);
            told.set(service, { at, instance: instances[0]! });
            dues++;
          }
        };
        const runTo = (end: number): void => {
          while (control.wakeAt <= end) {
            now = Math.max(now, control.wakeAt);
            take(now, () => false);
          }
          now = end;
        };
        for (const { gap, service, utilisation } of updates) {
          runTo(now + gap);
          const isNew = !truth.has(service);
          truth.set(service, instance(utilisation));
          control.offer(service, picture(truth.get(service)!), policy);
          take(now, (name) => isNew && name === service);
        }
        assert.ok(dues <= 3 + 3 + (rate * now) / 1000 + 1, `${dues} announcements in ${now} ms`);
        // A minimum interval and the budget's delay later every picture is within the threshold; a maximum interval later it is right.
        runTo(now + policy.minIntervalMs + 2000);
        for (const [service, { instance: last }] of told) assert.ok(changeOf(last, truth.get(service)!, 100) <= policy.threshold);
        runTo(now + policy.maxIntervalMs + 2000);
        for (const [service, { instance: last }] of told) assert.equal(last.load!.utilisation, truth.get(service)!.load!.utilisation);
      }),
    );
  });
});
