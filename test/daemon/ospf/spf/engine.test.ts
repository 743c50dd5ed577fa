import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../../daemon/clock.js';
import { SpfEngine } from '../../../../daemon/ospf/spf/engine.js';
import type { LsaChange, SpfRoute } from '../../../../daemon/ospf/spf/types.js';
import { LsType } from '../../../../daemon/ospf/wire/types.js';
import { Model, arbitraryModel, decapSid, endSid, endXSid, locatorOf, lsa } from './model.js';
import { OPTIONS, Router } from './router.js';

/** Every look at it costs time: slices end after a few steps. */
class SlowClock extends ManualClock {
  private looks = 0;

  override now(): number {
    return super.now() + this.looks++ * 1.5;
  }
}

const sorted = (routes: Iterable<SpfRoute>): SpfRoute[] => [...routes].sort((a, b) => (a.prefix < b.prefix ? -1 : 1));

/** What an engine says that gets the whole database at once. */
function anew(model: Model, options: ConstructorParameters<typeof SpfEngine>[0]['options']): SpfEngine {
  const clock = new ManualClock();
  const engine = new SpfEngine({ routerId: 1, clock, options });
  engine.setInterfaces(model.interfacesOf(1));
  engine.lsdbChanged([...model.lsas().values()].map((after): LsaChange => ({ key: after.header, before: undefined, after })));
  clock.advance(6000);
  return engine;
}

/** A chain of routers, each with a hundred prefixes. */
function manyPrefixes(): Model {
  const model = new Model();
  for (let id = 1; id <= 6; id++) model.link(id, (id % 6) + 1, 1);
  for (const router of model.routers.values()) for (let index = 0; index < 100; index++) router.prefixes.push({ prefix: `2001:db8:${router.id}:${index.toString(16)}::/64`, metric: index });
  return model;
}

describe('SPF engine', () => {
  it('works out routes and backups in slices and tells them as they come', () => {
    const model = manyPrefixes();
    const router = new Router(model, 1, { fastReroute: 'ti-lfa' }, new SlowClock());
    assert.ok(router.deltas.filter(({ added }) => added.length > 0).length >= 3);
    assert.ok(router.deltas.filter(({ changed }) => changed.length > 0).length >= 2);
    assert.deepEqual(sorted(router.told.values()), sorted(anew(model, { ...OPTIONS, fastReroute: 'ti-lfa' }).routes()));
    const { routes, routers, reachableRouters, networks, protection } = router.engine.statistics();
    assert.deepEqual([routes, routers, reachableRouters, networks], [router.told.size, 6, 6, 0]);
    // Router 4 is reached both ways; all others are protected.
    assert.deepEqual([protection.protectedRoutes, protection.unprotectedRoutes], [4 * 101, 0]);
  });

  it('ends with the same routes and backups when changes come in between slices', () => {
    const change = fc.record({ kind: fc.nat(3), index: fc.nat(99), value: fc.integer({ min: 1, max: 12 }), wait: fc.constantFrom(1, 50, 60, 210, 800) });
    fc.assert(
      fc.property(arbitraryModel(8), fc.array(change, { minLength: 1, maxLength: 12 }), (model, changes) => {
        const router = new Router(model, 1, { fastReroute: 'ti-lfa' }, new SlowClock());
        for (const { kind, index, value, wait } of changes) {
          const link = model.links[index % model.links.length]!;
          const one = [...model.routers.values()][index % model.routers.size]!;
          if (kind === 0) link.up = !link.up;
          else if (kind === 1) link.aCost = value;
          else if (kind === 2) one.srv6 = !one.srv6;
          else one.prefixes = Array.from({ length: value * 10 }, (_, number) => ({ prefix: `2001:db8:e:${number.toString(16)}::/64`, metric: value }));
          router.engine.lsdbChanged(model.changes());
          router.clock.advance(wait);
        }
        router.clock.advance(30_000);
        const expected = anew(model, { ...OPTIONS, fastReroute: 'ti-lfa' });
        assert.deepEqual(sorted(router.told.values()), sorted(expected.routes()));
        assert.deepEqual([...router.reachable].sort(), [...expected.reachableRouters()].sort());
      }),
      { numRuns: 40 },
    );
  });

  it('forgets routers that are gone and goes on with those that are left', () => {
    const model = new Model();
    model.link(1, 2, 1);
    for (let id = 3; id < 400; id++) model.link(2, id, 1);
    const router = new Router(model);
    assert.equal(router.reachable.size, 399);
    const { full } = router.engine.statistics();
    for (let id = 3; id < 390; id++) model.routers.delete(id);
    model.links.splice(1, 387);
    router.settle();
    assert.equal(router.reachable.size, 12);
    assert.equal(router.engine.statistics().full, full + 1, 'numbers are given anew, once');
    model.links[0]!.aCost = 7;
    router.settle();
    assert.equal(router.told.get('2001:db8:190::/64'), undefined);
    assert.equal(router.told.get('2001:db8:186::/64')!.cost, 8);
    model.links[1]!.aCost = 5;
    router.settle();
    assert.equal(router.engine.statistics().full, full + 1);
    assert.deepEqual(sorted(router.told.values()), sorted(anew(model, OPTIONS).routes()));
  });

  it('computes nothing after it is stopped', () => {
    const model = manyPrefixes();
    const router = new Router(model, 1, { fastReroute: 'ti-lfa' }, new SlowClock());
    model.links[0]!.up = false;
    router.engine.lsdbChanged(model.changes());
    router.clock.advance(51);
    router.deltas = [];
    router.engine.stop();
    router.clock.advance(60_000);
    assert.deepEqual(router.deltas, []);
  });

  it('tells the SIDs of a router: End, End.DT6 and End.X inside its locators, of algorithm 0', () => {
    const model = new Model();
    model.link(1, 2, 1);
    const router = new Router(model);
    assert.deepEqual(router.engine.sidsOf(2), {
      routerId: 2,
      locators: [{ prefix: locatorOf(2), algorithm: 0, metric: 0 }],
      end: [{ sid: endSid(2), behaviour: 1 }, { sid: decapSid(2), behaviour: 0x12 }],
      endX: [{ sid: endXSid(2, 2, 1), behaviour: 5, interfaceId: 2, neighbor: 1 }],
    });
    const key = { type: LsType.srv6Locator, id: 1, router: 2 };
    router.engine.lsdbChanged([{ key, before: undefined, after: lsa(key, { kind: 'srv6Locator', locators: [] }) }]);
    assert.deepEqual(router.engine.sidsOf(2), { routerId: 2, locators: [], end: [], endX: [] });
    assert.equal(router.engine.sidsOf(9), undefined);
  });
});
