import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LinkDelays } from '../../../../daemon/ospf/spf/delay.js';
import { fewestSegments } from '../../../../daemon/ospf/spf/segments.js';
import type { DelayOptions } from '../../../../daemon/ospf/spf/types.js';
import { LsType } from '../../../../daemon/ospf/wire/types.js';
import { Model, allDistances, arbitraryModel, edgesOf, endSid, endXSid, lsa, teLink, type ModelEdge } from './model.js';
import { OPTIONS, Router } from './router.js';

const MISSING = 10_000;

interface Trail {
  readonly routers: readonly string[];
  readonly us: number;
}

/** All ways that traffic with these SIDs can take when routers choose among equal costs as they please; undefined: a SID is nobody's. */
function trails(model: Model, distance: (from: string, to: string) => number, edges: readonly ModelEdge[], sids: readonly string[], destination: string): Trail[] | undefined {
  const stops: { readonly owner: string; readonly interfaceId?: number; readonly to?: string }[] = [];
  for (const sid of sids) {
    const stop = stopOf(model, sid);
    if (!stop) return undefined;
    stops.push(stop);
  }
  let ways: Trail[] = [{ routers: ['1'], us: 0 }];
  const extend = (way: Trail, edge: ModelEdge): Trail => ({ routers: edge.to.startsWith('lan') ? way.routers : [...way.routers, edge.to], us: way.us + (edge.from.startsWith('lan') ? 0 : (edge.delay ?? MISSING)) });
  const towards = (way: Trail, at: string, owner: string): Trail[] => {
    if (at === owner) return [way];
    return edges.filter((edge) => edge.from === at && edge.cost + distance(edge.to, owner) === distance(at, owner)).flatMap((edge) => towards(extend(way, edge), edge.to, owner));
  };
  for (const { owner, interfaceId, to } of [...stops, { owner: destination }]) {
    ways = ways.flatMap((way) => towards(way, way.routers.at(-1)!, owner));
    if (to === undefined) continue;
    const across = edges.find((edge) => edge.from === owner && edge.interfaceId === interfaceId)!;
    ways = ways.map((way) => extend(way, across)).map((way) => (across.to.startsWith('lan') ? extend(way, { from: across.to, to, cost: 0, interfaceId: 0, delay: undefined }) : way));
  }
  return ways;
}

function stopOf(model: Model, sid: string): { readonly owner: string; readonly interfaceId?: number; readonly to?: string } | undefined {
  return allSids(model).get(sid);
}

function allSids(model: Model): Map<string, { readonly owner: string; readonly interfaceId?: number; readonly to?: string }> {
  const all = new Map<string, { owner: string; interfaceId?: number; to?: string }>();
  for (const { id, srv6 } of model.routers.values()) {
    if (!srv6) continue;
    all.set(endSid(id), { owner: String(id) });
    if (id === 1) continue;
    for (const link of model.links) {
      if (!link.up) continue;
      if (link.a === id) all.set(endXSid(id, link.aInterface, link.b), { owner: String(id), interfaceId: link.aInterface, to: String(link.b) });
      if (link.b === id) all.set(endXSid(id, link.bInterface, link.a), { owner: String(id), interfaceId: link.bInterface, to: String(link.a) });
    }
    for (const { members } of model.lans) {
      const own = members.find(({ router }) => router === id);
      for (const other of own ? members : []) if (other !== own) all.set(endXSid(id, own!.interfaceId, other.router), { owner: String(id), interfaceId: own!.interfaceId, to: String(other.router) });
    }
  }
  return all;
}

const exactly = (ways: readonly Trail[] | undefined, routers: readonly number[], us: number): boolean =>
  ways !== undefined && ways.every((way) => way.us === us && way.routers.slice(1).join() === routers.join());

const delay = (options: Partial<DelayOptions>): { delay: DelayOptions } => ({ delay: { ...OPTIONS.delay, ...options } });

describe('paths by delay', () => {
  it('have the delay that distances between all routers give, and the path of least cost that of its slowest equal', () => {
    fc.assert(
      fc.property(arbitraryModel(10, { delays: true }), (model) => {
        const router = new Router(model);
        const edges = edgesOf(model);
        const cost = allDistances(model);
        const weight = (edge: ModelEdge): number => (edge.from.startsWith('lan') ? 0 : (edge.delay ?? MISSING));
        const least = allDistances(model, weight);
        const slowest = (at: string, to: string): number =>
          at === to ? 0 : Math.max(...edges.filter((edge) => edge.from === at && edge.cost + cost(edge.to, to) === cost(at, to)).map((edge) => weight(edge) + slowest(edge.to, to)));
        for (const id of model.routers.keys()) {
          const path = router.engine.routerPath(id);
          if (id === 1 || cost('1', String(id)) === Infinity) {
            assert.equal(path, undefined);
            continue;
          }
          assert.equal(path!.cost, cost('1', String(id)));
          assert.equal(path!.delayPath.us, least('1', String(id)));
          assert.equal(path!.costPathDelay.us, slowest('1', String(id)));
          assert.equal(path!.delayPath.routers.at(-1), id);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are pinned exactly, whichever of equal costs routers choose, by the fewest SIDs there are', () => {
    let pinned = 0;
    let long = 0;
    fc.assert(
      fc.property(fc.constantFrom(1, 1, 0.6).chain((srv6Share) => arbitraryModel(7, { delays: true, srv6Share })), (model) => {
        const router = new Router(model);
        const edges = edgesOf(model);
        const distance = allDistances(model);
        const sids = [...allSids(model).keys()];
        for (const id of model.routers.keys()) {
          const path = router.engine.routerPath(id);
          if (!path || (path.segments.length === 0 && !path.unpinnable)) continue;
          const { routers, us } = path.delayPath;
          const works = (list: readonly string[]): boolean => exactly(trails(model, distance, edges, list, String(id)), routers, us);
          if (!path.unpinnable) {
            assert.ok(works(path.segments), `${path.segments.join()} pins ${routers.join()}`);
            pinned++;
            long += path.segments.length > 1 ? 1 : 0;
          }
          const shorter = path.unpinnable ? 2 : Math.min(path.segments.length - 1, 2);
          if (shorter >= 0) assert.ok(!works([]), 'no SID does it');
          if (shorter >= 1) for (const one of sids) assert.ok(!works([one]), `${one} does it`);
          if (shorter >= 2) for (const one of sids) for (const two of sids) assert.ok(!works([one, two]), `${one}, ${two} do it`);
        }
      }),
      { numRuns: 100 },
    );
    assert.ok(pinned > 10 && long > 0, `${pinned} paths, ${long} of them with several SIDs`);
  });

  /** 1 - 2 - 4 cheap and slow, 1 - 3 - 4 dear and fast; at 3 the way to 4 is its own link. */
  const diamond = (): Model => {
    const model = new Model();
    const fast = [model.link(1, 3, 10), model.link(3, 4, 5)];
    const slow = [model.link(1, 2, 1), model.link(2, 4, 1)];
    for (const link of fast) link.aDelay = link.bDelay = 100;
    for (const link of slow) link.aDelay = link.bDelay = 1000;
    return model;
  };

  it('take a SID where the gain is beyond the threshold, and leave traffic to the costs where it is not', () => {
    const path = (options: Partial<DelayOptions>) => new Router(diamond(), 1, delay(options)).engine.routerPath(4)!;
    const wanted = { routerId: 4, cost: 2, costPathDelay: { us: 2000, estimated: false }, delayPath: { us: 200, estimated: false, routers: [3, 4] } };
    assert.deepEqual(path({ gainUs: 1799 }), { ...wanted, segments: [], unpinnable: true });
    assert.deepEqual(path({ gainUs: 1800 }), { ...wanted, segments: [], unpinnable: false });
    const straight = (): Model => {
      const model = diamond();
      model.links[0]!.aCost = 3; // to 3 not around by 2 and 4
      model.links[1]!.aCost = 2;
      return model;
    };
    assert.deepEqual(new Router(straight(), 1, delay({ gainRatio: 0.89 })).engine.routerPath(4), { ...wanted, segments: [endSid(3)], unpinnable: false });
    assert.deepEqual(new Router(straight(), 1, delay({ gainRatio: 0.9 })).engine.routerPath(4)!.segments, []);
  });

  it('count a missing delay with the default and say so, and never against the path of least cost', () => {
    const model = diamond();
    model.links[0]!.aCost = 3;
    model.links[1]!.aCost = 2;
    delete model.links[2]!.aDelay;
    const router = new Router(model);
    assert.deepEqual(router.engine.routerPath(4)!.costPathDelay, { us: MISSING + 1000, estimated: true });
    assert.deepEqual(router.engine.routerPath(4)!.segments, [endSid(3)]); // 1000 us are known of, 200 are less
    model.links[3]!.aDelay = 150;
    router.settle();
    assert.deepEqual(router.engine.routerPath(4)!.segments, []);
  });

  it('stay where they are while delays tremble, and move when another path is better by half the threshold', () => {
    const model = new Model();
    const middle = [2, 3, 4].map((id) => [model.link(1, id, id === 2 ? 1 : 3), model.link(id, 5, id === 2 ? 1 : 2)]);
    const set = (index: number, us: number): void => {
      for (const link of middle[index]!) link.aDelay = link.bDelay = us;
    };
    [1000, 300, 310].forEach((us, index) => set(index, us));
    const router = new Router(model, 1, delay({ gainUs: 200 }));
    const way = (): number => router.engine.routerPath(5)!.delayPath.routers[0]!;
    assert.equal(way(), 3);
    assert.deepEqual(router.engine.routerPath(5)!.segments, [endSid(3)]);
    set(1, 340);
    router.settle();
    assert.equal(way(), 3); // 680 against 620
    set(1, 380);
    router.settle();
    assert.equal(way(), 4); // 760 against 620
    set(2, 940);
    set(1, 960);
    router.settle();
    assert.deepEqual(router.engine.routerPath(5)!.segments, [endSid(4)]); // 1880 against 2000: beyond half the threshold
    set(2, 960);
    router.settle();
    assert.deepEqual(router.engine.routerPath(5)!.segments, []);
  });

  it('do not lead over links of the highest cost', () => {
    const model = diamond();
    model.links[0]!.aCost = 0xffff;
    const path = new Router(model).engine.routerPath(4)!;
    assert.deepEqual(path.delayPath.routers, [2, 4]);
  });

  it('are told of once when delays, SIDs or links change', () => {
    const model = diamond();
    const router = new Router(model);
    let told = 0;
    router.engine.onPaths(() => told++);
    model.links[0]!.aDelay = 90;
    model.links[1]!.aDelay = 80;
    assert.equal(router.engine.lsdbChanged(model.changes()), 'te');
    router.clock.advance(1);
    assert.equal(told, 1);
    assert.equal(router.engine.routerPath(3)!.delayPath.us, 90);
  });
});

describe('delays of links', () => {
  it('move when they leave the band around what is in use', () => {
    const delays = new LinkDelays({ missingUs: 1, deadBandUs: 50, deadBandRatio: 0.1 });
    const put = (us: number | undefined): boolean => {
      const key = { type: LsType.intraAreaTe, id: 1, router: 1 };
      return delays.update([{ key, before: undefined, after: us === undefined ? undefined : lsa(key, teLink(1, 2, 3, us)) }]);
    };
    assert.deepEqual([1000, 1100, 900, 1101, 1000, 1211, 100, 150, 151, undefined, undefined].map(put), [true, false, false, true, false, false, true, false, true, true, false]);
  });
});

describe('fewest segments', () => {
  it('are as few as any list that follows the path', () => {
    const draw = fc.record({ reach: fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }), end: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), endX: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), length: fc.integer({ min: 1, max: 7 }) });
    fc.assert(
      fc.property(draw, ({ reach: steps, end, endX, length }) => {
        const reaches: number[] = [];
        for (let at = 0; at <= length; at++) reaches.push(Math.min(length, Math.max(at + steps[at]!, reaches.at(-1) ?? 0)));
        const found = fewestSegments(
          { length, reach: (at) => reaches[at]!, end: (at) => (end[at] ? `end ${at}` : undefined), endX: (at) => (endX[at] ? `across ${at}` : undefined), first: () => true, finish: (_, to) => (to === length ? { sids: [], at: to } : undefined) },
          0,
          20,
        );
        // Breadth first over all positions that any list of so many SIDs can bring about.
        let positions = new Set([0]);
        let least: number | undefined;
        for (let count = 0; count <= length + 1 && least === undefined; count++) {
          if ([...positions].some((at) => reaches[at] === length)) least = count;
          const next = new Set<number>();
          for (const at of positions) {
            for (let to = at; to <= reaches[at]!; to++) {
              if (end[to]) next.add(to);
              if (endX[to] && to < length) next.add(to + 1);
            }
          }
          positions = next;
        }
        assert.equal(found?.length, least);
      }),
      { numRuns: 1000 },
    );
  });
});
