/**
 * IP addresses and prefixes: text <-> octets, canonical text (RFC 5952), and a prefix value usable as a map key.
 *
 * Codecs work on octets (`Uint8Array`, 4 or 16 long, network order); everything above them uses canonical text, so that two
 * spellings of one address are the same key.
 */
import { isIPv4, isIPv6 } from 'node:net';

/** 4 (IPv4) or 6 (IPv6). */
export type Family = 4 | 6;

/** Octets in an address of a family. */
export const addressLength = (family: Family): 4 | 16 => (family === 4 ? 4 : 16);

/** Parses an IPv4 or IPv6 address without zone; undefined when the text is not one. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const bytes = new Uint8Array(16);
  let source = text;
  const dot = source.indexOf('.');
  if (dot >= 0) {
    const start = source.lastIndexOf(':') + 1;
    const [a, b, c, d] = source.slice(start).split('.').map(Number) as [number, number, number, number];
    source = `${source.slice(0, start)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', tail] = source.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const write = (groups: string[], index: number): void => {
    for (const group of groups) {
      const value = Number.parseInt(group, 16);
      bytes[index++] = value >> 8;
      bytes[index++] = value & 0xff;
    }
  };
  write(left, 0);
  write(right, 16 - 2 * right.length);
  return bytes;
}

/** Formats `length` (4 or 16) octets at `offset` as canonical text (RFC 5952 for IPv6). */
export function formatIp(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): string {
  if (length === 4) return `${bytes[offset]!}.${bytes[offset + 1]!}.${bytes[offset + 2]!}.${bytes[offset + 3]!}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[offset + i]! << 8) | bytes[offset + i + 1]!);
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; ) {
    if (groups[i] !== 0) {
      i++;
      continue;
    }
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > bestLength) {
      bestStart = i;
      bestLength = end - i;
    }
    i = end;
  }
  const hex = (from: number, to: number): string => groups.slice(from, to).map((g) => g.toString(16)).join(':');
  if (bestStart < 0) return hex(0, 8);
  // RFC 5952 section 5: IPv4-mapped addresses in mixed notation.
  if (bestStart === 0 && bestLength === 5 && groups[5] === 0xffff) return `::ffff:${formatIp(bytes, offset + 12, 4)}`;
  return `${hex(0, bestStart)}::${hex(bestStart + bestLength, 8)}`;
}

/** Canonical text of an address, or undefined when it is not one. */
export function canonicalIp(text: string): string | undefined {
  const bytes = parseIp(text);
  return bytes && formatIp(bytes);
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);

/** The bits of the index-th 32-bit word that lie within a prefix of a length. */
function maskOf(index: number, length: number): number {
  const bits = length - 32 * index;
  return bits >= 32 ? -1 : bits <= 0 ? 0 : -1 << (32 - bits);
}

/** An IP prefix with the bits past its length cleared. Immutable. `toString()` is canonical and fit for map keys. */
export class Prefix {
  #bytes: Uint8Array | undefined;
  #text: string | undefined;

  /**
   * The address as signed 32-bit words, of IPv4 the first alone: a table of some hundred thousand prefixes in this form takes half of what it
   * takes with an array of octets each.
   */
  private constructor(
    readonly family: Family,
    readonly word0: number,
    readonly word1: number,
    readonly word2: number,
    readonly word3: number,
    /** Prefix length in bits. */
    readonly length: number,
  ) {}

  /** 4 or 16 octets, bits past `length` zero. */
  get bytes(): Uint8Array {
    if (this.#bytes) return this.#bytes;
    const bytes = new Uint8Array(addressLength(this.family));
    const view = new DataView(bytes.buffer);
    view.setInt32(0, this.word0);
    if (this.family === 6) {
      view.setInt32(4, this.word1);
      view.setInt32(8, this.word2);
      view.setInt32(12, this.word3);
    }
    return (this.#bytes = bytes);
  }

  /** Builds a prefix from an address of 4 or 16 octets (copied) and a length in bits; host bits are cleared. */
  static of(address: Uint8Array, length: number): Prefix {
    return Prefix.fromWire(address.length === 4 ? 4 : 6, address, 0, length);
  }

  /**
   * Builds a prefix from the octets that routing protocols carry of it, ceil(length / 8) at `offset` of `source` (copied); host bits
   * are cleared. The caller has checked that they are there and that the length suits the family.
   */
  static fromWire(family: Family, source: Uint8Array, offset: number, length: number): Prefix {
    const word0 = word(source, offset) & maskOf(0, length);
    if (length <= 32) return new Prefix(family, word0, 0, 0, 0, length);
    const word1 = word(source, offset + 4) & maskOf(1, length);
    if (length <= 64) return new Prefix(family, word0, word1, 0, 0, length);
    return new Prefix(family, word0, word1, word(source, offset + 8) & maskOf(2, length), word(source, offset + 12) & maskOf(3, length), length);
  }

  /** Whether this is the same prefix. */
  equals(other: Prefix): boolean {
    return (
      this === other ||
      (this.word0 === other.word0 &&
        this.word1 === other.word1 &&
        this.length === other.length &&
        this.word2 === other.word2 &&
        this.word3 === other.word3 &&
        this.family === other.family)
    );
  }

  /** The prefix of one address, of full length. */
  static host(address: string | Uint8Array): Prefix {
    const bytes = typeof address === 'string' ? parseIp(address) : address;
    if (!bytes) throw new TypeError(`not an IP address: ${String(address)}`);
    return Prefix.of(bytes, bytes.length * 8);
  }

  /** Parses `address/length` (an address alone is a host prefix); undefined when it is not one. Host bits are cleared. */
  static parse(text: string): Prefix | undefined {
    const slash = text.indexOf('/');
    const bytes = parseIp(slash < 0 ? text : text.slice(0, slash));
    if (!bytes) return undefined;
    if (slash < 0) return Prefix.of(bytes, bytes.length * 8);
    const digits = text.slice(slash + 1);
    if (!/^\d{1,3}$/.test(digits) || Number(digits) > bytes.length * 8) return undefined;
    return Prefix.of(bytes, Number(digits));
  }

  /** Parses text that is known to be a prefix (constants, tests); throws TypeError otherwise. */
  static from(text: string): Prefix {
    const prefix = Prefix.parse(text);
    if (!prefix) throw new TypeError(`not an IP prefix: ${text}`);
    return prefix;
  }

  /** Whether `other` (a prefix or an address of 4 or 16 octets) lies inside this prefix. */
  contains(other: Prefix | Uint8Array): boolean {
    if (other instanceof Prefix) return other.family === this.family && other.length >= this.length && this.covers(other.word0, other.word1, other.word2, other.word3);
    if (other.length !== addressLength(this.family)) return false;
    return this.family === 4 ? this.covers(word(other, 0), 0, 0, 0) : this.covers(word(other, 0), word(other, 4), word(other, 8), word(other, 12));
  }

  private covers(word0: number, word1: number, word2: number, word3: number): boolean {
    const { length } = this;
    return (
      ((word0 ^ this.word0) & maskOf(0, length)) === 0 &&
      (length <= 32 || ((word1 ^ this.word1) & maskOf(1, length)) === 0) &&
      (length <= 64 || (((word2 ^ this.word2) & maskOf(2, length)) === 0 && ((word3 ^ this.word3) & maskOf(3, length)) === 0))
    );
  }

  overlaps(other: Prefix): boolean {
    return this.contains(other) || other.contains(this);
  }

  /** The address part as canonical text. */
  get address(): string {
    return formatIp(this.bytes);
  }

  toString(): string {
    return (this.#text ??= `${formatIp(this.bytes)}/${this.length}`);
  }
}
