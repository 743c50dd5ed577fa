/**
 * How well the load of the next seconds is foretold, by model: mean absolute error of the utilisation in percentage points, and of the queue in requests. The
 * forecasts are the steering's (daemon/steering/load), which take silence for the last value seen again.
 *
 * Recorded: loads as they were (bench/results/load-trace.csv by bench/record-load.ts), in reports of a second: each heard, and as the daemon would announce them.
 * Queues: loads of queues (support/load-trace.ts) whose reports go through the daemon's own announcement control: what an entry router
 * believes at any second of now, and of so many seconds ahead.
 *
 *     node dist/bench/load-prediction.js [--trace bench/results/load-trace.csv] [--instances 200] [--seconds 600]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { LocalInstances } from '../daemon/awareness/instances.js';
import { ManualClock } from '../daemon/clock.js';
import type { InstanceConfig } from '../daemon/config/types.js';
import { EventLog } from '../daemon/events.js';
import type { Load } from '../daemon/computing/types.js';
import { LoadForecast } from '../daemon/steering/load/forecast.js';
import { LOAD_MODELS, type LoadModelName } from '../daemon/steering/load/model.js';
import { loadTrace } from './support/load-trace.js';
import { printJson, printTable, round } from './support/report.js';

const { values } = parseArgs({ options: { trace: { type: 'string', default: 'bench/results/load-trace.csv' }, instances: { type: 'string', default: '200' }, seconds: { type: 'string', default: '600' } } });
const AHEAD_S = [0, 1, 2, 5];
const SERVICE_RATE = 200;
/** Reports before a model is judged. */
const WARM_UP = 10;

type Errors = Map<LoadModelName, Map<number, { points: number; requests: number; count: number }>>;

const noErrors = (): Errors => new Map(LOAD_MODELS.map((name) => [name, new Map(AHEAD_S.map((ahead) => [ahead, { points: 0, requests: 0, count: 0 }]))]));

/** All models' forecasts of one instance, at all distances. */
class Forecasts {
  private readonly forecasts: { readonly name: LoadModelName; readonly ahead: number; forecast: LoadForecast | undefined }[] = LOAD_MODELS.flatMap((name) => AHEAD_S.map((ahead) => ({ name, ahead, forecast: undefined })));

  announced(atMs: number, load: Load): void {
    for (const entry of this.forecasts) {
      if (entry.forecast) entry.forecast.announced(atMs, load);
      else entry.forecast = new LoadForecast({ model: entry.name, horizonMs: entry.ahead * 1000 }, atMs, load);
    }
  }

  judge(errors: Errors, nowMs: number, truth: (ahead: number) => Load | undefined): void {
    for (const { name, ahead, forecast } of this.forecasts) {
      const foretold = forecast?.at(nowMs);
      const came = truth(ahead);
      if (!foretold || !came) continue;
      const entry = errors.get(name)!.get(ahead)!;
      entry.points += Math.abs(foretold.utilisation - came.utilisation) / 100;
      entry.requests += Math.abs(foretold.queueLength - came.queueLength);
      entry.count++;
    }
  }
}

const loadOf = (utilisation: number, queueLength: number): Load => ({ utilisation: Math.round(utilisation * 10_000), queueLength, activeFlows: 0 });

/** Reports of a second out of the columns of the trace: mean utilisation, last queue. */
function recorded(path: string): Map<string, Load[]> {
  const [head = '', ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  const rows = lines.map((line) => line.split(',').map(Number));
  const names = head.split(',');
  const seconds = new Map<number, number[][]>();
  for (const row of rows) {
    const second = Math.floor(row[0]! / 1000);
    seconds.set(second, [...(seconds.get(second) ?? []), row]);
  }
  const series = (name: string, queue: string | undefined): Load[] => {
    const column = names.indexOf(name);
    return [...seconds.values()].map((list) => loadOf(list.reduce((sum, row) => sum + row[column]!, 0) / list.length, queue === undefined ? 0 : list.at(-1)![names.indexOf(queue)]!));
  };
  return new Map([['machine', series('machine', undefined)], ['service', series('service', 'queue')]]);
}

/** Every report is heard. */
function onReports(series: readonly Load[]): Errors {
  const errors = noErrors();
  const forecasts = new Forecasts();
  series.forEach((load, second) => {
    forecasts.announced(second * 1000, load);
    if (second >= WARM_UP) forecasts.judge(errors, second * 1000, (ahead) => series[second + ahead]);
  });
  return errors;
}

/** What is heard is what announcement control lets out. */
function onAnnouncements(traces: readonly (readonly Load[])[], announce: { readonly threshold: number; readonly minIntervalMs: number }): { readonly errors: Errors; readonly perSecond: number } {
  const clock = new ManualClock(1_000_000);
  const serviceOf = (index: number): string => `2001:db8:5e::${(index + 1).toString(16)}`;
  const forecasts = traces.map(() => new Forecasts());
  const byService = new Map(forecasts.map((entry, index) => [serviceOf(index), entry]));
  let announcements = 0;
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
  const local = new LocalInstances(
    { router: { loopback: 'fc00:0:11::1', sidStructure: { block: 32, node: 16, function: 16, argument: 0 } }, instances: configs, announce: { ...announce, maxIntervalMs: 60_000, validityMs: 0, budget: { rate: 0, burst: 1 }, services: {} } },
    clock,
    () => ({ stop: () => undefined }),
    new EventLog(clock),
    (advertisements) => {
      announcements += advertisements.length;
      for (const { service, instances } of advertisements) {
        const load = instances[0]?.load;
        if (load) byService.get(service)!.announced(clock.now(), load);
      }
    },
  );
  local.start();
  clock.advance(0);
  announcements = 0;
  const errors = noErrors();
  const seconds = traces[0]!.length;
  for (let second = 0; second < seconds; second++) {
    traces.forEach((trace, index) => local.update({ service: serviceOf(index), id: 1 }, { computing: [], load: trace[second], serviceDelay: undefined, health: undefined }));
    clock.advance(1000);
    if (second >= WARM_UP) traces.forEach((trace, index) => forecasts[index]!.judge(errors, clock.now(), (ahead) => trace[second + ahead]));
  }
  local.stop();
  return { errors, perSecond: announcements / traces.length / seconds };
}

const rows: (string | number)[][] = [];
const results: object[] = [];
function report(what: string, errors: Errors): void {
  for (const [name, byAhead] of errors) {
    const of = (value: 'points' | 'requests') => AHEAD_S.map((ahead) => round(byAhead.get(ahead)![value] / byAhead.get(ahead)!.count, 2));
    rows.push([what, name, ...of('points'), ...of('requests')]);
    results.push({ what, model: name, aheadS: AHEAD_S, points: of('points'), requests: of('requests') });
  }
}

for (const [name, series] of recorded(values.trace)) report(`recorded ${name}, every report`, onReports(series));
for (const [name, series] of recorded(values.trace)) report(`recorded ${name}, threshold 0.1`, onAnnouncements([series], { threshold: 0.1, minIntervalMs: 1000 }).errors);
const traces = Array.from({ length: Number(values.instances) }, (_, seed) => loadTrace({ seed: seed + 1, samples: Number(values.seconds), intervalS: 1, serviceRate: SERVICE_RATE }).map(({ utilisation, queueLength }) => loadOf(utilisation, queueLength)));
for (const [threshold, minIntervalMs] of [[0, 1000], [0.1, 1000], [0.1, 5000], [0.3, 1000]] as const) {
  const { errors, perSecond } = onAnnouncements(traces, { threshold, minIntervalMs });
  report(`queues, threshold ${threshold}, interval ${minIntervalMs / 1000} s (${round(perSecond, 2)}/s)`, errors);
}
printTable(['load', 'model', ...AHEAD_S.map((ahead) => `+${ahead} s %`), ...AHEAD_S.map((ahead) => `+${ahead} s requests`)], rows);
printJson('load-prediction', { results });
