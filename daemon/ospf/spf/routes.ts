/**
 * The routes: of each prefix the best way there is, intra-area before inter-area before external type 1 before type 2 (RFC 2328 section 11), with
 * the next hops of all that are equally good. Only prefixes that lean on something changed are worked out again.
 *
 * An AS boundary router is reached inside the area if it can be, else through area border routers (RFC 2328 section 16.2), and of several
 * announcements of one prefix the cheapest counts (RFC1583Compatibility, the default of section C.1).
 */
import { NO_HOPS } from './hops.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { NeighborTable } from './neighbors.js';
import type { Candidate, PrefixEntry, PrefixTable } from './prefixes.js';
import type { ShortestPathTree } from './spf.js';
import type { Topology, VertexKey } from './topology.js';
import type { RouteDelta, SpfBackup, SpfNextHop, SpfRoute, SpfRouteType } from './types.js';

/** A vertex through which a destination is reached, and the cost from there. */
export interface Source {
  readonly vertex: number;
  readonly metric: number;
}

/** A way to a prefix; of the one in use `sources` are all announcers of its preference, also those farther off. */
interface Way {
  readonly type: SpfRouteType;
  readonly locator: boolean;
  readonly type2Metric: number | undefined;
  readonly tag: number | undefined;
  readonly cost: number;
  readonly hops: number;
  readonly sources: readonly Source[];
  /** The destination is this router's own. */
  readonly local: boolean;
}

interface State {
  internal: Way | undefined;
  best: Way | undefined;
  route: SpfRoute | undefined;
}

const PREFERENCE: Readonly<Record<SpfRouteType, number>> = { intra: 0, inter: 1, external1: 2, external2: 3 };
const isInternal = ({ type }: { readonly type: SpfRouteType }): boolean => type === 'intra' || type === 'inter';
const NOTHING: RouteDelta = { added: [], changed: [], removed: [] };
const BATCH = 64;
const NO_BACKUPS: readonly SpfBackup[] = [];

/** A route that can be protected: its next hops' number, and where it leads. */
export interface Protectable {
  readonly entry: PrefixEntry;
  readonly hops: number;
  readonly sources: readonly Source[];
}

export class RouteTable {
  private readonly states = new Map<PrefixEntry, State>();
  private readonly due = new Set<PrefixEntry>();
  private internalChanged = false;
  private installed = 0;
  /** Prefixes with an internal route, by length: forwarding addresses are looked up in them. */
  private readonly internalLengths = new Map<number, number>();

  constructor(
    private readonly topology: Topology,
    private readonly tree: ShortestPathTree,
    private readonly prefixes: PrefixTable,
    private readonly neighbors: NeighborTable,
  ) {}

  get size(): number {
    return this.installed;
  }

  *routes(): Generator<SpfRoute> {
    for (const { route } of this.states.values()) if (route) yield route;
  }

  *protectable(): Generator<Protectable> {
    for (const [entry, { best, route }] of this.states) if (best && route) yield { entry, hops: best.hops, sources: best.sources };
  }

  /** Entries to be worked out again: those given, and those that lean on vertices given. What was not done of before stays due. */
  touch(entries: Iterable<PrefixEntry>, vertices: Iterable<number>): void {
    for (const entry of entries) this.due.add(entry);
    for (const vertex of vertices) for (const entry of this.prefixes.leaningOn(this.topology.keyOf(vertex))) this.due.add(entry);
  }

  /** Works out what is due and yields what changes, some entries at a time. */
  *update(): Generator<RouteDelta, void> {
    let count = 0;
    for (const entry of this.due) {
      const state = this.stateOf(entry);
      const before = state.internal;
      state.internal = this.choose(entry.candidates.filter(isInternal));
      this.countLength(entry.prefix.length, before, state.internal);
      this.internalChanged ||= before !== undefined || state.internal !== undefined;
      if (++count % BATCH === 0) yield NOTHING;
    }
    // Forwarding addresses lie in internal prefixes.
    if (this.internalChanged) for (const entry of this.prefixes.forwarded) this.due.add(entry);
    this.internalChanged = false;
    let delta = { added: [] as SpfRoute[], changed: [] as SpfRoute[], removed: [] as string[] };
    count = 0;
    for (const entry of this.due) {
      this.due.delete(entry);
      this.decide(entry, delta);
      if (++count % BATCH !== 0) continue;
      yield delta;
      delta = { added: [], changed: [], removed: [] };
    }
    yield delta;
  }

  /** Sets backups of routes; those of other routes stay. */
  setBackups(backups: Iterable<readonly [PrefixEntry, readonly SpfBackup[]]>): RouteDelta {
    const changed: SpfRoute[] = [];
    for (const [entry, list] of backups) {
      const state = this.states.get(entry);
      if (!state?.route || sameBackups(state.route.backups, list)) continue;
      state.route = { ...state.route, backups: list };
      changed.push(state.route);
    }
    return { added: [], changed, removed: [] };
  }

  private stateOf(entry: PrefixEntry): State {
    let state = this.states.get(entry);
    if (!state) this.states.set(entry, (state = { internal: undefined, best: undefined, route: undefined }));
    return state;
  }

  private decide(entry: PrefixEntry, delta: { readonly added: SpfRoute[]; readonly changed: SpfRoute[]; readonly removed: string[] }): void {
    const state = this.stateOf(entry);
    const { internal, route: before } = state;
    const external = internal && !internal.locator ? undefined : this.choose(entry.candidates.filter((candidate) => !isInternal(candidate)));
    state.best = internal && !(internal.locator && external && !external.locator) ? internal : external;
    state.route = state.best && this.render(entry, state.best, before);
    if (state.route && !before) delta.added.push(state.route);
    else if (state.route && state.route !== before) delta.changed.push(state.route);
    else if (!state.route && before) delta.removed.push(entry.text);
    this.installed += (state.route ? 1 : 0) - (before ? 1 : 0);
    if (entry.candidates.length > 0) return;
    this.states.delete(entry);
    this.prefixes.drop(entry);
  }

  private render(entry: PrefixEntry, best: Way, before: SpfRoute | undefined): SpfRoute | undefined {
    const nextHops = best.local ? [] : this.neighbors.nextHops(best.hops);
    if (nextHops.length === 0) return undefined;
    const sameHops = before !== undefined && sameNextHops(before.nextHops, nextHops);
    if (sameHops && before.type === best.type && before.cost === best.cost && before.type2Metric === best.type2Metric && before.tag === best.tag) return before;
    const { type, cost, type2Metric, tag } = best;
    return { prefix: entry.text, type, cost, type2Metric, tag, nextHops, backups: sameHops ? before.backups : NO_BACKUPS };
  }

  /** The best of candidates that are all internal or all external. */
  private choose(candidates: readonly Candidate[]): Way | undefined {
    if (candidates.length < 2) return candidates[0] && this.wayOf(candidates[0]);
    let ways = candidates.flatMap((candidate) => this.wayOf(candidate) ?? []);
    if (ways.some(({ locator }) => !locator)) ways = ways.filter(({ locator }) => !locator);
    if (ways.length === 0) return undefined;
    const rank = (way: Way): number => PREFERENCE[way.type];
    const least = ways.reduce((best, way) => (rank(way) - rank(best) || (way.type2Metric ?? 0) - (best.type2Metric ?? 0) || way.cost - best.cost) < 0 ? way : best);
    const peers = ways.filter((way) => way.type === least.type && way.type2Metric === least.type2Metric);
    const equal = peers.filter(({ cost }) => cost === least.cost);
    return {
      ...least,
      hops: equal.reduce((set, { hops }) => this.tree.hopSets.union(set, hops), NO_HOPS),
      sources: peers.flatMap(({ sources }) => sources),
      local: equal.some(({ local }) => local),
    };
  }

  private wayOf(candidate: Candidate): Way | undefined {
    const { type, key, metric, locator, tag } = candidate;
    const way = (sources: readonly Source[], type2Metric?: number): Way | undefined => {
      const cost = sources.reduce((least, source) => Math.min(least, this.costOf(source)), Infinity);
      if (cost === Infinity) return undefined;
      const nearest = sources.filter((source) => this.costOf(source) === cost);
      const hops = nearest.reduce((set, { vertex }) => this.tree.hopSets.union(set, this.tree.hops[vertex]!), NO_HOPS);
      return { type, locator, type2Metric, tag, cost, hops, sources, local: nearest.some(({ vertex }) => vertex === this.topology.root) };
    };
    const vertex = this.topology.find(key);
    if (type === 'intra') return vertex === undefined ? undefined : way([{ vertex, metric }]);
    if (type === 'inter') return vertex !== undefined && this.topology.flagsOf(vertex).b ? way([{ vertex, metric }]) : undefined;
    const boundary = this.boundarySources(key);
    if (boundary.length === 0) return undefined;
    const added = type === 'external1' ? metric : 0;
    const type2Metric = type === 'external2' ? metric : undefined;
    if (!candidate.forwarding) return way(boundary.map((source) => ({ vertex: source.vertex, metric: source.metric + added })), type2Metric);
    const inside = this.lookup(candidate.forwarding.bytes);
    if (!inside || inside.local) return undefined;
    const found = way(inside.sources.map((source) => ({ vertex: source.vertex, metric: source.metric + added })), type2Metric);
    return found && { ...found, hops: this.tree.hopSets.towards(inside.hops, candidate.forwarding.text) };
  }

  private costOf({ vertex, metric }: Source): number {
    return (this.tree.distance[vertex] ?? Infinity) + metric;
  }

  /** How an AS boundary router is reached: through the area, or else through border routers. */
  private boundarySources(key: VertexKey): Source[] {
    const vertex = this.topology.find(key);
    if (vertex !== undefined && this.topology.flagsOf(vertex).e && this.costOf({ vertex, metric: 0 }) < Infinity) return [{ vertex, metric: 0 }];
    const sources: Source[] = [];
    for (const way of this.prefixes.boundaryWays(key)) {
      const border = this.topology.find(way.key);
      if (border !== undefined && this.topology.flagsOf(border).b && this.costOf({ vertex: border, metric: 0 }) < Infinity) sources.push({ vertex: border, metric: way.metric });
    }
    return sources;
  }

  /** The internal route to an address, by longest match. */
  private lookup(address: Uint8Array): Way | undefined {
    for (const length of [...this.internalLengths.keys()].sort((a, b) => b - a)) {
      const entry = this.prefixes.find(Prefix.of(address, length).toString());
      const internal = entry && this.states.get(entry)?.internal;
      if (internal) return internal;
    }
    return undefined;
  }

  private countLength(length: number, before: Way | undefined, after: Way | undefined): void {
    const count = (this.internalLengths.get(length) ?? 0) + (after ? 1 : 0) - (before ? 1 : 0);
    if (count > 0) this.internalLengths.set(length, count);
    else this.internalLengths.delete(length);
  }
}

function sameNextHops(a: readonly SpfNextHop[], b: readonly SpfNextHop[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((hop, index) => hop.interface === b[index]!.interface && hop.interfaceId === b[index]!.interfaceId && hop.neighbor === b[index]!.neighbor && hop.gateway === b[index]!.gateway);
}

const sameBackups = (a: readonly SpfBackup[], b: readonly SpfBackup[]): boolean => a.length === b.length && JSON.stringify(a) === JSON.stringify(b);
