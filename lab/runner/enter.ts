/** Running programs inside a node's namespaces. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { childPids, processRef, signalProcess, type ProcessRef } from './processes.js';

export interface ExecResult {
  /** Exit status; 128 + signal number when a signal ended it, as a shell says it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Text for the standard input; none is an empty one. */
  readonly input?: string | Uint8Array;
  /** Kills the command after this many milliseconds (default 60,000). */
  readonly timeoutMs?: number;
}

/** Environment of everything that runs in a node; nothing of the caller's leaks in. */
export function nodeEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr', HOME: '/root', TERM: process.env['TERM'] ?? 'dumb', LANG: 'C.UTF-8', ...env };
}

/** Starts a command inside the namespaces that `init` holds. The child seen here is nsenter, which waits for the command and ends as it ended. */
export function enter(init: ProcessRef, argv: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('nsenter', ['-t', String(init.pid), '-m', '-n', '-p', '-u', '-i', '--', ...argv], { cwd: '/', ...options });
}

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 };

export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signalNumbers[signal ?? 'SIGKILL'] ?? 0);
}

/** Runs a command to its end and collects what it printed. Background processes that keep its output open are not waited for. */
export async function execIn(init: ProcessRef, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const child = enter(init, argv, { env: nodeEnvironment(options.env ?? {}), stdio: ['pipe', 'pipe', 'pipe'] });
  const stdin = child.stdin!;
  const stdout = child.stdout!;
  const stderr = child.stderr!;
  let out = '';
  let err = '';
  stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  // A command may end without reading its input.
  stdin.on('error', () => undefined);
  stdin.end(options.input ?? '');
  const timeoutMs = options.timeoutMs ?? 60_000;
  const timer = setTimeout(() => {
    err += `lab: killed after ${timeoutMs} ms\n`;
    for (const pid of childPids(child.pid!)) process.kill(pid, 'SIGKILL');
  }, timeoutMs);
  const closed = new Promise<void>((resolve) => child.once('close', resolve));
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(exitStatus(code, signal)));
  }).finally(() => clearTimeout(timer));
  await Promise.race([closed, sleep(100)]);
  stdout.destroy();
  stderr.destroy();
  return { status, stdout: out, stderr: err };
}

/** The host's view of the command behind an `enter` child, once nsenter has forked it; undefined when it ended first. */
export async function commandBehind(child: ChildProcess): Promise<ProcessRef | undefined> {
  for (let attempt = 0; child.exitCode === null && child.signalCode === null; attempt++) {
    const pid = child.pid === undefined ? undefined : childPids(child.pid)[0];
    if (pid !== undefined) return processRef(pid);
    await sleep(attempt < 10 ? 1 : 5);
  }
  return undefined;
}

/** A program running in a node for as long as somebody wants it, with its input and output on pipes. */
export class NodeProcess {
  /** Everything it printed so far. */
  stdout = '';
  stderr = '';
  /** Its exit status, once its output is closed too. */
  readonly exited: Promise<number>;
  private command: ProcessRef | undefined;

  private constructor(readonly child: ChildProcess) {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    // The program may end without reading its input.
    child.stdin!.on('error', () => undefined);
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(exitStatus(code, signal)));
    });
  }

  static async start(init: ProcessRef, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
    const started = new NodeProcess(enter(init, argv, { env: nodeEnvironment(env), stdio: ['pipe', 'pipe', 'pipe'] }));
    started.command = await Promise.race([commandBehind(started.child), started.exited.then(() => undefined)]);
    return started;
  }

  /** Pid of the program itself (not of nsenter), as the host numbers it; undefined when it ended at once. */
  get pid(): number | undefined {
    return this.command?.pid;
  }

  write(text: string | Uint8Array): void {
    this.child.stdin!.write(text);
  }

  endInput(): void {
    this.child.stdin!.end();
  }

  /** False when it had ended already. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    return this.command !== undefined && signalProcess(this.command, signal);
  }

  /** Ends it (SIGTERM, SIGKILL after two seconds) and returns its exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), 2000);
    return this.exited.finally(() => clearTimeout(timer));
  }
}
