/**
 * Distributes items over LSAs of bounded size so that an item stays where it is while it exists: what comes or goes changes one LSA, not all
 * that follow it.
 */
export class Fragments<T> {
  private places = new Map<string, number>();

  constructor(
    /** Octets that the items of one LSA may have. */
    private readonly capacity: number,
    private readonly keyOf: (item: T) => string,
    private readonly sizeOf: (item: T) => number,
  ) {}

  /** Items by the number of their fragment, in the order they are given; numbers of empty fragments are free. */
  divide(items: readonly T[]): ReadonlyMap<number, readonly T[]> {
    const places = new Map<string, number>();
    const used = new Map<number, number>();
    const put = (item: T, place: number): void => {
      places.set(this.keyOf(item), place);
      used.set(place, (used.get(place) ?? 0) + this.sizeOf(item));
    };
    // An item larger than a whole fragment has one of its own.
    const fits = (item: T, place: number): boolean => !used.has(place) || used.get(place)! + this.sizeOf(item) <= this.capacity;
    const homeless: T[] = [];
    for (const item of items) {
      const place = this.places.get(this.keyOf(item));
      if (place !== undefined && fits(item, place)) put(item, place);
      else homeless.push(item);
    }
    let first = 0;
    for (const item of homeless) {
      while (!fits(item, first)) first++;
      put(item, first);
    }
    this.places = places;
    const fragments = new Map<number, T[]>();
    for (const item of items) {
      const place = places.get(this.keyOf(item))!;
      const fragment = fragments.get(place);
      if (fragment) fragment.push(item);
      else fragments.set(place, [item]);
    }
    return fragments;
  }
}
