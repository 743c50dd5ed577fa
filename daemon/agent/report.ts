/** From a sample to what the node tells its router: its description, and updates with what changed since. Pure. */
import type { MeasuredComputing, NodeDescription, NodeInterface, NodeUpdate, ServiceOffer, ServiceReport, ServiceState, StorageVolume } from '../awareness/registration/types.js';
import type { NamedComputing } from '../awareness/instance.js';
import { capacityOf } from '../computing/model/chips.js';
import { DEMAND_CLASSES, type AgentConfig } from './config.js';
import type { ChipUse, Sample, ServiceSample } from './sample.js';

/** How the services of the node are, by service ID. */
export type ServiceStates = ReadonlyMap<string, { readonly state: ServiceState; readonly reason: string }>;

/** What the node has now. */
export interface NodeState extends Omit<NodeDescription, 'unixMs' | 'services'> {
  readonly services: ReadonlyMap<string, ServiceReport>;
}

const whole = (value: number): bigint => BigInt(Math.max(0, Math.round(value)));

function chipsOf(config: AgentConfig, sample: Sample): ChipUse[] {
  const stated = config.chips.map(({ kind, model, count, cores, clock, operationsPerCycle, measuredPeak }): ChipUse => ({ kind, model, count, cores, clockHz: clock, operationsPerCycle, measuredPeak, usable: 1, free: 1 }));
  const kinds = new Set(stated.map(({ kind }) => kind));
  // Chips of the configuration stand for all of their kind, with the free share that was measured.
  const measured = [...sample.chips.values()];
  const shares = (kind: string): Partial<ChipUse> => {
    const found = measured.find((chip) => chip.kind === kind);
    return found ? { usable: found.usable, free: found.free, ...(found.operationsPerCycle ? { operationsPerCycle: found.operationsPerCycle } : {}) } : {};
  };
  const all = [...stated.map((chip) => ({ ...chip, ...shares(chip.kind), operationsPerCycle: { ...shares(chip.kind).operationsPerCycle, ...chip.operationsPerCycle } })), ...measured.filter(({ kind }) => !kinds.has(kind))];
  return all.map((chip) => {
    const busy = sample.utilisation.get(chip.kind);
    return busy === undefined ? chip : { ...chip, free: chip.usable * (1 - busy) };
  });
}

/**
 * Totals and what is free of them now: peak times the share that may be used, peak times the share that is free. A total is what the configuration or a source
 * states, else what the benchmark measured, else what follows from cores and clock.
 */
function computingOf(config: AgentConfig, sample: Sample, chips: readonly ChipUse[], measured: readonly MeasuredComputing[]): NamedComputing[] {
  const found = new Map<string, { total: number; residual: number }>();
  for (const chip of chips) {
    for (const [key, peak] of capacityOf([chip])) {
      const entry = found.get(key) ?? { total: 0, residual: 0 };
      found.set(key, { total: entry.total + peak * chip.usable, residual: entry.residual + peak * chip.free });
    }
  }
  const benchmarks = new Map(measured.map((entry) => [`${entry.class} ${entry.chip}`, Number(entry.operations)]));
  const stated = new Set([...Object.keys(config.capacity), ...sample.computing.keys(), ...benchmarks.keys()]);
  for (const key of stated) {
    const known = found.get(key);
    const says = sample.computing.get(key);
    const kind = key.split(' ')[1]!;
    const total = says?.total ?? (config.capacity[key] === undefined ? (benchmarks.get(key) ?? known?.total ?? says?.residual ?? 0) : Number(config.capacity[key]));
    const free = known && known.total > 0 ? known.residual / known.total : freeShare(chips, kind, sample);
    found.set(key, { total, residual: Math.min(total, says?.residual ?? total * free) });
  }
  return [...found].map(([key, { total, residual }]) => {
    const [name = '', chip = ''] = key.split(' ');
    return { class: name, chip, total: whole(total), residual: whole(Math.min(total, residual)) };
  });
}

/** Of a class that the chips of a kind do not state by themselves. */
function freeShare(chips: readonly ChipUse[], kind: string, sample: Sample): number {
  const chip = chips.find((entry) => entry.kind === kind && entry.usable > 0);
  return chip ? chip.free / chip.usable : 1 - (sample.utilisation.get(kind) ?? 0);
}

/** Busy share of the node, for services that say nothing themselves: of the class most in demand. */
function nodeUtilisation(computing: readonly NamedComputing[]): number {
  return computing.reduce((most, { total, residual }) => (total === 0n ? most : Math.max(most, 1 - Number(residual) / Number(total))), 0);
}

function serviceReport(service: string, sample: ServiceSample | undefined, busy: number, states: ServiceStates): ServiceReport {
  const state = states.get(service);
  const { utilisation = busy, queueLength = 0, activeFlows = 0, meanUs, p99Us, serviceRate } = sample ?? {};
  return {
    service,
    state: state?.state ?? 'inactive',
    reason: state?.reason ?? '',
    load: { utilisation: Math.round(utilisation * 10_000), queueLength, activeFlows },
    serviceDelay: meanUs === undefined && p99Us === undefined && serviceRate === undefined ? undefined : { meanUs, p99Us, serviceRate },
  };
}

export function nodeState(config: AgentConfig, sample: Sample, states: ServiceStates, measured: readonly MeasuredComputing[] = []): NodeState {
  const chips = chipsOf(config, sample);
  const computing = computingOf(config, sample, chips, measured);
  const busy = nodeUtilisation(computing);
  const { node } = config;
  return {
    node: node.id,
    name: node.name ?? node.id,
    chips: chips.map(({ kind, model, count, cores, clockHz, operationsPerCycle = {}, measuredPeak = {} }) => ({ kind, model, count, cores, clockHz, operationsPerCycle, measuredPeak })),
    computing,
    memoryTotal: whole(sample.memory.total ?? 0),
    memoryFree: whole(Math.min(sample.memory.free ?? 0, sample.memory.total ?? 0)),
    storage: [...sample.storage.values()],
    interfaces: [...sample.interfaces.values()],
    location: node.location,
    energy: node.energy && { idleMw: node.energy.idle, fullMw: node.energy.full },
    price: node.price && { microUnits: BigInt(node.price.microUnits), currency: node.price.currency },
    algorithms: node.algorithms,
    services: new Map(config.services.map(({ service }) => [service, serviceReport(service, sample.services.get(service), busy, states)])),
    measured,
  };
}

export function describe(config: AgentConfig, state: NodeState, unixMs: number): NodeDescription {
  const { services, ...node } = state;
  const offers = config.services.map((entry): ServiceOffer => {
    const { demand, serviceDelay } = entry;
    const measured = services.get(entry.service)?.serviceDelay;
    const meanUs = measured?.meanUs ?? serviceDelay?.mean ?? 0;
    return {
      service: entry.service,
      address: entry.address,
      mode: entry.mode,
      active: services.get(entry.service)?.state === 'active',
      priority: entry.priority,
      demand: DEMAND_CLASSES.flatMap((name) => (demand[name] === undefined ? [] : [{ class: name, operations: demand[name] }])),
      memory: demand.memory,
      healthPort: entry.healthPort ?? 0,
      queueCapacity: entry.queueCapacity,
      serviceDelay: { meanUs, p99Us: Math.max(meanUs, measured?.p99Us ?? serviceDelay?.p99 ?? 0), serviceRate: measured?.serviceRate ?? entry.serviceRate },
    };
  });
  return { ...node, unixMs, services: offers };
}

const moved = (before: bigint, after: bigint, whole_: bigint, threshold: number): boolean => before !== after && Math.abs(Number(after - before)) >= threshold * Number(whole_);

function changed<T>(before: readonly T[], after: readonly T[], key: (entry: T) => string, differs: (a: T, b: T) => boolean): T[] {
  const known = new Map(before.map((entry) => [key(entry), entry]));
  return after.filter((entry) => {
    const old = known.get(key(entry));
    return old === undefined || differs(old, entry);
  });
}

/** Entries that are there no more: an update can only say that nothing is left of them. */
function gone<T>(before: readonly T[], after: readonly T[], key: (entry: T) => string, isNothing: (entry: T) => boolean, nothing: (entry: T) => T): T[] {
  const left = new Set(after.map(key));
  return before.filter((entry) => !left.has(key(entry)) && !isNothing(entry)).map(nothing);
}

/** Whether chips came or went. A clock may be the one of the moment. */
export function otherChips(a: Pick<NodeState, 'chips'>, b: Pick<NodeState, 'chips'>): boolean {
  const text = ({ chips }: Pick<NodeState, 'chips'>): string => chips.map(({ kind, model, count, cores }) => `${kind} ${model} ${count} ${cores}`).sort().join('\n');
  return text(a) !== text(b);
}

/** All that a router may want to hear of. */
const REPORTED = ['computing', 'memory', 'storage', 'interfaces', 'load'];

/** What changed by `threshold` of the whole or more, of what the router wants to hear (`NodeParameters.report`); undefined: nothing. States of services are always told. */
export function updateOf(before: NodeState, after: NodeState, threshold: number, unixMs: number, wanted: ReadonlySet<string> = new Set(REPORTED)): NodeUpdate | undefined {
  const list = <T>(what: string, entries: () => T[]): T[] => (wanted.has(what) ? entries() : []);
  const computingKey = (entry: NamedComputing): string => `${entry.class} ${entry.chip}`;
  const nameOf = ({ name }: { readonly name: string }): string => name;
  const computing = list('computing', () => [
    ...changed(before.computing, after.computing, computingKey, (a, b) => a.total !== b.total || moved(a.residual, b.residual, b.total, threshold)),
    ...gone(before.computing, after.computing, computingKey, ({ total }) => total === 0n, (entry) => ({ ...entry, total: 0n, residual: 0n })),
  ]);
  const storage = list('storage', () => [
    ...changed<StorageVolume>(before.storage, after.storage, nameOf, (a, b) => a.total !== b.total || a.quality !== b.quality || moved(a.residual, b.residual, b.total, threshold)),
    ...gone(before.storage, after.storage, nameOf, ({ total }) => total === 0n, (volume) => ({ ...volume, total: 0n, residual: 0n, readRate: 0n, writeRate: 0n })),
  ]);
  const interfaces = list('interfaces', () => [
    ...changed<NodeInterface>(before.interfaces, after.interfaces, nameOf, (a, b) => a.capacity !== b.capacity || moved(a.available, b.available, b.capacity, threshold)),
    ...gone(before.interfaces, after.interfaces, nameOf, ({ capacity }) => capacity === 0n, ({ name }) => ({ name, capacity: 0n, available: 0n })),
  ]);
  const memory = wanted.has('memory') && moved(before.memoryFree, after.memoryFree, after.memoryTotal, threshold);
  const services = changed([...before.services.values()], [...after.services.values()], ({ service }) => service, (a, b) => {
    if (a.state !== b.state || a.reason !== b.reason) return true;
    if (!wanted.has('load')) return false;
    if (JSON.stringify(a.serviceDelay) !== JSON.stringify(b.serviceDelay)) return true;
    if (a.load?.queueLength !== b.load?.queueLength || a.load?.activeFlows !== b.load?.activeFlows) return true;
    return Math.abs((a.load?.utilisation ?? 0) - (b.load?.utilisation ?? 0)) >= threshold * 10_000;
  });
  const measured = changed(before.measured, after.measured, (entry) => `${entry.class} ${entry.chip}`, (a, b) => a.unixMs !== b.unixMs);
  if (computing.length + storage.length + interfaces.length + services.length + measured.length === 0 && !memory) return undefined;
  return { unixMs, computing, storage, interfaces, services, measured, memoryFree: memory ? after.memoryFree : undefined };
}

/** A state in which what an update told stands, and the rest is as it was told before. */
export function told(before: NodeState, update: NodeUpdate, after: NodeState): NodeState {
  const merge = <T>(known: readonly T[], news: readonly T[], key: (entry: T) => string): T[] => [...new Map([...known, ...news].map((entry) => [key(entry), entry])).values()];
  return {
    ...after,
    computing: merge(before.computing, update.computing, (entry) => `${entry.class} ${entry.chip}`),
    storage: merge(before.storage, update.storage, ({ name }) => name),
    interfaces: merge(before.interfaces, update.interfaces, ({ name }) => name),
    memoryFree: update.memoryFree ?? before.memoryFree,
    services: new Map([...before.services, ...update.services.map((report) => [report.service, report] as const)]),
  };
}

/** An update that only says that the node lives. */
export const signOfLife = (unixMs: number): NodeUpdate => ({ unixMs, computing: [], storage: [], interfaces: [], services: [], measured: [], memoryFree: undefined });
