/**
 * An exit dies under pinned flows: 10,000 of UDP with packets on the way all the time, some hundred TCP connections and UDP request flows. How long from
 * the detection to the last policy of that exit leading elsewhere, how the moved flows are spread over the survivors against their
 * weights, how many TCP connections were moved and reset, and for how long clients got no answer.
 *
 *     node dist/bench/daemon-failover.js [--flows 10000] [--connections 300] [--runs 3] [--death silent|shutdown]
 *
 * silent: the exit drops everything, STAMP notices after three lost replies. shutdown: its cpnd ends with SIGTERM and says so to its BGP neighbor.
 */
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { waitFor } from '../lab/index.js';
import type { NodeProcess } from '../lab/index.js';
import { checkout } from '../lab/runner/checkout.js';
import type { Report as ClientReport } from '../lab/tools/report.js';
import type { LineProcess } from './support/line-process.js';
import { BenchNetwork, clientAddress, exitAddress, SERVICE, type Candidate, type Flow } from './support/network.js';
import { printJson, printTable, quantiles, round } from './support/report.js';

const SERVICE_RATES = [400_000_000, 300_000_000, 200_000_000, 100_000_000];
const EXITS = SERVICE_RATES.map((_, i) => i + 1);
const PORT = 8080;
const REQUEST_FLOWS = 100;
/** Pause of one request flow, ms: how exact the gap of a client is. */
const REQUEST_PAUSE_MS = 50;
/** How long the client tools send, and when within it the exit dies. */
const TRAFFIC_S = 6;
const DEATH_AFTER_MS = 2500;

type Death = 'silent' | 'shutdown';

interface Move {
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
  readonly moved: number;
}

interface Run {
  readonly death: Death;
  readonly flows: number;
  readonly movedFlows: number;
  readonly policies: number;
  /** From the line in the daemon's log that says what it noticed. */
  readonly detectedToMovedMs: number;
  readonly diedToMovedMs: number;
  /** Share of the moved flows by survivor, wanted by the weights and seen. */
  readonly spread: readonly { readonly exit: string; readonly wanted: number; readonly seen: number }[];
  /** Flows of other exits that lead elsewhere now: must be 0. */
  readonly movedOthers: number;
  readonly connections: number;
  readonly connectionsMoved: number;
  readonly connectionsReset: number;
  readonly gapMs: { readonly flows: number; readonly median: number; readonly p99: number };
}

const keyOf = (flow: Flow): string => `${flow.source} ${flow.protocol} ${flow.sourcePort} ${flow.destinationPort}`;

/** Source ports of the client's TCP connections to the service that are up, as its kernel has them. */
async function establishedPorts(network: BenchNetwork): Promise<Set<number>> {
  const text = await network.lab.node('client').run(['ss', '-Htn', 'state', 'established', `dport = :${PORT}`]);
  return new Set(text.split('\n').filter((line) => line !== '').map((line) => Number(/:(\d+)\s+\S+$/.exec(line.trim())?.[1])));
}

function clientTool(network: BenchNetwork, protocol: 'tcp' | 'udp', flows: number, sourcePort: number): Promise<NodeProcess> {
  const rate = Math.round((flows * 1000) / REQUEST_PAUSE_MS / (protocol === 'tcp' ? 4 : 1));
  const argv = ['--to', SERVICE, '--port', PORT, '--protocol', protocol, '--flows', flows, '--source-port', sourcePort, '--rate', rate, '--duration-s', TRAFFIC_S];
  return network.spawn('client', [process.execPath, join(checkout, 'dist/lab/tools/client.js'), ...argv.map(String)]);
}

/** What a client tool prints at its end. */
async function clientReport(tool: NodeProcess): Promise<ClientReport> {
  const status = await tool.exited;
  if (tool.stdout === '') throw new Error(`a client ended with status ${status}: ${tool.stderr}`);
  return JSON.parse(tool.stdout) as ClientReport;
}

/** When the daemon's log first spoke of the loss of an exit after a time, Unix ms. */
function detectedAt(log: string, exit: string, since: number): number | undefined {
  for (const line of log.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { time, msg, event } = JSON.parse(line) as { time: string; msg: string; event?: string };
    if (Date.parse(time) >= Math.floor(since) && msg.includes(exit) && (event === 'stamp.exit-lost' || event?.startsWith('bgp.') === true)) return Date.parse(time);
  }
  return undefined;
}

/** The weights of survivors that flows of `dead` should follow: what the survivors state and measure, without the tolerance around the best. */
function wantedShares(candidates: readonly Candidate[], dead: string): Map<string, number> {
  const raw = candidates.flatMap(({ exit, pathDelayUs }) => {
    const index = EXITS.findIndex((n) => exitAddress(n) === exit);
    // spare rate / predicted latency; both times in us, 50 ms of service (support/network.ts).
    return exit === dead ? [] : [[exit, SERVICE_RATES[index]! / (50_000 + (pathDelayUs ?? 0))] as const];
  });
  const sum = raw.reduce((total, [, weight]) => total + weight, 0);
  return new Map(raw.sort(([a], [b]) => (a < b ? -1 : 1)).map(([exit, weight]) => [exit, weight / sum]));
}

async function kill(network: BenchNetwork, exit: number, death: Death): Promise<void> {
  const node = network.lab.node(`exit${exit}`);
  if (death === 'shutdown') node.daemon.kill('SIGTERM');
  else await node.run(['nft', 'add table ip6 dead; add chain ip6 dead in { type filter hook prerouting priority -400; policy drop; }']);
}

async function startServers(network: BenchNetwork): Promise<void> {
  for (const n of EXITS) {
    const server = await network.spawn(`node${n}`, [process.execPath, join(checkout, 'dist/lab/tools/server.js'), '--address', '::', '--port', String(PORT), '--name', `node${n}`, '--log', 'none']);
    await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 10_000, what: `the service on node${n}` });
  }
}

async function startSender(network: BenchNetwork, flows: number): Promise<LineProcess> {
  for (const n of EXITS) await network.start(`node${n}`, 'bench/support/collector.js', { interface: 'eth1', service: SERVICE, source: clientAddress(1), flows });
  const gateway = await network.mac('entry', 'eth1');
  const sender = await network.start('client', 'test/lab/flow-sender.js', { interface: 'eth1', gateway, source: clientAddress(1), destination: SERVICE, flows, spoofed: false, octets: 64 });
  // The second packet takes a flow out of the small map of new ones.
  for (let round = 0; round < 2; round++) await sender.call({ count: flows, first: 0, span: flows, rate: 20_000 });
  return sender;
}

async function measure(flows: number, connections: number, death: Death): Promise<Run> {
  const unlimited = { interfaceRate: 0, interfaceBurst: 1, sourceRate: 0, sourceBurst: 1 };
  const network = await BenchNetwork.up('failover', { serviceRates: SERVICE_RATES, dataplane: { puntLimits: unlimited } });
  try {
    await startServers(network);
    const candidates = await network.ready();
    const sender = await startSender(network, flows);
    const tcp = await clientTool(network, 'tcp', connections, 20_000);
    const udp = await clientTool(network, 'udp', REQUEST_FLOWS, 30_000);
    const started = Date.now();
    await waitFor(async () => (await establishedPorts(network)).size === connections, { timeoutMs: 5000, what: `${connections} connections`, intervalMs: 100 });

    const dead = exitAddress(1);
    const before = await network.flows();
    const upBefore = await establishedPorts(network);
    const policies = (await network.policies()).filter(({ exit }) => exit === dead).map(({ id }) => id);
    const watch = await network.start('entry', 'bench/support/policy-watch.js', { bpffs: '/run/cpn/bpf' });
    const shares = wantedShares(candidates, dead);
    await waitFor(() => Date.now() - started > DEATH_AFTER_MS, { timeoutMs: TRAFFIC_S * 1000, what: 'the traffic to run' });
    // Every flow has packets on the way while the exit dies.
    const traffic = sender.call({ count: flows, first: 0, span: flows, rate: Math.round(flows / 2) });
    const moved = watch.call<Move>({ op: 'moved', policies, timeoutMs: 5000 });
    const died = Date.now();
    await kill(network, 1, death);
    const move = await moved;
    await traffic;
    const [, udpReport] = await Promise.all([tcp, udp].map(clientReport));

    const after = new Map((await network.flows()).map((flow) => [keyOf(flow), flow]));
    const detected = detectedAt(network.lab.node('entry').daemon.log, dead, died);
    if (detected === undefined || move.moved < policies.length) throw new Error(`${move.moved} of ${policies.length} policies moved`);
    const ofDead = before.filter(({ exit }) => exit === dead);
    const movedOthers = before.filter((flow) => flow.exit !== dead && after.get(keyOf(flow))?.exit !== flow.exit && after.has(keyOf(flow))).length;
    const target = (flow: Flow): string | undefined => after.get(keyOf(flow))?.exit;
    const upAfter = reset(network, upBefore, ofDead);
    return {
      death,
      flows: before.length,
      movedFlows: ofDead.filter((flow) => target(flow) !== undefined && target(flow) !== dead).length,
      policies: policies.length,
      detectedToMovedMs: round(move.lastUnixMs - detected, 1),
      diedToMovedMs: round(move.lastUnixMs - died, 1),
      spread: [...shares].map(([exit, wanted]) => ({ exit, wanted: round(wanted, 3), seen: round(ofDead.filter((flow) => target(flow) === exit).length / ofDead.length, 3) })),
      movedOthers,
      connections: upBefore.size,
      ...(await upAfter),
      gapMs: gaps(udpReport!),
    };
  } finally {
    await network.down();
  }
}

/** Connections of the dead exit, and how many of them the client tool found reset: their resets are in the counters of the client's kernel. */
async function reset(network: BenchNetwork, up: ReadonlySet<number>, ofDead: readonly Flow[]): Promise<{ connectionsMoved: number; connectionsReset: number }> {
  const moved = ofDead.filter(({ protocol, sourcePort }) => protocol === 6 && up.has(sourcePort));
  const text = await network.lab.node('client').run(['nstat', '-asz', 'TcpEstabResets']);
  return { connectionsMoved: moved.length, connectionsReset: Number(/TcpEstabResets\s+(\d+)/.exec(text)?.[1] ?? NaN) };
}

/** The longest time without an answer of every flow that was moved. */
function gaps(report: ClientReport): Run['gapMs'] {
  const { samples, median, p99 } = quantiles(report.flows.filter(({ nodes }) => nodes.length > 1).map(({ longestGapMs }) => longestGapMs));
  return { flows: samples, median: round(median), p99: round(p99) };
}

const { values } = parseArgs({
  options: {
    flows: { type: 'string', default: '10000' },
    connections: { type: 'string', default: '300' },
    runs: { type: 'string', default: '3' },
    death: { type: 'string' },
  },
});
const deaths: readonly Death[] = values.death === undefined ? ['silent', 'shutdown'] : [values.death === 'shutdown' ? 'shutdown' : 'silent'];
const runs: Run[] = [];
for (const death of deaths) for (let run = 0; run < Number(values.runs); run++) runs.push(await measure(Number(values.flows), Number(values.connections), death));

printTable(
  ['death', 'flows', 'moved', 'policies', 'detected to moved, ms', 'died to moved, ms', 'others moved', 'TCP', 'TCP moved', 'TCP reset', 'gap median, ms', 'gap p99, ms'],
  runs.map((run) => [
    ...[run.death, run.flows, run.movedFlows, run.policies, run.detectedToMovedMs, run.diedToMovedMs, run.movedOthers],
    ...[run.connections, run.connectionsMoved, run.connectionsReset, run.gapMs.median, run.gapMs.p99],
  ]),
);
console.log('');
printTable(
  ['death', ...runs[0]!.spread.flatMap(({ exit }) => [`${exit} wanted`, 'seen'])],
  runs.map((run) => [run.death, ...run.spread.flatMap(({ wanted, seen }) => [wanted, seen])]),
);
console.log('');
printJson('daemon-failover', { runs });
process.exit(0);
