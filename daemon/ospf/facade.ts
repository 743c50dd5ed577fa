/** What the API shows of OSPFv3. */
import type { Clock } from '../clock.js';
import type { EventLog, RouterEvent } from '../events.js';
import { neighborKey, type OspfFacade, type OspfInterfaceEntry, type OspfLsaEntry, type OspfNeighborEntry, type OspfRouteEntry, type OspfRouterEntry, type OspfStatusView } from '../northbound/ospf.js';
import { Refusal } from '../refusal.js';
import { formatId } from './ids.js';
import { lsaContent, lsaTypeName, lsaTypeOf, LSA_NAMES } from './lsa-text.js';
import type { Ospf } from './ospf.js';
import type { SpfNextHop, SpfRoute } from './spf/types.js';
import type { OspfInterfaceView, OspfLsaView, OspfNeighborView } from './types.js';
import { LsType } from './wire/types.js';

const counters = (values: Readonly<Record<string, number>>): Record<string, bigint> => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, BigInt(value)]));
const hopText = ({ gateway, interface: name }: SpfNextHop): string => `${gateway ?? 'connected'}%${name}`;

/** Counters of all interfaces together. */
function total(interfaces: readonly OspfInterfaceView[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counters: own } of interfaces) for (const [name, value] of Object.entries(own)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}

const interfaceEntry = (view: OspfInterfaceView): OspfInterfaceEntry => ({ ...view, counters: counters(view.counters) });
const neighborEntry = (view: OspfNeighborView): OspfNeighborEntry => ({ ...view, deadInMs: view.deadInMs === Infinity ? undefined : view.deadInMs });

const ROUTE_TYPES: Readonly<Record<SpfRoute['type'], string>> = { intra: 'intra', inter: 'inter', external1: 'external-1', external2: 'external-2' };

function routeEntry({ prefix, type, cost, nextHops, backups }: SpfRoute): OspfRouteEntry {
  return {
    prefix,
    type: ROUTE_TYPES[type],
    cost,
    nextHops: nextHops.map(hopText),
    backups: backups.map(({ protects, nextHop, segments }) => ({ protects: protects.join(' '), via: nextHop.gateway, interface: nextHop.interface, segments })),
  };
}

export class OspfViews implements OspfFacade {
  constructor(
    private readonly ospf: Ospf,
    private readonly clock: Clock,
    private readonly events: EventLog,
    private readonly subscribe: (listener: (key: string | undefined) => void) => () => void,
  ) {}

  status(): OspfStatusView {
    const { engine, spf, config } = this.ospf;
    const { lsas, overloaded } = engine.status();
    const statistics = spf.statistics();
    const interfaces = engine.interfaceViews();
    const neighbors = engine.neighborViews();
    const lsasByType: Record<string, number> = {};
    for (const { header } of engine.lsas()) {
      const name = lsaTypeName(header.type, config.cpnLsType);
      lsasByType[name] = (lsasByType[name] ?? 0) + 1;
    }
    return {
      routerId: config.routerId,
      area: config.area,
      interfaces: interfaces.length,
      neighbors: neighbors.length,
      fullNeighbors: neighbors.filter(({ state }) => state === 'Full').length,
      lsas,
      lsasByType,
      routers: statistics.reachableRouters,
      routes: statistics.routes,
      protectedRoutes: statistics.protection.protectedRoutes,
      fastReroute: config.fastReroute,
      backoff: statistics.backoff,
      spfFull: statistics.full,
      spfIncremental: statistics.incremental,
      spfPartial: statistics.partial,
      spfLastMs: statistics.last?.durationMs,
      spfAgeMs: statistics.last && this.clock.now() - statistics.last.at,
      overloaded,
      counters: counters(total(interfaces)),
    };
  }

  interfaces(): readonly OspfInterfaceEntry[] {
    return this.ospf.engine.interfaceViews().map(interfaceEntry);
  }

  neighbors(key: string | undefined): readonly OspfNeighborEntry[] {
    const all = this.ospf.engine.neighborViews();
    return (key === undefined ? all : all.filter((view) => neighborKey(view) === key)).map(neighborEntry);
  }

  *lsas(type: string | undefined): Generator<OspfLsaEntry> {
    const { engine, config } = this.ospf;
    const only = type === undefined ? undefined : lsaTypeOf(type, config.cpnLsType);
    if (type !== undefined && only === undefined) {
      throw new Refusal('invalid', `type: ${JSON.stringify(type)} is no LSA type: one of ${[...Object.values(LSA_NAMES), 'cpn'].join(', ')}, or a number such as 0x2001`);
    }
    for (const view of engine.lsaViews(only === undefined ? {} : { type: only })) yield lsaEntry(view, config.cpnLsType);
  }

  *routers(): Generator<OspfRouterEntry> {
    const { engine, spf, config } = this.ospf;
    const flags = new Map<number, { b: boolean; e: boolean }>();
    for (const { header, body } of engine.lsas({ type: LsType.router })) {
      if (body.kind !== 'router') continue;
      const before = flags.get(header.router);
      flags.set(header.router, { b: body.flags.b || before?.b === true, e: body.flags.e || before?.e === true });
    }
    for (const routerId of [...spf.reachableRouters()].sort((a, b) => a - b)) {
      if (formatId(routerId) === config.routerId) continue;
      const path = spf.routerPath(routerId);
      if (!path) continue;
      yield {
        routerId: formatId(routerId),
        areaBorder: flags.get(routerId)?.b ?? false,
        asBoundary: flags.get(routerId)?.e ?? false,
        cost: path.cost,
        nextHops: spf.nextHopsTo(routerId).map(hopText),
        locator: spf.sidsOf(routerId)?.locators[0]?.prefix,
        delayUs: path.costPathDelay.estimated ? undefined : path.costPathDelay.us,
        bestDelayUs: path.delayPath.estimated ? undefined : path.delayPath.us,
        delaySegments: path.segments,
      };
    }
  }

  *routes(): Generator<OspfRouteEntry> {
    for (const route of this.ospf.spf.routes()) yield routeEntry(route);
  }

  onChange(listener: (key: string | undefined) => void): () => void {
    return this.subscribe(listener);
  }

  onEvent(listener: (event: RouterEvent) => void): () => void {
    return this.events.subscribe((event) => {
      if (event.topic === 'ospf') listener(event);
    });
  }
}

function lsaEntry({ header, scope, interface: name, self, body, raw }: OspfLsaView, cpnLsType: number): OspfLsaEntry {
  return {
    type: header.type,
    typeName: lsaTypeName(header.type, cpnLsType),
    scope,
    interface: name,
    id: header.id,
    router: formatId(header.router),
    sequence: `0x${(header.sequence >>> 0).toString(16).padStart(8, '0')}`,
    age: header.age,
    checksum: header.checksum,
    length: header.length,
    self,
    content: lsaContent(body),
    raw: Buffer.from(raw).toString('hex'),
  };
}
