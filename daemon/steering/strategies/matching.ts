/**
 * Matching (GT of survey section 8.1): first packets of a short window are matched to candidates at the least sum of latencies (assignment.ts). The window is as long
 * as it takes for some requests to come, between two bounds: with few arrivals nobody waits for nobody. A single request gets the best candidate.
 */
import { leastBy, type Chooser, type Offer, type Situation, type Strategy } from './strategy.js';

/** Requests that a window is meant for. */
const WANTED = 4;

export class Matching implements Strategy {
  readonly config: { readonly name: 'matching'; readonly minWindowMs: number; readonly maxWindowMs: number };

  constructor(minWindowMs: number, maxWindowMs: number) {
    this.config = { name: 'matching', minWindowMs, maxWindowMs };
  }

  prepare(offers: readonly Offer[], { arrivalsPerSecond }: Situation): Chooser {
    const { minWindowMs, maxWindowMs } = this.config;
    const wantedMs = (WANTED * 1000) / arrivalsPerSecond;
    // Less than one other request is to be expected: the least wait is enough to catch what comes at once.
    const windowMs = arrivalsPerSecond * maxWindowMs < 1000 ? minWindowMs : Math.min(maxWindowMs, Math.max(minWindowMs, wantedMs));
    return { choose: () => leastBy(offers, ({ costUs }) => costUs), windowMs, words: `matching in windows of ${windowMs.toFixed(1)} ms` };
  }
}
