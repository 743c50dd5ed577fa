/** Addresses and prefixes in LSAs: a prefix takes whole 32-bit words (RFC 5340 section A.4.1). */
import type { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { formatIp, parseIp, Prefix } from '../../../dataplane/packet/ip.js';

/** A prefix with PrefixOptions and the 16 bits after them, whose meaning the LSA tells. */
interface WirePrefix {
  readonly prefix: Prefix;
  readonly options: number;
  readonly third: number;
}

/** Octets of a prefix of so many bits. */
export const prefixOctets = (bits: number): number => ((bits + 31) >>> 5) * 4;

/** Reads PrefixLength, PrefixOptions, 16 bits and the prefix; undefined when they are not there or the length is impossible. */
export function readPrefix(reader: Reader): WirePrefix | undefined {
  const length = reader.u8();
  const options = reader.u8();
  const third = reader.u16();
  const prefix = readPrefixOctets(reader, length);
  return prefix && { prefix, options, third };
}

/** Reads the words of a prefix of `length` bits; undefined when they are not there or the length is impossible. */
export function readPrefixOctets(reader: Reader, length: number): Prefix | undefined {
  if (length > 128) return undefined;
  const octets = reader.octets(prefixOctets(length));
  return reader.ok ? Prefix.fromWire(6, octets, 0, length) : undefined;
}

/** Throws RangeError for an IPv4 prefix. */
export function writePrefix(writer: Writer, prefix: Prefix, options: number, third: number): void {
  writer.u8(prefix.length).u8(options).u16(third);
  writePrefixOctets(writer, prefix);
}

/** Throws RangeError for an IPv4 prefix. */
export function writePrefixOctets(writer: Writer, prefix: Prefix): void {
  if (prefix.family !== 6) throw new RangeError(`${prefix.toString()} is not an IPv6 prefix`);
  writer.octets(prefix.bytes.subarray(0, prefixOctets(prefix.length)));
}

/** Reads 16 octets as canonical text; `::` when they are not there, which the reader remembers. */
export function readAddress(reader: Reader): string {
  const octets = reader.octets(16);
  return octets.length === 16 ? formatIp(octets) : '::';
}

/** Throws RangeError when the text is not an IPv6 address. */
export function writeAddress(writer: Writer, address: string): void {
  const octets = parseIp(address);
  if (octets?.length !== 16) throw new RangeError(`${address} is not an IPv6 address`);
  writer.octets(octets);
}
