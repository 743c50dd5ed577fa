/**
 * The network after a failure: distances and paths from this router once all have converged, and which stretches of such a path the others
 * follow already now, by the tables they have.
 *
 * What is to be avoided are vertices (this router always, since what comes back to it may take the failed link; the neighbour; the LAN).
 * For routers u and v on a path of least cost that avoids them, of length d(v) - d(u): if every way from u to v through an avoided vertex a is longer, D(u, a) +
 * D(a, v) > d(v) - d(u), then the least cost from u to v is the same before and after the failure and no path of that cost meets a.
 * So one tree to and one from each avoided vertex answer for all pairs; P and Q spaces (RFC 7490) need no trees of their own.
 */
import type { Graph } from './graph.js';
import type { Source } from './routes.js';

/** Distances from all vertices to one, and from it to all. */
export interface Through {
  readonly to: Float64Array;
  readonly from: Float64Array;
}

/** Routers of a path from this one (first) to a destination, by vertex; `interfaces[i]` is that of router i towards the next, `remotes[i]` that of the next. */
export interface Path {
  readonly routers: readonly number[];
  readonly interfaces: readonly number[];
  readonly remotes: readonly number[];
}

const UNKNOWN = -2;

export class Failure {
  /** Distance after the failure. */
  readonly distance: Float64Array;
  private readonly parents: Int32Array;

  constructor(
    private readonly graph: Graph,
    /** Distances before. */
    before: Float64Array,
    /** The failed interface of this router. */
    private readonly interfaceId: number,
    /** Failed with it. */
    private readonly removed: ReadonlySet<number>,
    /** This router and what `removed` holds. */
    private readonly avoided: readonly Through[],
  ) {
    this.distance = distancesWithout(graph, before, removed, interfaceId);
    this.parents = new Int32Array(graph.size).fill(UNKNOWN);
  }

  /** Whether the tables of today lead from a router on a path to a later one past nothing that failed. */
  safe(from: number, to: number): boolean {
    const length = this.distance[to]! - this.distance[from]!;
    for (const avoided of this.avoided) if (avoided.to[from]! + avoided.from[to]! <= length) return false;
    return true;
  }

  /** The same to a destination that several vertices announce; `total` is its distance. */
  safeTo(from: number, sources: readonly Source[], total: number): boolean {
    const length = total - this.distance[from]!;
    return this.avoided.every((avoided) => sources.every(({ vertex, metric }) => avoided.to[from]! + avoided.from[vertex]! + metric > length));
  }

  nearest(sources: readonly Source[]): { readonly vertex: number; readonly total: number } | undefined {
    let best: { vertex: number; total: number } | undefined;
    for (const { vertex, metric } of sources) {
      const total = this.distance[vertex]! + metric;
      if (total < (best?.total ?? Infinity)) best = { vertex, total };
    }
    return best;
  }

  pathTo(vertex: number): Path {
    const { graph } = this;
    const routers: number[] = [];
    const interfaces: number[] = [];
    const remotes: number[] = [];
    for (let v = vertex, remote = 0; ; ) {
      if (!graph.network[v]) routers.push(v);
      if (v === graph.root) break;
      const edge = this.parent(v);
      const from = graph.from[edge]!;
      if (!graph.network[v]) remote = graph.remoteId[edge]!;
      if (!graph.network[from]) {
        interfaces.push(graph.interfaceId[edge]!);
        remotes.push(remote);
      }
      v = from;
    }
    return { routers: routers.reverse(), interfaces: interfaces.reverse(), remotes: remotes.reverse() };
  }

  private parent(v: number): number {
    const known = this.parents[v]!;
    if (known !== UNKNOWN) return known;
    const { graph, distance } = this;
    for (let i = graph.inOffset[v]!; i < graph.inOffset[v + 1]!; i++) {
      const e = graph.inEdge[i]!;
      const from = graph.from[e]!;
      if (distance[from]! + graph.cost[e]! !== distance[v] || isFailed(graph, e, this.removed, this.interfaceId)) continue;
      return (this.parents[v] = e);
    }
    throw new RangeError(`vertex ${v} is not reached`);
  }
}

function isFailed(graph: Graph, edge: number, removed: ReadonlySet<number>, interfaceId: number): boolean {
  const from = graph.from[edge]!;
  return removed.has(from) || (from === graph.root && graph.interfaceId[edge] === interfaceId);
}

/** Distances without some vertices and the links of one interface: only what hung on them is worked out anew. */
function distancesWithout(graph: Graph, before: Float64Array, removed: ReadonlySet<number>, interfaceId: number): Float64Array {
  const distance = before.slice();
  const affected = new Set<number>();
  const queue = graph.emptyQueue();
  const queued = new Set<number>();
  const suspect = (v: number): void => {
    if (queued.has(v) || v === graph.root || !(before[v]! < Infinity)) return;
    queued.add(v);
    queue.push(v, graph.rank(v, before[v]!));
  };
  for (const v of removed) suspect(v);
  for (let e = graph.offset[graph.root]!; e < graph.offset[graph.root + 1]!; e++) if (graph.interfaceId[e] === interfaceId) suspect(graph.to[e]!);
  while (queue.length > 0) {
    const v = queue.pop()!;
    let supported = false;
    for (let i = graph.inOffset[v]!; !removed.has(v) && !supported && i < graph.inOffset[v + 1]!; i++) {
      const e = graph.inEdge[i]!;
      const from = graph.from[e]!;
      supported = !affected.has(from) && before[from]! + graph.cost[e]! === before[v] && !isFailed(graph, e, removed, interfaceId);
    }
    if (supported) continue;
    affected.add(v);
    for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) if (before[v]! + graph.cost[e]! === before[graph.to[e]!]) suspect(graph.to[e]!);
  }
  for (const v of affected) distance[v] = Infinity;
  const again = graph.emptyQueue();
  for (const v of affected) {
    if (removed.has(v)) continue;
    for (let i = graph.inOffset[v]!; i < graph.inOffset[v + 1]!; i++) {
      const e = graph.inEdge[i]!;
      const candidate = before[graph.from[e]!]! + graph.cost[e]!;
      if (!affected.has(graph.from[e]!) && candidate < distance[v]! && !isFailed(graph, e, removed, interfaceId)) distance[v] = candidate;
    }
    if (distance[v]! < Infinity) again.push(v, distance[v]!);
  }
  while (again.length > 0) {
    const reached = again.peekValue()!;
    const v = again.pop()!;
    if (reached > distance[v]!) continue;
    for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) {
      const w = graph.to[e]!;
      const candidate = reached + graph.cost[e]!;
      if (candidate >= distance[w]! || removed.has(w)) continue;
      distance[w] = candidate;
      again.push(w, candidate);
    }
  }
  return distance;
}
