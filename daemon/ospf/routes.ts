/** Between OSPFv3 and the unicast RIB: routes of the calculation as routes of the RIB, and routes of the RIB that are announced as external. Pure. */
import { Prefix } from '../../dataplane/packet/ip.js';
import type { RouteSource, UnicastRoute } from '../rib/unicast-rib.js';
import type { ExternalRoute } from './origination/externals.js';
import type { SpfRoute } from './spf/types.js';
import type { OspfConfig, RedistributeConfig } from './types.js';

/** A route of the RIB, undefined for prefixes that are on a link of this router: those are connected. */
export function ribRoute({ prefix, cost, type2Metric, nextHops, backups }: SpfRoute, fastReroute: OspfConfig['fastReroute']): UnicastRoute | undefined {
  if (nextHops.length === 0 || nextHops.some(({ gateway }) => gateway === undefined)) return undefined;
  return {
    prefix,
    source: 'ospf',
    metric: type2Metric ?? cost,
    nextHops: nextHops.map(({ gateway, interface: name }) => ({ gateway, interface: name })),
    ...(fastReroute === 'none' ? {} : { backups: backups.map(({ protects, nextHop, segments }) => ({ protects, nextHop, segments })) }),
  };
}

const SOURCES: Readonly<Record<RedistributeConfig['source'], readonly RouteSource[]>> = { connected: ['connected'], static: ['static'], bgp: ['ebgp', 'ibgp'] };

/** What is never announced: link-local and multicast prefixes. */
const LOCAL = [Prefix.from('fe80::/10'), Prefix.from('ff00::/8')];

/**
 * Routes in use of the redistributed sources. `inside`: prefixes that are announced otherwise (loopback, locator, interfaces that run OSPF) or never
 * leave their own protocol (service prefixes). Unreachable routes are left out: whoever is sent here must be sent on.
 */
export function externalsOf(
  routes: Iterable<{ readonly route: UnicastRoute; readonly best: boolean }>,
  redistribute: readonly RedistributeConfig[],
  inside: readonly Prefix[],
): ExternalRoute[] {
  const bySource = new Map(redistribute.flatMap((rule) => SOURCES[rule.source].map((source) => [source, { ...rule, within: rule.prefixes.map((text) => Prefix.from(text)) }] as const)));
  if (bySource.size === 0) return [];
  const found = new Map<string, ExternalRoute>();
  for (const { route, best } of routes) {
    const rule = best ? bySource.get(route.source) : undefined;
    if (!rule || route.nextHops.length === 0) continue;
    const prefix = Prefix.from(route.prefix);
    if (prefix.family !== 6 || [...LOCAL, ...inside].some((other) => other.contains(prefix))) continue;
    if (rule.within.length > 0 && !rule.within.some((other) => other.contains(prefix))) continue;
    found.set(route.prefix, { prefix, metric: rule.metric, type: rule.type, tag: rule.tag, forwarding: undefined });
  }
  return [...found.values()];
}
