/** ICMPv4 (RFC 792): the errors that a router sends. */
import { foldChecksum, sumOctets } from './checksum.js';
import { IPV4_DESTINATION, IPV4_HEADER_LENGTH, IPV4_PROTOCOL, IPV4_SOURCE, IPV4_TOS, IPV4_TOTAL_LENGTH, PROTOCOL_ICMP, ipv4HeaderLength, ipv4IsLaterFragment } from './ipv4.js';

export const ICMPV4_ECHO_REPLY = 0;
export const ICMPV4_DESTINATION_UNREACHABLE = 3;
export const ICMPV4_ECHO_REQUEST = 8;

/** Codes of Destination Unreachable (RFC 792, RFC 1191 section 4). */
export const UNREACHABLE_NETWORK = 0;
export const UNREACHABLE_HOST = 1;
export const FRAGMENTATION_NEEDED = 4;

/** Octets before the quoted packet of an error, or before the data of an echo. */
export const ICMPV4_HEADER_LENGTH = 8;

/** An error is no longer than what every host takes (RFC 1812 section 4.3.2.3). */
const LONGEST_ERROR = 576;
/** Precedence internetwork control (RFC 1812 section 4.3.2.5). */
const ERROR_TOS = 0xc0;
const HOP_LIMIT = 64;

/** Destination Unreachable, Source Quench, Redirect, Time Exceeded, Parameter Problem (RFC 1122 section 3.2.2). */
export const isIcmpv4Error = (type: number): boolean => type === 3 || type === 4 || type === 5 || type === 11 || type === 12;

/**
 * An error about the packet at `offset`, addressed to its source, as an IPv4 packet; its own source and header checksum are left zero for the kernel, which
 * knows the interface that it leaves by (RFC 1812 section 4.3.2.4). Undefined where RFC 1812 section 4.3.2.7 forbids one: about a later fragment,
 * or to a source that is no single host. Whether the packet is itself an ICMP error is for the caller to know.
 */
export function buildIcmpv4Error(
  bytes: Uint8Array,
  offset: number,
  length: number,
  error: { readonly type: number; readonly code: number; readonly parameter: number },
): Uint8Array | undefined {
  if (ipv4HeaderLength(bytes, offset, offset + length) === 0 || ipv4IsLaterFragment(bytes, offset)) return undefined;
  const first = bytes[offset + IPV4_SOURCE]!;
  if (first === 0 || first === 127 || first >= 224) return undefined;
  const quoted = Math.min(length, LONGEST_ERROR - IPV4_HEADER_LENGTH - ICMPV4_HEADER_LENGTH);
  const packet = new Uint8Array(IPV4_HEADER_LENGTH + ICMPV4_HEADER_LENGTH + quoted);
  packet[0] = 0x45;
  packet[IPV4_TOS] = ERROR_TOS;
  packet[IPV4_TOTAL_LENGTH] = packet.length >> 8;
  packet[IPV4_TOTAL_LENGTH + 1] = packet.length & 0xff;
  packet[8] = HOP_LIMIT;
  packet[IPV4_PROTOCOL] = PROTOCOL_ICMP;
  packet.set(bytes.subarray(offset + IPV4_SOURCE, offset + IPV4_SOURCE + 4), IPV4_DESTINATION);
  const at = IPV4_HEADER_LENGTH;
  packet[at] = error.type;
  packet[at + 1] = error.code;
  packet[at + 6] = error.parameter >> 8;
  packet[at + 7] = error.parameter & 0xff;
  packet.set(bytes.subarray(offset, offset + quoted), at + ICMPV4_HEADER_LENGTH);
  const checksum = foldChecksum(sumOctets(packet, at, packet.length - at));
  packet[at + 2] = checksum >> 8;
  packet[at + 3] = checksum & 0xff;
  return packet;
}
