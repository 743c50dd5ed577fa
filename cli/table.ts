/** Tables and words for people: aligned columns without borders; colours only on a terminal. */
import { isatty } from 'node:tty';
import CliTable from 'cli-table3';
import picocolors from 'picocolors';

// Not picocolors' own guess: it colours pipes when CI is set.
export const colours = picocolors.createColors(isatty(1) && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb');

export type Cell = string | number | bigint | undefined;

const NO_BORDERS = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'].map((name) => [name, '']),
);

/** Columns with a heading; an absent value is a dash. `empty` is what an empty table says. */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[], empty = 'none'): string {
  if (rows.length === 0) return empty;
  const printed = new CliTable({ head: heading.map((word) => colours.bold(word)), chars: { ...NO_BORDERS, middle: '  ' }, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } });
  for (const row of rows) printed.push(row.map((cell) => (cell === undefined || cell === '' ? '-' : String(cell))));
  return printed
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Name and value pairs, one a line. */
export function facts(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${colours.bold(name.padEnd(width))}  ${value === undefined || value === '' ? '-' : String(value)}`).join('\n');
}

export const yes = (value: boolean, word = 'yes'): string => (value ? word : '');

/** Whether the kernel took it; why not. */
export function installed(entry: { readonly installed: boolean; readonly error: string | undefined }): string {
  return entry.installed ? colours.green('yes') : colours.red(entry.error ?? 'not yet');
}

/** 850us, 12.3ms, 4.5s, 3m05s, 2h10m, 5d03h. */
export function duration(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)}us`;
  if (ms < 1000) return `${Number(ms.toPrecision(3))}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const seconds = ms / 1000;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3600)}h`;
}

export const microseconds = (us: number | undefined): string | undefined => (us === undefined ? undefined : duration(us / 1000));

/** 8.00T: a quantity with a decimal prefix. */
export function scaled(value: bigint): string {
  const units = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
  let unit = 0;
  let scaledValue = Number(value);
  while (scaledValue >= 1000 && unit < units.length - 1) {
    scaledValue /= 1000;
    unit++;
  }
  return `${Number(scaledValue.toPrecision(3))}${units[unit]!}`;
}

/** parallel gpu 8T/10T: residual of total. */
export function computing(list: readonly { readonly class: string; readonly chip: string; readonly total: bigint; readonly residual: bigint }[]): string {
  return list.map((entry) => `${entry.class} ${entry.chip} ${scaled(entry.residual)}/${scaled(entry.total)}`).join(', ');
}

export function load(value: { readonly utilisation: number; readonly queueLength: number; readonly activeFlows: number } | undefined): string | undefined {
  return value && `${(value.utilisation / 100).toFixed(1)}%, queue ${value.queueLength}, flows ${value.activeFlows}`;
}

/** CATS scores, L2 first and what it is made of behind it: 6 (computing 8, service 4). */
export function cats(metrics: readonly { readonly type: string; readonly level: number; readonly value: bigint }[]): string {
  const overall = metrics.find(({ level }) => level === 2);
  const categories = metrics.filter(({ level }) => level === 1).map(({ type, value }) => `${type} ${value}`);
  return `${overall ? overall.value.toString() : ''}${categories.length > 0 ? ` (${categories.join(', ')})` : ''}`.trim();
}
