/**
 * BGP with large tables and many sessions: this project beside FRR bgpd, BIRD and GoBGP on the same input, one after the other, each in a network namespace
 * of its own across a veth from its neighbours, which are raw sessions in another process (support/bgp-peers-process.ts). No routes go to a kernel, but
 * those of `cpnd`, which is the whole daemon. Needs root and the daemons that are asked for.
 *
 *     node dist/bench/bgp-scale.js [--routes 100000,500000] [--peers 3] [--daemons speaker,frr,bird,gobgp,cpnd] [--rest-s 0] [--runs 1]
 *
 * The first neighbour sends the table; time runs from its first octet until all the others have been told every prefix. `--peers 200 --routes 10000
 * --rest-s 20` is the bench of many sessions.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DAEMONS, type Daemon } from './support/bgp-daemons.js';
import type { Fed, PeersSettings } from './support/bgp-peers-process.js';
import { cpuSeconds, printJson, printTable, round } from './support/report.js';

const { values } = parseArgs({
  options: {
    routes: { type: 'string', default: '100000,500000' },
    peers: { type: 'string', default: '3' },
    daemons: { type: 'string', default: 'speaker,frr,bird,gobgp' },
    'rest-s': { type: 'string', default: '0' },
    runs: { type: 'string', default: '1' },
    inside: { type: 'boolean', default: false },
  },
});

const DAEMON_ADDRESS = '2001:db8:f::1';
const DAEMON_AS = 65_000;
const FEEDER_AS = 65_001;
/** All who are told the table are of one AS, so that daemons with update groups have one. */
const RECEIVER_AS = 65_002;
const HOLD_S = 90;
/** What a daemon may take before the bench gives it up, ms. */
const LIMIT_MS = 180_000;
/** How long memory may settle, ms. */
const SETTLE_MS = 2000;
const peerCount = Number(values.peers);
const peerAddress = (index: number): string => `2001:db8:f::${(index + 16).toString(16)}`;

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

/** Resident memory of a process now and at most, MiB (proc(5), status). */
function memoryOf(pid: number): { readonly rss: number; readonly peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string): number => round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? NaN) / 1024);
  return { rss: mib('VmRSS'), peak: mib('VmHWM') };
}

const cpuMsOf = (pid: number): number => cpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')) * 1000;

/** A network namespace that lives as long as its process, joined to this one by a veth that has the addresses of both sides. */
async function makeNamespace(): Promise<ChildProcess> {
  const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const namespaceOf = (pid: number | 'self'): string => readlinkSync(`/proc/${pid}/ns/net`);
  while (namespaceOf(holder.pid!) === namespaceOf('self')) await pause(10);
  const inside = ['nsenter', '-t', String(holder.pid), '-n'];
  run('ip', 'link', 'add', 'bench0', 'type', 'veth', 'peer', 'name', 'bench1', 'netns', String(holder.pid));
  for (let index = 0; index < peerCount; index++) run('ip', '-6', 'address', 'add', `${peerAddress(index)}/64`, 'dev', 'bench0', 'nodad');
  run('ip', 'link', 'set', 'bench0', 'up');
  run(inside[0]!, ...inside.slice(1), 'ip', '-6', 'address', 'add', `${DAEMON_ADDRESS}/64`, 'dev', 'bench1', 'nodad');
  for (const link of ['lo', 'bench1']) run(inside[0]!, ...inside.slice(1), 'ip', 'link', 'set', link, 'up');
  return holder;
}

/** A child process that answers lines with lines of JSON. */
class Lines {
  private readonly answers: AsyncIterator<string>;

  constructor(readonly child: ChildProcess) {
    this.answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  async read(): Promise<unknown> {
    const next = await this.answers.next();
    if (next.done === true) throw new Error('a process of the bench has ended');
    return JSON.parse(next.value) as unknown;
  }

  async call<T>(op: string): Promise<T> {
    this.child.stdin!.write(`${JSON.stringify({ op })}\n`);
    return (await this.read()) as T;
  }
}

interface Row {
  readonly daemon: string;
  readonly note: string;
  readonly routes: number;
  readonly fed: Fed;
  /** CPU time of the daemon from the first octet until memory had settled, ms. */
  readonly cpuMs: number;
  /** Resident before the table, with it, and at most, MiB. */
  readonly memory: { readonly before: number; readonly after: number; readonly peak: number };
  /** CPU at rest, % of one. */
  readonly restPercent: number | undefined;
  /** The longest time that the event loop was held up, ms; of the bare speaker alone. */
  readonly stallMs: number | undefined;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function measure({ name, note, prepare }: Daemon, routes: number, folder: string): Promise<Row> {
  const holder = await makeNamespace();
  const neighbors = Array.from({ length: peerCount }, (_, index) => ({ address: peerAddress(index), as: index === 0 ? FEEDER_AS : RECEIVER_AS }));
  const argv = prepare({ address: DAEMON_ADDRESS, as: DAEMON_AS, neighbors, watchesStalls: Number(values['rest-s']) === 0, folder });
  const daemon = spawn('nsenter', ['-t', String(holder.pid), '-n', ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = createInterface({ input: daemon.stdout });
  let last = '';
  said.on('line', (line) => (last = line));
  const settings: PeersSettings = {
    routes,
    peers: neighbors.map(({ address, as }, index) => ({ address, as, identifier: `10.1.${index >> 8}.${index & 255}`, daemon: DAEMON_ADDRESS, holdTime: HOLD_S })),
  };
  const peers = new Lines(spawn(process.execPath, [fileURLToPath(new URL('support/bgp-peers-process.js', import.meta.url)), JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] }));
  daemon.once('exit', () => peers.child.kill());
  const limit = setTimeout(() => peers.child.kill(), LIMIT_MS);
  try {
    await peers.read();
    await peers.call('open');
    await pause(SETTLE_MS);
    const pid = daemon.pid!;
    const before = { cpu: cpuMsOf(pid), memory: memoryOf(pid) };
    const fed = await peers.call<Fed>('feed');
    await pause(SETTLE_MS);
    const cpuMs = cpuMsOf(pid) - before.cpu;
    const after = memoryOf(pid);
    const restPercent = await atRest(pid);
    daemon.kill('SIGTERM');
    peers.child.kill();
    await ended(daemon);
    const stallMs = last.startsWith('{"maxMs"') ? (JSON.parse(last) as { maxMs: number }).maxMs : undefined;
    return { daemon: name, note, routes, fed, cpuMs, memory: { before: before.memory.rss, after: after.rss, peak: after.peak }, restPercent, stallMs };
  } finally {
    clearTimeout(limit);
    for (const child of [peers.child, daemon, holder]) child.kill('SIGKILL');
    await Promise.all([peers.child, daemon, holder].map(ended));
    // The kernel takes a namespace down some time after its last process.
    spawnSync('ip', ['link', 'delete', 'bench0']);
  }
}

/** CPU that a process takes when nothing changes, % of one. */
async function atRest(pid: number): Promise<number | undefined> {
  const seconds = Number(values['rest-s']);
  if (seconds === 0) return undefined;
  const before = cpuMsOf(pid);
  await pause(seconds * 1000);
  return round((cpuMsOf(pid) - before) / (seconds * 10), 2);
}

function print(rows: readonly Row[]): void {
  const header = ['daemon', 'routes', 'ms', 'routes/s', 'CPU ms', 'MiB before', 'MiB after', 'MiB peak', 'MiB/100k', 'UPDATEs out', 'input taken ms', 'peers CPU ms', 'rest %', 'stall ms'];
  printTable(
    header,
    rows.map(({ daemon, routes, fed, cpuMs, memory, restPercent, stallMs }) => [
      daemon,
      routes,
      round(fed.doneMs),
      round((routes / fed.doneMs) * 1000),
      round(cpuMs),
      memory.before,
      memory.after,
      memory.peak,
      round(((memory.after - memory.before) * 1e5) / routes),
      round(fed.updates),
      round(fed.writtenMs),
      round(fed.cpuMs),
      restPercent ?? '-',
      stallMs === undefined ? '-' : round(stallMs, 1),
    ]),
  );
}

/** How long and how much of each other daemon's a row of ours takes. */
function printRatios(rows: readonly Row[]): void {
  const ours = rows.filter(({ daemon }) => daemon.startsWith('cpnd'));
  const others = rows.filter(({ daemon }) => !daemon.startsWith('cpnd'));
  const ratios = ours.flatMap((own) =>
    others
      .filter(({ routes }) => routes === own.routes)
      .map((other) => [own.daemon, own.routes, other.daemon, round(own.fed.doneMs / other.fed.doneMs, 2), round(own.memory.after / other.memory.after, 2)] as const),
  );
  if (ratios.length > 0) printTable(['daemon', 'routes', 'to', 'time ratio', 'memory ratio'], ratios);
}

/** Of several runs the one of median time. */
function median(rows: readonly Row[]): Row {
  const sorted = [...rows].sort((a, b) => a.fed.doneMs - b.fed.doneMs);
  return sorted[(sorted.length - 1) >> 1]!;
}

async function main(): Promise<void> {
  run('ip', 'link', 'set', 'lo', 'up');
  const daemons = values.daemons.split(',').map((name) => {
    const daemon = DAEMONS[name];
    if (!daemon) throw new Error(`--daemons ${name}: expected some of ${Object.keys(DAEMONS).join(',')}`);
    return daemon;
  });
  const rows: Row[] = [];
  for (const routes of values.routes.split(',').map(Number)) {
    const runs = new Map<Daemon, Row[]>(daemons.map((daemon) => [daemon, []]));
    for (let again = 0; again < Number(values.runs); again++) {
      for (const daemon of daemons) {
        const folder = mkdtempSync(join(tmpdir(), 'cpn-bgp-scale-'));
        // Some daemons give up root.
        chmodSync(folder, 0o777);
        try {
          runs.get(daemon)!.push(await measure(daemon, routes, folder));
        } catch (error) {
          console.log(`${daemon.name}, ${routes} routes: ${(error as Error).message}`);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      }
    }
    for (const measured of runs.values()) if (measured.length > 0) rows.push(median(measured));
  }
  print(rows);
  printRatios(rows);
  printJson('bgp-scale', { peers: peerCount, load: round(loadavg()[0]!, 2), rows });
}

if (values.inside) {
  await main();
} else {
  const again = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2), '--inside'];
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...again], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
