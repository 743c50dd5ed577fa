/** Round-robin (RR of survey section 8.2): one feasible candidate after the other, in the order of their names, which candidates that come and go do not upset. */
import type { Chooser, Offer, Strategy } from './strategy.js';

export class RoundRobin implements Strategy {
  readonly config = { name: 'round-robin' } as const;
  /** Whose turn it was; all preparations of a service share it. */
  private last = '';

  prepare(offers: readonly Offer[]): Chooser {
    const order = offers.map(({ name }, place) => ({ name, place })).sort((a, b) => (a.name < b.name ? -1 : 1));
    /** Where the search for the next begins: mostly it ends there too. */
    let turn = 0;
    return {
      choose: () => {
        const before = order[(turn + order.length - 1) % order.length]!.name;
        if (before !== this.last) turn = Math.max(0, order.findIndex(({ name }) => name > this.last));
        return order[turn]!.place;
      },
      taken: (place) => {
        this.last = offers[place]!.name;
        turn = (turn + 1) % order.length;
      },
      words: 'round-robin',
    };
  }
}
