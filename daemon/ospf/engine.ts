/**
 * One OSPFv3 instance (RFC 5340) in one area: interfaces, neighbours, link-state database, flooding and own LSAs. It does no I/O but by its
 * transport, and takes its time from its clock. Routes are worked out by others from the database's changes.
 */
import type { Clock } from '../clock.js';
import type { OspfEnvironment } from './environment.js';
import type { NeighborIdentity, OspfEvent } from './events.js';
import { Flooding } from './flooding.js';
import { GraceHelper } from './grace-helper.js';
import { GraceRestarter, RestartReason } from './grace-restarter.js';
import { formatId, parseId } from './ids.js';
import { OspfInterface, type OspfLink } from './interface.js';
import { type LsaFilter, Lsdb } from './lsdb.js';
import type { LsdbListener } from './lsdb-changes.js';
import type { Neighbor } from './neighbor.js';
import { ExternalOriginator, type ExternalRoute } from './origination/externals.js';
import { OwnLsas } from './origination/own-lsas.js';
import { TopologyOriginator } from './origination/topology.js';
import { Overload } from './overload.js';
import { Receiver } from './receiver.js';
import type { StoredLsa } from './stored-lsa.js';
import type { OspfTransport } from './transport.js';
import type { OspfConfig, OspfInterfaceView, OspfLsaView, OspfNeighborView } from './types.js';
import { floodingScope } from './wire/lsa-header.js';
import { type LsaKey, type LsaPrefix, LsType } from './wire/types.js';

export interface OspfEngineOptions {
  readonly config: OspfConfig;
  readonly clock: Clock;
  readonly transport: OspfTransport;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Restarts with grace (RFC 5187): how long neighbours are asked to bear it, and whether this is the life after one. Undefined: without. */
  readonly restart?: { readonly periodSeconds: number; readonly resuming: boolean } | undefined;
}

export interface NeighborListener {
  /** A neighbour is Full no longer. Called at once, before timers, lists and LSAs are touched: forwarding is repaired first. */
  lost(neighbor: NeighborIdentity, reason: string): void;
  full(neighbor: NeighborIdentity): void;
}

export interface StopOptions {
  /** Leaves the own LSAs and adjacencies to time out, so that others go on forwarding here while the process is away, and tells nobody of lost neighbours; else both end now. */
  readonly keepForwarding: boolean;
}

export interface OspfEngineStatus {
  readonly running: boolean;
  /** Out of the network for a while, since the database grew beyond `maxLsas`. */
  readonly overloaded: boolean;
  readonly lsas: number;
  /** LSAs of other routers, as `maxLsas` counts them. */
  readonly foreignLsas: number;
  readonly externals: number;
}

const identityOf = (neighbor: Neighbor): NeighborIdentity => ({ interface: neighbor.owner.name, routerId: formatId(neighbor.routerId), address: neighbor.address });

export class OspfEngine {
  private config: OspfConfig;
  private readonly clock: Clock;
  private readonly interfaces = new Map<string, OspfInterface>();
  private readonly links = new Map<string, OspfLink>();
  private readonly environment: OspfEnvironment;
  private readonly lsdb: Lsdb;
  private readonly flooding: Flooding;
  private readonly grace: GraceHelper;
  private readonly restarter: GraceRestarter | undefined;
  private readonly own: OwnLsas;
  private readonly topology: TopologyOriginator;
  private readonly externals: ExternalOriginator;
  private readonly overload: Overload;
  private readonly receiver: Receiver;
  private readonly eventListeners = new Set<(event: OspfEvent) => void>();
  private readonly neighborListeners = new Set<NeighborListener>();
  private running = false;

  constructor({ config, clock, transport, random, restart }: OspfEngineOptions) {
    this.config = config;
    this.clock = clock;
    this.lsdb = new Lsdb(clock, {
      aged: (lsa) => this.onAged(lsa),
      refresh: (lsa) => this.own.refresh(lsa),
      corrupted: (lsa) => this.onCorrupted(lsa),
      isWaitedFor: (lsa) => this.flooding.isExchanging(lsa.scope, lsa.link === undefined ? undefined : this.interfaces.get(lsa.link)),
      removed: (lsa) => {
        if (lsa.self) this.own.removed(lsa);
      },
    });
    this.environment = this.makeEnvironment(transport, random);
    this.flooding = new Flooding(this.environment, {
      ownReceived: (lsa) => this.onOwnReceived(lsa),
      changed: (lsa, old) => this.onContentsChanged(lsa, old),
      hasRoom: () => this.hasRoom(),
    });
    this.grace = new GraceHelper(this.environment, () => this.config.gracefulRestartHelper);
    this.own = new OwnLsas(this.environment);
    this.topology = new TopologyOriginator(this.environment, this.own);
    this.restarter = restart && new GraceRestarter(this.environment, this.own, restart.periodSeconds, (reason) => this.onRestartOver(reason));
    if (restart?.resuming) this.restarter?.begin();
    this.externals = new ExternalOriginator(this.own);
    this.receiver = new Receiver(this.environment);
    this.overload = new Overload(
      clock,
      (coolOffMs) => this.onOverload(coolOffMs),
      () => {
        this.tell({ kind: 'lsdb-overload-over' });
        this.configureInterfaces();
      },
    );
  }

  /** The parts know each other by it; those made after it are reached through getters. */
  private makeEnvironment(transport: OspfTransport, random: () => number): OspfEnvironment {
    const { clock, lsdb, config } = this;
    const parts = (): { readonly flooding: Flooding; readonly grace: GraceHelper; readonly restarter: GraceRestarter | undefined } => ({ flooding: this.flooding, grace: this.grace, restarter: this.restarter });
    // The high half is the time of the start, so that numbers grow over restarts (RFC 7166 section 4.1).
    let authenticationSequence = BigInt(Math.floor(clock.unixMs() / 1000)) << 32n;
    return {
      clock,
      random,
      transport,
      routerId: parseId(config.routerId),
      areaId: parseId(config.area),
      cpnLsType: config.cpnLsType,
      lsdb,
      get flooding() {
        return parts().flooding;
      },
      get grace() {
        return parts().grace;
      },
      get restarter() {
        return parts().restarter;
      },
      interfaces: () => this.interfaces.values(),
      event: (event) => this.tell(event),
      neighborLost: (neighbor, reason) => {
        for (const listener of this.neighborListeners) listener.lost(identityOf(neighbor), reason);
      },
      neighborFull: (neighbor) => {
        for (const listener of this.neighborListeners) listener.full(identityOf(neighbor));
        this.restarter?.check();
      },
      topologyChanged: () => this.topology.schedule(),
      nextAuthenticationSequence: () => ++authenticationSequence,
    };
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.lsdb.start();
    this.configureInterfaces();
    this.topology.schedule();
  }

  /** Ends for good. */
  stop({ keepForwarding }: StopOptions): void {
    if (!this.running) return;
    this.topology.stop();
    this.overload.stop();
    // Nothing is lost while others forward on: nobody is to repair anything.
    if (keepForwarding) this.askForGrace();
    else {
      this.own.flushAll();
      for (const owner of this.interfaces.values()) {
        owner.sender.flush();
        owner.farewell();
      }
    }
    this.running = false;
    this.configureInterfaces();
    this.own.stop();
    this.restarter?.stop();
    this.lsdb.stop();
  }

  private askForGrace(): void {
    this.neighborListeners.clear();
    if (!this.restarter) return;
    for (const owner of this.interfaces.values()) {
      if (!owner.port) continue;
      this.restarter.announce(owner, RestartReason.softwareRestart);
      owner.sender.flush();
    }
  }

  /** Whether own LSAs are those of an earlier life still, since neighbours of then are not back yet. */
  get isRestarting(): boolean {
    return this.restarter?.isActive === true;
  }

  private onRestartOver(reason: string): void {
    // What is to be said then takes in what happened this turn.
    this.topology.originateNow();
    this.own.release();
    this.tell({ kind: 'restart-over', reason });
  }

  /**
   * Takes another configuration; what did not change goes on untouched. Throws TypeError when router ID, area or the LS type of computing LSAs
   * differ: these make another instance.
   */
  reconfigure(config: OspfConfig): void {
    for (const field of ['routerId', 'area', 'cpnLsType'] as const) {
      if (config[field] !== this.config[field]) throw new TypeError(`another ${field} needs another instance of OSPF`);
    }
    this.config = config;
    if (this.running) this.configureInterfaces();
  }

  /** What the kernel says of an interface, first and whenever it changes; undefined: it is gone. Also for interfaces without OSPF. */
  setLink(name: string, link: OspfLink | undefined): void {
    if (link) this.links.set(name, link);
    else this.links.delete(name);
    const owner = this.interfaces.get(name);
    if (owner && this.running) this.configureInterface(owner);
  }

  private configureInterfaces(): void {
    const wanted = new Map(this.config.interfaces.map((config) => [config.name, config]));
    for (const [name, owner] of this.interfaces) {
      if (wanted.has(name)) continue;
      owner.configure(owner.config, undefined, true);
      this.interfaces.delete(name);
      this.own.forgetLink(name);
    }
    for (const [name, config] of wanted) {
      let owner = this.interfaces.get(name);
      if (!owner) {
        owner = new OspfInterface(this.environment, config, undefined, (from, bytes, source, destination) => this.receiver.receive(from, bytes, source, destination));
        this.interfaces.set(name, owner);
      }
      this.configureInterface(owner);
    }
  }

  private configureInterface(owner: OspfInterface): void {
    const config = this.config.interfaces.find(({ name }) => name === owner.name) ?? owner.config;
    owner.configure(config, this.links.get(owner.name), !this.running || this.overload.isOn);
    if (owner.state === 'Down') this.own.forgetLink(owner.name);
  }

  /** Prefixes of the router itself: loopback and locator, with their PrefixOptions (LA) and metrics. All there are to be. */
  setStubPrefixes(prefixes: readonly LsaPrefix[]): void {
    this.topology.setStubs(prefixes);
  }

  /** Routes brought in from outside, as AS-External-LSAs. All there are to be. */
  setExternals(routes: readonly ExternalRoute[]): void {
    this.externals.set(routes);
    this.topology.setBorder(this.externals.size > 0);
  }

  /**
   * Originates an LSA of any type that the engine does not make itself, or changes its body, paced by MinLSInterval; refreshed until it is
   * flushed. `link`: the interface, of link scope only. Throws RangeError on a scope that does not fit.
   */
  originate(type: number, id: number, body: Uint8Array, link?: string): void {
    this.own.originate(link === undefined ? { type, id } : { type, id, interface: link }, body);
  }

  /** Takes an own LSA back; no error where there is none. */
  flush(type: number, id: number, link?: string): void {
    this.own.flush(link === undefined ? { type, id } : { type, id, interface: link });
  }

  /** Whether MinLSInterval holds another body of an own LSA back. */
  isPaced(type: number, id: number): boolean {
    return this.own.isPaced({ type, id });
  }

  /** A neighbour is down as somebody else knows: BFD. False: there is no such neighbour. */
  neighborDown(link: string, routerId: string, reason: string): boolean {
    const neighbor = this.interfaces.get(link)?.neighbors.get(parseId(routerId));
    neighbor?.handle('LLDown', reason);
    return neighbor !== undefined;
  }

  onEvent(listener: (event: OspfEvent) => void): () => void {
    this.eventListeners.add(listener);
    return () => void this.eventListeners.delete(listener);
  }

  onNeighbor(listener: NeighborListener): () => void {
    this.neighborListeners.add(listener);
    return () => void this.neighborListeners.delete(listener);
  }

  /** Changes of the database, in batches, later than they happened but never out of order for one LSA. */
  onLsdbChange(listener: LsdbListener): () => void {
    return this.lsdb.onChange(listener);
  }

  /** LSAs that count, those of MaxAge left out. */
  *lsas(filter: LsaFilter = {}): Generator<StoredLsa> {
    for (const lsa of this.lsdb.all(filter)) if (!lsa.isMaxAge) yield lsa;
  }

  get(key: LsaKey, link?: string): StoredLsa | undefined {
    const scope = floodingScope(key.type, this.config.cpnLsType);
    return scope === 'reserved' ? undefined : this.lsdb.get(scope, link, key);
  }

  status(): OspfEngineStatus {
    return { running: this.running, overloaded: this.overload.isOn, lsas: this.lsdb.size, foreignLsas: this.lsdb.foreignCount, externals: this.externals.size };
  }

  interfaceViews(): readonly OspfInterfaceView[] {
    return [...this.interfaces.values()].map((owner) => owner.view());
  }

  neighborViews(): readonly OspfNeighborView[] {
    return [...this.interfaces.values()].flatMap((owner) => [...owner.neighbors.values()].map((neighbor) => neighbor.view()));
  }

  /** One after the other, so that a large database can be shown in slices; those of MaxAge too. */
  *lsaViews(filter: LsaFilter = {}): Generator<OspfLsaView> {
    for (const lsa of this.lsdb.all(filter)) {
      const { scope, self, body, raw, link } = lsa;
      yield { header: lsa.headerAt(this.clock.now()), scope, interface: link, self, body, raw };
    }
  }

  private tell(event: OspfEvent): void {
    for (const listener of [...this.eventListeners]) listener(event);
  }

  private onAged(lsa: StoredLsa): void {
    this.onContentsChanged(lsa, lsa);
    this.flooding.flood(lsa, undefined);
  }

  /** Memory does not keep what was put in: neighbours bring it again, or it is made again. */
  private onCorrupted(lsa: StoredLsa): void {
    const { type, id, router } = lsa.header;
    this.tell({ kind: 'lsa-corrupted', type, id, router: formatId(router) });
    if (lsa.self) {
      this.own.refresh(lsa);
      return;
    }
    this.lsdb.remove(lsa);
    for (const owner of this.interfaces.values()) for (const neighbor of [...owner.neighbors.values()]) neighbor.handle('SeqNumberMismatch', 'the database is read again: an LSA was corrupted in memory');
  }

  private onOwnReceived(lsa: StoredLsa): void {
    const { type, id } = lsa.header;
    const action = this.own.received(lsa);
    if (action !== 'kept') this.tell({ kind: 'own-lsa-received', type, id, action });
  }

  private onContentsChanged(lsa: StoredLsa, old: StoredLsa | undefined): void {
    if (lsa.header.type === LsType.grace) {
      if (!lsa.self) this.grace.graceChanged(lsa);
    } else {
      this.grace.contentsChanged(lsa, old);
    }
    // The prefixes of a network come from the Link-LSAs of its routers, this one's too, which may have waited for MinLSInterval.
    if (lsa.header.type === LsType.link) this.topology.schedule();
    this.restarter?.check();
  }

  private hasRoom(): boolean {
    if (this.overload.isOn) return false;
    if (this.config.maxLsas === 0 || this.lsdb.foreignCount < this.config.maxLsas) return true;
    this.overload.begin();
    return false;
  }

  private onOverload(coolOffMs: number): void {
    this.tell({ kind: 'lsdb-overload', lsas: this.lsdb.foreignCount, maximum: this.config.maxLsas, coolOffMs });
    this.configureInterfaces();
    for (const lsa of [...this.lsdb.all()]) if (!lsa.self) this.lsdb.remove(lsa);
  }
}
