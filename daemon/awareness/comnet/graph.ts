/**
 * ComNet: the weighted graph of computing and network (survey sections 4.3 and 8). Nodes are routers with the computing they front, edges are
 * links, and ways across the network as long as nobody tells the links between. Pure.
 *
 * Several sources know parts of it (own links, watched ways, the computing RIB; a link-state protocol); `mergeComNet` makes one graph of them.
 */

export interface ComNetComputing {
  readonly service: string;
  readonly instance: number;
  readonly grade: string | undefined;
  /** Operations per second, over all classes and chips. */
  readonly total: bigint;
  readonly residual: bigint;
  /** 0..1 */
  readonly utilisation: number | undefined;
  readonly draining: boolean;
}

export interface ComNetNode {
  /** Router ID (its SRv6 loopback); of a router whose ID is not known, its address on the link. */
  readonly id: string;
  readonly name: string | undefined;
  readonly kind: 'self' | 'exit' | 'router';
  readonly computing: readonly ComNetComputing[];
}

export interface ComNetEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: 'link' | 'way';
  /** Interface it begins with at `from`. */
  readonly interface: string | undefined;
  /** Transit SIDs of a way. */
  readonly via: readonly string[];
  readonly up: boolean;
  /** One way, us; half of the round trip where the clocks allow no more. */
  readonly delayUs: number | undefined;
  /** RFC 3393 delay variation of the round trip, us. */
  readonly variationUs: number | undefined;
  readonly jitterUs: number | undefined;
  readonly lossPpm: number | undefined;
  /** bit/s */
  readonly bandwidth: number | undefined;
  readonly sendRate: number | undefined;
  readonly receiveRate: number | undefined;
  /** 0..1 */
  readonly utilisation: number | undefined;
  /** `expectedDelay` of it; undefined: down or not measured. */
  readonly weight: number | undefined;
}

export interface ComNetPart {
  readonly nodes: readonly ComNetNode[];
  readonly edges: readonly Omit<ComNetEdge, 'weight'>[];
}

export interface ComNetGraph {
  readonly nodes: readonly ComNetNode[];
  readonly edges: readonly ComNetEdge[];
  /** The function that the weights are of, in words. */
  readonly weight: string;
}

export const WEIGHT_FUNCTION =
  'expected delay: (delay + half the delay variation) / ((1 - loss) * (1 - utilisation)), us; what is lost is sent again, and a link that is used in part serves as if it were slower';

/** Shares of loss and utilisation above these weigh as these: a weight stays a number. */
const MOST_LOSS = 0.999;
const MOST_UTILISATION = 0.99;

/**
 * Weight of an edge: the delay that a packet may expect, us. With a loss of p it is sent 1 / (1 - p) times in the mean (ETX, De Couto et al.,
 * MobiCom 2003), and a server with utilisation u takes 1 / (1 - u) as long (M/M/1).
 */
export function expectedDelay(edge: Pick<ComNetEdge, 'up' | 'delayUs' | 'variationUs' | 'lossPpm' | 'utilisation'>): number | undefined {
  if (!edge.up || edge.delayUs === undefined) return undefined;
  const loss = Math.min(MOST_LOSS, (edge.lossPpm ?? 0) / 1_000_000);
  const utilisation = Math.min(MOST_UTILISATION, edge.utilisation ?? 0);
  return (edge.delayUs + (edge.variationUs ?? 0) / 2) / ((1 - loss) * (1 - utilisation));
}

const RANK: Readonly<Record<ComNetNode['kind'], number>> = { self: 2, exit: 1, router: 0 };

/** One graph of all parts: of a node that several know the most telling kind and name, and its computing together; edges with their weights. */
export function mergeComNet(parts: readonly ComNetPart[]): ComNetGraph {
  const nodes = new Map<string, ComNetNode>();
  for (const node of parts.flatMap((part) => part.nodes)) {
    const known = nodes.get(node.id);
    nodes.set(node.id, known ? { id: node.id, name: known.name ?? node.name, kind: RANK[node.kind] > RANK[known.kind] ? node.kind : known.kind, computing: union(known.computing, node.computing) } : node);
  }
  const edges = new Map<string, ComNetEdge>();
  for (const edge of parts.flatMap((part) => part.edges)) {
    const key = `${edge.from} ${edge.to} ${edge.kind} ${edge.interface ?? ''} ${edge.via.join()}`;
    if (!edges.has(key)) edges.set(key, { ...edge, weight: expectedDelay(edge) });
    for (const id of [edge.from, edge.to]) if (!nodes.has(id)) nodes.set(id, { id, name: undefined, kind: 'router', computing: [] });
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()], weight: WEIGHT_FUNCTION };
}

function union(a: readonly ComNetComputing[], b: readonly ComNetComputing[]): readonly ComNetComputing[] {
  const known = new Set(a.map(({ service, instance }) => `${service}#${instance}`));
  return [...a, ...b.filter(({ service, instance }) => !known.has(`${service}#${instance}`))];
}
