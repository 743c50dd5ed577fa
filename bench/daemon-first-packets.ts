/**
 * New flows through the whole daemon: client, an entry router with three exits learned over real BGP sessions, a computing node each. How many new flows a
 * second are steered without loss, none sent twice; what a first packet takes longer than a pinned one; whether packets of a flow change places.
 *
 *     node dist/bench/daemon-first-packets.js [--seconds 3] [--rates 40000,60000,80000] [--runs 3] [--samples 3000]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { waitFor } from '../lab/index.js';
import type { Report } from './support/collector.js';
import { LineProcess } from './support/line-process.js';
import { BenchNetwork, clientAddress, SERVICE } from './support/network.js';
import { echoTimes, watchOrder } from './support/probes.js';
import { cpuSeconds, printJson, printTable, round } from './support/report.js';

const SERVICE_RATES = [400_000_000, 300_000_000, 200_000_000];
const NODES = SERVICE_RATES.map((_, i) => `node${i + 1}`);
const WARM_UP = 40_000;

interface Run {
  readonly offered: number;
  readonly sentPerSecond: number;
  readonly sent: number;
  readonly lost: number;
  readonly queueDropped: number;
  readonly sentTwice: number;
  /** CPU time of cpnd a first packet, us. */
  readonly cpuUs: number;
}

/** What the collectors of all nodes say together. */
async function collected(collectors: readonly LineProcess[], op: 'report' | 'reset'): Promise<Report> {
  const reports = await Promise.all(collectors.map((collector) => collector.call<Report>({ op })));
  const sum = (field: keyof Report): number => reports.reduce((total, report) => total + report[field], 0);
  return { packets: sum('packets'), flows: sum('flows'), repeated: sum('repeated'), missed: sum('missed') };
}

async function measureRate(network: BenchNetwork, sender: LineProcess, collectors: readonly LineProcess[], rate: number, first: number, count: number): Promise<Run> {
  await collected(collectors, 'reset');
  const before = await network.counters();
  const arrivedBefore = await network.arrived();
  const stat = (): number => cpuSeconds(readFileSync(`/proc/${network.daemonPid}/stat`, 'utf8'));
  const cpuBefore = stat();
  const { sent, ms } = await sender.call<{ sent: number; ms: number }>({ count, first, span: count, rate });
  const cpu = stat() - cpuBefore;
  let after = before;
  await waitFor(
    async () => {
      after = await network.counters();
      const grown = (name: string): number => after[name]! - before[name]!;
      return grown('punt_received') >= grown('kernel_punted') - grown('punt_queue_dropped');
    },
    { timeoutMs: 10_000, what: 'the daemon to read the punt queue' },
  );
  const report = await collected(collectors, 'report');
  const arrived = (await network.arrived()) - arrivedBefore;
  if (report.missed > 0) throw new Error(`the collectors missed ${report.missed} packets (interfaces received ${arrived})`);
  return {
    offered: rate,
    sentPerSecond: round((sent / ms) * 1000),
    sent,
    lost: sent - report.flows,
    queueDropped: after['punt_queue_dropped']! - before['punt_queue_dropped']!,
    sentTwice: report.repeated,
    cpuUs: round((cpu / sent) * 1e6, 1),
  };
}

async function measure(rates: readonly number[], runs: number, seconds: number, samples: number): Promise<void> {
  const flows = WARM_UP + runs * rates.reduce((sum, rate) => sum + rate * seconds, 0);
  const unlimited = { interfaceRate: 0, interfaceBurst: 1, sourceRate: 0, sourceBurst: 1 };
  const network = await BenchNetwork.up('first-packets', {
    serviceRates: SERVICE_RATES,
    dataplane: { maxFlows: 131_072, maxNewFlows: 262_144, puntLimits: unlimited },
  });
  try {
    await network.ready();
    const first = await echoTimes(network, samples, 'new');
    const pinned = await echoTimes(network, samples, 'pinned');
    const answered = await watchOrder(network, NODES, 500, 8, 'after-answer');
    const bursts = await watchOrder(network, NODES, 500, 8, 'at-once');

    const collectors = await Promise.all(
      NODES.map((node) => network.start(node, 'bench/support/collector.js', { interface: 'eth1', service: SERVICE, source: clientAddress(1), flows })),
    );
    const gateway = await network.mac('entry', 'eth1');
    const settings = { interface: 'eth1', gateway, source: clientAddress(1), destination: SERVICE, flows, spoofed: false, octets: 64 };
    const sender = await network.start('client', 'test/lab/flow-sender.js', settings);
    await sender.call({ count: WARM_UP, first: 0, span: WARM_UP, rate: 20_000 });
    const results: Run[] = [];
    let next = WARM_UP;
    for (let run = 0; run < runs; run++) {
      for (const rate of rates) {
        results.push(await measureRate(network, sender, collectors, rate, next, rate * seconds));
        next += rate * seconds;
      }
    }

    printTable(
      ['new flows/s offered', 'sent/s', 'sent', 'lost', 'dropped in queue', 'sent twice', 'cpnd CPU us a flow'],
      results.map((run) => [run.offered, run.sentPerSecond, run.sent, run.lost, run.queueDropped, run.sentTwice, run.cpuUs]),
    );
    console.log('');
    printTable(
      ['round trip, us', 'median', 'p99'],
      [
        ['first packet', round(first.median), round(first.p99)],
        ['pinned', round(pinned.median), round(pinned.p99)],
        ['added', round(first.median - pinned.median), round(first.p99 - pinned.p99)],
      ],
    );
    console.log('');
    printTable(
      ['bursts of 8 packets', 'packets', 'out of order', 'lost', 'twice', 'flows at two nodes'],
      [
        ['second packet after the first one\'s answer', answered.packets, answered.outOfOrder, answered.lost, answered.twice, answered.split],
        ['all at once', bursts.packets, bursts.outOfOrder, bursts.lost, bursts.twice, bursts.split],
      ],
    );
    console.log('');
    printJson('daemon-first-packets', { rates: results, roundTripUs: { first, pinned }, bursts: { answered, atOnce: bursts } });
  } finally {
    await network.down();
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rates: { type: 'string', default: '40000,60000,80000' },
    runs: { type: 'string', default: '3' },
    samples: { type: 'string', default: '3000' },
  },
});
await measure(values.rates.split(',').map(Number), Number(values.runs), Number(values.seconds), Number(values.samples));
process.exit(0);
