/**
 * The pool model (survey section 3.2): what a pool of chips can do in each class,
 *
 *     C = sum(alpha_i f(a_i)) + q        (1)
 *
 * where q, the redundant computing power, makes up for what a sum of data sheets does not know: q = Hc - sum(alpha_i f(a_i)), with Hc the average of the peaks
 * that the pool showed. Without a history q is 0; without chips the history stands alone, the pool being a black box.
 */
import { chipFault, CLASS_NAMES, mappedPeak, scalingCoefficient, UNITS, type ClassName, type Coefficients, type PoolChip } from './chips.js';
import { modelled, refused, told, type Modelled } from './result.js';

export interface PeakHistoryOptions {
  /** How long a peak counts, ms. */
  readonly windowMs: number;
  /** Peaks that are kept; the oldest goes first. */
  readonly most: number;
}

/** A month: long enough for daily tests, short enough to notice that a pool was rebuilt. */
export const PEAK_HISTORY: PeakHistoryOptions = { windowMs: 30 * 86_400_000, most: 128 };

/** Peaks that a pool showed in one class, within a window. */
export class PeakHistory {
  private readonly peaks: { readonly atMs: number; readonly value: number }[] = [];

  constructor(private readonly options: PeakHistoryOptions = PEAK_HISTORY) {}

  /** Takes in a measured peak, operations per second. */
  add(atMs: number, value: number): Modelled<number> {
    if (!Number.isFinite(atMs)) return refused(`time of a peak: ${atMs} is no time`);
    if (!Number.isFinite(value) || value <= 0) return refused(`measured peak: expected operations per second above 0, not ${value}`);
    this.peaks.push({ atMs, value });
    this.peaks.sort((a, b) => a.atMs - b.atMs);
    if (this.peaks.length > this.options.most) this.peaks.shift();
    return modelled(value);
  }

  /** Hc: the average of the peaks inside the window; undefined without any. */
  average(nowMs: number): { readonly value: number; readonly count: number } | undefined {
    const inside = this.peaks.filter(({ atMs }) => atMs <= nowMs && nowMs - atMs <= this.options.windowMs);
    if (inside.length === 0) return undefined;
    return { value: inside.reduce((sum, { value }) => sum + value, 0) / inside.length, count: inside.length };
  }
}

export type HistoricalPeaks = Readonly<Partial<Record<ClassName, { readonly value: number; readonly count: number }>>>;

export interface PoolParameters {
  readonly coefficients: Coefficients;
  /**
   * How far the history is believed: C stays within these shares of sum(alpha_i f(a_i)). Nobody does more than twice what all data sheets together state, so what
   * says so was measured wrong, or by a liar; less than a fiftieth is a pool that was not pushed.
   */
  readonly least: number;
  readonly most: number;
}

export const POOL_PARAMETERS: PoolParameters = { coefficients: {}, least: 0.02, most: 2 };

export interface PoolClass {
  readonly class: ClassName;
  readonly unit: 'OPS' | 'FLOPS';
  /** The terms of the sum. */
  readonly chips: readonly { readonly kind: string; readonly model: string; readonly count: number; readonly mapped: number; readonly alpha: number; readonly contribution: number }[];
  /** sum(alpha_i f(a_i)). */
  readonly modelled: number;
  /** Hc; undefined without a history. */
  readonly historicalPeak: number | undefined;
  readonly peaks: number;
  /** q. */
  readonly redundancy: number;
  /** C of Eq. (1), operations per second. */
  readonly total: number;
  /** Why the history does not count as it is; empty when it does. */
  readonly limited: string;
}

/** C of Eq. (1) for every class that the pool serves, in the order logical, parallel, neural. */
export function poolCapacity(chips: readonly PoolChip[], history: HistoricalPeaks = {}, parameters: PoolParameters = POOL_PARAMETERS): Modelled<readonly PoolClass[]> {
  for (const chip of chips) {
    const fault = chipFault(chip);
    if (fault !== undefined) return refused(fault);
  }
  for (const name of CLASS_NAMES) {
    const peak = history[name];
    if (peak && !(Number.isFinite(peak.value) && peak.value > 0)) return refused(`historical ${name} peak: expected operations per second above 0, not ${peak.value}`);
  }
  if (chips.length === 0 && Object.keys(history).length === 0) return refused('a pool of no chips and no history: nothing to model');
  const classes: PoolClass[] = [];
  for (const name of CLASS_NAMES) {
    const terms = chips.flatMap((chip) => {
      const mapped = mappedPeak(chip, name);
      const alpha = scalingCoefficient(chip, name, parameters.coefficients);
      return mapped > 0 ? [{ kind: chip.kind, model: chip.model, count: chip.count, mapped, alpha, contribution: alpha * mapped }] : [];
    });
    const sum = terms.reduce((total, { contribution }) => total + contribution, 0);
    const peak = history[name];
    if (sum === 0 && !peak) continue;
    const { redundancy, limited } = redundantPower(sum, peak?.value, parameters);
    classes.push({ class: name, unit: UNITS[name], chips: terms, modelled: sum, historicalPeak: peak?.value, peaks: peak?.count ?? 0, redundancy, total: sum + redundancy, limited });
  }
  return modelled(classes);
}

/** q = Hc - sum(alpha_i f(a_i)) (survey section 3.2), within the bounds of the parameters. */
export function redundantPower(sum: number, historicalPeak: number | undefined, { least, most }: PoolParameters = POOL_PARAMETERS): { readonly redundancy: number; readonly limited: string } {
  if (historicalPeak === undefined) return { redundancy: 0, limited: '' };
  // A black box: nothing to hold the history against.
  if (sum === 0) return { redundancy: historicalPeak, limited: '' };
  const total = Math.min(most * sum, Math.max(least * sum, historicalPeak));
  if (total === historicalPeak) return { redundancy: historicalPeak - sum, limited: '' };
  const [word, bound] = historicalPeak > total ? ['above', most] : ['below', least];
  return { redundancy: total - sum, limited: `the historical peak of ${told(historicalPeak)} is ${word} ${bound} times what the chips add up to: counted as ${told(total)}` };
}
