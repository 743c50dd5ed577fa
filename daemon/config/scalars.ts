/** Human forms of single values in a configuration file. Each parser returns undefined for a text that is not one. */
import { Prefix, canonicalIp, parseIp } from '../../dataplane/packet/ip.js';

const DURATION_UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "100ms", "1.5s", "5m" -> ms; "0" needs no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d)$/.exec(text);
  if (!match) return undefined;
  const ms = Number(match[1]) * DURATION_UNITS[match[2]!]!;
  return Math.round(ms * 1000) / 1000;
}

const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = { '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** Exact value of a decimal number with an optional exponent; undefined when it is no whole number or has more than 30 digits. */
function exactInteger(mantissa: string, exponent: number): bigint | undefined {
  const [whole = '', fraction = ''] = mantissa.split('.');
  const shift = exponent - fraction.length;
  if (whole.length + fraction.length + Math.max(0, shift) > 30) return undefined;
  const digits = BigInt(whole + fraction);
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return digits % divisor === 0n ? digits / divisor : undefined;
}

const MAX_U64 = (1n << 64n) - 1n;

/** "1e13", "8T", "1.5G", "1000" -> an unsigned 64-bit integer. */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^(\d+(?:\.\d+)?)(?:[eE]\+?(\d{1,2})|\s*([kMGTPE]))?$/.exec(text);
  if (!match) return undefined;
  const value = exactInteger(match[1]!, match[2] === undefined ? DECIMAL_EXPONENTS[match[3] ?? '']! : Number(match[2]));
  return value !== undefined && value <= MAX_U64 ? value : undefined;
}

/** "10mbit", "1.5Gbit/s", "1e9" -> bit/s. Prefixes are decimal, as rates are given. */
export function parseBandwidth(text: string): bigint | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)bit(?:\/s)?$/i.exec(text);
  if (!match) return parseQuantity(text);
  const prefix = match[2]!.toLowerCase();
  const value = exactInteger(match[1]!, { '': 0, k: 3, m: 6, g: 9, t: 12 }[prefix]!);
  return value !== undefined && value <= MAX_U64 ? value : undefined;
}

const BINARY_UNITS: Readonly<Record<string, bigint>> = { Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n, Ti: 1n << 40n, Pi: 1n << 50n };

/** "10GiB", "5GB", "1e9" -> octets. */
export function parseOctets(text: string): bigint | undefined {
  const binary = /^(\d+)\s*([KMGTP]i)B?$/.exec(text);
  if (binary) {
    const value = BigInt(binary[1]!) * BINARY_UNITS[binary[2]!]!;
    return value <= MAX_U64 ? value : undefined;
  }
  return parseQuantity(text.replace(/B$/, ''));
}

/** "1%", "0.01%", "100ppm" -> parts per million. */
export function parseLoss(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(%|ppm)$/.exec(text);
  if (!match) return undefined;
  const ppm = Math.round(Number(match[1]) * (match[2] === '%' ? 10_000 : 1));
  return ppm <= 1_000_000 ? ppm : undefined;
}

/** Canonical text of an IPv6 address without zone. */
export function parseIpv6Address(text: string): string | undefined {
  return text.includes(':') ? canonicalIp(text) : undefined;
}

/** Canonical text of a prefix; host bits must be clear, because they are a slip of the pen more often than not. */
export function parsePrefix(text: string): string | undefined {
  if (!text.includes('/')) return undefined;
  const prefix = Prefix.parse(text);
  const address = parseIp(text.slice(0, text.indexOf('/')));
  return prefix && address?.every((octet, i) => octet === prefix.bytes[i]) ? prefix.toString() : undefined;
}

/** Addresses in these are no unicast addresses of hosts (RFC 6890, RFC 4291); mapped ones stand for IPv4 in flow keys. */
const NO_SERVICES = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8'].map((text) => Prefix.from(text));

/** Canonical text of a prefix that service IDs may come from. */
export function parseServicePrefix(text: string): string | undefined {
  const canonical = parsePrefix(text);
  const prefix = canonical === undefined ? undefined : Prefix.from(canonical);
  return prefix && NO_SERVICES.every((reserved) => !reserved.overlaps(prefix)) ? canonical : undefined;
}

/** Canonical "address/length" of an interface; host bits stay. */
export function parseInterfaceAddress(text: string): string | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const prefix = Prefix.parse(text);
  return prefix && `${canonicalIp(text.slice(0, slash))!}/${prefix.length}`;
}
