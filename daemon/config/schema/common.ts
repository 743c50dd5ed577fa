/**
 * The scalars of a configuration file. Values leave canonical (addresses) and in base units (ms, us, bit/s, octets). The message of
 * every rule is what was expected, so that an error can be read without this file.
 */
import { z } from 'zod';
import { canonicalIp, parseIp } from '../../../dataplane/packet/ip.js';
import {
  parseBandwidth,
  parseDuration,
  parseIpv6Address,
  parseLoss,
  parseOctets,
  parsePrefix,
  parseQuantity,
  parseServicePrefix,
} from '../scalars.js';

/** A text that `parse` turns into a value; `expected` is the description and the error. */
export function text<T>(expected: string, parse: (value: string) => T | undefined) {
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
export function quantity<T>(expected: string, parse: (value: string) => T | undefined) {
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

export function integer(minimum: number, maximum: number, what = 'a whole number') {
  const error = `${what} from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error }).meta({ description: error });
}

export function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  const error = `one of ${values.join(', ')}`;
  return z.enum(values, { error }).meta({ description: error });
}

export const flag = z.boolean({ error: 'true or false' });
export const list = <T extends z.ZodType>(item: T, what: string) => z.array(item, { error: `a list of ${what}` });
export const mapping = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, { error: 'a mapping' });
export const byKey = <K extends z.core.$ZodRecordKey, V extends z.ZodType>(key: K, value: V, what: string) => z.record(key, value, { error: `a mapping of ${what}` });

export const duration = (minimumMs: number, maximumMs: number, range: string) =>
  quantity(`a duration such as 100ms, 1s or 5m (${range})`, (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms >= minimumMs && ms <= maximumMs ? ms : undefined;
  });
export const microseconds = (range = 'up to 1h') =>
  quantity(`a duration such as 500us, 5ms or 1s (${range})`, (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms <= 3_600_000 ? Math.round(ms * 1000) : undefined;
  });

export const operations = quantity('operations per second such as 1e12 or 8T', parseQuantity);
export const octets = quantity('octets such as 1e9 or 10GiB', parseOctets);
export const bandwidth = quantity('a bandwidth such as 10mbit, 1gbit or 1e9 (bit/s)', parseBandwidth);
export const loss = quantity('a loss such as 1% or 100ppm', parseLoss);

export const ip = text('an IP address', canonicalIp);
export const ipv6 = text('an IPv6 address', parseIpv6Address);
export const globalIpv6 = text('a global IPv6 address (not link-local, multicast, loopback or unspecified)', (value) => {
  const address = parseIpv6Address(value);
  const bytes = address === undefined ? undefined : parseIp(address);
  if (address === undefined || !bytes || address === '::' || address === '::1') return undefined;
  return bytes[0] === 0xff || (bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) ? undefined : address;
});
export const prefix = text('a prefix "address/length" without host bits', parsePrefix);
export const ipv6Prefix = text('an IPv6 prefix "address/length" without host bits', (value) => (value.includes(':') ? parsePrefix(value) : undefined));
export const servicePrefix = text('a unicast prefix "address/length" without host bits', parseServicePrefix);
export const interfaceName = text('an interface name of 1 to 15 characters', (value) => (/^[^\s/:]{1,15}$/.test(value) ? value : undefined));
export const dottedQuad = text('a dotted quad such as 10.0.0.1, not 0.0.0.0', (value) => (value.includes('.') && value !== '0.0.0.0' ? (value.includes(':') ? undefined : canonicalIp(value)) : undefined));
export const name = text('a name of 1 to 63 letters, digits, dots, dashes and underscores', (value) => (/^[\w.-]{1,63}$/.test(value) ? value : undefined));
export const line = text('a text of at most 255 characters on one line', (value) => (/^[^\n\r]{0,255}$/.test(value) ? value : undefined));

export const port = integer(1, 65535, 'a port');

export const CLASSES = oneOf('logical', 'parallel', 'neural');
export const U32 = 0xffffffff;
