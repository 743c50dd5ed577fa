/** Networks of speakers in memory, on a clock that moves only when told to. */
import { ManualClock } from '../../../daemon/clock.js';
import type { BgpConfig, BgpNeighborConfig } from '../../../daemon/config/types.js';
import type { ServicePath, ServiceRouteChange, UnicastBest, UnicastChange } from '../../../daemon/bgp/change-feed.js';
import type { BgpEvent } from '../../../daemon/bgp/environment.js';
import { MemoryNetwork } from '../../../daemon/bgp/memory-transport.js';
import { BgpSpeaker, type SpeakerOptions } from '../../../daemon/bgp/speaker.js';
import type { NeighborView, RouteView } from '../../../daemon/bgp/views.js';

export const addressOf = (index: number): string => `2001:db8::${index.toString(16)}`;

export function neighbor(address: string, localAddress: string, as: number, options: Partial<BgpNeighborConfig> = {}): BgpNeighborConfig {
  return {
    address,
    port: 179,
    as,
    localAddress,
    description: '',
    passive: false,
    holdTimeMs: 90_000,
    connectRetryMs: 5000,
    ttl: 255,
    minimumTtl: undefined,
    password: undefined,
    cpn: false,
    cpnAccept: [],
    addPath: { receive: false, send: false },
    nextHopSelf: false,
    import: 'any',
    export: 'any',
    ...options,
  };
}

/** A small deterministic source of numbers in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface NodeOptions {
  readonly as?: number;
  readonly servicePrefixes?: readonly string[];
  /** Next hops that do not resolve. */
  readonly unresolved?: ReadonlySet<string>;
  readonly cost?: (address: string) => number | undefined;
  readonly identifier?: string;
  readonly vpn?: SpeakerOptions['config']['vpn'];
  readonly speaker?: Partial<SpeakerOptions>;
  /** Policies, cluster and the like. */
  readonly bgp?: Partial<BgpConfig>;
}

/** One router: its speaker and what the speaker said. */
export class Node {
  readonly address: string;
  readonly as: number;
  readonly identifier: string;
  speaker: BgpSpeaker;
  /** Best learned unicast routes, as a unicast RIB would hold them. */
  readonly unicast = new Map<string, UnicastBest>();
  /** The same of VPN routes with a route target of this router. */
  readonly imported = new Map<string, UnicastBest>();
  readonly service = new Map<string, ServicePath>();
  readonly events: BgpEvent[] = [];
  unicastChanges = 0;
  neighbors: BgpNeighborConfig[] = [];
  bgp: Partial<BgpConfig>;

  constructor(
    private readonly network: Network,
    index: number,
    private readonly options: NodeOptions,
  ) {
    this.address = addressOf(index);
    this.as = options.as ?? 65000;
    this.bgp = options.bgp ?? {};
    this.identifier = options.identifier ?? `10.0.0.${index}`;
    this.speaker = this.build();
  }

  /** A new speaker with the neighbours configured so far, as after a restart of the process. */
  build(overrides: Partial<SpeakerOptions> = {}): BgpSpeaker {
    const { options } = this;
    this.unicast.clear();
    this.imported.clear();
    this.service.clear();
    this.speaker = new BgpSpeaker({
      config: this.config(),
      router: { id: this.identifier, loopback: this.address },
      servicePrefixes: options.servicePrefixes ?? [],
      clock: this.network.clock,
      transport: this.network.links,
      random: randomFrom(this.network.seed++),
      resolveNextHop: (address) => {
        const cost = options.cost ? options.cost(address) : 10;
        return options.unresolved?.has(address) || cost === undefined ? undefined : { cost };
      },
      ...options.speaker,
      ...overrides,
    });
    this.speaker.onUnicastRoutes((changes) => this.learn(changes));
    this.speaker.onServiceRoutes((changes) => this.learnService(changes));
    this.speaker.onEvent((event) => this.events.push(event));
    return this.speaker;
  }

  config(): SpeakerOptions['config'] {
    return { as: this.as, listen: { addresses: [this.address], port: 179 }, networks: [], neighbors: this.neighbors, ...(this.options.vpn && { vpn: this.options.vpn }), ...this.bgp };
  }

  view(other: Node | string): NeighborView {
    const address = typeof other === 'string' ? other : other.address;
    const view = this.speaker.neighbors().find((candidate) => candidate.address === address);
    if (!view) throw new Error(`${this.address} has no neighbour ${address}`);
    return view;
  }

  state(other: Node | string): string {
    return this.view(other).state;
  }

  /** Usable paths of a prefix. */
  paths(prefix: string): RouteView[] {
    return this.speaker.routes(prefix).filter((route) => !route.rejected);
  }

  best(prefix: string): RouteView | undefined {
    return this.speaker.routes(prefix).find((route) => route.best);
  }

  private learn(changes: readonly UnicastChange[]): void {
    for (const { prefix, vpn, best } of changes) {
      this.unicastChanges++;
      const routes = vpn ? this.imported : this.unicast;
      if (best) routes.set(prefix.toString(), best);
      else routes.delete(prefix.toString());
    }
  }

  private learnService(changes: readonly ServiceRouteChange[]): void {
    for (const { prefix, rd, peer, pathId, path } of changes) {
      const key = `${rd === undefined ? '' : `${rd} `}${prefix.toString()} ${peer} ${pathId}`;
      if (path) this.service.set(key, path);
      else this.service.delete(key);
    }
  }
}

export class Network {
  readonly clock = new ManualClock();
  readonly links = new MemoryNetwork(this.clock, 1);
  seed = 1;
  private count = 0;

  node(options: NodeOptions = {}): Node {
    return new Node(this, ++this.count, options);
  }

  /** Configures both ends of a session. */
  connect(left: Node, right: Node, leftOptions: Partial<BgpNeighborConfig> = {}, rightOptions: Partial<BgpNeighborConfig> = {}): void {
    left.neighbors.push(neighbor(right.address, left.address, right.as, leftOptions));
    right.neighbors.push(neighbor(left.address, right.address, left.as, rightOptions));
  }

  start(...nodes: Node[]): void {
    for (const node of nodes) {
      node.build();
      node.speaker.start();
    }
  }

  /** Two nodes with one session that is up. */
  static pair(left: NodeOptions = {}, right: NodeOptions = {}, leftOptions: Partial<BgpNeighborConfig> = {}, rightOptions: Partial<BgpNeighborConfig> = {}): { network: Network; a: Node; b: Node } {
    const network = new Network();
    const a = network.node(left);
    const b = network.node(right);
    network.connect(a, b, leftOptions, rightOptions);
    network.start(a, b);
    network.settle();
    return { network, a, b };
  }

  /** Lets everything that is under way happen; less than any protocol timer. */
  settle(ms = 500): void {
    this.clock.advance(ms);
  }
}
