/** Processes named by pid and start time, so that a recycled pid is never taken for the process that had it. */
import { readFileSync } from 'node:fs';

export interface ProcessRef {
  readonly pid: number;
  /** Start time in clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly start: string;
}

/** State letter and start time, or undefined when there is no such process. */
function statOf(pid: number): { state: string; start: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command name stands in parentheses and may itself contain some.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, start: fields[19]! };
}

/** The running process with this pid, or undefined (zombies do not run). */
export function processRef(pid: number): ProcessRef | undefined {
  const stat = statOf(pid);
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? { pid, start: stat.start } : undefined;
}

export function isRunning(process: ProcessRef): boolean {
  return processRef(process.pid)?.start === process.start;
}

/** Sends a signal; false when the process is gone. */
export function signalProcess(target: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isRunning(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Pids of the children of a process's main thread. */
export function childPids(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number);
  } catch {
    return [];
  }
}
