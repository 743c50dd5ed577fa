/** Local processing (LC of survey section 8.2): the router's own instances, the best of them; without any, those behind the nearest exit. */
import { leastBy, type Chooser, type Offer, type Strategy } from './strategy.js';

export class Local implements Strategy {
  readonly config = { name: 'local' } as const;

  prepare(offers: readonly Offer[]): Chooser {
    const hasLocal = offers.some(({ isLocal }) => isLocal);
    const nearest = Math.min(...offers.map(({ pathUs }) => pathUs));
    const isMeant = (offer: Offer): boolean => (hasLocal ? offer.isLocal : offer.pathUs === nearest);
    return {
      choose: () => leastBy(offers, (offer) => (isMeant(offer) ? offer.costUs : Infinity)),
      words: hasLocal ? 'local' : 'local: none of the candidates is, so the nearest',
    };
  }
}
