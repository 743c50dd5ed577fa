/**
 * Peak capacity of chips by class, operations per second: cores x clock x operations a core does in a cycle (survey section 3.2, where a
 * GTX 680 has 2 x 1536 x 1006 MHz = 3.09 TFLOPS). Pure.
 */
import type { Chip } from '../awareness/registration/types.js';

export type ComputingClassName = 'logical' | 'parallel' | 'neural';

/** A chip as the capacity sees it; `flopsPerCycle` where the instruction set is known. */
export type CapableChip = Pick<Chip, 'kind' | 'model' | 'count' | 'cores' | 'clockHz'> & { readonly flopsPerCycle?: number };

/** Integer operations a CPU core retires in a cycle: four scalar pipelines are common to today's cores. */
const CPU_OPERATIONS_PER_CYCLE = 4;
/** Single precision FLOP a core does in a cycle without vector units: one fused multiply-add. */
const SCALAR_FLOPS_PER_CYCLE = 2;
/** A GPU core does one fused multiply-add a cycle. */
const GPU_FLOPS_PER_CYCLE = 2;

/** Dense FP16 FLOPS of the tensor cores over the FP32 FLOPS of the CUDA cores, by architecture, from the manufacturer's data sheets. */
const TENSOR_FACTORS: readonly (readonly [model: RegExp, factor: number])[] = [
  [/\bH(100|200)\b/, 14.7],
  [/\bA100\b/, 16],
  [/\bA(10|30|40)\b/, 4],
  [/\bL(4|40S?)\b/, 4],
  [/\bV100\b/, 8],
  [/\bT4\b/, 8],
];

/** CUDA cores by model, from the manufacturer's data sheets: nvidia-smi does not tell them. */
const CUDA_CORES: readonly (readonly [model: RegExp, cores: number])[] = [
  [/\bGTX 680\b/, 1536],
  [/\bGTX 1080 Ti\b/, 3584],
  [/\bT4\b/, 2560],
  [/\bP100\b/, 3584],
  [/\bV100\b/, 5120],
  [/\bRTX 3090\b/, 10_496],
  [/\bRTX 4090\b/, 16_384],
  [/\bA10\b/, 9216],
  [/\bA30\b/, 3584],
  [/\bA40\b/, 10_752],
  [/\bA100\b/, 6912],
  [/\bL40S?\b/, 18_176],
  [/\bL4\b/, 7424],
  [/\bH100 PCIe\b/, 14_592],
  [/\bH100\b/, 16_896],
  [/\bH200\b/, 16_896],
];

/** Cores of a GPU by its model name; 0 when it is not in the table. */
export const cudaCoresOf = (model: string): number => CUDA_CORES.find(([pattern]) => pattern.test(model))?.[1] ?? 0;

/** Single precision FLOP a CPU core does in a cycle, by the flags of /proc/cpuinfo: two fused multiply-add units of the widest vectors. */
export function flopsPerCycleOf(flags: ReadonlySet<string>): number {
  if (flags.has('avx512f')) return 64;
  if (flags.has('avx2') && flags.has('fma')) return 32;
  if (flags.has('avx')) return 16;
  if (flags.has('sse2') || flags.has('asimd')) return 8;
  return SCALAR_FLOPS_PER_CYCLE;
}

/** Peak of one group of chips by class; classes it does not serve are absent. */
function capacityOfChip(chip: CapableChip): ReadonlyMap<ComputingClassName, number> {
  const cycles = chip.count * chip.cores * chip.clockHz;
  const peaks = new Map<ComputingClassName, number>();
  const set = (name: ComputingClassName, value: number): void => {
    if (value > 0) peaks.set(name, value);
  };
  if (chip.kind === 'cpu') {
    set('logical', cycles * CPU_OPERATIONS_PER_CYCLE);
    set('parallel', cycles * (chip.flopsPerCycle ?? SCALAR_FLOPS_PER_CYCLE));
  } else if (chip.kind === 'gpu') {
    const parallel = cycles * (chip.flopsPerCycle ?? GPU_FLOPS_PER_CYCLE);
    set('parallel', parallel);
    set('neural', parallel * (TENSOR_FACTORS.find(([pattern]) => pattern.test(chip.model))?.[1] ?? 1));
  } else set('neural', cycles * (chip.flopsPerCycle ?? SCALAR_FLOPS_PER_CYCLE));
  return peaks;
}

/** Peak of all chips, by "class chip". */
export function capacityOf(chips: Iterable<CapableChip>): ReadonlyMap<string, number> {
  const peaks = new Map<string, number>();
  for (const chip of chips) for (const [name, value] of capacityOfChip(chip)) peaks.set(`${name} ${chip.kind}`, (peaks.get(`${name} ${chip.kind}`) ?? 0) + value);
  return peaks;
}
