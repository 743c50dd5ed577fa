/** How the benches of the daemon print: a small table for people, then one line of JSON. */
import { cpus } from 'node:os';

export interface Quantiles {
  readonly samples: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return { samples: sorted.length, median: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? NaN };
}

export const round = (value: number, digits = 0): number => Math.round(value * 10 ** digits) / 10 ** digits;

/** Columns as wide as their widest cell; numbers to the right. */
export function printTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const text = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...text.map((row) => row[column]!.length)));
  const isNumber = header.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
  for (const row of text) {
    console.log(row.map((cell, column) => (isNumber[column] === true ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ').trimEnd());
  }
}

/** The line of JSON, with the machine that the figures were taken on. */
export function printJson(bench: string, result: object): void {
  console.log(JSON.stringify({ bench, cpus: cpus().length, model: cpus()[0]?.model, node: process.version, ...result }));
}

/** CPU time of a process so far, s (proc(5), stat fields 14 and 15, in ticks of 10 ms). */
export function cpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
