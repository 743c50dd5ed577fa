/**
 * What a node's chips can do, by the pool model, where the node states chips and no number. The router does this, not the node: then one set of coefficients
 * holds for all its nodes, and their capacities can be compared. Peaks that a node measured are the history of its pool (q of Eq. (1)), which counts within bounds of
 * what cores and clock bear. Pure.
 */
import { CLASS_NAMES, type ClassName, type Coefficients } from '../../computing/model/chips.js';
import { PeakHistory, POOL_PARAMETERS, poolCapacity, type HistoricalPeaks } from '../../computing/model/pool.js';
import type { NamedComputing } from '../instance.js';
import type { Chip, MeasuredComputing } from './types.js';

/** The history of measured peaks of one node, by class and kind of chip. */
export class NodePeaks {
  private readonly histories = new Map<string, PeakHistory>();
  /** When a benchmark that was told last had run: telling it again is no further peak. */
  private readonly lastRun = new Map<string, number>();

  /** Takes in what single chips showed, where all of a kind were measured. */
  observeChips(chips: readonly Chip[], nowMs: number): void {
    for (const kind of new Set(chips.map((chip) => chip.kind))) {
      const all = chips.filter((chip) => chip.kind === kind);
      for (const name of CLASS_NAMES) {
        if (all.every(({ measuredPeak }) => (measuredPeak?.[name] ?? 0) > 0)) this.add(`${name} ${kind}`, nowMs, all.reduce((sum, { count, measuredPeak }) => sum + count * measuredPeak![name]!, 0));
      }
    }
  }

  /** Takes in what benchmarks of the node found. */
  observeBenchmarks(measured: readonly MeasuredComputing[], nowMs: number): void {
    for (const { class: name, chip, operations, unixMs } of measured) {
      const key = `${name} ${chip}`;
      if (this.lastRun.get(key) === unixMs) continue;
      this.lastRun.set(key, unixMs);
      this.add(key, nowMs, Number(operations));
    }
  }

  private add(key: string, nowMs: number, operations: number): void {
    const history = this.histories.get(key) ?? new PeakHistory();
    if (history.add(nowMs, operations).ok) this.histories.set(key, history);
  }

  averages(kind: string, nowMs: number): HistoricalPeaks {
    const found = CLASS_NAMES.map((name) => [name, this.histories.get(`${name} ${kind}`)?.average(nowMs)] as const);
    return Object.fromEntries(found.filter((entry): entry is readonly [ClassName, { value: number; count: number }] => entry[1] !== undefined));
  }
}

/** A chip without its measured peaks where its cores and clock speak for it: there they are history. */
const dataSheet = (chip: Chip): Chip => (chip.cores === 0 || chip.clockHz === 0 ? chip : { ...chip, measuredPeak: undefined });

export interface ModelledComputing {
  readonly computing: readonly NamedComputing[];
  /** Why a history does not count as it is. */
  readonly limited: readonly string[];
}

/** Computing by class and kind of chip; nothing where the chips make no sense. Free is all of it, as far as the chips tell. */
export function modelledComputing(chips: readonly Chip[], peaks: NodePeaks, nowMs: number, coefficients: Coefficients): ModelledComputing {
  const computing: NamedComputing[] = [];
  const limited: string[] = [];
  for (const kind of new Set(chips.map((chip) => chip.kind))) {
    const pool = poolCapacity(chips.filter((chip) => chip.kind === kind).map(dataSheet), peaks.averages(kind, nowMs), { ...POOL_PARAMETERS, coefficients });
    if (!pool.ok) continue;
    for (const { class: name, total, modelled, limited: reason } of pool.value) {
      // A class that the chips of this kind do not serve would rest on the claim alone.
      if (modelled === 0) continue;
      if (reason !== '') limited.push(`${name} ${kind}: ${reason}`);
      computing.push({ class: name, chip: kind, total: BigInt(Math.floor(total)), residual: BigInt(Math.floor(total)) });
    }
  }
  return { computing, limited };
}

/** What is free of a modelled capacity while a service reports this load, hundredths of a percent. */
export function freeOf(entry: NamedComputing, utilisation: number): NamedComputing {
  return { ...entry, residual: (entry.total * BigInt(10_000 - Math.min(10_000, Math.max(0, Math.round(utilisation))))) / 10_000n };
}
