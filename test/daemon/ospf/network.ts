/** Networks of OSPFv3 routers in memory, on a clock that moves only when told to. */
import { Prefix } from '../../../dataplane/packet/ip.js';
import { ManualClock } from '../../../daemon/clock.js';
import { type NeighborListener, OspfEngine, type OspfEngineOptions } from '../../../daemon/ospf/engine.js';
import type { NeighborIdentity, OspfEvent } from '../../../daemon/ospf/events.js';
import { formatId } from '../../../daemon/ospf/ids.js';
import { MemoryLink, type MemoryLinkOptions, MemoryTransport } from '../../../daemon/ospf/memory-transport.js';
import type { OspfConfig, OspfInterfaceConfig, OspfNetworkType } from '../../../daemon/ospf/types.js';
import { ALL_SPF_ROUTERS } from '../../../daemon/ospf/transport.js';
import { encodePacket } from '../../../daemon/ospf/wire/packet.js';
import { type Lsa, LsType } from '../../../daemon/ospf/wire/types.js';
import { randomFrom } from '../bgp/network.js';

export const interfaceConfig = (name: string, network: OspfNetworkType, options: Partial<OspfInterfaceConfig> = {}): OspfInterfaceConfig => ({
  name,
  network,
  cost: 10,
  priority: 1,
  helloIntervalMs: 10_000,
  deadIntervalMs: 40_000,
  retransmitIntervalMs: 5000,
  transmitDelay: 1,
  instanceId: 0,
  mtuIgnore: false,
  passive: false,
  bfd: undefined,
  authentication: [],
  ...options,
});

export const instanceConfig = (routerId: string, options: Partial<OspfConfig> = {}): OspfConfig => ({
  routerId,
  area: '0.0.0.0',
  interfaces: [],
  redistribute: [],
  spf: { initialDelayMs: 50, shortDelayMs: 200, longDelayMs: 5000, timeToLearnMs: 500, holdDownMs: 10_000 },
  maxLsas: 0,
  maxPaths: 8,
  fastReroute: 'none',
  gracefulRestartHelper: { enabled: true, maxGraceSeconds: 1800, strictLsaChecking: true },
  trafficEngineering: { enabled: false, minIntervalMs: 30_000, maxIntervalMs: 120_000, threshold: 0.1 },
  delayPaths: { enabled: false, gain: 0.1 },
  computing: true,
  cpnLsType: LsType.cpn,
  ...options,
});

/** One router: its engine and what the engine said. */
export class Router {
  readonly events: OspfEvent[] = [];
  readonly full: NeighborIdentity[] = [];
  readonly lost: NeighborIdentity[] = [];
  readonly wires = new Map<string, MemoryLink>();
  engine!: OspfEngine;
  restart: OspfEngineOptions['restart'];
  private readonly interfaces: OspfInterfaceConfig[] = [];

  constructor(
    private readonly network: Network,
    readonly number: number,
    readonly options: Partial<OspfConfig>,
  ) {}

  get routerId(): string {
    return formatId(this.number);
  }

  linkLocal(name: string): string {
    return `fe80::${this.number.toString(16)}:${(this.index(name) + 1).toString(16)}`;
  }

  private index(name: string): number {
    return this.interfaces.findIndex((config) => config.name === name);
  }

  /** Before the start. */
  attach(wire: MemoryLink, network: OspfNetworkType, options: Partial<OspfInterfaceConfig> = {}): string {
    const name = options.name ?? `eth${this.interfaces.length}`;
    this.interfaces.push(interfaceConfig(name, network, options));
    this.wires.set(name, wire);
    return name;
  }

  get config(): OspfConfig {
    return instanceConfig(this.routerId, { interfaces: this.interfaces, ...this.options });
  }

  /** A life of the router: called again it is one that has forgotten everything. */
  start(): void {
    const { clock, random } = this.network;
    this.engine = new OspfEngine({ config: this.config, clock, transport: new MemoryTransport(this.wires), random, restart: this.restart });
    this.engine.onEvent((event) => this.events.push(event));
    const listener: NeighborListener = { full: (neighbor) => this.full.push(neighbor), lost: (neighbor) => this.lost.push(neighbor) };
    this.engine.onNeighbor(listener);
    for (const name of this.wires.keys()) this.setLink(name, true);
    this.engine.start();
  }

  /** Ends without a word; what it would do later it does not do. */
  crash(): void {
    for (const wire of this.wires.values()) wire.cut = true;
    this.engine.stop({ keepForwarding: true });
    for (const wire of this.wires.values()) wire.cut = false;
  }

  setLink(name: string, up: boolean, options: { readonly mtu?: number; readonly linkLocal?: string } = {}): void {
    const prefixes = [Prefix.from(`2001:db8:${this.network.numberOf(this.wires.get(name)!).toString(16)}::/64`)];
    this.engine.setLink(name, { name, index: this.index(name) + 1, up, mtu: 1500, linkLocal: this.linkLocal(name), prefixes, loopback: false, ...options });
  }

  /** All LSAs of area and AS, octet for octet but for their ages. */
  database(): readonly string[] {
    const lines: string[] = [];
    for (const scope of ['area', 'as'] as const) for (const { raw } of this.engine.lsas({ scope })) lines.push(Buffer.from(raw.subarray(2)).toString('hex'));
    return lines.sort();
  }

  stateOf(neighbor: Router): string | undefined {
    return this.engine.neighborViews().find(({ routerId }) => routerId === neighbor.routerId)?.state;
  }
}

export class Network {
  readonly clock = new ManualClock();
  readonly random: () => number;
  readonly routers: Router[] = [];
  readonly wires: MemoryLink[] = [];

  constructor(seed = 1) {
    this.random = randomFrom(seed);
  }

  router(options: Partial<OspfConfig> = {}): Router {
    const router = new Router(this, this.routers.length + 1, options);
    this.routers.push(router);
    return router;
  }

  wire(options: MemoryLinkOptions = {}): MemoryLink {
    const wire = new MemoryLink(this.clock, { random: this.random, ...options });
    this.wires.push(wire);
    return wire;
  }

  numberOf(wire: MemoryLink): number {
    return this.wires.indexOf(wire);
  }

  /** A point-to-point wire between two routers. */
  connect(a: Router, b: Router, options: Partial<OspfInterfaceConfig> = {}, wireOptions: MemoryLinkOptions = {}): MemoryLink {
    const wire = this.wire(wireOptions);
    a.attach(wire, 'point-to-point', options);
    b.attach(wire, 'point-to-point', options);
    return wire;
  }

  /** A broadcast wire. */
  lan(routers: readonly Router[], options: Partial<OspfInterfaceConfig> = {}, wireOptions: MemoryLinkOptions = {}): MemoryLink {
    const wire = this.wire(wireOptions);
    for (const router of routers) router.attach(wire, 'broadcast', options);
    return wire;
  }

  start(): void {
    for (const router of this.routers) router.start();
  }

  seconds(count: number): void {
    this.clock.advance(count * 1000);
  }
}

/** Two routers on a point-to-point wire, started. */
export function pair(options: Partial<OspfConfig> = {}, interfaces: Partial<OspfInterfaceConfig> = {}): { readonly network: Network; readonly a: Router; readonly b: Router; readonly wire: MemoryLink } {
  const network = new Network();
  const a = network.router(options);
  const b = network.router(options);
  const wire = network.connect(a, b, interfaces);
  network.start();
  return { network, a, b, wire };
}

/** Lets an update with these LSAs appear at `to` as if `from`, its neighbour on `wire`, had sent it. */
export function injectUpdate(wire: MemoryLink, from: Router, lsas: readonly Lsa[], to: Router): void {
  const source = from.linkLocal('eth0');
  const packet = encodePacket({ kind: 'linkStateUpdate', routerId: from.number, areaId: 0, instanceId: 0, lsas, faults: [] }, { source, destination: ALL_SPF_ROUTERS });
  wire.injectAt(to.linkLocal('eth0'), packet, source, ALL_SPF_ROUTERS);
}
