/**
 * The shortest path tree of this router with all equal-cost next hops (RFC 2328 section 16.1), worked out whole or, after a change of edges, only
 * where it differs: vertices that lost their last shortest path are found in order of distance, get the best of what the rest offers, and pass on
 * what improved; next hops follow where parents changed. The result is that of a full run, whatever the order of changes.
 */
import { HopSets, NO_HOPS } from './hops.js';
import type { Graph } from './graph.js';
import type { EdgeChange, Topology } from './topology.js';

export class ShortestPathTree {
  /** By vertex; Infinity: not reached. */
  distance: Float64Array = new Float64Array(0);
  /** By vertex: number of the set of next hops. */
  hops: Int32Array = new Int32Array(0);
  hopSets = new HopSets();

  constructor(private readonly topology: Topology) {}

  /** Computes all; the vertices whose distance or next hops differ from before, all of them when `fresh` (numbers of vertices or sets changed). */
  full(fresh: boolean): number[] {
    const graph = this.topology.commit();
    const before = fresh ? undefined : { distance: this.distance, hops: this.hops };
    if (fresh) this.hopSets = new HopSets();
    this.hops = new Int32Array(graph.size);
    const order: number[] = [];
    this.distance = graph.distances(graph.root, false, order);
    for (const v of order) this.hops[v] = this.hopsOf(graph, v);
    const changed: number[] = [];
    for (let v = 0; v < graph.size; v++) if (!before || this.distance[v] !== (before.distance[v] ?? Infinity) || this.hops[v] !== (before.hops[v] ?? NO_HOPS)) changed.push(v);
    return changed;
  }

  /** Computes what a change of edges makes different, and returns those vertices. */
  incremental(changes: readonly EdgeChange[]): number[] {
    const graph = this.topology.commit();
    this.grow(graph.size);
    const { distance } = this;
    const old = new Map<number, number>();
    const affected = this.findAffected(graph, changes);
    for (const v of affected) {
      old.set(v, distance[v]!);
      distance[v] = Infinity;
    }
    const queue = graph.emptyQueue();
    for (const v of affected) {
      let best = Infinity;
      for (let i = graph.inOffset[v]!; i < graph.inOffset[v + 1]!; i++) {
        const e = graph.inEdge[i]!;
        const from = graph.from[e]!;
        if (!affected.has(from)) best = Math.min(best, distance[from]! + graph.cost[e]!);
      }
      if (best < Infinity) {
        distance[v] = best;
        queue.push(v, best);
      }
    }
    for (const { from, to, after } of changes) {
      const candidate = distance[from]! + after;
      if (candidate >= distance[to]!) continue;
      if (!old.has(to)) old.set(to, distance[to]!);
      distance[to] = candidate;
      queue.push(to, candidate);
    }
    while (queue.length > 0) {
      const reached = queue.peekValue()!;
      const v = queue.pop()!;
      if (reached > distance[v]!) continue;
      for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) {
        const w = graph.to[e]!;
        const candidate = reached + graph.cost[e]!;
        if (candidate >= distance[w]!) continue;
        if (!old.has(w)) old.set(w, distance[w]!);
        distance[w] = candidate;
        queue.push(w, candidate);
      }
    }
    return this.updateHops(graph, changes, old);
  }

  /** Vertices that have no shortest path any more, as far as edges that became worse go. */
  private findAffected(graph: Graph, changes: readonly EdgeChange[]): Set<number> {
    const { distance } = this;
    const affected = new Set<number>();
    const queue = graph.emptyQueue();
    const queued = new Set<number>();
    const suspect = (v: number): void => {
      if (queued.has(v) || v === graph.root) return;
      queued.add(v);
      queue.push(v, graph.rank(v, distance[v]!));
    };
    for (const { from, to, before, after } of changes) if (after > before && distance[to]! < Infinity && distance[from]! + before === distance[to]) suspect(to);
    while (queue.length > 0) {
      const v = queue.pop()!;
      let supported = false;
      for (let i = graph.inOffset[v]!; !supported && i < graph.inOffset[v + 1]!; i++) {
        const e = graph.inEdge[i]!;
        const from = graph.from[e]!;
        supported = !affected.has(from) && distance[from]! + graph.cost[e]! <= distance[v]!;
      }
      if (supported) continue;
      affected.add(v);
      // An edge out of it that became worse is among the changes itself; one that improved may have been on a shortest path before.
      for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) {
        const w = graph.to[e]!;
        if (distance[w]! < Infinity && distance[v]! + graph.cost[e]! <= distance[w]!) suspect(w);
      }
    }
    return affected;
  }

  private updateHops(graph: Graph, changes: readonly EdgeChange[], old: ReadonlyMap<number, number>): number[] {
    const { distance } = this;
    const changed = new Set<number>();
    const queue = graph.emptyQueue();
    const queued = new Set<number>();
    const look = (v: number): void => {
      if (queued.has(v)) return;
      queued.add(v);
      queue.push(v, distance[v]! < Infinity ? graph.rank(v, distance[v]!) : Number.MAX_VALUE);
    };
    for (const { to } of changes) look(to);
    for (const [v, before] of old) {
      if (before === distance[v]) continue;
      changed.add(v);
      look(v);
      for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) look(graph.to[e]!);
    }
    while (queue.length > 0) {
      const v = queue.pop()!;
      const hops = distance[v]! < Infinity ? this.hopsOf(graph, v) : NO_HOPS;
      if (hops === this.hops[v]) continue;
      this.hops[v] = hops;
      changed.add(v);
      for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) {
        const w = graph.to[e]!;
        if (distance[v]! + graph.cost[e]! === distance[w]) look(w);
      }
    }
    return [...changed];
  }

  /** Next hops of a vertex from those of its parents, of which all are done. */
  private hopsOf(graph: Graph, v: number): number {
    if (v === graph.root) return NO_HOPS;
    let set = NO_HOPS;
    for (let i = graph.inOffset[v]!; i < graph.inOffset[v + 1]!; i++) {
      const e = graph.inEdge[i]!;
      const parent = graph.from[e]!;
      if (this.distance[parent]! + graph.cost[e]! !== this.distance[v]) continue;
      set = this.hopSets.union(set, this.hopsThrough(graph, parent, e, v));
    }
    return set;
  }

  private hopsThrough(graph: Graph, parent: number, edge: number, v: number): number {
    const remoteId = graph.remoteId[edge]!;
    if (parent === graph.root) {
      const interfaceId = graph.interfaceId[edge]!;
      if (graph.network[v]) return this.hopSets.of({ interfaceId, neighbor: undefined, neighborInterfaceId: 0 });
      return this.hopSets.of({ interfaceId, neighbor: this.topology.routerOf(v), neighborInterfaceId: remoteId });
    }
    if (graph.network[parent]) return this.hopSets.through(this.hops[parent]!, this.topology.routerOf(v), remoteId);
    return this.hops[parent]!;
  }

  private grow(size: number): void {
    if (size <= this.distance.length) return;
    const distance = new Float64Array(size).fill(Infinity);
    const hops = new Int32Array(size);
    distance.set(this.distance);
    hops.set(this.hops);
    distance[this.topology.root] = 0;
    this.distance = distance;
    this.hops = hops;
  }
}
