/** A registry over fakes: what it would tell the local instances, the kernel and the nodes is kept. */
import type { LabelledRun } from '../../../../daemon/computing/model/history.js';
import type { RegisteredSid, RegistryConfig, SavedNode } from '../../../../daemon/awareness/registration/parts.js';
import { NodeRegistry } from '../../../../daemon/awareness/registration/registry.js';
import type { NodeChannel } from '../../../../daemon/awareness/registration/node.js';
import type { NodeDescription, NodeUpdate, RouterMessage, ServiceOffer } from '../../../../daemon/awareness/registration/types.js';
import type { InstanceFacts, InstanceUpdate } from '../../../../daemon/awareness/instance.js';
import { ManualClock } from '../../../../daemon/clock.js';
import type { InstanceConfig } from '../../../../daemon/config/types.js';
import type { RegistrationConfig } from '../../../../daemon/config/registration.js';
import { EventLog } from '../../../../daemon/events.js';

export const SERVICE = '2001:db8:5e::1';
export const OTHER = '2001:db8:5e::2';

export const registration: RegistrationConfig = {
  listen: [],
  tls: undefined,
  tokens: undefined,
  stateFile: '/nowhere',
  leaseMs: 10_000,
  updateIntervalMs: 1000,
  threshold: 0.02,
  restartWaitMs: 30_000,
  activationTimeoutMs: 5000,
  idleMs: 1000,
  maxNodes: 100,
  updatesPerSecond: 20,
  healthCheck: undefined,
  nodes: [
    { id: 'node1', services: ['2001:db8:5e::/64'], addresses: ['2001:db8:b:1::/64'], interface: undefined, limits: { logical: undefined, parallel: undefined, neural: undefined, measuredFactor: 4, maxServices: 4 } },
    { id: 'node2', services: ['2001:db8:5e::2/128'], addresses: [], interface: undefined, limits: { logical: undefined, parallel: 1_000_000_000_000n, neural: undefined, measuredFactor: 4, maxServices: 4 } },
  ],
};

export const registryConfig: RegistryConfig = {
  registration,
  router: { name: 'exit1', loopback: 'fc00:0:11::1', locator: 'fcbb:bb00:11::/48', sidStructure: { block: 32, node: 16, function: 16, argument: 0 } },
  servicePrefixes: ['2001:db8:5e::/48'],
  instances: [],
};

export const offer = (values: Partial<ServiceOffer> = {}): ServiceOffer => ({
  service: SERVICE,
  address: '2001:db8:b:1::2',
  mode: 'always',
  active: true,
  priority: 1,
  demand: [],
  memory: 0n,
  healthPort: 0,
  queueCapacity: 0,
  serviceDelay: undefined,
  ...values,
});

/** A GTX 680 with a processor beside it. */
export const description = (clock: ManualClock, values: Partial<NodeDescription> = {}): NodeDescription => ({
  node: 'node1',
  name: 'rack 1',
  unixMs: clock.unixMs(),
  chips: [
    { kind: 'gpu', model: 'GTX 680', count: 1, cores: 1536, clockHz: 1.006e9, operationsPerCycle: { parallel: 2 }, measuredPeak: {} },
    { kind: 'cpu', model: 'EPYC', count: 1, cores: 8, clockHz: 3e9, operationsPerCycle: {}, measuredPeak: { parallel: 1e11 } },
  ],
  computing: [{ class: 'parallel', chip: 'gpu', total: 3_090_432_000_000n, residual: 1_000_000_000_000n }],
  memoryTotal: 8n << 30n,
  memoryFree: 4n << 30n,
  storage: [],
  interfaces: [],
  location: undefined,
  energy: undefined,
  price: undefined,
  algorithms: [],
  services: [offer()],
  measured: [],
  ...values,
});

export const update = (clock: ManualClock, values: Partial<NodeUpdate> = {}): NodeUpdate => ({ unixMs: clock.unixMs(), computing: [], memoryFree: undefined, storage: [], interfaces: [], services: [], measured: [], ...values });

export class FakeChannel implements NodeChannel {
  readonly sent: RouterMessage[] = [];
  closed: string | undefined;

  send(message: RouterMessage): void {
    this.sent.push(message);
  }

  close(code: string, reason: string): void {
    this.closed = `${code}: ${reason}`;
  }

  /** Commands so far, as "+service" and "-service". */
  get commands(): string[] {
    return this.sent.flatMap(({ command }) => (command ? [`${command.active ? '+' : '-'}${command.service}`] : []));
  }

  get limits(): string[] {
    return this.sent.flatMap(({ limited }) => (limited ? [limited.reason] : []));
  }

  get parameters(): NonNullable<RouterMessage['parameters']> {
    return this.sent.find(({ parameters }) => parameters)!.parameters!;
  }
}

export class Scene {
  readonly clock = new ManualClock();
  readonly events = new EventLog(this.clock);
  /** By "service#id". */
  readonly instances = new Map<string, { config: InstanceConfig; facts: InstanceFacts; updates: InstanceUpdate[] }>();
  readonly sids = new Map<string, RegisteredSid>();
  readonly registry: NodeRegistry;
  readonly runs: LabelledRun[] = [];

  constructor(config: Partial<RegistryConfig> = {}, saved: readonly SavedNode[] = []) {
    this.registry = new NodeRegistry(
      { ...registryConfig, ...config },
      {
        clock: this.clock,
        events: this.events,
        instances: {
          put: (entry, facts) => void this.instances.set(`${entry.service}#${entry.id}`, { config: entry, facts, updates: this.instances.get(`${entry.service}#${entry.id}`)?.updates ?? [] }),
          remove: (service, id) => void this.instances.delete(`${service}#${id}`),
          update: ({ service, id }, change) => this.instances.get(`${service}#${id}`)!.updates.push(change),
        },
        sids: { set: (sid) => void this.sids.set(sid.sid, sid), remove: (sid) => void this.sids.delete(sid) },
        interfaceOf: (address) => (address.startsWith('2001:db8:b:1:') ? 'eth1' : address.startsWith('2001:db8:b:2:') ? 'eth2' : undefined),
        addRun: (run) => (this.runs.push(run), { ok: true, value: run }),
        onChange: () => undefined,
      },
    );
    this.registry.start(saved);
  }

  attach(values: Partial<NodeDescription> = {}, node: string | undefined = values.node ?? 'node1'): FakeChannel {
    const channel = new FakeChannel();
    this.registry.attach({ node, by: 'token' }, description(this.clock, values), channel);
    return channel;
  }

  /** Services announced now. */
  get announced(): string[] {
    return [...this.instances.values()].map(({ config }) => config.service).sort();
  }

  node(id = 'node1'): ReturnType<NodeRegistry['list']>[number] {
    return this.registry.list().find(({ node }) => node === id)!;
  }

  get eventTypes(): string[] {
    return this.events.since().map(({ type }) => type);
  }
}
