/**
 * Repairs beside the path after convergence, for destinations that no list of SIDs on that path reaches because routers on it announce none: a
 * search from this router over SIDs, fewest first. It needs a tree of every router it tries and is bounded.
 */
import type { ProtectedLink, ProtectionContext } from './protection.js';
import type { Protectable } from './routes.js';
import type { SpfBackup } from './types.js';

/** Trees at most, for each link. */
const MAX_TREES = 256;

interface Stop {
  readonly vertex: number;
  /** SIDs that bring the packet here, without one of this router. */
  readonly before: readonly string[];
  readonly nextHop: SpfBackup['nextHop'];
}

/**
 * `direct`: the next hop by which SIDs of a router are reached after the failure, if they are; `plainOnly`: routes that have a repair and are only to get a plain
 * one instead if there is one.
 */
export function* repairSearch(
  context: ProtectionContext,
  link: ProtectedLink,
  routes: readonly Protectable[],
  plainOnly: readonly Protectable[],
  direct: (vertex: number) => SpfBackup['nextHop'] | undefined,
): Generator<undefined, Map<Protectable, SpfBackup>> {
  const { graph, topology, sids, root, distance } = context;
  const toRoot = (yield* context.throughVertex(root)).to;
  const found = new Map<Protectable, SpfBackup>();
  const left = new Set([...routes, ...plainOnly]);
  const trees = new Map<number, Float64Array>();
  const treeOf = (vertex: number): Float64Array => {
    let tree = trees.get(vertex);
    if (!tree) trees.set(vertex, (tree = graph.distances(vertex)));
    return tree;
  };
  /** Takes the routes that the tables of today lead from a vertex to their destinations without coming back to this router. */
  const cover = (vertex: number, tree: Float64Array, nextHop: SpfBackup['nextHop'], segments: readonly string[]): void => {
    for (const route of left) {
      const cost = (from: Float64Array): number => route.sources.reduce((least, source) => Math.min(least, from[source.vertex]! + source.metric), Infinity);
      if (!(cost(tree) < toRoot[vertex]! + cost(distance))) continue;
      found.set(route, { protects: [link.interface], nextHop, segments, nodeProtecting: false });
      left.delete(route);
    }
  };

  // Plain alternates first: locators that have one are reached directly from then on.
  const plain = new Map<number, SpfBackup['nextHop']>();
  for (const { vertex, nextHop } of alternates(context, link)) {
    const tree = yield* context.fromVertex(vertex);
    cover(vertex, tree, nextHop, []);
    for (let v = 0; v < graph.size; v++) if (!plain.has(v) && tree[v]! < toRoot[vertex]! + distance[v]!) plain.set(v, nextHop);
    yield;
  }
  for (const route of plainOnly) left.delete(route);
  if (left.size === 0) return found;
  const survives = (vertex: number): SpfBackup['nextHop'] | undefined =>
    direct(vertex) ?? (context.hopsOf(vertex).every(({ interfaceId }) => interfaceId === link.interfaceId) ? plain.get(vertex) : undefined);

  const seen = new Set<number>([root]);
  let stops: Stop[] = [];
  for (let vertex = 0; vertex < graph.size; vertex++) {
    if (graph.network[vertex] || vertex === root || !(distance[vertex]! < Infinity) || !sids.of(topology.routerOf(vertex))) continue;
    const nextHop = survives(vertex);
    if (!nextHop) continue;
    seen.add(vertex);
    stops.push({ vertex, before: [], nextHop });
  }
  stops.sort((a, b) => distance[a.vertex]! - distance[b.vertex]! || a.vertex - b.vertex);
  for (let length = 1; length <= context.options.maxRepairSegments && left.size > 0 && stops.length > 0; length++) {
    const arrivals: Stop[] = [];
    for (const stop of stops) {
      if (left.size === 0 || trees.size >= MAX_TREES) return found;
      const routerId = topology.routerOf(stop.vertex);
      const last = sids.decapsulating(routerId);
      if (last !== undefined) cover(stop.vertex, treeOf(stop.vertex), stop.nextHop, [...stop.before, last]);
      const end = sids.end(routerId);
      if (end !== undefined) arrivals.push({ ...stop, before: [...stop.before, end] });
      for (const { sid, vertex } of crossings(context, stop.vertex)) arrivals.push({ ...stop, vertex, before: [...stop.before, sid] });
      yield;
    }
    stops = [];
    for (const arrival of arrivals) {
      if (trees.size >= MAX_TREES) break;
      const tree = treeOf(arrival.vertex);
      for (let vertex = 0; vertex < graph.size; vertex++) {
        if (seen.has(vertex) || graph.network[vertex] || !(tree[vertex]! < toRoot[arrival.vertex]! + distance[vertex]!) || !sids.of(topology.routerOf(vertex))) continue;
        seen.add(vertex);
        stops.push({ ...arrival, vertex });
      }
      yield;
    }
  }
  return found;
}

/** Neighbours over other interfaces. */
function* alternates({ graph, topology, root, ...context }: ProtectionContext, link: ProtectedLink): Generator<{ readonly vertex: number; readonly nextHop: SpfBackup['nextHop'] }> {
  for (let e = graph.offset[root]!; e < graph.offset[root + 1]!; e++) {
    const interfaceId = graph.interfaceId[e]!;
    if (interfaceId === link.interfaceId) continue;
    for (const edge of routersBeyond(graph, e)) {
      const found = context.neighbors.nextHop({ interfaceId, neighbor: topology.routerOf(graph.to[edge]!), neighborInterfaceId: graph.remoteId[edge]! });
      if (found?.gateway !== undefined && graph.to[edge] !== root) yield { vertex: graph.to[edge]!, nextHop: { interface: found.interface, gateway: found.gateway } };
    }
  }
}

/** Routers next to one, and its End.X SIDs to them. */
function* crossings({ graph, topology, sids, root }: ProtectionContext, vertex: number): Generator<{ readonly sid: string; readonly vertex: number }> {
  for (let e = graph.offset[vertex]!; e < graph.offset[vertex + 1]!; e++) {
    for (const edge of routersBeyond(graph, e)) {
      const to = graph.to[edge]!;
      const sid = to === vertex || to === root ? undefined : sids.endX(topology.routerOf(vertex), graph.interfaceId[e]!, topology.routerOf(to));
      if (sid !== undefined) yield { sid, vertex: to };
    }
  }
}

/** The edge itself, or those from the network it leads to. */
function routersBeyond(graph: ProtectionContext['graph'], edge: number): readonly number[] {
  const to = graph.to[edge]!;
  if (!graph.network[to]) return [edge];
  return Array.from({ length: graph.offset[to + 1]! - graph.offset[to]! }, (_, index) => graph.offset[to]! + index);
}
