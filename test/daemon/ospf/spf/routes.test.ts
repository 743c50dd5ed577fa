import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SpfEngine } from '../../../../daemon/ospf/spf/engine.js';
import type { LsaChange, SpfRoute } from '../../../../daemon/ospf/spf/types.js';
import { LsType, PrefixOptionBit, type LsaBody } from '../../../../daemon/ospf/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { Model, allDistances, arbitraryModel, linkLocal, locatorOf, lsa, plain } from './model.js';
import { OPTIONS, Router } from './router.js';

const external = (prefix: string, metric: number, type2: boolean, more: Partial<Extract<LsaBody, { kind: 'asExternal' | 'nssa' }>> = {}): LsaBody => ({
  kind: 'asExternal',
  ...plain(prefix, metric),
  type2,
  forwarding: undefined,
  tag: undefined,
  referenced: undefined,
  ...more,
});
const interArea = (prefix: string, metric: number): LsaBody => ({ kind: 'interAreaPrefix', ...plain(prefix, metric) });
const locator = (prefix: string, routeType: number, metric: number, algorithm = 0): LsaBody => ({ kind: 'srv6Locator', locators: [{ routeType, algorithm, prefixOptions: 0, metric, prefix: Prefix.from(prefix), endSids: [] }] });

/** 1 -1- 2, 1 -2- 3, 2 -1- 4, 3 -1- 4 (4 at 2 by way of 2). */
function square(): Model {
  const model = new Model();
  model.link(1, 2, 1);
  model.link(1, 3, 2);
  model.link(2, 4, 1);
  model.link(3, 4, 1);
  return model;
}

describe('routes', () => {
  it('lead to prefixes of routers and networks with the neighbours\' addresses, and not to what is this router\'s own', () => {
    const model = square();
    model.lan([4, 5], [5, 1]);
    const router = new Router(model);
    assert.equal(router.route('2001:db8:4::/64'), 'intra 2: 2');
    assert.equal(router.route('2001:db8:ffff::/64'), 'intra 7: 2');
    assert.equal(router.route('2001:db8:5::/64'), 'intra 7: 2');
    assert.equal(router.route('2001:db8:1::/64'), undefined);
    assert.deepEqual(router.told.get('2001:db8:4::/64')!.nextHops, [{ interface: 'eth1', interfaceId: 1, neighbor: 2, gateway: linkLocal(2, 2) }]);
    assert.deepEqual([...router.reachable].sort(), [1, 2, 3, 4, 5]);
  });

  it('take the gateway from the Link-LSA where no neighbour was heard, and leave the next hop out where there is neither', () => {
    const model = square();
    const router = new Router(model);
    router.engine.setInterfaces(model.interfacesOf(1).map((one) => ({ ...one, neighbors: [] })));
    router.clock.advance(6000);
    assert.equal(router.told.get('2001:db8:2::/64')!.nextHops[0]!.gateway, linkLocal(2, 2));
    router.put(LsType.link, 2, 2, undefined);
    assert.equal(router.told.has('2001:db8:2::/64'), false);
  });

  it('go straight onto a network of this router\'s own, and through it to the routers on it', () => {
    const model = new Model();
    model.lan([1, 3], [2, 1], [4, 1]);
    const router = new Router(model);
    assert.equal(router.route('2001:db8:ffff::/64'), 'intra 3: link');
    assert.equal(router.route('2001:db8:2::/64'), 'intra 3: 2');
    assert.equal(router.told.get('2001:db8:2::/64')!.nextHops[0]!.gateway, linkLocal(2, 2));
  });

  it('have all equal-cost next hops, as many as paths are allowed, the same ones always', () => {
    const model = square();
    model.links[1]!.aCost = 1;
    assert.equal(new Router(model).route('2001:db8:4::/64'), 'intra 2: 2 3');
    const again = square();
    again.links[1]!.aCost = 1;
    assert.equal(new Router(again, 1, { maxPaths: 1 }).route('2001:db8:4::/64'), 'intra 2: 2');
  });

  it('leave out NU prefixes, link-local and multicast prefixes, and what refers to no router or network', () => {
    const router = new Router(square());
    const prefixes = [plain('2001:db8:a::/64', 0, PrefixOptionBit.nu), plain('2001:db8:b::1/128', 0, PrefixOptionBit.la), plain('fe80::/64', 0), plain('ff05::/16', 0)];
    router.put(LsType.intraAreaPrefix, 4, 9, { kind: 'intraAreaPrefix', referenced: { type: LsType.router, id: 0, router: 4 }, prefixes });
    router.put(LsType.intraAreaPrefix, 4, 10, { kind: 'intraAreaPrefix', referenced: { type: LsType.link, id: 0, router: 4 }, prefixes: [plain('2001:db8:c::/64', 0)] });
    assert.deepEqual(['2001:db8:a::/64', '2001:db8:b::1/128', 'fe80::/64', 'ff05::/16', '2001:db8:c::/64'].map((prefix) => router.route(prefix)), [undefined, 'intra 2: 2', undefined, undefined, undefined]);
  });

  it('prefer intra-area to inter-area to external type 1 to type 2, whatever the cost', () => {
    const model = square();
    model.router(3).border = true;
    model.router(3).asBoundary = true;
    model.router(2).asBoundary = true;
    const router = new Router(model);
    const prefix = '2001:db8:e::/64';
    const steps: [number, number, LsaBody, string][] = [
      [LsType.asExternal, 2, external(prefix, 1, true), 'external2 1 (1): 2'],
      [LsType.asExternal, 3, external(prefix, 500, false), 'external1 502: 3'],
      [LsType.interAreaPrefix, 3, interArea(prefix, 1000), 'inter 1002: 3'],
      [LsType.intraAreaPrefix, 4, { kind: 'intraAreaPrefix', referenced: { type: LsType.router, id: 0, router: 4 }, prefixes: [plain(prefix, 5000)] }, 'intra 5002: 2'],
    ];
    for (const [type, announcer, body, expected] of steps) {
      router.put(type, announcer, 77, body);
      assert.equal(router.route(prefix), expected);
    }
    for (const [index, [type, announcer]] of [...steps].reverse().entries()) {
      router.put(type, announcer, 77, undefined);
      assert.equal(router.route(prefix), [...steps].reverse()[index + 1]?.[3]);
    }
  });

  it('to prefixes of other areas need a router that says it is a border router', () => {
    const model = square();
    const router = new Router(model);
    router.put(LsType.interAreaPrefix, 4, 1, interArea('2001:db8:e::/64', 3));
    router.put(LsType.interAreaPrefix, 4, 2, interArea('2001:db8:f::/64', 0xffffff));
    assert.equal(router.route('2001:db8:e::/64'), undefined);
    model.router(4).border = true;
    router.settle();
    assert.equal(router.route('2001:db8:e::/64'), 'inter 5: 2');
    assert.equal(router.route('2001:db8:f::/64'), undefined);
  });

  it('to external prefixes of type 2 go by the metric, then by the way to the border router', () => {
    const model = square();
    for (const id of [2, 3, 4]) model.router(id).asBoundary = true;
    const router = new Router(model);
    const prefix = '2001:db8:e::/64';
    router.put(LsType.asExternal, 3, 1, external(prefix, 10, true));
    router.put(LsType.asExternal, 4, 1, external(prefix, 10, true));
    assert.equal(router.route(prefix), 'external2 2 (10): 2 3');
    router.put(LsType.asExternal, 2, 1, external(prefix, 10, true));
    assert.equal(router.route(prefix), 'external2 1 (10): 2');
    router.put(LsType.asExternal, 4, 1, external(prefix, 9, true, { tag: 7 }));
    assert.equal(router.route(prefix), 'external2 2 (9): 2');
    assert.equal(router.told.get(prefix)!.tag, 7);
    router.put(LsType.asExternal, 4, 1, external(prefix, 0xffffff, true));
    assert.equal(router.route(prefix), 'external2 1 (10): 2');
  });

  it('to external prefixes need a border router that says it is one and is reached', () => {
    const model = square();
    const router = new Router(model);
    router.put(LsType.asExternal, 4, 1, external('2001:db8:e::/64', 1, false));
    assert.equal(router.route('2001:db8:e::/64'), undefined);
    model.router(4).asBoundary = true;
    router.settle();
    assert.equal(router.route('2001:db8:e::/64'), 'external1 3: 2');
    model.links[2]!.up = model.links[3]!.up = false;
    router.settle();
    assert.equal(router.route('2001:db8:e::/64'), undefined);
  });

  it('to external prefixes of another area go by the Inter-Area-Router-LSAs of border routers, unless the router is in this area', () => {
    const model = square();
    model.router(2).border = model.router(3).border = true;
    const router = new Router(model);
    const prefix = '2001:db8:e::/64';
    router.put(LsType.asExternal, 9, 1, external(prefix, 10, false));
    assert.equal(router.route(prefix), undefined);
    router.put(LsType.interAreaRouter, 2, 9, { kind: 'interAreaRouter', options: 0, metric: 5, destination: 9 });
    assert.equal(router.route(prefix), 'external1 16: 2');
    router.put(LsType.interAreaRouter, 3, 9, { kind: 'interAreaRouter', options: 0, metric: 4, destination: 9 });
    assert.equal(router.route(prefix), 'external1 16: 2 3');
    model.links[0]!.aCost = 3;
    router.settle();
    assert.equal(router.route(prefix), 'external1 16: 3');
    model.link(4, 9, 50);
    model.router(9).asBoundary = true;
    router.settle();
    assert.equal(router.route(prefix), 'external1 63: 3');
  });

  it('to a forwarding address go where the internal route to it goes, and follow it', () => {
    const model = square();
    model.router(2).asBoundary = true;
    model.lan([1, 7], [3, 7]);
    const router = new Router(model);
    router.put(LsType.asExternal, 2, 1, external('2001:db8:e::/64', 10, false, { forwarding: '2001:db8:4::99' }));
    assert.equal(router.route('2001:db8:e::/64'), 'external1 12: 2');
    router.put(LsType.asExternal, 2, 2, external('2001:db8:f::/64', 10, true, { forwarding: '2001:db8:ffff::99' }));
    assert.equal(router.route('2001:db8:f::/64'), 'external2 7 (10): 2001:db8:ffff::99');
    router.put(LsType.asExternal, 2, 3, external('2001:db8:d::/64', 10, true, { forwarding: '2001:db8:dead::1' }));
    assert.equal(router.route('2001:db8:d::/64'), undefined);
    router.put(LsType.intraAreaPrefix, 3, 9, { kind: 'intraAreaPrefix', referenced: { type: LsType.router, id: 0, router: 3 }, prefixes: [plain('2001:db8:4::/96', 0)] });
    assert.equal(router.route('2001:db8:e::/64'), 'external1 12: 3');
    router.put(LsType.intraAreaPrefix, 3, 9, undefined);
    assert.equal(router.route('2001:db8:e::/64'), 'external1 12: 2');
  });

  it('to locators exist by the Locator LSA alone, and give way to any other announcement of the prefix', () => {
    const model = square();
    model.router(4).srv6 = false;
    const router = new Router(model);
    router.put(LsType.srv6Locator, 4, 5, locator(locatorOf(4), 1, 3));
    assert.equal(router.route(locatorOf(4)), 'intra 5: 2');
    router.put(LsType.intraAreaPrefix, 4, 5, { kind: 'intraAreaPrefix', referenced: { type: LsType.router, id: 0, router: 4 }, prefixes: [plain(locatorOf(4), 9)] });
    assert.equal(router.route(locatorOf(4)), 'intra 11: 2');
    assert.equal(router.deltas.at(-1)!.changed.length, 1);
    router.put(LsType.srv6Locator, 4, 6, locator('fcbb:bb00:99::/48', 1, 0, 128));
    router.put(LsType.srv6Locator, 4, 7, locator('fcbb:bb00:98::/48', 1, 0xffffffff));
    router.put(LsType.srv6Locator, 4, 8, locator('fcbb:bb00:97::/48', 5, 1));
    for (const last of [99, 98, 97]) assert.equal(router.route(`fcbb:bb00:${last}::/48`), undefined);
  });

  it('ignore NSSA-LSAs', () => {
    const model = square();
    model.router(4).asBoundary = true;
    const router = new Router(model);
    router.put(LsType.nssa, 4, 1, { ...external('2001:db8:e::/64', 1, false), kind: 'nssa' } as LsaBody);
    assert.equal(router.route('2001:db8:e::/64'), undefined);
  });

  it('change by as little as changed: a prefix costs no tree, a refresh costs nothing', () => {
    const model = square();
    const router = new Router(model);
    const before = router.engine.statistics();
    router.deltas = [];
    model.router(4).prefixes.push({ prefix: '2001:db8:44::/64', metric: 3 });
    router.settle();
    assert.deepEqual(router.deltas.map(({ added, changed, removed }) => [added.length, changed.length, removed.length]), [[1, 0, 0]]);
    const after = router.engine.statistics();
    assert.deepEqual([after.full, after.incremental, after.partial], [before.full, before.incremental, before.partial + 1]);
    const [refreshed] = [...model.lsas().values()];
    assert.equal(router.engine.lsdbChanged([{ key: refreshed!.header, before: refreshed, after: refreshed }]), 'nothing');
    model.links[3]!.bCost = 7;
    assert.equal(router.engine.lsdbChanged(model.changes()), 'topology');
    router.clock.advance(6000);
    assert.equal(router.engine.statistics().incremental, before.incremental + 1);
  });

  it('cost to every prefix what distances between all routers give', () => {
    fc.assert(
      fc.property(arbitraryModel(12), (model) => {
        const router = new Router(model);
        const distance = allDistances(model);
        for (const id of model.routers.keys()) {
          const cost = distance('1', String(id));
          assert.equal(router.told.get(`2001:db8:${id.toString(16)}::/64`)?.cost, id === 1 || cost === Infinity ? undefined : cost);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are after any sequence of changes what they are worked out anew', () => {
    const change = fc.record({ kind: fc.nat(9), index: fc.nat(99), value: fc.integer({ min: 1, max: 12 }) });
    fc.assert(
      fc.property(arbitraryModel(9), fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 10 }), (model, rounds) => {
        const router = new Router(model);
        const extra = new Map<string, { type: number; router: number; id: number; body: LsaBody }>();
        const toggle = (type: number, announcer: number, id: number, body: LsaBody): void => {
          const text = `${type} ${announcer} ${id}`;
          const gone = extra.has(text) && id % 2 === 0;
          if (gone) extra.delete(text);
          else extra.set(text, { type, router: announcer, id, body });
          router.put(type, announcer, id, gone ? undefined : body);
        };
        for (const steps of rounds) {
          for (const { kind, index, value } of steps) {
            const announcer = [...model.routers.values()][index % model.routers.size]!;
            const link = model.links[index % model.links.length]!;
            const prefix = `2001:db8:e:${(value % 3).toString(16)}::/64`;
            const forwarding = value % 4 === 0 ? `2001:db8:${(1 + (index % model.routers.size)).toString(16)}::5` : undefined;
            if (kind === 0) link.up = !link.up;
            else if (kind === 1) link.aCost = value;
            else if (kind === 2) announcer.border = !announcer.border;
            else if (kind === 3) announcer.asBoundary = !announcer.asBoundary;
            else if (kind === 4) announcer.prefixes = [{ prefix, metric: value }];
            else if (kind === 5) toggle(LsType.interAreaPrefix, announcer.id, value % 4, interArea(prefix, value));
            else if (kind === 6) toggle(LsType.asExternal, index % 3 === 0 ? 99 : announcer.id, value % 4, external(prefix, value, value % 2 === 0, { forwarding }));
            else if (kind === 7) toggle(LsType.interAreaRouter, announcer.id, 99, { kind: 'interAreaRouter', options: 0, metric: value, destination: 99 });
            else if (kind === 8) toggle(LsType.srv6Locator, announcer.id, 50 + (value % 4), locator(prefix, 1 + (value % 4), value));
            else announcer.transit = !announcer.transit;
          }
          router.settle();
        }
        const changes = [...model.lsas().values()].map((after): LsaChange => ({ key: after.header, before: undefined, after }));
        for (const one of extra.values()) changes.push({ key: one, before: undefined, after: lsa(one, one.body) });
        const anew = new SpfEngine({ routerId: 1, clock: router.clock, options: OPTIONS });
        anew.setInterfaces(model.interfacesOf(1));
        anew.lsdbChanged(changes);
        router.clock.advance(6000);
        const sorted = (routes: Iterable<SpfRoute>): SpfRoute[] => [...routes].sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
        assert.deepEqual(sorted(router.told.values()), sorted(anew.routes()));
        assert.deepEqual(sorted(router.engine.routes()), sorted(anew.routes()));
        assert.deepEqual([...router.reachable].sort(), [...anew.reachableRouters()].sort());
      }),
      { numRuns: 150 },
    );
  });
});
