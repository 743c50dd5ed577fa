/** Namespaces with our speaker and stock BGP daemons in them, for the interoperability tests. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BgpEvent } from '../../daemon/bgp/environment.js';
import type { NeighborView, RouteView } from '../../daemon/bgp/views.js';
import { type DriverCommand, type DriverOptions, fromJson, toJson } from './bgp-driver.js';

export interface Shown {
  readonly neighbors: readonly NeighborView[];
  readonly routes: readonly RouteView[];
  readonly events: readonly BgpEvent[];
  readonly service: Readonly<Record<string, { readonly exit?: string; readonly stale: boolean; readonly raw?: string }>>;
  /** The SID of each route outside service prefixes, those imported from a VPN under `vpn PREFIX`. */
  readonly sids: Readonly<Record<string, string | undefined>>;
}

export const isRoot = process.getuid?.() === 0;
export const has = (program: string): boolean => spawnSync('test', ['-x', program]).status === 0;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `check` returns something, at most `seconds`; says what was last seen when it does not. */
export async function eventually<T>(what: string, check: () => T | undefined | Promise<T | undefined>, seconds = 20): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what}`);
    await sleep(100);
  }
}

/** Our speaker in a namespace. */
export class Driver {
  private readonly waiting: ((answer: unknown) => void)[] = [];

  constructor(readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => this.waiting.shift()?.(fromJson(line)));
  }

  run(command: DriverCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      this.process.stdin!.write(`${toJson(command)}\n`, (error) => error && reject(error));
    });
  }

  async show(): Promise<Shown> {
    return (await this.run({ do: 'show' })) as Shown;
  }

  async neighbor(address: string): Promise<NeighborView> {
    const neighbors = (await this.run({ do: 'neighbors' })) as readonly NeighborView[];
    return neighbors.find((neighbor) => neighbor.address === address)!;
  }

  async established(address: string, seconds = 30): Promise<NeighborView> {
    return eventually(`session with ${address}`, async () => {
      const view = await this.neighbor(address);
      return view.state === 'Established' ? view : undefined;
    }, seconds);
  }
}

/** Made anew for each test; `close` ends its processes and removes its namespaces. */
export class BgpLab {
  readonly directory = mkdtempSync(join(tmpdir(), 'bgp-lab-'));
  private readonly children: ChildProcess[] = [];
  private readonly namespaces: string[] = [];

  constructor(private readonly name: string) {}

  protected namespace(node: string): string {
    return `bgp-${this.name}-${node}`;
  }

  ip(...args: string[]): void {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  node(name: string): void {
    const namespace = this.namespace(name);
    spawnSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
    this.ip('netns', 'add', namespace);
    this.namespaces.push(namespace);
    this.ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }

  /** A veth pair with one address at each end. */
  link(left: string, leftAddress: string, right: string, rightAddress: string): void {
    const [a, b] = [this.namespace(left), this.namespace(right)];
    this.ip('-n', a, 'link', 'add', `to-${right}`, 'type', 'veth', 'peer', 'name', `to-${left}`, 'netns', b);
    for (const [namespace, device, address] of [[a, `to-${right}`, leftAddress], [b, `to-${left}`, rightAddress]] as const) {
      this.ip('-n', namespace, 'addr', 'add', `${address}/64`, 'dev', device, 'nodad');
      this.ip('-n', namespace, 'link', 'set', device, 'up');
    }
  }

  /** Runs a program in a namespace to its end and returns what it prints; throws when it fails. */
  exec(node: string, ...command: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.namespace(node), ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Starts a program that goes on running. */
  start(node: string, command: readonly string[], options: { readonly stdin?: boolean; readonly env?: NodeJS.ProcessEnv } = {}): ChildProcess {
    const log = openSync(join(this.directory, `${node}.log`), 'a');
    const child = spawn('ip', ['netns', 'exec', this.namespace(node), ...command], {
      stdio: [options.stdin ? 'pipe' : 'ignore', options.stdin ? 'pipe' : log, log],
      env: { ...process.env, ...options.env },
    });
    this.children.push(child);
    return child;
  }

  speaker(node: string, options: DriverOptions): Driver {
    const script = fileURLToPath(new URL('bgp-driver.js', import.meta.url));
    return new Driver(this.start(node, [process.execPath, script, toJson(options)], { stdin: true }));
  }

  file(name: string, content: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  /** What the nodes' programs have printed, for a test that failed. */
  logs(): string {
    return readdirSync(this.directory)
      .filter((name) => name.endsWith('.log'))
      .map((name) => `--- ${name}\n${readFileSync(join(this.directory, name), 'utf8').slice(-2000)}`)
      .join('\n');
  }

  async close(): Promise<void> {
    for (const child of this.children) child.kill('SIGTERM');
    await Promise.all(this.children.map((child) => exited(child)));
    for (const namespace of this.namespaces) {
      // Daemons that have put themselves into the background.
      const pids = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
      for (const pid of pids) spawnSync('kill', ['-9', pid]);
      spawnSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts a stock bgpd that reads `configuration`; returns a function for `vtysh -c`. */
export function startFrr(lab: BgpLab, node: string, configuration: string): (command: string) => string {
  chmodSync(lab.directory, 0o777);
  const file = lab.file(`${node}.conf`, configuration);
  lab.start(node, ['/usr/lib/frr/bgpd', '-f', file, '-i', `${lab.directory}/${node}.pid`, '--vty_socket', lab.directory, '-u', 'root', '-g', 'root', '-n', '-Z', '-P', '0', '-S', '--log', 'stdout']);
  return (command) => lab.exec(node, 'vtysh', '--vty_socket', lab.directory, '-c', command);
}

export async function withLab(name: string, run: (lab: BgpLab) => Promise<void>): Promise<void> {
  const lab = new BgpLab(name);
  try {
    await run(lab);
  } catch (error) {
    console.error(lab.logs());
    throw error;
  } finally {
    await lab.close();
  }
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
}
