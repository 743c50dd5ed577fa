/** The Segment Routing Header (RFC 8754 section 2): a Routing header of type 4. */
import { Reader } from './cursor.js';

export const ROUTING_TYPE_SRH = 4;
export const SRH_FIXED_LENGTH = 8;
export const SEGMENT_LENGTH = 16;

export interface SegmentRoutingHeader {
  readonly nextHeader: number;
  readonly segmentsLeft: number;
  readonly lastEntry: number;
  readonly flags: number;
  readonly tag: number;
  /** Segment List as on the wire: [0] is the LAST segment. 16 octets each, views into the input. */
  readonly segments: readonly Uint8Array[];
  /** TLVs after the Segment List, verbatim, padding included. */
  readonly tlvs: readonly SrhTlv[];
  /** Octets of the whole header. */
  readonly length: number;
}

export interface SrhTlv {
  readonly type: number;
  /** Empty for Pad1 (type 0), which has no length octet. */
  readonly value: Uint8Array;
}

/** Why a Routing header is not an SRH that can be used (RFC 8754 section 4.3.1.1). */
export type SrhFault = 'truncated' | 'not-srh' | 'segments-left' | 'last-entry' | 'tlv';

/** Reads the SRH at `offset`. TLVs are read, not interpreted; HMACs are not verified. */
export function decodeSrh(bytes: Uint8Array, offset = 0, end = bytes.length): SegmentRoutingHeader | SrhFault {
  const fixed = new Reader(bytes, offset, end);
  const nextHeader = fixed.u8();
  const length = (fixed.u8() + 1) * 8;
  const routingType = fixed.u8();
  const segmentsLeft = fixed.u8();
  const lastEntry = fixed.u8();
  const flags = fixed.u8();
  const tag = fixed.u16();
  if (!fixed.ok || end - offset < length) return 'truncated';
  if (routingType !== ROUTING_TYPE_SRH) return 'not-srh';
  const body = new Reader(bytes, offset + SRH_FIXED_LENGTH, offset + length);
  if ((lastEntry + 1) * SEGMENT_LENGTH > body.remaining) return 'last-entry';
  // In reduced mode (section 4.1.1) Segments Left may be one more than Last Entry.
  if (segmentsLeft > lastEntry + 1) return 'segments-left';
  const segments: Uint8Array[] = [];
  for (let i = 0; i <= lastEntry; i++) segments.push(body.octets(SEGMENT_LENGTH));
  const tlvs: SrhTlv[] = [];
  while (body.remaining > 0) {
    const type = body.u8();
    const value = type === 0 ? new Uint8Array(0) : body.octets(body.u8());
    if (!body.ok) return 'tlv';
    tlvs.push({ type, value });
  }
  return { nextHeader, segmentsLeft, lastEntry, flags, tag, segments, tlvs, length };
}

/** Octets of an SRH without TLVs. */
export const srhLength = (segmentCount: number): number => SRH_FIXED_LENGTH + SEGMENT_LENGTH * segmentCount;

/**
 * Writes an SRH without TLVs. `segments` in travel order (first SID first), 16 octets each; the header holds them reversed.
 * `segmentsLeft` is segments.length - 1 for a full list, segments.length where the first SID stands in the IPv6 header alone (reduced).
 */
export function writeSrh(bytes: Uint8Array, offset: number, nextHeader: number, segments: readonly Uint8Array[], segmentsLeft: number): void {
  bytes[offset] = nextHeader;
  bytes[offset + 1] = segments.length * 2;
  bytes[offset + 2] = ROUTING_TYPE_SRH;
  bytes[offset + 3] = segmentsLeft;
  bytes[offset + 4] = segments.length - 1;
  bytes.fill(0, offset + 5, offset + SRH_FIXED_LENGTH);
  segments.forEach((segment, i) => bytes.set(segment, offset + SRH_FIXED_LENGTH + (segments.length - 1 - i) * SEGMENT_LENGTH));
}
