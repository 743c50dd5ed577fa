/**
 * Pinned forwarding against (a) a static kernel seg6 route for the whole prefix and (b) plain IPv6 forwarding, on the same chain of
 * namespaces. Packets of 64 octets in 10,000 and 100,000 flows; one CPU carries the whole chain, so that packets a second are the inverse of
 * the cost of all nodes together. Runs are interleaved; medians and ratios are printed.
 *
 *     node dist/bench/forwarding.js [--json] [--seconds 1] [--runs 7] [--flows 10000,100000]
 */
import { parseArgs } from 'node:util';
import { FlowChain, SERVICE_PREFIX, SID_DX6, until, type Router } from '../test/lab/flow-chain.js';
import { Sender, median, receivedPackets } from '../test/lab/flow-traffic.js';

type Variant = 'pinned' | 'seg6' | 'plain';
const VARIANTS: readonly Variant[] = ['pinned', 'seg6', 'plain'];

interface Result {
  readonly flows: number;
  /** Median packets a second. */
  readonly packetsPerSecond: Record<Variant, number>;
  readonly pinnedToSeg6: number;
  readonly pinnedToPlain: number;
  readonly lost: number;
}

/**
 * Puts the chain into the state of a variant: without the program where it is not under test, and with a route of better metric in front of that
 * to the TUN. The router process is stopped meanwhile, or it would put the program back.
 */
async function select(chain: FlowChain, router: Router, variant: Variant): Promise<void> {
  const ip = (...words: string[]): string => chain.exec('entry', 'ip', '-6', 'route', ...words, 'metric', '100');
  if (variant === 'pinned') {
    router.process.kill('SIGCONT');
    await router.call({ op: 'reconfigure' });
    if (chain.exec('entry', 'ip', '-6', 'route', 'show', SERVICE_PREFIX, 'metric', '100') !== '') ip('del', SERVICE_PREFIX);
    return;
  }
  router.process.kill('SIGSTOP');
  for (const name of ['e0', 'e1']) chain.exec('entry', 'tc', 'qdisc', 'replace', 'dev', name, 'clsact');
  for (const name of ['e0', 'e1']) chain.exec('entry', 'tc', 'qdisc', 'del', 'dev', name, 'clsact');
  if (variant === 'seg6') ip('replace', SERVICE_PREFIX, 'encap', 'seg6', 'mode', 'encap', 'segs', SID_DX6, 'via', 'fd20::2', 'dev', 'e1');
  else ip('replace', SERVICE_PREFIX, 'via', 'fd20::2', 'dev', 'e1');
}

/** Pins and promotes every flow: two packets of each, in portions that fit the map of new flows. */
async function pinAll(sender: Sender, router: Router, flows: number): Promise<void> {
  const portion = 5000;
  for (let first = 0; first < flows; first += portion) {
    const span = Math.min(portion, flows - first);
    await sender.send({ count: span, first, span, rate: 30_000 });
    await until('the daemon has read the first packets', 5000, async () => {
      const counters = await router.counters();
      return counters['punt_received'] === counters['kernel_punted'];
    });
    await sender.send({ count: span, first, span, rate: 100_000 });
  }
}

async function measure(flows: number, runs: number, seconds: number): Promise<Result> {
  const chain = new FlowChain('bench');
  try {
    chain.up();
    // The server takes packets in and drops them: the service is not on it, and it forwards nothing.
    chain.exec('server', 'ip', 'addr', 'del', 'fd5e::1/128', 'dev', 'lo');
    chain.exec('server', 'ip', '-6', 'route', 'add', 'blackhole', SERVICE_PREFIX);
    chain.exec('exit', 'ip', '-6', 'route', 'add', SERVICE_PREFIX, 'via', 'fd30::2');
    chain.settleNeighbours();
    chain.exec('exit', 'ping', '-6', '-c', '1', '-w', '5', 'fd30::2');
    chain.exec('entry', 'ping', '-6', '-c', '1', '-w', '5', 'fd20::2');
    chain.exec('client', 'ping', '-6', '-c', '1', '-w', '5', 'fd10::1');
    const router = await chain.startRouter({ maxFlows: Math.max(131_072, flows), maxNewFlows: 65_536 });
    await router.setPolicies([{ policy: 16, segments: [SID_DX6], mtu: 1500 }]);
    await router.steer(16);
    const sender = await Sender.start(chain, flows);
    await select(chain, router, 'pinned');
    await pinAll(sender, router, flows);

    const rates: Record<Variant, number[]> = { pinned: [], seg6: [], plain: [] };
    let lost = 0;
    const { ms } = await sender.send({ count: 100_000, first: 0, span: flows, rate: 0 });
    const count = Math.round((100_000 / ms) * 1000 * seconds);
    for (let run = 0; run < runs; run++) {
      for (const variant of VARIANTS) {
        await select(chain, router, variant);
        await sender.send({ count: Math.round(count / 10), first: 0, span: flows, rate: 0 });
        const before = receivedPackets(chain, 'server', 's0');
        const { sent, ms: took } = await sender.send({ count, first: 0, span: flows, rate: 0 });
        const arrived = receivedPackets(chain, 'server', 's0') - before;
        lost += Math.max(0, sent - arrived);
        rates[variant].push((Math.min(arrived, sent) / took) * 1000);
      }
    }
    await select(chain, router, 'pinned');
    const counters = await router.counters();
    if ((counters['kernel_pinned'] ?? 0) < count * runs) throw new Error('the pinned runs did not go through the program');
    sender.stop();
    await router.end('remove');
    const packetsPerSecond = { pinned: median(rates.pinned), seg6: median(rates.seg6), plain: median(rates.plain) };
    return {
      flows,
      packetsPerSecond,
      pinnedToSeg6: packetsPerSecond.pinned / packetsPerSecond.seg6,
      pinnedToPlain: packetsPerSecond.pinned / packetsPerSecond.plain,
      lost,
    };
  } finally {
    chain.down();
  }
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '1' },
    runs: { type: 'string', default: '7' },
    flows: { type: 'string', default: '10000,100000' },
  },
});

const results: Result[] = [];
for (const flows of values.flows.split(',').map(Number)) results.push(await measure(flows, Number(values.runs), Number(values.seconds)));
if (values.json) {
  console.log(JSON.stringify(results));
} else {
  for (const { flows, packetsPerSecond, pinnedToSeg6, pinnedToPlain, lost } of results) {
    const rounded = VARIANTS.map((variant) => `${variant} ${Math.round(packetsPerSecond[variant])}/s`).join(', ');
    console.log(`${flows} flows: ${rounded}; pinned is ${pinnedToSeg6.toFixed(3)} of seg6, ${pinnedToPlain.toFixed(3)} of plain; lost ${lost}`);
  }
}
