/**
 * A transit link is cut under flows of 10,000 packets a second, one pinned to a service and a plain one: packets lost with TI-LFA and without, when the carrier goes
 * and when the link falls silent and BFD (3 x 50 ms) has to notice.
 *
 *     node dist/bench/ospf-cut.js [--rounds 5] [--rate 10000] [--seconds 3]      (as root; five routers, a client and a node on one machine)
 *
 * Router-LSAs are some seconds old before each cut, as in a network that has been up for a while.
 */
import { parseArgs } from 'node:util';
import { CutLab, type EntryOptions } from '../test/lab/cut-lab.js';
import { printJson, printTable, quantiles } from './support/report.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, rate: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '3' } } });
const rounds = Number(values.rounds);
const rate = Number(values.rate);
const seconds = Number(values.seconds);

type How = 'carrier' | 'silence';

interface Result {
  readonly fastReroute: EntryOptions['fastReroute'];
  readonly how: How;
  readonly pinned: number[];
  readonly plain: number[];
}

const lab = await CutLab.up('ospf-cut');

async function measure(fastReroute: EntryOptions['fastReroute'], how: How): Promise<Result> {
  const isProtected = fastReroute !== 'none';
  const result: Result = { fastReroute, how, pinned: [], plain: [] };
  for (let round = 0; round < rounds; round++) {
    await lab.ready(isProtected);
    await lab.calm();
    const [pinned, plain] = await lab.lossOf(rate, seconds, () => (how === 'carrier' ? lab.lab.fail('entry:eth2') : lab.silence(true)));
    result.pinned.push(pinned.lost);
    result.plain.push(plain.lost);
    await (how === 'carrier' ? lab.lab.restore('entry:eth2') : lab.silence(false));
  }
  return result;
}

try {
  const results: Result[] = [];
  for (const fastReroute of ['ti-lfa', 'none'] as const) {
    await lab.reconfigureEntry({ fastReroute, bfd: true });
    for (const how of ['carrier', 'silence'] as const) results.push(await measure(fastReroute, how));
  }
  const shown = (lost: readonly number[]): string => `${quantiles(lost).median} (${Math.min(...lost)} - ${Math.max(...lost)})`;
  printTable(
    ['fast reroute', 'fault', `plain flow: lost at ${rate}/s, median (range)`, 'pinned flow'],
    results.map(({ fastReroute, how, pinned, plain }) => [fastReroute, how === 'carrier' ? 'carrier lost' : 'silent, BFD 3 x 50 ms', shown(plain), shown(pinned)]),
  );
  printJson('ospf-cut', { rounds, rate, seconds, results });
} finally {
  await lab.down();
}
