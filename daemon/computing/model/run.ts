/**
 * Observed runs of tasks and the quantities of the demand model (survey section 3.3):
 *
 *     tau = f(P, S)                                                   (2)
 *     P = ([F_w, F_0, mean F], [C_w, C_0, mean C], [E_0, mean E])     (3)
 *     S = ([W, D])                                                    (8)
 *
 * tau is the time a task took; F_w, C_w what the node has of computing and storage, F_0, C_0 the share of it in use and E_0 the rate of reading and writing when
 * the task arrived; the means are over its run. W is the work of the task and D its size.
 */
import { modelled, refused, type Modelled } from './result.js';

/** The node when a task arrives: what can be known before it runs. Zero stands for what is not known. */
export interface NodeState {
  /** F_w, operations per second. */
  readonly capacity: number;
  /** F_0, 0..1. */
  readonly computingUsed: number;
  /** C_w, octets. */
  readonly storage: number;
  /** C_0, 0..1. */
  readonly storageUsed: number;
  /** E_0, octets per second. */
  readonly ioRate: number;
}

/** Means over the run: Eqs. (5), (6) and (7). */
export interface RunMeans {
  readonly computing: number; // share of F_w, 0..1
  readonly storage: number; // share of C_w, 0..1
  readonly ioRate: number; // octets per second
}

export interface TaskRun {
  /** W, operations. */
  readonly workload: number;
  /** D, octets. */
  readonly dataSize: number;
  /** tau, us. */
  readonly latencyUs: number;
  readonly state: NodeState;
  /** When it began, Unix ms; 0: not known. */
  readonly atMs: number;
}

/** A state that was sampled while a task ran. */
export interface StateSample {
  readonly atMs: number;
  readonly computingUsed: number; // F(t)
  readonly storageUsed: number; // C(t)
  readonly ioRate: number; // E(t)
}

type Sampled = Exclude<keyof StateSample, 'atMs'>;

/** Samples between two times, with the ends taken from their neighbours. */
function within(samples: readonly StateSample[], fromMs: number, toMs: number): readonly StateSample[] {
  const sorted = [...samples].sort((a, b) => a.atMs - b.atMs);
  const first = sorted.findLast(({ atMs }) => atMs <= fromMs) ?? sorted[0]!;
  const inner = sorted.filter(({ atMs }) => atMs > fromMs && atMs < toMs);
  const last = sorted.find(({ atMs }) => atMs >= toMs) ?? sorted.at(-1)!;
  return [{ ...first, atMs: fromMs }, ...inner, { ...last, atMs: toMs }];
}

/** Integral of X(t) from t_0 to t_0 + tau, in X times seconds, by trapezia between samples. */
function integral(samples: readonly StateSample[], pick: Sampled, fromMs: number, toMs: number): number {
  let sum = 0;
  const points = within(samples, fromMs, toMs);
  for (let i = 1; i < points.length; i++) sum += ((points[i]![pick] + points[i - 1]![pick]) / 2) * ((points[i]!.atMs - points[i - 1]!.atMs) / 1000);
  return sum;
}

/** F_0, C_0 and E_0 of Eq. (4): the last sample at or before t_0, or the first one after it. Undefined without samples. */
export function stateAt(samples: readonly StateSample[], atMs: number): StateSample | undefined {
  const sorted = [...samples].sort((a, b) => a.atMs - b.atMs);
  return sorted.findLast((sample) => sample.atMs <= atMs) ?? sorted[0];
}

/** Means over a run, Eqs. (5), (6) and (7); undefined without samples or time. */
export function runMeans(samples: readonly StateSample[], fromMs: number, toMs: number): RunMeans | undefined {
  if (samples.length === 0 || !(toMs > fromMs)) return undefined;
  const seconds = (toMs - fromMs) / 1000;
  const mean = (pick: Sampled): number => integral(samples, pick, fromMs, toMs) / seconds;
  return { computing: mean('computingUsed'), storage: mean('storageUsed'), ioRate: mean('ioRate') };
}

/** W = F_w x integral of F(t) dt, Eq. (9), operations: for a task alone on its node whose work nobody counted. */
export function workloadOf(capacity: number, samples: readonly StateSample[], fromMs: number, toMs: number): number {
  return samples.length === 0 ? 0 : capacity * integral(samples, 'computingUsed', fromMs, toMs);
}

/** D = C_w x integral of C(t) dt, Eq. (10), octet seconds as the survey defines it: what a task held of the storage for how long. */
export function storageDemandOf(storage: number, samples: readonly StateSample[], fromMs: number, toMs: number): number {
  return samples.length === 0 ? 0 : storage * integral(samples, 'storageUsed', fromMs, toMs);
}

/** An hour is a task; a day is a mistake of the clock. */
const MOST_LATENCY_US = 86_400e6;
const MOST_QUANTITY = 1e24;

/** A run as it can be used, or why it cannot. */
export function checkRun(run: TaskRun): Modelled<TaskRun> {
  const { workload, dataSize, latencyUs, state, atMs } = run;
  const quantity = (name: string, value: number): string | undefined => (value >= 0 && value <= MOST_QUANTITY ? undefined : `${name}: expected a number of 0 or more, not ${value}`);
  const share = (name: string, value: number): string | undefined => (value >= 0 && value <= 1 ? undefined : `${name}: expected a share from 0 to 1, not ${value}`);
  const fault =
    quantity('workload', workload) ??
    quantity('data size', dataSize) ??
    (latencyUs > 0 && latencyUs <= MOST_LATENCY_US ? undefined : `latency: expected us above 0 and up to a day, not ${latencyUs}`) ??
    quantity('capacity', state.capacity) ??
    share('computing in use', state.computingUsed) ??
    quantity('storage', state.storage) ??
    share('storage in use', state.storageUsed) ??
    quantity('I/O rate', state.ioRate) ??
    quantity('start', atMs);
  if (fault !== undefined) return refused(fault);
  if (workload > 0 && state.capacity === 0) return refused('capacity: a workload says nothing without the capacity of the node');
  return modelled(run);
}
