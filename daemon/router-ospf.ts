/** OSPFv3 of the router: its parts by the names OSPF knows them. */
import type { LinkAwareness } from './awareness/link/links.js';
import type { AdvertisementSink } from './ospf/computing.js';
import { OspfViews } from './ospf/facade.js';
import { Ospf } from './ospf/ospf.js';
import type { OspfTransport } from './ospf/transport.js';
import { NO_OSPF, type OspfFacade } from './northbound/ospf.js';
import type { PathState } from './rib/candidate.js';
import type { RouterParts } from './router-parts.js';
import type { SidRoutes } from './sid-routes.js';

export interface OspfSurroundings {
  readonly parts: RouterParts;
  readonly transport: OspfTransport;
  readonly links: LinkAwareness;
  readonly sids: SidRoutes;
  readonly computing: AdvertisementSink;
  /** An earlier run's routes or flows stand in the kernel. */
  readonly restarting: boolean;
  /** Other ways to these exits are known. */
  readonly waysChanged: (exits: ReadonlySet<string>) => void;
  /** Other exits are inside the area. */
  readonly areaChanged: () => void;
}

/** Undefined where the configuration has no OSPF. */
export function makeOspf({ parts, transport, links, sids, computing, restarting, waysChanged, areaChanged }: OspfSurroundings): Ospf | undefined {
  if (!parts.config().ospf) return undefined;
  return new Ospf(parts.config(), {
    clock: parts.clock,
    events: parts.events,
    transport,
    random: Math.random,
    bfd: parts.bfd,
    sids,
    restarting,
    adjacencies: parts.dataplane.routes,
    computing,
    routesChanged: (routes, removed) => parts.unicast.ospfChanged(routes, removed),
    ribRoutes: () => parts.unicast.rib.routes(),
    waysChanged,
    areaChanged,
    discovered: (neighbours) => links.discover(neighbours),
    linkReports: () => links.report(),
    changed: (key) => parts.changes.notify('ospf', key),
  });
}

export function ospfFacade(parts: RouterParts): OspfFacade {
  const { ospf, clock, events, changes } = parts;
  return ospf ? new OspfViews(ospf, clock, events, (listener) => changes.subscribe('ospf', listener)) : NO_OSPF;
}

/** What is measured of a way to an exit; what OSPF says of its delay until it is. */
export function withOspfDelay(measured: PathState, ospf: Ospf | undefined, exit: string, transit: readonly string[]): PathState {
  if (!ospf || measured.rttUs !== undefined) return measured;
  const path = ospf.pathTo(exit);
  const delay = transit.length === 0 ? path?.costPathDelay : path?.delayPath;
  return !delay || delay.estimated ? measured : { ...measured, rttUs: 2 * delay.us };
}
