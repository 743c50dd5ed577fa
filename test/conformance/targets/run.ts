/** Starts a daemon in a namespace of its own and runs a command beside it in the tester's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bird } from './bird.js';
import { cpnd } from './cpnd.js';
import type { Daemon } from './daemon.js';
import { frr } from './frr.js';
import { gobgp } from './gobgp.js';
import { Network } from './network.js';

export const daemons: readonly Daemon[] = [cpnd, frr, bird, gobgp];

const inside = (namespace: string, command: readonly string[]): readonly string[] => ['netns', 'exec', namespace, ...command];

const exited = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? 1);
    else child.once('exit', (code) => resolve(code ?? 1));
  });

export interface Run {
  /** Exit status of the command. */
  readonly status: number;
  readonly stdout: string;
  /** What the daemon said when it ended while the command was running, once for each time. */
  readonly crashes: readonly string[];
}

/** So often is a daemon started again that ends by itself. */
const patience = 40;

/** Keeps the processes of one daemon running; when one ends, all are started again. */
class Supervisor {
  readonly crashes: string[] = [];
  private children: ChildProcess[] = [];
  private readonly stopping = new AbortController();
  private readonly log: string;

  constructor(
    private readonly namespace: string,
    private readonly directory: string,
    private readonly commands: readonly (readonly string[])[],
  ) {
    this.log = join(directory, 'daemon.log');
    this.start();
  }

  private start(): void {
    const from = existsSync(this.log) ? statSync(this.log).size : 0;
    const log = openSync(this.log, 'a');
    const children = this.commands.map((argv) => spawn('ip', [...inside(this.namespace, argv)], { stdio: ['ignore', log, log], cwd: this.directory }));
    closeSync(log);
    this.children = children;
    for (const child of children) child.once('exit', (code, signal) => void this.ended(children, signal ?? `status ${code ?? '?'}`, from));
  }

  private async ended(children: readonly ChildProcess[], how: string, from: number): Promise<void> {
    if (!this.isWanted() || children !== this.children) return;
    this.children = [];
    const text = readFileSync(this.log).subarray(from).toString();
    const telling = /^.*(panic|SIGSEGV|Assertion|assertion|Backtrace|syntax error|BUG).*$/m.exec(text)?.[0] ?? text.trim().split('\n').at(-1) ?? '';
    this.crashes.push(`ended by itself (${how}): ${telling.slice(0, 300)}`);
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map(exited));
    if (this.isWanted() && this.crashes.length < patience) this.start();
  }

  private isWanted(): boolean {
    return !this.stopping.signal.aborted;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const { children } = this;
    for (const child of children) child.kill('SIGTERM');
    const grace = setTimeout(() => children.forEach((child) => child.kill('SIGKILL')), 3000);
    await Promise.all(children.map(exited));
    clearTimeout(grace);
  }
}

/**
 * Runs `command` in the tester's namespace while the daemon runs in the other; what it prints to stderr is passed on. With
 * CONFORMANCE_KEEP in the environment the folder with configuration and logs stays.
 */
export async function runBeside(daemon: Daemon, command: readonly string[]): Promise<Run> {
  const network = new Network(`conf-${process.pid}-${daemon.name}`);
  const directory = mkdtempSync(join(tmpdir(), `conformance-${daemon.name}-`));
  const clear = (): void => network.down();
  process.once('exit', clear);
  let supervisor: Supervisor | undefined;
  try {
    network.up();
    supervisor = new Supervisor(network.target, directory, daemon.prepare(directory));
    const tester = spawn('ip', [...inside(network.tester, command)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    tester.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    const status = await exited(tester);
    return { status, stdout, crashes: supervisor.crashes };
  } finally {
    await supervisor?.stop();
    process.off('exit', clear);
    network.down();
    if (process.env['CONFORMANCE_KEEP'] === undefined) rmSync(directory, { recursive: true, force: true });
    else process.stderr.write(`kept: ${directory}\n`);
  }
}
