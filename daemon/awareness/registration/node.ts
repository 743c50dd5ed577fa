/** One registered computing node as the router knows it: what it said last, its services, and what is announced of each. Pure. */
import type { Coefficients } from '../../computing/model/chips.js';
import { gradeOf } from '../../computing/model/grade.js';
import { COMPUTING_CLASS_NAMES, STORAGE_ABILITY_NAMES, STORAGE_QUALITY_NAMES } from '../../computing/names.js';
import type { Computing, ComputingClass, Instance, SidInfo, Storage } from '../../computing/types.js';
import type { RegistrationConfig, RegistrationNodeConfig } from '../../config/registration.js';
import type { InstanceConfig } from '../../config/types.js';
import type { InstanceFacts, InstanceUpdate, NamedComputing } from '../instance.js';
import type { Allocation } from './allocation.js';
import { freeOf, modelledComputing, NodePeaks } from './capacity.js';
import { mergeBy } from './merge.js';
import { Orchestration, type NodeCapacity } from './orchestration.js';
import { UpdatePace } from './pace.js';
import type { MeasuredComputing, NodeDescription, NodeUpdate, RegisteredNodeView, RouterMessage, ServiceOffer, StorageVolume } from './types.js';

/** The stream to a node. */
export interface NodeChannel {
  send(message: RouterMessage): void;
  /** Ends the stream with the reason for the node. */
  close(code: 'exhausted' | 'unavailable' | 'denied', reason: string): void;
}

/** How a node showed who it is. */
export type Authentication = 'token' | 'certificate' | 'socket';

export interface NodeIdentity {
  /** Undefined: whoever may open the socket says who it is. */
  readonly node: string | undefined;
  readonly by: Authentication;
}

export interface NodeCounters {
  registrations: bigint;
  updates: bigint;
  /** Updates that came too often and were gathered. */
  gathered: bigint;
  /** Claims that were cut down. */
  limited: bigint;
  /** Messages and services that were refused. */
  refused: bigint;
  clockJumps: bigint;
  floods: bigint;
  leasesExpired: bigint;
}

/** A service of a node that was granted. */
export interface GrantedService extends Allocation {
  readonly offer: ServiceOffer;
  readonly interface: string;
  load: InstanceUpdate['load'];
  serviceDelay: InstanceUpdate['serviceDelay'];
}

export class NodeRecord {
  channel: NodeChannel | undefined;
  restored = false;
  registeredAt: number;
  heardAt: number;
  leaseMs: number;
  clockOffsetMs = 0;
  readonly services = new Map<string, GrantedService>();
  readonly orchestration: Orchestration;
  readonly pace: UpdatePace;
  readonly counters: NodeCounters = { registrations: 0n, updates: 0n, gathered: 0n, limited: 0n, refused: 0n, clockJumps: 0n, floods: 0n, leasesExpired: 0n };
  peaks = new NodePeaks();
  /** Capacities that the node does not state, by "class chip". */
  modelled: ReadonlySet<string> = new Set();
  /** Gathered updates that wait for their turn. */
  pending: NodeUpdate | undefined;
  /** Kinds of notices given lately -> when. */
  readonly noticed = new Map<string, number>();

  constructor(
    public description: NodeDescription,
    public authenticated: Authentication,
    public policy: RegistrationNodeConfig,
    config: RegistrationConfig,
    now: number,
  ) {
    this.registeredAt = now;
    this.heardAt = now;
    this.leaseMs = config.leaseMs;
    this.orchestration = new Orchestration(config);
    this.pace = new UpdatePace(config.updatesPerSecond, now);
  }

  get id(): string {
    return this.description.node;
  }

  get state(): RegisteredNodeView['state'] {
    return this.channel ? 'attached' : this.restored ? 'restored' : 'lost';
  }

  /** What the services share: totals of all chips of a class, and memory. */
  get capacity(): NodeCapacity {
    const operations = new Map<string, bigint>();
    for (const { class: name, total } of this.description.computing) operations.set(name, (operations.get(name) ?? 0n) + total);
    return { operations, memory: this.description.memoryTotal };
  }

  /** Takes in what benchmarks found; returns what of it does not count as it is. */
  remodel(measured: readonly MeasuredComputing[], nowMs: number, coefficients: Coefficients): readonly string[] {
    this.peaks.observeBenchmarks(measured, nowMs);
    if (this.modelled.size === 0) return [];
    const { computing, limited } = modelledComputing(this.description.chips, this.peaks, nowMs, coefficients);
    const changed = computing.filter((entry) => this.modelled.has(`${entry.class} ${entry.chip}`));
    this.description = { ...this.description, computing: mergeBy(this.description.computing, changed, (entry) => `${entry.class} ${entry.chip}`) };
    return limited;
  }

  /** What is announced of its computing power, at the load that a service reports, where the node itself does not say what is free. */
  computingUnder(utilisation: number | undefined): readonly NamedComputing[] {
    const there = this.description.computing.filter(({ total }) => total > 0n);
    if (this.modelled.size === 0 || utilisation === undefined) return there;
    return there.map((entry) => (this.modelled.has(`${entry.class} ${entry.chip}`) ? freeOf(entry, utilisation) : entry));
  }

  isActive(service: string): boolean {
    return this.orchestration.machines.get(service)?.state === 'active';
  }

  /** Takes in the node-wide part of an update; true when something that stands in the facts of instances changed. */
  merge(update: NodeUpdate): boolean {
    const { description } = this;
    if (update.computing.length > 0) this.modelled = new Set([...this.modelled].filter((key) => !update.computing.some((entry) => `${entry.class} ${entry.chip}` === key)));
    this.description = {
      ...description,
      unixMs: update.unixMs,
      memoryFree: update.memoryFree ?? description.memoryFree,
      computing: mergeBy(description.computing, update.computing, (entry) => `${entry.class} ${entry.chip}`),
      storage: mergeBy(description.storage, update.storage, ({ name }) => name),
      interfaces: mergeBy(description.interfaces, update.interfaces, ({ name }) => name),
      measured: mergeBy(description.measured, update.measured, (entry) => `${entry.class} ${entry.chip}`),
    };
    return update.storage.length > 0 || update.interfaces.length > 0;
  }

  /** The instance of a granted service as the configuration would have it. */
  instanceConfig({ offer, instance, sid, interface: name }: GrantedService, check: RegistrationConfig['healthCheck']): InstanceConfig {
    return {
      service: offer.service,
      id: instance,
      node: { address: offer.address, interface: name },
      sid,
      computing: this.description.computing as InstanceConfig['computing'],
      serviceRate: offer.serviceDelay?.serviceRate ?? 0,
      serviceDelay: { meanUs: offer.serviceDelay?.meanUs ?? 0, p99Us: offer.serviceDelay?.p99Us ?? 0 },
      queueCapacity: offer.queueCapacity,
      healthCheck: check && { ...check, kind: offer.healthPort > 0 ? 'tcp' : 'icmp', address: offer.address, port: offer.healthPort },
    };
  }

  facts({ offer }: GrantedService): InstanceFacts {
    const { storage, interfaces, location, energy, price, algorithms } = this.description;
    const widest = interfaces.filter(({ capacity }) => capacity > 0n).reduce<(typeof interfaces)[number] | undefined>((best, entry) => (best && best.capacity >= entry.capacity ? best : entry), undefined);
    return {
      storage: pooled(storage.filter(({ total }) => total > 0n)),
      interface: widest && { capacity: widest.capacity, available: widest.available },
      location,
      energy,
      price,
      algorithms,
      address: offer.address,
    };
  }

  /** What is announced of a granted service that does not run: what it would have, by a SID of the router, who activates it. */
  dormantInstance(granted: GrantedService, sid: SidInfo): Instance {
    const computing = granted.offer.demand.map(({ class: name, operations }): Computing => ({ class: code(COMPUTING_CLASS_NAMES, name) as ComputingClass, chip: MIXED, total: operations, residual: operations }));
    return { id: granted.instance, aggregate: true, draining: false, sid, computing, load: undefined, serviceDelay: undefined, ...this.facts(granted), cats: [], grade: gradeOf(computing) };
  }

  view(now: number): RegisteredNodeView {
    const { description } = this;
    return {
      node: this.id,
      name: description.name,
      state: this.state,
      authenticated: this.authenticated,
      interface: [...new Set([...this.services.values()].map((granted) => granted.interface))].join(', '),
      registeredMs: now - this.registeredAt,
      heardMs: now - this.heardAt,
      leaseMs: Math.max(0, this.heardAt + this.leaseMs - now),
      clockOffsetMs: this.clockOffsetMs,
      chips: description.chips,
      computing: description.computing,
      memoryTotal: description.memoryTotal,
      memoryFree: description.memoryFree,
      storage: description.storage,
      interfaces: description.interfaces,
      location: description.location,
      services: [...this.services.values()].map(({ offer, instance, sid }) => {
        const machine = this.orchestration.machines.get(offer.service);
        const { service, address, mode, priority, demand, memory } = offer;
        return { service, instance, sid, address, mode, state: machine?.state ?? 'inactive', reason: machine?.reason ?? '', priority, demand, memory };
      }),
      measured: description.measured,
      counters: { ...this.counters },
    };
  }
}

/** Chip code: not told apart. */
const MIXED = 0;

const code = (names: Readonly<Record<number, string>>, name: string): number => Number(Object.entries(names).find(([, text]) => text === name)?.[0] ?? 0);

/** Volumes of the same ability and quality as one: an announcement has little room. */
function pooled(volumes: readonly StorageVolume[]): Storage[] {
  const pools = new Map<string, Storage>();
  for (const { ability, quality, total, residual, readRate, writeRate } of volumes) {
    const pool = pools.get(`${ability} ${quality}`);
    pools.set(`${ability} ${quality}`, {
      ability: code(STORAGE_ABILITY_NAMES, ability) as Storage['ability'],
      quality: code(STORAGE_QUALITY_NAMES, quality),
      total: total + (pool?.total ?? 0n),
      residual: residual + (pool?.residual ?? 0n),
      readRate: readRate + (pool?.readRate ?? 0n),
      writeRate: writeRate + (pool?.writeRate ?? 0n),
    });
  }
  return [...pools.values()];
}

