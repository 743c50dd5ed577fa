/**
 * Histories as text: what was observed of runs, of single requests, or of rates and latencies. CSV with a heading (its columns in any order, others are ignored) or
 * JSON, one object a line, with the same names:
 *
 *     runs       workload, dataSize, latencyUs, capacity, computingUsed; service, instance, storage, storageUsed, ioRate, atMs where known
 *     requests   arrivalMs, startMs, endMs
 *     rates      rate, latencyUs
 */
import type { RateLatency, ServedRequest } from './queue-fit.js';
import { modelled, refused, type Modelled } from './result.js';
import { checkRun, type TaskRun } from './run.js';

/** A run with whose it was; empty where nobody said. */
export interface LabelledRun extends TaskRun {
  readonly service: string;
  /** EXIT#INSTANCE. */
  readonly instance: string;
}

export type History =
  | { readonly kind: 'runs'; readonly runs: readonly LabelledRun[]; readonly faults: readonly string[] }
  | { readonly kind: 'requests'; readonly requests: readonly ServedRequest[]; readonly faults: readonly string[] }
  | { readonly kind: 'rates'; readonly rates: readonly RateLatency[]; readonly faults: readonly string[] };

type Row = Readonly<Record<string, unknown>>;

const MOST_ROWS = 100_000;
/** Faults that are told one by one. */
const MOST_FAULTS = 5;

export const RUN_COLUMNS = ['service', 'instance', 'atMs', 'workload', 'dataSize', 'latencyUs', 'capacity', 'computingUsed', 'storage', 'storageUsed', 'ioRate'] as const;

/** Lines that cannot be used are left out and named in `faults`; a text without any that can is refused. */
export function parseHistory(text: string): Modelled<History> {
  const lines = text.split('\n').map((line) => line.trim());
  const first = lines.findIndex((line) => line !== '');
  if (first < 0) return refused('an empty history');
  if (lines.length > MOST_ROWS) return refused(`${lines.length} lines: at most ${MOST_ROWS} are taken`);
  const faults: string[] = [];
  const rows = lines[first]!.startsWith('{') ? jsonRows(lines, faults) : csvRows(lines, first);
  const sample = rows[0]?.row;
  if (!sample) return refused(faults[0] ?? 'a heading and nothing below it');
  const has = (...names: readonly string[]): boolean => names.every((name) => Object.hasOwn(sample, name));
  const keep = <T>(read: (row: Row) => Modelled<T>): T[] =>
    rows.flatMap(({ line, row }) => {
      const read_ = read(row);
      if (read_.ok) return [read_.value];
      faults.push(`line ${line}: ${read_.reason}`);
      return [];
    });
  const few = (): readonly string[] => (faults.length <= MOST_FAULTS ? faults : [...faults.slice(0, MOST_FAULTS), `and ${faults.length - MOST_FAULTS} more lines`]);
  const answer = <T extends History>(count: number, history: () => T): Modelled<T> => (count === 0 ? refused(faults[0] ?? 'no line can be used') : modelled(history()));
  if (has('workload', 'latencyUs') || has('dataSize', 'latencyUs')) {
    const runs = keep(runOf);
    return answer(runs.length, () => ({ kind: 'runs' as const, runs, faults: few() }));
  }
  if (has('arrivalMs', 'startMs', 'endMs')) {
    const requests = keep((row) => modelled({ arrivalMs: number(row['arrivalMs']), startMs: number(row['startMs']), endMs: number(row['endMs']) }));
    return answer(requests.length, () => ({ kind: 'requests' as const, requests, faults: few() }));
  }
  if (has('rate', 'latencyUs')) {
    const rates = keep((row) => modelled({ rate: number(row['rate']), latencyUs: number(row['latencyUs']) }));
    return answer(rates.length, () => ({ kind: 'rates' as const, rates, faults: few() }));
  }
  return refused(`columns ${Object.keys(sample).slice(0, 12).join(', ')}: expected those of runs (workload, dataSize, latencyUs, capacity, computingUsed), requests (arrivalMs, startMs, endMs) or rates (rate, latencyUs)`);
}

const number = (value: unknown): number => (typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN);
/** What may be left out stands for nothing known. */
const optional = (value: unknown): number => (value === undefined || value === '' || value === null ? 0 : number(value));
const label = (value: unknown): string => (typeof value === 'string' ? value : '').slice(0, 128);

function runOf(row: Row): Modelled<LabelledRun> {
  const state = { capacity: optional(row['capacity']), computingUsed: optional(row['computingUsed']), storage: optional(row['storage']), storageUsed: optional(row['storageUsed']), ioRate: optional(row['ioRate']) };
  const run = { workload: optional(row['workload']), dataSize: optional(row['dataSize']), latencyUs: number(row['latencyUs']), state, atMs: optional(row['atMs']) };
  const checked = checkRun(run);
  return checked.ok ? modelled({ ...run, service: label(row['service']), instance: label(row['instance']) }) : checked;
}

function jsonRows(lines: readonly string[], faults: string[]): { readonly line: number; readonly row: Row }[] {
  return lines.flatMap((text, i) => {
    if (text === '') return [];
    try {
      const row: unknown = JSON.parse(text);
      if (typeof row === 'object' && row !== null && !Array.isArray(row)) return [{ line: i + 1, row: row as Row }];
    } catch {
      // Said below.
    }
    faults.push(`line ${i + 1}: expected a JSON object`);
    return [];
  });
}

function csvRows(lines: readonly string[], heading: number): { readonly line: number; readonly row: Row }[] {
  const names = cells(lines[heading]!);
  return lines.slice(heading + 1).flatMap((text, i) => (text === '' ? [] : [{ line: heading + i + 2, row: Object.fromEntries(cells(text).map((cell, column) => [names[column] ?? `column ${column + 1}`, cell])) }]));
}

/** No name and no number of a history holds a comma: quotes are taken off, and that is all there is to quoting. */
const cells = (line: string): string[] => line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));

/** Runs as CSV that parseHistory() reads. */
export function formatRuns(runs: readonly LabelledRun[]): string {
  const rows = runs.map(({ service, instance, atMs, workload, dataSize, latencyUs, state }) => [service, instance, atMs, workload, dataSize, latencyUs, state.capacity, state.computingUsed, state.storage, state.storageUsed, state.ioRate].join(','));
  return `${[RUN_COLUMNS.join(','), ...rows].join('\n')}\n`;
}
