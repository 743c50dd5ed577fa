/**
 * f of Eq. (2) as a queueing form, fitted by least squares. With s = W / F_w, the time of the work on the whole node, rho = F_0 and the term r = rho / (1 - rho) by which
 * queues grow with the load:
 *
 *     tau = a s + b s r + w r + d D + e D C_0 / (1 - C_0) + g D / E_0 + c
 *
 * a s        the work itself; a is the number of times that the task is slower than the whole node (1 where it uses all cores)
 * b s r      processors shared with others: with b = a it is the time a s / (1 - rho) of M/G/1 with processor sharing, whatever the spread of the work
 * w r        wait behind others in a queue, which does not depend on the own size; w is their mean residual time (Pollaczek-Khinchine)
 * d D        octets to be read and written, at a rate of 1 / d
 * e ..., g . storage that fills up, and a rate of reading and writing that was stated
 * c          what every run costs
 *
 * All are times that cannot be negative, so neither can their coefficients be; that also keeps more work from ever taking less time. What disturbs a run disturbs a long
 * one more: the weights are 1 / tau^1.5 of the time that the form itself expects (iteratively reweighted least squares), between a disturbance
 * that is a share of the run (2) and one that is a sum of many waits (1). Weights by the time observed would favour runs that happened to be short.
 */
import { nonNegativeLeastSquares } from './least-squares.js';
import type { NodeState, TaskRun } from './run.js';

/** Beyond this a node is full, and the form would tend to infinity. */
const MOST_USED = 0.98;
/** Rounds of reweighting; more change nothing that matters. */
const ROUNDS = 4;
const SPREAD_EXPONENT = 1.5;

export const TERMS = ['work', 'sharing', 'waiting', 'data', 'storage', 'io', 'constant'] as const;
export type Term = (typeof TERMS)[number];

export interface QueueingForm {
  /** us a unit of each term: us/s for work and sharing, us for waiting and the constant, us/octet for data and storage, us/s for io. */
  readonly coefficients: Readonly<Record<Term, number>>;
  /** Terms that say nothing: they did not vary, or others say the same. */
  readonly dropped: readonly Term[];
}

export interface Demand {
  readonly workload: number; // W, operations
  readonly dataSize: number; // D, octets
}

const ratio = (used: number): number => Math.min(MOST_USED, used) / (1 - Math.min(MOST_USED, used));

/** Values of the terms, in the order of TERMS. */
export function termsOf({ workload, dataSize }: Demand, { capacity, computingUsed, storageUsed, ioRate }: NodeState): number[] {
  const s = capacity > 0 ? workload / capacity : 0;
  const r = ratio(computingUsed);
  return [s, s * r, r, dataSize, dataSize * ratio(storageUsed), ioRate > 0 ? dataSize / ioRate : 0, 1];
}

export function fitQueueingForm(runs: readonly TaskRun[]): QueueingForm {
  // A rate that only some runs know would be taken for an infinite one in the others.
  const rates = runs.every(({ state }) => state.ioRate > 0);
  const rows = runs.map((run) => termsOf(run, rates ? run.state : { ...run.state, ioRate: 0 }));
  const tau = runs.map(({ latencyUs }) => latencyUs);
  const varies = TERMS.map((term, j) => term === 'constant' || rows.some((row) => Math.abs(row[j]! - rows[0]![j]!) > 1e-9 * Math.abs(rows[0]![j]!)));
  const kept = rows.map((row) => row.map((value, j) => (varies[j]! ? value : 0)));
  let solved = nonNegativeLeastSquares(kept, tau, tau.map((value) => 1 / value));
  const least = Math.min(...tau);
  for (let round = 0; round < ROUNDS; round++) {
    const expected = kept.map((row) => Math.max(least, row.reduce((sum, value, j) => sum + value * solved[j]!, 0)));
    solved = nonNegativeLeastSquares(kept, tau, expected.map((value) => value ** -SPREAD_EXPONENT));
  }
  return {
    coefficients: Object.fromEntries(TERMS.map((term, j) => [term, solved[j]!])) as Record<Term, number>,
    dropped: TERMS.filter((_, j) => solved[j] === 0),
  };
}

/** tau, us. */
export function evaluateQueueingForm({ coefficients }: QueueingForm, demand: Demand, state: NodeState): number {
  return termsOf(demand, state).reduce((sum, value, j) => sum + value * coefficients[TERMS[j]!], 0);
}
