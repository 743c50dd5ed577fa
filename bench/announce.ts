/**
 * What damping costs and spares: announcements a second against the error of the receiver's picture, as the threshold varies. The
 * instances' loads are queues (support/load-trace.ts), reported every second; what is announced when is the daemon's own code. The error
 * is that of the utilisation (percentage points, mean and 95th percentile over instances and seconds) and that of the latency an entry
 * router predicts from what was announced, relative to what it would predict from the truth (median). Prints a table and, with --svg, a plot.
 *
 *     node dist/bench/announce.js [--instances 200] [--seconds 600] [--svg FILE]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { linePlot } from '../cli/plot/line-plot.js';
import { LocalInstances } from '../daemon/awareness/instances.js';
import { ManualClock } from '../daemon/clock.js';
import type { AnnounceConfig, InstanceConfig } from '../daemon/config/types.js';
import { EventLog } from '../daemon/events.js';
import type { Advertisement } from '../daemon/rib/candidate.js';
import { predict } from '../daemon/steering/prediction.js';
import { NO_REQUIREMENTS } from '../daemon/steering/requirement-option.js';
import { loadTrace } from './support/load-trace.js';
import { printJson, printTable, quantiles, round } from './support/report.js';

const { values } = parseArgs({ options: { instances: { type: 'string', default: '200' }, seconds: { type: 'string', default: '600' }, svg: { type: 'string' } } });
const instances = Number(values.instances);
const seconds = Number(values.seconds);
const SERVICE_RATE = 200;
const THRESHOLDS = [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5];
const PATH = { rttUs: 0, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 1500, resolved: true };

const traces = Array.from({ length: instances }, (_, seed) => loadTrace({ seed: seed + 1, samples: seconds, intervalS: 1, serviceRate: SERVICE_RATE }));
const serviceOf = (index: number): string => `2001:db8:5e::${(index + 1).toString(16)}`;
const configs = traces.map((_, index): InstanceConfig => ({
  service: serviceOf(index),
  id: 1,
  node: { address: '2001:db8:b:1::2', interface: 'eth2' },
  sid: `fcbb:bb00:11:e001::`,
  computing: [],
  serviceRate: SERVICE_RATE,
  serviceDelay: { meanUs: 1e6 / SERVICE_RATE, p99Us: 0 },
  queueCapacity: 100,
  healthCheck: undefined,
}));

function run(announce: AnnounceConfig) {
  const clock = new ManualClock(1_000_000);
  const picture = new Map<string, Advertisement>();
  let announcements = 0;
  const receive = (advertisements: readonly Advertisement[]): void => {
    for (const advertisement of advertisements) picture.set(advertisement.service, advertisement);
    announcements += advertisements.length;
  };
  const local = new LocalInstances(
    { router: { loopback: 'fc00:0:11::1', sidStructure: { block: 32, node: 16, function: 16, argument: 0 } }, instances: configs, announce },
    clock,
    () => ({ stop: () => undefined }),
    new EventLog(clock),
    receive,
  );
  local.start();
  clock.advance(0);
  announcements = 0;
  const points: number[] = [];
  const latencies: number[] = [];
  for (let second = 0; second < seconds; second++) {
    traces.forEach((trace, index) => {
      const { utilisation, queueLength } = trace[second]!;
      local.update({ service: serviceOf(index), id: 1 }, { computing: [], load: { utilisation: Math.round(utilisation * 10_000), queueLength, activeFlows: 0 }, serviceDelay: undefined, health: undefined });
    });
    clock.advance(1000);
    traces.forEach((trace, index) => {
      const told = picture.get(serviceOf(index))!.instances[0]!;
      const truth = { ...told, load: { utilisation: Math.round(trace[second]!.utilisation * 10_000), queueLength: trace[second]!.queueLength, activeFlows: 0 } };
      points.push(Math.abs((told.load?.utilisation ?? 0) - truth.load.utilisation) / 100);
      const right = predict(truth, PATH, NO_REQUIREMENTS, 0).totalUs;
      latencies.push(Math.abs(predict(told, PATH, NO_REQUIREMENTS, 0).totalUs - right) / right);
    });
  }
  local.stop();
  points.sort((a, b) => a - b);
  return {
    perInstanceSecond: round(announcements / instances / seconds, 4),
    meanErrorPoints: round(points.reduce((a, b) => a + b, 0) / points.length, 2),
    p95ErrorPoints: round(points[Math.floor(points.length * 0.95)]!, 1),
    medianLatencyErrorPercent: round(quantiles(latencies).median * 100, 1),
  };
}

const base = { maxIntervalMs: 60_000, validityMs: 0, budget: { rate: 0, burst: 1 }, services: {} };
const results = [1000, 5000].flatMap((minIntervalMs) => THRESHOLDS.map((threshold) => ({ minIntervalMs, threshold, ...run({ ...base, threshold, minIntervalMs }) })));
printTable(
  ['minimum interval ms', 'threshold', 'announcements/instance/s', 'utilisation error, points: mean', 'p95', 'predicted latency error %: median'],
  results.map(({ minIntervalMs, threshold, perInstanceSecond, meanErrorPoints, p95ErrorPoints, medianLatencyErrorPercent }) => [minIntervalMs, threshold, perInstanceSecond, meanErrorPoints, p95ErrorPoints, medianLatencyErrorPercent]),
);
printJson('announce', { instances, seconds, results });
if (values.svg !== undefined) {
  const of = (interval: number) => results.filter(({ minIntervalMs }) => minIntervalMs === interval);
  writeFileSync(
    values.svg,
    linePlot({
      title: `Announcement threshold: messages against error (${instances} queues, ${seconds} s)`,
      x: { label: 'relative threshold' },
      left: { label: 'announcements per instance and second' },
      right: { label: 'mean error of the utilisation, percentage points' },
      series: [1000, 5000].flatMap((interval) => [
        { name: `announcements, minimum interval ${interval / 1000} s`, points: of(interval).map(({ threshold, perInstanceSecond }) => [threshold, perInstanceSecond] as const) },
        { name: `error, minimum interval ${interval / 1000} s`, axis: 'right' as const, points: of(interval).map(({ threshold, meanErrorPoints }) => [threshold, meanErrorPoints] as const) },
      ]),
    }),
  );
}
