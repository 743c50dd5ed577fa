/** BGP: the speaker, its neighbors, and what they have in common. */
import { z } from 'zod';
import { parseDuration } from '../scalars.js';
import { bgpBfd } from './bfd.js';
import { asNumber, asPathLists, policies, prefixLists } from './bgp-policy.js';
import { families, vpn } from './bgp-vpn.js';
import { byKey, dottedQuad, duration, flag, integer, ip, line, list, mapping, name, oneOf, port, prefix, quantity, text } from './common.js';

const holdTime = quantity('a hold time of 0 (none) or 3s to 65535s (RFC 4271 section 4.2)', (value) => {
  const ms = parseDuration(value);
  return ms !== undefined && ms % 1000 === 0 && (ms === 0 || (ms >= 3000 && ms <= 65_535_000)) ? ms : undefined;
});

const names = z.union([z.array(name).min(1), name.transform((value) => [value])], { error: 'the name of a policy or a list of names' });

const routeFilter = z
  .union([z.enum(['any', 'none']), z.array(prefix), mapping({ policy: names })], { error: 'any, none, a list of prefixes or {policy: NAME}' })
  .meta({ description: 'any, none, a list of prefixes (with all inside them) or {policy: NAME} with one name or several; RFC 8212: none by default towards another AS' });

const prefixLimit = mapping({
  limit: integer(1, 100_000_000, 'a number of routes'),
  warnAt: integer(1, 100, 'a percentage').default(75),
  action: oneOf('warn', 'restart', 'shutdown').default('shutdown'),
  restartAfter: duration(1000, 86_400_000, '1s to 1d').default(300_000),
});

const gtsm = z
  .union([flag, mapping({ hops: integer(1, 254, 'a number of hops').default(1) })], { error: 'true, false or {hops: N} with N from 1 to 254' })
  .meta({ description: 'GTSM (RFC 5082): packets leave with hop limit 255 and are taken only from at most so many hops away; true is one hop' });

/** RFC 2385 section 4.5: printable ASCII; Linux takes 80 octets at most (TCP_MD5SIG_MAXKEYLEN). */
const password = text('a password of 1 to 80 printable ASCII characters', (value) => (/^[ -~]{1,80}$/.test(value) ? value : undefined));

/** What a neighbor may say for itself or take from its group; defaults are in resolve-bgp.ts. */
const options = {
  port: port.optional(),
  localAddress: ip.optional(),
  description: line.optional(),
  passive: flag.optional(),
  holdTime: holdTime.optional(),
  connectRetry: duration(1000, 600_000, '1s to 10m').optional(),
  advertisementInterval: duration(0, 600_000, '0 (none) or up to 10m').optional(),
  delayOpen: duration(0, 240_000, '0s to 4m').optional(),
  role: oneOf('provider', 'customer', 'rs', 'rs-client', 'peer').optional(),
  strictRole: flag.optional(),
  ttl: integer(1, 255, 'a hop limit').optional(),
  gtsm: gtsm.optional(),
  password: password.optional(),
  bfd: bgpBfd.optional(),
  cpn: flag.optional(),
  cpnAccept: list(prefix, 'service prefixes').optional(),
  addPath: oneOf('both', 'receive', 'send', 'none').optional(),
  nextHopSelf: flag.optional(),
  families: families.optional(),
  srv6: flag.optional(),
  routeReflectorClient: flag.optional(),
  allowAsIn: integer(0, 10, 'how often the own AS may stand in an AS path').optional(),
  advertisePeerAs: flag.optional(),
  removePrivateAs: z.union([flag, z.literal('replace')], { error: 'true, false or replace' }).optional(),
  maxPrefix: mapping({ 'ipv6-unicast': prefixLimit.optional(), 'ipv4-unicast': prefixLimit.optional(), 'ipv6-vpn': prefixLimit.optional(), 'ipv4-vpn': prefixLimit.optional() }).optional(),
  import: routeFilter.optional(),
  export: routeFilter.optional(),
};

const hopLimits = ({ ttl, gtsm: protection }: { ttl?: number | undefined; gtsm?: unknown }): boolean => ttl === undefined || protection === undefined || protection === false;
const hopLimitsFault = { path: ['ttl'], error: 'no ttl beside gtsm, whose packets leave with hop limit 255 (RFC 5082 section 3)' };

const neighbor = mapping({ address: ip, as: asNumber.optional(), group: name.optional(), ...options }).refine(hopLimits, hopLimitsFault);

const group = mapping({ as: asNumber.optional(), group: name.optional(), ...options }).refine(hopLimits, hopLimitsFault);

const dynamic = mapping({
  prefix,
  group: name.optional(),
  as: z.union([z.array(asNumber).min(1), asNumber.transform((value) => [value])], { error: 'an AS number or a list of them' }).optional(),
  limit: integer(1, 10_000, 'a number of neighbors').default(100),
});

export const bgp = mapping({
  as: asNumber,
  listen: mapping({ addresses: list(ip, 'addresses').default(['::']), port: port.default(179) }).prefault({}),
  networks: list(prefix, 'prefixes').optional(),
  vpn: vpn.optional(),
  routeReflector: mapping({ clusterId: dottedQuad }).optional(),
  groups: byKey(name, group, 'groups by name').default({}),
  neighbors: list(neighbor, 'neighbors').default([]),
  dynamic: list(dynamic, 'ranges of dynamic neighbors').default([]),
  prefixLists,
  asPathLists,
  policies,
});
