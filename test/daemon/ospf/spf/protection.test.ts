import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SpfBackup, SpfRoute } from '../../../../daemon/ospf/spf/types.js';
import { Model, allDistances, arbitraryModel, decapSid, edgesOf, endSid, endXSid, linkLocal, locatorOf, type ModelEdge } from './model.js';
import { Router } from './router.js';

const SELF = '1';

/** Where a prefix is attached, as the model says. */
function originsOf(model: Model, prefix: string): Map<string, number> {
  const origins = new Map<string, number>();
  for (const { id, prefixes, srv6 } of model.routers.values()) {
    for (const one of prefixes) if (one.prefix === prefix) origins.set(String(id), one.metric);
    if (srv6 && locatorOf(id) === prefix) origins.set(String(id), 0);
  }
  const lan = /^2001:db8:ffff:(?:([0-9a-f]+):)?:\/64$/.exec(prefix);
  if (lan) origins.set(`lan ${Number.parseInt(lan[1] ?? '0', 16)}`, 0);
  return origins;
}

/** The network as everybody but the protecting router sees it: before the failure. All equal-cost ways are tried. */
class World {
  readonly distance: (from: string, to: string) => number;
  readonly edges: readonly ModelEdge[];

  constructor(readonly model: Model) {
    this.distance = allDistances(model);
    this.edges = edgesOf(model);
  }

  cost(from: string, origins: ReadonlyMap<string, number>): number {
    return Math.min(...[...origins].map(([name, metric]) => this.distance(from, name) + metric));
  }

  /** Routers (or LANs) to which one forwards what is for one of the origins. */
  private forward(from: string, origins: ReadonlyMap<string, number>): string[] {
    const least = this.cost(from, origins);
    return this.edges.filter((edge) => edge.from === from && edge.cost + this.cost(edge.to, origins) === least).map(({ to }) => to);
  }

  /** Every vertex that traffic meets from a router to its destination; throws where it can loop or end nowhere. */
  *walk(from: string, origins: ReadonlyMap<string, number>): Generator<{ readonly at: string; readonly arrived: boolean }> {
    const queue = [from];
    const seen = new Set(queue);
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      const arrived = origins.has(at);
      yield { at, arrived };
      if (arrived) continue;
      const next = this.forward(at, origins);
      assert.ok(next.length > 0, `${at} has no route`);
      for (const to of next) {
        assert.ok(this.cost(to, origins) < this.cost(at, origins) || at.startsWith('lan'), 'nearer with every hop');
        if (!seen.has(to)) queue.push(to);
        seen.add(to);
      }
    }
  }
}

/** Router with a link-local address on the link of an interface of this router. */
function neighborAt(model: Model, gateway: string): string {
  for (const { a, b, aInterface, bInterface } of model.links) {
    if (linkLocal(a, aInterface) === gateway) return String(a);
    if (linkLocal(b, bInterface) === gateway) return String(b);
  }
  for (const { members } of model.lans) for (const member of members) if (linkLocal(member.router, member.interfaceId) === gateway) return String(member.router);
  throw new Error(`nobody has ${gateway}`);
}

/** What a SID does. */
function behaviourOf(model: Model, sid: string): { readonly owner: string; readonly to?: string; readonly last?: boolean } {
  for (const { id } of model.routers.values()) {
    if (sid === endSid(id)) return { owner: String(id) };
    if (sid === decapSid(id)) return { owner: String(id), last: true };
    for (const link of model.links) {
      if (link.a === id && sid === endXSid(id, link.aInterface, link.b)) return { owner: String(id), to: String(link.b) };
      if (link.b === id && sid === endXSid(id, link.bInterface, link.a)) return { owner: String(id), to: String(link.a) };
    }
    for (const { members } of model.lans) {
      const own = members.find(({ router }) => router === id);
      for (const other of own ? members : []) if (sid === endXSid(id, own!.interfaceId, other.router)) return { owner: String(id), to: String(other.router) };
    }
  }
  throw new Error(`nobody has ${sid}`);
}

/** Follows a repair after the loss of an interface; every vertex it can meet. */
function follow(router: Router, world: World, route: SpfRoute, backup: SpfBackup): Set<string> {
  const { model } = router;
  const met = new Set<string>();
  const failed = route.nextHops[0]!.interface;
  const visit = (from: string, origins: ReadonlyMap<string, number>): void => {
    for (const { at } of world.walk(from, origins)) met.add(at);
  };
  assert.notEqual(backup.nextHop.interface, failed);
  if (backup.segments.length === 0) {
    visit(neighborAt(model, backup.nextHop.gateway), originsOf(model, route.prefix));
    return met;
  }
  const sids = backup.segments.map((sid) => behaviourOf(model, sid));
  // This router sends the outer packet where its route to the first SID leads after the failure.
  const first = sids[0]!.owner;
  const toFirst = router.told.get(locatorOf(Number(first)))!;
  const left = toFirst.nextHops.filter((hop) => hop.interface !== failed);
  const gateways = left.map(({ gateway }) => gateway!);
  if (left.length === 0) {
    assert.equal(toFirst.backups.length, 1, `the locator of ${first} has a backup`);
    assert.deepEqual(toFirst.backups[0]!.segments, [], `the locator of ${first} has a plain backup`);
    gateways.push(toFirst.backups[0]!.nextHop.gateway);
  }
  let at = gateways.map((gateway) => neighborAt(model, gateway));
  for (const [index, { owner, to, last }] of sids.entries()) {
    assert.equal(last ?? false, index === sids.length - 1, 'the last SID decapsulates and no other');
    for (const one of at) visit(one, new Map([[owner, 0]]));
    at = [to ?? owner];
    if (to !== undefined) met.add(to);
  }
  visit(at[0]!, originsOf(model, route.prefix));
  return met;
}

/** Whether any list of SIDs brings traffic around the loss of an interface, however long it takes: what TI-LFA must cover. */
function coverable(router: Router, world: World, route: SpfRoute, maxSegments: number): boolean {
  const { model } = router;
  const { distance } = world;
  const failed = route.nextHops[0]!.interfaceId;
  const origins = originsOf(model, route.prefix);
  const safe = (from: string, to: string): boolean => distance(from, to) < distance(from, SELF) + distance(SELF, to);
  const safeTo = (from: string): boolean => world.cost(from, origins) < distance(from, SELF) + world.cost(SELF, origins);
  const next = world.edges
    .filter((edge) => edge.from === SELF && edge.interfaceId !== failed)
    .flatMap(({ to }) => (to.startsWith('lan') ? world.edges.filter((edge) => edge.from === to && edge.to !== SELF).map((edge) => edge.to) : [to]));
  if (next.some(safeTo)) return true;
  const capable = [...model.routers.values()].filter(({ srv6, id }) => srv6 && id !== 1).map(({ id }) => String(id));
  const direct = (to: string): boolean => {
    const locator = router.told.get(locatorOf(Number(to)));
    return locator !== undefined && (locator.nextHops.some(({ interfaceId }) => interfaceId !== failed) || next.some((neighbor) => safe(neighbor, to)));
  };
  let targets = new Set(capable.filter(direct));
  for (let length = 1; length <= maxSegments; length++) {
    if ([...targets].some(safeTo)) return true;
    const at = new Set<string>();
    for (const target of targets) {
      at.add(target);
      for (const edge of world.edges.filter(({ from }) => from === target)) {
        if (!edge.to.startsWith('lan')) at.add(edge.to);
        else for (const beyond of world.edges.filter(({ from }) => from === edge.to)) at.add(beyond.to);
      }
    }
    at.delete(SELF);
    targets = new Set(capable.filter((to) => [...at].some((from) => safe(from, to))));
  }
  return false;
}

function check(router: Router, mode: 'lfa' | 'ti-lfa', maxSegments: number): { protected: number; segments: number } {
  const { model } = router;
  const world = new World(model);
  const counts = { protected: 0, segments: 0 };
  for (const route of router.told.values()) {
    const [first] = route.nextHops;
    if (route.nextHops.some(({ interfaceId, neighbor }) => interfaceId !== first!.interfaceId || neighbor === undefined)) {
      assert.deepEqual(route.backups, []);
      continue;
    }
    const [backup] = route.backups;
    if (mode === 'ti-lfa') assert.equal(backup !== undefined, coverable(router, world, route, maxSegments), `${route.prefix} has a backup where there can be one`);
    if (!backup) continue;
    assert.deepEqual(backup.protects, [first!.interface]);
    const met = follow(router, world, route, backup);
    assert.ok(!met.has(SELF), `the repair of ${route.prefix} comes back`);
    if (backup.nodeProtecting) assert.ok(!met.has(String(first!.neighbor)), `the repair of ${route.prefix} meets the neighbour`);
    const lan = model.lans.findIndex(({ members }) => members.some(({ interfaceId }) => interfaceId === first!.interfaceId));
    if (backup.nodeProtecting) assert.ok(!met.has(`lan ${lan}`), `the repair of ${route.prefix} meets the LAN`);
    counts.protected++;
    counts.segments = Math.max(counts.segments, backup.segments.length);
  }
  return counts;
}

/** Some prefixes announced by several routers. */
function withAnycast(model: Model, draws: readonly { readonly router: number; readonly prefix: number; readonly metric: number }[]): Model {
  for (const { router, prefix, metric } of draws) {
    const one = model.routers.get(1 + (router % model.routers.size))!;
    const text = `2001:db8:a:${(prefix + 1).toString(16)}::/64`;
    if (one.id !== 1 && !one.prefixes.some((known) => known.prefix === text)) one.prefixes.push({ prefix: text, metric });
  }
  return model;
}
const anycast = fc.array(fc.record({ router: fc.nat(20), prefix: fc.nat(2), metric: fc.nat(6) }), { maxLength: 8 });

describe('loop-free alternates', () => {
  it('bring traffic to its destination past the failed link, whatever of equal ways the others take', () => {
    let protectedRoutes = 0;
    fc.assert(
      fc.property(arbitraryModel(12), anycast, (model, draws) => {
        protectedRoutes += check(new Router(withAnycast(model, draws), 1, { fastReroute: 'lfa' }), 'lfa', 0).protected;
      }),
      { numRuns: 150 },
    );
    assert.ok(protectedRoutes > 100);
  });

  it('are the node-protecting one where there is a choice, and none where all would come back', () => {
    // 1-2-4 is primary; 3 goes through 2, 5 does not.
    const model = new Model();
    model.link(1, 2, 1);
    model.link(2, 4, 1);
    model.link(1, 3, 1);
    model.link(3, 2, 1);
    model.link(1, 5, 5);
    model.link(5, 4, 2);
    const router = new Router(model, 1, { fastReroute: 'lfa' });
    assert.deepEqual(router.told.get('2001:db8:4::/64')!.backups, [{ protects: ['eth1'], nextHop: { interface: 'eth9', gateway: linkLocal(5, 10) }, segments: [], nodeProtecting: true }]);
    assert.deepEqual(router.told.get('2001:db8:2::/64')!.backups.map(({ nextHop, nodeProtecting }) => [nextHop.gateway, nodeProtecting]), [[linkLocal(3, 6), false]]);
    model.links[4]!.bCost = 0xffff; // 5 is not to be gone to or come from
    router.settle();
    assert.deepEqual(router.told.get('2001:db8:4::/64')!.backups.map(({ nextHop }) => nextHop.gateway), [linkLocal(3, 6)]);
    assert.deepEqual(new Router(ring(4), 1, { fastReroute: 'lfa' }).told.get('2001:db8:2::/64')!.backups, []);
  });
});

/** Routers 1 to `size`, each linked to the next at cost 1; link i is that from i + 1. */
function ring(size: number): Model {
  const model = new Model();
  for (let id = 1; id <= size; id++) model.link(id, (id % size) + 1, 1);
  return model;
}

describe('loop-free alternates on a LAN', () => {
  it('are such that avoid the LAN before cheaper ones that come back to it', () => {
    const model = new Model();
    model.lan([1, 1], [2, 1], [5, 1]);
    model.link(1, 3, 5);
    model.link(3, 5, 1);
    model.link(1, 4, 5);
    model.link(4, 2, 3);
    const router = new Router(model, 1, { fastReroute: 'lfa' });
    assert.deepEqual(router.told.get('2001:db8:2::/64')!.backups.map(({ nextHop }) => nextHop.gateway), [linkLocal(4, model.links[2]!.bInterface)]);
  });
});

describe('TI-LFA', () => {
  it('needs one SID where P is Q, and two, End.X and End.DT6, where they are adjacent', () => {
    const four = new Router(ring(4), 1, { fastReroute: 'ti-lfa' });
    assert.deepEqual(four.told.get('2001:db8:2::/64')!.backups, [{ protects: ['eth1'], nextHop: { interface: 'eth8', gateway: linkLocal(4, 7) }, segments: [decapSid(3)], nodeProtecting: false }]);
    assert.deepEqual(four.told.get('2001:db8:3::/64')!.backups, []);
    assert.equal(four.engine.statistics().protection.unprotectedRoutes, 0);
    const model = ring(4);
    model.links[2]!.aCost = model.links[2]!.bCost = 5; // 4 reaches 3 by way of 1
    const heavy = new Router(model, 1, { fastReroute: 'ti-lfa' });
    for (const prefix of ['2001:db8:2::/64', '2001:db8:3::/64']) assert.deepEqual(heavy.told.get(prefix)!.backups.map(({ segments }) => segments), [[endXSid(4, 6, 3), decapSid(3)]]);
  });

  it('is a plain next hop where the neighbour on the path after convergence needs no help', () => {
    const model = new Model();
    model.link(1, 2, 1);
    model.link(2, 4, 1);
    model.link(1, 3, 2);
    model.link(3, 4, 2);
    const router = new Router(model, 1, { fastReroute: 'ti-lfa' });
    assert.deepEqual(router.told.get('2001:db8:4::/64')!.backups, [{ protects: ['eth1'], nextHop: { interface: 'eth5', gateway: linkLocal(3, 6) }, segments: [], nodeProtecting: true }]);
  });

  it('passes routers without SIDs and uses none of them', () => {
    const model = ring(7);
    model.links[3]!.aCost = model.links[3]!.bCost = 20; // 5 reaches 4 by way of 1
    model.router(5).srv6 = model.router(6).srv6 = false;
    const router = new Router(model, 1, { fastReroute: 'ti-lfa' });
    // 5 is P and 4 is Q, but 5 has no End.X: nothing turns the packet towards 4.
    assert.deepEqual(router.told.get('2001:db8:2::/64')!.backups, []);
    model.router(5).srv6 = true;
    router.settle();
    assert.deepEqual(router.told.get('2001:db8:2::/64')!.backups.map(({ segments }) => segments), [[endXSid(5, 8, 4), decapSid(4)]]);
  });

  it('brings traffic past any failed link for every destination that is still connected, where all routers have SIDs', () => {
    let segments = 0;
    fc.assert(
      fc.property(arbitraryModel(12), anycast, (model, draws) => {
        segments = Math.max(segments, check(new Router(withAnycast(model, draws), 1, { fastReroute: 'ti-lfa', maxRepairSegments: 12 }), 'ti-lfa', 12).segments);
      }),
      { numRuns: 200 },
    );
    assert.ok(segments >= 2);
  });

  it('does so wherever any list of SIDs can, where only some routers have SIDs', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.2, max: 0.8, noNaN: true }).chain((srv6Share) => arbitraryModel(12, { srv6Share })), anycast, (model, draws) => {
        check(new Router(withAnycast(model, draws), 1, { fastReroute: 'ti-lfa', maxRepairSegments: 12, maxPaths: draws.length % 2 === 0 ? 16 : 1 }), 'ti-lfa', 12);
      }),
      { numRuns: 200 },
    );
  });

  it('protects every link of a connected network of two ways with at most two SIDs where costs are the same both ways', () => {
    fc.assert(
      fc.property(arbitraryModel(12, { asymmetric: false, lans: false }), (model) => {
        const router = new Router(model, 1, { fastReroute: 'ti-lfa', maxRepairSegments: 12 });
        for (const { backups } of router.told.values()) for (const { segments, nodeProtecting } of backups) assert.ok(nodeProtecting || segments.length <= 2);
      }),
      { numRuns: 200 },
    );
  });

  it('claims to avoid the neighbour only where the alternate of the first SID does', () => {
    for (const twin of [false, true]) {
      // 2 is primary for 6; 5 is reached by 3 (or 2 and 3) on the same LAN, and its own alternate leads by 8 and 2.
      const model = new Model();
      model.lan([1, 6], [2, 6], [3, 6]);
      model.link(3, 5, 1);
      model.link(1, 8, 2);
      model.link(8, 2, 5);
      model.link(2, 5, twin ? 1 : 2);
      model.link(2, 6, 1);
      model.link(1, 4, 10);
      model.link(4, 5, 1, 10);
      const last = model.link(5, 6, 20);
      const router = new Router(model, 1, { fastReroute: 'ti-lfa' });
      assert.deepEqual(router.told.get(locatorOf(5))!.backups.map(({ nextHop, segments }) => [nextHop.gateway, segments.length]), [[linkLocal(8, model.links[1]!.bInterface), 0]]);
      const [backup] = router.told.get('2001:db8:6::/64')!.backups;
      assert.deepEqual([backup!.nodeProtecting, backup!.segments], [true, [endSid(4), endXSid(5, last.aInterface, 6), decapSid(6)]]);
      check(router, 'ti-lfa', 4);
    }
  });

  it('is worked out anew when SIDs or links change, and gone from routes that have next hops on other interfaces', () => {
    const model = ring(5);
    model.links[2]!.aCost = model.links[2]!.bCost = 20;
    const router = new Router(model, 1, { fastReroute: 'ti-lfa' });
    assert.deepEqual(router.told.get('2001:db8:2::/64')!.backups.map(({ segments }) => segments), [[endXSid(4, 6, 3), decapSid(3)]]);
    model.router(4).srv6 = false;
    router.settle();
    assert.deepEqual(router.told.get('2001:db8:2::/64')!.backups, []);
    model.link(1, 3, 2);
    router.settle();
    assert.equal(router.told.get('2001:db8:3::/64')!.nextHops.length, 2);
    assert.deepEqual(router.told.get('2001:db8:3::/64')!.backups, []);
    assert.equal(router.told.get('2001:db8:2::/64')!.backups.length, 1);
  });
});
