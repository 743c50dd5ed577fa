/** Next hops in use and how they resolve, so that a change in the unicast RIB touches only the routes it concerns. */
import type { NextHopResolver } from './best-path.js';

export class NextHops {
  private readonly known = new Map<string, { readonly cost: number } | undefined>();

  constructor(private readonly lookup: NextHopResolver) {}

  readonly resolve: NextHopResolver = (address) => {
    if (this.known.has(address)) return this.known.get(address);
    const found = this.lookup(address);
    this.known.set(address, found);
    return found;
  };

  /** Looks every next hop up again and returns those that resolve differently now. */
  refresh(): Set<string> {
    const changed = new Set<string>();
    for (const [address, before] of this.known) {
      const now = this.lookup(address);
      this.known.set(address, now);
      if (now?.cost !== before?.cost) changed.add(address);
    }
    return changed;
  }

  /** Forgets next hops that are not in use. */
  keep(used: ReadonlySet<string>): void {
    for (const address of this.known.keys()) if (!used.has(address)) this.known.delete(address);
  }
}
