/** Weighted: the candidates about as good as the best share new flows by spare capacity / latency (selector.ts). */
import { placeOf, thresholds, type Chooser, type Offer, type Strategy } from './strategy.js';

export class Weighted implements Strategy {
  readonly config = { name: 'weighted' } as const;

  prepare(offers: readonly Offer[]): Chooser {
    const places: number[] = [];
    for (const [place, { weight }] of offers.entries()) if (weight > 0) places.push(place);
    const ends = thresholds(places.map((place) => offers[place]!.weight));
    return { choose: (hash) => places[placeOf(ends, hash)]!, words: 'weighted' };
  }
}
