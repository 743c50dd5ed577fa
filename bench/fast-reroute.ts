/**
 * A neighbour is lost under protected routes: how long until all of them take the backup, by replacing the next hop object that they share, as failAdjacency()
 * does, and by writing each route anew; and how many packets of a flow to all of them are lost, by what is lost and how it is answered.
 *
 *     node dist/bench/fast-reroute.js [--rounds 5] [--rate 10000] [--seconds 2]      (as root; six network namespaces on one machine)
 *
 * The answer to a vanished neighbour begins when the command that makes it vanish has returned (`detectedMs`): what a real detection takes comes in its place. A lost
 * carrier is the kernel's own business.
 */
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import type { KernelRoute } from '../dataplane/dataplane.js';
import { PRIMARY, REPAIR, RerouteLab, destination, protectedRoute, type PointRouter } from '../test/lab/reroute-lab.js';
import { printJson, printTable, quantiles, round } from './support/report.js';

const COUNTS = [100, 10_000];

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, rate: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '2' } } });
const rounds = Number(values.rounds);
const rate = Number(values.rate);
const packets = rate * Number(values.seconds);

const lab = new RerouteLab();

/** The same routes without protection, over the way or over the repair list. */
const plainRoute = (prefix: string, repaired: boolean): KernelRoute => ({
  prefix,
  target: repaired ? { kind: 'seg6', segments: REPAIR.segments, nextHops: [REPAIR.nextHop] } : { kind: 'unicast', nextHops: [PRIMARY] },
});

async function declare(router: PointRouter, count: number, make: (prefix: string) => KernelRoute): Promise<void> {
  for (let i = 0; i < count; i++) router.routes.set(make(destination(i)));
  await router.routes.settled();
}

async function timed(action: () => Promise<unknown> | number): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Waits until the sink receives no more, or is sent some. */
async function untilReceived(enough: (received: number, before: number) => boolean): Promise<number> {
  for (let before = lab.received(); ; ) {
    await pause(100);
    const received = lab.received();
    if (enough(received, before)) return received;
    before = received;
  }
}

async function lostWhile(count: number, cut: () => void): Promise<number> {
  const before = lab.received();
  const send = await lab.sender(count, rate, packets);
  const sending = send();
  await untilReceived((received) => received > before + packets / 4);
  cut();
  const sent = await sending;
  return sent - ((await untilReceived((received, last) => received === last)) - before);
}

/** Until all routes forward over their first next hop again. */
async function untilBack(router: PointRouter): Promise<void> {
  while (router.routes.list().some(({ status }) => !status.installed || status.backup?.active === true)) await pause(20);
  await router.routes.settled();
}

interface Result {
  readonly routes: number;
  readonly objectMs: number[];
  readonly rewriteMs: number[];
  readonly lostCarrier: number[];
  readonly lostNeighbour: number[];
  readonly lostRewriting: number[];
  /** What changing the neighbour's address took. */
  readonly detectedMs: number[];
}

async function measure(count: number): Promise<Result> {
  const result: Result = { routes: count, objectMs: [], rewriteMs: [], lostCarrier: [], lostNeighbour: [], lostRewriting: [], detectedMs: [] };
  const router = await lab.openRouter();
  const { routes } = router;
  const vanish = (): void => {
    const start = performance.now();
    lab.setNeighbour(false);
    result.detectedMs.push(performance.now() - start);
  };
  const fail = (): number => routes.failAdjacency(PRIMARY.interface, PRIMARY.gateway);
  for (let turn = 0; turn < rounds; turn++) {
    await declare(router, count, protectedRoute);
    result.objectMs.push(await timed(fail));
    routes.restoreAdjacency(PRIMARY.interface, PRIMARY.gateway);
    await untilBack(router);
    result.lostNeighbour.push(
      await lostWhile(count, () => {
        vanish();
        fail();
      }),
    );
    lab.setNeighbour(true);
    routes.restoreAdjacency(PRIMARY.interface, PRIMARY.gateway);
    await untilBack(router);
    result.lostCarrier.push(await lostWhile(count, () => lab.setCarrier(false)));
    lab.setCarrier(true);
    await pause(200);
    await untilBack(router);
    await declare(router, count, (prefix) => plainRoute(prefix, false));
    result.rewriteMs.push(await timed(() => declare(router, count, (prefix) => plainRoute(prefix, true))));
    await declare(router, count, (prefix) => plainRoute(prefix, false));
    result.lostRewriting.push(
      await lostWhile(count, () => {
        vanish();
        void declare(router, count, (prefix) => plainRoute(prefix, true));
      }),
    );
    lab.setNeighbour(true);
  }
  await routes.removeAll();
  router.close();
  return result;
}

lab.up();
try {
  const results: Result[] = [];
  for (const count of COUNTS) results.push(await measure(count));
  const median = (list: readonly number[]): number => quantiles(list).median;
  printTable(
    ['routes', 'switched by the object, ms', 'each written, ms', 'ratio', `lost at ${rate}/s: carrier`, 'neighbour, object', 'neighbour, each written', 'of them before detection'],
    results.map((one) => [
      one.routes,
      round(median(one.objectMs), 2),
      round(median(one.rewriteMs), 2),
      round(median(one.rewriteMs) / median(one.objectMs), 1),
      median(one.lostCarrier),
      median(one.lostNeighbour),
      median(one.lostRewriting),
      `at most ${round((median(one.detectedMs) * rate) / 1000)}`,
    ]),
  );
  printJson('fast-reroute', { rate, packets, results });
} finally {
  lab.down();
}
