/** What a node said, with what it said later. Pure. */
import type { NodeUpdate } from './types.js';

/** `changed` entries in the place of those with the same key, new ones behind. */
export function mergeBy<T>(known: readonly T[], changed: readonly T[], key: (entry: T) => string): readonly T[] {
  if (changed.length === 0) return known;
  const merged = new Map(known.map((entry) => [key(entry), entry]));
  for (const entry of changed) merged.set(key(entry), entry);
  return [...merged.values()];
}

/** Runs of one update; of more the last ones stand for all. */
export const MOST_RUNS = 128;

/** One update that says what two said, the later one last. */
export function mergeUpdates(before: NodeUpdate | undefined, after: NodeUpdate): NodeUpdate {
  if (!before) return after;
  const services = new Map(before.services.map((report) => [report.service, report]));
  for (const report of after.services) {
    const old = services.get(report.service);
    services.set(report.service, {
      service: report.service,
      state: report.state ?? old?.state,
      reason: report.state === undefined ? old?.reason : report.reason,
      load: report.load ? { utilisation: report.load.utilisation ?? old?.load?.utilisation, queueLength: report.load.queueLength ?? old?.load?.queueLength, activeFlows: report.load.activeFlows ?? old?.load?.activeFlows } : old?.load,
      serviceDelay: report.serviceDelay ?? old?.serviceDelay,
    });
  }
  return {
    unixMs: after.unixMs,
    computing: mergeBy(before.computing, after.computing, (entry) => `${entry.class} ${entry.chip}`),
    memoryFree: after.memoryFree ?? before.memoryFree,
    storage: mergeBy(before.storage, after.storage, ({ name }) => name),
    interfaces: mergeBy(before.interfaces, after.interfaces, ({ name }) => name),
    services: [...services.values()],
    runs: [...(before.runs ?? []), ...(after.runs ?? [])].slice(-MOST_RUNS),
    measured: mergeBy(before.measured, after.measured, (entry) => `${entry.class} ${entry.chip}`),
  };
}
