/** A facade over constants: every field has a value of its own, so that a field lost on the way is seen. */
import {
  FacadeError,
  type BgpNeighborView,
  type ChangeListener,
  type ConfigAnswer,
  type ExplainRequest,
  type FlowFilter,
  type FlowView,
  type InstanceRef,
  type InstanceUpdate,
  type RouterFacade,
  type ServiceCandidates,
} from '../../../daemon/northbound/facade.js';
import type { BfdFacade } from '../../../daemon/northbound/bfd.js';
import type { OspfFacade } from '../../../daemon/northbound/ospf.js';
import type { FlatRun } from '../../../daemon/awareness/demand/run-view.js';
import type { ModelFacade } from '../../../daemon/northbound/models.js';
import type { BgpUpdateView, TelemetryFacade } from '../../../daemon/northbound/telemetry.js';
import type { RouterEvent } from '../../../daemon/events.js';
import { bfdView } from './fake-bfd.js';
import { FakeOspf } from './fake-ospf.js';

export const SERVICE = '2001:db8:5e::1';
export const EXIT = 'fc00:0:11::1';

export const neighbor: BgpNeighborView = {
  address: 'fc00:0:100::1',
  as: 65000,
  localAddress: 'fc00:0:1::1',
  description: 'reflector',
  routerId: '10.0.0.100',
  state: 'Established',
  stateMs: 61_000,
  cpn: true,
  passive: false,
  holdTimeMs: 9000,
  capabilities: ['multiprotocol ipv6-unicast', 'add-path'],
  addPathReceive: true,
  addPathSend: false,
  prefixesReceived: 7,
  prefixesSent: 2,
  messagesReceived: 101,
  messagesSent: 99,
  updatesReceived: 11,
  updatesSent: 3,
  flaps: 1,
  group: 'reflectors',
  dynamic: false,
  routeReflectorClient: true,
  importPolicy: 'policy from-core',
  exportPolicy: 'any',
  lastError: undefined,
  role: undefined,
  shutdown: undefined,
  minimumHopLimit: undefined,
  md5: false,
  endOfRib: ['ipv6-unicast'],
  prefixesStale: 0,
  bfd: 'up',
};

export const candidates: ServiceCandidates = {
  service: SERVICE,
  candidates: [
    {
      exit: EXIT,
      instance: 1,
      sid: 'fcbb:bb00:11:e001::',
      behaviour: 'End.DX6',
      aggregate: true,
      source: 'bgp',
      peer: 'fc00:0:100::1',
      computing: [{ class: 'parallel', chip: 'gpu', total: 18_446_744_073_709_551_615n, residual: 8_000_000_000_000n }],
      load: { utilisation: 4250, queueLength: 3, activeFlows: 17 },
      serviceDelayUs: 5200.5,
      pathDelayUs: 10_010.25,
      cost: 20,
      feasible: true,
      best: true,
      weight: 0.75,
      ageMs: 1234,
      stale: false,
      draining: false,
      sequence: 1_795_000_000_001n,
      reason: '',
      grade: 'large',
      cats: [{ type: 'computing', level: 1, source: 'normalised', statistic: 'current', unit: 'none', value: 7n }, { type: 'normalised', level: 2, source: 'normalised', statistic: 'current', unit: 'none', value: 6n }],
    },
    {
      exit: 'fc00:0:12::1',
      instance: 2,
      sid: 'fcbb:bb00:12:e002::',
      behaviour: 'opaque',
      aggregate: false,
      source: 'local',
      peer: '',
      computing: [],
      load: undefined,
      serviceDelayUs: undefined,
      pathDelayUs: undefined,
      cost: 0,
      feasible: false,
      best: false,
      weight: 0,
      ageMs: 5,
      stale: true,
      draining: true,
      sequence: 7n,
      reason: 'draining',
      grade: undefined,
      cats: [],
    },
  ],
};

export const flow: FlowView = {
  kind: 'border',
  side: 'outward',
  source: '2001:db8:c::2',
  destination: SERVICE,
  protocol: 6,
  sourcePort: 40_000,
  destinationPort: 8080,
  service: SERVICE,
  policy: 16,
  exit: EXIT,
  packets: 9_007_199_254_740_993n,
  bytes: 123_456n,
  ageMs: 2500,
  idleMs: 12.5,
};

const changed: ConfigAnswer = {
  ok: true,
  problems: [],
  warnings: [{ file: '/etc/cpn/cpnd.yaml', line: 3, column: 5, field: 'cpn.stamp', text: 'slow' }],
  changes: [{ field: 'cpn.stamp.lost', before: '3', after: undefined, part: 'stamp', effect: 'now' }],
};

const refused: ConfigAnswer = {
  ok: false,
  problems: [{ file: 'bad.yaml', line: 2, column: 7, field: 'router.id', expected: 'an IPv4 address', found: '"x"' }],
  warnings: [],
  changes: [],
};

export class FakeFacade implements RouterFacade {
  readonly calls: unknown[] = [];
  ospf: OspfFacade = new FakeOspf();
  bfd: BfdFacade = { view: () => Promise.resolve(bfdView) };
  updateListener: ((update: BgpUpdateView) => void) | undefined;
  readonly telemetry: TelemetryFacade = {
    onUpdate: (filter, listener) => {
      this.calls.push({ onUpdate: filter });
      this.updateListener = listener;
      return () => (this.updateListener = undefined);
    },
    dumpTable: (path) => {
      this.calls.push({ dumpTable: path });
      return Promise.resolve({ prefixes: 3, paths: 4, octets: 18_446_744_073_709_551_615n });
    },
    collectors: () => ({ bmp: [{ station: '[::1]:11019', connected: true, connections: 2, messages: 7n, octets: 900n, givenUp: 1 }], mrt: { written: 5n, dropped: 6n }, metrics: '[::1]:9342' }),
  };
  readonly models: ModelFacade = {
    models: (service) => {
      this.calls.push({ models: service });
      const errors = { count: 120, maeUs: 350.5, rmseUs: 500.25, mape: 0.04, r2: 0.97 };
      return [
        { service: SERVICE, scope: '', runs: 120, chosen: 'queueing', reason: '', fittedMs: 2500, coefficients: { work: 1e6, constant: 500 }, queueing: errors, forest: { ...errors, maeUs: 400 }, mean: { ...errors, maeUs: 9000, r2: 0 }, low: 0.9, high: 1.2, level: 0.9 },
        { service: SERVICE, scope: `${EXIT}#1`, runs: 5, chosen: undefined, reason: '5 runs: at least 10 are needed', fittedMs: undefined, coefficients: {}, queueing: undefined, forest: undefined, mean: undefined, low: undefined, high: undefined, level: undefined },
      ];
    },
    predict: (request) => {
      this.calls.push({ predict: request });
      if (request.service !== SERVICE) throw new FacadeError('notFound', `no candidate of service ${request.service}`);
      return {
        service: request.service,
        candidates: [
          { exit: EXIT, instance: 1, capacity: 1e12, computingUsed: 0.25, estimate: { latencyUs: 4800, lowUs: 4000, highUs: 6000, level: 0.9, form: 'queueing', beyond: [], runs: 120, scope: '' }, statedUs: 5200 },
          { exit: 'fc00:0:12::1', instance: 2, capacity: 0, computingUsed: 0, estimate: undefined, statedUs: 7000 },
        ],
      };
    },
    runs: (service) => {
      this.calls.push({ runs: service });
      return this.taskRuns;
    },
    addRuns: (runs) => {
      this.calls.push({ addRuns: runs.length });
      return { taken: runs.length, refused: 1, faults: ['run 3: latency'] };
    },
  };
  taskRuns: readonly FlatRun[] = [];
  rib: ServiceCandidates[] = [candidates];
  neighbors: BgpNeighborView[] = [neighbor];
  pinned: FlowView[] = [flow];
  bgpConfigured = true;
  healthy = true;
  private readonly changeListeners = { rib: new Set<ChangeListener>(), bgp: new Set<ChangeListener>() };
  private readonly eventListeners = new Set<(event: RouterEvent) => void>();

  get watchers(): number {
    return this.changeListeners.rib.size + this.changeListeners.bgp.size + this.eventListeners.size;
  }

  changed(topic: 'rib' | 'bgp', key: string | undefined): void {
    for (const listener of this.changeListeners[topic]) listener(key);
  }

  emit(event: RouterEvent): void {
    for (const listener of this.eventListeners) listener(event);
  }

  status(): ReturnType<RouterFacade['status']> {
    return {
      name: 'entry',
      id: '10.0.0.1',
      version: '0.1.0',
      loopback: 'fc00:0:1::1',
      locator: 'fcbb:bb00:1::/48',
      as: 65000,
      uptimeMs: 90_000,
      configFile: '/etc/cpn/cpnd.yaml',
      dataplane: 'kernel',
      bgpEstablished: 1,
      bgpConfigured: 2,
      routes: 12,
      services: 3,
      candidates: 9,
      policies: 48,
      flows: 100_000,
      notes: ['no VRF in this kernel'],
      counters: { punted: 18_446_744_073_709_551_615n },
    };
  }

  doctor(): ReturnType<RouterFacade['doctor']> {
    return Promise.resolve([{ name: 'bgp-sessions', status: this.healthy ? 'ok' : 'fail', detail: '1 of 2', mend: this.healthy ? '' : 'look at the neighbor' }]);
  }

  interfaces(): ReturnType<RouterFacade['interfaces']> {
    return [{ name: 'eth1', index: 2, role: 'client', up: true, mtu: 1500, addresses: ['2001:db8:c::1/64'] }];
  }

  *routes(): ReturnType<RouterFacade['routes']> {
    const unprotected = { backups: [], backupInstalled: false, backupActive: false };
    const backups = [{ protects: ['eth1'], via: 'fe80::3', interface: 'eth2', segments: ['fcbb:bb00:3:100::', 'fcbb:bb00:4:2::'] }];
    const nextHops = [{ via: 'fe80::2', interface: 'eth1', weight: 1 }];
    yield { prefix: 'fc00:0:4::1/128', source: 'ospf', peer: '', distance: 110, metric: 20, best: true, nextHops, installed: true, error: undefined, backups, backupInstalled: true, backupActive: true };
    yield { prefix: 'fc00:0:2::1/128', source: 'bgp', peer: 'fc00:0:100::1', distance: 200, metric: 10, best: true, nextHops: [{ via: '2001:db8::2', interface: undefined, weight: 1 }], installed: true, error: undefined, ...unprotected };
    yield { prefix: '2001:db8:9::/48', source: 'static', peer: '', distance: 1, metric: 0, best: true, nextHops: [], installed: false, error: 'no route to host', ...unprotected };
  }

  sids(): ReturnType<RouterFacade['sids']> {
    return [
      { sid: 'fcbb:bb00:1::/128', behaviour: 'End', interface: 'lo', nextHop: undefined, table: undefined, service: undefined, instance: undefined, installed: true, error: undefined },
      { sid: 'fcbb:bb00:1:e001::/128', behaviour: 'End.DX6', interface: 'eth2', nextHop: '2001:db8:b::2', table: 254, service: SERVICE, instance: 1, installed: false, error: 'busy' },
    ];
  }

  configDiff(text: string, file: string): ConfigAnswer {
    this.calls.push(['configDiff', text, file]);
    return text.includes('bad') ? refused : changed;
  }

  configReload(): Promise<ConfigAnswer> {
    return Promise.resolve(this.healthy ? changed : refused);
  }

  bgpSummary(): ReturnType<RouterFacade['bgpSummary']> {
    if (!this.bgpConfigured) throw new FacadeError('notConfigured', 'BGP is not configured');
    return { as: 65000, routerId: '10.0.0.1', routes: 5, paths: 8, neighbors: this.neighbors };
  }

  bgpNeighbors(address: string | undefined): readonly BgpNeighborView[] {
    const found = this.neighbors.filter((entry) => address === undefined || entry.address === address);
    if (address !== undefined && found.length === 0) throw new FacadeError('notFound', `no neighbor ${address}`);
    return found;
  }

  *bgpRoutes(prefix: string | undefined): ReturnType<RouterFacade['bgpRoutes']> {
    this.calls.push(['bgpRoutes', prefix]);
    yield {
      prefix: `${SERVICE}/128`,
      paths: [
        { peer: 'fc00:0:100::1', pathId: 3, nextHop: EXIT, origin: 'igp', asPath: '65001 65002', localPref: 100, med: undefined, communities: ['no-export'], extendedCommunities: ['rt:65000:1'], largeCommunities: ['65000:1:2'], rejected: false, originatorId: '10.0.0.9', clusterList: ['10.0.0.8', '10.0.0.7'], best: true, stale: false, reason: 'only path', cpn: { exit: EXIT, sequence: 1_795_000_000_001n, instances: [1, 4_294_967_295] } },
        { peer: 'local', pathId: 0, nextHop: 'fc00:0:1::1', origin: 'incomplete', asPath: '', localPref: undefined, med: 5, communities: [], extendedCommunities: [], largeCommunities: [], rejected: true, originatorId: undefined, clusterList: [], best: false, stale: true, reason: 'higher MED', cpn: undefined },
      ],
    };
  }

  clearBgp(address: string, soft: boolean, message: string): void {
    this.bgpNeighbors(address);
    this.calls.push(['clearBgp', address, soft, message]);
  }

  shutdownBgp(address: string, message: string): void {
    this.bgpNeighbors(address);
    this.calls.push(['shutdownBgp', address, message]);
  }

  enableBgp(address: string): void {
    this.bgpNeighbors(address);
    this.calls.push(['enableBgp', address]);
  }

  bgpPolicies(name: string | undefined): ReturnType<RouterFacade['bgpPolicies']> {
    if (name !== undefined && name !== 'from-core') throw new FacadeError('notFound', `no policy ${name}`);
    const rules = [{ rule: 1, name: 'bogons', match: 'prefixList bogons', set: '', action: 'reject', hits: 18_446_744_073_709_551_615n }];
    return [{ name: 'from-core', description: 'what the core says', rules, defaultAction: 'accept', defaultHits: 3n }];
  }

  testBgpPolicy(request: Parameters<RouterFacade['testBgpPolicy']>[0]): ReturnType<RouterFacade['testBgpPolicy']> {
    this.calls.push(['testBgpPolicy', request]);
    const { asPath, communities, extendedCommunities, largeCommunities, med, localPref, origin } = request;
    const steps = [
      { rule: 1, name: 'bogons', matched: false, unmet: 'prefixList', action: 'reject' },
      { rule: 0, name: 'default', matched: true, unmet: undefined, action: 'accept' },
    ];
    return { accepted: request.name === 'from-core', by: 'from-core default', steps, asPath, communities, extendedCommunities, largeCommunities, med, localPref, origin, nextHop: 'self' };
  }

  services(): ReturnType<RouterFacade['services']> {
    return [
      { service: SERVICE, candidates: 2, feasible: 1, local: 1, best: { exit: EXIT, instance: 1 }, flows: 7, requirements: 'latency 50ms', strategy: 'weighted' },
      { service: '2001:db8:5e::2', candidates: 0, feasible: 0, local: 0, best: undefined, flows: 0, requirements: '', strategy: 'weighted' },
    ];
  }

  *computingRib(service: string | undefined): Iterable<ServiceCandidates> {
    const found = this.rib.filter((entry) => service === undefined || entry.service === service);
    if (service !== undefined && found.length === 0) throw new FacadeError('notFound', `no candidates for ${service}`);
    yield* found;
  }

  comnet(): ReturnType<RouterFacade['comnet']> {
    return {
      nodes: [
        { id: 'fc00:0:1::1', name: 'entry', kind: 'self', computing: [] },
        { id: EXIT, name: undefined, kind: 'exit', computing: [{ service: SERVICE, instance: 1, grade: 'large', total: 10_000_000_000_000n, residual: 8_000_000_000_000n, utilisation: 0.2, draining: false }] },
        { id: '2001:db8:0:1::2', name: undefined, kind: 'router', computing: [] },
      ],
      edges: [
        {
          from: 'fc00:0:1::1', to: '2001:db8:0:1::2', kind: 'link', interface: 'eth1', via: [], up: true, delayUs: 500.5, variationUs: 20, jitterUs: 3.25, lossPpm: 1000,
          bandwidth: 1e9, sendRate: 25e7, receiveRate: 1e6, utilisation: 0.25, weight: 680.68,
        },
        {
          from: 'fc00:0:1::1', to: EXIT, kind: 'way', interface: 'eth1', via: ['fcbb:bb00:2::'], up: false, delayUs: undefined, variationUs: undefined, jitterUs: undefined, lossPpm: undefined,
          bandwidth: undefined, sendRate: undefined, receiveRate: undefined, utilisation: undefined, weight: undefined,
        },
      ],
      weight: 'expected delay',
      smoothing: 'gain 1/8',
    };
  }

  computingNodes(): ReturnType<RouterFacade['computingNodes']> {
    return [
      {
        exit: EXIT,
        local: true,
        path: { rttUs: 20_020.5, jitterUs: 12.25, lossPpm: 1000, alive: true, cost: 20, mtu: 1500, resolved: true },
        instances: [
          {
            service: SERVICE,
            instance: 1,
            address: '2001:db8:b::2',
            interface: 'eth2',
            health: 'down',
            healthReason: 'connection refused',
            draining: true,
            announced: true,
            grade: 'large',
            computing: [{ class: 'neural', chip: 'npu', total: 2n, residual: 1n }],
            load: { utilisation: 1, queueLength: 2, activeFlows: 3 },
            serviceDelay: { meanUs: 4, p99Us: 5, serviceRate: 6 },
          },
        ],
      },
      { exit: 'fc00:0:12::1', local: false, path: undefined, instances: [] },
    ];
  }

  *fib(service: string | undefined): ReturnType<RouterFacade['fib']> {
    this.calls.push(['fib', service]);
    yield {
      service: SERVICE,
      policies: [
        { id: 16, kind: 'entry', side: undefined, exit: EXIT, instance: 1, segments: ['fcbb:bb00:2::', 'fcbb:bb00:11:e001::'], weight: 0.75, mtu: 1428, flows: 5, installed: true, error: undefined },
        { id: 17, kind: 'border', side: 'outward', exit: 'fc00:0:12::1', instance: 2, segments: [], weight: 0.25, mtu: 1500, flows: 0, installed: false, error: 'map full' },
      ],
    };
  }

  async *flows(filter: FlowFilter): AsyncGenerator<FlowView> {
    this.calls.push(['flows', filter]);
    await Promise.resolve();
    yield* filter.limit > 0 ? this.pinned.slice(0, filter.limit) : this.pinned;
  }

  explain(request: ExplainRequest): ReturnType<RouterFacade['explain']> {
    this.calls.push(['explain', request]);
    const impossible = (request.requirements.maxLatencyUs ?? Infinity) < 1000;
    return {
      service: request.service,
      requirements: ['latency 50ms (default of the service)'],
      candidates: [
        { exit: EXIT, instance: 1, feasible: !impossible, reasons: ['path 10ms', 'service 5ms'], pathDelayUs: 10_000, serviceDelayUs: 5000, latencyUs: 25_000, score: 0.5, weight: 1, best: !impossible, forecast: { model: 'learned', horizonMs: 1000, announced: { utilisation: 4000, queueLength: 3, activeFlows: 1 }, predicted: { utilisation: 3610, queueLength: 2, activeFlows: 1 }, error: 320, lastValueError: 410, announcements: 12 }, demand: { latencyUs: 4800, lowUs: 4000, highUs: 6000, level: 0.9, form: 'queueing', beyond: ['workload'], runs: 120, scope: `${EXIT}#1` } },
        { exit: 'fc00:0:12::1', instance: 2, feasible: false, reasons: ['draining'], pathDelayUs: undefined, serviceDelayUs: undefined, latencyUs: undefined, score: undefined, weight: 0, best: false, forecast: undefined, demand: undefined },
      ],
      chosen: impossible ? undefined : { exit: EXIT, instance: 1, policy: undefined, segments: ['fcbb:bb00:11:e001::'] },
      verdict: impossible ? 'no exit is fast enough' : `to ${EXIT}#1, the least latency`,
      strategy: 'weighted',
    };
  }

  drain(reference: InstanceRef, draining: boolean, graceMs: number): ReturnType<RouterFacade['drain']> {
    this.calls.push(['drain', reference, draining, graceMs]);
    if (reference.id === 99) throw new FacadeError('notFound', 'no local instance 99');
    if (reference.id === 2 && reference.service === undefined) throw new FacadeError('invalid', 'two services have an instance 2');
    return { service: SERVICE, instance: reference.id, draining, health: 'up', sequence: 1_795_000_000_002n };
  }

  clearFlows(filter: FlowFilter): Promise<number> {
    this.calls.push(['clearFlows', filter]);
    return Promise.resolve(42);
  }

  updateInstance(reference: InstanceRef, update: InstanceUpdate): ReturnType<RouterFacade['updateInstance']> {
    this.calls.push(['updateInstance', reference, update]);
    if (reference.id === 77) throw new TypeError('a bug');
    return { service: SERVICE, instance: reference.id, draining: false, health: 'unchecked', sequence: 1_795_000_000_003n };
  }

  registeredNodes(): ReturnType<RouterFacade['registeredNodes']> {
    const service = { service: SERVICE, instance: 49_153, sid: 'fcbb:bb00:11:c001::', address: '2001:db8:b:1::2', mode: 'always', state: 'active', reason: '', priority: 5, demand: [{ class: 'parallel', operations: 1_000n }], memory: 7n };
    const node: ReturnType<RouterFacade['registeredNodes']>['nodes'][number] = {
      node: 'node7',
      name: 'rack 7',
      state: 'attached',
      authenticated: 'token',
      interface: 'eth2',
      registeredMs: 5000,
      heardMs: 20,
      leaseMs: 9980,
      clockOffsetMs: -3,
      chips: [{ kind: 'gpu', model: 'GTX 680', count: 2, cores: 1536, clockHz: 1.006e9, operationsPerCycle: { parallel: 2 }, measuredPeak: {} }],
      computing: [{ class: 'parallel', chip: 'gpu', total: 6_180_000_000_000n, residual: 3_000_000_000_000n }],
      memoryTotal: 8_000_000_000n,
      memoryFree: 1_000_000_000n,
      storage: [{ name: '/', ability: 'file', quality: 'ssd', total: 1000n, residual: 10n, readRate: 3n, writeRate: 2n }],
      interfaces: [{ name: 'eth0', capacity: 1_000_000_000n, available: 999n }],
      location: { latitude: 52.5, longitude: 13.25 },
      services: [service],
      measured: [{ class: 'neural', chip: 'cpu', operations: 210_000_000_000n, spread: 0.02, unixMs: 1_700_000_000_000 }],
      counters: { updates: 17n },
    };
    return { nodes: [node], counters: { refusedNodes: 1n } };
  }

  setServiceActive(node: string, service: string, active: boolean): ReturnType<RouterFacade['setServiceActive']> {
    this.calls.push(['setServiceActive', node, service, active]);
    if (node === 'nobody') throw new FacadeError('notFound', 'no registered node nobody');
    return { ...this.registeredNodes().nodes[0]!.services[0]!, state: active ? 'activating' : 'deactivating', reason: 'an operator asked for it' };
  }

  onChange(topic: 'rib' | 'bgp', listener: ChangeListener): () => void {
    this.changeListeners[topic].add(listener);
    return () => void this.changeListeners[topic].delete(listener);
  }

  onEvent(listener: (event: RouterEvent) => void): () => void {
    this.eventListeners.add(listener);
    return () => void this.eventListeners.delete(listener);
  }
}
