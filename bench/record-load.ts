/**
 * Records load as it really comes: that of this machine (/proc/stat) and that of a service which works off a bursty stream of jobs (10 ms of processor time on
 * average, Poisson arrivals whose rate swings, wanders and bursts) in a process of its own, at the lowest priority, for a bounded time.
 *
 *     node dist/bench/record-load.js [--seconds 240] [--interval 250] > bench/results/load-trace.csv
 *
 * Columns: ms since the start, busy share of the machine's processors, busy share of the service, jobs waiting or in service.
 */
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { busyShare, parseStat } from '../daemon/agent/sources/linux-proc.js';
import { seeded } from './support/load-trace.js';

const JOB_MS = 10;

/** What the service says of an interval. */
interface Report {
  readonly busy: number;
  readonly queueLength: number;
}

/** Works off jobs until the end; every interval it says how it was. */
function serve(seconds: number, intervalMs: number): void {
  const random = seeded(7);
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const start = performance.now();
  let drift = 0;
  let burst = 0;
  let share = 0.3;
  let nextArrival = start;
  let reportAt = start + intervalMs;
  let busyMs = 0;
  const queue: number[] = [];
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const report = (now: number): void => {
    while (now >= reportAt) {
      parentPort!.postMessage({ busy: Math.min(1, busyMs / intervalMs), queueLength: queue.length } satisfies Report);
      busyMs = Math.max(0, busyMs - intervalMs);
      reportAt += intervalMs;
      drift = 0.98 * drift + 0.03 * (random() - 0.5);
      if (random() < 0.01) burst = 0.2 + 0.4 * random();
      burst *= 0.95;
      share = Math.min(0.95, Math.max(0.03, 0.3 + 0.15 * Math.sin((2 * Math.PI * (now - start)) / 90_000) + drift + burst));
    }
  };
  for (let now = start; now - start < seconds * 1000; now = performance.now()) {
    for (; nextArrival <= now; nextArrival += exponential(JOB_MS / share)) queue.push(exponential(JOB_MS));
    report(now);
    const job = queue[0];
    if (job === undefined) {
      Atomics.wait(pause, 0, 0, Math.max(0.1, Math.min(nextArrival, reportAt) - now));
      continue;
    }
    const until = now + job;
    while (performance.now() < until);
    busyMs += performance.now() - now;
    queue.shift();
  }
}

function record(seconds: number, intervalMs: number): void {
  setPriority(constants.priority.PRIORITY_LOW);
  const read = () => parseStat(readFileSync('/proc/stat', 'utf8'))!;
  let before = read();
  const start = performance.now();
  console.log('ms,machine,service,queue');
  const worker = new Worker(new URL(import.meta.url), { workerData: { seconds, intervalMs } });
  worker.on('message', ({ busy, queueLength }: Report) => {
    const now = read();
    console.log([Math.round(performance.now() - start), (busyShare(before, now) ?? 0).toFixed(4), busy.toFixed(4), queueLength].join(','));
    before = now;
  });
}

if (isMainThread) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '240' }, interval: { type: 'string', default: '250' } } });
  record(Number(values.seconds), Number(values.interval));
} else {
  const { seconds, intervalMs } = workerData as { readonly seconds: number; readonly intervalMs: number };
  serve(seconds, intervalMs);
}
