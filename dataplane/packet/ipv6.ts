/** The IPv6 header (RFC 8200 section 3) and protocol numbers used here. */

export const IPV6_HEADER_LENGTH = 40;
/** Least MTU of a link (RFC 8200 section 5). */
export const IPV6_MINIMUM_MTU = 1280;

export const PROTOCOL_HOP_BY_HOP = 0;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_DCCP = 33;
export const PROTOCOL_IPV6 = 41;
export const PROTOCOL_ROUTING = 43;
export const PROTOCOL_FRAGMENT = 44;
export const PROTOCOL_AH = 51;
export const PROTOCOL_ICMPV6 = 58;
export const PROTOCOL_DESTINATION_OPTIONS = 60;
export const PROTOCOL_SCTP = 132;
export const PROTOCOL_UDP_LITE = 136;

// Offsets inside the header.
export const IPV6_PAYLOAD_LENGTH = 4;
export const IPV6_NEXT_HEADER = 6;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;

export interface Ipv6Header {
  readonly trafficClass: number;
  /** 20 bits. */
  readonly flowLabel: number;
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  /** 16 octets each. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** Reads the header at `offset`; undefined when the packet is shorter than one or of another version. Addresses are views. */
export function decodeIpv6Header(bytes: Uint8Array, offset = 0, end = bytes.length): Ipv6Header | undefined {
  if (end - offset < IPV6_HEADER_LENGTH || bytes[offset]! >> 4 !== 6) return undefined;
  return {
    trafficClass: ((bytes[offset]! & 0xf) << 4) | (bytes[offset + 1]! >> 4),
    flowLabel: ((bytes[offset + 1]! & 0xf) << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!,
    payloadLength: (bytes[offset + 4]! << 8) | bytes[offset + 5]!,
    nextHeader: bytes[offset + 6]!,
    hopLimit: bytes[offset + 7]!,
    source: bytes.subarray(offset + IPV6_SOURCE, offset + IPV6_SOURCE + 16),
    destination: bytes.subarray(offset + IPV6_DESTINATION, offset + IPV6_DESTINATION + 16),
  };
}

/** Writes a header at `offset`. */
export function writeIpv6Header(bytes: Uint8Array, offset: number, header: Ipv6Header): void {
  bytes[offset] = 0x60 | (header.trafficClass >> 4);
  bytes[offset + 1] = ((header.trafficClass & 0xf) << 4) | (header.flowLabel >> 16);
  bytes[offset + 2] = (header.flowLabel >> 8) & 0xff;
  bytes[offset + 3] = header.flowLabel & 0xff;
  bytes[offset + 4] = header.payloadLength >> 8;
  bytes[offset + 5] = header.payloadLength & 0xff;
  bytes[offset + 6] = header.nextHeader;
  bytes[offset + 7] = header.hopLimit;
  bytes.set(header.source, offset + IPV6_SOURCE);
  bytes.set(header.destination, offset + IPV6_DESTINATION);
}
