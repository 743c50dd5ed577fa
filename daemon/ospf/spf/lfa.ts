/**
 * Loop-free alternates (RFC 5286): a neighbour that does not send the traffic back. Of several the one that also avoids the primary neighbour
 * (inequality 3), then one that also avoids the LAN of the primary next hop (4, section 3.3), then one nearer to the destination than this
 * router (2: no loops whatever else fails), then the cheapest.
 */
import type { Through } from './failure.js';
import type { ProtectedLink } from './protection.js';
import type { Source } from './routes.js';
import type { SpfBackup } from './types.js';

export interface LfaNeighbor {
  readonly vertex: number;
  readonly interfaceId: number;
  /** Of the link to it. */
  readonly cost: number;
  readonly nextHop: SpfBackup['nextHop'];
  readonly through: Through;
}

const costTo = (from: Float64Array, sources: readonly Source[]): number => sources.reduce((least, { vertex, metric }) => Math.min(least, from[vertex]! + metric), Infinity);

/** The alternate of a destination whose next hops are all on `link`; `own` are distances of this router, `primary` and `network` trees of what fails with it. */
export function lfaBackup(
  own: Float64Array,
  link: ProtectedLink,
  sources: readonly Source[],
  neighbors: readonly LfaNeighbor[],
  primary: Through | undefined,
  network: Through | undefined,
): SpfBackup | undefined {
  let best: { readonly rank: readonly number[]; readonly neighbor: LfaNeighbor; readonly nodeProtecting: boolean } | undefined;
  const cost = costTo(own, sources);
  const beyondPrimary = primary ? costTo(primary.from, sources) : 0;
  const beyondNetwork = network ? costTo(network.from, sources) : 0;
  for (const neighbor of neighbors) {
    if (neighbor.interfaceId === link.interfaceId) continue;
    const { from } = neighbor.through;
    const remaining = costTo(from, sources);
    if (!(remaining < neighbor.through.from[ROOT]! + cost)) continue; // inequality 1
    const nodeProtecting = link.neighbor !== undefined && remaining < from[link.neighbor]! + beyondPrimary;
    const linkProtecting = link.network === undefined || remaining < from[link.network]! + beyondNetwork;
    const rank = [nodeProtecting ? 0 : 1, linkProtecting ? 0 : 1, remaining < cost ? 0 : 1, neighbor.cost + remaining, neighbor.vertex, neighbor.interfaceId];
    if (!best || before(rank, best.rank)) best = { rank, neighbor, nodeProtecting };
  }
  return best && { protects: [link.interface], nextHop: best.neighbor.nextHop, segments: [], nodeProtecting: best.nodeProtecting };
}

/** This router (Topology.root). */
const ROOT = 0;

function before(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}
