/** Runs the real cpnctl as a process. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CPNCTL = fileURLToPath(new URL('../../cli/cpnctl.js', import.meta.url));

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [CPNCTL, ...args], { env: { ...process.env, CI: '1' } });
}

export function finish(child: ChildProcessWithoutNullStreams): Promise<Result> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
}

export const cpnctl = (...args: string[]): Promise<Result> => finish(start(...args));
