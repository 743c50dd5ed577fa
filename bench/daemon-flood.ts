/**
 * One client floods the entry router with first packets of spoofed sources as fast as it can, while another client opens flows, pinned flows go on and
 * the BGP sessions run with a hold time of 9 s. What the others lose, how long their first packets take, what was dropped where.
 *
 *     node dist/bench/daemon-flood.js [--seconds 12] [--pinned 5000] [--limits default|none]
 *
 * The limits of the punt path are those of a configuration that says nothing about them. The latency of the quiet client without the flood stands beside that under it.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { checkout } from '../lab/runner/checkout.js';
import type { Report } from './support/collector.js';
import type { LineProcess } from './support/line-process.js';
import { BenchNetwork, clientAddress, SERVICE } from './support/network.js';
import { cpuSeconds, printJson, printTable, quantiles, round, type Quantiles } from './support/report.js';

const SERVICE_RATES = [400_000_000, 300_000_000, 200_000_000];
const NODES = SERVICE_RATES.map((_, i) => `node${i + 1}`);
const HOLD_TIME = '9s';
/** So many that none comes again within what the map of new flows holds. */
const FLOOD_FLOWS = 500_000;
const FLOOD_PORTION = 20_000;
/** New flows a second of the quiet client. */
const QUIET_RATE = 500;
const ECHO_PAUSE_MS = 10;

interface Quiet extends Quantiles {
  readonly lost: number;
}

/** Echoes of new flows from the second client over so many seconds. Round trips in us. */
async function echoes(network: BenchNetwork, seconds: number): Promise<Quiet> {
  const count = Math.round((seconds * 1000) / ECHO_PAUSE_MS);
  const argv = ['/usr/bin/python3', join(checkout, 'bench/support/probe.py'), 'echo', SERVICE, String(count), 'new', String(ECHO_PAUSE_MS)];
  const text = await network.lab.node('client2').run(argv, { timeoutMs: 300_000 });
  const times = text.trim().split('\n').map(Number);
  return { ...quantiles(times.filter((time) => time >= 0).map((time) => time / 1000)), lost: times.filter((time) => time < 0).length };
}

async function collected(collectors: readonly LineProcess[], op: 'report' | 'reset'): Promise<Report> {
  const reports = await Promise.all(collectors.map((collector) => collector.call<Report>({ op })));
  const sum = (field: keyof Report): number => reports.reduce((total, report) => total + report[field], 0);
  return { packets: sum('packets'), flows: sum('flows'), repeated: sum('repeated'), missed: sum('missed') };
}

async function sender(network: BenchNetwork, client: number, flows: number, spoofed: boolean): Promise<LineProcess> {
  const gateway = await network.mac('entry', `eth${client}`);
  const node = client === 1 ? 'client' : `client${client}`;
  return network.start(node, 'test/lab/flow-sender.js', { interface: 'eth1', gateway, source: clientAddress(client), destination: SERVICE, flows, spoofed, octets: 64 });
}

/** Opens flows a few at a time, without the waiting that keeps a CPU busy. Returns how many. */
async function openFlows(quiet: LineProcess, first: number, count: number): Promise<number> {
  const start = performance.now();
  let sent = 0;
  while (sent < count) {
    const due = Math.min(count, Math.floor(((performance.now() - start) * QUIET_RATE) / 1000));
    if (due > sent) sent += (await quiet.call<{ sent: number }>({ count: due - sent, first: first + sent, span: due - sent, rate: 0 })).sent;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return sent;
}

async function measure(seconds: number, pinned: number, limits: 'default' | 'none'): Promise<void> {
  const puntLimits = { interfaceRate: 0, interfaceBurst: 1, sourceRate: 0, sourceBurst: 1 };
  const network = await BenchNetwork.up('flood', { clients: 2, serviceRates: SERVICE_RATES, holdTime: HOLD_TIME, dataplane: limits === 'none' ? { puntLimits } : {} });
  try {
    await network.ready();
    const quietFlows = QUIET_RATE * seconds;
    const all = pinned + quietFlows;
    const collectors = await Promise.all(
      NODES.map((node) => network.start(node, 'bench/support/collector.js', { interface: 'eth1', service: SERVICE, source: clientAddress(2), flows: all })),
    );
    const flooder = await sender(network, 1, FLOOD_FLOWS, true);
    const quiet = await sender(network, 2, all, false);
    for (let round = 0; round < 2; round++) await quiet.call({ count: pinned, first: 0, span: pinned, rate: 4000 });
    const before = await echoes(network, 3);
    const pinnedBefore = (await network.flows()).filter(({ source, packets }) => source === clientAddress(2) && Number(packets) > 1);

    await collected(collectors, 'reset');
    const countersBefore = await network.counters();
    const sessionsBefore = await sessions(network);
    const stat = (): number => cpuSeconds(readFileSync(`/proc/${network.daemonPid}/stat`, 'utf8'));
    const cpuBefore = stat();
    const start = performance.now();
    // Portions, so that the flood ends when the time is over.
    const flood = (async (): Promise<number> => {
      let sent = 0;
      while (performance.now() - start < seconds * 1000) {
        sent += (await flooder.call<{ sent: number }>({ count: FLOOD_PORTION, first: sent % FLOOD_FLOWS, span: FLOOD_PORTION, rate: 0 })).sent;
      }
      return sent;
    })();
    const opened = openFlows(quiet, pinned, quietFlows);
    const during = await echoes(network, seconds * 0.8);
    const sent = await opened;
    const flooded = await flood;
    const took = (performance.now() - start) / 1000;
    const cpu = stat() - cpuBefore;
    const report = await collected(collectors, 'report');
    const countersAfter = await network.counters();
    const sessionsAfter = await sessions(network);
    const stillPinned = new Set((await network.flows()).map(({ source, sourcePort, destinationPort }) => `${source} ${sourcePort} ${destinationPort}`));
    const evicted = pinnedBefore.filter(({ source, sourcePort, destinationPort }) => !stillPinned.has(`${source} ${sourcePort} ${destinationPort}`)).length;
    const dropped = Object.entries(countersAfter)
      .map(([name, value]) => [name, value - (countersBefore[name] ?? 0)] as const)
      .filter(([, value]) => value > 0);

    const result = {
      limits,
      seconds: round(took, 1),
      floodPerSecond: round(flooded / took),
      quietSent: sent,
      quietLost: sent - report.flows,
      quietTwice: report.repeated,
      echoBefore: before,
      echoDuring: during,
      pinned: pinnedBefore.length,
      evicted,
      sessions: sessionsAfter.length,
      sessionsReset: sessionsAfter.filter((session) => !sessionsBefore.includes(session)).length,
      cpuPercent: round((cpu / took) * 100),
      counters: Object.fromEntries(dropped),
    };
    printTable(
      ['', ''],
      [
        ['spoofed first packets offered a second', result.floodPerSecond],
        [`new flows of the quiet client, ${QUIET_RATE} a second`, result.quietSent],
        ['lost of them', result.quietLost],
        ['first packet of the quiet client without the flood, median us', round(before.median)],
        ['p99 us', round(before.p99)],
        ['under the flood, median us', round(during.median)],
        ['p99 us', round(during.p99)],
        [`lost echoes of ${during.samples + during.lost}`, during.lost],
        ['pinned flows before the flood', result.pinned],
        ['evicted of them', result.evicted],
        [`BGP sessions, hold time ${HOLD_TIME}`, result.sessions],
        ['reset of them', result.sessionsReset],
        ['cpnd CPU, % of one', result.cpuPercent],
        ...dropped.map(([name, value]) => [`counter ${name}`, value] as const),
      ],
    );
    console.log('');
    printJson('daemon-flood', result);
  } finally {
    await network.down();
  }
}

/** Established sessions by neighbor and when they came up. */
async function sessions(network: BenchNetwork): Promise<string[]> {
  const neighbors = await network.cpnctl<{ address: string; state: string; established?: string | number; establishedCount?: number }[]>('show', 'bgp', 'neighbors');
  return neighbors.filter(({ state }) => state === 'Established').map((neighbor) => `${neighbor.address} ${neighbor.establishedCount ?? neighbor.established ?? ''}`);
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '12' },
    pinned: { type: 'string', default: '5000' },
    limits: { type: 'string', default: 'default' },
  },
});
await measure(Number(values.seconds), Number(values.pinned), values.limits === 'none' ? 'none' : 'default');
process.exit(0);
