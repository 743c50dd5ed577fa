/** One interface: its state machine carried out, Hellos, the election, and its neighbours (RFC 2328 section 9, RFC 5340 section 4.2.1). */
import type { Prefix } from '../../dataplane/packet/ip.js';
import type { Timer } from '../clock.js';
import { MAX_NEIGHBORS } from './constants.js';
import { elect } from './election.js';
import type { OspfEnvironment } from './environment.js';
import { formatId } from './ids.js';
import { electedState, type InterfaceAction, type InterfaceEvent, interfaceTransition } from './interface-fsm.js';
import { Neighbor } from './neighbor.js';
import { isAtLeast } from './neighbor-fsm.js';
import { PacketSender } from './sender.js';
import { ALL_SPF_ROUTERS, type TransportPort } from './transport.js';
import type { InterfaceState, OspfInterfaceConfig, OspfInterfaceView } from './types.js';
import type { AuthenticationKey } from './wire/authentication.js';
import { type HelloPacket, OptionBit } from './wire/types.js';

/** What the kernel says of an interface. */
export interface OspfLink {
  readonly name: string;
  /** Interface index of the kernel: the Interface ID. */
  readonly index: number;
  readonly up: boolean;
  readonly mtu: number;
  /** Canonical text; undefined while there is none that may be used. */
  readonly linkLocal: string | undefined;
  /** The addresses' prefixes, link-local ones left out; of a loopback interface the addresses as /128. */
  readonly prefixes: readonly Prefix[];
  readonly loopback: boolean;
}

const keysOf = ({ authentication }: OspfInterfaceConfig): AuthenticationKey[] => authentication.map(({ password, ...rest }) => ({ ...rest, key: password }));

const IPV6_MINIMUM_MTU = 1280;
const EVENT_INTERVAL_MS = 1000;
/** Pause before a socket that could not be opened is tried again. */
const REOPEN_MS = 1000;

export class OspfInterface {
  state: InterfaceState = 'Down';
  designated = 0;
  backup = 0;
  readonly neighbors = new Map<number, Neighbor>();
  readonly sender: PacketSender;
  port: TransportPort | undefined;
  private readonly counters = new Map<string, number>();
  private helloTimer: Timer | undefined;
  private waitTimer: Timer | undefined;
  private greeting: Timer | undefined;
  private reopening: Timer | undefined;
  private lastDropEvent = -Infinity;
  private lastFailure = -Infinity;

  /** Keys of the Authentication Trailer: the first is sent with, all are accepted. */
  keys: readonly AuthenticationKey[];

  constructor(
    private readonly environment: OspfEnvironment,
    public config: OspfInterfaceConfig,
    private link: OspfLink | undefined,
    /** A packet came in. */
    private readonly received: (owner: OspfInterface, bytes: Uint8Array, source: string, destination: string) => void,
  ) {
    this.sender = new PacketSender(environment, this);
    this.keys = keysOf(config);
  }

  get name(): string {
    return this.config.name;
  }

  get interfaceId(): number {
    return this.link?.index ?? 0;
  }

  get mtu(): number {
    return Math.max(IPV6_MINIMUM_MTU, this.link?.mtu ?? 0);
  }

  get linkLocal(): string | undefined {
    return this.link?.linkLocal;
  }

  get prefixes(): readonly Prefix[] {
    return this.link?.prefixes ?? [];
  }

  /** Options in Hello and Database Description packets. */
  get options(): number {
    return OptionBit.v6 | OptionBit.e | OptionBit.r | (this.config.authentication.length > 0 ? OptionBit.at : 0);
  }

  /** Runs, stops or restarts OSPF here as configuration and link want it. */
  configure(config: OspfInterfaceConfig, link: OspfLink | undefined, stopped: boolean): void {
    const before = { config: this.config, link: this.link };
    const restart =
      config.network !== before.config.network ||
      config.instanceId !== before.config.instanceId ||
      config.passive !== before.config.passive ||
      (config.authentication.length > 0) !== (before.config.authentication.length > 0) ||
      link?.index !== before.link?.index ||
      link?.linkLocal !== before.link?.linkLocal ||
      link?.loopback !== before.link?.loopback;
    const isUsable = !stopped && link?.up === true && (link.linkLocal !== undefined || link.loopback);
    if (restart || !isUsable) this.leave();
    this.config = config;
    this.keys = keysOf(config);
    this.link = link;
    if (isUsable) this.enter(link);
    if (config.priority !== before.config.priority) this.handle('NeighborChange');
    if (config.helloIntervalMs !== before.config.helloIntervalMs && this.helloTimer) this.hello();
    if (config.deadIntervalMs !== before.config.deadIntervalMs) for (const neighbor of this.neighbors.values()) neighbor.watchAgain();
    this.environment.topologyChanged();
  }

  private leave(): void {
    this.reopening?.cancel();
    this.reopening = undefined;
    this.handle(this.state === 'Loopback' ? 'UnloopInd' : 'InterfaceDown');
  }

  private enter(link: OspfLink): void {
    if (this.state !== 'Down' || this.reopening) return;
    if (link.loopback) {
      this.handle('LoopInd');
      return;
    }
    if (this.config.passive) {
      this.become(this.config.network === 'broadcast' ? 'DROther' : 'Point-to-point');
      return;
    }
    if (link.linkLocal === undefined) return;
    try {
      this.port = this.environment.transport.open(
        { name: this.name, index: link.index, linkLocal: link.linkLocal },
        {
          received: (bytes, source, destination) => this.received(this, bytes, source, destination),
          failed: (reason) => this.failed(reason),
        },
      );
    } catch (error) {
      this.failed(error instanceof Error ? error.message : String(error));
      this.reopening = this.environment.clock.setTimeout(() => {
        this.reopening = undefined;
        this.enter(link);
      }, REOPEN_MS);
      return;
    }
    this.handle('InterfaceUp');
  }

  handle(event: InterfaceEvent): void {
    // Without packets nobody is elected.
    if (this.config.passive && event === 'NeighborChange') return;
    const { state, actions } = interfaceTransition(this.state, event, this.config);
    const from = this.state;
    this.state = state;
    // Neighbours are told lost before anything else is told.
    if (actions.includes('reset')) this.reset();
    this.announce(from, state);
    for (const action of actions) this.act(action);
  }

  private become(state: InterfaceState): void {
    const from = this.state;
    this.state = state;
    this.announce(from, state);
  }

  private announce(from: InterfaceState, state: InterfaceState): void {
    if (state === from) return;
    this.port?.setDesignated(state === 'DR' || state === 'Backup');
    this.environment.event({ kind: 'interface-state', interface: this.name, from, to: state });
    this.environment.topologyChanged();
  }

  private act(action: InterfaceAction): void {
    switch (action) {
      case 'startHellos':
        this.hello();
        return;
      case 'startWaitTimer':
        this.waitTimer = this.environment.clock.setTimeout(() => this.handle('WaitTimer'), this.config.deadIntervalMs);
        return;
      case 'elect':
        this.elect();
        return;
      case 'reset':
        // Done before the state is told.
        return;
    }
  }

  private reset(): void {
    for (const neighbor of [...this.neighbors.values()]) neighbor.handle('KillNbr', 'the interface is down');
    for (const timer of [this.helloTimer, this.waitTimer, this.greeting]) timer?.cancel();
    this.helloTimer = this.waitTimer = this.greeting = undefined;
    this.sender.clear();
    this.port?.close();
    this.port = undefined;
    this.designated = this.backup = 0;
    // RFC 5340 section 4.4.3: what was learnt of the link goes with it.
    const { lsdb } = this.environment;
    for (const lsa of [...lsdb.all({ scope: 'link', interface: this.name })]) lsdb.remove(lsa);
  }

  private hello(): void {
    this.helloTimer?.cancel();
    this.greeting?.cancel();
    this.greeting = undefined;
    this.helloTimer = this.environment.clock.setTimeout(() => this.hello(), this.config.helloIntervalMs);
    this.environment.restarter?.beforeHello(this);
    this.sendHello([...this.neighbors.keys()]);
  }

  /** A Hello when this turn is over, ahead of its time. */
  private greet(): void {
    if (this.helloTimer) this.greeting ??= this.environment.clock.setTimeout(() => this.hello(), 0);
  }

  private sendHello(neighbors: readonly number[]): void {
    const { priority, helloIntervalMs, deadIntervalMs } = this.config;
    const { interfaceId, options, designated, backup } = this;
    const helloInterval = Math.round(helloIntervalMs / 1000);
    const deadInterval = Math.round(deadIntervalMs / 1000);
    this.sender.send({ kind: 'hello', interfaceId, priority, options, helloInterval, deadInterval, designated, backup, neighbors }, ALL_SPF_ROUTERS);
  }

  /** A Hello that names nobody: neighbours let go at once instead of after the dead interval. */
  farewell(): void {
    if (this.port) this.sendHello([]);
  }

  receiveHello(packet: HelloPacket, source: string): Neighbor | undefined {
    const { config } = this;
    const faults = {
      hello: packet.helloInterval * 1000 === config.helloIntervalMs ? undefined : `hello interval ${packet.helloInterval} s, here it is ${config.helloIntervalMs / 1000} s`,
      dead: packet.deadInterval * 1000 === config.deadIntervalMs ? undefined : `dead interval ${packet.deadInterval} s, here it is ${config.deadIntervalMs / 1000} s`,
      options: (packet.options & OptionBit.e) !== 0 ? undefined : 'the E bit is missing: a stub area there, none here',
    };
    for (const [counter, reason] of Object.entries(faults)) {
      if (reason === undefined) continue;
      this.drop(source, counter, `Hello with ${reason}`);
      return undefined;
    }
    const neighbor = this.neighborFor(packet.routerId, source);
    if (!neighbor) return undefined;
    const isNew = neighbor.state === 'Down';
    const { election, topology } = neighbor.learn(packet);
    neighbor.handle('HelloReceived');
    if (packet.neighbors.includes(this.environment.routerId)) neighbor.handle('2-WayReceived');
    // RFC 3623 section 3: one that restarts has forgotten us, and is Full all the same.
    else if (!neighbor.isHelped) neighbor.handle('1-WayReceived', 'its Hello does not name this router');
    // It learns of us without waiting for our next Hello.
    if (isNew) this.greet();
    if (topology) this.environment.topologyChanged();
    if (isAtLeast(neighbor.state, '2-Way')) this.considerElection(neighbor, election, this.environment.restarter?.wasDesignated(packet) === true);
    return neighbor;
  }

  /** RFC 2328 section 10.5, the last steps. */
  private considerElection(neighbor: Neighbor, changed: boolean, resumes: boolean): void {
    const { routerId, designated, backup } = neighbor;
    if (this.state === 'Waiting') {
      if (resumes) {
        this.designated = this.environment.routerId;
        this.handle('BackupSeen');
      } else if (backup === routerId || (designated === routerId && backup === 0)) this.handle('BackupSeen');
    } else if (changed && !neighbor.isHelped) {
      this.handle('NeighborChange');
    }
  }

  private neighborFor(routerId: number, source: string): Neighbor | undefined {
    const known = this.neighbors.get(routerId);
    if (known?.address === source) return known;
    known?.handle('KillNbr', `its address is ${source} now`);
    for (const other of [...this.neighbors.values()]) {
      if (other.address === source) other.handle('KillNbr', `its router ID is ${formatId(routerId)} now`);
    }
    if (this.neighbors.size >= MAX_NEIGHBORS) {
      this.drop(source, 'neighbors', `more than ${MAX_NEIGHBORS} neighbors`);
      return undefined;
    }
    const neighbor = new Neighbor(this.environment, this, routerId, source);
    this.neighbors.set(routerId, neighbor);
    return neighbor;
  }

  removeNeighbor(neighbor: Neighbor): void {
    if (this.neighbors.get(neighbor.routerId) === neighbor) this.neighbors.delete(neighbor.routerId);
  }

  /** RFC 2328 section 10.4. */
  shouldBeAdjacent({ routerId }: Neighbor): boolean {
    if (this.config.network === 'point-to-point' || this.state === 'DR' || this.state === 'Backup') return true;
    return this.state === 'DROther' && (routerId === this.designated || routerId === this.backup);
  }

  /** The election and what follows from it (RFC 2328 section 9.4). */
  private elect(): void {
    this.waitTimer?.cancel();
    this.waitTimer = undefined;
    const { routerId } = this.environment;
    const { designated, backup } = this;
    const candidates = [...this.neighbors.values()].filter((neighbor) => isAtLeast(neighbor.state, '2-Way'));
    const elected = elect({ routerId, priority: this.config.priority, designated, backup }, candidates);
    this.designated = elected.designated;
    this.backup = elected.backup;
    this.become(electedState(routerId, elected));
    if (designated !== elected.designated || backup !== elected.backup) {
      for (const neighbor of candidates) neighbor.handle('AdjOK?', 'another designated router, or backup');
      // The others' elections wait for what this one says.
      this.greet();
      this.environment.topologyChanged();
    }
  }

  count(counter: string): void {
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + 1);
  }

  /** Counts a packet that is dropped, and tells of it unless another was told of just before. */
  drop(source: string, counter: string, reason: string): void {
    this.count(`dropped ${counter}`);
    const now = this.environment.clock.now();
    if (now - this.lastDropEvent < EVENT_INTERVAL_MS) return;
    this.lastDropEvent = now;
    this.environment.event({ kind: 'packet-dropped', interface: this.name, source, counter, reason });
  }

  private failed(reason: string): void {
    this.count('failed transport');
    const now = this.environment.clock.now();
    if (now - this.lastFailure < EVENT_INTERVAL_MS) return;
    this.lastFailure = now;
    this.environment.event({ kind: 'transport-failed', interface: this.name, reason });
  }

  view(): OspfInterfaceView {
    const { config } = this;
    return {
      name: this.name,
      interfaceId: this.interfaceId,
      network: config.network,
      state: this.state,
      cost: config.cost,
      priority: config.priority,
      area: formatId(this.environment.areaId),
      instanceId: config.instanceId,
      linkLocal: this.linkLocal,
      mtu: this.link?.mtu ?? 0,
      helloIntervalMs: config.helloIntervalMs,
      deadIntervalMs: config.deadIntervalMs,
      designated: formatId(this.designated),
      backup: formatId(this.backup),
      passive: config.passive,
      authenticated: config.authentication.length > 0,
      neighbors: this.neighbors.size,
      adjacencies: [...this.neighbors.values()].filter(({ state }) => state === 'Full').length,
      counters: Object.fromEntries(this.counters),
    };
  }
}
