/**
 * CATS metrics of an instance (draft-ietf-cats-metric-definition): from raw values (L0) to one score a category (L1) and one composed of those (L2), 0..10, where
 * more is better.
 *
 * A raw value is normalised between anchors, pairs of (value, score), by min-max scaling of its logarithm from one anchor to the next: computing power, bandwidth and
 * delay each span many powers of ten, which a linear scale would press into one score. Anchors have to go one way, so that a score never falls when the thing gets
 * better. The draft reads 0-3 as low, 4-7 as medium and 8-10 as high capability; the default anchors of computing put the grades of the survey (section 3.4) there: small
 * below 4 (500 GFLOPS), medium 4 to 7, large and super from 8 (10 TFLOPS). Scores are rounded down, so that a band is reached and not almost reached.
 *
 * L2 is the weighted geometric mean of the L1 values before they are rounded: an instance without one of the things is no better for having plenty of the others.
 */
import type { CatsMetric, Instance } from '../types.js';
import { modelled, refused, type Modelled } from './result.js';

export type Anchors = readonly (readonly [value: number, score: number])[];

export interface CatsParameters {
  /** Residual operations per second. */
  readonly computing: Anchors;
  /** Available bandwidth of the instance's interface, bit/s. */
  readonly communication: Anchors;
  /** Expected time of a request at the load of now, us. */
  readonly service: Anchors;
  readonly weights: { readonly computing: number; readonly communication: number; readonly service: number };
}

export const CATS_PARAMETERS: CatsParameters = {
  computing: [[1e9, 0], [5e11, 4], [1e13, 8], [1e15, 10]],
  communication: [[1e6, 0], [1e8, 4], [1e10, 8], [1e11, 10]],
  service: [[100, 10], [1000, 8], [100_000, 4], [10_000_000, 0]],
  weights: { computing: 1, communication: 1, service: 1 },
};

const BEST = 10;
/** Digits of a mean that count: what is lost to rounding in logarithms must not cost a score. */
const DIGITS = 12;
/** A request at an instance that is full takes long, not infinitely long. */
const MOST_UTILISATION = 0.99;

/** Why anchors are none; undefined when they are good. */
export function anchorsFault(anchors: Anchors): string | undefined {
  if (anchors.length < 2) return 'at least two anchors are needed';
  if (anchors.some(([value, score]) => !(value > 0 && value < Infinity && score >= 0 && score <= BEST))) return `anchors are values above 0 with scores from 0 to ${BEST}`;
  if (anchors.some(([value], i) => i > 0 && value <= anchors[i - 1]![0])) return 'values of anchors rise';
  const steps = anchors.slice(1).map(([, score], i) => Math.sign(score - anchors[i]![1]));
  return steps.every((step) => step >= 0) || steps.every((step) => step <= 0) ? undefined : 'scores of anchors go one way';
}

export function checkCatsParameters(parameters: CatsParameters): Modelled<CatsParameters> {
  for (const category of ['computing', 'communication', 'service'] as const) {
    const fault = anchorsFault(parameters[category]);
    if (fault !== undefined) return refused(`${category}: ${fault}`);
    if (!(parameters.weights[category] >= 0 && parameters.weights[category] <= 1000)) return refused(`weight of ${category}: expected 0 to 1000`);
  }
  return modelled(parameters);
}

/** Score of a raw value, 0..10 with fractions; what is beyond the outer anchors has their score. NaN and negative values count as 0. */
export function normalise(value: number, anchors: Anchors): number {
  const at = value > 0 ? Math.log(value) : -Infinity;
  const [low, high] = [anchors[0]!, anchors.at(-1)!];
  if (at <= Math.log(low[0])) return low[1];
  if (at >= Math.log(high[0])) return high[1];
  const next = anchors.findIndex(([anchor]) => at < Math.log(anchor));
  const [before, after] = [anchors[next - 1]!, anchors[next]!];
  const share = (at - Math.log(before[0])) / (Math.log(after[0]) - Math.log(before[0]));
  return before[1] + share * (after[1] - before[1]);
}

/** L1 scores with fractions; undefined where the instance says nothing of the category. */
export interface CategoryScores {
  readonly computing: number | undefined;
  readonly communication: number | undefined;
  readonly service: number | undefined;
}

export function categoryScores(instance: Pick<Instance, 'computing' | 'interface' | 'serviceDelay' | 'load'>, parameters: CatsParameters): CategoryScores {
  const sum = (logical: boolean): bigint | undefined => {
    const entries = instance.computing.filter((entry) => (entry.class === 1) === logical);
    return entries.length === 0 ? undefined : entries.reduce((total, { residual }) => total + residual, 0n);
  };
  // Grades go by floating-point operations; a node that has none is known by its logical ones.
  const residual = sum(false) ?? sum(true);
  const expectedUs = expectedTimeUs(instance);
  return {
    computing: residual === undefined ? undefined : normalise(Number(residual), parameters.computing),
    communication: instance.interface && normalise(Number(instance.interface.available), parameters.communication),
    service: expectedUs === undefined ? undefined : normalise(expectedUs, parameters.service),
  };
}

/** Expected time of a request that comes now: its mean time, drawn out by the load (processor sharing: S / (1 - rho)), or what the queue before it takes. */
function expectedTimeUs({ serviceDelay, load }: Pick<Instance, 'serviceDelay' | 'load'>): number | undefined {
  if (!serviceDelay) return undefined;
  const meanUs = serviceDelay.meanUs > 0 ? serviceDelay.meanUs : serviceDelay.serviceRate > 0 ? 1e6 / serviceDelay.serviceRate : 0;
  if (meanUs === 0) return undefined;
  const rho = Math.min(MOST_UTILISATION, (load?.utilisation ?? 0) / 10_000);
  const perRequestUs = serviceDelay.serviceRate > 0 ? 1e6 / serviceDelay.serviceRate : meanUs;
  return Math.max(meanUs / (1 - rho), meanUs + (load?.queueLength ?? 0) * perRequestUs);
}

/** L2 with fractions out of L1 scores; undefined when there are none. */
export function overallScore(scores: CategoryScores, { weights }: CatsParameters): number | undefined {
  let [logarithms, total] = [0, 0];
  for (const category of ['computing', 'communication', 'service'] as const) {
    const score = scores[category];
    const weight = weights[category];
    if (score === undefined || weight === 0) continue;
    logarithms += weight * Math.log(score);
    total += weight;
  }
  return total === 0 ? undefined : Number(Math.exp(logarithms / total).toPrecision(DIGITS));
}

const whole = (score: number): bigint => BigInt(Math.floor(Math.min(BEST, Math.max(0, score))));

/** Codes of the sub-TLV (proto/WIRE.md section 1): unsigned integer, normalised, current, no unit. */
const metric = (type: number, level: number, score: number): CatsMetric => ({ type, level, format: 0, source: 4, statistic: 1, unit: 0, windowMs: 0, value: whole(score) });

/** The CATS metrics to announce of an instance: L1 of each category it says something of, then L2. */
export function catsMetrics(instance: Pick<Instance, 'computing' | 'interface' | 'serviceDelay' | 'load'>, parameters: CatsParameters = CATS_PARAMETERS): CatsMetric[] {
  const scores = categoryScores(instance, parameters);
  const metrics: CatsMetric[] = [];
  if (scores.computing !== undefined) metrics.push(metric(1, 1, scores.computing));
  if (scores.communication !== undefined) metrics.push(metric(2, 1, scores.communication));
  if (scores.service !== undefined) metrics.push(metric(3, 1, scores.service));
  const overall = overallScore(scores, parameters);
  if (overall !== undefined) metrics.push(metric(5, 2, overall));
  return metrics;
}
