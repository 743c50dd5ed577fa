/** Names and addresses of next hops: interfaces as the engine tells them, gateways from Hellos or from the neighbours' Link-LSAs. */
import { LsType } from '../wire/types.js';
import type { Hop, HopSets } from './hops.js';
import { current } from './topology.js';
import type { LsaChange, SpfInterface, SpfNextHop } from './types.js';

export class NeighborTable {
  private readonly names = new Map<number, string>();
  private readonly heard = new Map<string, string>();
  private readonly linkLsas = new Map<string, string>();
  private readonly rendered = new Map<number, readonly SpfNextHop[]>();

  constructor(
    private readonly maxPaths: number,
    private readonly hopSets: () => HopSets,
  ) {}

  /** True when an interface or address changed. */
  setInterfaces(interfaces: readonly SpfInterface[]): boolean {
    const names = new Map(interfaces.map(({ interfaceId, name }) => [interfaceId, name]));
    const heard = new Map(interfaces.flatMap(({ interfaceId, neighbors }) => neighbors.map((one) => [`${interfaceId}/${one.routerId}`, one.address] as const)));
    if (sameMap(names, this.names) && sameMap(heard, this.heard)) return false;
    replace(this.names, names);
    replace(this.heard, heard);
    this.forget();
    return true;
  }

  /** Takes the Link-LSAs among the changes; true when an address changed. */
  update(changes: readonly LsaChange[]): boolean {
    let changed = false;
    for (const { key, after } of changes) {
      if (key.type !== LsType.link) continue;
      const text = `${key.router}/${key.id}`;
      const body = current(after)?.body;
      const address = body?.kind === 'link' ? body.linkLocal : undefined;
      if (address === this.linkLsas.get(text)) continue;
      if (address === undefined) this.linkLsas.delete(text);
      else this.linkLsas.set(text, address);
      changed = true;
    }
    if (changed) this.forget();
    return changed;
  }

  /** Sets of hops are numbered anew, or names have changed. */
  forget(): void {
    this.rendered.clear();
  }

  /** The next hops of a set, by neighbour and interface, as many as paths are allowed; hops whose gateway is unknown are left out. */
  nextHops(set: number): readonly SpfNextHop[] {
    let hops = this.rendered.get(set);
    if (!hops) {
      const usable = this.hopSets().members(set).flatMap((hop) => this.nextHop(hop) ?? []);
      usable.sort((a, b) => (a.neighbor ?? -1) - (b.neighbor ?? -1) || a.interfaceId - b.interfaceId);
      hops = usable.slice(0, this.maxPaths);
      this.rendered.set(set, hops);
    }
    return hops;
  }

  nextHop(hop: Hop): SpfNextHop | undefined {
    const name = this.names.get(hop.interfaceId);
    if (name === undefined) return undefined;
    if (hop.neighbor === undefined) return { interface: name, interfaceId: hop.interfaceId, neighbor: undefined, gateway: hop.address };
    const gateway = this.heard.get(`${hop.interfaceId}/${hop.neighbor}`) ?? this.linkLsas.get(`${hop.neighbor}/${hop.neighborInterfaceId}`);
    return gateway === undefined ? undefined : { interface: name, interfaceId: hop.interfaceId, neighbor: hop.neighbor, gateway };
  }
}

function sameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function replace<K, V>(target: Map<K, V>, source: ReadonlyMap<K, V>): void {
  target.clear();
  for (const [key, value] of source) target.set(key, value);
}
