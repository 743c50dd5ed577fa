/**
 * The area as arrays: edges of a vertex side by side (compressed sparse rows), outgoing and incoming, and shortest distances over them.
 *
 * Vertices are small numbers. An edge from a router costs 1 at least and one from a network to a router nothing (RFC 2328 section 16.1), so that
 * `rank` (distance, networks before routers) grows strictly along every shortest path: whoever works in that order finds parents done.
 */
import FlatQueue from 'flatqueue';

export interface GraphEdge {
  readonly to: number;
  readonly cost: number;
  /** The sending router's interface; 0 of a network. */
  readonly interfaceId: number;
  /** The receiving router's interface; of an edge to a network that of the Designated Router. */
  readonly remoteId: number;
}

export interface GraphVertex {
  readonly network: boolean;
  readonly edges: readonly GraphEdge[];
  /** False: nothing is forwarded through it (RFC 5340 section A.2, R bit); it can be reached all the same. */
  readonly transit: boolean;
}

export class Graph {
  readonly size: number;
  readonly edges: number;
  /** Edges of vertex v: `offset[v]` to `offset[v + 1]`. */
  readonly offset: Int32Array;
  readonly to: Int32Array;
  readonly from: Int32Array;
  /** Infinity: not to be used (no transit). */
  readonly cost: Float64Array;
  readonly interfaceId: Uint32Array;
  readonly remoteId: Uint32Array;
  readonly network: Uint8Array;
  /** Edges into vertex v: `inEdge[inOffset[v]]` to before `inEdge[inOffset[v + 1]]`. */
  readonly inOffset: Int32Array;
  readonly inEdge: Int32Array;
  private readonly queue: FlatQueue;
  private readonly scratch: Float64Array;
  private readonly scratched: number[] = [];

  /** `root`: the one vertex whose edges count whether or not it is transit. */
  constructor(vertices: readonly GraphVertex[], readonly root: number) {
    const size = (this.size = vertices.length);
    let edges = 0;
    for (const vertex of vertices) edges += vertex.edges.length;
    this.edges = edges;
    this.offset = new Int32Array(size + 1);
    this.to = new Int32Array(edges);
    this.from = new Int32Array(edges);
    this.cost = new Float64Array(edges);
    this.interfaceId = new Uint32Array(edges);
    this.remoteId = new Uint32Array(edges);
    this.network = new Uint8Array(size);
    this.inOffset = new Int32Array(size + 1);
    this.inEdge = new Int32Array(edges);
    let at = 0;
    vertices.forEach((vertex, index) => {
      this.network[index] = vertex.network ? 1 : 0;
      const usable = vertex.transit || index === root;
      for (const edge of vertex.edges) {
        this.to[at] = edge.to;
        this.from[at] = index;
        this.cost[at] = usable ? edge.cost : Infinity;
        this.interfaceId[at] = edge.interfaceId;
        this.remoteId[at] = edge.remoteId;
        this.inOffset[edge.to + 1]!++;
        at++;
      }
      this.offset[index + 1] = at;
    });
    for (let v = 0; v < size; v++) this.inOffset[v + 1]! += this.inOffset[v]!;
    const next = this.inOffset.slice();
    for (let e = 0; e < edges; e++) this.inEdge[next[this.to[e]!]!++] = e;
    this.scratch = new Float64Array(size).fill(Infinity);
    this.queue = new FlatQueue(2 * (edges + size) + 1, Float64Array, Int32Array);
  }

  /** Takes new costs and interfaces of a vertex whose edges lead where they led; false when they do not, and nothing is changed. */
  patch(vertex: number, edges: readonly GraphEdge[], transit: boolean): boolean {
    const start = this.offset[vertex]!;
    if (this.offset[vertex + 1]! - start !== edges.length || edges.some(({ to }, index) => this.to[start + index] !== to)) return false;
    const usable = transit || vertex === this.root;
    edges.forEach((edge, index) => {
      this.cost[start + index] = usable ? edge.cost : Infinity;
      this.interfaceId[start + index] = edge.interfaceId;
      this.remoteId[start + index] = edge.remoteId;
    });
    return true;
  }

  /** Order in which shortest paths are worked out: by distance, networks before routers. */
  rank(vertex: number, distance: number): number {
    return 2 * distance + 1 - this.network[vertex]!;
  }

  /** An empty queue, lent until the next call. */
  emptyQueue(): FlatQueue {
    this.queue.clear();
    return this.queue;
  }

  /**
   * Distances from a vertex to all; `reverse`: from all to it. Infinity: no path. `order` is filled with the vertices reached, by rank.
   */
  distances(source: number, reverse = false, order?: number[]): Float64Array {
    const distance = new Float64Array(this.size).fill(Infinity);
    distance[source] = 0;
    const queue = this.emptyQueue();
    queue.push(source, this.rank(source, 0));
    const { offset, to, from, cost, inOffset, inEdge, network } = this;
    const start = reverse ? inOffset : offset;
    const far = reverse ? from : to;
    while (queue.length > 0) {
      const rank = queue.peekValue()!;
      const v = queue.pop()!;
      const reached = distance[v]!;
      if (rank > 2 * reached + 1 - network[v]!) continue;
      order?.push(v);
      const end = start[v + 1]!;
      for (let i = start[v]!; i < end; i++) {
        const e = reverse ? inEdge[i]! : i;
        const w = far[e]!;
        const candidate = reached + cost[e]!;
        if (candidate < distance[w]!) {
          distance[w] = candidate;
          queue.push(w, 2 * candidate + 1 - network[w]!);
        }
      }
    }
    return distance;
  }

  /** Distances from a vertex as far as a limit, Infinity beyond; lent until the next call. */
  nearby(source: number, limit: number): Float64Array {
    const { scratch: distance, scratched, offset, to, cost } = this;
    for (const v of scratched) distance[v] = Infinity;
    scratched.length = 0;
    distance[source] = 0;
    scratched.push(source);
    const queue = this.emptyQueue();
    queue.push(source, 0);
    while (queue.length > 0) {
      const reached = queue.peekValue()!;
      const v = queue.pop()!;
      if (reached > distance[v]!) continue;
      const end = offset[v + 1]!;
      for (let e = offset[v]!; e < end; e++) {
        const w = to[e]!;
        const candidate = reached + cost[e]!;
        if (candidate > limit || candidate >= distance[w]!) continue;
        if (distance[w] === Infinity) scratched.push(w);
        distance[w] = candidate;
        queue.push(w, candidate);
      }
    }
    return distance;
  }
}
