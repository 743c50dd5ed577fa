/**
 * The shape of a configuration file: which fields there are, what each may hold, and its default. Values leave it canonical
 * (addresses) and in base units (ms, us, bit/s, octets); what depends on other fields is decided in resolve.ts and check.ts.
 *
 * The message of every rule is what was expected, so that an error can be read without this file.
 */
import { z } from 'zod';
import { canonicalIp, parseIp } from '../../dataplane/packet/ip.js';
import {
  parseBandwidth,
  parseDuration,
  parseInterfaceAddress,
  parseIpv6Address,
  parseLoss,
  parseOctets,
  parsePrefix,
  parseQuantity,
} from './scalars.js';

/** A text that `parse` turns into a value; `expected` is the description and the error. */
function text<T>(expected: string, parse: (value: string) => T | undefined) {
  return z
    .string({ error: expected })
    .transform((value, context): T => {
      const parsed = parse(value);
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ description: expected });
}

/** A number or a text with a unit. */
function quantity<T>(expected: string, parse: (value: string) => T | undefined) {
  return z
    .union([z.number(), z.bigint(), z.string()], { error: expected })
    .transform((value, context): T => {
      const parsed = parse(typeof value === 'number' && Number.isInteger(value) ? BigInt(value).toString() : String(value));
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({ description: expected });
}

function integer(minimum: number, maximum: number, what = 'a whole number') {
  const error = `${what} from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error }).meta({ description: error });
}

function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  const error = `one of ${values.join(', ')}`;
  return z.enum(values, { error }).meta({ description: error });
}

const flag = z.boolean({ error: 'true or false' });
const list = <T extends z.ZodType>(item: T, what: string) => z.array(item, { error: `a list of ${what}` });
const mapping = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, { error: 'a mapping' });
const byKey = <K extends z.core.$ZodRecordKey, V extends z.ZodType>(key: K, value: V, what: string) => z.record(key, value, { error: `a mapping of ${what}` });

const duration = (minimumMs: number, maximumMs: number, range: string) =>
  quantity(`a duration such as 100ms, 1s or 5m (${range})`, (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms >= minimumMs && ms <= maximumMs ? ms : undefined;
  });
const microseconds = (range = 'up to 1h') =>
  quantity(`a duration such as 500us, 5ms or 1s (${range})`, (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms <= 3_600_000 ? Math.round(ms * 1000) : undefined;
  });

const operations = quantity('operations per second such as 1e12 or 8T', parseQuantity);
const octets = quantity('octets such as 1e9 or 10GiB', parseOctets);
const bandwidth = quantity('a bandwidth such as 10mbit, 1gbit or 1e9 (bit/s)', parseBandwidth);
const loss = quantity('a loss such as 1% or 100ppm', parseLoss);

const ip = text('an IP address', canonicalIp);
const ipv6 = text('an IPv6 address', parseIpv6Address);
const globalIpv6 = text('a global IPv6 address (not link-local, multicast, loopback or unspecified)', (value) => {
  const address = parseIpv6Address(value);
  const bytes = address === undefined ? undefined : parseIp(address);
  if (address === undefined || !bytes || address === '::' || address === '::1') return undefined;
  return bytes[0] === 0xff || (bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) ? undefined : address;
});
const prefix = text('a prefix "address/length" without host bits', parsePrefix);
const ipv6Prefix = text('an IPv6 prefix "address/length" without host bits', (value) => (value.includes(':') ? parsePrefix(value) : undefined));
const servicePrefix = text('an IPv6 prefix "address/length" without host bits; IPv4 services are not supported by this version', (value) =>
  value.includes(':') ? parsePrefix(value) : undefined,
);
const service = text('an IPv6 address; IPv4 services are not supported by this version', parseIpv6Address);
const interfaceName = text('an interface name of 1 to 15 characters', (value) => (/^[^\s/:]{1,15}$/.test(value) ? value : undefined));
const dottedQuad = text('a dotted quad such as 10.0.0.1, not 0.0.0.0', (value) => (value.includes('.') && value !== '0.0.0.0' ? (value.includes(':') ? undefined : canonicalIp(value)) : undefined));
const name = text('a name of 1 to 63 letters, digits, dots, dashes and underscores', (value) => (/^[\w.-]{1,63}$/.test(value) ? value : undefined));
const line = text('a text of at most 255 characters on one line', (value) => (/^[^\n\r]{0,255}$/.test(value) ? value : undefined));

/** 23456 is AS_TRANS (RFC 6793 section 9), 65535 and 2^32-1 are reserved (RFC 7300), 0 is refused (RFC 7607). */
const asNumber = z
  .int({ error: 'an AS number from 1 to 4294967294, not 23456 or 65535' })
  .refine((value) => value >= 1 && value < 0xffffffff && value !== 23456 && value !== 65535, {
    error: 'an AS number from 1 to 4294967294, not 23456 or 65535',
  })
  .meta({ description: 'AS number' });
const port = integer(1, 65535, 'a port');

const CLASSES = oneOf('logical', 'parallel', 'neural');

const router = mapping({
  name: name.optional(),
  id: dottedQuad,
  loopback: globalIpv6,
  locator: ipv6Prefix,
  sidStructure: mapping({ block: integer(1, 127), node: integer(1, 127), function: integer(12, 31), argument: integer(0, 64).default(0) }).optional(),
  sidBlocks: list(ipv6Prefix, 'IPv6 prefixes').optional(),
  domainSources: list(ipv6Prefix, 'IPv6 prefixes').min(1, { error: 'at least one prefix' }),
});

const interfaceConfig = mapping({
  role: oneOf('core', 'client', 'node').default('core'),
  addresses: list(text('an address with length such as 2001:db8::1/64', parseInterfaceAddress), 'addresses with length').default([]),
  endX: globalIpv6.optional(),
});

const weight = integer(1, 256, 'a weight');

const staticRoute = mapping({
  prefix,
  via: ip.optional(),
  interface: interfaceName.optional(),
  nextHops: list(mapping({ via: ip.optional(), interface: interfaceName.optional(), weight: weight.default(1) }), 'next hops').optional(),
  unreachable: flag.default(false),
  distance: integer(1, 254, 'a distance').default(1),
});

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

const bgp = mapping({
  as: asNumber,
  listen: mapping({ addresses: list(ip, 'addresses').default(['::']), port: port.default(179) }).prefault({}),
  networks: list(prefix, 'prefixes').optional(),
  neighbors: list(neighbor, 'neighbors').default([]),
});

const objectiveWeight = integer(0, 255, 'a weight').default(0);

const requirements = mapping({
  maxLatency: microseconds().optional(),
  computing: mapping({ class: CLASSES, minOps: operations }).optional(),
  stickiness: mapping({ mode: oneOf('none', 'flow', 'client'), duration: duration(0, 65_535_000, 'up to 65535s').default(300_000) }).optional(),
  storage: mapping({ ability: oneOf('block', 'file', 'object'), minOctets: octets }).optional(),
  network: mapping({ minBandwidth: bandwidth.default(0n), maxPdv: microseconds().optional(), maxLoss: loss.optional() }).optional(),
  algorithm: integer(0, 65535, 'an algorithm number').optional(),
  objective: mapping({ latency: objectiveWeight, energy: objectiveWeight, utilisation: objectiveWeight, price: objectiveWeight }).optional(),
});

const transitSids = list(globalIpv6, 'SIDs').max(2, { error: 'at most 2 transit SIDs: a segment list has at most 3 SIDs' });

const serviceConfig = mapping({
  id: text('an IPv6 address or "default"; IPv4 services are not supported by this version', (value) => (value === 'default' ? value : parseIpv6Address(value))),
  requirements: requirements.prefault({}),
  via: byKey(ipv6, transitSids, 'exit router ID to transit SIDs').default({}),
});

const healthCheck = mapping({
  kind: oneOf('tcp', 'icmp'),
  address: ip.optional(),
  port: port.optional(),
  interval: duration(10, 3_600_000, '10ms to 1h').default(1000),
  timeout: duration(10, 60_000, '10ms to 1m').default(1000),
  fall: integer(1, 100).default(3),
  rise: integer(1, 100).default(2),
});

const U32 = 0xffffffff;

const instance = mapping({
  service,
  id: integer(1, U32, 'an instance number'),
  node: mapping({ address: ipv6, interface: interfaceName }),
  sid: globalIpv6.optional(),
  computing: list(
    mapping({ class: CLASSES, chip: oneOf('mixed', 'cpu', 'gpu', 'dpu', 'npu', 'tpu', 'fpga').default('mixed'), total: operations, residual: operations.optional() }),
    'computing capacities',
  ).default([]),
  serviceRate: integer(0, U32, 'requests per second').default(0),
  serviceDelay: mapping({ mean: microseconds(), p99: microseconds().optional() }).optional(),
  queueCapacity: integer(0, U32, 'a number of requests').default(100),
  healthCheck: healthCheck.optional(),
});

/** Types that IANA gave to other path attributes, and 254: BIRD drops the route (WIRE.md section 2). */
const FOREIGN_ATTRIBUTES = new Set([...Array(43).keys(), 128, 129, 254]);

/** Options that a receiver skips when it does not know them and that stay unchanged under way: high bits 000 (RFC 8200 section 4.2). */
const FOREIGN_OPTIONS = new Set([0x00, 0x01, 0x04, 0x05, 0x07, 0x08, 0x0f]);

const cpn = mapping({
  servicePrefixes: list(servicePrefix, 'IPv6 prefixes').default([]),
  attributeType: z
    .int({ error: 'a BGP attribute type from 43 to 255 that is neither 128, 129 nor 254' })
    .refine((value) => value > 0 && value < 256 && !FOREIGN_ATTRIBUTES.has(value), { error: 'a BGP attribute type from 43 to 255 that is neither 128, 129 nor 254' })
    .default(255),
  requirementOption: z
    .int({ error: 'an IPv6 option type from 2 to 31 (skip if unknown, immutable) that is not assigned' })
    .refine((value) => value >= 0 && value < 32 && !FOREIGN_OPTIONS.has(value), { error: 'an IPv6 option type from 2 to 31 (skip if unknown, immutable) that is not assigned' })
    .default(0x1e),
  services: list(serviceConfig, 'services').default([]),
  instances: list(instance, 'instances').default([]),
  stamp: mapping({
    enabled: flag.default(true),
    port: port.default(862),
    interval: duration(10, 60_000, '10ms to 1m').default(100),
    lost: integer(1, 1000).default(3),
  }).prefault({}),
  announce: mapping({
    minInterval: duration(0, 600_000, 'up to 10m').default(1000),
    threshold: z.number({ error: 'a number from 0 to 1' }).min(0, { error: 'a number from 0 to 1' }).max(1, { error: 'a number from 0 to 1' }).default(0.1),
  }).prefault({}),
  restartTime: duration(0, 4_095_000, 'up to 4095s').default(60_000),
});

const packetsPerSecond = (value: number) => integer(0, 100_000_000, 'packets per second').default(value);
const burst = (value: number) => integer(1, 100_000_000, 'packets').default(value);

const dataplane = mapping({
  kind: oneOf('kernel', 'fake').default('kernel'),
  reduced: flag.default(false),
  flowIdle: duration(1000, 86_400_000, '1s to 24h').default(300_000),
  maxFlows: integer(1024, 4_194_304, 'a number of flows').default(131_072),
  maxNewFlows: integer(1024, 4_194_304, 'a number of flows').default(65_536),
  puntLimits: mapping({
    interfaceRate: packetsPerSecond(100_000),
    interfaceBurst: burst(5_000),
    sourceRate: packetsPerSecond(20_000),
    sourceBurst: burst(5_000),
  }).prefault({}),
});

/** The whole file. */
export const fileSchema = mapping({
  router,
  interfaces: byKey(interfaceName, interfaceConfig, 'interfaces by name').default({}),
  static: list(staticRoute, 'static routes').default([]),
  bgp: bgp.optional(),
  cpn: cpn.prefault({}),
  dataplane: dataplane.prefault({}),
  api: mapping({
    listen: text('unix:///absolute/path', (value) => (/^unix:\/\/\/[^\0]{1,100}$/.test(value) ? value : undefined)).default('unix:///run/cpn/cpnd.sock'),
  }).prefault({}),
  log: mapping({ level: oneOf('trace', 'debug', 'info', 'warn', 'error').default('info') }).prefault({}),
});

export type FileConfig = z.output<typeof fileSchema>;
export type FileNeighbor = NonNullable<FileConfig['bgp']>['neighbors'][number];
