/** Unicast routing of one router: feeds the unicast RIB from links, configuration and BGP, and hands what follows to the kernel. */
import type { LinkState, RouteTable } from '../dataplane/dataplane.js';
import { Prefix } from '../dataplane/packet/ip.js';
import type { UnicastChange } from './bgp/change-feed.js';
import type { Config } from './config/types.js';
import { UnicastRib, type RibNextHop, type UnicastRoute } from './rib/unicast-rib.js';

/** Behind every other route to the own locator: a SID that nobody runs is unreachable here and does not loop by a default route. */
const LOCATOR_DISTANCE = 254;

/** Of routes imported from VPN families: at equal distance and metric behind the unicast route. */
const VPN_TAG = 'vpn';

const LINK_LOCAL = Prefix.from('fe80::/10');

const keyOf = ({ prefix, source, tag }: UnicastRoute): string => `${prefix} ${source} ${tag ?? ''}`;

export class UnicastRouting {
  readonly rib: UnicastRib;
  private connected = new Map<string, UnicastRoute>();
  private configured = new Map<string, UnicastRoute>();
  private knownLinks = new Set<string>();
  private readonly bgpSources = new Map<string, 'ibgp' | 'ebgp'>();

  constructor(
    servicePrefixes: readonly string[],
    private readonly routes: RouteTable,
    /** Called after routes changed, so that next hops can be resolved again. */
    private readonly changed: () => void,
  ) {
    this.rib = new UnicastRib({ servicePrefixes });
  }

  /** Static routes, and the own locator as unreachable. */
  setConfig(config: Config): void {
    const wanted: UnicastRoute[] = config.static.map((route) => ({
      prefix: route.prefix,
      source: 'static',
      tag: `distance ${route.distance}`,
      distance: route.distance,
      nextHops: route.unreachable ? [] : route.nextHops.map(({ via, interface: name, weight }): RibNextHop => ({ gateway: via, interface: name, weight })),
    }));
    wanted.push({ prefix: config.router.locator, source: 'static', tag: 'locator', distance: LOCATOR_DISTANCE, nextHops: [] });
    this.configured = this.replace(this.configured, wanted);
    this.flush();
  }

  /** Interfaces with their addresses: the connected routes. */
  setLinks(links: readonly LinkState[]): void {
    const present = new Set(links.map(({ name }) => name));
    for (const name of this.knownLinks) if (!present.has(name)) this.rib.setLink(name, false);
    this.knownLinks = present;
    const wanted: UnicastRoute[] = [];
    for (const { name, up, addresses } of links) {
      this.rib.setLink(name, up);
      for (const address of addresses) {
        const prefix = Prefix.parse(address);
        if (!prefix || LINK_LOCAL.contains(prefix)) continue;
        wanted.push({ prefix: prefix.toString(), source: 'connected', tag: name, nextHops: [{ interface: name }] });
      }
    }
    this.connected = this.replace(this.connected, wanted);
    this.flush();
  }

  bgpChanged(changes: readonly UnicastChange[]): void {
    for (const { prefix, vpn, best } of changes) {
      const text = prefix.toString();
      const tag = vpn ? VPN_TAG : '';
      const key = `${text} ${tag}`;
      const before = this.bgpSources.get(key);
      const source = best && (best.ibgp ? 'ibgp' : 'ebgp');
      if (before && before !== source) {
        this.rib.remove(text, before, tag);
        this.bgpSources.delete(key);
      }
      if (!best || !source) continue;
      this.bgpSources.set(key, source);
      const segments = best.sid === undefined ? undefined : [best.sid];
      this.rib.set({ prefix: text, source, tag, nextHops: [{ gateway: best.sid ?? best.nextHop }], segments, metric: best.med ?? 0 });
    }
    this.flush();
  }

  /** Routes that OSPFv3 found, and prefixes that it has none for any more. */
  ospfChanged(routes: readonly UnicastRoute[], removed: readonly string[]): void {
    for (const prefix of removed) this.rib.remove(prefix, 'ospf');
    for (const route of routes) this.rib.set(route);
    this.flush();
  }

  private replace(before: ReadonlyMap<string, UnicastRoute>, wanted: readonly UnicastRoute[]): Map<string, UnicastRoute> {
    const after = new Map(wanted.map((route) => [keyOf(route), route]));
    for (const [key, route] of before) if (!after.has(key)) this.rib.remove(route.prefix, route.source, route.tag);
    for (const [key, route] of after) if (JSON.stringify(route) !== JSON.stringify(before.get(key))) this.rib.set(route);
    return after;
  }

  private flush(): void {
    const changes = this.rib.flush();
    for (const { prefix, target } of changes) {
      if (target) this.routes.set({ prefix, target });
      else this.routes.remove(prefix);
    }
    this.changed();
  }
}
