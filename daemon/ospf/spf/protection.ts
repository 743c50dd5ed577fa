/**
 * Backups of all routes: what is protected against what, worked out in steps so that whoever drives it can let others have their turn.
 *
 * Routes are taken by the interface they all leave by: with it fail all their next hops, and where there is but one neighbour that one may have
 * failed. Routes with next hops on several interfaces have each other's and need no backup; what is on a link of this router has none.
 */
import type { Graph } from './graph.js';
import type { Through } from './failure.js';
import type { Hop } from './hops.js';
import { lfaBackup, type LfaNeighbor } from './lfa.js';
import type { NeighborTable } from './neighbors.js';
import type { PrefixEntry } from './prefixes.js';
import type { Protectable, RouteTable } from './routes.js';
import type { SidTable } from './sids.js';
import type { ShortestPathTree } from './spf.js';
import { TiLfa } from './ti-lfa.js';
import { routerKey, type Topology } from './topology.js';
import type { SpfBackup, SpfNextHop, SpfOptions } from './types.js';

/** Next hops that fail together: one interface, and the neighbour where all go to one. */
export interface ProtectedLink {
  readonly interfaceId: number;
  readonly interface: string;
  /** Vertex of the only neighbour. */
  readonly neighbor: number | undefined;
  /** Vertex of the LAN. */
  readonly network: number | undefined;
}

/** What the calculations of backups share, of one state of the network. */
export class ProtectionContext {
  readonly root: number;
  readonly distance: Float64Array;
  private readonly through = new Map<number, Through>();
  private readonly from = new Map<number, Float64Array>();

  constructor(
    readonly graph: Graph,
    readonly topology: Topology,
    readonly tree: ShortestPathTree,
    readonly neighbors: NeighborTable,
    readonly sids: SidTable,
    readonly options: SpfOptions,
  ) {
    this.root = graph.root;
    this.distance = tree.distance;
  }

  /** Trees from and to a vertex, worked out once. */
  *throughVertex(vertex: number): Generator<undefined, Through> {
    let known = this.through.get(vertex);
    if (!known) {
      const from = yield* this.fromVertex(vertex);
      known = { from, to: this.graph.distances(vertex, true) };
      this.through.set(vertex, known);
      yield;
    }
    return known;
  }

  *fromVertex(vertex: number): Generator<undefined, Float64Array> {
    let known = this.from.get(vertex);
    if (!known) {
      this.from.set(vertex, (known = vertex === this.root ? this.distance : this.graph.distances(vertex)));
      yield;
    }
    return known;
  }

  /** Next hops in use towards a vertex. */
  hopsOf(vertex: number): readonly SpfNextHop[] {
    return this.neighbors.nextHops(this.tree.hops[vertex]!);
  }

  /** Next hop on a link of this router, if its address is known. */
  nextHop(hop: Hop): SpfBackup['nextHop'] | undefined {
    const found = this.neighbors.nextHop(hop);
    return found?.gateway === undefined ? undefined : { interface: found.interface, gateway: found.gateway };
  }
}

export interface ProtectionResult {
  readonly protectedRoutes: number;
  readonly unprotectedRoutes: number;
}

const PUBLISH_BATCH = 256;

/** Works out the backups of all routes and hands them on, link by link. Yields whenever others may have their turn. */
export function* protect(
  context: ProtectionContext,
  table: RouteTable,
  publish: (backups: readonly (readonly [PrefixEntry, readonly SpfBackup[]])[]) => void,
): Generator<undefined, ProtectionResult> {
  const groups = new Map<string, { readonly link: ProtectedLink; readonly routes: Protectable[] }>();
  const bare: (readonly [PrefixEntry, readonly SpfBackup[]])[] = [];
  const links = new Map<number, ProtectedLink | undefined>();
  for (const route of table.protectable()) {
    if (!links.has(route.hops)) links.set(route.hops, linkOf(context, context.neighbors.nextHops(route.hops)));
    const link = links.get(route.hops);
    if (!link) {
      bare.push([route.entry, []]);
      continue;
    }
    const key = `${link.interfaceId}/${link.neighbor ?? '*'}`;
    const group = groups.get(key) ?? { link, routes: [] };
    group.routes.push(route);
    groups.set(key, group);
  }
  publish(bare);
  yield;
  const lfaNeighbors = context.options.fastReroute === 'lfa' ? yield* neighborsOf(context) : [];
  let protectedRoutes = 0;
  let unprotectedRoutes = 0;
  for (const { link, routes } of groups.values()) {
    const found = context.options.fastReroute === 'lfa' ? yield* lfaBackups(context, link, routes, lfaNeighbors) : yield* new TiLfa(context, link).backups(routes);
    protectedRoutes += found.size;
    unprotectedRoutes += routes.length - found.size;
    for (let start = 0; start < routes.length; start += PUBLISH_BATCH) {
      publish(routes.slice(start, start + PUBLISH_BATCH).map(({ entry }) => [entry, found.has(entry) ? [found.get(entry)!] : []]));
      yield;
    }
  }
  return { protectedRoutes, unprotectedRoutes };
}

function linkOf(context: ProtectionContext, hops: readonly SpfNextHop[]): ProtectedLink | undefined {
  const [first] = hops;
  if (!first || hops.some(({ interfaceId, neighbor }) => neighbor === undefined || interfaceId !== first.interfaceId)) return undefined;
  const { graph, topology } = context;
  let network: number | undefined;
  for (let e = graph.offset[context.root]!; e < graph.offset[context.root + 1]!; e++) if (graph.interfaceId[e] === first.interfaceId && graph.network[graph.to[e]!]) network = graph.to[e];
  return { interfaceId: first.interfaceId, interface: first.interface, neighbor: hops.length === 1 ? topology.find(routerKey(first.neighbor!)) : undefined, network };
}

/** All neighbours of this router with the trees from them. */
function* neighborsOf(context: ProtectionContext): Generator<undefined, LfaNeighbor[]> {
  const { graph, topology, root } = context;
  const neighbors: LfaNeighbor[] = [];
  for (let e = graph.offset[root]!; e < graph.offset[root + 1]!; e++) {
    const interfaceId = graph.interfaceId[e]!;
    const to = graph.to[e]!;
    const edges = graph.network[to] ? Array.from({ length: graph.offset[to + 1]! - graph.offset[to]! }, (_, index) => graph.offset[to]! + index) : [e];
    for (const edge of edges) {
      const vertex = graph.to[edge]!;
      if (vertex === root || Math.max(graph.cost[e]!, costBack(graph, vertex, graph.network[to] ? to : root)) >= MAX_LINK_METRIC) continue;
      const nextHop = context.nextHop({ interfaceId, neighbor: topology.routerOf(vertex), neighborInterfaceId: graph.remoteId[edge]! });
      if (nextHop) neighbors.push({ vertex, interfaceId, cost: graph.cost[e]!, nextHop, through: yield* context.throughVertex(vertex) });
    }
  }
  return neighbors;
}

/** A link of this cost, either way, is to carry nothing that can go elsewhere (RFC 5286 section 3.5). */
const MAX_LINK_METRIC = 0xffff;

function costBack(graph: Graph, from: number, to: number): number {
  let least = Infinity;
  for (let e = graph.offset[from]!; e < graph.offset[from + 1]!; e++) if (graph.to[e] === to) least = Math.min(least, graph.cost[e]!);
  return least;
}

const LFA_BATCH = 64;

function* lfaBackups(context: ProtectionContext, link: ProtectedLink, routes: readonly Protectable[], neighbors: readonly LfaNeighbor[]): Generator<undefined, Map<PrefixEntry, SpfBackup>> {
  const primary = link.neighbor === undefined ? undefined : yield* context.throughVertex(link.neighbor);
  const network = link.network === undefined ? undefined : yield* context.throughVertex(link.network);
  const found = new Map<PrefixEntry, SpfBackup>();
  for (const [index, { entry, sources }] of routes.entries()) {
    const backup = lfaBackup(context.distance, link, sources, neighbors, primary, network);
    if (backup) found.set(entry, backup);
    if (index % LFA_BATCH === LFA_BATCH - 1) yield;
  }
  return found;
}
