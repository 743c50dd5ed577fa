/** Processes named by pid and start time, so that a recycled pid is never taken for the process that had it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessRef {
  readonly pid: number;
  /** Start time in clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly start: string;
}

/** State letter, parent and start time, or undefined when there is no such process. */
function statOf(pid: number): { state: string; parent: number; start: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command name stands in parentheses and may itself contain some.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, parent: Number(fields[1]), start: fields[19]! };
}

/** The running process with this pid, or undefined (zombies do not run). */
export function processRef(pid: number): ProcessRef | undefined {
  const stat = statOf(pid);
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? { pid, start: stat.start } : undefined;
}

export function isRunning(process: ProcessRef): boolean {
  return processRef(process.pid)?.start === process.start;
}

/**
 * Sends a signal; false when the process is gone. nsenter stops itself when its command is stopped and does not notice that the command
 * goes on: SIGCONT wakes it as well, or nobody would reap the command in the end.
 */
export function signalProcess(target: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isRunning(target)) return false;
  try {
    process.kill(target.pid, signal);
    if (signal === 'SIGCONT') wakeEnterer(statOf(target.pid)?.parent ?? 0);
    return true;
  } catch {
    return false;
  }
}

function wakeEnterer(pid: number): void {
  if (pid > 1 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'nsenter') process.kill(pid, 'SIGCONT');
}

/** Wakes every stopped nsenter into the PID namespaces that these init processes hold: stopped ones do not reap, and the namespace would not end. */
export function wakeEnterers(inits: readonly ProcessRef[]): void {
  const namespaces = new Set(inits.map(({ pid }) => namespaceOf(`/proc/${pid}/ns/pid`)));
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const children = namespaceOf(`/proc/${name}/ns/pid_for_children`);
    if (children === undefined || !namespaces.has(children) || statOf(Number(name))?.state !== 'T') continue;
    try {
      process.kill(Number(name), 'SIGCONT');
    } catch {
      // It ended in between.
    }
  }
}

function namespaceOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
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
