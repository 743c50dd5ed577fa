/**
 * A small learned model: how much of the distance between the last value and the level of the last seconds is made up for is fitted to what the instance
 * announced, by recursive least squares with forgetting (Ljung, System Identification, section 11.2). It starts as "the last value holds" and is held to that
 * by a ridge. The change over d seconds, with g(d) = 1 - exp(-d / 1 s):
 *
 *     x(t + d) - x(t) = g(d) (th0 (x(t) - level of 1.5 s) + th1 (x(t) - level of 8 s))
 *
 * Coefficients near -1 say that what is seen is noise around a level; near 0, that it is the level.
 */
import type { LoadModel } from './model.js';

const LEVELS_S = [1.5, 8] as const;
const CARRY_S = 1;
/** Weight that is left to an observation after the next one. */
const FORGETTING = 0.995;
/** Variance of the coefficients before anything is known: the smaller, the stronger the ridge. */
const PRIOR = 5;
/** Forgetting without news blows the variances up: not beyond this. */
const MOST_VARIANCE = 50;

export class Autoregression implements LoadModel {
  private lastMs = -Infinity;
  private value = 0;
  private readonly levels = [0, 0];
  private readonly coefficients = [0, 0];
  /** Of the coefficients: variances and covariance. */
  private covariance = { first: PRIOR, second: PRIOR, both: 0 };

  observe(atMs: number, value: number): void {
    if (this.lastMs === -Infinity) this.levels.fill(value);
    else {
      const seconds = Math.max(0.001, (atMs - this.lastMs) / 1000);
      this.learn(seconds, value - this.value);
      this.levels.forEach((level, i) => (this.levels[i] = level + (1 - Math.exp(-seconds / LEVELS_S[i]!)) * (value - level)));
    }
    this.value = value;
    this.lastMs = Math.max(this.lastMs, atMs);
  }

  at(atMs: number): number {
    if (this.lastMs === -Infinity) return 0;
    const [first, second] = this.features(Math.max(0, atMs - this.lastMs) / 1000);
    return Math.max(0, this.value + this.coefficients[0]! * first + this.coefficients[1]! * second);
  }

  private features(seconds: number): readonly [number, number] {
    const carried = 1 - Math.exp(-seconds / CARRY_S);
    return [carried * (this.value - this.levels[0]!), carried * (this.value - this.levels[1]!)];
  }

  private learn(seconds: number, change: number): void {
    const { coefficients } = this;
    const { first, second, both } = this.covariance;
    const [x, y] = this.features(seconds);
    const gainX = first * x + both * y;
    const gainY = both * x + second * y;
    const denominator = FORGETTING + gainX * x + gainY * y;
    const error = change - coefficients[0]! * x - coefficients[1]! * y;
    coefficients[0]! += (gainX / denominator) * error;
    coefficients[1]! += (gainY / denominator) * error;
    const left = { first: (first - (gainX * gainX) / denominator) / FORGETTING, second: (second - (gainY * gainY) / denominator) / FORGETTING, both: (both - (gainX * gainY) / denominator) / FORGETTING };
    const scale = Math.min(1, MOST_VARIANCE / (left.first + left.second));
    this.covariance = { first: scale * left.first, second: scale * left.second, both: scale * left.both };
  }
}
