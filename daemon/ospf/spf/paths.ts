/**
 * How routers are reached by delay, beside by cost: the path of least delay, and the fewest SIDs that hold traffic on it where that is worth it.
 *
 * This is not a flexible algorithm (RFC 9350), though it serves the same end. A flexible algorithm is followed by the routers that take part in it, with a
 * locator of its own each; stock routers between take no part, and a path over them would be lost or have to go around. Segments of algorithm 0 make
 * stock routers carry the delay path: all they do is forward by cost. And only those who use the path pay for it, in SIDs, where an algorithm costs
 * every router a tree and a route for every locator.
 */
import type { Graph } from './graph.js';
import type { LinkDelays } from './delay.js';
import { fewestSegments } from './segments.js';
import type { SidTable } from './sids.js';
import type { ShortestPathTree } from './spf.js';
import { routerKey, type Topology } from './topology.js';
import type { DelayOptions, RouterPath } from './types.js';

/** Cost of a link that is to carry traffic only where there is nothing else (RFC 6987 section 2): no path of least delay leads over it. */
const MAX_LINK_METRIC = 0xffff;

/** A path by edges, from this router on. */
type EdgePath = readonly number[];

/** A pinned path in terms that outlive a graph: router and interface it leaves by, and the next router. */
interface Pinned {
  readonly hops: readonly { readonly router: number; readonly interfaceId: number; readonly next: number }[];
}

/** What was worked out on one state of graph and delays. */
interface Snapshot {
  readonly graph: Graph;
  readonly us: Float64Array;
  readonly missing: Uint8Array;
  /** Tree of least delay. */
  readonly delay: Float64Array;
  readonly parent: Int32Array;
  /** Along the paths of least cost, of several the slowest: with defaults for missing delays, with 0 for them, and whether any is missing. */
  readonly cost: { readonly us: Float64Array; readonly known: Float64Array; readonly estimated: Uint8Array };
  readonly paths: Map<number, RouterPath>;
}

export class DelayPaths {
  private snapshot: Snapshot | undefined;
  private readonly pinned = new Map<number, Pinned>();

  constructor(
    private readonly topology: Topology,
    private readonly tree: ShortestPathTree,
    private readonly delays: LinkDelays,
    private readonly sids: SidTable,
    private readonly options: DelayOptions,
  ) {}

  /** Graph, delays or SIDs have changed. */
  forget(): void {
    this.snapshot = undefined;
  }

  /** How a router is reached; undefined when it is not, and for this router itself. Worked out when asked for. */
  path(routerId: number): RouterPath | undefined {
    const vertex = this.topology.find(routerKey(routerId));
    if (vertex === undefined || vertex === this.topology.root || !((this.tree.distance[vertex] ?? Infinity) < Infinity)) {
      this.pinned.delete(routerId);
      return undefined;
    }
    const snapshot = (this.snapshot ??= this.compute());
    let path = snapshot.paths.get(routerId);
    if (!path) snapshot.paths.set(routerId, (path = this.choose(snapshot, routerId, vertex)));
    return path;
  }

  private compute(): Snapshot {
    const { graph } = this.topology;
    const { us, missing } = this.delays.ofEdges(graph, this.topology);
    return { graph, us, missing, ...delayTree(graph, this.topology, us), cost: alongCost(graph, us, missing), paths: new Map() };
  }

  private choose(snapshot: Snapshot, routerId: number, vertex: number): RouterPath {
    const { cost } = snapshot;
    const common = { routerId, cost: this.tree.distance[vertex]!, costPathDelay: { us: cost.us[vertex]!, estimated: cost.estimated[vertex] === 1 } };
    const best = snapshot.delay[vertex]! < Infinity ? pathOf(snapshot, vertex) : undefined;
    // Only delays that are known count against the path of least cost: what nobody measured is no reason to go another way.
    const known = cost.known[vertex]!;
    const threshold = Math.max(this.options.gainUs, this.options.gainRatio * known);
    const kept = this.keptPath(snapshot, routerId);
    const keptUs = kept ? sum(snapshot, kept) : Infinity;
    if (kept && best && keptUs <= sum(snapshot, best) + threshold / 2 && known - keptUs > threshold / 2) {
      const segments = this.pin(snapshot, kept);
      if (segments) return { ...common, delayPath: this.describe(snapshot, kept), segments, unpinnable: false };
    }
    this.pinned.delete(routerId);
    if (!best) return { ...common, delayPath: { ...common.costPathDelay, routers: [] }, segments: [], unpinnable: false };
    const delayPath = this.describe(snapshot, best);
    if (!(known - delayPath.us > threshold)) return { ...common, delayPath, segments: [], unpinnable: false };
    const segments = this.pin(snapshot, best);
    if (segments) this.pinned.set(routerId, { hops: this.hopsOf(snapshot.graph, best) });
    return { ...common, delayPath, segments: segments ?? [], unpinnable: segments === undefined };
  }

  private describe(snapshot: Snapshot, path: EdgePath): RouterPath['delayPath'] {
    return { us: sum(snapshot, path), estimated: path.some((edge) => snapshot.missing[edge] === 1), routers: this.hopsOf(snapshot.graph, path).map(({ next }) => next) };
  }

  private hopsOf(graph: Graph, path: EdgePath): Pinned['hops'] {
    const hops: { router: number; interfaceId: number; next: number }[] = [];
    let start: number | undefined;
    for (const edge of path) {
      const from = graph.from[edge]!;
      const to = graph.to[edge]!;
      if (!graph.network[from]) start = edge;
      if (!graph.network[to]) hops.push({ router: this.topology.routerOf(graph.from[start!]!), interfaceId: graph.interfaceId[start!]!, next: this.topology.routerOf(to) });
    }
    return hops;
  }

  /** The path pinned before, if all of it still exists. */
  private keptPath({ graph }: Snapshot, routerId: number): EdgePath | undefined {
    const path: number[] = [];
    for (const { router, interfaceId, next } of this.pinned.get(routerId)?.hops ?? []) {
      const from = this.topology.find(routerKey(router));
      const to = this.topology.find(routerKey(next));
      if (from === undefined || to === undefined) return undefined;
      const edge = edgesFrom(graph, from).find((one) => graph.interfaceId[one] === interfaceId && graph.cost[one]! < MAX_LINK_METRIC && (graph.to[one] === to || graph.network[graph.to[one]!]));
      if (edge === undefined) return undefined;
      path.push(edge);
      if (graph.to[edge] === to) continue;
      const beyond = edgesFrom(graph, graph.to[edge]!).find((one) => graph.to[one] === to);
      if (beyond === undefined) return undefined;
      path.push(beyond);
    }
    return path.length > 0 ? path : undefined;
  }

  /**
   * The fewest transit SIDs that, with a SID of the destination after them, make traffic take exactly a path, whatever of equal-cost ways routers choose.
   * SIDs of this router are not among them: what it sends itself does not pass them.
   */
  pin({ graph }: { readonly graph: Graph }, path: EdgePath): readonly string[] | undefined {
    const hops = this.hopsOf(graph, path);
    const routers = [this.topology.self, ...hops.map(({ next }) => next)];
    const reaches = new Map<number, number>();
    return fewestSegments(
      {
        length: hops.length,
        reach: (position) => {
          const reach = reaches.get(position) ?? position + this.followed(graph, path, position);
          reaches.set(position, reach);
          return reach;
        },
        end: (at) => this.sids.end(routers[at]!),
        endX: (at) => (at === 0 ? undefined : this.sids.endX(routers[at]!, hops[at]!.interfaceId, routers[at + 1]!)),
        first: () => true,
        finish: (_, reach) => (reach === hops.length ? { sids: [], at: reach } : undefined),
      },
      0,
      this.options.maxSegments,
    );
  }

  /** How many routers on plain forwarding by cost is sure to stay on a path, from the router at a position. */
  private followed(graph: Graph, path: EdgePath, position: number): number {
    let start = 0;
    for (let routers = 0; routers < position; start++) if (!graph.network[graph.to[path[start]!]!]) routers++;
    const rest = path.slice(start);
    if (rest.length === 0) return 0;
    const source = graph.from[rest[0]!]!;
    const limit = rest.reduce((total, edge) => total + graph.cost[edge]!, 0);
    const distance = source === graph.root ? this.tree.distance : graph.nearby(source, limit);
    let length = 0;
    let routers = 0;
    for (const edge of rest) {
      const to = graph.to[edge]!;
      length += graph.cost[edge]!;
      if (distance[to] !== length) break;
      const others = edgesInto(graph, to).filter((other) => other !== edge && distance[graph.from[other]!]! + graph.cost[other]! === length);
      if (others.length > 0) break;
      if (!graph.network[to]) routers++;
    }
    return routers;
  }
}

const sum = ({ us }: Pick<Snapshot, 'us'>, path: EdgePath): number => path.reduce((total, edge) => total + us[edge]!, 0);
const edgesFrom = (graph: Graph, vertex: number): number[] => Array.from({ length: graph.offset[vertex + 1]! - graph.offset[vertex]! }, (_, index) => graph.offset[vertex]! + index);
const edgesInto = (graph: Graph, vertex: number): number[] => [...graph.inEdge.subarray(graph.inOffset[vertex], graph.inOffset[vertex + 1])];

function pathOf({ graph, parent }: Pick<Snapshot, 'graph' | 'parent'>, vertex: number): EdgePath {
  const path: number[] = [];
  for (let v = vertex; v !== graph.root; v = graph.from[path.at(-1)!]!) path.push(parent[v]!);
  return path.reverse();
}

/** The tree of least delay; of equal delays that of least cost, then by router ID. */
function delayTree(graph: Graph, topology: Topology, us: Float64Array): { readonly delay: Float64Array; readonly parent: Int32Array } {
  const delay = new Float64Array(graph.size).fill(Infinity);
  const cost = new Float64Array(graph.size).fill(Infinity);
  const parent = new Int32Array(graph.size).fill(-1);
  delay[graph.root] = cost[graph.root] = 0;
  const queue = graph.emptyQueue();
  queue.push(graph.root, graph.rank(graph.root, 0));
  while (queue.length > 0) {
    const rank = queue.peekValue()!;
    const v = queue.pop()!;
    if (rank > graph.rank(v, delay[v]!)) continue;
    for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) {
      const w = graph.to[e]!;
      const reached = delay[v]! + us[e]!;
      if (!(graph.cost[e]! < MAX_LINK_METRIC) || reached > delay[w]!) continue;
      const price = cost[v]! + graph.cost[e]!;
      // Vertices come by rank, so that all ways of this delay have been seen before w itself comes.
      if (reached === delay[w] && (price > cost[w]! || (price === cost[w] && topology.routerOf(v) >= topology.routerOf(graph.from[parent[w]!]!)))) continue;
      if (reached < delay[w]!) queue.push(w, graph.rank(w, reached));
      delay[w] = reached;
      cost[w] = price;
      parent[w] = e;
    }
  }
  return { delay, parent };
}

/** Delays along the paths of least cost. */
function alongCost(graph: Graph, us: Float64Array, missing: Uint8Array): Snapshot['cost'] {
  const order: number[] = [];
  const distance = graph.distances(graph.root, false, order);
  const result = { us: new Float64Array(graph.size), known: new Float64Array(graph.size), estimated: new Uint8Array(graph.size) };
  for (const v of order) {
    for (let i = graph.inOffset[v]!; i < graph.inOffset[v + 1]!; i++) {
      const e = graph.inEdge[i]!;
      const from = graph.from[e]!;
      if (distance[from]! + graph.cost[e]! !== distance[v]) continue;
      result.us[v] = Math.max(result.us[v]!, result.us[from]! + us[e]!);
      result.known[v] = Math.max(result.known[v]!, result.known[from]! + (missing[e] ? 0 : us[e]!));
      if (missing[e] || result.estimated[from]) result.estimated[v] = 1;
    }
  }
  return result;
}
