/** Whether an instance changed enough to tell the domain (computing state changes faster than routing should). */
import type { Instance } from '../computing/types.js';

/** Change of one quantity, relative to the larger of both; 0..1. */
function relative(before: number, after: number): number {
  const scale = Math.max(Math.abs(before), Math.abs(after));
  return scale === 0 ? 0 : Math.abs(after - before) / scale;
}

/**
 * The largest relative change between two announcements of one instance, 0..1: residual computing power against the total, utilisation
 * against full load, queue length against `queueCapacity` (where there is one), delays and rates against themselves. What comes or goes
 * is a whole change. Active flows count for nothing: they follow the queue and the utilisation.
 */
export function changeOf(before: Instance, after: Instance, queueCapacity: number): number {
  if (before.computing.length !== after.computing.length) return 1;
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
  return Math.min(1, largest);
}

/** Changes that cannot wait: an instance that drains or no longer does, or is reached by another SID. */
export function isUrgent(before: Instance, after: Instance): boolean {
  return before.draining !== after.draining || before.sid?.sid !== after.sid?.sid || before.sid?.behaviour !== after.sid?.behaviour;
}
