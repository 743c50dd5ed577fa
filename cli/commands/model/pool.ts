import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { ByClass, Coefficients, PoolChip } from '../../../daemon/computing/model/chips.js';
import type { HistoricalPeaks, PoolClass } from '../../../daemon/computing/model/pool.js';
import { quantity } from '../../arguments.js';
import { CommandFailure, EXIT_NO } from '../../exit.js';
import type { Session } from '../../session.js';
import { readText } from './files.js';

interface Pool {
  readonly chips: readonly PoolChip[];
  readonly history: HistoricalPeaks;
  readonly coefficients: Coefficients;
}

export function modelPool(parent: Command, session: Session): void {
  parent
    .command('pool')
    .description('what a pool of chips can do in each class: C = sum(alpha f(a)) + q')
    .argument('<file|node>', 'a YAML or JSON file with chips, or a registered node')
    .action(async (what: string) => {
      const pool = existsSync(what) ? await ofFile(what) : await ofNode(what, session);
      const { POOL_PARAMETERS, poolCapacity } = await import('../../../daemon/computing/model/pool.js');
      const capacity = poolCapacity(pool.chips, pool.history, { ...POOL_PARAMETERS, coefficients: pool.coefficients });
      if (!capacity.ok) throw new CommandFailure(EXIT_NO, `${what}: ${capacity.reason}`);
      await session.answer(capacity.value, describe);
    });
}

async function describe(classes: readonly PoolClass[]): Promise<string> {
  const [{ scaled, table }, { gradeOfFlops }, { GRADE_NAMES }] = await Promise.all([import('../../table.js'), import('../../../daemon/computing/model/grade.js'), import('../../../daemon/computing/names.js')]);
  const amount = (value: number): string => `${value < 0 ? '-' : ''}${scaled(BigInt(Math.round(Math.abs(value))))}`;
  const chips = classes.flatMap((entry) => entry.chips.map((chip) => [entry.class, `${chip.count}x ${chip.kind} ${chip.model}`.trim(), amount(chip.mapped), chip.alpha, amount(chip.contribution)]));
  const totals = classes.map((entry) => [
    entry.class,
    amount(entry.modelled),
    entry.historicalPeak === undefined ? undefined : `${amount(entry.historicalPeak)} of ${entry.peaks}`,
    amount(entry.redundancy),
    `${amount(entry.total)}${entry.unit}`,
    entry.limited,
  ]);
  const flops = classes.filter(({ unit }) => unit === 'FLOPS').reduce((sum, { total }) => sum + total, 0);
  return [
    table(['CLASS', 'CHIPS', 'f(a)', 'ALPHA', 'ALPHA f(a)'], chips, 'no chips: the history stands alone'),
    '',
    table(['CLASS', 'SUM', 'AVERAGE OF PEAKS', 'q', 'C', 'NOTE'], totals),
    '',
    `grade: ${flops >= 1 ? GRADE_NAMES[gradeOfFlops(BigInt(Math.round(flops)))] : 'none: no floating-point computing'}`,
  ].join('\n');
}

/** chips: kind, model, count, cores, clock, operationsPerCycle, measuredPeak; peaks: measured ones of the pool by class; alpha: by kind and class. */
async function ofFile(file: string): Promise<Pool> {
  const [{ parse }, { CLASS_NAMES, checkCoefficients }] = await Promise.all([import('yaml'), import('../../../daemon/computing/model/chips.js')]);
  const wrong = (text: string): CommandFailure => new CommandFailure(EXIT_NO, `${file}: ${text}`);
  let content: unknown;
  try {
    content = parse(readText(file));
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw wrong((error as Error).message.split('\n')[0]!);
  }
  const top = record(content) ?? {};
  const list = Array.isArray(content) ? content : top['chips'];
  const number = (value: unknown): number => {
    if (typeof value !== 'string') return typeof value === 'number' ? value : NaN;
    try {
      return Number(quantity(value.replace(/(OPS|FLOPS|Hz)$/, '')));
    } catch {
      return NaN;
    }
  };
  const byClass = (value: unknown): ByClass<number> => Object.fromEntries(Object.entries(record(value) ?? {}).map(([name, entry]) => [name, number(entry)]));
  const chips = (Array.isArray(list) ? (list as unknown[]) : []).map((entry): PoolChip => {
    const fields = record(entry) ?? {};
    const words = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
    return {
      kind: words('kind'),
      model: words('model'),
      count: fields['count'] === undefined ? 1 : number(fields['count']),
      cores: fields['cores'] === undefined ? 0 : number(fields['cores']),
      clockHz: fields['clock'] === undefined ? 0 : number(fields['clock']),
      operationsPerCycle: byClass(fields['operationsPerCycle']),
      measuredPeak: byClass(fields['measuredPeak']),
    };
  });
  const history = CLASS_NAMES.flatMap((name) => {
    const peaks = record(top['peaks'])?.[name];
    if (peaks === undefined) return [];
    const values = (Array.isArray(peaks) ? (peaks as unknown[]) : [peaks]).map(number);
    return [[name, { value: values.reduce((sum, value) => sum + value, 0) / values.length, count: values.length }] as const];
  });
  const coefficients = checkCoefficients(Object.fromEntries(Object.entries(record(top['alpha']) ?? {}).map(([kind, values]) => [kind, byClass(values)])));
  if (!coefficients.ok) throw wrong(coefficients.reason);
  return { chips, history: Object.fromEntries(history), coefficients: coefficients.value };
}

const record = (value: unknown): Readonly<Record<string, unknown>> | undefined => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined);

/** Chips and what benchmarks found, as the node registered them. */
async function ofNode(id: string, session: Session): Promise<Pool> {
  const { nodes } = await session.call((methods) => methods.nodeMethods.listRegisteredNodes, {});
  const node = nodes.find((entry) => entry.node === id);
  if (!node) throw new CommandFailure(EXIT_NO, `no file and no registered node ${id}`);
  const { CLASS_NAMES } = await import('../../../daemon/computing/model/chips.js');
  const history = CLASS_NAMES.flatMap((name) => {
    const measured = node.measured.filter((entry) => entry.class === name);
    return measured.length === 0 ? [] : [[name, { value: measured.reduce((sum, { operations }) => sum + Number(operations), 0), count: 1 }] as const];
  });
  // What was measured of one kind of chip says nothing of a pool of several.
  const kinds = new Set(node.chips.map(({ kind }) => kind));
  return { chips: node.chips, history: kinds.size === 1 ? Object.fromEntries(history) : {}, coefficients: {} };
}
