/**
 * Chips as the pool model sees them (survey section 3.2, Table 3): for every kind the mapping function f, which turns cores and clock into the
 * peak of a class, and the scaling coefficient alpha (beta, gamma), which makes peaks of different kinds comparable.
 */
import { refused, modelled, told, type Modelled } from './result.js';

/** Logical computing counts operations (OPS), parallel and neural count floating-point operations (FLOPS) per second; survey Table 3. */
export type ClassName = 'logical' | 'parallel' | 'neural';
export const CLASS_NAMES: readonly ClassName[] = ['logical', 'parallel', 'neural'];
export const UNITS: Readonly<Record<ClassName, 'OPS' | 'FLOPS'>> = { logical: 'OPS', parallel: 'FLOPS', neural: 'FLOPS' };

/** A value by class; a class that is absent is not stated. */
export type ByClass<T> = { readonly [Name in ClassName]?: T | undefined };

/** Chips of one kind and model. */
export interface PoolChip {
  readonly kind: string; // cpu, gpu, dpu, npu, tpu, fpga
  readonly model: string;
  readonly count: number;
  readonly cores: number; // of one chip
  readonly clockHz: number;
  /** Operations that a core does in a cycle; absent: what the kind does at least. */
  readonly operationsPerCycle?: ByClass<number> | undefined;
  /** Operations per second of one chip as measured, in the place of f. */
  readonly measuredPeak?: ByClass<number> | undefined;
}

export interface KindParameters {
  /** Operations of one core in a clock cycle, by the classes that the kind serves. */
  readonly operationsPerCycle: ByClass<number>;
  /** Scaling coefficient of each class; absent: 1. */
  readonly alpha: ByClass<number>;
}

/**
 * What a core does in a cycle at least. CPU: four scalar pipelines are common to today's cores, and one fused multiply-add without vector units.
 * GPU, DPU (deep learning processing unit, as the survey has it), NPU, TPU and FPGA: a fused multiply-add an arithmetic unit, of which the data sheet
 * gives the number; the GTX 680 of the survey is an example.
 *
 * Alpha is 1 where f already gives what the manufacturer states as the peak. FPGA: 0.5, an assumption, since its data sheet counts every DSP slice at its highest
 * clock, and a design that is placed and routed reaches neither. A measured peak, or the history of the pool (q), corrects either.
 */
export const CHIP_KINDS: Readonly<Record<string, KindParameters>> = {
  cpu: { operationsPerCycle: { logical: 4, parallel: 2 }, alpha: {} },
  gpu: { operationsPerCycle: { parallel: 2, neural: 2 }, alpha: {} },
  dpu: { operationsPerCycle: { neural: 2 }, alpha: {} },
  npu: { operationsPerCycle: { neural: 2 }, alpha: {} },
  tpu: { operationsPerCycle: { neural: 2 }, alpha: {} },
  fpga: { operationsPerCycle: { neural: 2 }, alpha: { neural: 0.5 } },
};

/** Gamma of a GPU with tensor cores: their dense FP16 FLOPS over the FP32 FLOPS of f, by architecture, from the manufacturer's data sheets. */
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
  return 2;
}

/** Coefficients of the configuration by kind; they win over those of the tables. */
export type Coefficients = Readonly<Record<string, ByClass<number>>>;

/** The most that chips can be, with room above today's. */
export const MOST_CHIPS = 1024;
export const MOST_CLOCK_HZ = 1e10;
export const MOST_CORES: Readonly<Record<string, number>> = { cpu: 1024, gpu: 100_000, dpu: 1024, npu: 1_000_000, tpu: 1_000_000, fpga: 1_000_000 };

/** Why a description of chips makes no sense; undefined when it does. */
export function chipFault({ kind, count, cores, clockHz, operationsPerCycle = {}, measuredPeak = {} }: PoolChip): string | undefined {
  if (!Object.hasOwn(CHIP_KINDS, kind)) return `chip: ${JSON.stringify(kind.slice(0, 40))} is not one of ${Object.keys(CHIP_KINDS).join(', ')}`;
  const inside = (what: string, value: number, least: number, most: number): string | undefined => (value >= least && value <= most ? undefined : `${what}: ${value} is not from ${least} to ${most}`);
  const fault = inside('number of chips', count, 1, MOST_CHIPS) ?? inside(`cores of a ${kind}`, cores, 0, MOST_CORES[kind]!) ?? inside(`clock of a ${kind}`, clockHz, 0, MOST_CLOCK_HZ);
  if (fault !== undefined) return fault;
  for (const name of [...Object.keys(operationsPerCycle), ...Object.keys(measuredPeak)]) {
    if (!(CLASS_NAMES as readonly string[]).includes(name)) return `class of a ${kind}: ${JSON.stringify(name.slice(0, 40))} is not one of ${CLASS_NAMES.join(', ')}`;
  }
  for (const name of CLASS_NAMES) {
    const perCycle = operationsPerCycle[name];
    const peak = measuredPeak[name];
    const wrong =
      (perCycle === undefined ? undefined : inside(`${name} operations of a ${kind} core in a cycle`, perCycle, 0, MOST_PER_CYCLE)) ?? (peak === undefined ? undefined : inside(`measured ${name} peak of a ${kind}`, peak, 0, MOST_OF_A_CHIP));
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Operations of a core in a cycle: matrix units do some thousands. */
const MOST_PER_CYCLE = 1e5;
/** Operations per second that a single chip may claim. */
const MOST_OF_A_CHIP = 2e16;

/**
 * f(a_i) of Eq. (1): the peak of a group of chips in a class, operations per second: operations per clock x cores x clock x number of chips (survey section 3.2,
 * where a GTX 680 has 2 x 1536 x 1006 MHz = 3.09 TFLOPS), or the measured peak of one chip x their number. 0 for a class that the kind does not serve.
 */
export function mappedPeak(chip: PoolChip, name: ClassName): number {
  const measured = chip.measuredPeak?.[name];
  if (measured !== undefined && measured > 0) return chip.count * measured;
  const perCycle = chip.operationsPerCycle?.[name] ?? sameArithmetic(chip, name) ?? CHIP_KINDS[chip.kind]?.operationsPerCycle[name] ?? 0;
  return chip.count * chip.cores * chip.clockHz * perCycle;
}

/** A GPU's neural peak is its parallel one, times gamma, unless it is stated on its own. */
const sameArithmetic = (chip: PoolChip, name: ClassName): number | undefined => (chip.kind === 'gpu' && name === 'neural' ? chip.operationsPerCycle?.parallel : undefined);

/** alpha_i, beta_j or gamma_k of Eq. (1). A measured peak is already what the chip does: 1. */
export function scalingCoefficient(chip: PoolChip, name: ClassName, coefficients: Coefficients = {}): number {
  if ((chip.measuredPeak?.[name] ?? 0) > 0) return 1;
  const configured = coefficients[chip.kind]?.[name];
  if (configured !== undefined) return configured;
  if (chip.kind === 'gpu' && name === 'neural' && chip.operationsPerCycle?.neural === undefined) return TENSOR_FACTORS.find(([pattern]) => pattern.test(chip.model))?.[1] ?? 1;
  return CHIP_KINDS[chip.kind]?.alpha[name] ?? 1;
}

/** Peaks of all chips by "class kind", alpha_i f(a_i) of Eq. (1) summed over each kind. Chips that make no sense count for nothing. */
export function capacityOf(chips: Iterable<PoolChip>, coefficients: Coefficients = {}): ReadonlyMap<string, number> {
  const peaks = new Map<string, number>();
  for (const chip of chips) {
    for (const name of CLASS_NAMES) {
      const value = scalingCoefficient(chip, name, coefficients) * mappedPeak(chip, name);
      if (value > 0) peaks.set(`${name} ${chip.kind}`, (peaks.get(`${name} ${chip.kind}`) ?? 0) + value);
    }
  }
  return peaks;
}

/** Coefficients as a configuration or a file states them. */
export function checkCoefficients(coefficients: Coefficients): Modelled<Coefficients> {
  for (const [kind, values] of Object.entries(coefficients)) {
    if (!Object.hasOwn(CHIP_KINDS, kind)) return refused(`alpha: ${JSON.stringify(kind)} is not one of ${Object.keys(CHIP_KINDS).join(', ')}`);
    for (const [name, value] of Object.entries(values)) {
      if (value !== undefined && !(value > 0 && value <= MOST_ALPHA)) return refused(`alpha of ${name} ${kind}: ${told(value)} is not above 0 and at most ${MOST_ALPHA}`);
    }
  }
  return modelled(coefficients);
}
const MOST_ALPHA = 1000;
