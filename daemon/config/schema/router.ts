/** The router itself, its interfaces and static routes. */
import { parseInterfaceAddress } from '../scalars.js';
import { bandwidth, dottedQuad, flag, globalIpv6, integer, interfaceName, ip, ipv6Prefix, list, mapping, name, oneOf, prefix, text } from './common.js';

export const router = mapping({
  name: name.optional(),
  id: dottedQuad,
  loopback: globalIpv6,
  locator: ipv6Prefix,
  sidStructure: mapping({ block: integer(1, 127), node: integer(1, 127), function: integer(12, 31), argument: integer(0, 64).default(0) }).optional(),
  sidBlocks: list(ipv6Prefix, 'IPv6 prefixes').optional(),
  domainSources: list(ipv6Prefix, 'IPv6 prefixes').min(1, { error: 'at least one prefix' }),
});

export const interfaceConfig = mapping({
  role: oneOf('core', 'client', 'node').default('core'),
  addresses: list(text('an address with length such as 2001:db8::1/64', parseInterfaceAddress), 'addresses with length').default([]),
  endX: globalIpv6.optional(),
  bandwidth: bandwidth.optional(),
});

const weight = integer(1, 256, 'a weight');

export const staticRoute = mapping({
  prefix,
  via: ip.optional(),
  interface: interfaceName.optional(),
  nextHops: list(mapping({ via: ip.optional(), interface: interfaceName.optional(), weight: weight.default(1) }), 'next hops').optional(),
  unreachable: flag.default(false),
  distance: integer(1, 254, 'a distance').default(1),
});
