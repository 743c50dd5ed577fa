/**
 * A large domain: an entry router with 10,000 services behind three exits each, fed over real BGP sessions by speakers that answer STAMP too. Time from the
 * sessions' coming up to all policies in the BPF maps, memory of cpnd, CPU time at rest, time of an update of everything, of the loss of an exit.
 *
 *     node dist/bench/daemon-scale.js [--services 10000] [--exits 3] [--rest-s 5]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { waitFor } from '../lab/index.js';
import { POLICIES_PER_BLOCK } from '../dataplane/dataplane.js';
import type { FeederSettings } from './support/feeder.js';
import type { LineProcess } from './support/line-process.js';
import { BenchNetwork, ENTRY, exitAddress, SERVICE_PREFIX, type FibPolicy } from './support/network.js';
import { cpuSeconds, printJson, printTable, round } from './support/report.js';

const LIMIT_MS = 120_000;
const WATCHED = 1000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resident memory of a process, MiB: all, and what is not backed by files (proc(5), status). */
function memoryOf(pid: number): { readonly rssMiB: number; readonly anonymousMiB: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? NaN);
  return { rssMiB: round(kib('VmRSS') / 1024), anonymousMiB: round(kib('RssAnon') / 1024) };
}

/** When the daemon's log first says so, Unix ms, one a line that matches. */
function logTimes(log: string, pattern: RegExp): number[] {
  return log
    .split('\n')
    .filter((line) => pattern.test(line))
    .map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
}

class ScaleBench {
  private readonly rows: [string, string | number][] = [];
  readonly result: Record<string, unknown> = {};

  constructor(
    private readonly network: BenchNetwork,
    private readonly watch: LineProcess,
    private readonly feeders: readonly LineProcess[],
    private readonly services: number,
  ) {}

  private note(name: string, key: string, value: number): void {
    this.rows.push([name, value]);
    this.result[key] = value;
  }

  private cpu(): number {
    return cpuSeconds(readFileSync(`/proc/${this.network.daemonPid}/stat`, 'utf8'));
  }

  /** Waits until the daemon has been at rest for a while; returns how much CPU time it took from `since` on, less the rest. */
  private async settle(since: number): Promise<number> {
    let last = this.cpu();
    const end = Date.now() + LIMIT_MS;
    for (let quiet = 0; quiet < 3; ) {
      await pause(300);
      const now = this.cpu();
      quiet = now - last < 0.06 ? quiet + 1 : 0;
      last = now;
      if (Date.now() > end) throw new Error('the daemon does not come to rest');
    }
    return last - since;
  }

  async install(): Promise<void> {
    const before = memoryOf(this.network.daemonPid);
    const cpuBefore = this.cpu();
    const wanted = this.services * this.feeders.length * POLICIES_PER_BLOCK;
    for (const feeder of this.feeders) await feeder.call({ op: 'connect' });
    const { unixMs, installed } = await this.watch.call<{ unixMs: number; installed: number }>({ op: 'installed', count: wanted, timeoutMs: LIMIT_MS });
    if (installed < wanted) throw new Error(`${installed} of ${wanted} policies were installed`);
    const cpu = await this.settle(cpuBefore);
    const up = logTimes(this.network.lab.node('entry').daemon.log, /Established/).sort((a, b) => a - b);
    const after = memoryOf(this.network.daemonPid);
    this.note('candidates', 'candidates', this.services * this.feeders.length);
    this.note('policies in the kernel', 'policies', installed);
    this.note('first session up to all policies installed, ms', 'firstSessionToInstalledMs', round(unixMs - up[0]!));
    this.note('last session up to all policies installed, ms', 'lastSessionToInstalledMs', round(unixMs - up.at(-1)!));
    this.note('cpnd CPU for it, ms', 'installCpuMs', round(cpu * 1000));
    this.note('cpnd resident before, MiB', 'rssBeforeMiB', before.rssMiB);
    this.note('cpnd resident after, MiB', 'rssAfterMiB', after.rssMiB);
    this.note('of it anonymous, MiB', 'anonymousAfterMiB', after.anonymousMiB);
  }

  async rest(seconds: number): Promise<void> {
    const before = this.cpu();
    await pause(seconds * 1000);
    this.note('cpnd CPU at rest, % of one', 'restCpuPercent', round(((this.cpu() - before) / seconds) * 100, 1));
  }

  /** Every advertisement again, with another load: nothing moves, but every choice has to be made anew. */
  async update(): Promise<void> {
    const before = this.cpu();
    for (const feeder of this.feeders) await feeder.call({ op: 'update' });
    this.note('cpnd CPU for an update of every candidate, ms', 'updateCpuMs', round((await this.settle(before)) * 1000));
    this.note('cpnd resident after it, MiB', 'rssUpdatedMiB', memoryOf(this.network.daemonPid).rssMiB);
  }

  private async policiesOf(exit: string): Promise<number[]> {
    const fib = await this.network.cpnctl<{ policies: FibPolicy[] }[]>('show', 'fib');
    return fib.flatMap(({ policies }) => policies).filter((policy) => policy.exit === exit).map(({ id }) => id);
  }

  /** The way to the first exit goes silently: STAMP notices. */
  async loseExit(): Promise<void> {
    const policies = await this.policiesOf(exitAddress(1));
    const node = this.network.lab.node('exit1');
    // So many that reading them takes the watcher about a millisecond, evenly from all services, and the last.
    const step = Math.max(1, Math.floor(policies.length / WATCHED));
    const watched = policies.filter((_, i) => i % step === 0 || i === policies.length - 1);
    const moved = this.watch.call<{ firstUnixMs: number; lastUnixMs: number; moved: number }>({ op: 'moved', policies: watched, timeoutMs: 30_000 });
    await node.run(['nft', 'add table ip6 gone; add chain ip6 gone in { type filter hook prerouting priority -400; policy drop; }']);
    const { lastUnixMs, moved: count } = await moved;
    const detected = logTimes(this.network.lab.node('entry').daemon.log, /stamp\.exit-lost/).at(-1);
    if (detected === undefined || count < watched.length) throw new Error(`${count} of ${watched.length} watched policies moved`);
    this.note('policies of the exit that was lost', 'lostPolicies', policies.length);
    this.note('loss detected to the last of them moved, ms', 'lossToMovedMs', round(lastUnixMs - detected, 1));
  }

  print(): void {
    printTable(['', ''], this.rows);
    console.log('');
    printJson('daemon-scale', this.result);
  }
}

async function measure(services: number, exits: number, restSeconds: number): Promise<void> {
  const network = await BenchNetwork.up('scale', { serviceRates: Array.from({ length: exits }, () => 200), plainExits: true });
  try {
    await waitFor(async () => (await network.cpnctl<{ bgpConfigured: number }>('show', 'status').catch(() => undefined))?.bgpConfigured === exits, {
      timeoutMs: 20_000,
      what: 'cpnd',
      intervalMs: 300,
    });
    const watch = await network.start('entry', 'bench/support/policy-watch.js', { bpffs: '/run/cpn/bpf' });
    const feeders: LineProcess[] = [];
    for (let n = 1; n <= exits; n++) {
      const settings: FeederSettings = {
        entry: ENTRY,
        exits: [{ address: exitAddress(n), identifier: `10.0.0.1${n}`, locator: `fcbb:bb00:1${n}` }],
        services,
        serviceBase: '2001:db8:5e::',
        servicePrefix: SERVICE_PREFIX,
        domainSources: ['fc00::/32'],
      };
      feeders.push(await network.start(`exit${n}`, 'bench/support/feeder.js', settings));
    }
    const bench = new ScaleBench(network, watch, feeders, services);
    await bench.install();
    await bench.rest(restSeconds);
    await bench.update();
    await bench.loseExit();
    bench.print();
  } finally {
    await network.down();
  }
}

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    exits: { type: 'string', default: '3' },
    'rest-s': { type: 'string', default: '5' },
  },
});
await measure(Number(values.services), Number(values.exits), Number(values['rest-s']));
process.exit(0);
