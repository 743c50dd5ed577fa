import type { RouterEvent } from '../../../daemon/events.js';
import type { OspfFacade, OspfInterfaceEntry, OspfLsaEntry, OspfNeighborEntry, OspfRouteEntry, OspfRouterEntry, OspfStatusView } from '../../../daemon/northbound/ospf.js';

export const ospfStatus: OspfStatusView = {
  routerId: '10.0.0.1',
  area: '0.0.0.0',
  interfaces: 2,
  neighbors: 3,
  fullNeighbors: 2,
  lsas: 17,
  lsasByType: { router: 4, cpn: 13 },
  routers: 4,
  routes: 9,
  protectedRoutes: 8,
  fastReroute: 'ti-lfa',
  backoff: 'SHORT_WAIT',
  spfFull: 5,
  spfIncremental: 6,
  spfPartial: 7,
  spfLastMs: 0.75,
  spfAgeMs: undefined,
  overloaded: false,
  counters: { packets_received: 18_446_744_073_709_551_615n },
};

export const ospfInterface: OspfInterfaceEntry = {
  name: 'eth1',
  interfaceId: 7,
  network: 'broadcast',
  state: 'DR',
  cost: 10,
  priority: 1,
  area: '0.0.0.0',
  instanceId: 0,
  linkLocal: 'fe80::1',
  mtu: 1500,
  helloIntervalMs: 10_000,
  deadIntervalMs: 40_000,
  designated: '10.0.0.1',
  backup: '0.0.0.0',
  passive: false,
  authenticated: true,
  neighbors: 3,
  adjacencies: 2,
  counters: { hello_sent: 12n },
};

export const ospfNeighbor: OspfNeighborEntry = {
  routerId: '10.0.0.2',
  interface: 'eth1',
  address: 'fe80::2',
  interfaceId: 9,
  priority: 1,
  state: 'Full',
  designated: '10.0.0.1',
  backup: '10.0.0.2',
  options: 0x13,
  deadInMs: 38_000,
  uptimeMs: 61_000,
  retransmissions: 1,
  requests: 0,
  databaseSummaries: 0,
  restarting: true,
  stateChanges: 6,
};

export const ospfLsa: OspfLsaEntry = {
  type: 0xbff0,
  typeName: 'cpn',
  scope: 'area',
  interface: undefined,
  id: 3,
  router: '10.0.0.2',
  sequence: '0x80000002',
  age: 12,
  checksum: 0xab,
  length: 120,
  self: false,
  content: ['service 2001:db8:5e::1', 'instance 1'],
  raw: '000c',
};

export const ospfRouter: OspfRouterEntry = {
  routerId: '10.0.0.3',
  areaBorder: true,
  asBoundary: false,
  cost: 20,
  nextHops: ['fe80::2%eth1'],
  locator: 'fcbb:bb00:3::/48',
  delayUs: 9000,
  bestDelayUs: 3000,
  delaySegments: ['fcbb:bb00:2:100::'],
};

export const ospfRoute: OspfRouteEntry = {
  prefix: 'fcbb:bb00:3::/48',
  type: 'intra',
  cost: 20,
  nextHops: ['fe80::2%eth1'],
  backups: [{ protects: 'eth1', via: 'fe80::4', interface: 'eth2', segments: ['fcbb:bb00:4:100::', 'fcbb:bb00:3:2::'] }],
};

export class FakeOspf implements OspfFacade {
  readonly asked: (string | undefined)[] = [];
  list: OspfNeighborEntry[] = [ospfNeighbor];
  change: ((key: string | undefined) => void) | undefined;
  event: ((event: RouterEvent) => void) | undefined;
  status = (): OspfStatusView => ospfStatus;
  interfaces = (): readonly OspfInterfaceEntry[] => [ospfInterface];
  neighbors = (): readonly OspfNeighborEntry[] => this.list;
  lsas = (type: string | undefined): readonly OspfLsaEntry[] => {
    this.asked.push(type);
    return [ospfLsa];
  };
  routers = (): readonly OspfRouterEntry[] => [ospfRouter];
  routes = (): readonly OspfRouteEntry[] => [ospfRoute];
  onChange = (listener: (key: string | undefined) => void): (() => void) => {
    this.change = listener;
    return () => (this.change = undefined);
  };
  onEvent = (listener: (event: RouterEvent) => void): (() => void) => {
    this.event = listener;
    return () => (this.event = undefined);
  };
}
