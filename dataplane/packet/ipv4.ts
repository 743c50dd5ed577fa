/** The IPv4 header (RFC 791 section 3.1), as far as packets to services need it. */

/** Octets of a header without options. */
export const IPV4_HEADER_LENGTH = 20;

export const PROTOCOL_ICMP = 1;
/** IPv4 inside another packet (RFC 2003), and so in the next header of an outer IPv6 header (RFC 8986 section 4.5). */
export const PROTOCOL_IPIP = 4;

// Offsets inside the header.
export const IPV4_TOS = 1;
export const IPV4_TOTAL_LENGTH = 2;
export const IPV4_IDENTIFICATION = 4;
export const IPV4_FRAGMENT = 6;
export const IPV4_PROTOCOL = 9;
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;

const DONT_FRAGMENT = 0x40;
const MORE_FRAGMENTS = 0x20;

/** Octets of the header that starts at `offset`, with its options; 0 when it is cut short at `end`, of another version or shorter than a header. */
export function ipv4HeaderLength(bytes: Uint8Array, offset: number, end: number): number {
  if (end - offset < IPV4_HEADER_LENGTH || bytes[offset]! >> 4 !== 4) return 0;
  const length = (bytes[offset]! & 0xf) * 4;
  return length < IPV4_HEADER_LENGTH || length > end - offset ? 0 : length;
}

/** Octets of the whole packet, as its header states them. */
export const ipv4TotalLength = (bytes: Uint8Array, offset: number): number => (bytes[offset + IPV4_TOTAL_LENGTH]! << 8) | bytes[offset + IPV4_TOTAL_LENGTH + 1]!;

export const ipv4MayFragment = (bytes: Uint8Array, offset: number): boolean => (bytes[offset + IPV4_FRAGMENT]! & DONT_FRAGMENT) === 0;

export const ipv4IsLaterFragment = (bytes: Uint8Array, offset: number): boolean => (bytes[offset + IPV4_FRAGMENT]! & 0x1f) !== 0 || bytes[offset + IPV4_FRAGMENT + 1] !== 0;

export const ipv4HasMoreFragments = (bytes: Uint8Array, offset: number): boolean => (bytes[offset + IPV4_FRAGMENT]! & MORE_FRAGMENTS) !== 0;

/** What tells the fragments of one datagram from those of others beside its addresses: protocol and identification (RFC 791 section 3.2), 24 bits. */
export const ipv4FragmentIdentification = (bytes: Uint8Array, offset: number): number =>
  (bytes[offset + IPV4_PROTOCOL]! << 16) | (bytes[offset + IPV4_IDENTIFICATION]! << 8) | bytes[offset + IPV4_IDENTIFICATION + 1]!;
