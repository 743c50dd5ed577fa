import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ShortestPathTree } from '../../../../daemon/ospf/spf/spf.js';
import { Topology, routerKey } from '../../../../daemon/ospf/spf/topology.js';
import { LsType } from '../../../../daemon/ospf/wire/types.js';
import { Model, allDistances, arbitraryModel, edgesOf, lsa } from './model.js';

const ROOT = 1;

/** What a tree says: by vertex name of the model, its distance and next hops. */
function told(model: Model, topology: Topology, tree: ShortestPathTree): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const tell = (name: string, key: string): void => {
    const vertex = topology.find(key);
    if (vertex === undefined || !(tree.distance[vertex]! < Infinity)) return;
    const hops = tree.hopSets.members(tree.hops[vertex]!).map(({ interfaceId, neighbor }) => `${interfaceId} ${neighbor ?? '-'}`);
    result[name] = { distance: tree.distance[vertex], hops: hops.sort() };
  };
  for (const id of model.routers.keys()) tell(String(id), routerKey(id));
  model.lans.forEach(({ members }, index) => tell(`lan ${index}`, `${members[0]!.router}/${members[0]!.interfaceId}`));
  return result;
}

/** The same worked out from distances between all. */
function expected(model: Model): Record<string, unknown> {
  const distance = allDistances(model);
  const edges = edgesOf(model);
  const first: { interfaceId: number; name: string; neighbor: string; cost: number }[] = [];
  for (const edge of edges.filter(({ from }) => from === String(ROOT))) {
    first.push({ interfaceId: edge.interfaceId, name: edge.to, neighbor: edge.to.startsWith('lan') ? '-' : edge.to, cost: edge.cost });
    if (edge.to.startsWith('lan')) for (const { to } of edges.filter(({ from }) => from === edge.to)) if (to !== String(ROOT)) first.push({ interfaceId: edge.interfaceId, name: to, neighbor: to, cost: edge.cost });
  }
  const result: Record<string, unknown> = {};
  for (const name of [...[...model.routers.keys()].map(String), ...model.lans.map((_, index) => `lan ${index}`)]) {
    const least = distance(String(ROOT), name);
    if (least === Infinity) continue;
    const hops = first.filter((hop) => {
      if (name === String(ROOT)) return false;
      if (hop.name === name) return hop.cost === least;
      return hop.neighbor !== '-' && model.routers.get(Number(hop.name))!.transit && hop.cost + distance(hop.name, name) === least;
    });
    result[name] = { distance: least, hops: [...new Set(hops.map(({ interfaceId, neighbor }) => `${interfaceId} ${neighbor}`))].sort() };
  }
  return result;
}

interface Step {
  readonly kind: number;
  readonly index: number;
  readonly value: number;
}
const step = fc.record({ kind: fc.nat(6), index: fc.nat(200), value: fc.integer({ min: 1, max: 20 }) });

function apply(model: Model, { kind, index, value }: Step): void {
  const link = model.links[index % model.links.length]!;
  const lan = model.lans[index % Math.max(1, model.lans.length)];
  const router = [...model.routers.values()][index % model.routers.size]!;
  if (kind === 0) link.up = !link.up;
  else if (kind <= 2) link.aCost = value;
  else if (kind === 3) link.bCost = value;
  else if (kind === 4 && lan) lan.up = !lan.up;
  else if (kind === 5 && lan) lan.members[value % lan.members.length]!.cost = value;
  else if (value < 4) router.transit = !router.transit;
  else if (value < 6 && router.id !== ROOT) router.v6 = !router.v6;
}

describe('shortest path tree', () => {
  it('has the distances and all equal-cost next hops that distances between all routers give', () => {
    fc.assert(
      fc.property(arbitraryModel(12), (model) => {
        const topology = new Topology(ROOT);
        topology.update(model.changes());
        const tree = new ShortestPathTree(topology);
        tree.full(true);
        assert.deepEqual(told(model, topology, tree), expected(model));
      }),
      { numRuns: 200 },
    );
  });

  it('is after any sequence of changes, worked out incrementally, what it is worked out anew', () => {
    fc.assert(
      fc.property(arbitraryModel(14), fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (model, rounds) => {
        const topology = new Topology(ROOT);
        topology.update(model.changes());
        const tree = new ShortestPathTree(topology);
        tree.full(true);
        for (const steps of rounds) {
          for (const one of steps) apply(model, one);
          const before = told(model, topology, tree);
          const changed = tree.incremental(topology.update(model.changes()).edges);
          const after = told(model, topology, tree);
          assert.deepEqual(after, expected(model));
          const named = new Set(changed.map((vertex) => topology.keyOf(vertex)));
          for (const id of model.routers.keys()) assert.equal(named.has(routerKey(id)), JSON.stringify(before[id]) !== JSON.stringify(after[id]), `router ${id}`);
        }
      }),
      { numRuns: 250 },
    );
  });

  it('touches nothing when a link outside the tree changes its cost and stays outside', () => {
    const model = new Model();
    model.link(1, 2, 1);
    model.link(1, 3, 1);
    const outside = model.link(2, 3, 10);
    const topology = new Topology(ROOT);
    topology.update(model.changes());
    const tree = new ShortestPathTree(topology);
    tree.full(true);
    outside.aCost = outside.bCost = 20;
    const { edges } = topology.update(model.changes());
    assert.equal(edges.length, 2);
    assert.deepEqual(tree.incremental(edges), []);
  });
});

describe('topology', () => {
  const flags = { nt: false, v: false, e: false, b: false };
  const routerLsa = (router: number, id: number, links: readonly (readonly [interfaceId: number, neighbor: number, neighborInterfaceId: number])[], options = 0x13, age = 1) =>
    lsa({ type: LsType.router, id, router }, { kind: 'router', flags: { ...flags, b: id === 7 }, options, links: links.map(([interfaceId, neighborRouterId, neighborInterfaceId]) => ({ type: 1, metric: 10, interfaceId, neighborInterfaceId, neighborRouterId })) }, age);
  const put = (topology: Topology, ...lsas: readonly ReturnType<typeof lsa>[]) => topology.update(lsas.map((after) => ({ key: after.header, before: undefined, after })));

  it('counts an edge when both ends announce it with the same interfaces', () => {
    const topology = new Topology(1);
    assert.deepEqual(put(topology, routerLsa(1, 0, [[5, 2, 6]])).edges, []);
    assert.deepEqual(put(topology, routerLsa(2, 0, [[6, 1, 4]])).edges, []);
    assert.equal(put(topology, routerLsa(2, 0, [[6, 1, 5]])).edges.length, 2);
    assert.equal(topology.commit().edges, 2);
  });

  it('unites the fragments of a router and takes options and flags of the smallest Link State ID', () => {
    const topology = new Topology(1);
    put(topology, routerLsa(1, 0, [[5, 2, 6]]), routerLsa(1, 1, [[7, 3, 8]]), routerLsa(2, 0, [[6, 1, 5]]), routerLsa(3, 7, [[8, 1, 7]]));
    assert.equal(topology.commit().edges, 4);
    assert.equal(topology.flagsOf(topology.find('3')!).b, true);
    put(topology, routerLsa(3, 3, [], 0x10));
    assert.equal(topology.commit().edges, 2);
    assert.equal(topology.flagsOf(topology.find('3')!).b, false);
  });

  it('knows no LSA at MaxAge', () => {
    const topology = new Topology(1);
    put(topology, routerLsa(1, 0, [[5, 2, 6]]), routerLsa(2, 0, [[6, 1, 5]]));
    put(topology, routerLsa(2, 0, [[6, 1, 5]], 0x13, 3600));
    assert.equal(topology.commit().edges, 0);
    assert.equal(topology.present(topology.find('2')!), false);
  });

  it('reports nothing when an LSA is announced again unchanged', () => {
    const topology = new Topology(1);
    put(topology, routerLsa(1, 0, [[5, 2, 6]]), routerLsa(2, 0, [[6, 1, 5]]));
    assert.deepEqual(put(topology, routerLsa(2, 0, [[6, 1, 5]])), { edges: [], vertices: [] });
  });
});
