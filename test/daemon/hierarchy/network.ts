/** Routers of edge networks in memory: computing RIB, hierarchy and steering over a flow table in memory, joined by what stands for BGP and OSPFv3. */
import type { Instance } from '../../../daemon/computing/types.js';
import { AnnouncementSequence } from '../../../daemon/awareness/sequence.js';
import { ManualClock } from '../../../daemon/clock.js';
import type { AggregationConfig, HierarchyConfig } from '../../../daemon/config/types.js';
import { Hierarchy, type HierarchySettings } from '../../../daemon/hierarchy/hierarchy.js';
import { SIDES, type Side } from '../../../daemon/hierarchy/sides.js';
import { silentLogger } from '../../../daemon/log.js';
import type { Advertisement, CandidateSource, PathState } from '../../../daemon/rib/candidate.js';
import { ComputingRib } from '../../../daemon/rib/computing-rib.js';
import { BlockPool, FlowSpaces } from '../../../daemon/steering/flow-spaces.js';
import { Steering } from '../../../daemon/steering/steering.js';
import type { FlowKey, FlowSpace } from '../../../dataplane/dataplane.js';
import { FakeFlowTable, type PuntResult } from '../../../dataplane/fake.js';
import { exitOf, makeAdvertisement, makeInstance, SERVICE } from '../rib/instances.js';

const PATH: PathState = { rttUs: 1000, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 1500, resolved: true };
const STRUCTURE = { block: 32, node: 16, function: 16, argument: 0 };
const SERVICES = ['2001:db8:5e::/48'];

export const aggregateSidOf = (router: number, side: Side): string => `fcbb:bb00:${router.toString(16)}:${side === 'outward' ? 3 : 4}::`;

export const aggregation = (changes: Partial<AggregationConfig> = {}): AggregationConfig => ({ services: SERVICES, threshold: 0.1, minIntervalMs: 1000, maxIntervalMs: 10_000, validityMs: 0, ...changes });

export const bothSides = (): HierarchyConfig => ({ inside: [], outward: aggregation(), inward: aggregation() });

/** One router; what it announces is kept in `said`, by protocol. */
export class TestRouter {
  readonly rib: ComputingRib;
  readonly hierarchy: Hierarchy;
  readonly flows: FakeFlowTable;
  readonly steerings: Readonly<Record<FlowSpace, Steering>>;
  readonly said: { protocol: 'bgp' | 'ospf'; advertisement: Advertisement }[] = [];
  private readonly sequence: AnnouncementSequence;
  private dead = new Set<string>();

  constructor(
    readonly number: number,
    readonly clock: ManualClock,
    config?: HierarchyConfig,
    private readonly onSaid: (router: TestRouter, protocol: 'bgp' | 'ospf', advertisement: Advertisement) => void = () => undefined,
    flows?: FakeFlowTable,
    /** What the shortest path tree of OSPFv3 knows. */
    isReachedInside: (exit: string) => boolean = () => false,
  ) {
    this.flows = flows ?? new FakeFlowTable(() => BigInt(Math.round(clock.now() * 1e6)));
    this.rib = new ComputingRib({ clock, log: silentLogger, ownExit: this.exit, isInside: (exit) => isReachedInside(exit) || (this.config?.inside.includes(`${exit}/128`) ?? false) });
    this.config = config;
    this.sequence = new AnnouncementSequence(clock);
    const say = (protocol: 'bgp' | 'ospf') => (advertisements: readonly Advertisement[]) => {
      for (const advertisement of advertisements) {
        this.said.push({ protocol, advertisement });
        this.onSaid(this, protocol, advertisement);
      }
    };
    this.hierarchy = new Hierarchy({ clock, sequence: this.sequence, exit: this.exit, rib: this.rib, bgp: say('bgp'), ospf: say('ospf') }, this.settings());
    const spaces = new FlowSpaces(this.flows);
    const shared = { clock, log: silentLogger, blocks: new BlockPool(1000), seed: 7, config: { services: [], flowIdleMs: 300_000, maxFlows: 10_000, restartTimeMs: 60_000, prediction: { model: 'last' as const, horizonMs: 0 } } };
    const pathState = (exit: string): PathState => ({ ...PATH, alive: !this.dead.has(exit) });
    const border = (side: Side): Steering => new Steering({ ...shared, rib: { candidates: (service) => this.hierarchy.choices(side, service) }, flows: spaces.of(side), pathState });
    this.steerings = { entry: new Steering({ ...shared, rib: this.rib, flows: spaces.of('entry'), pathState }), outward: border('outward'), inward: border('inward') };
    this.rib.onChange((services) => {
      for (const steering of Object.values(this.steerings)) steering.onRibChange(services);
      this.hierarchy.servicesChanged(services);
    });
    for (const steering of Object.values(this.steerings)) steering.start();
  }

  private config: HierarchyConfig | undefined;

  get exit(): string {
    return exitOf(this.number);
  }

  private settings(): HierarchySettings {
    const sid = (side: Side) => ({ sid: aggregateSidOf(this.number, side), behaviour: 0xffff, structure: STRUCTURE });
    return { config: this.config, budget: { rate: 0, burst: 1000 }, sids: { outward: sid('outward'), inward: sid('inward') } };
  }

  configure(config: HierarchyConfig | undefined): void {
    this.config = config;
    this.rib.insideChanged();
    this.hierarchy.configure(this.settings());
    this.rib.flush();
    for (const side of SIDES) this.steerings[side].onRibChange(this.rib.services());
  }

  /** Own instances, announced at once. */
  own(...instances: Instance[]): void {
    const advertisement = makeAdvertisement(this.number, Number(this.sequence.next()), { source: 'local', peer: '', pathId: 0, instances });
    if (instances.length > 0) this.rib.advertise(advertisement);
    else this.rib.withdraw('local', '', 0, SERVICE);
    this.rib.flush();
    this.hierarchy.localAnnounced([advertisement]);
  }

  /** What another router says arrives by a protocol. */
  hear(protocol: Extract<CandidateSource, 'bgp' | 'ospf'>, advertisement: Advertisement): void {
    const peer = protocol === 'ospf' ? advertisement.exit : 'fc00:0:100::1';
    const pathId = protocol === 'ospf' ? 0 : Number.parseInt(advertisement.exit.split(':')[2]!, 16);
    if (advertisement.instances.length > 0) this.rib.advertise({ ...advertisement, source: protocol, peer, pathId });
    else this.rib.withdraw(protocol, peer, pathId, advertisement.service);
  }

  /** The last thing said of the service. */
  last(protocol: 'bgp' | 'ospf'): readonly Instance[] {
    return this.said.filter((each) => each.protocol === protocol).at(-1)?.advertisement.instances ?? [];
  }

  die(exit: string): void {
    this.dead.add(exit);
    for (const steering of Object.values(this.steerings)) steering.onPathChange([exit]);
  }

  packet(flow: FlowKey, space: FlowSpace = 'entry'): PuntResult {
    return this.flows.packet(flow, undefined, 48, space);
  }
}

export const flowOf = (number: number): FlowKey => ({ source: `2001:db8:c::${(number >> 12).toString(16)}`, destination: SERVICE, protocol: 17, sourcePort: 1024 + (number & 0xfff), destinationPort: 80 });

/** Edge networks and the core between them: inside one all routers hear each other by OSPFv3; all that speak BGP hear each other by BGP. */
export class TestNetwork {
  readonly clock = new ManualClock();
  private readonly edgeOf = new Map<TestRouter, number>();
  private readonly speakers = new Set<TestRouter>();
  readonly routers: TestRouter[] = [];

  /** `knowsRouters`: routers of an edge network know each other without any announcement of services, as the shortest path tree tells them. */
  constructor(private readonly knowsRouters = true) {}

  /** `edge`: number of the edge network whose OSPFv3 the router speaks, or undefined. */
  add(number: number, edge: number | undefined, speaksBgp: boolean, config?: HierarchyConfig): TestRouter {
    const router = new TestRouter(number, this.clock, config, (from, protocol, advertisement) => this.spread(from, protocol, advertisement), undefined, (exit) => this.knowsRouters && edge !== undefined && this.routers.some((other) => other.exit === exit && this.edgeOf.get(other) === edge));
    if (edge !== undefined) this.edgeOf.set(router, edge);
    if (speaksBgp) this.speakers.add(router);
    this.routers.push(router);
    return router;
  }

  private spread(from: TestRouter, protocol: 'bgp' | 'ospf', advertisement: Advertisement): void {
    const edge = this.edgeOf.get(from);
    const reaches = (to: TestRouter): boolean => (protocol === 'bgp' ? this.speakers.has(from) && this.speakers.has(to) : edge !== undefined && this.edgeOf.get(to) === edge);
    for (const to of this.routers) {
      if (!reaches(to)) continue;
      this.clock.setTimeout(() => to.hear(protocol, advertisement), 1);
    }
  }

  /** Announcements go round until nobody has anything to say any more. Returns how many were made. */
  settle(ms = 60_000): number {
    const before = this.routers.reduce((sum, { said }) => sum + said.length, 0);
    this.clock.advance(ms);
    return this.routers.reduce((sum, { said }) => sum + said.length, 0) - before;
  }

  /** The router that a SID belongs to. */
  ownerOf(sid: string): TestRouter {
    return this.routers.find(({ number }) => sid.startsWith(`fcbb:bb00:${number.toString(16)}:`))!;
  }
}

export const instance = (exit: number, id: number, changes: Partial<Instance> = {}): Instance => makeInstance(exit, id, changes);
