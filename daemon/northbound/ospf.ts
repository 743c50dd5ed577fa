/** The OSPFv3 service of the API: what it needs of the router, and its methods. */
import type { Clock } from '../clock.js';
import { ospfMethods, type OspfChange } from '../../proto/methods.js';
import type { RouterEvent } from '../events.js';
import { FacadeError } from './facade.js';
import type { Transport } from './transport.js';
import { eventView, fingerprintWithout, Watch, type WatchSource } from './watch.js';

export interface OspfStatusView {
  readonly routerId: string;
  readonly area: string;
  readonly interfaces: number;
  readonly neighbors: number;
  readonly fullNeighbors: number;
  readonly lsas: number;
  readonly lsasByType: Readonly<Record<string, number>>;
  /** Reachable ones. */
  readonly routers: number;
  readonly routes: number;
  readonly protectedRoutes: number;
  readonly fastReroute: string;
  /** State of RFC 8405. */
  readonly backoff: string;
  readonly spfFull: number;
  readonly spfIncremental: number;
  readonly spfPartial: number;
  readonly spfLastMs: number | undefined;
  readonly spfAgeMs: number | undefined;
  readonly overloaded: boolean;
  readonly counters: Readonly<Record<string, bigint>>;
}

export interface OspfInterfaceEntry {
  readonly name: string;
  readonly interfaceId: number;
  readonly network: string;
  readonly state: string;
  readonly cost: number;
  readonly priority: number;
  readonly area: string;
  readonly instanceId: number;
  readonly linkLocal: string | undefined;
  readonly mtu: number;
  readonly helloIntervalMs: number;
  readonly deadIntervalMs: number;
  readonly designated: string;
  readonly backup: string;
  readonly passive: boolean;
  readonly authenticated: boolean;
  readonly neighbors: number;
  readonly adjacencies: number;
  readonly counters: Readonly<Record<string, bigint>>;
}

export interface OspfNeighborEntry {
  readonly routerId: string;
  readonly interface: string;
  readonly address: string;
  readonly interfaceId: number;
  readonly priority: number;
  readonly state: string;
  readonly designated: string;
  readonly backup: string;
  readonly options: number;
  readonly deadInMs: number | undefined;
  readonly uptimeMs: number;
  readonly retransmissions: number;
  readonly requests: number;
  readonly databaseSummaries: number;
  readonly restarting: boolean;
  readonly stateChanges: number;
}

export interface OspfLsaEntry {
  readonly type: number;
  readonly typeName: string;
  readonly scope: string;
  readonly interface: string | undefined;
  readonly id: number;
  readonly router: string;
  readonly sequence: string;
  readonly age: number;
  readonly checksum: number;
  readonly length: number;
  readonly self: boolean;
  /** One line each. */
  readonly content: readonly string[];
  readonly raw: string;
}

export interface OspfRouterEntry {
  readonly routerId: string;
  readonly areaBorder: boolean;
  readonly asBoundary: boolean;
  readonly cost: number;
  readonly nextHops: readonly string[];
  readonly locator: string | undefined;
  readonly delayUs: number | undefined;
  readonly bestDelayUs: number | undefined;
  readonly delaySegments: readonly string[];
}

export interface OspfRouteEntry {
  readonly prefix: string;
  readonly type: string;
  readonly cost: number;
  readonly nextHops: readonly string[];
  readonly backups: readonly { readonly protects: string; readonly via: string; readonly interface: string; readonly segments: readonly string[] }[];
}

/** All throw FacadeError without OSPF. */
export interface OspfFacade {
  status(): OspfStatusView;
  interfaces(): readonly OspfInterfaceEntry[];
  /** Of one interface and router ID only (`eth1 10.0.0.2`), when given. */
  neighbors(key: string | undefined): readonly OspfNeighborEntry[];
  /** A type that is no name and no number is refused. */
  lsas(type: string | undefined): Iterable<OspfLsaEntry>;
  routers(): Iterable<OspfRouterEntry>;
  routes(): Iterable<OspfRouteEntry>;
  /** Returns the way to stop. */
  onChange(listener: (key: string | undefined) => void): () => void;
  onEvent(listener: (event: RouterEvent) => void): () => void;
}

export const neighborKey = ({ interface: name, routerId }: Pick<OspfNeighborEntry, 'interface' | 'routerId'>): string => `${name} ${routerId}`;

/** A router that runs no OSPFv3. */
export const NO_OSPF: OspfFacade = (() => {
  const refuse = (): never => {
    throw new FacadeError('notConfigured', 'OSPF is not configured (section ospf of the configuration)');
  };
  return { status: refuse, interfaces: refuse, neighbors: refuse, lsas: refuse, routers: refuse, routes: refuse, onChange: refuse, onEvent: refuse };
})();

export function ospfService(transport: Transport, facade: { readonly ospf: OspfFacade }, clock: Clock): void {
  transport.unary(ospfMethods.getOspf, () => facade.ospf.status());
  transport.unary(ospfMethods.listOspfInterfaces, () => ({ interfaces: facade.ospf.interfaces() }));
  transport.unary(ospfMethods.listOspfNeighbors, () => ({ neighbors: facade.ospf.neighbors(undefined) }));
  transport.list(ospfMethods.listOspfLsas, ({ type }) => facade.ospf.lsas(type), (lsas) => ({ lsas }));
  transport.list(ospfMethods.listOspfRouters, () => facade.ospf.routers(), (routers) => ({ routers }));
  transport.list(ospfMethods.listOspfRoutes, () => facade.ospf.routes(), (routes) => ({ routes }));
  transport.stream(ospfMethods.watchOspf, async (_request, sink) => {
    const source: WatchSource<OspfNeighborEntry, OspfChange> = {
      read: (key) => facade.ospf.neighbors(key),
      key: neighborKey,
      fingerprint: fingerprintWithout('deadInMs', 'uptimeMs', 'retransmissions', 'requests', 'databaseSummaries'),
      message: (change, neighbor) => ({ change, neighbor }),
      removed: (_key, last) => last,
    };
    facade.ospf.status(); // answers "not configured" before the stream begins
    const watch = new Watch(source, sink, clock);
    const stopChanges = facade.ospf.onChange((key) => watch.touch(key));
    const stopEvents = facade.ospf.onEvent((event) => watch.push({ change: 'event', event: eventView(event) }));
    await watch.run().finally(() => {
      stopChanges();
      stopEvents();
    });
  });
}
