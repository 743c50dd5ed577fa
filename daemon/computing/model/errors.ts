/** How far predictions were off, and quantiles. */

export interface PredictionErrors {
  readonly count: number;
  /** Mean absolute error, us. */
  readonly maeUs: number;
  /** Root of the mean squared error, us. */
  readonly rmseUs: number;
  /** Mean absolute error relative to what was observed, 0..; 0.1 is ten percent. */
  readonly mape: number;
  /** Share of the variance that is explained: 1 all of it, 0 as good as the mean, below 0 worse. 0 where nothing varies. */
  readonly r2: number;
}

export function predictionErrors(observed: readonly number[], predicted: readonly number[]): PredictionErrors {
  const count = observed.length;
  if (count === 0) return { count, maeUs: 0, rmseUs: 0, mape: 0, r2: 0 };
  const mean = observed.reduce((sum, value) => sum + value, 0) / count;
  let [absolute, squared, relative, variance] = [0, 0, 0, 0];
  observed.forEach((value, i) => {
    const error = predicted[i]! - value;
    absolute += Math.abs(error);
    squared += error ** 2;
    relative += Math.abs(error) / value;
    variance += (value - mean) ** 2;
  });
  return { count, maeUs: absolute / count, rmseUs: Math.sqrt(squared / count), mape: relative / count, r2: variance > 0 ? 1 - squared / variance : 0 };
}

/** The value at a share of sorted values, between the two nearest. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = Math.min(1, Math.max(0, share)) * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}
