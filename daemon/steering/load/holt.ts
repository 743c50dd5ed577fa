/**
 * Holt's linear method (double exponential smoothing) with a damped trend (Gardner and McKenzie, Forecasting trends in time series, Management Science 31,
 * 1985), for observations at irregular times (Wright, Forecasting data published at irregular time intervals using an extension of Holt's method,
 * Management Science 32, 1986): the weight of a new observation grows with the time since the last one.
 */
import type { LoadModel } from './model.js';

/** What an observation weighs after a second with none, for the level and the trend. */
const LEVEL_WEIGHT = 0.5;
const TREND_WEIGHT = 0.1;
/** Share of the trend that is left after a second. */
const DAMPING = 0.7;

export class Holt implements LoadModel {
  private lastMs = -Infinity;
  private level = 0;
  /** Per second. */
  private trend = 0;
  /** Wright's normalised weights. */
  private levelWeight = LEVEL_WEIGHT;
  private trendWeight = TREND_WEIGHT;

  observe(atMs: number, value: number): void {
    if (this.lastMs === -Infinity) this.level = value;
    else {
      const seconds = Math.max(0.001, (atMs - this.lastMs) / 1000);
      this.levelWeight /= this.levelWeight + (1 - LEVEL_WEIGHT) ** seconds;
      this.trendWeight /= this.trendWeight + (1 - TREND_WEIGHT) ** seconds;
      const expected = this.level + this.trend * dampedSeconds(seconds);
      const level = expected + this.levelWeight * (value - expected);
      const left = this.trend * DAMPING ** seconds;
      this.trend = left + this.trendWeight * ((level - this.level) / seconds - left);
      this.level = level;
    }
    this.lastMs = Math.max(this.lastMs, atMs);
  }

  at(atMs: number): number {
    if (this.lastMs === -Infinity) return 0;
    return Math.max(0, this.level + this.trend * dampedSeconds(Math.max(0, atMs - this.lastMs) / 1000));
  }
}

/** The integral of DAMPING^t from 0 to `seconds`: how far a trend of one a second carries. */
const dampedSeconds = (seconds: number): number => (DAMPING ** seconds - 1) / Math.log(DAMPING);
