/**
 * What is believed of what a computing node says. Nonsense is refused; claims beyond what the stated chips, or the configuration, can bear
 * are limited to that; each with a reason. Pure.
 */
import type { NamedComputing } from '../instance.js';
import type { RegistrationLimits } from '../../config/registration.js';
import { canonicalIp } from '../../../dataplane/packet/ip.js';
import { chipFault } from '../../computing/model/chips.js';
import { CHIP_NAMES, COMPUTING_CLASS_NAMES, STORAGE_ABILITY_NAMES, STORAGE_QUALITY_NAMES } from '../../computing/names.js';
import { mergeBy, MOST_RUNS } from './merge.js';
import { SERVICE_MODES, SERVICE_STATES, type Chip, type NodeDescription, type MeasuredComputing, type NodeInterface, type NodeUpdate, type ServiceOffer, type ServiceReport, type StorageVolume } from './types.js';

export type Judged<T> = { readonly ok: true; readonly value: T; readonly limited: readonly string[] } | { readonly ok: false; readonly reason: string };

type Class = 'logical' | 'parallel' | 'neural';

/**
 * The most operations one core of one chip does in a clock cycle, with room above today's chips. CPU: 16 scalar operations; two 512-bit fused
 * multiply-add units are 64 single-precision FLOP; a matrix unit (AMX) 2,048 8-bit operations. GPU: a fused multiply-add a core; tensor
 * cores some 64 times that at low precision.
 */
const OPERATIONS_PER_CYCLE: Readonly<Record<string, Readonly<Record<Class, number>>>> = {
  cpu: { logical: 16, parallel: 128, neural: 4096 },
  gpu: { logical: 4, parallel: 4, neural: 512 },
  dpu: { logical: 16, parallel: 128, neural: 4096 },
};
/** NPU, TPU and FPGA are not described by cores and clock: at most this a chip, operations per second. */
const MOST_OF_A_CHIP = 2e16;
/** Above this a 64-bit quantity is a negative number of somebody who did not mean to send one. */
const MOST_QUANTITY = 1n << 62n;
const MOST_LIST = 64;
const MOST_ALGORITHMS = 64;
const NAME = /^[\w.:/@ -]{0,128}$/;
const NODE = /^[\w.-]{1,63}$/;

const CLASSES: readonly string[] = Object.values(COMPUTING_CLASS_NAMES);
const KINDS: readonly string[] = Object.values(CHIP_NAMES).filter((name) => name !== 'mixed');
const ABILITIES: readonly string[] = Object.values(STORAGE_ABILITY_NAMES);
const QUALITIES: readonly string[] = Object.values(STORAGE_QUALITY_NAMES);

/** Thrown inside this file, caught at its edge. */
class Nonsense extends Error {}

function judge<T>(read: (limited: string[]) => T): Judged<T> {
  const limited: string[] = [];
  try {
    return { ok: true, value: read(limited), limited };
  } catch (error) {
    if (error instanceof Nonsense) return { ok: false, reason: error.message };
    throw error;
  }
}

function need(condition: boolean, reason: () => string): asserts condition {
  if (!condition) throw new Nonsense(reason());
}

const word = (what: string, value: string, words: readonly string[]): void => need(words.includes(value), () => `${what}: ${JSON.stringify(value.slice(0, 40))} is not one of ${words.join(', ')}`);
const text = (what: string, value: string): void => need(NAME.test(value), () => `${what}: expected at most 128 letters, digits, blanks and . : / @ _ -`);
const few = (what: string, list: readonly unknown[], most = MOST_LIST): void => need(list.length <= most, () => `${what}: ${list.length} entries, at most ${most} are taken`);
const quantity = (what: string, value: bigint): void => need(value < MOST_QUANTITY, () => `${what}: ${BigInt.asIntN(64, value)} is not a plausible quantity`);
const inside = (what: string, value: number, least: number, most: number): void => need(value >= least && value <= most, () => `${what}: ${value} is not from ${least} to ${most}`);

/** The most a set of chips can do, operations per second of a class; for `mixed` all chips together. */
function mostOf(chips: readonly Chip[], kind: string, computingClass: Class): number {
  let most = 0;
  for (const chip of chips) {
    if (kind !== 'mixed' && chip.kind !== kind) continue;
    const perCycle = OPERATIONS_PER_CYCLE[chip.kind]?.[computingClass];
    most += chip.count * (perCycle === undefined ? MOST_OF_A_CHIP : chip.cores * chip.clockHz * perCycle);
  }
  return most;
}

function chips(list: readonly Chip[]): readonly Chip[] {
  few('chips', list);
  for (const chip of list) {
    text('chip model', chip.model);
    const fault = chipFault(chip);
    need(fault === undefined, () => fault!);
  }
  return list;
}

/** What was measured is a claim too: it stays within what the stated chips can bear. */
function measured(list: readonly MeasuredComputing[], known: readonly Chip[], limited: string[]): MeasuredComputing[] {
  few('measured', list);
  return list.map((entry) => {
    const { class: name, chip, operations, spread, unixMs } = entry;
    word('measured class', name, CLASSES);
    word('measured chip', chip, KINDS);
    quantity(`measured ${name} ${chip}`, operations);
    inside(`spread of measured ${name} ${chip}`, spread, 0, Number.MAX_VALUE);
    clock(unixMs);
    const bound = BigInt(Math.floor(mostOf(known, chip, name as Class)));
    if (operations <= bound) return entry;
    limited.push(`measured ${name} ${chip} of ${operations} operations/s limited to ${bound}: more than the stated chips can do`);
    return { ...entry, operations: bound };
  });
}

/** What the benchmark says of a stated capacity; undefined: nothing. Chips that are not told apart were measured where all are of one kind. */
function measuredOf(list: readonly MeasuredComputing[], known: readonly Chip[], name: string, chip: string): bigint | undefined {
  const kinds = new Set(known.map(({ kind }) => kind));
  const kind = chip === 'mixed' && kinds.size === 1 ? [...kinds][0] : chip;
  return list.find((entry) => entry.class === name && entry.chip === kind)?.operations;
}

function computing(list: readonly NamedComputing[], known: readonly Chip[], found: readonly MeasuredComputing[], limits: RegistrationLimits, limited: string[]): NamedComputing[] {
  few('computing', list);
  return list.map(({ class: name, chip, total, residual }) => {
    word('computing class', name, CLASSES);
    word('computing chip', chip, [...KINDS, 'mixed']);
    quantity(`total ${name} ${chip}`, total);
    quantity(`residual ${name} ${chip}`, residual);
    const computingClass = name as Class;
    const bound = mostOf(known, chip, computingClass);
    need(bound > 0 || total === 0n, () => `total ${name} ${chip}: no chip of that kind is stated`);
    let most = total;
    const lower = (to: bigint, by: string): void => {
      if (most <= to) return;
      limited.push(`total ${name} ${chip} of ${most} operations/s limited to ${to}: ${by}`);
      most = to;
    };
    lower(BigInt(Math.floor(bound)), 'more than the stated chips can do');
    const cap = limits[computingClass];
    if (cap !== undefined) lower(cap, 'the limit of the configuration');
    const benchmark = measuredOf(found, known, name, chip);
    const factor = limits.measuredFactor;
    if (benchmark !== undefined && factor > 0) lower(BigInt(Math.floor(Number(benchmark) * factor)), `more than ${factor} times the ${benchmark} that its benchmark measured`);
    if (residual > total) limited.push(`residual ${name} ${chip} of ${residual} operations/s limited to the total ${most}`);
    return { class: name, chip, total: most, residual: residual < most ? residual : most };
  });
}

function storage(list: readonly StorageVolume[], limited: string[]): StorageVolume[] {
  few('storage', list);
  return list.map((volume) => {
    text('storage name', volume.name);
    word('storage ability', volume.ability, ABILITIES);
    word('storage quality', volume.quality, QUALITIES);
    for (const field of ['total', 'residual', 'readRate', 'writeRate'] as const) quantity(`storage ${volume.name} ${field}`, volume[field]);
    if (volume.residual <= volume.total) return volume;
    limited.push(`residual of storage ${volume.name} limited to its total`);
    return { ...volume, residual: volume.total };
  });
}

function interfaces(list: readonly NodeInterface[], limited: string[]): NodeInterface[] {
  few('interfaces', list);
  return list.map((entry) => {
    text('interface name', entry.name);
    quantity(`capacity of ${entry.name}`, entry.capacity);
    quantity(`available bandwidth of ${entry.name}`, entry.available);
    if (entry.available <= entry.capacity) return entry;
    limited.push(`available bandwidth of ${entry.name} limited to its capacity`);
    return { ...entry, available: entry.capacity };
  });
}

const clock = (unixMs: number): void => need(Number.isFinite(unixMs) && unixMs > 0, () => `clock: ${unixMs} is no Unix time`);

function offer(entry: ServiceOffer): ServiceOffer {
  const service = canonicalIp(entry.service);
  const address = canonicalIp(entry.address);
  need(service !== undefined, () => `service: ${JSON.stringify(entry.service.slice(0, 64))} is no IP address`);
  need(address !== undefined, () => `address of ${service}: ${JSON.stringify(entry.address.slice(0, 64))} is no IP address`);
  word(`mode of ${service}`, entry.mode, SERVICE_MODES);
  few(`demand of ${service}`, entry.demand);
  for (const { class: name, operations } of entry.demand) {
    word(`demand of ${service}`, name, CLASSES);
    quantity(`demand of ${service}`, operations);
  }
  quantity(`memory of ${service}`, entry.memory);
  inside(`health port of ${service}`, entry.healthPort, 0, 65_535);
  return { ...entry, service, address };
}

export function judgeDescription(description: NodeDescription, limits: RegistrationLimits): Judged<NodeDescription> {
  return judge((limited) => {
    need(NODE.test(description.node), () => 'node: expected 1 to 63 letters, digits, dots, dashes and underscores');
    text('name', description.name);
    clock(description.unixMs);
    chips(description.chips);
    quantity('memory', description.memoryTotal);
    quantity('free memory', description.memoryFree);
    few('algorithms', description.algorithms, MOST_ALGORITHMS);
    for (const algorithm of description.algorithms) inside('algorithm', algorithm, 0, 65_535);
    const { location, price } = description;
    if (location) {
      inside('latitude', location.latitude, -90, 90);
      inside('longitude', location.longitude, -180, 180);
    }
    if (price) {
      quantity('price', price.microUnits);
      need(/^[A-Z]{3}$/.test(price.currency), () => 'price: expected an ISO 4217 currency such as EUR');
    }
    few('services', description.services, limits.maxServices);
    const services = description.services.map(offer);
    need(new Set(services.map(({ service }) => service)).size === services.length, () => 'services: one of them twice');
    const found = measured(description.measured, description.chips, limited);
    return {
      ...description,
      measured: found,
      computing: computing(description.computing, description.chips, found, limits, limited),
      storage: storage(description.storage, limited),
      interfaces: interfaces(description.interfaces, limited),
      memoryFree: description.memoryFree < description.memoryTotal ? description.memoryFree : description.memoryTotal,
      services,
    };
  });
}

function report(entry: ServiceReport): ServiceReport {
  const service = canonicalIp(entry.service);
  need(service !== undefined, () => `service: ${JSON.stringify(entry.service.slice(0, 64))} is no IP address`);
  if (entry.state !== undefined) word(`state of ${service}`, entry.state, SERVICE_STATES);
  if (entry.load?.utilisation !== undefined) inside(`utilisation of ${service}`, entry.load.utilisation, 0, 10_000);
  const { meanUs = 0, p99Us = 0 } = entry.serviceDelay ?? {};
  need(p99Us === 0 || p99Us >= meanUs, () => `service delay of ${service}: p99 of ${p99Us} us below the mean of ${meanUs} us`);
  // Free text that goes into the router's log.
  const reason = entry.reason?.replace(/[^\x20-\x7e]/g, ' ').slice(0, 256);
  return { ...entry, service, reason };
}

/** `known` is what the node registered with. */
export function judgeUpdate(update: NodeUpdate, known: NodeDescription, limits: RegistrationLimits): Judged<NodeUpdate> {
  return judge((limited) => {
    clock(update.unixMs);
    if (update.memoryFree !== undefined) quantity('free memory', update.memoryFree);
    few('services', update.services, limits.maxServices);
    few('runs', update.runs ?? [], MOST_RUNS);
    const found = measured(update.measured, known.chips, limited);
    // What is measured anew judges what was stated before, too.
    const stated = found.length > 0 ? mergeBy(known.computing, update.computing, (entry) => `${entry.class} ${entry.chip}`) : update.computing;
    return {
      ...update,
      measured: found,
      computing: computing(stated, known.chips, mergeBy(known.measured, found, (entry) => `${entry.class} ${entry.chip}`), limits, limited),
      storage: storage(update.storage, limited),
      interfaces: interfaces(update.interfaces, limited),
      memoryFree: update.memoryFree,
      services: update.services.map(report),
    };
  });
}
