/**
 * OSPFv3 of one router: the protocol engine, the route calculation, and what goes between them and the rest of the router.
 *
 *   links, configuration -> engine <-> neighbours        engine -> LSDB changes -> route calculation -> routes with backups -> unicast RIB
 *   own instances -> CPN LSAs -> engine                   LSDB changes -> CPN LSAs of reachable routers -> computing RIB
 *   adjacencies -> End.X SIDs, BFD sessions, link measuring -> TE metrics -> engine
 *   a lost neighbour -> the dataplane switches to the backups, before anything else
 */
import type { LinkState, RouteTable } from '../../dataplane/dataplane.js';
import { Prefix } from '../../dataplane/packet/ip.js';
import type { ComNetPart } from '../awareness/comnet/graph.js';
import type { DiscoveredNeighbour } from '../awareness/link/neighbours.js';
import type { LinkReport } from '../awareness/link/links.js';
import type { BfdHandle, BfdRegistrar, BfdVerdict } from '../bfd/types.js';
import type { Clock, Timer } from '../clock.js';
import type { Config, TransitPath } from '../config/types.js';
import type { EventLog } from '../events.js';
import type { Advertisement } from '../rib/candidate.js';
import type { UnicastRoute } from '../rib/unicast-rib.js';
import type { LocalSid } from '../sids.js';
import { adjacenciesOf } from './adjacencies.js';
import { OspfAdvertiser } from './advertiser.js';
import { areaComNet } from './comnet.js';
import { CpnOrigination, CpnReception, type AdvertisementSink } from './computing.js';
import { delayWays } from './delay-ways.js';
import { OspfEngine } from './engine.js';
import { reportEvent } from './event-text.js';
import { formatId, parseId } from './ids.js';
import type { OspfLink } from './interface.js';
import type { LsdbChange } from './lsdb-changes.js';
import { externalsOf, ribRoute } from './routes.js';
import { SpfEngine } from './spf/engine.js';
import type { ReachabilityChange, RouteDelta, RouterPath, SpfRoute } from './spf/types.js';
import { AdjacencySids, type Adjacency } from './srv6.js';
import type { OspfTransport } from './transport.js';
import type { OspfConfig } from './types.js';
import { LsType, PrefixOptionBit } from './wire/types.js';

export interface OspfParts {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly transport: OspfTransport;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly bfd: BfdRegistrar;
  readonly sids: { set(local: LocalSid): void; remove(sid: string): void };
  /** What an earlier run left in the kernel goes on forwarding: its adjacencies are taken up again. */
  readonly restarting: boolean;
  readonly adjacencies: Pick<RouteTable, 'failAdjacency' | 'restoreAdjacency'>;
  /** Computing state of other routers goes here. */
  readonly computing: AdvertisementSink;
  /** Routes for the unicast RIB: new or changed ones, and prefixes that are gone. */
  routesChanged(routes: readonly UnicastRoute[], removed: readonly string[]): void;
  /** Routes of the unicast RIB, to be announced as external where the configuration says so. */
  ribRoutes(): Iterable<{ readonly route: UnicastRoute; readonly best: boolean }>;
  /** Paths of less delay to these exits (addresses) changed. */
  waysChanged(exits: ReadonlySet<string>): void;
  /** Routers of the area came or went. */
  areaChanged(): void;
  /** Who is behind the links. */
  discovered(neighbours: readonly DiscoveredNeighbour[]): void;
  linkReports(): readonly LinkReport[];
  /** A neighbour (`eth1 10.0.0.2`), or anything, changed: for watchers. */
  changed(key: string | undefined): void;
}

/** How often measured links are looked at, ms. */
const MEASURE_MS = 1000;
/** Routes of the RIB that change within this time are announced together, ms. */
const REDISTRIBUTE_MS = 200;
/** External routes of a router at most: an area is no place for the table of BGP. */
const MAX_EXTERNALS = 10_000;
/** Delay of a link that announces none, us. */
const MISSING_DELAY_US = 10_000;
/** Gains below this are within the error of the measurement, us. */
const LEAST_GAIN_US = 500;
/** After a restart the measurements of the earlier life stand for links that are not measured yet so long, ms. */
const MEASURED_ANEW_MS = 10_000;
/** How often it is looked for whether the routes after a restart are complete, ms. */
const COMPLETE_MS = 20;
/** Longest time that neighbours are asked to bear a restart, s (RFC 3623 appendix B.1). */
const MAX_GRACE_S = 1800;
const MAX_REPAIR_SEGMENTS = 3;
/** With the instance SID behind them policies hold three SIDs. */
const MAX_DELAY_SEGMENTS = 2;

const LOOPBACK = 'lo';
const LINK_LOCAL = Prefix.from('fe80::/10');

export class Ospf {
  readonly engine: OspfEngine;
  readonly spf: SpfEngine;
  private readonly origination: CpnOrigination;
  private readonly reception: CpnReception;
  private readonly advertiser: OspfAdvertiser;
  private readonly adjacencySids: AdjacencySids;
  private readonly ownRouter: number;
  private adjacencies: readonly Adjacency[] = [];
  /** SIDs in the kernel now, by SID. */
  private installed = new Map<string, LocalSid>();
  /** BFD of neighbours, by interface and address, with the profile asked for. */
  /** What BFD said last of each neighbour that it watches. */
  private readonly verdicts = new Map<string, BfdVerdict>();
  private readonly bfd = new Map<string, { readonly profile: string; readonly handle: BfdHandle }>();
  /** Adjacencies that the dataplane was told are lost. */
  private readonly failed = new Set<string>();
  /** Router that announces a host prefix, by address. */
  private hosts: ReadonlyMap<string, number> = new Map();
  private hostsStale = true;
  private ways = new Map<string, readonly TransitPath[] | undefined>();
  private timers = new Map<string, Timer>();
  private stopped = false;
  private hasTooManyExternals = false;
  /** Routes stay as the earlier run left them in the kernel. */
  private holdsRoutes: boolean;
  /** Own measurements are those of the earlier life until then. */
  private measuresUntil = 0;

  constructor(
    private current: Config,
    private readonly parts: OspfParts,
  ) {
    const { clock, transport, random } = parts;
    const ospf = this.config;
    this.ownRouter = parseId(ospf.routerId);
    this.holdsRoutes = parts.restarting;
    const periodSeconds = Math.min(MAX_GRACE_S, Math.max(1, Math.floor(current.cpn.restartTimeMs / 1000)));
    this.engine = new OspfEngine({ config: ospf, clock, transport, random, restart: { periodSeconds, resuming: parts.restarting } });
    this.spf = new SpfEngine({
      routerId: this.ownRouter,
      clock,
      options: {
        maxPaths: ospf.maxPaths,
        fastReroute: ospf.fastReroute,
        maxRepairSegments: MAX_REPAIR_SEGMENTS,
        delay: { missingUs: MISSING_DELAY_US, deadBandUs: LEAST_GAIN_US / 2, deadBandRatio: ospf.delayPaths.gain / 2, gainUs: LEAST_GAIN_US, gainRatio: ospf.delayPaths.gain, maxSegments: MAX_DELAY_SEGMENTS },
        timers: ospf.spf,
      },
    });
    const refused = (service: string, reason: string): void => parts.events.emit('ospf', 'ospf.not-announced', 'warning', `${service} is not announced: ${reason}`);
    this.origination = new CpnOrigination(ospf.cpnLsType, this.engine, refused);
    this.reception = new CpnReception(this.ownRouter, parts.computing, (router) => this.spf.isReachable(router), ({ key, reason }) =>
      parts.events.emit('ospf', 'ospf.cpn-ignored', 'warning', `CPN LSA ${key.id} of ${formatId(key.router)}: ${reason}`, { router: formatId(key.router), id: key.id }),
    );
    this.advertiser = new OspfAdvertiser(() => this.current, this.engine);
    this.adjacencySids = new AdjacencySids(this.current.router);
  }

  get config(): OspfConfig {
    return this.current.ospf!;
  }

  start(): void {
    const { engine, spf, parts } = this;
    engine.onEvent((event) => {
      reportEvent(event, parts.events);
      if (event.kind === 'interface-state' || event.kind === 'neighbor-state') this.refresh();
      if (event.kind === 'restart-over') this.restartOver();
      if (event.kind === 'neighbor-state') parts.changed(`${event.interface} ${event.routerId}`);
    });
    engine.onNeighbor({
      lost: ({ interface: name, address }) => this.adjacencyLost(name, address),
      full: ({ interface: name, address }) => this.adjacencyFull(name, address),
    });
    engine.onLsdbChange((changes) => this.lsdbChanged(changes));
    spf.onRoutes((delta) => this.routesChanged(delta));
    spf.onReachability((changes) => this.reachabilityChanged(changes));
    spf.onPaths(() => this.pathsChanged());
    this.announceRouter();
    engine.start();
    this.measure();
  }

  /** `keepForwarding`: neighbours keep what they know of this router until it is back. */
  stop(keepForwarding: boolean): void {
    this.stopped = true;
    for (const timer of this.timers.values()) timer.cancel();
    for (const { handle } of this.bfd.values()) handle.unregister();
    this.engine.stop({ keepForwarding });
    this.spf.stop();
  }

  /** Interfaces as the kernel has them. */
  setLinks(links: readonly LinkState[]): void {
    const present = new Set(links.map(({ name }) => name));
    for (const { name } of this.config.interfaces) if (!present.has(name)) this.engine.setLink(name, undefined);
    for (const link of links) this.engine.setLink(link.name, ospfLink(link));
    this.refresh();
  }

  /** Takes over what the configuration can change at run time. */
  reconfigure(config: Config): void {
    this.current = config;
    this.engine.reconfigure(this.config);
    this.announceRouter();
    this.restoreForeign();
    this.refresh();
    this.ribChanged();
  }

  /** Own instances as they are to be announced; without instances a service is withdrawn. */
  announce(advertisements: readonly Advertisement[]): void {
    if (this.config.computing) this.origination.announce(advertisements);
  }

  /** Routes of the unicast RIB changed. */
  ribChanged(): void {
    if (this.config.redistribute.length === 0 && this.engine.status().externals === 0) return;
    this.later('redistribute', REDISTRIBUTE_MS, () => {
      const { router, cpn, ospf } = this.current;
      const inside = [...cpn.servicePrefixes, router.locator, `${router.loopback}/128`].map((text) => Prefix.from(text));
      const found = externalsOf(this.parts.ribRoutes(), ospf!.redistribute, inside);
      this.engine.setExternals(found.slice(0, MAX_EXTERNALS));
      this.tellOfExternals(found.length);
    });
  }

  /** Ways to an exit in order of preference where a path other than that of least cost is faster; the same list until it changes. */
  waysTo(exit: string): readonly TransitPath[] | undefined {
    if (!this.ways.has(exit)) this.ways.set(exit, this.findWays(exit));
    return this.ways.get(exit);
  }

  /** How the router that an address belongs to is reached; undefined: none of the area announces it. */
  pathTo(address: string): RouterPath | undefined {
    const router = this.routerOf(address);
    return router === undefined ? undefined : this.spf.routerPath(router);
  }

  /** Whether a reachable router of the area announces this address as its own. */
  isInArea(address: string): boolean {
    const router = this.routerOf(address);
    return router !== undefined && router !== this.ownRouter && this.spf.isReachable(router);
  }

  /** The area's routes are known as far as neighbours bring them: nobody is between Init and Full, and SPF ran since. */
  get isConverged(): boolean {
    const interfaces = this.engine.interfaceViews().filter(({ passive, state }) => !passive && state !== 'Down' && state !== 'Loopback');
    const neighbors = this.engine.neighborViews();
    if (this.holdsRoutes) return false;
    if (interfaces.some(({ name, state }) => state === 'Waiting' || !neighbors.some((neighbor) => neighbor.interface === name))) return false;
    if (neighbors.some(({ state }) => state === 'Init' || state === 'ExStart' || state === 'Exchange' || state === 'Loading')) return false;
    return this.adjacencies.length === 0 || (this.spf.statistics().last !== undefined && this.spf.statistics().backoff === 'QUIET');
  }

  /** Once each time that there come to be too many. */
  private tellOfExternals(count: number): void {
    const tooMany = count > MAX_EXTERNALS;
    if (tooMany && !this.hasTooManyExternals) {
      this.parts.events.emit('ospf', 'ospf.externals-limited', 'warning', `${count} routes are to be redistributed: ${MAX_EXTERNALS} of them are announced (ospf.redistribute takes prefixes)`, { routes: count });
    }
    this.hasTooManyExternals = tooMany;
  }

  private findWays(exit: string): readonly TransitPath[] | undefined {
    if (!this.config.delayPaths.enabled) return undefined;
    return delayWays(this.pathTo(exit), this.ownRouter, (router) => this.spf.sidsOf(router));
  }

  private routerOf(address: string): number | undefined {
    return this.hostRouters().get(address);
  }

  private hostRouters(): ReadonlyMap<string, number> {
    if (this.hostsStale) {
      this.hostsStale = false;
      this.hosts = new Map(
        [...this.engine.lsas({ type: LsType.intraAreaPrefix })].flatMap(({ header, body }) =>
          body.kind === 'intraAreaPrefix' ? body.prefixes.filter(({ prefix }) => prefix.length === 128).map(({ prefix }) => [prefix.address, header.router] as const) : [],
        ),
      );
    }
    return this.hosts;
  }

  private announceRouter(): void {
    const { router } = this.current;
    this.engine.setStubPrefixes([
      { prefix: Prefix.host(router.loopback), options: PrefixOptionBit.la | PrefixOptionBit.n, metric: 0 },
      { prefix: Prefix.from(router.locator), options: 0, metric: 0 },
    ]);
    this.advertiser.announceRouter();
  }

  private adjacencyLost(name: string, address: string): void {
    this.failed.add(`${name} ${address}`);
    this.parts.adjacencies.failAdjacency(name, address);
  }

  /** Interfaces that run OSPF no more are no concern of it: others may route over them. */
  private restoreForeign(): void {
    const own = new Set(this.config.interfaces.map(({ name }) => name));
    for (const key of [...this.failed]) {
      const [name = '', address = ''] = key.split(' ');
      if (!own.has(name)) this.adjacencyFull(name, address);
    }
  }

  private adjacencyFull(name: string, address: string): void {
    if (this.failed.delete(`${name} ${address}`)) this.parts.adjacencies.restoreAdjacency(name, address);
  }

  /** Looks at the adjacencies anew, once a turn. */
  private refresh(): void {
    this.later('refresh', 0, () => {
      this.adjacencies = adjacenciesOf(this.config.routerId, this.engine.interfaceViews(), this.engine.neighborViews());
      this.spf.setInterfaces(this.spfInterfaces());
      this.watchNeighbors();
      const sids = this.adjacencySids.assign(this.adjacencies);
      this.installSids(sids);
      this.advertiser.announceAdjacencies(this.adjacencies, sids);
      this.parts.discovered(this.adjacencies.map(({ interface: name, address }) => ({ interface: name, neighbour: address })));
    });
  }

  private spfInterfaces(): Parameters<SpfEngine['setInterfaces']>[0] {
    const neighbors = this.engine.neighborViews();
    return this.engine.interfaceViews().map(({ name, interfaceId }) => ({
      name,
      interfaceId,
      neighbors: neighbors
        .filter((neighbor) => neighbor.interface === name)
        .map(({ routerId, interfaceId: neighborInterface, address }) => ({ routerId: parseId(routerId), interfaceId: neighborInterface, address })),
    }));
  }

  private installSids(sids: readonly (LocalSid | undefined)[]): void {
    const wanted = new Map(sids.flatMap((local) => (local ? [[local.sid, local] as const] : [])));
    for (const sid of this.installed.keys()) if (!wanted.has(sid)) this.parts.sids.remove(sid);
    for (const [sid, local] of wanted) if (JSON.stringify(this.installed.get(sid)) !== JSON.stringify(local)) this.parts.sids.set(local);
    this.installed = wanted;
  }

  /** The links of the area, as far as they are not this router's own. */
  comnet(): ComNetPart {
    const loopbacks = this.loopbacks();
    return areaComNet({
      own: this.ownRouter,
      isReachable: (router) => this.spf.isReachable(router),
      loopbackOf: (router) => (router === this.ownRouter ? this.current.router.loopback : loopbacks.get(router)),
      lsas: (type) => this.engine.lsas({ type }),
    });
  }

  /** What the router behind an address on a link of ours goes by: its loopback, or its router ID where it announces none. Undefined: no neighbour is Full there. */
  neighborName(name: string, address: string): string | undefined {
    const adjacency = this.adjacencies.find((one) => one.interface === name && one.address === address);
    return adjacency && (this.loopbacks().get(adjacency.neighborRouterId) ?? formatId(adjacency.neighborRouterId));
  }

  /** Addresses by which routers go: of the Router Address TLV (RFC 5329 section 3), else the lowest host prefix. */
  private loopbacks(): Map<number, string> {
    const found = new Map<number, string>();
    for (const { header, body } of this.engine.lsas({ type: LsType.intraAreaTe })) if (body.kind === 'intraAreaTe' && body.routerAddress !== undefined) found.set(header.router, body.routerAddress);
    for (const [address, router] of [...this.hostRouters()].sort(([a], [b]) => (a < b ? -1 : 1))) if (!found.has(router)) found.set(router, address);
    return found;
  }

  /** SIDs of the adjacencies. */
  get sids(): Iterable<LocalSid> {
    return this.installed.values();
  }

  /** BFD for neighbours that are Full (RFC 5882 section 4.4). */
  private watchNeighbors(): void {
    const wanted = new Set<string>();
    const own = new Map(this.engine.interfaceViews().map(({ name, linkLocal }) => [name, linkLocal]));
    for (const { interface: name, address, neighborRouterId } of this.adjacencies) {
      const profile = this.config.interfaces.find((entry) => entry.name === name)?.bfd;
      if (profile === undefined) continue;
      const key = `${name} ${address}`;
      wanted.add(key);
      const before = this.bfd.get(key);
      if (before?.profile === profile) continue;
      const handle = this.parts.bfd.register({ client: 'ospf', peer: address, interface: name, localAddress: own.get(name), multihop: false, profile }, (verdict) => {
        this.verdicts.set(key, verdict);
        if (verdict === 'down' && !this.stopped) this.engine.neighborDown(name, formatId(neighborRouterId), 'BFD says that it is down');
      });
      this.bfd.set(key, { profile, handle });
      // After the other came: a session without clients would say goodbye to the peer.
      before?.handle.unregister();
    }
    for (const [key, { handle }] of this.bfd) {
      if (wanted.has(key)) continue;
      handle.unregister();
      this.bfd.delete(key);
      this.verdicts.delete(key);
    }
  }

  /** Full neighbours (`eth1 fe80::1`) that BFD is to watch and does not. */
  unwatched(): string[] {
    return [...this.bfd.keys()].filter((key) => this.verdicts.get(key) !== 'up');
  }

  private measure(): void {
    const now = this.parts.clock.now();
    const keepsOld = this.engine.isRestarting || now < this.measuresUntil;
    const reports = this.parts.linkReports();
    this.advertiser.announceLinks(this.adjacencies, keepsOld ? reports.filter(({ measurement }) => measurement?.answers === true) : reports, now);
    this.later('measure', MEASURE_MS, () => this.measure());
  }

  private lsdbChanged(changes: readonly LsdbChange[]): void {
    const { cpnLsType, computing } = this.config;
    this.spf.lsdbChanged(changes);
    if (changes.some(({ key, changed }) => changed && key.type === LsType.intraAreaPrefix)) this.hostsStale = true;
    const cpn = changes.filter(({ key, changed }) => changed && key.type === cpnLsType);
    if (computing && cpn.length > 0) this.reception.lsasChanged(cpn.map(({ key, after }) => ({ key, lsa: after })));
    this.parts.changed(undefined);
  }

  /** The kernel forwards by the routes of the earlier run until all those of this one are there. */
  private restartOver(): void {
    this.measuresUntil = this.parts.clock.now() + MEASURED_ANEW_MS;
    this.refresh();
    this.later('complete', COMPLETE_MS, () => this.completeRoutes());
  }

  private completeRoutes(): void {
    if (!this.spf.isSettled) {
      this.later('complete', COMPLETE_MS, () => this.completeRoutes());
      return;
    }
    this.holdsRoutes = false;
    this.routesChanged({ added: [...this.spf.routes()], changed: [], removed: [] });
  }

  private routesChanged({ added, changed, removed }: RouteDelta): void {
    if (this.holdsRoutes) return;
    const routes: UnicastRoute[] = [];
    const gone = [...removed];
    for (const route of [...added, ...changed]) {
      const entry = this.ribRouteOf(route);
      if (entry) routes.push(entry);
      else gone.push(route.prefix);
    }
    this.parts.routesChanged(routes, gone);
  }

  private ribRouteOf(route: SpfRoute): UnicastRoute | undefined {
    const own = Prefix.from(this.current.router.locator);
    return own.contains(Prefix.from(route.prefix)) ? undefined : ribRoute(route, this.config.fastReroute);
  }

  private reachabilityChanged(changes: readonly ReachabilityChange[]): void {
    for (const { routerId, reachable } of changes) {
      const router = formatId(routerId);
      this.parts.events.emit('ospf', reachable ? 'ospf.router-reachable' : 'ospf.router-lost', 'info', `router ${router} is ${reachable ? 'reachable' : 'reachable no more'}`, { router });
    }
    if (this.config.computing) this.reception.reachabilityChanged(changes);
    this.parts.areaChanged();
  }

  private pathsChanged(): void {
    const exits = new Set<string>();
    for (const [exit, before] of this.ways) {
      const after = this.findWays(exit);
      if (JSON.stringify(after) === JSON.stringify(before)) continue;
      this.ways.set(exit, after);
      exits.add(exit);
    }
    if (exits.size > 0) this.parts.waysChanged(exits);
  }

  /** Runs `work` after `ms`, once however often it is asked for meanwhile. */
  private later(name: string, ms: number, work: () => void): void {
    if (this.stopped || this.timers.has(name)) return;
    this.timers.set(
      name,
      this.parts.clock.setTimeout(() => {
        this.timers.delete(name);
        work();
      }, ms),
    );
  }
}

function ospfLink({ name, index, up, mtu, addresses }: LinkState): OspfLink {
  const prefixes = addresses.filter((text) => text.includes(':')).map((text) => ({ text, prefix: Prefix.from(text) }));
  const linkLocal = prefixes.find(({ prefix }) => LINK_LOCAL.contains(prefix));
  const loopback = name === LOOPBACK;
  return {
    name,
    index,
    up,
    mtu,
    linkLocal: linkLocal?.text.slice(0, linkLocal.text.indexOf('/')),
    prefixes: prefixes.filter(({ prefix }) => !LINK_LOCAL.contains(prefix)).map(({ text, prefix }) => (loopback ? Prefix.host(text.slice(0, text.indexOf('/'))) : prefix)),
    loopback,
  };
}
