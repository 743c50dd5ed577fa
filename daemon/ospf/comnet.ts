/** The links of the area as a part of ComNet: who is linked with whom by Router- and Network-LSAs, and what TE LSAs say of the links. Pure. */
import type { ComNetEdge, ComNetPart } from '../awareness/comnet/graph.js';
import { formatId } from './ids.js';
import { type Lsa, LsType, type NetworkLsa, type RouterLink, type TeLink } from './wire/types.js';

type Edge = Omit<ComNetEdge, 'weight'>;

export interface AreaView {
  readonly own: number;
  isReachable(routerId: number): boolean;
  /** Loopback of a router, where it is known. */
  loopbackOf(routerId: number): string | undefined;
  lsas(type: number): Iterable<Lsa>;
}

const LOSS_PPM_PER_UNIT = 0.03;
const OCTET_BITS = 8;

/** Links of reachable routers; own links are left to those who measure them. Routers without a known loopback go by their router ID. */
export function areaComNet(view: AreaView): ComNetPart {
  const name = (router: number): string => view.loopbackOf(router) ?? formatId(router);
  const te = teLinks(view);
  const networks = networkLsas(view);
  const edges: Edge[] = [];
  const routers = new Set<number>();
  for (const { header, body } of view.lsas(LsType.router)) {
    if (body.kind !== 'router' || header.router === view.own || !view.isReachable(header.router)) continue;
    routers.add(header.router);
    for (const link of body.links) {
      for (const to of endsOf(header.router, link, networks)) {
        if (to === view.own || view.isReachable(to)) edges.push(edgeOf(name(header.router), name(to), te.get(`${header.router} ${link.interfaceId}`)));
      }
    }
  }
  return { nodes: [...routers].map((router) => ({ id: name(router), name: undefined, kind: 'router', computing: [] })), edges };
}

function networkLsas(view: AreaView): Map<string, NetworkLsa> {
  const found = new Map<string, NetworkLsa>();
  for (const { header, body } of view.lsas(LsType.network)) if (body.kind === 'network') found.set(`${header.router} ${header.id}`, body);
  return found;
}

function teLinks(view: AreaView): Map<string, TeLink> {
  const found = new Map<string, TeLink>();
  // The Link State ID of a TE LSA of cpnd is the Interface ID of its link (RFC 5329 leaves it to the router).
  for (const { header, body } of view.lsas(LsType.intraAreaTe)) if (body.kind === 'intraAreaTe' && body.link) found.set(`${header.router} ${header.id}`, body.link);
  return found;
}

function endsOf(from: number, { type, neighborRouterId, neighborInterfaceId }: RouterLink, networks: ReadonlyMap<string, NetworkLsa>): readonly number[] {
  if (type === 1) return [neighborRouterId];
  if (type === 2) return networks.get(`${neighborRouterId} ${neighborInterfaceId}`)?.routers.filter((router) => router !== from) ?? [];
  return [];
}

function edgeOf(from: string, to: string, link: TeLink | undefined): Edge {
  const bandwidth = link?.maximumBandwidth === undefined ? undefined : link.maximumBandwidth * OCTET_BITS;
  const sendRate = link?.utilizedBandwidth === undefined ? undefined : link.utilizedBandwidth * OCTET_BITS;
  return {
    from,
    to,
    kind: 'link',
    interface: undefined,
    via: [],
    up: true,
    delayUs: link?.delay?.us,
    variationUs: link?.delayVariationUs,
    jitterUs: undefined,
    lossPpm: link?.loss && Math.round(link.loss.value * LOSS_PPM_PER_UNIT),
    bandwidth,
    sendRate,
    receiveRate: undefined,
    utilisation: bandwidth === undefined || sendRate === undefined || bandwidth === 0 ? undefined : Math.min(1, sendRate / bandwidth),
  };
}
