/**
 * Even: every candidate its share by what it can serve, as evenly in time as can be (each choice goes to whom it is most due), whatever the load that is
 * announced. It is what the adaptive strategy does with old pictures: a queue that was short some hundred service times ago says nothing of the queue there is, and
 * entries that believe it fill it together.
 */
import { leastBy, type Chooser, type Offer } from './strategy.js';

export class Even {
  /** By offer: when it is due next, in us of its own work. */
  private readonly due = new Map<string, number>();

  prepare(offers: readonly Offer[]): Chooser {
    const known = offers.map(({ name }) => this.due.get(name)).filter((value) => value !== undefined);
    // One that comes, or comes back, has missed nothing.
    const begin = known.length > 0 ? Math.min(...known) : 0;
    const due = offers.map(({ name }) => Math.max(begin, this.due.get(name) ?? begin));
    this.due.clear();
    offers.forEach(({ name }, place) => this.due.set(name, due[place]!));
    const dueOf = ({ name, perRequestUs }: Offer): number => this.due.get(name)! + perRequestUs;
    return {
      choose: () => leastBy(offers, dueOf),
      taken: (place) => {
        const { name, perRequestUs } = offers[place]!;
        this.due.set(name, this.due.get(name)! + Math.max(1, perRequestUs));
      },
      words: 'evenly by capacity',
    };
  }
}
