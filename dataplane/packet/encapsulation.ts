/** H.Encaps and H.Encaps.Red (RFC 8986 sections 5.1 and 5.2): the outer IPv6 header and SRH in front of a packet. */
import { IPV4_TOS, PROTOCOL_IPIP } from './ipv4.js';
import { IPV6_DESTINATION, IPV6_HEADER_LENGTH, IPV6_NEXT_HEADER, PROTOCOL_IPV6, PROTOCOL_ROUTING, writeIpv6Header } from './ipv6.js';
import { decodeSrh, SRH_FIXED_LENGTH, srhLength, writeSrh } from './srh.js';

/** Hop limit of the outer header as built; the first link sees 63. */
export const OUTER_HOP_LIMIT = 64;

/** Longest segment list, bounded by the slots of the BPF program (MAX_SEGMENTS of dataplane/bpf/cpn.bpf.c). */
export const MAX_SEGMENTS = 3;

/** Octets that encapsulation adds for `count` segments. */
export function encapsulationOverhead(count: number, reduced: boolean): number {
  if (!reduced) return IPV6_HEADER_LENGTH + srhLength(count);
  return count <= 1 ? IPV6_HEADER_LENGTH : IPV6_HEADER_LENGTH + srhLength(count - 1);
}

/**
 * Builds the outer header of an IPv6 packet with traffic class, flow label and payload length zero; `finishOuterHeader` fills those a packet, and makes it
 * that of an IPv4 packet where one follows.
 * `source` and the `segments` (travel order, at least one) are 16 octets each.
 */
export function buildOuterHeader(source: Uint8Array, segments: readonly Uint8Array[], reduced: boolean): Uint8Array {
  const first = segments[0];
  if (!first || segments.length > MAX_SEGMENTS) throw new RangeError(`a segment list has 1 to ${MAX_SEGMENTS} segments, not ${segments.length}`);
  const header = new Uint8Array(encapsulationOverhead(segments.length, reduced));
  const hasSrh = header.length > IPV6_HEADER_LENGTH;
  writeIpv6Header(header, 0, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: 0,
    nextHeader: hasSrh ? PROTOCOL_ROUTING : PROTOCOL_IPV6,
    hopLimit: OUTER_HOP_LIMIT,
    source,
    destination: first,
  });
  if (hasSrh) writeSrh(header, IPV6_HEADER_LENGTH, PROTOCOL_IPV6, reduced ? segments.slice(1) : segments, segments.length - 1);
  return header;
}

/**
 * Fills what depends on the packet into the outer header of `overhead` octets at `offset`, in front of a packet of `innerLength` octets:
 * traffic class copied from it (IPv4: DSCP and ECN), flow label, payload length, and the next header of IPv4, which stands in the SRH where there is one.
 */
export function finishOuterHeader(bytes: Uint8Array, offset: number, overhead: number, innerLength: number, flowLabel: number): void {
  const inner = offset + overhead;
  const payloadLength = overhead - IPV6_HEADER_LENGTH + innerLength;
  const isIpv4 = bytes[inner]! >> 4 === 4;
  const trafficClass = isIpv4 ? bytes[inner + IPV4_TOS]! : ((bytes[inner]! & 0xf) << 4) | (bytes[inner + 1]! >> 4);
  if (isIpv4) bytes[offset + (overhead > IPV6_HEADER_LENGTH ? IPV6_HEADER_LENGTH : IPV6_NEXT_HEADER)] = PROTOCOL_IPIP;
  bytes[offset] = 0x60 | (trafficClass >> 4);
  bytes[offset + 1] = ((trafficClass & 0xf) << 4) | (flowLabel >> 16);
  bytes[offset + 2] = (flowLabel >> 8) & 0xff;
  bytes[offset + 3] = flowLabel & 0xff;
  bytes[offset + 4] = payloadLength >> 8;
  bytes[offset + 5] = payloadLength & 0xff;
}

/**
 * Where the packet inside starts, of an encapsulated one at `offset` that has come to its last segment; -1 where there is no IPv6 or IPv4 packet inside, or segments
 * are left. The rules are those of the BPF program (`border()` of dataplane/bpf/cpn.bpf.c).
 */
export function innerPacketOffset(bytes: Uint8Array, offset: number, end: number): number {
  if (end - offset < IPV6_HEADER_LENGTH) return -1;
  let next = bytes[offset + IPV6_NEXT_HEADER]!;
  let at = offset + IPV6_HEADER_LENGTH;
  if (next === PROTOCOL_ROUTING) {
    const srh = decodeSrh(bytes, at, end);
    if (typeof srh === 'string' || srh.segmentsLeft > 0) return -1;
    next = srh.nextHeader;
    at += srh.length;
  }
  return at < end && (next === PROTOCOL_IPV6 || next === PROTOCOL_IPIP) ? at : -1;
}

/** Gives an encapsulated packet at `offset` another last segment (16 octets): outer destination, and Segment List [0] where there is an SRH. */
export function replaceLastSegment(bytes: Uint8Array, offset: number, segment: Uint8Array): void {
  bytes.set(segment, offset + IPV6_DESTINATION);
  if (bytes[offset + IPV6_NEXT_HEADER] === PROTOCOL_ROUTING) bytes.set(segment, offset + IPV6_HEADER_LENGTH + SRH_FIXED_LENGTH);
}
