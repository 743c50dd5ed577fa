/**
 * New flows through the punt path with a steering that answers at once: how many a second without loss, none sent twice; the latency that a first
 * packet pays over a pinned one; and whether packets of a flow change places.
 *
 *     node dist/bench/first-packets.js [--json] [--seconds 2] [--rates 20000,60000,80000,100000,120000] [--samples 2000]
 *
 * Latency is the time of an ICMPv6 echo of 64 octets from the client to the server and back: a new identifier is a new flow.
 */
import { parseArgs } from 'node:util';
import { FlowChain, SERVICE_PREFIX, SID_DX6, until, type Router } from '../test/lab/flow-chain.js';
import { Sender, receivedPackets } from '../test/lab/flow-traffic.js';
import { echoTimes, watchOrder, type EchoTimes, type OrderReport } from './packet-probes.js';

interface RateResult {
  readonly offered: number;
  /** Packets a second that the sender managed. */
  readonly sentPerSecond: number;
  readonly sent: number;
  readonly arrived: number;
  readonly queueDropped: number;
  /** More arrived than were sent. */
  readonly duplicated: number;
  /** CPU seconds of the daemon process a million first packets. */
  readonly cpuPerMillion: number;
}

interface Result {
  readonly rates: readonly RateResult[];
  readonly latencyUs: { readonly first: EchoTimes; readonly pinned: EchoTimes; readonly addedMedian: number; readonly addedP99: number };
  /** Bursts of packets of one flow, back to back. */
  readonly bursts: OrderReport;
}

async function measureRate(chain: FlowChain, router: Router, sender: Sender, rate: number, first: number, count: number): Promise<RateResult> {
  const before = await router.counters();
  const cpuBefore = (await router.call({ op: 'busy' })) as NodeJS.CpuUsage;
  const arrivedBefore = receivedPackets(chain, 'server', 's0');
  const { sent, ms } = await sender.send({ count, first, span: count, rate });
  let after = before;
  await until('the daemon has read the queue', 10_000, async () => {
    after = await router.counters();
    const grown = (name: string): number => after[name]! - before[name]!;
    return grown('punt_received') === grown('kernel_punted') - grown('punt_queue_dropped');
  });
  const cpu = (await router.call({ op: 'busy' })) as NodeJS.CpuUsage;
  const arrived = receivedPackets(chain, 'server', 's0') - arrivedBefore;
  const busySeconds = (cpu.user + cpu.system - cpuBefore.user - cpuBefore.system) / 1e6;
  return {
    offered: rate,
    sentPerSecond: (sent / ms) * 1000,
    sent,
    arrived,
    queueDropped: after['punt_queue_dropped']! - before['punt_queue_dropped']!,
    duplicated: Math.max(0, arrived - sent),
    cpuPerMillion: (busySeconds / sent) * 1e6,
  };
}

async function measure(rates: readonly number[], seconds: number, samples: number): Promise<Result> {
  const chain = new FlowChain('bench');
  try {
    chain.up();
    chain.settleNeighbours();
    chain.exec('exit', 'ping', '-6', '-c', '1', '-w', '5', 'fd30::2');
    chain.exec('entry', 'ping', '-6', '-c', '1', '-w', '5', 'fd20::2');
    chain.exec('client', 'ping', '-6', '-c', '1', '-w', '5', 'fd10::1');
    const flows = rates.reduce((sum, rate) => sum + rate * seconds, 0);
    const router = await chain.startRouter({ maxFlows: 131_072, maxNewFlows: 262_144 });
    await router.setPolicies([{ policy: 16, segments: [SID_DX6], mtu: 1500 }]);
    await router.steer(16);

    const first = await echoTimes(chain, samples, 'new');
    const pinned = await echoTimes(chain, samples, 'pinned');
    const bursts = await watchOrder(chain, router, 500, 8);

    // From here on the server takes packets in and drops them.
    chain.exec('server', 'ip', 'addr', 'del', 'fd5e::1/128', 'dev', 'lo');
    chain.exec('server', 'ip', '-6', 'route', 'add', 'blackhole', SERVICE_PREFIX);
    const sender = await Sender.start(chain, flows);
    // The compiler of the daemon has seen the path before anything is measured.
    await sender.send({ count: 20_000, first: 0, span: 20_000, rate: 20_000 });
    const results: RateResult[] = [];
    let next = 0;
    for (const rate of rates) {
      const count = rate * seconds;
      // Flows of the run before must not be there any more: each of these is new.
      await router.call({ op: 'clear' });
      results.push(await measureRate(chain, router, sender, rate, next, count));
      next += count;
    }
    sender.stop();
    await router.end('remove');
    return { rates: results, latencyUs: { first, pinned, addedMedian: first.median - pinned.median, addedP99: first.p99 - pinned.p99 }, bursts };
  } finally {
    chain.down();
  }
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '2' },
    rates: { type: 'string', default: '20000,60000,80000,100000,120000' },
    samples: { type: 'string', default: '2000' },
  },
});

const result = await measure(values.rates.split(',').map(Number), Number(values.seconds), Number(values.samples));
if (values.json) {
  console.log(JSON.stringify(result));
} else {
  for (const { offered, sentPerSecond, sent, arrived, queueDropped, duplicated, cpuPerMillion } of result.rates) {
    console.log(
      `${offered} new flows/s offered: ${Math.round(sentPerSecond)}/s sent, ${sent - arrived} of ${sent} lost (${queueDropped} in the queue), ` +
        `${duplicated} sent twice, daemon ${cpuPerMillion.toFixed(1)} us a flow`,
    );
  }
  const { first, pinned, addedMedian, addedP99 } = result.latencyUs;
  const micro = (value: number): string => `${Math.round(value)} us`;
  console.log(`round trip of a first packet: median ${micro(first.median)}, p99 ${micro(first.p99)}; pinned: ${micro(pinned.median)}, ${micro(pinned.p99)}; added ${micro(addedMedian)}, ${micro(addedP99)}`);
  const { flows, packets, lost, duplicates, outOfOrder } = result.bursts;
  console.log(`${flows} flows of ${packets / flows} packets back to back: ${outOfOrder} packets out of order, ${lost} lost, ${duplicates} twice`);
}
