/** Which neighbour routers stand behind which core interface, as far as configuration and addresses tell. Pure. */
import { TUN_NAME, type LinkState } from '../../../dataplane/dataplane.js';
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import type { Config } from '../../config/types.js';

/** A neighbour, whether or not the link is up, and the address of ours that it is on a link with. */
export interface LinkNeighbour {
  readonly interface: string;
  readonly index: number;
  readonly own: string;
  readonly neighbour: string;
}

/** A neighbour that a routing protocol found, by its (link-local) address. */
export interface DiscoveredNeighbour {
  readonly interface: string;
  readonly neighbour: string;
}

const addressOf = (text: string): string => text.slice(0, text.indexOf('/'));
const isIpv6 = (text: string): boolean => text.includes(':');
const LINK_LOCAL = Prefix.from('fe80::/10');
const isLinkLocal = (address: string): boolean => LINK_LOCAL.contains(parseIp(address)!);

const OTHERS: ReadonlySet<string> = new Set(['lo', TUN_NAME]);

/** Interfaces that may lead to other routers of the domain: those of role core, which is what an interface is that nothing is said of. */
export function coreLinks(config: Pick<Config, 'interfaces'>, links: readonly LinkState[]): LinkState[] {
  return links.filter(({ name }) => !OTHERS.has(name) && (config.interfaces[name]?.role ?? 'core') === 'core');
}

/**
 * Neighbours that a routing protocol found, and those that the configuration names: next hops of End.X SIDs and of static routes, and BGP neighbors,
 * as far as they are on a link of an IPv6 address of ours.
 */
export function linkNeighbours(config: Pick<Config, 'interfaces' | 'static' | 'bgp'>, links: readonly LinkState[], discovered: readonly DiscoveredNeighbour[] = []): LinkNeighbour[] {
  const named: { readonly interface?: string; readonly neighbour: string }[] = [
    ...discovered,
    ...Object.entries(config.interfaces).flatMap(([name, { endX }]) => (endX === undefined ? [] : [{ interface: name, neighbour: endX }])),
    ...config.static.flatMap(({ nextHops }) =>
      nextHops.flatMap(({ via, interface: name }) => (via === undefined || !isIpv6(via) ? [] : [{ ...(name !== undefined && { interface: name }), neighbour: via }])),
    ),
    ...(config.bgp?.neighbors ?? []).filter(({ address }) => isIpv6(address)).map(({ address }) => ({ neighbour: address })),
  ];
  const found = new Map<string, LinkNeighbour>();
  for (const link of coreLinks(config, links)) {
    // A link that is down may have lost its addresses; who was behind it is still known.
    const own = [...link.addresses, ...(config.interfaces[link.name]?.addresses ?? [])].filter(isIpv6);
    for (const { interface: name, neighbour } of named) {
      if (name !== undefined && name !== link.name) continue;
      if (name === undefined && isLinkLocal(neighbour)) continue;
      const matching = own.find((text) => Prefix.from(text).contains(parseIp(neighbour)!) && addressOf(text) !== neighbour);
      if (matching !== undefined) found.set(`${link.name} ${neighbour}`, { interface: link.name, index: link.index, own: addressOf(matching), neighbour });
    }
  }
  return [...found.values()];
}
