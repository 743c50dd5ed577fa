/**
 * The route calculation of OSPFv3 at size: random networks with about 8 links a router and grids. Of each the whole tree against what a change
 * of one link asks for, the routes of a first run, TI-LFA for all routes with its longest hold-up of the event loop, and paths by delay.
 * Everything runs in this process, without sockets; times are in ms.
 *
 *     node dist/bench/spf.js [--routers 2000,10000] [--changes 200]
 */
import { parseArgs } from 'node:util';
import type { Clock, Timer } from '../daemon/clock.js';
import { SpfEngine } from '../daemon/ospf/spf/engine.js';
import { ShortestPathTree } from '../daemon/ospf/spf/spf.js';
import { Topology, lsaKeyText } from '../daemon/ospf/spf/topology.js';
import type { LsaChange, SpfOptions } from '../daemon/ospf/spf/types.js';
import { LsType } from '../daemon/ospf/wire/types.js';
import { Model } from '../test/daemon/ospf/spf/model.js';
import { printJson, printTable, quantiles, round } from './support/report.js';

const { values } = parseArgs({ options: { routers: { type: 'string', default: '2000,10000' }, changes: { type: 'string', default: '200' } } });
const sizes = values.routers.split(',').map(Number);
const changes = Number(values.changes);
const OPTIONS: SpfOptions = {
  maxPaths: 16,
  fastReroute: 'ti-lfa',
  maxRepairSegments: 4,
  delay: { missingUs: 10_000, deadBandUs: 50, deadBandRatio: 0.1, gainUs: 200, gainRatio: 0.1, maxSegments: 6 },
  timers: { initialDelayMs: 50, shortDelayMs: 200, longDelayMs: 5000, timeToLearnMs: 500, holdDownMs: 10_000 },
};

/** Real time, but timers fire when the bench says so, so that it sees how long each holds up the loop. */
class BenchClock implements Clock {
  private queue: { readonly callback: () => void }[] = [];

  now(): number {
    return performance.now();
  }

  unixMs(): number {
    return Date.now();
  }

  setTimeout(callback: () => void): Timer {
    const entry = { callback };
    this.queue.push(entry);
    return { cancel: () => (this.queue = this.queue.filter((other) => other !== entry)) };
  }

  /** Runs all timers; the longest turn of those before `phase` says true, and of those from then on. */
  drain(phase: () => boolean): readonly [number, number] {
    const longest: [number, number] = [0, 0];
    for (let entry = this.queue.shift(); entry; entry = this.queue.shift()) {
      const index = phase() ? 1 : 0;
      const start = performance.now();
      entry.callback();
      longest[index] = Math.max(longest[index], performance.now() - start);
    }
    return longest;
  }
}

/** Pseudo-random numbers below 1 (a linear congruential generator), the same in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

function network(kind: 'random' | 'grid', routers: number): Model {
  const random = generator(routers);
  const model = new Model();
  const link = (a: number, b: number): void => {
    const made = model.link(a, b, 1 + Math.floor(random() * 20));
    made.aDelay = made.bDelay = 50 + Math.floor(random() * 5000);
  };
  if (kind === 'random') {
    for (let id = 2; id <= routers; id++) link(id, 1 + Math.floor(random() * (id - 1)));
    for (let extra = 0; extra < routers * 3; extra++) {
      const a = 1 + Math.floor(random() * routers);
      const b = 1 + Math.floor(random() * routers);
      if (a !== b) link(a, b);
    }
    return model;
  }
  const side = Math.round(Math.sqrt(routers));
  for (let id = 1; id <= side * side; id++) {
    if (id % side !== 0) link(id, id + 1);
    if (id + side <= side * side) link(id, id + side);
  }
  return model;
}

const timed = (work: () => void): number => {
  const start = performance.now();
  work();
  return performance.now() - start;
};

function bench(kind: 'random' | 'grid', routers: number) {
  const random = generator(7);
  const model = network(kind, routers);
  const all = model.changes();
  // The tree alone: whole, and after one link changed its cost or went and came.
  const topology = new Topology(1);
  const loadMs = timed(() => topology.update(all));
  const tree = new ShortestPathTree(topology);
  tree.full(true);
  const full = quantiles(Array.from({ length: 20 }, () => timed(() => tree.full(false))));
  const router = (id: number): LsaChange[] => {
    const after = model.lsas([model.routers.get(id)!]).get(lsaKeyText({ type: LsType.router, router: id, id: 0 }))!;
    return [{ key: after.header, before: undefined, after }];
  };
  const incremental = { cost: [] as number[], link: [] as number[] };
  let affected = 0;
  for (let index = 0; index < Math.min(changes, 40); index++) {
    const link = model.links[Math.floor(random() * model.links.length)]!;
    const step = (): number => {
      const lsas = [...router(link.a), ...router(link.b)];
      return timed(() => (affected += tree.incremental(topology.update(lsas).edges).length));
    };
    link.aCost = link.bCost = 1 + Math.floor(random() * 20);
    incremental.cost.push(step());
    link.up = false;
    incremental.link.push(step());
    link.up = true;
    incremental.link.push(step());
  }
  // The engine: a first run with its routes, then the backups.
  const clock = new BenchClock();
  const engine = new SpfEngine({ routerId: 1, clock, options: OPTIONS });
  engine.setInterfaces(model.interfacesOf(1));
  let routes = 0;
  engine.onRoutes(({ added }) => (routes += added.length));
  engine.lsdbChanged(all);
  const [longestRun, longestBackups] = clock.drain(() => engine.statistics().last !== undefined);
  const { last, protection } = engine.statistics();
  const firstPathMs = timed(() => engine.routerPath(routers - 1));
  const ids = Array.from({ length: changes }, () => 2 + Math.floor(random() * (routers - 2)));
  const paths = quantiles(ids.map((id) => timed(() => engine.routerPath(id))));
  const pinned = ids.filter((id) => (engine.routerPath(id)?.segments.length ?? 0) > 0).length;
  const unpinnable = ids.filter((id) => engine.routerPath(id)?.unpinnable === true).length;
  return {
    kind,
    routers: model.routers.size,
    links: model.links.length,
    loadMs: round(loadMs, 1),
    fullMs: round(full.median, 2),
    costMs: round(quantiles(incremental.cost).median, 2),
    linkMs: round(quantiles(incremental.link).median, 2),
    affected: round(affected / (incremental.cost.length + incremental.link.length), 1),
    routes,
    firstRunMs: round(last!.durationMs, 1),
    backupsMs: round(protection.durationMs),
    longestRunMs: round(longestRun, 1),
    longestBackupsMs: round(longestBackups, 1),
    protectedRoutes: protection.protectedRoutes,
    unprotectedRoutes: protection.unprotectedRoutes,
    firstPathMs: round(firstPathMs, 1),
    pathMs: round(paths.median, 2),
    pathP99Ms: round(paths.p99, 2),
    pinned,
    unpinnable,
  };
}

const results = sizes.flatMap((routers) => (['random', 'grid'] as const).map((kind) => bench(kind, routers)));
printTable(
  ['network', 'routers', 'links', 'full', 'cost of a link', 'link up or down', 'vertices', 'full / cost'],
  results.map((one) => [one.kind, one.routers, one.links, one.fullMs, one.costMs, one.linkMs, one.affected, round(one.fullMs / one.costMs, 1)]),
);
console.log();
printTable(
  ['network', 'routers', 'routes', 'first run', 'longest turn', 'TI-LFA', 'longest turn', 'protected', 'not', 'first path', 'path', 'p99', `pinned of ${changes}`, 'cannot'],
  results.map((one) => [one.kind, one.routers, one.routes, one.firstRunMs, one.longestRunMs, one.backupsMs, one.longestBackupsMs, one.protectedRoutes, one.unprotectedRoutes, one.firstPathMs, one.pathMs, one.pathP99Ms, one.pinned, one.unpinnable]),
);
printJson('spf', { results });
