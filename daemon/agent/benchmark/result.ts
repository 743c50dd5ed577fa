/** From what the threads of a benchmark did to what the node can do, operations per second. Pure. */
import type { ClassName } from '../../computing/model/chips.js';

/** Numbers a slice of a thread has in a run of the addon: operations, wall ns, processor ns. */
const VALUES = 3;
/** Processor time below which nothing can be said, ns. */
const LEAST_PROCESSOR_NS = 20e6;

export interface BenchmarkResult {
  readonly class: ClassName;
  /** What the processors that may be used do, each for itself, operations per second: what they did in the processor time that the benchmark got. */
  readonly operations: number;
  /** What came out while others used the processors too, operations per second of wall clock: the median of the slices. */
  readonly obtained: number;
  /** Distance of the quartiles of the slices, as a share of the median: a neighbour that comes and goes shows here. */
  readonly spread: number;
  /** Processor time that the benchmark got, as a share of what it asked for. */
  readonly share: number;
  readonly processors: number;
}

/**
 * `values`: of every slice of the first thread, then of the next (`Native.benchmark`). The first slice is warming up (clock, caches) and does not count.
 * `processors`: how many may be used at once, a control group's quota included. Throws Error when the threads got too little time.
 */
export function benchmarkResult(name: ClassName, values: Float64Array, threads: number, slices: number, processors: number): BenchmarkResult {
  const obtained: number[] = [];
  const efficiency: number[] = [];
  let processorNs = 0;
  let wallNs = 0;
  for (let slice = slices > 1 ? 1 : 0; slice < slices; slice++) {
    let rate = 0;
    let operations = 0;
    let used = 0;
    for (let thread = 0; thread < threads; thread++) {
      const at = (thread * slices + slice) * VALUES;
      const [done = 0, wall = 0, processor = 0] = values.subarray(at, at + VALUES);
      if (wall > 0) rate += done / wall;
      operations += done;
      used += processor;
      wallNs += wall;
    }
    obtained.push(rate * 1e9);
    if (used > 0) efficiency.push((operations / used) * 1e9);
    processorNs += used;
  }
  if (processorNs < LEAST_PROCESSOR_NS) throw new Error(`the processors are too busy to measure them: the benchmark got ${(processorNs / 1e6).toFixed(1)} ms`);
  const median = quantile(obtained, 0.5);
  return {
    class: name,
    operations: quantile(efficiency, 0.5) * processors,
    obtained: median,
    spread: median > 0 ? (quantile(obtained, 0.75) - quantile(obtained, 0.25)) / median : Infinity,
    share: Math.min(1, processorNs / ((wallNs / threads) * Math.min(threads, processors))),
    processors,
  };
}

/** Between the two values that stand next to it. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? 0;
  return below + ((sorted[Math.ceil(at)] ?? below) - below) * (at - Math.floor(at));
}
