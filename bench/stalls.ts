/**
 * How long the event loop of the daemon stands still while it does something to all pinned flows: the steering over the BPF maps of the running kernel, in a
 * network namespace of its own. Each operation is done in one turn of the loop, and spread as the daemon does it; a timer of 1 ms tells the worst delay
 * meanwhile. Of a delay only what this process computed in it counts, and of several runs the least is printed: what other processes take is not ours.
 *
 *     node dist/bench/stalls.js [--flows 100000] [--runs 5]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as otherWork, setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../daemon/clock.js';
import { silentLogger } from '../daemon/log.js';
import type { PathState } from '../daemon/rib/candidate.js';
import { ComputingRib } from '../daemon/rib/computing-rib.js';
import { OctetSegment } from '../daemon/steering/octet-segment.js';
import { Steering } from '../daemon/steering/steering.js';
import { flowMatcher, pinnedFlows } from '../daemon/steering/views.js';
import type { DataplaneOptions } from '../dataplane/dataplane.js';
import { FLOW_CREATED_NS, FLOW_LAST_SEEN_NS, FLOW_PACKETS, FLOW_POLICY, FLOW_VALUE_LENGTH } from '../dataplane/flow/layout.js';
import { loadBpf, type LoadedBpf } from '../dataplane/flow/loader.js';
import { KernelFlowTable } from '../dataplane/flow/table.js';
import { native } from '../dataplane/native/index.js';
import { FLOW_KEY_LENGTH, FLOW_KEY_SOURCE_PORT, encodeFlowKey } from '../dataplane/packet/flow-key.js';
import { advertisement, serviceAddress } from './steering-setup.js';
import { printJson, printTable, round } from './support/report.js';

const IDLE_MS = 300_000;
const BATCH = 256;
const PATH: PathState = { rttUs: 10_000, jitterUs: 100, lossPpm: 0, alive: true, cost: 10, mtu: 1500, resolved: true };

const { values } = parseArgs({ options: { flows: { type: 'string', default: '100000' }, runs: { type: 'string', default: '5' }, bpffs: { type: 'string' } } });
const flows = Number(values.flows);

/** What elapsed and what this process computed until now, ms. */
function clocks(): { readonly wall: number; readonly cpu: number } {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
}

/** Worst delay of a 1 ms timer while `work` runs, ms. */
async function worstDelay(work: () => Promise<void>): Promise<number> {
  let worst = 0;
  let last = clocks();
  const look = (): void => {
    const now = clocks();
    worst = Math.max(worst, Math.min(now.wall - last.wall - 1, now.cpu - last.cpu));
    last = now;
  };
  const timer = setInterval(look, 1);
  await work();
  await pause(2);
  clearInterval(timer);
  return worst;
}

function timed(work: () => void): number {
  const begin = clocks();
  work();
  const end = clocks();
  return Math.min(end.wall - begin.wall, end.cpu - begin.cpu);
}

/** Does all parts in one turn. */
function atOnce(parts: Iterable<unknown>): number {
  return timed(() => {
    for (const rest = parts[Symbol.iterator](); rest.next().done !== true; );
  });
}

async function spread(parts: Iterable<unknown>): Promise<void> {
  for (const rest = parts[Symbol.iterator](); rest.next().done !== true; ) await otherWork();
}

/** A router's steering over the kernel's flow table. */
class Bench {
  readonly table: KernelFlowTable;
  readonly steering: Steering;
  private readonly rib: ComputingRib;
  private readonly maps: LoadedBpf;
  /** Keys of all flows, on end. */
  private readonly keys = new Uint8Array(flows * FLOW_KEY_LENGTH);

  constructor(bpffs: string) {
    const options: DataplaneOptions = {
      sourceAddress: 'fc00:0:1::1',
      sidBlocks: ['fcbb:bb00::/32'],
      domainSources: [],
      servicePrefixes: ['2001:db8:5e::/48'],
      interfaces: {},
      reduced: false,
      requirementOption: 0x1e,
      flowIdleMs: IDLE_MS,
      maxFlows: Math.ceil(flows * 1.3),
      maxNewFlows: Math.max(1024, flows >> 1),
      puntLimits: { interfaceRate: 0, interfaceBurst: 0, sourceRate: 0, sourceBurst: 0 },
    };
    this.table = new KernelFlowTable({ bpffs, tunName: 'cpn0', log: () => undefined });
    this.table.open(options);
    // Pinned maps are found again: a second handle, to fill them as the BPF program would.
    this.maps = loadBpf(bpffs, options);
    this.rib = new ComputingRib({ clock: systemClock, log: silentLogger, ownExit: 'fc00:0:1::1' });
    const config = { services: [], flowIdleMs: IDLE_MS, maxFlows: options.maxFlows, restartTimeMs: 60_000, prediction: { model: 'learned', horizonMs: 1000 } } as const;
    this.steering = new Steering({ clock: systemClock, log: silentLogger, rib: this.rib, flows: this.table, config, pathState: () => PATH, seed: 1 });
    this.rib.onChange((services) => this.steering.onRibChange(services));
    this.steering.start();
    for (let exit = 1; exit <= 3; exit++) this.rib.advertise(advertisement(0, exit, 1n));
    this.rib.flush();
    const key = encodeFlowKey({ source: '2001:db8:c::2', destination: serviceAddress(0), protocol: 17, sourcePort: 0, destinationPort: 0 });
    const view = new DataView(this.keys.buffer);
    for (let i = 0; i < flows; i++) {
      this.keys.set(key, i * FLOW_KEY_LENGTH);
      view.setUint32(i * FLOW_KEY_LENGTH + FLOW_KEY_SOURCE_PORT, i);
    }
  }

  /** Steers and pins all flows, as many in a turn as a batch of the punt path has. */
  *fill(): Generator<void> {
    const values = new Uint8Array(BATCH * FLOW_VALUE_LENGTH);
    const view = new DataView(values.buffer);
    for (let from = 0; from < flows; from += BATCH) {
      const count = Math.min(BATCH, flows - from);
      const now = native.monotonicNs();
      for (let i = 0; i < count; i++) {
        const key = this.keys.subarray((from + i) * FLOW_KEY_LENGTH, (from + i + 1) * FLOW_KEY_LENGTH);
        const at = i * FLOW_VALUE_LENGTH;
        view.setUint32(at + FLOW_POLICY, this.steering.steer({ arena: key, offset: 0, length: 0, key, requirement: undefined }), true);
        view.setBigUint64(at + FLOW_PACKETS, 2n, true);
        view.setBigUint64(at + FLOW_CREATED_NS, now, true);
        view.setBigUint64(at + FLOW_LAST_SEEN_NS, now, true);
      }
      this.maps.maps.flows.updateBatch(this.keys.subarray(from * FLOW_KEY_LENGTH), values, count);
      yield;
    }
  }

  /** What a pass costs when it is made at once. */
  wholePass(): void {
    for (const batch of this.table.scanFlows()) for (const { key } of batch) this.steering.pins.renew(key, 0, systemClock.now() + IDLE_MS);
  }

  /** Resolves when the dataplane has made a pass from beginning to end. */
  nextPass(): Promise<void> {
    return new Promise((resolve) => {
      let begun = false;
      this.table.onPass({ begun: () => (begun = true), seen: () => undefined, ended: () => (begun ? resolve() : undefined) });
    });
  }

  list(): Iterable<unknown> {
    return pinnedFlows([this.steering], this.table, native.monotonicNs());
  }

  clear(): Iterable<unknown> {
    return this.steering.clearFlows(flowMatcher(this.steering, {}), native.monotonicNs());
  }

  close(): void {
    this.steering.stop();
    this.rib.close();
    this.maps.close();
    this.table.remove([]);
  }
}

/** The longest insertion into a table that is one piece. */
function growthAtOnce(): number {
  const segment = new OctetSegment(FLOW_KEY_LENGTH / 4, 64, 0);
  const key = new Uint32Array(FLOW_KEY_LENGTH / 4);
  let worst = 0;
  for (let i = 0; i < flows; i++) {
    key[0] = i;
    worst = Math.max(worst, timed(() => segment.insert(key, Math.imul(i, 0x9e37_79b1) >>> 0, i, 0, 0)));
  }
  return worst;
}

type Figures = Record<string, { atOnce: number; spread: number }>;

async function run(bpffs: string): Promise<Figures> {
  const bench = new Bench(bpffs);
  try {
    const figures: Figures = { 'nothing (the machine itself)': { atOnce: 0, spread: await worstDelay(() => pause(1000)) } };
    figures['pins grow (first packets)'] = { atOnce: growthAtOnce(), spread: await worstDelay(() => spread(bench.fill())) };
    const pass = timed(() => bench.wholePass());
    figures['ageing pass, pins renewed'] = { atOnce: pass, spread: await worstDelay(() => bench.nextPass()) };
    const sides: readonly (readonly [string, () => Iterable<unknown>])[] = [
      ['pins looked through for expired ones', () => bench.steering.pins.removeExpired(0)],
      ['show flows', () => bench.list()],
    ];
    for (const [name, work] of sides) figures[name] = { atOnce: atOnce(work()), spread: await worstDelay(() => spread(work())) };
    const clearAtOnce = atOnce(bench.clear());
    await spread(bench.fill());
    figures['clear flow --all'] = { atOnce: clearAtOnce, spread: await worstDelay(() => spread(bench.clear())) };
    return figures;
  } finally {
    bench.close();
  }
}

async function main(bpffs: string): Promise<void> {
  const runs: Figures[] = [];
  for (let i = 0; i < Number(values.runs); i++) runs.push(await run(bpffs));
  const rows = Object.keys(runs[0] ?? {}).map((name) => {
    const least = (side: 'atOnce' | 'spread'): number => Math.min(...runs.map((figures) => figures[name]![side]));
    return { name, atOnce: round(least('atOnce'), 2), spread: round(least('spread'), 2), ratio: round(least('spread') / least('atOnce'), 3) };
  });
  printTable(['operation', 'in one turn, ms', 'worst stall, ms', 'ratio'], rows.map(({ name, atOnce, spread: stall, ratio }) => [name, atOnce, stall, Number.isFinite(ratio) ? ratio : 0]));
  printJson('stalls', { flows, rows });
}

if (values.bpffs !== undefined) {
  await main(values.bpffs);
} else {
  const directory = mkdtempSync(join(tmpdir(), 'cpn-stalls-'));
  const inside = [process.execPath, fileURLToPath(import.meta.url), '--flows', values.flows, '--runs', values.runs, '--bpffs', directory];
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...inside], { stdio: 'inherit' });
  rmSync(directory, { recursive: true, force: true });
  process.exitCode = status ?? 1;
}
