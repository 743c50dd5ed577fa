/** Files that model commands read; what cannot be read ends the command. */
import { readFileSync } from 'node:fs';
import type { History } from '../../../daemon/computing/model/history.js';
import { CommandFailure, EXIT_NO } from '../../exit.js';

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(EXIT_NO, `${file} cannot be read: ${(error as Error).message}`);
  }
}

/** A history of runs, requests or rates; lines that cannot be used are named on standard error. */
export async function readHistory(file: string): Promise<History> {
  const { parseHistory } = await import('../../../daemon/computing/model/history.js');
  const history = parseHistory(readText(file));
  if (!history.ok) throw new CommandFailure(EXIT_NO, `${file}: ${history.reason}`);
  for (const fault of history.value.faults) process.stderr.write(`${file}: ${fault}\n`);
  return history.value;
}

/** The runs of a file. */
export async function readRuns(file: string): Promise<(History & { readonly kind: 'runs' })['runs']> {
  const history = await readHistory(file);
  if (history.kind !== 'runs') throw new CommandFailure(EXIT_NO, `${file}: expected runs of tasks (workload, dataSize, latencyUs, capacity, computingUsed), not ${history.kind}`);
  return history.runs;
}
