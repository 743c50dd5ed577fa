/**
 * What registration costs: CPU and memory of an agent that measures every second, and of a router with 1,000 registered nodes that each tell a changed
 * load every second. `node dist/bench/agent.js [NODES] [SECONDS]`; needs no root. Figures of the router are of its process, the nodes run in this one.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { grpcDial } from '../daemon/agent/dial.js';
import type { NodeUpdate } from '../daemon/awareness/registration/types.js';
import type { RouterStream } from '../daemon/agent/session.js';

const NODES = Number(process.argv[2] ?? 1000);
const SECONDS = Number(process.argv[3] ?? 20);
const NODES_A_SERVICE = 10;
const folder = mkdtempSync(join(tmpdir(), 'bench-agent-'));
const socket = `unix://${join(folder, 'registration.sock')}`;

interface Figures {
  readonly cpuPercent: number;
  readonly memoryMiB: number;
  readonly stallMs: number;
  readonly stall99Ms: number;
  readonly announcementsPerS: number;
  readonly nodes: number;
  readonly instances: number;
  readonly updates: number;
}

class RouterProcess {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: AsyncIterator<string>;

  constructor() {
    const file = join(folder, 'cpnd.yaml');
    writeFileSync(
      file,
      `router: {id: 10.0.0.11, loopback: "fc00:0:11::1", locator: "fcbb:bb00:11::/48", domainSources: ["fc00::/16"]}
interfaces: {eth2: {role: node, addresses: ["2001:db8:b::1/64"]}}
bgp: {as: 65000, listen: {addresses: ["::1"], port: 10179}}
cpn: {servicePrefixes: ["2001:db8:5e::/48"], stamp: {enabled: false}}
dataplane: {kind: fake}
registration:
  listen: ["${socket}"]
  stateFile: ${join(folder, 'state.json')}
  lease: 60s
  maxNodes: 5000
  nodes: [{id: default, services: ["2001:db8:5e::/48"]}]
api: {listen: "unix://${join(folder, 'api.sock')}"}
`,
    );
    this.child = spawn(process.execPath, [new URL('support/registration-router.js', import.meta.url).pathname, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  private async line(): Promise<unknown> {
    const line = await this.lines.next();
    if (line.done === true) throw new Error('the router ended');
    return JSON.parse(line.value);
  }

  async ready(): Promise<void> {
    await this.line();
  }

  /** Figures since the last call. */
  async figures(): Promise<Figures> {
    this.child.stdin.write('\n');
    return (await this.line()) as Figures;
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}

const hex = (value: number): string => value.toString(16);
const TOTAL = 3_090_432_000_000n;

function register(index: number): Promise<RouterStream> {
  return new Promise((resolve, reject) => {
    const stream = grpcDial({ target: socket })({
      message: ({ parameters }) => {
        if (parameters) resolve(stream);
      },
      ended: ({ reason }) => reject(new Error(reason)),
    });
    const address = `2001:db8:b::${hex(index + 2)}`;
    stream.send({
      register: {
        node: `node${index}`,
        name: '',
        unixMs: Date.now(),
        chips: [{ kind: 'gpu', model: 'GTX 680', count: 1, cores: 1536, clockHz: 1.006e9 }],
        computing: [{ class: 'parallel', chip: 'gpu', total: TOTAL, residual: TOTAL }],
        memoryTotal: 8n << 30n,
        memoryFree: 4n << 30n,
        storage: [],
        interfaces: [{ name: 'eth0', capacity: 10_000_000_000n, available: 10_000_000_000n }],
        location: { latitude: 52, longitude: 13 },
        energy: undefined,
        price: undefined,
        algorithms: [],
        measured: [],
        services: [{ service: `2001:db8:5e::${hex(1 + Math.floor(index / NODES_A_SERVICE))}`, address, mode: 'always', active: true, priority: 0, demand: [], memory: 0n, healthPort: 0, queueCapacity: 100, serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 100 } }],
      },
    });
  });
}

function changedLoad(index: number): NodeUpdate {
  const busy = Math.random();
  return {
    unixMs: Date.now(),
    computing: [{ class: 'parallel', chip: 'gpu', total: TOTAL, residual: BigInt(Math.round(Number(TOTAL) * (1 - busy))) }],
    memoryFree: undefined,
    storage: [],
    interfaces: [],
    measured: [],
    services: [{ service: `2001:db8:5e::${hex(1 + Math.floor(index / NODES_A_SERVICE))}`, state: undefined, reason: undefined, load: { utilisation: Math.round(busy * 10_000), queueLength: Math.round(busy * 100), activeFlows: 0 }, serviceDelay: undefined }],
  };
}

/** CPU seconds and resident MiB of a process (proc(5): fields 14 and 15 of stat, in hundredths of a second). */
function usage(pid: number): { readonly cpuS: number; readonly memoryMiB: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
  return { cpuS: (Number(fields[11]) + Number(fields[12])) / 100, memoryMiB: kib / 1024 };
}

async function agentCost(): Promise<void> {
  const config = join(folder, 'agent.yaml');
  writeFileSync(
    config,
    `node: {id: measured}
router: {target: "${socket}"}
interval: 1s
sources: {linux: {filesystems: [{path: /}]}, nvidia: {enabled: false}}
services: [{service: "2001:db8:5e::ffff", address: "2001:db8:b::ffff"}]
log: {level: error}
`,
  );
  const child = spawn(process.execPath, [new URL('../daemon/cpnd.js', import.meta.url).pathname, 'agent', '--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  await sleep(5000);
  const before = usage(child.pid!);
  await sleep(SECONDS * 1000);
  const after = usage(child.pid!);
  child.kill('SIGTERM');
  const percent = ((after.cpuS - before.cpuS) / SECONDS) * 100;
  process.stdout.write(`agent, sources Linux at 1 s, over ${SECONDS} s: ${percent.toFixed(2)} % of a processor, ${after.memoryMiB.toFixed(0)} MiB resident\n`);
}

const row = (name: string, { cpuPercent, memoryMiB, stallMs, stall99Ms, announcementsPerS, nodes, instances }: Figures): void => {
  process.stdout.write(
    `${name.padEnd(44)}${String(nodes).padStart(7)}${String(instances).padStart(11)}${cpuPercent.toFixed(1).padStart(8)}${memoryMiB.toFixed(0).padStart(8)}${stall99Ms.toFixed(1).padStart(10)}${stallMs.toFixed(1).padStart(10)}${announcementsPerS.toFixed(0).padStart(15)}\n`,
  );
};

const router = new RouterProcess();
try {
  await router.ready();
  await agentCost();
  process.stdout.write(`${'router'.padEnd(44)}${'nodes'.padStart(7)}${'announced'.padStart(11)}${'CPU %'.padStart(8)}${'MiB'.padStart(8)}${'p99 ms'.padStart(10)}${'stall ms'.padStart(10)}${'announced/s'.padStart(15)}\n`);
  await sleep(1000);
  row('idle', await router.figures());
  const startedAt = performance.now();
  const streams: RouterStream[] = [];
  for (let index = 0; index < NODES; index += 20) {
    streams.push(...(await Promise.all(Array.from({ length: Math.min(20, NODES - index) }, (_, i) => register(index + i)))));
  }
  const registeredMs = performance.now() - startedAt;
  await sleep(1500);
  row(`${NODES} nodes register (${(registeredMs / 1000).toFixed(1)} s)`, await router.figures());
  const earlier = await router.figures();
  const timers = streams.map((stream, index) => {
    let timer = setTimeout(function tell() {
      stream.send({ update: changedLoad(index) });
      timer = setTimeout(tell, 1000);
    }, Math.random() * 1000);
    return () => clearTimeout(timer);
  });
  await sleep(SECONDS * 1000);
  const busy = await router.figures();
  row(`${NODES} nodes tell a new load every second`, busy);
  process.stdout.write(`${((busy.updates - earlier.updates) / SECONDS).toFixed(0)} updates/s taken; the nodes took their share of the same processors\n`);
  for (const stop of timers) stop();
} finally {
  router.stop();
  rmSync(folder, { recursive: true });
}
process.exit(0);
