/**
 * The graph of one area, kept from Router- and Network-LSAs as they change (RFC 5340 section 4.8.1, RFC 2328 section 16.1): all Router-LSAs of a
 * router are fragments of one, its options and flags are those of the fragment with the smallest Link State ID, and an edge counts when both of its
 * ends announce it, between routers with the same pair of interface IDs.
 */
import { LsType, MAX_AGE, OptionBit, type Lsa, type LsaKey, type NetworkLsa, type RouterLink, type RouterLsa } from '../wire/types.js';
import { Graph, type GraphEdge } from './graph.js';
import type { LsaChange } from './types.js';

/** Names a vertex in other tables: of a router its ID, of a network its Designated Router and that one's interface ID. */
export type VertexKey = string;
export const routerKey = (router: number): VertexKey => String(router);
export const networkKey = (router: number, id: number): VertexKey => `${router}/${id}`;
export const lsaKeyText = ({ type, id, router }: LsaKey): string => `${type}/${router}/${id}`;

/** The LSA, unless it is on its way out. */
export const current = (lsa: Lsa | undefined): Lsa | undefined => (lsa && lsa.header.age < MAX_AGE ? lsa : undefined);

/** How edges between two vertices changed: the lowest cost before and after, Infinity without an edge. */
export interface EdgeChange {
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly after: number;
}

export interface TopologyChange {
  readonly edges: readonly EdgeChange[];
  /** Vertices whose presence or router flags changed. */
  readonly vertices: readonly number[];
}

interface Vertex {
  readonly key: VertexKey;
  readonly network: boolean;
  readonly router: number;
  readonly id: number;
  /** Router-LSA fragments by Link State ID. */
  readonly fragments: Map<number, RouterLsa>;
  links: readonly RouterLink[];
  attached: NetworkLsa | undefined;
  attachedSet: ReadonlySet<number>;
  /** It has an LSA and takes part in IPv6 routing. */
  present: boolean;
  transit: boolean;
  flags: RouterLsa['flags'];
  edges: readonly GraphEdge[];
  /** Whether `edges` count: as of when they were worked out. */
  usable: boolean;
}

const NO_FLAGS: RouterLsa['flags'] = { nt: false, v: false, e: false, b: false };
const NO_ROUTERS: ReadonlySet<number> = new Set();
const POINT_TO_POINT = 1;
const TRANSIT = 2;

export class Topology {
  private list: Vertex[] = [];
  private readonly index = new Map<VertexKey, number>();
  private built: Graph | undefined;
  private readonly uncommitted = new Set<number>();
  private absent = 0;

  constructor(readonly self: number) {
    this.vertex(routerKey(self), false, self, 0);
  }

  /** Always vertex 0. */
  get root(): number {
    return 0;
  }

  get size(): number {
    return this.list.length;
  }

  /** The graph as of the last commit. */
  get graph(): Graph {
    return this.built ?? this.commit();
  }

  /** Takes what was updated into the graph, in place where vertices keep their edges; what was worked out on it before is void. */
  commit(): Graph {
    let { built } = this;
    if (built?.size !== this.list.length) built = undefined;
    for (const index of this.uncommitted) {
      if (!built) break;
      const { edges, transit } = this.list[index]!;
      if (!built.patch(index, edges, transit)) built = undefined;
    }
    this.uncommitted.clear();
    return (this.built = built ?? new Graph(this.list, this.root));
  }

  /** The vertex, present or not; undefined when never heard of. */
  find(key: VertexKey): number | undefined {
    return this.index.get(key);
  }

  keyOf(vertex: number): VertexKey {
    return this.list[vertex]!.key;
  }

  /** Router ID; of a network that of its Designated Router. */
  routerOf(vertex: number): number {
    return this.list[vertex]!.router;
  }

  isNetwork(vertex: number): boolean {
    return this.list[vertex]!.network;
  }

  present(vertex: number): boolean {
    return this.list[vertex]!.present;
  }

  flagsOf(vertex: number): RouterLsa['flags'] {
    return this.list[vertex]!.flags;
  }

  counts(): { readonly routers: number; readonly networks: number } {
    const networks = this.list.reduce((sum, { network, present }) => sum + (network && present ? 1 : 0), 0);
    return { routers: this.list.reduce((sum, { present }) => sum + (present ? 1 : 0), 0) - networks, networks };
  }

  /** Takes the Router- and Network-LSAs among the changes; others are passed over. */
  update(changes: readonly LsaChange[]): TopologyChange {
    const touched = new Set<number>();
    const vertices = new Set<number>();
    for (const { key, after } of changes) {
      const body = current(after)?.body;
      if (key.type === LsType.router) this.setRouter(key, body?.kind === 'router' ? body : undefined, touched, vertices);
      else if (key.type === LsType.network) this.setNetwork(key, body?.kind === 'network' ? body : undefined, touched, vertices);
    }
    const edges: EdgeChange[] = [];
    for (const index of touched) {
      const vertex = this.list[index]!;
      const { edges: before, usable: wasUsable } = vertex;
      vertex.edges = this.edgesOf(vertex);
      vertex.usable = vertex.transit || index === this.root;
      compareEdges(index, before, wasUsable, vertex.edges, vertex.usable, edges);
      this.uncommitted.add(index);
    }
    return { edges, vertices: [...vertices] };
  }

  /** Forgets vertices without an LSA when they are many; true when it did: numbers of vertices mean others than before. */
  compact(): boolean {
    if (this.absent < 64 || this.absent < this.list.length / 2) return false;
    const kept = this.list.filter((vertex, index) => index === this.root || vertex.present || vertex.fragments.size > 0 || vertex.attached !== undefined);
    if (kept.length === this.list.length) return false;
    this.list = kept;
    this.index.clear();
    kept.forEach((vertex, index) => this.index.set(vertex.key, index));
    for (const vertex of kept) vertex.edges = this.edgesOf(vertex);
    this.absent = kept.reduce((sum, { present }) => sum + (present ? 0 : 1), 0);
    this.built = undefined;
    return true;
  }

  private vertex(key: VertexKey, network: boolean, router: number, id: number): number {
    const known = this.index.get(key);
    if (known !== undefined) return known;
    const index = this.list.length;
    this.list.push({
      key,
      network,
      router,
      id,
      fragments: new Map(),
      links: [],
      attached: undefined,
      attachedSet: NO_ROUTERS,
      present: false,
      transit: network,
      flags: NO_FLAGS,
      edges: [],
      usable: true,
    });
    this.index.set(key, index);
    this.absent++;
    return index;
  }

  private setPresent(index: number, present: boolean, vertices: Set<number>): void {
    const vertex = this.list[index]!;
    if (vertex.present === present) return;
    vertex.present = present;
    this.absent += present ? -1 : 1;
    vertices.add(index);
  }

  private setRouter(key: LsaKey, body: RouterLsa | undefined, touched: Set<number>, vertices: Set<number>): void {
    const index = this.vertex(routerKey(key.router), false, key.router, 0);
    const vertex = this.list[index]!;
    this.touch(vertex, index, touched);
    if (body) vertex.fragments.set(key.id, body);
    else vertex.fragments.delete(key.id);
    const fragments = [...vertex.fragments].sort(([a], [b]) => a - b).map(([, fragment]) => fragment);
    const first = fragments[0];
    vertex.links = fragments.length === 1 ? first!.links : fragments.flatMap(({ links }) => links);
    const flags = first?.flags ?? NO_FLAGS;
    if (flags.b !== vertex.flags.b || flags.e !== vertex.flags.e || flags.v !== vertex.flags.v || flags.nt !== vertex.flags.nt) vertices.add(index);
    vertex.flags = flags;
    vertex.transit = first !== undefined && (first.options & OptionBit.r) !== 0;
    this.setPresent(index, first !== undefined && (first.options & OptionBit.v6) !== 0, vertices);
    this.touch(vertex, index, touched);
  }

  private setNetwork(key: LsaKey, body: NetworkLsa | undefined, touched: Set<number>, vertices: Set<number>): void {
    const index = this.vertex(networkKey(key.router, key.id), true, key.router, key.id);
    const vertex = this.list[index]!;
    this.touch(vertex, index, touched);
    vertex.attached = body;
    vertex.attachedSet = body ? new Set(body.routers) : NO_ROUTERS;
    this.setPresent(index, body !== undefined, vertices);
    this.touch(vertex, index, touched);
  }

  /** Whatever has or may have an edge to this vertex is looked at again. */
  private touch(vertex: Vertex, index: number, touched: Set<number>): void {
    touched.add(index);
    for (const edge of vertex.edges) touched.add(edge.to);
    for (const router of vertex.attachedSet) {
      const other = this.index.get(routerKey(router));
      if (other !== undefined) touched.add(other);
    }
    for (const link of vertex.links) {
      const other = this.target(link);
      if (other !== undefined) touched.add(other);
    }
  }

  private target(link: RouterLink): number | undefined {
    return this.index.get(link.type === TRANSIT ? networkKey(link.neighborRouterId, link.neighborInterfaceId) : routerKey(link.neighborRouterId));
  }

  private edgesOf(vertex: Vertex): readonly GraphEdge[] {
    if (!vertex.present) return [];
    const edges: GraphEdge[] = [];
    if (vertex.network) {
      for (const router of vertex.attachedSet) {
        const to = this.index.get(routerKey(router));
        const member = to === undefined ? undefined : this.list[to]!;
        if (!member?.present) continue;
        const link = member.links.find((other) => other.type === TRANSIT && other.neighborRouterId === vertex.router && other.neighborInterfaceId === vertex.id);
        if (link) edges.push({ to: to!, cost: 0, interfaceId: 0, remoteId: link.interfaceId });
      }
      return edges;
    }
    for (const link of vertex.links) {
      const to = this.target(link);
      const other = to === undefined ? undefined : this.list[to]!;
      if (!other?.present || other === vertex) continue;
      const both = link.type === TRANSIT ? other.attachedSet.has(vertex.router) : other.links.some((back) => isBackLink(back, link, vertex.router));
      // A cost is 1 at least (RFC 2328 section C.3): 0 would make loops of equal cost.
      if (both) edges.push({ to: to!, cost: Math.max(1, link.metric), interfaceId: link.interfaceId, remoteId: link.neighborInterfaceId });
    }
    return edges;
  }
}

function isBackLink(back: RouterLink, link: RouterLink, router: number): boolean {
  return (
    back.type === link.type &&
    back.neighborRouterId === router &&
    (back.type !== POINT_TO_POINT || (back.interfaceId === link.neighborInterfaceId && back.neighborInterfaceId === link.interfaceId))
  );
}

/** The pairs of vertices between which something differs, also interfaces alone. */
function compareEdges(from: number, before: readonly GraphEdge[], wasUsable: boolean, after: readonly GraphEdge[], usable: boolean, changes: EdgeChange[]): void {
  if (wasUsable === usable && before.length === after.length && before.every((edge, index) => sameEdge(edge, after[index]!))) return;
  for (const to of new Set([...before, ...after].map((edge) => edge.to))) {
    const old = before.filter((edge) => edge.to === to);
    const fresh = after.filter((edge) => edge.to === to);
    if (wasUsable === usable && old.length === fresh.length && old.every((edge) => fresh.some((other) => sameEdge(edge, other)))) continue;
    changes.push({ from, to, before: wasUsable ? lowest(old) : Infinity, after: usable ? lowest(fresh) : Infinity });
  }
}

const sameEdge = (a: GraphEdge, b: GraphEdge): boolean => a.to === b.to && a.cost === b.cost && a.interfaceId === b.interfaceId && a.remoteId === b.remoteId;
const lowest = (edges: readonly GraphEdge[]): number => edges.reduce((least, { cost }) => Math.min(least, cost), Infinity);
