/**
 * Communities as text, single ones and patterns of them: standard `65000:100` or a well-known name (RFC 1997, RFC 7999, RFC 8326), extended
 * `rt:65000:100`, `soo:10.0.0.1:5` or `ext:0x0002fde800000064` (RFC 4360, RFC 5668), large `65000:1:2` (RFC 8092). In a pattern `*` stands
 * for any number, and `/.../` is a regular expression over the text.
 */
import { parseIp } from '../../../dataplane/packet/ip.js';
import type { LargeCommunity } from '../wire/types.js';
import { compilePattern } from './pattern.js';

export const BLACKHOLE = 0xffff029a;
export const GRACEFUL_SHUTDOWN = 0xffff0000;

const wellKnown = new Map([
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['no-export-subconfed', 0xffffff03],
  ['blackhole', BLACKHOLE],
  ['graceful-shutdown', GRACEFUL_SHUTDOWN],
]);
const names = new Map([...wellKnown].map(([name, value]) => [value, name]));

/** A whole number up to `maximum`, without leading zeros. */
function whole(text: string | undefined, maximum: number): number | undefined {
  if (text === undefined || !/^(0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= maximum ? value : undefined;
}

/** A community as operators write it: its well-known name, or the two halves. */
export const formatCommunity = (community: number): string => names.get(community) ?? `${community >>> 16}:${community & 0xffff}`;

export function parseCommunity(text: string): number | undefined {
  const named = wellKnown.get(text);
  if (named !== undefined) return named;
  const parts = text.split(':');
  const [high, low] = [whole(parts[0], 0xffff), whole(parts[1], 0xffff)];
  return parts.length !== 2 || high === undefined || low === undefined ? undefined : high * 0x10000 + low;
}

export const formatLargeCommunity = ({ global, local1, local2 }: LargeCommunity): string => `${global}:${local1}:${local2}`;

export function parseLargeCommunity(text: string): LargeCommunity | undefined {
  const parts = text.split(':');
  const [global, local1, local2] = parts.map((part) => whole(part, 0xffffffff));
  if (parts.length !== 3 || global === undefined || local1 === undefined || local2 === undefined) return undefined;
  return { global, local1, local2 };
}

/** Transitive types: two-octet AS, IPv4 address, four-octet AS. */
const TYPE_AS2 = 0x00;
const TYPE_IPV4 = 0x01;
const TYPE_AS4 = 0x02;
const subtypes = new Map([
  ['rt', 0x02],
  ['soo', 0x03],
]);
const subtypeNames = new Map([...subtypes].map(([name, value]) => [value, name]));

export function formatExtendedCommunity(community: bigint): string {
  const bits = (shift: bigint, mask: bigint): number => Number((community >> shift) & mask);
  const type = bits(56n, 0xffn);
  const name = subtypeNames.get(bits(48n, 0xffn));
  if (name !== undefined && type === TYPE_AS2) return `${name}:${bits(32n, 0xffffn)}:${bits(0n, 0xffffffffn)}`;
  if (name !== undefined && type === TYPE_IPV4) return `${name}:${[40n, 32n, 24n, 16n].map((shift) => bits(shift, 0xffn)).join('.')}:${bits(0n, 0xffffn)}`;
  if (name !== undefined && type === TYPE_AS4) return `${name}:${bits(16n, 0xffffffffn)}${bits(16n, 0xffffffffn) <= 0xffff ? 'L' : ''}:${bits(0n, 0xffffn)}`;
  return `ext:0x${community.toString(16).padStart(16, '0')}`;
}

/** An AS number up to 65535 takes the two-octet form unless an `L` follows it. */
export function parseExtendedCommunity(text: string): bigint | undefined {
  const raw = /^ext:0x([0-9a-fA-F]{16})$/.exec(text);
  if (raw) return BigInt(`0x${raw[1]!}`);
  const [name = '', administrator = '', number, ...rest] = text.split(':');
  const subtype = subtypes.get(name);
  if (subtype === undefined || rest.length > 0) return undefined;
  const build = (type: number, value: bigint): bigint => (BigInt(type) << 56n) | (BigInt(subtype) << 48n) | value;
  if (administrator.includes('.')) {
    const bytes = parseIp(administrator);
    const low = whole(number, 0xffff);
    return bytes?.length !== 4 || low === undefined ? undefined : build(TYPE_IPV4, (BigInt(new DataView(bytes.buffer).getUint32(0)) << 16n) | BigInt(low));
  }
  const as = whole(administrator.replace(/L$/, ''), 0xffffffff);
  if (as === undefined) return undefined;
  const isWide = as > 0xffff || administrator.endsWith('L');
  const low = whole(number, isWide ? 0xffff : 0xffffffff);
  if (low === undefined) return undefined;
  return isWide ? build(TYPE_AS4, (BigInt(as) << 16n) | BigInt(low)) : build(TYPE_AS2, (BigInt(as) << 32n) | BigInt(low));
}

/** RFC 4360 section 2: the T bit of the type octet. */
export const isNonTransitive = (community: bigint): boolean => ((community >> 56n) & 0x40n) !== 0n;

export type CommunityPattern<T> = (community: T) => boolean;

/** One kind of community: how single values read and write. */
interface Kind<T> {
  readonly parse: (text: string) => T | undefined;
  readonly format: (community: T) => string;
  readonly equal: (a: T, b: T) => boolean;
  /** Parts of the text between colons, `*` allowed in each; undefined when this is no such text. */
  readonly wildcard: RegExp;
}

const standard: Kind<number> = { parse: parseCommunity, format: (value) => `${value >>> 16}:${value & 0xffff}`, equal: Object.is, wildcard: /^(\*|\d{1,5}):(\*|\d{1,5})$/ };
const extended: Kind<bigint> = { parse: parseExtendedCommunity, format: formatExtendedCommunity, equal: Object.is, wildcard: /^(rt|soo|\*):(\*|[\d.]+L?):(\*|\d{1,10})$/ };
const large: Kind<LargeCommunity> = {
  parse: parseLargeCommunity,
  format: formatLargeCommunity,
  equal: (a, b) => a.global === b.global && a.local1 === b.local1 && a.local2 === b.local2,
  wildcard: /^(\*|\d{1,10}):(\*|\d{1,10}):(\*|\d{1,10})$/,
};

function patternOf<T>(kind: Kind<T>, text: string): CommunityPattern<T> | undefined {
  if (text.length > 2 && text.startsWith('/') && text.endsWith('/')) {
    const matches = compilePattern(text.slice(1, -1));
    return typeof matches === 'function' ? (community) => matches(kind.format(community)) : undefined;
  }
  const exact = kind.parse(text);
  if (exact !== undefined) return (community) => kind.equal(community, exact);
  if (!text.includes('*') || !kind.wildcard.test(text)) return undefined;
  const wanted = text.split(':');
  return (community) => {
    const parts = kind.format(community).split(':');
    return parts.length === wanted.length && wanted.every((part, index) => part === '*' || part === parts[index]);
  };
}

/** Patterns; undefined for text that is none. */
export const communityPattern = (text: string): CommunityPattern<number> | undefined => patternOf(standard, text);
export const extendedCommunityPattern = (text: string): CommunityPattern<bigint> | undefined => patternOf(extended, text);
export const largeCommunityPattern = (text: string): CommunityPattern<LargeCommunity> | undefined => patternOf(large, text);
