/**
 * The demand model (survey section 3.3): how long a task takes on a node, tau = f(P, S), Eq. (2), learned from observed runs.
 *
 * Two forms of f compete, the queueing form and the random forest. Both are cross-validated on the same folds, and the forest is chosen only where its mean absolute
 * error is clearly smaller: the queueing form also holds beyond what was observed. The interval comes from the cross-validation too: quantiles of observed over predicted
 * time in folds that the model had not seen (split conformal prediction, here with the residuals of all folds; Vovk, Cross-conformal predictors, 2015), so that it covers
 * what it says whatever the form is worth, as long as tasks stay like those observed.
 */
import { predictionErrors, type PredictionErrors } from './errors.js';
import { evaluateForest, FOREST_OPTIONS, growForest, type Forest, type ForestOptions } from './forest.js';
import { evaluateQueueingForm, fitQueueingForm, type Demand, type QueueingForm } from './queueing-form.js';
import { seededRandom, shuffled } from './random.js';
import { modelled, refused, type Modelled } from './result.js';
import { checkRun, type NodeState, type TaskRun } from './run.js';

export type FormName = 'queueing' | 'forest';

export interface DemandOptions {
  readonly folds: number;
  /** Share of runs that lie inside the interval. */
  readonly level: number;
  /** The forest is chosen when its error is below this share of that of the queueing form. */
  readonly forestBelow: number;
  readonly forest: ForestOptions;
  readonly seed: number;
}

export const DEMAND_OPTIONS: DemandOptions = { folds: 5, level: 0.9, forestBelow: 0.95, forest: FOREST_OPTIONS, seed: 1 };
/** Fewer runs say nothing that could be checked. */
export const LEAST_RUNS = 10;
/** No prediction is below this, us: intervals are ratios. */
const LEAST_LATENCY_US = 1;

export interface DemandModel {
  readonly chosen: FormName;
  readonly runs: number;
  readonly queueing: QueueingForm;
  readonly forest: Forest;
  /** Errors on runs that the fold had not seen; `mean` is that of always saying the mean. */
  readonly errors: Readonly<Record<FormName | 'mean', PredictionErrors>>;
  /** What each form said of each run, in their order, when it had not seen it; us. */
  readonly heldBack: Readonly<Record<FormName, readonly number[]>>;
  /** Bounds of the interval as factors of the prediction, and the share of runs that they hold: less than asked for where the runs are few. */
  readonly interval: { readonly low: number; readonly high: number; readonly level: number };
  /** What was observed: least and most. */
  readonly range: { readonly [K in 'workload' | 'dataSize' | 'capacity' | 'computingUsed']: readonly [number, number] };
}

export interface DemandPrediction {
  readonly latencyUs: number;
  readonly lowUs: number;
  readonly highUs: number;
  readonly level: number;
  readonly form: FormName;
  /** What lies outside of what was observed; empty: nothing. */
  readonly beyond: readonly string[];
}

/** A prediction, and what it rests on. */
export interface DemandEstimate extends DemandPrediction {
  readonly runs: number;
  /** EXIT#INSTANCE; empty: the model of the whole service. */
  readonly scope: string;
}

/** Fits a model in small steps, one each time that the next is asked for. */
export function* fitDemandModel(runs: readonly TaskRun[], options: DemandOptions = DEMAND_OPTIONS): Generator<void, Modelled<DemandModel>, void> {
  for (const [index, run] of runs.entries()) {
    const checked = checkRun(run);
    if (!checked.ok) return refused(`run ${index + 1}: ${checked.reason}`);
  }
  if (runs.length < LEAST_RUNS) return refused(`${runs.length} runs: at least ${LEAST_RUNS} are needed`);
  const folds = Math.min(options.folds, runs.length);
  const fold = new Array<number>(runs.length);
  shuffled(runs.length, seededRandom(options.seed)).forEach((run, place) => (fold[run] = place % folds));
  const predicted: Record<FormName | 'mean', number[]> = { queueing: [], forest: [], mean: [] };
  for (let held = 0; held < folds; held++) {
    const training = runs.filter((_, i) => fold[i] !== held);
    const queueing = fitQueueingForm(training);
    yield;
    const forest = yield* growForest(training, options.forest);
    const mean = training.reduce((sum, { latencyUs }) => sum + latencyUs, 0) / training.length;
    runs.forEach((run, i) => {
      if (fold[i] !== held) return;
      predicted.queueing[i] = Math.max(LEAST_LATENCY_US, evaluateQueueingForm(queueing, run, run.state));
      predicted.forest[i] = Math.max(LEAST_LATENCY_US, evaluateForest(forest, run, run.state));
      predicted.mean[i] = mean;
    });
    yield;
  }
  const observed = runs.map(({ latencyUs }) => latencyUs);
  const errors = { queueing: predictionErrors(observed, predicted.queueing), forest: predictionErrors(observed, predicted.forest), mean: predictionErrors(observed, predicted.mean) };
  const chosen: FormName = errors.forest.maeUs < options.forestBelow * errors.queueing.maeUs ? 'forest' : 'queueing';
  const queueing = fitQueueingForm(runs);
  yield;
  const forest = yield* growForest(runs, options.forest);
  return modelled({ chosen, runs: runs.length, queueing, forest, errors, heldBack: { queueing: predicted.queueing, forest: predicted.forest }, interval: conformal(observed, predicted[chosen], options.level), range: rangeOf(runs) });
}

/** All steps at once: for programs that do nothing else. */
export function fitDemandModelNow(runs: readonly TaskRun[], options: DemandOptions = DEMAND_OPTIONS): Modelled<DemandModel> {
  const steps = fitDemandModel(runs, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Factors that observed times lie between, as seen on runs held back; in the middle of n + 1 places, since the next run may take any of them alike. */
function conformal(observed: readonly number[], predicted: readonly number[], level: number): DemandModel['interval'] {
  const ratios = observed.map((value, i) => value / predicted[i]!).sort((a, b) => a - b);
  const outside = Math.floor(((1 - level) / 2) * (ratios.length + 1));
  const left = Math.max(1, outside);
  return { low: ratios[left - 1]!, high: ratios[ratios.length - left]!, level: Math.min(level, 1 - (2 * left) / (ratios.length + 1)) };
}

function rangeOf(runs: readonly TaskRun[]): DemandModel['range'] {
  const range = (pick: (run: TaskRun) => number): readonly [number, number] => [Math.min(...runs.map(pick)), Math.max(...runs.map(pick))];
  return { workload: range((run) => run.workload), dataSize: range((run) => run.dataSize), capacity: range(({ state }) => state.capacity), computingUsed: range(({ state }) => state.computingUsed) };
}

/** What f gives, without interval, us; `form` by default the chosen one. */
export function evaluateDemand(model: DemandModel, demand: Demand, state: NodeState, form: FormName = model.chosen): number {
  return Math.max(LEAST_LATENCY_US, form === 'queueing' ? evaluateQueueingForm(model.queueing, demand, state) : evaluateForest(model.forest, demand, state));
}

/** How long a task would take on a node in this state. */
export function predictDemand(model: DemandModel, demand: Demand, state: NodeState): Modelled<DemandPrediction> {
  const checked = checkRun({ ...demand, latencyUs: 1, state, atMs: 0 });
  if (!checked.ok) return checked;
  const values = { ...demand, capacity: state.capacity, computingUsed: state.computingUsed };
  const words = { workload: 'workload', dataSize: 'data size', capacity: 'capacity', computingUsed: 'computing in use' } as const;
  const beyond = (Object.keys(words) as (keyof typeof words)[]).filter((name) => isBeyond(values[name], model.range[name], name === 'computingUsed')).map((name) => words[name]);
  // Trees know nothing beyond what they saw; the queueing form goes on as it was.
  const form = beyond.length > 0 ? 'queueing' : model.chosen;
  const latencyUs = evaluateDemand(model, demand, state, form);
  const { low, high, level } = model.interval;
  return modelled({ latencyUs, lowUs: Math.min(latencyUs, latencyUs * low), highUs: Math.max(latencyUs, latencyUs * high), level, form, beyond });
}

/** Quantities count as observed up to half and twice of what was, shares up to a tenth beside it. */
function isBeyond(value: number, [least, most]: readonly [number, number], share: boolean): boolean {
  return share ? value < least - 0.1 || value > most + 0.1 : value < least / 2 || value > most * 2;
}
