/**
 * Delays of links as their routers announce them (RFC 7471 in Intra-Area-TE-LSAs, RFC 5329), steadied: a delay counts as changed when it has left a
 * band around the one in use, so that what is measured may tremble without a path moving.
 *
 * A TE link names its far end, which tells it from all others of its router: the neighbour and its interface, on a LAN the Designated Router's.
 */
import { LsType, type TeLink } from '../wire/types.js';
import type { Graph } from './graph.js';
import { current, lsaKeyText, type Topology } from './topology.js';
import type { DelayOptions, LsaChange } from './types.js';

interface Link {
  readonly neighbor: number;
  readonly interfaceId: number;
  readonly us: number;
}

export class LinkDelays {
  /** Links with a delay in use, by router and LSA. */
  private readonly byRouter = new Map<number, Map<string, Link>>();

  constructor(private readonly options: Pick<DelayOptions, 'missingUs' | 'deadBandUs' | 'deadBandRatio'>) {}

  /** Takes the Intra-Area-TE-LSAs among the changes; true when a delay in use changed. */
  update(changes: readonly LsaChange[]): boolean {
    let changed = false;
    for (const { key, after } of changes) {
      if (key.type !== LsType.intraAreaTe) continue;
      const body = current(after)?.body;
      const link = body?.kind === 'intraAreaTe' ? body.link : undefined;
      if (this.set(key.router, lsaKeyText(key), link?.neighbor, link?.delay?.us ?? link?.delayRange?.minimumUs)) changed = true;
    }
    return changed;
  }

  private set(router: number, lsa: string, neighbor: TeLink['neighbor'], us: number | undefined): boolean {
    const links = this.byRouter.get(router) ?? new Map<string, Link>();
    const known = links.get(lsa);
    if (!neighbor || us === undefined) {
      links.delete(lsa);
      if (links.size === 0) this.byRouter.delete(router);
      return known !== undefined;
    }
    if (known?.neighbor === neighbor.routerId && known.interfaceId === neighbor.interfaceId) {
      const moved = Math.abs(us - known.us);
      if (moved === 0 || moved <= Math.max(this.options.deadBandUs, this.options.deadBandRatio * known.us)) return false;
    }
    links.set(lsa, { neighbor: neighbor.routerId, interfaceId: neighbor.interfaceId, us });
    this.byRouter.set(router, links);
    return true;
  }

  /** Delays of all edges, us: `missingUs` where none is announced (and `missing` is 1); from networks on there is none. */
  ofEdges(graph: Graph, topology: Topology): { readonly us: Float64Array; readonly missing: Uint8Array } {
    const us = new Float64Array(graph.edges);
    const missing = new Uint8Array(graph.edges);
    for (let v = 0; v < graph.size; v++) {
      if (graph.network[v]) continue;
      const links = [...(this.byRouter.get(topology.routerOf(v))?.values() ?? [])];
      for (let e = graph.offset[v]!; e < graph.offset[v + 1]!; e++) {
        const neighbor = topology.routerOf(graph.to[e]!);
        const known = links.find((link) => link.interfaceId === graph.remoteId[e] && link.neighbor === neighbor);
        missing[e] = known ? 0 : 1;
        // 1 at least: paths must grow with every link.
        us[e] = Math.max(1, known?.us ?? this.options.missingUs);
      }
    }
    return { us, missing };
  }
}
