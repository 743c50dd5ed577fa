/** BGP: the speaker and its neighbors. */
import { z } from 'zod';
import { parseDuration } from '../scalars.js';
import { duration, flag, integer, ip, line, list, mapping, oneOf, port, prefix, quantity, servicePrefix, text } from './common.js';

/** 23456 is AS_TRANS (RFC 6793 section 9), 65535 and 2^32-1 are reserved (RFC 7300), 0 is refused (RFC 7607). */
const asNumber = z
  .int({ error: 'an AS number from 1 to 4294967294, not 23456 or 65535' })
  .refine((value) => value >= 1 && value < 0xffffffff && value !== 23456 && value !== 65535, {
    error: 'an AS number from 1 to 4294967294, not 23456 or 65535',
  })
  .meta({ description: 'AS number' });
const holdTime = quantity('a hold time of 0 (none) or 3s to 65535s (RFC 4271 section 4.2)', (value) => {
  const ms = parseDuration(value);
  return ms !== undefined && ms % 1000 === 0 && (ms === 0 || (ms >= 3000 && ms <= 65_535_000)) ? ms : undefined;
});

const routeFilter = z
  .union([z.enum(['any', 'none']), z.array(prefix)], { error: 'any, none or a list of prefixes' })
  .meta({ description: 'any, none or a list of prefixes; RFC 8212: none by default towards another AS' });

const gtsm = z
  .union([flag, mapping({ hops: integer(1, 254, 'a number of hops').default(1) })], { error: 'true, false or {hops: N} with N from 1 to 254' })
  .meta({ description: 'GTSM (RFC 5082): packets leave with hop limit 255 and are taken only from at most so many hops away; true is one hop' });

/** RFC 2385 section 4.5: printable ASCII; Linux takes 80 octets at most (TCP_MD5SIG_MAXKEYLEN). */
const password = text('a password of 1 to 80 printable ASCII characters', (value) => (/^[ -~]{1,80}$/.test(value) ? value : undefined));

const neighbor = mapping({
  address: ip,
  port: port.default(179),
  as: asNumber,
  localAddress: ip.optional(),
  description: line.default(''),
  passive: flag.default(false),
  holdTime: holdTime.default(90_000),
  connectRetry: duration(1000, 600_000, '1s to 10m').default(5000),
  ttl: integer(1, 255, 'a hop limit').optional(),
  gtsm: gtsm.default(false),
  password: password.optional(),
  cpn: flag.default(false),
  cpnAccept: list(servicePrefix, 'service prefixes').default([]),
  addPath: oneOf('both', 'receive', 'send', 'none').optional(),
  nextHopSelf: flag.default(false),
  import: routeFilter.optional(),
  export: routeFilter.optional(),
}).refine(({ ttl, gtsm: protection }) => ttl === undefined || protection === false, { path: ['ttl'], error: 'no ttl beside gtsm, whose packets leave with hop limit 255 (RFC 5082 section 3)' });

export const bgp = mapping({
  as: asNumber,
  listen: mapping({ addresses: list(ip, 'addresses').default(['::']), port: port.default(179) }).prefault({}),
  networks: list(prefix, 'prefixes').optional(),
  neighbors: list(neighbor, 'neighbors').default([]),
});
