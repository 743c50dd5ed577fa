/** OSPFv3 (RFC 5340): one area, its interfaces, what is announced into it, and how fast routes follow. */
import { bfdProfile } from './bfd.js';
import { byKey, duration, flag, integer, interfaceName, ipv6Prefix, list, mapping, oneOf, text, U32 } from './common.js';
import { canonicalIp } from '../../../dataplane/packet/ip.js';

const dotted = (value: string): string | undefined => (value.includes('.') && !value.includes(':') ? canonicalIp(value) : undefined);
const areaId = text('an area such as 0.0.0.0 or 0.0.0.1 (dotted quad)', dotted);
const routerId = text('a dotted quad such as 10.0.0.1, not 0.0.0.0', (value) => (value === '0.0.0.0' ? undefined : dotted(value)));

const authentication = mapping({
  keyId: integer(0, 0xffff, 'a Security Association ID'),
  algorithm: oneOf('hmac-sha-1', 'hmac-sha-256', 'hmac-sha-384', 'hmac-sha-512').default('hmac-sha-256'),
  /** Cryptographic Protocol ID (RFC 7166 section 4.5); 256 towards FRR before 9.1, which sends the octets swapped. */
  protocolId: integer(0, 0xffff, 'a Cryptographic Protocol ID').optional(),
  password: text('a key of 1 to 255 characters', (value) => (/^[^\n\r]{1,255}$/.test(value) ? value : undefined)),
});

const wholeSeconds = (maximum: number) =>
  duration(1000, maximum * 1000, `whole seconds from 1s to ${maximum}s`).refine((ms) => ms % 1000 === 0, { error: `whole seconds from 1s to ${maximum}s` });

const ospfInterface = mapping({
  network: oneOf('point-to-point', 'broadcast').default('broadcast'),
  /** By default 100 Gbit/s over the bandwidth of the interface where that is configured, else 10. */
  cost: integer(1, 65535, 'a cost').optional(),
  priority: integer(0, 255, 'a priority').default(1),
  hello: wholeSeconds(65535).default(10_000),
  dead: wholeSeconds(65535).optional(),
  retransmit: duration(100, 3_600_000, '100ms to 1h').default(5000),
  transmitDelay: integer(1, 3600, 'seconds').default(1),
  instanceId: integer(0, 255, 'an instance ID').optional(),
  mtuIgnore: flag.default(false),
  passive: flag.default(false),
  bfd: bfdProfile.default(false),
  authentication: list(authentication, 'keys').max(8, { error: 'at most 8 keys' }).default([]),
  area: areaId.optional(),
});

const redistribute = mapping({
  metric: integer(0, 0xfffffe, 'a metric').default(20),
  type: integer(1, 2, 'a metric type').default(2),
  tag: integer(1, U32, 'a tag').optional(),
  prefixes: list(ipv6Prefix, 'IPv6 prefixes').default([]),
});

export const ospf = mapping({
  area: areaId.default('0.0.0.0'),
  routerId: routerId.optional(),
  instanceId: integer(0, 255, 'an instance ID').default(0),
  interfaces: byKey(interfaceName, ospfInterface, 'interfaces by name').default({}),
  redistribute: mapping({ connected: redistribute.optional(), static: redistribute.optional(), bgp: redistribute.optional() }).prefault({}),
  spf: mapping({
    initialDelay: duration(0, 60_000, 'up to 1m').default(50),
    shortDelay: duration(0, 60_000, 'up to 1m').default(200),
    longDelay: duration(0, 60_000, 'up to 1m').default(5000),
    timeToLearn: duration(0, 600_000, 'up to 10m').default(500),
    holdDown: duration(0, 600_000, 'up to 10m').default(10_000),
  }).prefault({}),
  maxLsas: integer(0, 10_000_000, 'a number of LSAs (0: no limit)').default(100_000),
  maxPaths: integer(1, 64, 'a number of paths').default(16),
  fastReroute: oneOf('none', 'lfa', 'ti-lfa').default('ti-lfa'),
  gracefulRestartHelper: mapping({ enabled: flag.default(true), maxGrace: duration(1000, 1_800_000, '1s to 30m').default(1_800_000), strictLsaChecking: flag.default(true) }).prefault({}),
  trafficEngineering: mapping({
    enabled: flag.default(true),
    minInterval: duration(1000, 3_600_000, '1s to 1h').default(5000),
    maxInterval: duration(1000, 86_400_000, '1s to 24h').default(120_000),
    /** Relative change of a delay, or absolute change of a loss or share of bandwidth. */
    threshold: integer(1, 100, 'percent').default(10),
  }).prefault({}),
  delayPaths: mapping({
    enabled: flag.default(true),
    /** Least gain for which a path other than that of least cost is taken. */
    gain: integer(0, 100, 'percent').default(10),
  }).prefault({}),
  /** Own instances are announced in CPN LSAs, and those of others are taken. */
  computing: flag.default(true),
  cpnLsType: integer(0x2000, 0xffff, 'an LS type').default(0xbff0),
});
