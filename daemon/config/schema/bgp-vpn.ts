/** BGP VPN families: the route distinguisher of this exit, route targets, what is announced with an SRv6 SID. */
import { formatRouteDistinguisher, formatRouteTarget, parseRouteDistinguisher, parseRouteTarget } from '../../bgp/wire/route-distinguisher.js';
import { flag, ipv6Prefix, list, mapping, oneOf, text } from './common.js';

const routeDistinguisher = text('auto, or a route distinguisher such as 65000:1 or 192.0.2.1:1 (RFC 4364 section 4.2)', (value) => {
  if (value === 'auto') return value;
  const rd = parseRouteDistinguisher(value);
  return rd === undefined ? undefined : formatRouteDistinguisher(rd);
});

const routeTarget = text('a route target such as 65000:1 or 192.0.2.1:1 (RFC 4360 section 4)', (value) => {
  const target = parseRouteTarget(value);
  return target === undefined ? undefined : formatRouteTarget(target);
});

/** Families of a neighbor (RFC 4760). */
export const families = list(oneOf('ipv6-unicast', 'ipv4-unicast', 'ipv6-vpn', 'ipv4-vpn'), 'address families').min(1, { error: 'at least one address family' });

export const vpn = mapping({
  rd: routeDistinguisher.default('auto'),
  exportTargets: list(routeTarget, 'route targets').min(1, { error: 'at least one route target' }).optional(),
  importTargets: list(routeTarget, 'route targets').optional(),
  transposition: flag.default(false),
  networks: list(ipv6Prefix, 'IPv6 prefixes').default([]),
});
