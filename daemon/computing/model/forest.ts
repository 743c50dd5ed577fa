/**
 * f of Eq. (2) as a random forest (Breiman, Random Forests, 2001): regression trees, each on a bootstrap sample of the runs and at each split on a random part of the
 * features, averaged. It takes any shape that the runs show, and knows nothing beyond them. Trees are grown on ln tau: times of tasks spread over powers of ten.
 */
import { seededRandom } from './random.js';
import type { Demand } from './queueing-form.js';
import type { NodeState, TaskRun } from './run.js';

export interface ForestOptions {
  readonly trees: number;
  /** Runs that a leaf holds at least. */
  readonly leaf: number;
  readonly seed: number;
}

export const FOREST_OPTIONS: ForestOptions = { trees: 40, leaf: 3, seed: 1 };
/** Share of the features that a split looks at: a third is usual in regression; of so few features a half. */
const FEATURE_SHARE = 0.5;
const MOST_DEPTH = 20;

/** Inner nodes split by feature < threshold, left of it; leaves have a value. */
interface Tree {
  readonly feature: number; // -1: a leaf
  readonly threshold: number;
  readonly value: number;
  readonly left: Tree | undefined;
  readonly right: Tree | undefined;
}

export interface Forest {
  readonly trees: readonly Tree[];
}

/** Work, size and state as features: logarithms where values spread widely, since only their order counts. */
export function featuresOf({ workload, dataSize }: Demand, { capacity, computingUsed, storageUsed, ioRate }: NodeState): number[] {
  const s = capacity > 0 ? workload / capacity : 0;
  return [Math.log(s + 1e-9), Math.log(1 + dataSize), computingUsed, Math.log(s + 1e-9) - Math.log(1.02 - Math.min(1, computingUsed)), storageUsed, Math.log(1 + ioRate)];
}

/** Grows a forest; gives the event loop its turn each time that the next step is asked for, which takes about a millisecond for 500 runs. */
export function* growForest(runs: readonly TaskRun[], options: ForestOptions = FOREST_OPTIONS): Generator<void, Forest, void> {
  const random = seededRandom(options.seed);
  const rows = runs.map((run) => featuresOf(run, run.state));
  const values = runs.map(({ latencyUs }) => Math.log(latencyUs));
  const trees: Tree[] = [];
  for (let i = 0; i < options.trees; i++) {
    const sample = Array.from({ length: runs.length }, () => Math.floor(random() * runs.length));
    trees.push(yield* growTree(rows, values, sample, options.leaf, random, 0));
  }
  return { trees };
}

function* growTree(rows: readonly (readonly number[])[], values: readonly number[], sample: readonly number[], leaf: number, random: () => number, depth: number): Generator<void, Tree, void> {
  const mean = sample.reduce((sum, i) => sum + values[i]!, 0) / sample.length;
  if (sample.length < 2 * leaf || depth >= MOST_DEPTH) return { feature: -1, threshold: 0, value: mean, left: undefined, right: undefined };
  const split = bestSplit(rows, values, sample, leaf, random);
  if (sample.length > 32) yield;
  if (!split) return { feature: -1, threshold: 0, value: mean, left: undefined, right: undefined };
  const left = sample.filter((i) => rows[i]![split.feature]! < split.threshold);
  const right = sample.filter((i) => rows[i]![split.feature]! >= split.threshold);
  return { ...split, value: mean, left: yield* growTree(rows, values, left, leaf, random, depth + 1), right: yield* growTree(rows, values, right, leaf, random, depth + 1) };
}

/** The split that leaves the least squared error, among a random part of the features; undefined when none separates anything. */
function bestSplit(rows: readonly (readonly number[])[], values: readonly number[], sample: readonly number[], leaf: number, random: () => number): { readonly feature: number; readonly threshold: number } | undefined {
  const features = rows[0]!.length;
  let best: { readonly feature: number; readonly threshold: number } | undefined;
  // The gain is sum^2 / count of both sides, less that of the whole, which is the same for all splits.
  const total = sample.reduce((sum, i) => sum + values[i]!, 0);
  let most = total ** 2 / sample.length + 1e-12;
  for (const feature of drawn(features, Math.max(1, Math.round(features * FEATURE_SHARE)), random)) {
    const order = [...sample].sort((a, b) => rows[a]![feature]! - rows[b]![feature]!);
    let sum = 0;
    for (let count = 1; count < order.length; count++) {
      sum += values[order[count - 1]!]!;
      const [before, after] = [rows[order[count - 1]!]![feature]!, rows[order[count]!]![feature]!];
      if (before === after || count < leaf || order.length - count < leaf) continue;
      const gain = sum ** 2 / count + (total - sum) ** 2 / (order.length - count);
      if (gain <= most) continue;
      most = gain;
      best = { feature, threshold: (before + after) / 2 };
    }
  }
  return best;
}

function drawn(count: number, wanted: number, random: () => number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < wanted; i++) {
    const other = i + Math.floor(random() * (count - i));
    [all[i], all[other]] = [all[other]!, all[i]!];
  }
  return all.slice(0, wanted);
}

/** tau, us. */
export function evaluateForest({ trees }: Forest, demand: Demand, state: NodeState): number {
  const row = featuresOf(demand, state);
  let sum = 0;
  for (const tree of trees) {
    let node = tree;
    while (node.left && node.right) node = row[node.feature]! < node.threshold ? node.left : node.right;
    sum += node.value;
  }
  return Math.exp(sum / trees.length);
}
