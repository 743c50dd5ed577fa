/**
 * The best of two (or some more) candidates drawn at random (Mitzenmacher, The power of two choices in randomized load balancing, IEEE TPDS 12(10), 2001): nearly
 * as even as the best of all, and entries with the same old picture do not all go to the same candidate (Mitzenmacher, How useful is old information?,
 * IEEE TPDS 11(1), 2000). Candidates are drawn by spare capacity / latency, so that unequal ones get unequal shares.
 */
import { placeOf, thresholds, type Chooser, type Offer, type Strategy } from './strategy.js';

export class TwoChoices implements Strategy {
  readonly config: { readonly name: 'two-choices'; readonly choices: number };

  constructor(choices: number) {
    this.config = { name: 'two-choices', choices };
  }

  prepare(offers: readonly Offer[]): Chooser {
    const { choices } = this.config;
    const ends = thresholds(offers.map(({ spreadWeight }) => spreadWeight));
    const choose = (hash: number): number => {
      let draw = hash;
      let best = placeOf(ends, draw);
      for (let i = 1; i < choices; i++) {
        draw = scramble(draw);
        const other = placeOf(ends, draw);
        if (offers[other]!.costUs < offers[best]!.costUs) best = other;
      }
      return best;
    };
    return { choose, words: choices === 2 ? 'best of two' : `best of ${choices}` };
  }
}

/** Another 32 bits out of 32 bits, without likeness (the finaliser of MurmurHash3, after an odd constant). */
function scramble(value: number): number {
  let h = (value + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
