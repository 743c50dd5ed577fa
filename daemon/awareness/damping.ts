/** Whether an instance changed enough to tell the domain (computing state changes faster than routing should). */
import type { Instance } from '../computing/types.js';

/** L1 and L2 values of CATS metrics are whole numbers in 0..10 (proto/WIRE.md section 1): a step of one may be rounding. */
const CATS_RANGE = 10;

/** Change of one quantity, relative to the larger of both; 0..1. */
function relative(before: number, after: number): number {
  const scale = Math.max(Math.abs(before), Math.abs(after));
  return scale === 0 ? 0 : Math.abs(after - before) / scale;
}

/**
 * The largest relative change between two announcements of one instance, 0..1: residual computing power against the total, utilisation
 * against full load, queue length against `queueCapacity` (where there is one), free storage and bandwidth against what there is, CATS
 * L1 and L2 values, less a step for their rounding, against their range of 0..10, delays, rates and other CATS values against themselves. What comes, goes or is
 * restated (place, energy, price, algorithms) is a whole change, another grade too. Active flows count for nothing: they follow the queue and the utilisation.
 */
export function changeOf(before: Instance, after: Instance, queueCapacity: number): number {
  if (restated(before, after)) return 1;
  if (before.computing.length !== after.computing.length || before.storage.length !== after.storage.length || before.cats.length !== after.cats.length || before.grade !== after.grade) return 1;
  let largest = 0;
  const see = (change: number): void => void (largest = Math.max(largest, change));
  before.computing.forEach((old, i) => {
    const now = after.computing[i]!;
    if (old.class !== now.class || old.chip !== now.chip || old.total !== now.total) see(1);
    else if (now.total > 0n) see(Math.abs(Number(now.residual - old.residual)) / Number(now.total));
  });
  if ((before.load === undefined) !== (after.load === undefined)) see(1);
  if (before.load && after.load) {
    see(Math.abs(after.load.utilisation - before.load.utilisation) / 10_000);
    const [old, now] = [before.load.queueLength, after.load.queueLength];
    see(queueCapacity > 0 ? Math.min(1, Math.abs(now - old) / queueCapacity) : relative(old, now));
  }
  if ((before.serviceDelay === undefined) !== (after.serviceDelay === undefined)) see(1);
  if (before.serviceDelay && after.serviceDelay) {
    see(relative(before.serviceDelay.meanUs, after.serviceDelay.meanUs));
    see(relative(before.serviceDelay.p99Us, after.serviceDelay.p99Us));
    see(relative(before.serviceDelay.serviceRate, after.serviceDelay.serviceRate));
  }
  before.storage.forEach((old, i) => {
    const now = after.storage[i]!;
    if (old.ability !== now.ability || old.quality !== now.quality || old.total !== now.total) see(1);
    else if (now.total > 0n) see(Math.abs(Number(now.residual - old.residual)) / Number(now.total));
  });
  if ((before.interface === undefined) !== (after.interface === undefined)) see(1);
  if (before.interface && after.interface) {
    const capacity = Math.max(Number(before.interface.capacity), Number(after.interface.capacity));
    if (before.interface.capacity !== after.interface.capacity) see(1);
    else if (capacity > 0) see(Math.abs(Number(after.interface.available - before.interface.available)) / capacity);
  }
  before.cats.forEach((old, i) => {
    const now = after.cats[i]!;
    if (old.type !== now.type || old.level !== now.level || old.unit !== now.unit || old.source !== now.source || old.statistic !== now.statistic) see(1);
    else if (now.level > 0) see(Math.max(0, Math.abs(Number(now.value - old.value)) - 1) / CATS_RANGE);
    else see(relative(Number(old.value), Number(now.value)));
  });
  return Math.min(1, largest);
}

/** Facts that do not change by degrees. */
function restated(before: Instance, after: Instance): boolean {
  const same =
    before.address === after.address &&
    before.algorithms.join() === after.algorithms.join() &&
    before.location?.latitude === after.location?.latitude &&
    before.location?.longitude === after.location?.longitude &&
    before.energy?.idleMw === after.energy?.idleMw &&
    before.energy?.fullMw === after.energy?.fullMw &&
    before.price?.microUnits === after.price?.microUnits &&
    before.price?.currency === after.price?.currency;
  return !same;
}

/** Changes of what is announced (by instance id) that cannot wait: an instance comes, goes, drains or no longer does, or is reached by another SID. */
export function isUrgentChange(announced: ReadonlyMap<number, Instance>, instances: readonly Instance[]): boolean {
  if (announced.size !== instances.length) return true;
  return instances.some((after) => {
    const before = announced.get(after.id);
    return !before || before.draining !== after.draining || before.sid?.sid !== after.sid?.sid || before.sid?.behaviour !== after.sid?.behaviour;
  });
}
