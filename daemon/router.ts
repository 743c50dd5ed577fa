/**
 * One router: builds the parts from a configuration and wires them. The only file that knows them all.
 *
 *   links, static, BGP -> unicast RIB -> kernel routes          BGP service routes, own instances -> computing RIB -> steering -> policies
 *   STAMP, unicast RIB -> path state of every exit -> steering  own instances -> BGP announcements
 */
import { randomInt } from 'node:crypto';
import type { Dataplane, DataplaneOptions } from '../dataplane/dataplane.js';
import { Prefix } from '../dataplane/packet/ip.js';
import { ComNet } from './awareness/comnet/comnet.js';
import type { ComNetPart } from './awareness/comnet/graph.js';
import { ownComNet } from './awareness/comnet/own-view.js';
import { ExitWays } from './awareness/exit-ways.js';
import { healthChecks } from './awareness/health/start.js';
import { LocalInstances } from './awareness/instances.js';
import { LinkAwareness } from './awareness/link/links.js';
import { PathMonitor } from './awareness/path-monitor.js';
import { AnnouncementSequence } from './awareness/sequence.js';
import { StampService, type StampSettings } from './awareness/stamp/service.js';
import { wayName } from './awareness/stamp/way.js';
import { BfdProcess } from './bfd/process.js';
import { BgpSpeaker } from './bgp/speaker.js';
import type { Clock, Timer } from './clock.js';
import { ComputingExchange } from './computing-exchange.js';
import type { SidInfo } from './computing/types.js';
import { Demand } from './demand.js';
import { diffConfig } from './config/diff.js';
import { formatConfigErrors } from './config/errors.js';
import { parseConfig } from './config/load.js';
import type { Config } from './config/types.js';
import { EventLog } from './events.js';
import type { Logger } from './log.js';
import { ChangeHub } from './changes.js';
import type { ConfigAnswer } from './northbound/facade.js';
import { NorthboundServer } from './northbound/server.js';
import { Hierarchy, type HierarchySettings } from './hierarchy/hierarchy.js';
import { SIDES, type Side } from './hierarchy/sides.js';
import type { Ospf } from './ospf/ospf.js';
import { RawTransport } from './ospf/raw-transport.js';
import type { OspfTransport } from './ospf/transport.js';
import type { Advertisement, Candidate, PathState } from './rib/candidate.js';
import { ComputingRib } from './rib/computing-rib.js';
import { Registration } from './registration.js';
import { Telemetry } from './telemetry.js';
import { FacadeOverRouter, routerCounters } from './router-facade.js';
import { makeOspf, ospfFacade, withOspfDelay } from './router-ospf.js';
import type { RouterParts } from './router-parts.js';
import { SidRoutes } from './sid-routes.js';
import { aggregateSid, aggregateSids, localSids, OPAQUE } from './sids.js';
import { BlockPool, FlowSpaces } from './steering/flow-spaces.js';
import { MAX_BLOCKS } from './steering/policies.js';
import { Steering, type SteeringConfig } from './steering/steering.js';
import { UnicastRouting } from './unicast.js';

export interface RouterOptions {
  readonly config: Config;
  /** Read again by reload. */
  readonly configFile: string;
  readonly dataplane: Dataplane;
  readonly clock: Clock;
  readonly log: Logger & { setLevel?(level: string): void };
  /** Clock of the dataplane's time stamps, ns. */
  readonly nowNs: () => bigint;
  /** Raw sockets by default. */
  readonly ospfTransport?: OspfTransport;
}

/** Until the route to an exit was looked up. */
const UNKNOWN_PATH: PathState = { rttUs: undefined, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 0, resolved: false };

/** Outer packets that pass a border have their MTU from the kernel's routes: no limit of ours, octets. */
const BORDER_MTU = 65_535;

/** How long a restarted router waits for the tables of all neighbors before it selects routes, ms (RFC 4724 section 4.1). */
const SELECTION_DEFERRAL_MS = 30_000;
/** How often the end of a restart is looked for, ms. */
const RESTART_CHECK_MS = 500;

export class Router implements RouterParts {
  readonly startedAt: number;
  readonly events: EventLog;
  readonly changes = new ChangeHub();
  readonly unicast: UnicastRouting;
  readonly computingRib: ComputingRib;
  readonly steering: Steering;
  readonly borders: Readonly<Record<Side, Steering>>;
  readonly hierarchy: Hierarchy;
  readonly instances: LocalInstances;
  readonly paths: PathMonitor;
  readonly comnet = new ComNet();
  readonly bfd: BfdProcess;
  readonly bgp: BgpSpeaker | undefined;
  readonly ospf: Ospf | undefined;
  readonly stamp: StampService | undefined;
  readonly registration: Registration | undefined;
  private readonly telemetry: Telemetry;
  private readonly demand: Demand;

  private readonly exchange: ComputingExchange;
  private current: Config;
  private northbound: NorthboundServer | undefined;
  private restartTimer: Timer | undefined;
  private areaTimer: Timer | undefined;
  private readonly sidRoutes: SidRoutes;
  /** SIDs of the configuration. */
  private ownSids: ReadonlySet<string> = new Set();
  private readonly ways: ExitWays;
  private readonly links: LinkAwareness;
  private reloading: Promise<unknown> = Promise.resolve();
  private stopped = false;

  /** Builds a router and starts it. Rejects when a part cannot start; what stands in the kernel stays, so that an earlier run's flows go on. */
  static async start(options: RouterOptions): Promise<Router> {
    await NorthboundServer.claim(options.config.api.listen);
    // The steering adopts what the dataplane holds, so that has to be open first.
    await options.dataplane.open(dataplaneOptions(options.config));
    const router = new Router(options);
    try {
      await router.run();
    } catch (error) {
      await router.stop(true);
      throw error;
    }
    return router;
  }

  private constructor(private readonly options: RouterOptions) {
    const { config, clock, log, dataplane } = options;
    // Before anything is declared: what stands in the kernel then is an earlier run's.
    const restarting = dataplane.routes.staleCount() > 0 || dataplane.flows.adoptedBlocks().length > 0;
    this.current = config;
    this.startedAt = clock.now();
    this.events = new EventLog(clock);
    this.events.subscribe(({ severity, text, type, fields }) => log[severity === 'warning' ? 'warn' : severity](text, { event: type, ...fields }));
    this.unicast = new UnicastRouting(config.cpn.servicePrefixes, dataplane.routes, () => this.routesChanged());
    this.sidRoutes = new SidRoutes(dataplane.routes);
    this.computingRib = new ComputingRib({ clock, log, ownExit: config.router.loopback, isInside: (exit) => this.isInside(exit) });
    this.stamp = this.makeStamp(config);
    this.paths = new PathMonitor(
      { ownExit: config.router.loopback, cost: (address) => this.unicast.rib.resolve(address)?.cost },
      dataplane.routes,
      this.stamp,
      clock,
      this.events,
    );
    this.paths.onChange(({ exit }) => {
      const reports = this.steerings().map((steering) => steering.onPathChange([exit]));
      const sum = (field: 'writes' | 'movedPolicies' | 'movedFlows'): number => reports.reduce((total, report) => total + report[field], 0);
      this.changes.notify('rib', undefined);
      return { replannedPolicies: sum('writes') - sum('movedPolicies'), movedPolicies: sum('movedPolicies'), movedFlows: sum('movedFlows') };
    });
    this.ways = new ExitWays(
      (service) => this.computingRib.candidates(service),
      (ways) => this.paths.setWays(ways),
      (exit) => this.ospf?.waysTo(exit),
    );
    this.ways.configure(config.cpn.services);
    this.links = new LinkAwareness(config, dataplane, clock, (error) => this.events.emit('awareness', 'link.error', 'warning', `a link cannot be measured: ${String(error)}`));
    this.comnet.addSource(() => this.ownComNet());
    this.comnet.addSource(() => this.ospf?.comnet() ?? { nodes: [], edges: [] });
    this.demand = new Demand(clock, this.events, (service) => this.computingRib.candidates(service), (service) => this.demandChanged(service));
    const shared = {
      clock,
      log,
      blocks: new BlockPool(MAX_BLOCKS),
      sidResolves: (sid: string) => this.sidResolves(sid),
      discoveredWays: (exit: string) => this.ospf?.waysTo(exit),
      estimateDemand: this.demand.estimate,
      onDemand: (service: string) => this.registration?.registry.activation.demand(service),
      seed: randomInt(0, 0xffff_ffff),
    };
    const spaces = new FlowSpaces(dataplane.flows);
    const pathState = (exit: string, transit: readonly string[]): PathState => withOspfDelay(this.paths.get(exit, transit) ?? UNKNOWN_PATH, this.ospf, exit, transit);
    this.steering = new Steering({ ...shared, rib: this.computingRib, flows: spaces.of('entry'), config: steeringConfig(config), pathState });
    const border = (side: Side): Steering =>
      new Steering({
        ...shared,
        rib: { candidates: (service) => this.choices(side, service) },
        flows: spaces.of(side),
        config: borderConfig(config, side),
        // The kernel says what is too big: the packet is encapsulated already.
        pathState: (exit, transit) => ({ ...pathState(exit, transit), mtu: BORDER_MTU }),
      });
    this.borders = { outward: border('outward'), inward: border('inward') };
    const sequence = new AnnouncementSequence(clock);
    this.hierarchy = new Hierarchy(
      {
        clock,
        sequence,
        exit: config.router.loopback,
        rib: this.computingRib,
        bgp: (advertisements) => this.exchange.announceServices(advertisements),
        ospf: (advertisements) => this.ospf?.announce(advertisements),
      },
      hierarchySettings(config),
    );
    const announce = (advertisements: readonly Advertisement[]): void => {
      this.exchange.ownInstancesChanged(advertisements);
      this.hierarchy.localAnnounced(this.registration?.dormant.withDormant(advertisements) ?? advertisements);
    };
    this.instances = new LocalInstances(instancesConfig(config), clock, healthChecks(clock), this.events, announce, sequence);
    this.registration = config.registration && new Registration(
      {
        config: () => this.current,
        clock,
        events: this.events,
        instances: this.instances,
        dataplane,
        sidRoutes: this.sidRoutes,
        addRun: (run) => this.demand.store.add(run),
        sequence,
        announce: (dormant) => this.hierarchy.localAnnounced(dormant),
      },
      config.registration,
    );
    this.bfd = new BfdProcess({ clock, config: config.bfd, report: ({ type, severity, text, fields }) => this.events.emit('bfd', `bfd.${type}`, severity, text, fields) });
    this.bgp =
      config.bgp &&
      new BgpSpeaker({
        config: config.bgp,
        router: config.router,
        servicePrefixes: config.cpn.servicePrefixes,
        attributeType: config.cpn.attributeType,
        clock,
        bfd: this.bfd,
        resolveNextHop: (address) => {
          const found = this.unicast.rib.resolve(address);
          return found && { cost: found.cost };
        },
        restartTimeMs: config.cpn.restartTimeMs,
        restarting,
        selectionDeferralMs: this.selectionDeferralMs,
        awaitsOwnRoutes: true,
      });
    this.exchange = new ComputingExchange(this.computingRib, this.bgp, (prefix) => this.unicast.rib.has(prefix));
    this.exchange.configure(config);
    this.ospf = makeOspf({
      parts: this,
      transport: options.ospfTransport ?? new RawTransport(),
      links: this.links,
      sids: this.sidRoutes,
      computing: this.computingRib,
      restarting,
      waysChanged: (exits) => this.waysChanged(exits),
      areaChanged: () => this.computingRib.insideChanged(),
    });
    this.telemetry = new Telemetry(this, () => routerCounters(this), this.ospf && ospfFacade(this));
  }

  private async run(): Promise<void> {
    const { config, clock, dataplane } = this.options;
    this.computingRib.onChange((services) => this.servicesChanged(services));
    this.computingRib.onOwnSequence((sequence) => {
      if (!this.instances.seen(sequence)) return;
      this.hierarchy.renewAll();
      this.registration?.dormant.renewAll();
    });
    for (const steering of this.steerings()) steering.start();
    await this.applyAddresses(config);
    dataplane.onLinks((links) => {
      this.unicast.setLinks(links);
      this.links.linksChanged();
      this.ospf?.setLinks(links);
    });
    this.unicast.setLinks(dataplane.links());
    this.unicast.setConfig(config);
    this.applySids();
    await dataplane.routes.settled();
    this.links.start();
    // The end of the sessions in stop() says nothing of the network: routes and flows are kept or taken away as a whole then.
    this.bgp?.onUnicastRoutes((changes) => {
      if (!this.stopped) this.unicast.bgpChanged(changes);
    });
    this.bgp?.onServiceRoutes((changes) => {
      if (!this.stopped) this.exchange.serviceRoutesChanged(changes);
    });
    this.bgp?.onEvent(({ peer, kind, text, raw }) => {
      const fields = { peer, ...(raw === undefined ? {} : { raw }) };
      this.events.emit('bgp', `bgp.${kind}`, kind === 'state' ? 'info' : 'warning', peer === '' ? text : `${peer}: ${text}`, fields);
      this.changes.notify('bgp', peer === '' ? undefined : peer);
    });
    this.instances.onFirstVerdicts(() => this.waitForArea(clock.now() + this.selectionDeferralMs));
    this.instances.start();
    if (config.registration) await this.registration?.start(config.registration);
    this.telemetry.configure(config.telemetry);
    this.demand.readFiles(config.cpn.model.runs);
    this.ospf?.setLinks(dataplane.links());
    this.ospf?.start();
    this.bgp?.start();
    this.northbound = await NorthboundServer.start(new FacadeOverRouter(this, this.telemetry, this.demand, ospfFacade(this)), {
      listen: config.api.listen,
      clock,
      onFault: (error) => this.options.log.error('the API failed', { error }),
    });
    this.waitForRestartEnd(clock.now() + config.cpn.restartTimeMs);
    for (const note of dataplane.capabilities().notes) this.events.emit('dataplane', 'dataplane.note', 'warning', note);
  }

  /** Stops. `keepForwarding` leaves everything in the kernel for the next run; otherwise all that is ours goes. */
  async stop(keepForwarding: boolean): Promise<void> {
    this.stopped = true;
    this.restartTimer?.cancel();
    this.areaTimer?.cancel();
    this.northbound?.close();
    this.registration?.stop(keepForwarding);
    this.instances.stop();
    this.paths.stop();
    this.links.stop();
    this.stamp?.close();
    this.ospf?.stop(keepForwarding);
    this.bgp?.stop({ graceful: keepForwarding });
    // Each session says that it is switched off: peers must not take the end of this process for that of the way.
    await this.bfd.close();
    await this.telemetry.stop();
    this.demand.store.stop();
    this.hierarchy.stop();
    for (const steering of this.steerings()) steering.stop();
    this.computingRib.close();
    if (keepForwarding) await this.options.dataplane.close();
    else await this.options.dataplane.remove();
  }

  config = (): Config => this.current;

  get configFile(): string {
    return this.options.configFile;
  }
  get clock(): Clock {
    return this.options.clock;
  }
  get nowNs(): () => bigint {
    return this.options.nowNs;
  }
  get dataplane(): Dataplane {
    return this.options.dataplane;
  }

  /** Takes over a configuration text, one after another; a bad one changes nothing. */
  reload(text: string): Promise<ConfigAnswer> {
    const next = this.reloading.then(() => this.takeOver(text));
    this.reloading = next.catch(() => undefined);
    return next;
  }

  private async takeOver(text: string): Promise<ConfigAnswer> {
    const result = parseConfig(text, this.configFile);
    if (!result.ok) return this.refuse(result.errors);
    const before = this.current;
    const changes = diffConfig(before, result.config);
    const fixed = changes.filter(({ effect }) => effect === 'restart');
    if (fixed.length > 0) {
      const problems = fixed.map(({ field, before: running, after }) => ({
        file: this.configFile,
        line: 1,
        column: 1,
        field,
        expected: `${running ?? 'nothing'} as long as cpnd runs (only a restart takes a change over)`,
        found: after ?? 'nothing',
      }));
      return this.refuse(problems, result.warnings, changes);
    }
    try {
      await this.apply(result.config, before);
    } catch (error) {
      return this.fallBack(before, result.config, error);
    }
    this.events.emit('config', 'config.reloaded', 'info', `${this.configFile} taken over: ${changes.length} changes`);
    return { ok: true, problems: [], warnings: result.warnings, changes };
  }

  /** The kernel refused a part of a configuration: the running one is put back. */
  private async fallBack(running: Config, refused: Config, error: unknown): Promise<ConfigAnswer> {
    const reason = error instanceof Error ? error.message : String(error);
    this.events.emit('config', 'config.failed', 'error', `${this.configFile} could not be taken over: ${reason}`);
    try {
      await this.apply(running, refused);
    } catch (again) {
      this.events.emit('config', 'config.failed', 'error', `the running configuration could not be put back: ${String(again)}`);
    }
    return { ok: false, problems: [{ file: this.configFile, line: 1, column: 1, field: '', expected: 'a configuration the kernel takes', found: reason }], warnings: [], changes: [] };
  }

  private async apply(config: Config, before: Config): Promise<void> {
    this.current = config;
    this.options.log.setLevel?.(config.log.level);
    await this.dataplane.reconfigure(dataplaneOptions(config));
    await this.applyAddresses(config, before);
    this.unicast.setConfig(config);
    this.applySids();
    this.stamp?.reconfigure(stampSettings(config));
    // Frees the numbers that the configuration gives to instances of its own.
    this.registration?.configure(config);
    this.links.reconfigure(config);
    this.instances.configure(instancesConfig(config));
    this.ways.configure(config.cpn.services);
    this.computingRib.insideChanged();
    this.hierarchy.configure(hierarchySettings(config));
    this.steering.reconfigure(steeringConfig(config));
    for (const side of SIDES) {
      this.borders[side].reconfigure(borderConfig(config, side));
      this.borders[side].onRibChange(this.computingRib.services());
    }
    this.bfd.configure(config.bfd);
    this.ospf?.reconfigure(config);
    if (config.bgp) this.bgp?.reconfigure(config.bgp);
    this.exchange.configure(config);
    this.telemetry.configure(config.telemetry);
    this.demand.readFiles(config.cpn.model.runs);
  }

  /** Whoever sent a signal has the log alone to read what is wrong. */
  private refuse(problems: ConfigAnswer['problems'], warnings: ConfigAnswer['warnings'] = [], changes: ConfigAnswer['changes'] = []): ConfigAnswer {
    this.events.emit('config', 'config.refused', 'warning', `${this.configFile} is not taken over: ${formatConfigErrors(problems)}`);
    return { ok: false, problems, warnings, changes };
  }

  private async applyAddresses(config: Config, before?: Config): Promise<void> {
    const names = new Set([...Object.keys(before?.interfaces ?? {}), ...Object.keys(config.interfaces)]);
    for (const name of names) {
      const addresses = config.interfaces[name]?.addresses ?? [];
      if (addresses.length > 0 || (before?.interfaces[name]?.addresses.length ?? 0) > 0) await this.dataplane.setAddresses(name, addresses);
    }
  }

  private applySids(): void {
    const wanted = new Map(localSids(this.current).map((local) => [local.sid, local]));
    for (const sid of this.ownSids) if (!wanted.has(sid)) this.sidRoutes.remove(sid);
    for (const local of wanted.values()) this.sidRoutes.set(local);
    this.ownSids = new Set(wanted.keys());
  }

  private makeStamp(config: Config): StampService | undefined {
    const { enabled, port } = config.cpn.stamp;
    if (!enabled) return undefined;
    return new StampService(
      { address: config.router.loopback, port, ...stampSettings(config) },
      {
        onAlive: (way, alive, outage) => this.paths.aliveChanged(way, alive, outage),
        onMeasured: (way) => this.paths.measured(way),
        onError: (error) => this.events.emit('awareness', 'stamp.error', 'warning', `STAMP: ${String(error)}`),
      },
      this.clock,
    );
  }

  private ownComNet(): ComNetPart {
    const ways = [...this.paths.list()].map((report) => ({ ...report, detail: this.stamp?.detail(wayName(report.way.exit, report.way.transit)) }));
    const candidates = [...this.computingRib.services()].flatMap((service) => this.computingRib.candidates(service));
    const links = this.links.report().map((link) => ({ ...link, neighbour: link.neighbour && (this.ospf?.neighborName(link.interface, link.neighbour) ?? link.neighbour) }));
    return ownComNet({ router: this.current.router, links, ways, candidates });
  }

  /** Prepared choices may rest on an older model. */
  private demandChanged(service: string): void {
    for (const steering of this.steerings()) steering.serviceState(service)?.invalidate();
  }

  /** What the aggregate SID of a side chooses among: as border what lies on that side, else own instances of services that first packets activate. */
  private choices(side: Side, service: string): readonly Candidate[] {
    const choices = this.hierarchy.choices(side, service);
    if (choices.length > 0 || side !== 'outward' || !this.registration?.registry.activation.offersOnDemand(service)) return choices;
    return this.computingRib.candidates(service).filter(({ source }) => source === 'local');
  }

  private steerings(): readonly Steering[] {
    return [this.steering, this.borders.outward, this.borders.inward];
  }

  private isInside(exit: string): boolean {
    if (this.ospf?.isInArea(exit) === true) return true;
    const address = Prefix.host(exit);
    return this.current.hierarchy?.inside.some((prefix) => Prefix.from(prefix).contains(address)) ?? false;
  }

  /** Whether packets to a SID leave by a real route: wire.md section 5 refuses the default route. Own SIDs are here. */
  private sidResolves(sid: string): boolean {
    if (Prefix.from(this.current.router.locator).contains(Prefix.host(sid))) return true;
    const found = this.unicast.rib.resolve(sid);
    return found !== undefined && !found.viaDefault;
  }

  private routesChanged(): void {
    this.paths.refresh();
    this.ospf?.ribChanged();
    this.exchange.announceNetworks(this.current);
    this.bgp?.nextHopsChanged();
  }

  private servicesChanged(services: ReadonlySet<string>): void {
    this.ways.track(services);
    for (const steering of this.steerings()) steering.onRibChange(services);
    this.hierarchy.servicesChanged(services);
    for (const service of services) this.changes.notify('rib', service);
  }

  /** How long the end of a restart is waited for, ms. */
  private get selectionDeferralMs(): number {
    return Math.min(SELECTION_DEFERRAL_MS, this.current.cpn.restartTimeMs / 2);
  }

  private waysChanged(exits: ReadonlySet<string>): void {
    this.ways.refresh();
    this.steering.onPathChange(exits);
  }

  /** What a border tells of its edge network is complete once OSPF knows that: only then BGP says that all was told (End-of-RIB). */
  private waitForArea(deadline: number): void {
    if (this.stopped) return;
    if (this.ospf?.isConverged === false && this.current.hierarchy !== undefined && this.clock.now() < deadline) {
      this.areaTimer = this.clock.setTimeout(() => this.waitForArea(deadline), RESTART_CHECK_MS);
      return;
    }
    this.hierarchy.flush();
    this.bgp?.ownRoutesComplete();
  }

  /** Routes of an earlier run are kept until every neighbor has sent its table, or the restart time is over. */
  private waitForRestartEnd(deadline: number): void {
    const neighbors = this.bgp?.neighbors() ?? [];
    const complete = this.bgp?.isSelecting !== true && this.ospf?.isConverged !== false && neighbors.every(({ state, endOfRib }) => state === 'Established' && endOfRib.length > 0);
    if (!complete && this.clock.now() < deadline) {
      this.restartTimer = this.clock.setTimeout(() => this.waitForRestartEnd(deadline), RESTART_CHECK_MS);
      return;
    }
    void this.sweepStale();
  }

  private async sweepStale(): Promise<void> {
    try {
      await this.dataplane.routes.settled();
      const swept = await this.dataplane.routes.sweepStale();
      if (swept > 0) this.events.emit('dataplane', 'dataplane.swept', 'info', `${swept} kernel routes of an earlier run are gone`);
    } catch (error) {
      if (!this.stopped) this.events.emit('dataplane', 'dataplane.sweep-failed', 'warning', `kernel routes of an earlier run are left: ${String(error)}`);
    }
  }
}

function dataplaneOptions(config: Config): DataplaneOptions {
  const { router, interfaces, cpn, dataplane } = config;
  return {
    sourceAddress: router.loopback,
    sidBlocks: router.sidBlocks,
    domainSources: router.domainSources,
    servicePrefixes: cpn.servicePrefixes,
    interfaces: Object.fromEntries(Object.entries(interfaces).map(([name, { role }]) => [name, role])),
    aggregateSids: aggregateSids(config),
    reduced: dataplane.reduced,
    requirementOption: cpn.requirementOption,
    flowIdleMs: dataplane.flowIdleMs,
    maxFlows: dataplane.maxFlows,
    maxNewFlows: dataplane.maxNewFlows,
    puntLimits: dataplane.puntLimits,
  };
}

function steeringConfig({ cpn, dataplane }: Config): SteeringConfig {
  return { services: cpn.services, flowIdleMs: dataplane.flowIdleMs, maxFlows: dataplane.maxFlows, restartTimeMs: cpn.restartTimeMs, prediction: cpn.prediction };
}

/** As border nothing but the SID of an instance is put into a packet: there are no ways by transit SIDs. */
function borderConfig(config: Config, side: Side): SteeringConfig {
  const plain = steeringConfig(config);
  return { ...plain, services: config.hierarchy?.[side] ? plain.services.map((service) => ({ ...service, via: {} })) : [] };
}

function hierarchySettings({ hierarchy, router, cpn }: Config): HierarchySettings {
  const sidOf = (side: Side): SidInfo => ({ sid: aggregateSid(router, side), behaviour: OPAQUE, structure: router.sidStructure });
  return { config: hierarchy, budget: cpn.announce.budget, sids: { outward: sidOf('outward'), inward: sidOf('inward') } };
}

function stampSettings({ router, cpn }: Config): StampSettings {
  const { intervalMs, lost, leastBoundMs, holdDownMs, synchronised } = cpn.stamp;
  return { intervalMs, lost, leastBoundMs, holdMs: holdDownMs, synchronised, allowed: router.domainSources, sidBlocks: router.sidBlocks };
}

function instancesConfig({ router, cpn }: Config): ConstructorParameters<typeof LocalInstances>[0] {
  return { router, instances: cpn.instances, announce: cpn.announce, cats: cpn.model.cats };
}
