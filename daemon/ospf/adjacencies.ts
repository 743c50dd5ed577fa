/** The adjacencies of this router in state Full, out of the views of the engine. Pure. */
import { parseId } from './ids.js';
import type { Adjacency } from './srv6.js';
import type { OspfInterfaceView, OspfNeighborView } from './types.js';

const NONE = '0.0.0.0';

/** By interface and router ID. On a broadcast network without a designated router there is none. */
export function adjacenciesOf(routerId: string, interfaces: readonly OspfInterfaceView[], neighbors: readonly OspfNeighborView[]): Adjacency[] {
  const byName = new Map(interfaces.map((entry) => [entry.name, entry]));
  const found: Adjacency[] = [];
  for (const neighbor of neighbors) {
    const owner = byName.get(neighbor.interface);
    if (!owner || neighbor.state !== 'Full') continue;
    const designated = owner.network === 'broadcast' ? designatedOf(routerId, owner, neighbors) : undefined;
    if (owner.network === 'broadcast' && !designated) continue;
    found.push({
      interface: owner.name,
      interfaceId: owner.interfaceId,
      neighborRouterId: parseId(neighbor.routerId),
      neighborInterfaceId: neighbor.interfaceId,
      address: neighbor.address,
      cost: owner.cost,
      designated,
    });
  }
  return found.sort((a, b) => (a.interface < b.interface ? -1 : a.interface > b.interface ? 1 : a.neighborRouterId - b.neighborRouterId));
}

function designatedOf(routerId: string, owner: OspfInterfaceView, neighbors: readonly OspfNeighborView[]): Adjacency['designated'] {
  const { designated } = owner;
  if (designated === NONE) return undefined;
  if (designated === routerId) return { routerId: parseId(routerId), interfaceId: owner.interfaceId };
  const other = neighbors.find((neighbor) => neighbor.interface === owner.name && neighbor.routerId === designated);
  return other && { routerId: parseId(designated), interfaceId: other.interfaceId };
}
