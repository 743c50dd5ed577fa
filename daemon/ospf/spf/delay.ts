/**
 * Delays of links as their routers announce them (RFC 7471 in Intra-Area-TE-LSAs, RFC 5329), steadied: a delay counts as changed when it has left a
 * band around the one in use, so that what is measured may tremble without a path moving.
 *
 * A TE link names its far end, which tells it from all others of its router: the neighbour and its interface, on a LAN the Designated Router's.
 */
import { LsType } from '../wire/types.js';
import type { Graph } from './graph.js';
import { current, lsaKeyText, type Topology } from './topology.js';
import type { DelayOptions, LsaChange } from './types.js';

export class LinkDelays {
  private readonly inUse = new Map<string, number>();
  private readonly byLsa = new Map<string, string>();

  constructor(private readonly options: Pick<DelayOptions, 'missingUs' | 'deadBandUs' | 'deadBandRatio'>) {}

  /** Takes the Intra-Area-TE-LSAs among the changes; true when a delay in use changed. */
  update(changes: readonly LsaChange[]): boolean {
    let changed = false;
    for (const { key, after } of changes) {
      if (key.type !== LsType.intraAreaTe) continue;
      const text = lsaKeyText(key);
      const body = current(after)?.body;
      const link = body?.kind === 'intraAreaTe' ? body.link : undefined;
      const measured = link?.delay?.us ?? link?.delayRange?.minimumUs;
      const name = link?.neighbor && measured !== undefined ? `${key.router}/${link.neighbor.routerId}/${link.neighbor.interfaceId}` : undefined;
      const before = this.byLsa.get(text);
      if (before !== undefined && before !== name) {
        this.inUse.delete(before);
        this.byLsa.delete(text);
        changed = true;
      }
      if (name === undefined) continue;
      this.byLsa.set(text, name);
      const known = this.inUse.get(name);
      if (known !== undefined && Math.abs(measured! - known) <= Math.max(this.options.deadBandUs, this.options.deadBandRatio * known)) continue;
      if (known === measured) continue;
      this.inUse.set(name, measured!);
      changed = true;
    }
    return changed;
  }

  /** Delays of all edges, us: `missingUs` where none is announced (and `missing` is 1); from networks on there is none. */
  ofEdges(graph: Graph, topology: Topology): { readonly us: Float64Array; readonly missing: Uint8Array } {
    const us = new Float64Array(graph.edges);
    const missing = new Uint8Array(graph.edges);
    for (let e = 0; e < graph.edges; e++) {
      const from = graph.from[e]!;
      if (graph.network[from]) continue;
      const known = this.inUse.get(`${topology.routerOf(from)}/${topology.routerOf(graph.to[e]!)}/${graph.remoteId[e]!}`);
      missing[e] = known === undefined ? 1 : 0;
      // 1 at least: paths must grow with every link.
      us[e] = Math.max(1, known ?? this.options.missingUs);
    }
    return { us, missing };
  }
}
