/**
 * How well the demand model predicts tasks that it has not seen, against always saying the mean and against saying what the last task took. The runs are real: tasks of
 * random work (matrix products) and size (octets digested) on this machine, while other threads keep its processors busy for a share that changes every half second. The
 * state of the node at the start of a task is the share of a processor that it will not get, by the threads that wanted to run in the 100 ms before (procs_running of
 * /proc/stat, whoever started them): a busy share says nothing once all processors are busy. Records the runs, fits on the first two thirds and predicts the last third, in order of time,
 * and says how many of those lay inside the interval; then how long fitting takes, and its longest step.
 *
 *     node dist/bench/demand-model.js [--seconds 20] [--runs FILE.csv] [--replay FILE.csv]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { evaluateDemand, fitDemandModel, fitDemandModelNow, predictDemand } from '../daemon/computing/model/demand.js';
import { predictionErrors, type PredictionErrors } from '../daemon/computing/model/errors.js';
import { formatRuns, parseHistory, type LabelledRun } from '../daemon/computing/model/history.js';
import { seededRandom } from '../daemon/computing/model/random.js';
import { printJson, printTable, round } from './support/report.js';
import type { TaskOrder } from './support/task-worker.js';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, runs: { type: 'string', default: 'bench/results/runs.csv' }, replay: { type: 'string' } } });

const LOAD_MS = 500;
const SAMPLE_MS = 100;
const LOOKS = 20;
const SERVICE = '2001:db8:5e::1';
const random = seededRandom(5);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Threads that run or want to, this one left out. */
const wanting = (): number => Number(/procs_running (\d+)/.exec(readFileSync('/proc/stat', 'utf8'))![1]) - 1;

/** What one more thread will not get of a processor, 0..1, by the mean of some looks within SAMPLE_MS. */
async function unavailable(): Promise<number> {
  let sum = 0;
  for (let i = 0; i < LOOKS; i++) {
    sum += wanting();
    await sleep(SAMPLE_MS / LOOKS);
  }
  return 1 - Math.min(1, availableParallelism() / (sum / LOOKS + 1));
}

const worker = (): Worker => new Worker(new URL('support/task-worker.js', import.meta.url));

/** Time of one task, ms. */
function timed(runner: Worker, order: TaskOrder): Promise<number> {
  return new Promise((resolve) => {
    runner.once('message', resolve);
    runner.postMessage(order);
  });
}

const operationsOf = ({ n, products }: TaskOrder): number => 2 * n ** 3 * products;

/** What one processor does alone, operations per second: of the shortest of several tasks. */
async function capacity(runner: Worker): Promise<number> {
  const order = { n: 96, products: 4, octets: 0 };
  let best = Infinity;
  for (let i = 0; i < 10; i++) best = Math.min(best, await timed(runner, order));
  return operationsOf(order) / (best / 1000);
}

async function record(seconds: number): Promise<LabelledRun[]> {
  const runner = worker();
  const loads = Array.from({ length: availableParallelism() }, worker);
  const whole = (await capacity(runner)) * availableParallelism();
  const runs: LabelledRun[] = [];
  const until = performance.now() + seconds * 1000;
  let changeAt = 0;
  while (performance.now() < until) {
    if (performance.now() >= changeAt) {
      for (const load of loads) load.postMessage({ busy: random() < 0.2 ? 0 : 0.9 * random() });
      changeAt = performance.now() + LOAD_MS;
    }
    const computingUsed = await unavailable();
    const order = { n: 48 + 16 * Math.floor(5 * random()), products: 1 + Math.floor(8 * random() ** 2), octets: Math.floor(4e6 * random() ** 2) };
    const atMs = Date.now();
    const latencyUs = round((await timed(runner, order)) * 1000, 1);
    runs.push({ service: SERVICE, instance: '', atMs, workload: operationsOf(order), dataSize: order.octets, latencyUs, state: { capacity: Math.round(whole), computingUsed: round(computingUsed, 4), storage: 0, storageUsed: 0, ioRate: 0 } });
  }
  await Promise.all([runner, ...loads].map((thread) => thread.terminate()));
  return runs;
}

function recorded(file: string): readonly LabelledRun[] {
  const history = parseHistory(readFileSync(file, 'utf8'));
  if (!history.ok || history.value.kind !== 'runs') throw new Error(`${file}: ${history.ok ? 'no runs' : history.reason}`);
  return history.value.runs;
}

const runs = values.replay === undefined ? await record(Number(values.seconds)) : recorded(values.replay);
if (values.replay === undefined) writeFileSync(values.runs, formatRuns(runs));

const training = runs.slice(0, Math.floor((runs.length * 2) / 3));
const held = runs.slice(training.length);
const fitted = fitDemandModelNow(training);
if (!fitted.ok) throw new Error(fitted.reason);
const model = fitted.value;
const observed = held.map(({ latencyUs }) => latencyUs);
const mean = training.reduce((sum, { latencyUs }) => sum + latencyUs, 0) / training.length;
const last = held.map((_, i) => runs[training.length + i - 1]!.latencyUs);
const ways: readonly (readonly [string, readonly number[]])[] = [
  ['queueing form', held.map((run) => evaluateDemand(model, run, run.state, 'queueing'))],
  ['random forest', held.map((run) => evaluateDemand(model, run, run.state, 'forest'))],
  [`chosen (${model.chosen})`, held.map((run) => evaluateDemand(model, run, run.state))],
  ['mean', held.map(() => mean)],
  ['last value', last],
];
const errors = ways.map(([name, predicted]): readonly [string, PredictionErrors] => [name, predictionErrors(observed, predicted)]);
const inside = held.filter((run) => {
  const predicted = predictDemand(model, run, run.state);
  return predicted.ok && run.latencyUs >= predicted.value.lowUs && run.latencyUs <= predicted.value.highUs;
}).length;

const steps = fitDemandModel(runs);
let longest = 0;
const began = performance.now();
for (;;) {
  const stepBegan = performance.now();
  const step = steps.next();
  longest = Math.max(longest, performance.now() - stepBegan);
  if (step.done === true) break;
}
const fitMs = performance.now() - began;

console.log(`${training.length} runs to learn from, ${held.length} held back: ${round(Math.min(...observed) / 1000, 2)} to ${round(Math.max(...observed) / 1000, 1)} ms, load ${round(Math.min(...held.map(({ state }) => state.computingUsed)), 2)} to ${round(Math.max(...held.map(({ state }) => state.computingUsed)), 2)}`);
printTable(['predicted by', 'MAE ms', 'RMSE ms', 'MAPE %', 'R2'], errors.map(([name, { maeUs, rmseUs, mape, r2 }]) => [name, round(maeUs / 1000, 3), round(rmseUs / 1000, 3), round(mape * 100, 1), round(r2, 3)]));
console.log(`inside the interval of ${round(model.interval.level * 100)} %: ${round((inside / held.length) * 100, 1)} %; fitting ${runs.length} runs: ${round(fitMs)} ms in all, longest step ${round(longest, 1)} ms`);
printJson('demand-model', { training: training.length, held: held.length, chosen: model.chosen, errors: Object.fromEntries(errors), inside: inside / held.length, level: model.interval.level, fitMs, longestStepMs: longest });
