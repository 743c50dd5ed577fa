/**
 * The key of the pinned-flow map: a 5-tuple in 40 octets, the same layout in the BPF program (`struct flow_key` of dataplane/bpf/cpn.bpf.c).
 *
 *     0 source address 16 | 16 destination address 16 | 32 source port 2 | 34 destination port 2 | 36 protocol 1 | 37 space 1 | 38 zero 2
 *
 * Ports in network order. IPv4 addresses stand as IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2). The space keeps apart what one router decides
 * of the same 5-tuple as entry and as border (FLOW_SPACES of dataplane.ts).
 */
import { Prefix, formatIp, parseIp } from './ip.js';

/** A 5-tuple; addresses are canonical text. */
export interface FiveTuple {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Octets in a flow key. */
export const FLOW_KEY_LENGTH = 40;

export const FLOW_KEY_SOURCE = 0;
export const FLOW_KEY_DESTINATION = 16;
export const FLOW_KEY_SOURCE_PORT = 32;
export const FLOW_KEY_DESTINATION_PORT = 34;
export const FLOW_KEY_PROTOCOL = 36;
export const FLOW_KEY_SPACE = 37;

const MAPPED = '::ffff:';

/** Prefix of the mapped addresses: none of them may be the address of an IPv6 service. */
export const MAPPED_PREFIX = Prefix.from('::ffff:0:0/96');

/** Writes the IPv4 address at `from` as a mapped one: 16 octets at `at`. */
export function writeMapped(out: Uint8Array, at: number, source: Uint8Array, from: number): void {
  for (let i = 0; i < 10; i++) out[at + i] = 0;
  out[at + 10] = 0xff;
  out[at + 11] = 0xff;
  for (let i = 0; i < 4; i++) out[at + 12 + i] = source[from + i]!;
}

/** The 16 octets of an address in a flow key. Throws TypeError when the text is none. */
export function flowKeyAddress(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (!bytes) throw new TypeError(`not an IP address: ${text}`);
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16);
  writeMapped(mapped, 0, bytes, 0);
  return mapped;
}

/** The address whose 16 octets in a flow key stand at `at`. */
export function flowKeyAddressText(bytes: Uint8Array, at: number): string {
  const text = formatIp(bytes, at, 16);
  return text.startsWith(MAPPED) && text.includes('.') ? text.slice(MAPPED.length) : text;
}

/** The 40 octets of a 5-tuple. Throws TypeError when an address is not one. */
export function encodeFlowKey(key: FiveTuple): Uint8Array {
  const out = new Uint8Array(FLOW_KEY_LENGTH);
  out.set(flowKeyAddress(key.source), FLOW_KEY_SOURCE);
  out.set(flowKeyAddress(key.destination), FLOW_KEY_DESTINATION);
  out[FLOW_KEY_SOURCE_PORT] = key.sourcePort >> 8;
  out[FLOW_KEY_SOURCE_PORT + 1] = key.sourcePort & 0xff;
  out[FLOW_KEY_DESTINATION_PORT] = key.destinationPort >> 8;
  out[FLOW_KEY_DESTINATION_PORT + 1] = key.destinationPort & 0xff;
  out[FLOW_KEY_PROTOCOL] = key.protocol;
  return out;
}

/** The 5-tuple of a key that starts at `offset` and is there whole. */
export function decodeFlowKey(bytes: Uint8Array, offset = 0): FiveTuple {
  return {
    source: flowKeyAddressText(bytes, offset + FLOW_KEY_SOURCE),
    destination: flowKeyAddressText(bytes, offset + FLOW_KEY_DESTINATION),
    protocol: bytes[offset + FLOW_KEY_PROTOCOL]!,
    sourcePort: (bytes[offset + FLOW_KEY_SOURCE_PORT]! << 8) | bytes[offset + FLOW_KEY_SOURCE_PORT + 1]!,
    destinationPort: (bytes[offset + FLOW_KEY_DESTINATION_PORT]! << 8) | bytes[offset + FLOW_KEY_DESTINATION_PORT + 1]!,
  };
}

/** Number of the space of a key (FLOW_SPACES of dataplane.ts). */
export const flowKeySpace = (bytes: Uint8Array, offset = 0): number => bytes[offset + FLOW_KEY_SPACE]!;

/** A key as a string fit for `Map` (one character an octet, the fastest exact form). */
export function flowKeyText(key: Uint8Array, offset = 0): string {
  let text = '';
  for (let i = offset; i < offset + FLOW_KEY_LENGTH - 2; i += 1) text += String.fromCharCode(key[i]!);
  return text;
}
