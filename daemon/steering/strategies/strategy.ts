/**
 * What a strategy of the path selector is (survey sections 5.2 and 8.1): it chooses, of what is feasible for a flow, where the flow goes. Pure: a choice rests on
 * the offers, on a hash that stands for chance, and on what the strategy itself chose before.
 */
export const STRATEGY_NAMES = ['weighted', 'local', 'round-robin', 'greedy', 'two-choices', 'matching', 'adaptive'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

export type StrategyConfig =
  | { readonly name: 'weighted' | 'local' | 'round-robin' }
  /** `ownAccount` false: as if nothing had been sent since the last announcement. */
  | { readonly name: 'greedy'; readonly ownAccount: boolean }
  | { readonly name: 'two-choices'; readonly choices: number }
  /** Between these times first packets wait for others, ms. */
  | { readonly name: 'matching'; readonly minWindowMs: number; readonly maxWindowMs: number }
  /** A pick stays for `holdMs` at least. */
  | { readonly name: 'adaptive'; readonly holdMs: number };

export const DEFAULT_STRATEGY: StrategyConfig = { name: 'weighted' };

/** A candidate that may serve the flow. Costs are predicted latencies in us; with objective weights, that of the best times 1 + score. */
export interface Offer {
  /** Tells it apart from the other offers, whatever their order. */
  readonly name: string;
  readonly isLocal: boolean;
  /** Round trip of the way, us. */
  readonly pathUs: number;
  /** Without what was sent from here since the announcement. */
  readonly statedUs: number;
  /** With it, as of this moment: a request accounted for raises it. */
  readonly costUs: number;
  /** What a request ahead adds to the latency, us. */
  readonly perRequestUs: number;
  /** Share of new flows among the best (selector.ts), 0..1. */
  readonly weight: number;
  /** Share when all take part: spare capacity / latency. */
  readonly spreadWeight: number;
}

/** What is known beside the offers. */
export interface Situation {
  readonly nowMs: number;
  /** First packets to the service. */
  readonly arrivalsPerSecond: number;
  /** Mean time between announcements of the candidates, or their age where that is longer, ms. */
  readonly stalenessMs: number;
}

/** Offers prepared for the choices of some milliseconds; there is one offer at least. */
export interface Chooser {
  /** Place of the chosen offer. Changes nothing, so that it can also answer what would be chosen. `hash`: 32 bits. */
  choose(hash: number): number;
  /** A flow goes where choose() said. */
  taken?(place: number): void;
  /** How long first packets may wait for others, ms; undefined: they do not. */
  readonly windowMs?: number | undefined;
  /** What it is and why, for display. */
  readonly words: string;
}

export interface Strategy {
  readonly config: StrategyConfig;
  prepare(offers: readonly Offer[], situation: Situation): Chooser;
}

/** Place of the offer with the least value; the first of equals. */
export function leastBy(offers: readonly Offer[], valueOf: (offer: Offer) => number): number {
  let place = 0;
  let least = Infinity;
  for (let i = 0; i < offers.length; i++) {
    const value = valueOf(offers[i]!);
    if (value >= least) continue;
    least = value;
    place = i;
  }
  return place;
}

/** Upper ends of the offers' parts of the 32-bit hash space, for weights of which one is above 0. */
export function thresholds(weights: readonly number[]): number[] {
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  return weights.map((weight) => (sum += (weight / total) * 0x1_0000_0000));
}

/** Place of the part that holds a hash; by halves, so that a thousand offers cost ten steps. */
export function placeOf(ends: readonly number[], hash: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hash < ends[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}
