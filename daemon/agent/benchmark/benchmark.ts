/**
 * Micro-benchmarks of this machine (survey section 3.1: computing power of unlike nodes made comparable): logical operations, vectors in single precision for
 * the parallel class, a product of small matrices for the neural one, each on all processors that may be used and for less than a second.
 */
import { availableParallelism } from 'node:os';
import { readFileSync } from 'node:fs';
import { native } from '../../../dataplane/native/index.js';
import type { ClassName } from '../../computing/model/chips.js';
import { readCgroup } from '../sources/cgroup.js';
import { benchmarkResult, type BenchmarkResult } from './result.js';

/** Numbers of the kernels in dataplane/native/benchmark.c. */
const KERNELS: Readonly<Record<ClassName, number>> = { logical: 0, parallel: 1, neural: 2 };
export const BENCHMARK_CLASSES = Object.keys(KERNELS) as ClassName[];

/** As long as a period of the kernel's bandwidth control (cpu.max), so that a quota shows in every slice alike. */
const SLICE_US = 100_000;
/** The first is warming up. With making and joining threads a run stays below a second. */
const SLICES = 9;

/** How many processors may be used at once: those of the affinity mask, or the time that the control groups grant. */
export function usableProcessors(read: (path: string) => string | undefined = readText, available = availableParallelism()): number {
  const quota = readCgroup(read).processors;
  return Math.max(0.01, Math.min(available, quota ?? available));
}

/** Measures one class. Rejects with the reason when that cannot be. */
export async function measure(name: ClassName, processors = usableProcessors()): Promise<BenchmarkResult> {
  const threads = Math.ceil(processors);
  return benchmarkResult(name, await native.benchmark(KERNELS[name], threads, SLICES, SLICE_US), threads, SLICES, processors);
}

/** Measures all classes, one after the other. */
export async function measureAll(): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = [];
  for (const name of BENCHMARK_CLASSES) results.push(await measure(name));
  return results;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
