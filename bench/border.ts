/**
 * The rewrite of a border against (a) an SRv6 endpoint in the kernel (End, RFC 8986 section 4.1) and (b) transit, plain IPv6 forwarding of the encapsulated packet, on
 * one chain of namespaces in the place of the entry. Inner packets of 64 octets in 10,000 and 100,000 flows; one CPU carries the whole chain, so that packets a second are
 * the inverse of the cost of all nodes together. Runs are interleaved; medians and ratios are printed.
 *
 *     node dist/bench/border.js [--json] [--seconds 1] [--runs 7] [--flows 10000,100000]
 */
import { parseArgs } from 'node:util';
import { buildOuterHeader } from '../dataplane/packet/encapsulation.js';
import { parseIp } from '../dataplane/packet/ip.js';
import { FlowChain, SERVICE_PREFIX, SID_AGGREGATE, SID_DX6, until, type Router } from '../test/lab/flow-chain.js';
import { Sender, median, receivedPackets } from '../test/lab/flow-traffic.js';

type Variant = 'rewrite' | 'end' | 'transit';
const VARIANTS: readonly Variant[] = ['rewrite', 'end', 'transit'];

/** The End SID of the node in the place of the entry. */
const SID_END_HERE = 'fc00:bb:1:e::';
const SOURCE = 'fc00:bb:9::1';
const SEGMENTS: Readonly<Record<Variant, readonly string[]>> = { rewrite: [SID_AGGREGATE], end: [SID_END_HERE, SID_DX6], transit: [SID_DX6] };

interface Result {
  readonly flows: number;
  /** Median packets a second. */
  readonly packetsPerSecond: Record<Variant, number>;
  readonly rewriteToEnd: number;
  readonly rewriteToTransit: number;
  readonly lost: number;
}

const outerOf = (variant: Variant): string => Buffer.from(buildOuterHeader(parseIp(SOURCE)!, SEGMENTS[variant].map((sid) => parseIp(sid)!), false)).toString('hex');

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
  const chain = new FlowChain('border');
  try {
    chain.up();
    // The server takes packets in and drops them: the service is not on it, and it forwards nothing.
    chain.exec('server', 'ip', 'addr', 'del', 'fd5e::1/128', 'dev', 'lo');
    chain.exec('server', 'ip', '-6', 'route', 'add', 'blackhole', SERVICE_PREFIX);
    chain.settleNeighbours();
    chain.exec('entry', 'ip', '-6', 'route', 'add', `${SID_END_HERE}/128`, 'encap', 'seg6local', 'action', 'End', 'dev', 'e1');
    const router = await chain.startRouter({ border: true, maxFlows: Math.max(131_072, flows), maxNewFlows: 65_536 });
    await router.setPolicies([{ policy: 16, segments: [SID_DX6], mtu: 65_535 }]);
    await router.steer(16);
    const senders = {} as Record<Variant, Sender>;
    for (const variant of VARIANTS) senders[variant] = await Sender.start(chain, flows, { outer: outerOf(variant) });
    await pinAll(senders.rewrite, router, flows);

    const rates: Record<Variant, number[]> = { rewrite: [], end: [], transit: [] };
    let lost = 0;
    const { ms } = await senders.rewrite.send({ count: 100_000, first: 0, span: flows, rate: 0 });
    const count = Math.round((100_000 / ms) * 1000 * seconds);
    const rewritten = (await router.counters())['kernel_rewritten'] ?? 0;
    for (let run = 0; run < runs; run++) {
      for (const variant of VARIANTS) {
        const sender = senders[variant];
        await sender.send({ count: Math.round(count / 10), first: 0, span: flows, rate: 0 });
        const before = receivedPackets(chain, 'server', 's0');
        const { sent, ms: took } = await sender.send({ count, first: 0, span: flows, rate: 0 });
        const arrived = receivedPackets(chain, 'server', 's0') - before;
        lost += Math.max(0, sent - arrived);
        rates[variant].push((Math.min(arrived, sent) / took) * 1000);
      }
    }
    if (((await router.counters())['kernel_rewritten'] ?? 0) - rewritten < count * runs) throw new Error('packets to the aggregate SID were not all rewritten by the program');
    for (const sender of Object.values(senders)) sender.stop();
    await router.end('remove');
    const packetsPerSecond = { rewrite: median(rates.rewrite), end: median(rates.end), transit: median(rates.transit) };
    return { flows, packetsPerSecond, rewriteToEnd: packetsPerSecond.rewrite / packetsPerSecond.end, rewriteToTransit: packetsPerSecond.rewrite / packetsPerSecond.transit, lost };
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
  for (const { flows, packetsPerSecond, rewriteToEnd, rewriteToTransit, lost } of results) {
    const rounded = VARIANTS.map((variant) => `${variant} ${Math.round(packetsPerSecond[variant])}/s`).join(', ');
    console.log(`${flows} flows: ${rounded}; rewrite is ${rewriteToEnd.toFixed(3)} of End, ${rewriteToTransit.toFixed(3)} of transit; lost ${lost}`);
  }
}
