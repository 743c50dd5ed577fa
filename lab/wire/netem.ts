/** Impairments by the kernel's netem queueing discipline, where there is one. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Impairment } from '../topology/topology.js';

const run = promisify(execFile);

/** Arguments of `tc` that make `device` do to the frames it sends what is asked. `queueFrames` may wait beyond those that are merely under way. */
export function netemCommand(device: string, impairment: Impairment, queueFrames: number): string[] {
  const { delayMs, jitterMs, lossPercent, rateBps } = impairment;
  // netem's limit counts delayed frames too: a generous 1,000 a millisecond of them.
  const words = ['qdisc', 'replace', 'dev', device, 'root', 'netem', 'limit', String(queueFrames + Math.ceil((delayMs + jitterMs) * 1000))];
  if (delayMs > 0 || jitterMs > 0) words.push('delay', `${delayMs * 1000}us`, `${jitterMs * 1000}us`);
  if (lossPercent > 0) words.push('loss', `${lossPercent}%`);
  if (rateBps > 0) words.push('rate', `${rateBps}bit`);
  return words;
}

export async function setNetem(device: string, impairment: Impairment, queueFrames: number): Promise<void> {
  await run('tc', netemCommand(device, impairment, queueFrames));
}

export async function removeNetem(device: string): Promise<void> {
  await run('tc', ['qdisc', 'delete', 'dev', device, 'root']);
}

let known: Promise<boolean> | undefined;

/** Whether the kernel has netem; tried on this namespace's loopback interface. CPN_LAB_IMPAIRMENT=delay-line says no. */
export function netemAvailable(): Promise<boolean> {
  known ??= (async () => {
    if (process.env['CPN_LAB_IMPAIRMENT'] === 'delay-line') return false;
    try {
      await run('tc', ['qdisc', 'add', 'dev', 'lo', 'root', 'netem']);
    } catch {
      return false;
    }
    await removeNetem('lo');
    return true;
  })();
  return known;
}
