/** ICMPv6 (RFC 4443): the errors a router sends or reads, and echo. */
import { upperLayerChecksum } from './checksum.js';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_LENGTH,
  IPV6_MINIMUM_MTU,
  IPV6_SOURCE,
  PROTOCOL_ICMPV6,
  writeIpv6Header,
} from './ipv6.js';

export const ICMPV6_DESTINATION_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;

/** Codes of Destination Unreachable (RFC 4443 section 3.1). */
export const UNREACHABLE_NO_ROUTE = 0;
export const UNREACHABLE_ADDRESS = 3;

/** Octets before the quoted packet of an error, or before the data of an echo. */
export const ICMPV6_HEADER_LENGTH = 8;

export interface Icmpv6Message {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  /** The 32 bits after the checksum: MTU of Packet Too Big, identifier and sequence of an echo, unused otherwise. */
  readonly parameter: number;
  /** Quoted packet or echo data, a view. */
  readonly body: Uint8Array;
}

/** Reads the message at `offset`; undefined when it is shorter than its header. The checksum is not verified. */
export function decodeIcmpv6(bytes: Uint8Array, offset = 0, end = bytes.length): Icmpv6Message | undefined {
  if (end - offset < ICMPV6_HEADER_LENGTH) return undefined;
  return {
    type: bytes[offset]!,
    code: bytes[offset + 1]!,
    checksum: (bytes[offset + 2]! << 8) | bytes[offset + 3]!,
    parameter: ((bytes[offset + 4]! << 24) | (bytes[offset + 5]! << 16) | (bytes[offset + 6]! << 8) | bytes[offset + 7]!) >>> 0,
    body: bytes.subarray(offset + ICMPV6_HEADER_LENGTH, end),
  };
}

/** Types below 128 are errors (RFC 4443 section 2.1). */
export const isIcmpv6Error = (type: number): boolean => type < 128;

/** A whole IPv6 packet with an ICMPv6 message. `source` and `destination` are 16 octets. */
export function buildIcmpv6(
  source: Uint8Array,
  destination: Uint8Array,
  message: { readonly type: number; readonly code: number; readonly parameter: number; readonly body: Uint8Array },
  hopLimit = 64,
): Uint8Array {
  const length = ICMPV6_HEADER_LENGTH + message.body.length;
  const packet = new Uint8Array(IPV6_HEADER_LENGTH + length);
  writeIpv6Header(packet, 0, { trafficClass: 0, flowLabel: 0, payloadLength: length, nextHeader: PROTOCOL_ICMPV6, hopLimit, source, destination });
  const at = IPV6_HEADER_LENGTH;
  packet[at] = message.type;
  packet[at + 1] = message.code;
  packet[at + 4] = message.parameter >>> 24;
  packet[at + 5] = (message.parameter >>> 16) & 0xff;
  packet[at + 6] = (message.parameter >>> 8) & 0xff;
  packet[at + 7] = message.parameter & 0xff;
  packet.set(message.body, at + ICMPV6_HEADER_LENGTH);
  const checksum = upperLayerChecksum(packet, IPV6_SOURCE, at, length, PROTOCOL_ICMPV6);
  packet[at + 2] = checksum >> 8;
  packet[at + 3] = checksum & 0xff;
  return packet;
}

/**
 * An error about the packet at `offset`, addressed to its source: as much of it as fits the minimum MTU (RFC 4443 section 2.4 (c)).
 * Undefined where section 2.4 (e) forbids one: the source is unspecified or multicast, or the destination is multicast. Whether the packet is
 * itself an ICMPv6 error is for the caller to know, who has walked its headers.
 */
export function buildIcmpv6Error(
  routerAddress: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
  error: { readonly type: number; readonly code: number; readonly parameter: number },
): Uint8Array | undefined {
  const source = bytes.subarray(offset + IPV6_SOURCE, offset + IPV6_SOURCE + 16);
  const unspecified = source.every((octet) => octet === 0);
  if (length < IPV6_HEADER_LENGTH || unspecified || source[0] === 0xff || bytes[offset + IPV6_DESTINATION] === 0xff) return undefined;
  const quoted = Math.min(length, IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH - ICMPV6_HEADER_LENGTH);
  return buildIcmpv6(routerAddress, source, { ...error, body: bytes.subarray(offset, offset + quoted) });
}
