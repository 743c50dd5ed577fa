/** Greedy (GR of survey section 8.2): the candidate with the least predicted latency, with what was sent from here since its announcement, or without. */
import { leastBy, type Chooser, type Offer, type Strategy } from './strategy.js';

export class Greedy implements Strategy {
  readonly config: { readonly name: 'greedy'; readonly ownAccount: boolean };

  constructor(ownAccount: boolean) {
    this.config = { name: 'greedy', ownAccount };
  }

  prepare(offers: readonly Offer[]): Chooser {
    const costOf = this.config.ownAccount ? ({ costUs }: Offer): number => costUs : ({ statedUs }: Offer): number => statedUs;
    return { choose: () => leastBy(offers, costOf), words: this.config.ownAccount ? 'greedy' : 'greedy without own account' };
  }
}
