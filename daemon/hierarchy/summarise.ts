/**
 * The aggregate instance of a service: what a border says of all instances behind it as if they were one (survey section 4.4: coarse-grained information between
 * edge networks). Pure, and the same whatever the order of the instances.
 *
 * Capacities, rates, queues and flows are sums. The mean service delay is that of the best instance and the 99th percentile the worst of all, so that both together
 * tell the spread. Utilisation, energy, price and normalised CATS metrics are means weighted by capacity, which one more request meets on average. A fact that not
 * all instances state is no fact of them together and is left out; so are the location (an edge network has none), the interface (the border's own links
 * decide) and the address. Instances that drain count only where all do: they take no new flows.
 */
import { gradeOf } from '../computing/model/grade.js';
import type { CatsMetric, Computing, Instance, Load, ServiceDelay, SidInfo, Storage } from '../computing/types.js';
import type { Candidate } from '../rib/candidate.js';

/** How an aggregate is called and reached. */
export interface AggregateIdentity {
  readonly id: number;
  readonly sid: SidInfo;
}

const MAX_U32 = 0xffff_ffff;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
/** Chips, and qualities of storage, are folded into one where there are more entries than so many: an LSA has room for 1,300 octets. */
const MAX_COMPUTING = 12;
const MAX_STORAGE = 6;
const MAX_ALGORITHMS = 64;
const MAX_METRICS = 8;
/** Chip, and quality of storage, that stand for any. */
const MIXED = 0;
/** CATS: source, units, statistics and levels of proto/WIRE.md section 1. */
const AGGREGATED = 5;
const UNIT_NONE = 0;
const ADDITIVE_UNITS: ReadonlySet<number> = new Set([3, 4, 5]);
const STATISTIC = { minimum: 3, maximum: 4 } as const;

/** The aggregate of the candidates of one service; undefined where there is none. */
export function summarise(candidates: readonly Candidate[], { id, sid }: AggregateIdentity): Instance | undefined {
  if (candidates.length === 0) return undefined;
  const all = [...candidates].sort((a, b) => (a.exit === b.exit ? a.instance.id - b.instance.id : a.exit < b.exit ? -1 : 1)).map(({ instance }) => instance);
  const taking = all.filter(({ draining }) => !draining);
  const instances = taking.length > 0 ? taking : all;
  const weights = weightsOf(instances);
  const computing = computingOf(instances);
  return {
    id,
    aggregate: true,
    draining: taking.length === 0,
    sid,
    computing,
    load: loadOf(instances, weights),
    serviceDelay: serviceDelayOf(instances),
    storage: storageOf(instances),
    interface: undefined,
    location: undefined,
    energy: weighted(instances, weights, ({ energy }) => energy && [energy.idleMw, energy.fullMw], ([idleMw, fullMw]) => ({ idleMw: idleMw!, fullMw: fullMw! })),
    price: priceOf(instances, weights),
    algorithms: algorithmsOf(instances),
    cats: catsOf(instances, weights),
    grade: gradeOf(computing),
    address: undefined,
  };
}

const u32 = (value: number): number => Math.min(MAX_U32, Math.round(value));
const u64 = (value: bigint): bigint => (value > MAX_U64 ? MAX_U64 : value);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const serviceRateOf = ({ serviceDelay }: Instance): number => serviceDelay?.serviceRate ?? 0;

/** What an instance weighs in a mean: its service rate where all state one, else its computing power where all state some; else they weigh alike. */
function weightsOf(instances: readonly Instance[]): number[] {
  const rates = instances.map(serviceRateOf);
  if (rates.every((rate) => rate > 0)) return rates;
  const totals = instances.map(({ computing }) => sum(computing.map(({ total }) => Number(total))));
  return totals.every((total) => total > 0) ? totals : instances.map(() => 1);
}

const mean = (values: readonly number[], weights: readonly number[]): number => sum(values.map((value, i) => value * weights[i]!)) / sum(weights);

/** Means of some figures, where all instances state them. */
function weighted<T>(instances: readonly Instance[], weights: readonly number[], read: (instance: Instance) => readonly number[] | undefined, make: (means: readonly number[]) => T): T | undefined {
  const figures = instances.map(read);
  if (!figures.every((values) => values !== undefined)) return undefined;
  return make(figures[0]!.map((_, index) => u32(mean(figures.map((values) => values[index]!), weights))));
}

/** Unites entries under `key`; those that a `fold` makes alike too, where there are too many. */
function united<T>(entries: readonly T[], most: number, key: (entry: T) => number, fold: (entry: T) => T, unite: (a: T, b: T) => T): T[] {
  const by = (items: readonly T[]): Map<number, T> => {
    const found = new Map<number, T>();
    for (const item of items) {
      const other = found.get(key(item));
      found.set(key(item), other === undefined ? item : unite(other, item));
    }
    return found;
  };
  let found = by(entries);
  if (found.size > most) found = by(entries.map(fold));
  return [...found].sort(([a], [b]) => a - b).map(([, entry]) => entry);
}

function computingOf(instances: readonly Instance[]): Computing[] {
  return united(
    instances.flatMap(({ computing }) => computing),
    MAX_COMPUTING,
    ({ class: kind, chip }) => (kind << 8) | chip,
    (entry) => ({ ...entry, chip: MIXED }),
    (a, b) => ({ ...a, total: u64(a.total + b.total), residual: u64(a.residual + b.residual) }),
  );
}

function storageOf(instances: readonly Instance[]): Storage[] {
  return united(
    instances.flatMap(({ storage }) => storage),
    MAX_STORAGE,
    ({ ability, quality }) => (ability << 8) | quality,
    (entry) => ({ ...entry, quality: MIXED }),
    (a, b) => ({
      ...a,
      total: u64(a.total + b.total),
      residual: u64(a.residual + b.residual),
      readRate: u64(a.readRate + b.readRate),
      writeRate: u64(a.writeRate + b.writeRate),
    }),
  );
}

/** Always stated: an aggregate without load and delay would be a service that does not run (proto/WIRE.md section 5). */
function loadOf(instances: readonly Instance[], weights: readonly number[]): Load {
  // Who says nothing of its load counts as idle, as it does where it is a candidate itself.
  const loads = instances.map(({ load }) => load ?? { utilisation: 0, queueLength: 0, activeFlows: 0 });
  return {
    utilisation: Math.round(mean(loads.map(({ utilisation }) => utilisation), weights)),
    queueLength: u32(sum(loads.map(({ queueLength }) => queueLength))),
    activeFlows: u32(sum(loads.map(({ activeFlows }) => activeFlows))),
  };
}

function serviceDelayOf(instances: readonly Instance[]): ServiceDelay | undefined {
  const delays = instances.flatMap(({ serviceDelay }) => serviceDelay ?? []);
  if (delays.length === 0) return undefined;
  const means = delays.map(({ meanUs, serviceRate }) => (meanUs > 0 ? meanUs : serviceRate > 0 ? u32(1e6 / serviceRate) : 0)).filter((value) => value > 0);
  const worst = Math.max(0, ...means, ...delays.map(({ p99Us }) => p99Us));
  return { meanUs: means.length > 0 ? Math.min(...means) : 0, p99Us: worst, serviceRate: u32(sum(delays.map(({ serviceRate }) => serviceRate))) };
}

function priceOf(instances: readonly Instance[], weights: readonly number[]): Instance['price'] {
  const currency = instances[0]?.price?.currency;
  if (currency === undefined || instances.some(({ price }) => price?.currency !== currency)) return undefined;
  return { microUnits: u64(BigInt(Math.round(mean(instances.map(({ price }) => Number(price!.microUnits)), weights)))), currency };
}

/** What any of them offers; too many to list are none, which says nothing against the aggregate. */
function algorithmsOf(instances: readonly Instance[]): number[] {
  const offered = [...new Set(instances.flatMap(({ algorithms }) => algorithms))].sort((a, b) => a - b);
  return offered.length > MAX_ALGORITHMS ? [] : offered;
}

/** Metrics that all instances state alike; of a unit that is neither a sum nor a mean nothing can be said of all together. */
function catsOf(instances: readonly Instance[], weights: readonly number[]): CatsMetric[] {
  const key = ({ type, level, format, statistic, unit }: CatsMetric): string => [type, level, format, statistic, unit].join();
  const stated = instances.map(({ cats }) => new Map([...cats].reverse().map((metric) => [key(metric), metric])));
  const metrics: CatsMetric[] = [];
  for (const [name, metric] of [...(stated[0] ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { level, format, unit } = metric;
    const same = stated.flatMap((each) => each.get(name) ?? []);
    if (same.length < instances.length || format !== 0 || level > 2 || (level === 0 && unit === UNIT_NONE)) continue;
    metrics.push({ ...metric, source: AGGREGATED, windowMs: Math.max(...same.map(({ windowMs }) => windowMs)), value: catsValue(same, weights) });
  }
  return metrics.slice(0, MAX_METRICS);
}

function catsValue(metrics: readonly CatsMetric[], weights: readonly number[]): bigint {
  const { level, unit, statistic } = metrics[0]!;
  const values = metrics.map(({ value }) => value);
  if (level === 0 && ADDITIVE_UNITS.has(unit)) return u64(values.reduce((a, b) => a + b, 0n));
  if (statistic === STATISTIC.minimum) return values.reduce((a, b) => (b < a ? b : a));
  if (statistic === STATISTIC.maximum) return values.reduce((a, b) => (b > a ? b : a));
  return u64(BigInt(Math.round(mean(values.map(Number), weights))));
}
