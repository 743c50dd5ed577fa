/**
 * The route calculation as one object: LSA changes in, deltas of routes and of reachable routers out. LSAs are taken in as they come; trees and
 * routes are worked out when the SPF delay algorithm (RFC 8405) says so, as little of them as the changes ask for. Backups follow in slices.
 */
import type { Clock, Timer } from '../../clock.js';
import { LsType, type LsaKey } from '../wire/types.js';
import { SpfBackoff } from './backoff.js';
import { LinkDelays } from './delay.js';
import { NO_HOPS } from './hops.js';
import { NeighborTable } from './neighbors.js';
import { DelayPaths } from './paths.js';
import { ProtectionContext, protect } from './protection.js';
import { PrefixTable, type PrefixEntry } from './prefixes.js';
import { RouteTable } from './routes.js';
import { SidTable } from './sids.js';
import { ShortestPathTree } from './spf.js';
import { Topology, current, routerKey, type EdgeChange } from './topology.js';
import type { LsaChange, ReachabilityChange, RouteDelta, RouterPath, RouterSids, SpfInterface, SpfNextHop, SpfOptions, SpfRoute, SpfStatistics } from './types.js';

/** What a set of changes asks for. */
export type ChangeKind = 'topology' | 'prefixes' | 'te' | 'nothing';

export interface SpfEngineConfig {
  readonly routerId: number;
  readonly clock: Clock;
  readonly options: SpfOptions;
}

/** How long routes and backups are worked out before others have their turn, ms. */
const SLICE_MS = 4;
/** Sets of next hops kept before they are numbered anew. */
const MAX_HOP_SETS = 50_000;

export class SpfEngine {
  private readonly topology: Topology;
  private readonly tree: ShortestPathTree;
  private readonly prefixes: PrefixTable;
  private readonly neighbors: NeighborTable;
  private readonly table: RouteTable;
  private readonly sids = new SidTable();
  private readonly delays: LinkDelays;
  private readonly paths: DelayPaths;
  private readonly backoff: SpfBackoff;
  private readonly clock: Clock;
  private readonly options: SpfOptions;
  private readonly reachable = new Set<number>();

  private readonly pendingEdges = new Map<number, EdgeChange>();
  private readonly pendingVertices = new Set<number>();
  private pendingEntries = new Set<PrefixEntry>();
  private rerender = false;
  private started = false;

  private routeListener: (delta: RouteDelta) => void = () => undefined;
  private reachabilityListener: (changes: readonly ReachabilityChange[]) => void = () => undefined;
  private pathListener: () => void = () => undefined;
  private pathTimer: Timer | undefined;
  private runs = { full: 0, incremental: 0, partial: 0 };
  private last: SpfStatistics['last'];
  private protectionContext: ProtectionContext | undefined;
  private workTimer: Timer | undefined;
  private protection = { runs: 0, protectedRoutes: 0, unprotectedRoutes: 0, durationMs: 0 };

  constructor({ routerId, clock, options }: SpfEngineConfig) {
    this.clock = clock;
    this.options = options;
    this.topology = new Topology(routerId);
    this.tree = new ShortestPathTree(this.topology);
    this.prefixes = new PrefixTable(routerId);
    this.neighbors = new NeighborTable(options.maxPaths, () => this.tree.hopSets);
    this.table = new RouteTable(this.topology, this.tree, this.prefixes, this.neighbors);
    this.delays = new LinkDelays(options.delay);
    this.paths = new DelayPaths(this.topology, this.tree, this.delays, this.sids, options.delay);
    this.backoff = new SpfBackoff(clock, options.timers, () => this.run());
  }

  onRoutes(listener: (delta: RouteDelta) => void): void {
    this.routeListener = listener;
  }

  onReachability(listener: (changes: readonly ReachabilityChange[]) => void): void {
    this.reachabilityListener = listener;
  }

  /** Paths to routers may have changed: ask routerPath() for those that matter. Several changes are told once. */
  onPaths(listener: () => void): void {
    this.pathListener = listener;
  }

  /** The interfaces of this router and the neighbours on them, as often as they change. */
  setInterfaces(interfaces: readonly SpfInterface[]): void {
    if (!this.neighbors.setInterfaces(interfaces)) return;
    this.rerender = true;
    if (this.started) this.backoff.event();
  }

  /** Takes changes of the link state database, those of this router's own LSAs too. */
  lsdbChanged(all: readonly LsaChange[]): ChangeKind {
    const changes = all.filter((change) => !isRefresh(change));
    const { edges, vertices } = this.topology.update(changes);
    for (const change of edges) {
      const key = change.from * 0x4000000 + change.to;
      this.pendingEdges.set(key, { ...change, before: this.pendingEdges.get(key)?.before ?? change.before });
    }
    for (const vertex of vertices) this.pendingVertices.add(vertex);
    const entries = this.prefixes.update(changes);
    for (const entry of entries) this.pendingEntries.add(entry);
    const addresses = this.neighbors.update(changes);
    if (addresses) this.rerender = true;
    const sids = this.sids.update(changes);
    const delays = this.delays.update(changes);
    if (sids || delays) this.pathsChanged();
    const topology = edges.length > 0 || vertices.length > 0;
    if (!topology && entries.size === 0 && !addresses && !(sids && this.options.fastReroute === 'ti-lfa')) return sids || delays ? 'te' : 'nothing';
    this.started = true;
    this.backoff.event();
    return topology ? 'topology' : 'prefixes';
  }

  *routes(): Generator<SpfRoute> {
    yield* this.table.routes();
  }

  isReachable(routerId: number): boolean {
    return this.reachable.has(routerId);
  }

  reachableRouters(): readonly number[] {
    return [...this.reachable];
  }

  /** How a router is reached by cost and by delay, as of the last run and what has been measured since; undefined: not at all, or it is this one. */
  routerPath(routerId: number): RouterPath | undefined {
    return this.paths.path(routerId);
  }

  /** Next hops towards a router; none: it cannot be reached. */
  nextHopsTo(routerId: number): readonly SpfNextHop[] {
    const vertex = this.topology.find(routerKey(routerId));
    return vertex === undefined ? [] : this.neighbors.nextHops(this.tree.hops[vertex] ?? NO_HOPS);
  }

  /** SIDs and locators that a router announces; undefined: none. */
  sidsOf(routerId: number): RouterSids | undefined {
    return this.sids.of(routerId);
  }

  /** Whether all changes told so far are in the routes, the backups included. */
  get isSettled(): boolean {
    return !this.backoff.isPending && this.workTimer === undefined;
  }

  statistics(): SpfStatistics {
    return {
      ...this.runs,
      protection: this.protection,
      last: this.last,
      backoff: this.backoff.state,
      ...this.topology.counts(),
      reachableRouters: this.reachable.size,
      routes: this.table.size,
    };
  }

  stop(): void {
    this.backoff.stop();
    this.workTimer?.cancel();
    this.pathTimer?.cancel();
  }

  private pathsChanged(): void {
    this.paths.forget();
    this.pathTimer ??= this.clock.setTimeout(() => {
      this.pathTimer = undefined;
      this.pathListener();
    }, 0);
  }

  private run(): void {
    const start = this.clock.now();
    this.workTimer?.cancel();
    const fresh = this.topology.compact() || this.tree.hopSets.size > MAX_HOP_SETS || this.runs.full === 0;
    const edges = [...this.pendingEdges.values()];
    const kind = fresh || edges.length > this.topology.size ? 'full' : edges.length > 0 ? 'incremental' : 'partial';
    const reason = fresh ? 'all anew' : `edges ${edges.length}, prefixes ${this.rerender ? 'all' : this.pendingEntries.size}`;
    const changed = kind === 'full' ? this.tree.full(fresh) : kind === 'incremental' ? this.tree.incremental(edges) : [];
    if (fresh) this.neighbors.forget();
    // Pending vertices have other numbers after a fresh start, which looks at all of them anyhow.
    const vertices = fresh ? [] : [...changed, ...this.pendingVertices];
    this.table.touch(fresh || this.rerender ? this.prefixes.all() : this.pendingEntries, vertices);
    const reachability = this.updateReachability(fresh ? undefined : vertices);
    this.pendingEdges.clear();
    this.pendingVertices.clear();
    this.pendingEntries = new Set();
    this.rerender = false;
    this.runs[kind]++;
    if (kind !== 'partial') {
      this.protectionContext = undefined;
      this.pathsChanged();
    }
    const deltas: RouteDelta[] = [];
    this.inSlices(start, collect(this.table.update(), deltas), deltas, (_, durationMs) => {
      this.last = { kind, reason, durationMs, at: start };
      if (this.options.fastReroute !== 'none') this.workTimer = this.clock.setTimeout(() => this.protect(), 0);
    });
    if (reachability.length > 0) this.reachabilityListener(reachability);
  }

  /** Works out backups anew; the next run begins them again. Trees are kept as long as the graph is the same. */
  private protect(): void {
    this.protectionContext ??= new ProtectionContext(this.topology.graph, this.topology, this.tree, this.neighbors, this.sids, this.options);
    const deltas: RouteDelta[] = [];
    const work = protect(this.protectionContext, this.table, (backups) => deltas.push(this.table.setBackups(backups)));
    this.inSlices(this.clock.now(), work, deltas, (result, durationMs) => {
      this.protection = { runs: this.protection.runs + 1, ...result, durationMs };
    });
  }

  /** Steps of a piece of work until time is up, then the routes it changed are told, and the rest follows when others have had their turn. */
  private inSlices<T>(start: number, work: Generator<unknown, T>, deltas: RouteDelta[], done: (result: T, durationMs: number) => void): void {
    let durationMs = 0;
    const slice = (since: number): void => {
      this.workTimer = undefined;
      let step: IteratorResult<unknown, T>;
      do step = work.next();
      while (!step.done && this.clock.now() - since < SLICE_MS);
      durationMs += this.clock.now() - since;
      const delta = united(deltas.splice(0));
      if (delta.added.length + delta.changed.length + delta.removed.length > 0) this.routeListener(delta);
      if (step.done) done(step.value, durationMs);
      else this.workTimer = this.clock.setTimeout(() => slice(this.clock.now()), 0);
    };
    slice(start);
  }

  /** Of the vertices given, or of all when their numbers changed. */
  private updateReachability(vertices: readonly number[] | undefined): ReachabilityChange[] {
    const changes: ReachabilityChange[] = [];
    const check = (routerId: number): void => {
      const vertex = this.topology.find(routerKey(routerId));
      const reachable = vertex !== undefined && this.topology.present(vertex) && (this.tree.distance[vertex] ?? Infinity) < Infinity;
      if (reachable === this.reachable.has(routerId)) return;
      if (reachable) this.reachable.add(routerId);
      else this.reachable.delete(routerId);
      changes.push({ routerId, reachable });
    };
    const numbers = vertices ?? Array.from({ length: this.topology.size }, (_, vertex) => vertex);
    const routers = new Set(numbers.filter((vertex) => !this.topology.isNetwork(vertex)).map((vertex) => this.topology.routerOf(vertex)));
    if (!vertices) for (const routerId of this.reachable) routers.add(routerId);
    for (const routerId of routers) check(routerId);
    return changes;
  }
}

function* collect(source: Iterable<RouteDelta>, deltas: RouteDelta[]): Generator<undefined, undefined> {
  for (const delta of source) {
    deltas.push(delta);
    yield;
  }
  return undefined;
}

function united(deltas: readonly RouteDelta[]): RouteDelta {
  if (deltas.length === 1) return deltas[0]!;
  return { added: deltas.flatMap(({ added }) => added), changed: deltas.flatMap(({ changed }) => changed), removed: deltas.flatMap(({ removed }) => removed) };
}

const HEADER_LENGTH = 20;
const LINK_STATE_TYPES = new Set<number>(Object.values(LsType));

/** The same content once more, or an LSA of a type that is of no concern. */
function isRefresh({ key, before, after }: { readonly key: LsaKey } & LsaChange): boolean {
  if (!LINK_STATE_TYPES.has(key.type)) return true;
  const [a, b] = [current(before)?.raw, current(after)?.raw];
  if (!a || !b || a.length !== b.length || a.length <= HEADER_LENGTH) return false;
  return a.subarray(HEADER_LENGTH).every((octet, index) => octet === b[HEADER_LENGTH + index]);
}
