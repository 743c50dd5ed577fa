/**
 * Next hops, and sets of them, as small numbers: equal sets have equal numbers, so that a tree of thousands of vertices compares and passes on its
 * equal-cost next hops without copying them.
 */
export interface Hop {
  readonly interfaceId: number;
  /** Undefined: the link itself, where the destination is on it. */
  readonly neighbor: number | undefined;
  /** The neighbour's interface, which names its Link-LSA. */
  readonly neighborInterfaceId: number;
  /** An address on the link that is forwarded to instead (RFC 2328 section 16.4, forwarding address). */
  readonly address?: string | undefined;
}

/** The empty set. */
export const NO_HOPS = 0;

export class HopSets {
  private readonly hops: Hop[] = [];
  private readonly hopIds = new Map<string, number>();
  private readonly sets: (readonly number[])[] = [[]];
  private readonly setIds = new Map<string, number>([['', NO_HOPS]]);
  private readonly unions = new Map<number, number>();
  private readonly beyond = new Map<string, number>();

  /** Sets ever made: when they are too many, a fresh object and a full run are due. */
  get size(): number {
    return this.sets.length;
  }

  of(hop: Hop): number {
    const key = `${hop.interfaceId}/${hop.neighbor ?? ''}/${hop.neighborInterfaceId}/${hop.address ?? ''}`;
    let id = this.hopIds.get(key);
    if (id === undefined) {
      id = this.hops.length;
      this.hops.push(hop);
      this.hopIds.set(key, id);
    }
    return this.set([id]);
  }

  union(a: number, b: number): number {
    if (a === b || b === NO_HOPS) return a;
    if (a === NO_HOPS) return b;
    const key = a < b ? a * 0x4000000 + b : b * 0x4000000 + a;
    let id = this.unions.get(key);
    if (id === undefined) {
      id = this.set([...new Set([...this.sets[a]!, ...this.sets[b]!])].sort((x, y) => x - y));
      this.unions.set(key, id);
    }
    return id;
  }

  /** From a network's hops those of a router on it: where the network is this router's own link the router is the neighbour. */
  through(set: number, router: number, interfaceId: number): number {
    return this.onLink(set, `${router}/${interfaceId}`, (hop) => ({ interfaceId: hop.interfaceId, neighbor: router, neighborInterfaceId: interfaceId }));
  }

  /** From the hops of a prefix those of an address in it. */
  towards(set: number, address: string): number {
    return this.onLink(set, address, (hop) => ({ ...hop, address }));
  }

  private onLink(set: number, to: string, replace: (hop: Hop) => Hop): number {
    const members = this.sets[set]!;
    if (!members.some((id) => this.hops[id]!.neighbor === undefined)) return set;
    const key = `${set} ${to}`;
    let id = this.beyond.get(key);
    if (id === undefined) {
      id = NO_HOPS;
      for (const member of members) {
        const hop = this.hops[member]!;
        id = this.union(id, this.of(hop.neighbor === undefined ? replace(hop) : hop));
      }
      this.beyond.set(key, id);
    }
    return id;
  }

  members(set: number): readonly Hop[] {
    return this.sets[set]!.map((id) => this.hops[id]!);
  }

  private set(ids: readonly number[]): number {
    const key = ids.join();
    let id = this.setIds.get(key);
    if (id === undefined) {
      id = this.sets.length;
      this.sets.push(ids);
      this.setIds.set(key, id);
    }
    return id;
  }
}
