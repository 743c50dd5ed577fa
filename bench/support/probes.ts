/** Probes of single packets through a whole network: round trips of echoes, and the order in which packets of a burst arrive. */
import { join } from 'node:path';
import { waitFor } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { SERVICE, type BenchNetwork } from './network.js';
import { quantiles, type Quantiles } from './report.js';

const PYTHON = '/usr/bin/python3';
const PROBE = join(checkout, 'bench/support/probe.py');
const PORT = 7001;

/** Round trips of ICMPv6 echoes in us; a new identifier is a new flow. Throws when one was lost. */
export async function echoTimes(network: BenchNetwork, count: number, mode: 'new' | 'pinned'): Promise<Quantiles> {
  const text = await network.lab.node('client').run([PYTHON, PROBE, 'echo', SERVICE, String(count), mode], { timeoutMs: 120_000 });
  // The first ones warm up neighbours, caches and the compiler of the daemon.
  const times = text.trim().split('\n').slice(Math.floor(count / 5)).map(Number);
  if (times.some((time) => time < 0)) throw new Error(`${times.filter((time) => time < 0).length} of ${count} echoes were lost`);
  return quantiles(times.map((time) => time / 1000));
}

export interface OrderReport {
  readonly flows: number;
  readonly packets: number;
  readonly lost: number;
  readonly twice: number;
  /** Packets that arrived after one sent later in their flow. */
  readonly outOfOrder: number;
  /** Flows whose packets reached two nodes. */
  readonly split: number;
}

/** Sends `flows` bursts of `packets` packets; `after-answer` sends the second one when the first one's answer is there. */
export async function watchOrder(network: BenchNetwork, nodes: readonly string[], flows: number, packets: number, mode: 'at-once' | 'after-answer'): Promise<OrderReport> {
  const collectors = await Promise.all(nodes.map((node) => network.spawn(node, [PYTHON, PROBE, 'collect', SERVICE, String(PORT)])));
  for (const collector of collectors) await waitFor(() => collector.stdout.startsWith('ready'), { timeoutMs: 10_000, what: 'the collectors' });
  await network.lab.node('client').run([PYTHON, PROBE, 'burst', SERVICE, String(PORT), String(flows), String(packets), mode], { timeoutMs: 120_000 });
  for (const collector of collectors) await collector.stop('SIGINT');

  const seen = new Set<string>();
  const nodeOf = new Map<string, number>();
  const split = new Set<string>();
  let twice = 0;
  let outOfOrder = 0;
  collectors.forEach(({ stdout }, node) => {
    const highest = new Map<string, number>();
    for (const line of stdout.trim().split('\n').slice(1)) {
      const [flow = '', number = ''] = line.split(' ');
      if (seen.has(line)) twice++;
      seen.add(line);
      if ((nodeOf.get(flow) ?? node) !== node) split.add(flow);
      nodeOf.set(flow, node);
      const last = highest.get(flow) ?? -1;
      if (Number(number) < last) outOfOrder++;
      highest.set(flow, Math.max(last, Number(number)));
    }
  });
  return { flows, packets: flows * packets, lost: flows * packets - seen.size, twice, outOfOrder, split: split.size };
}
