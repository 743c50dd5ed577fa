/**
 * STAMP test packets in unauthenticated mode (RFC 8762 sections 4.2.1 and 4.3.1, session identifier and TLVs of RFC 8972).
 * Session-Sender and Session-Reflector packets have 44 octets; TLVs may follow.
 */
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import type { TimestampFormat } from './timestamp.js';

/** Octets of either packet without TLVs. */
export const STAMP_LENGTH = 44;

/** RFC 8762 section 4.2.1, from RFC 4656 section 4.1.2: how far the timestamp may be off. */
export interface ErrorEstimate {
  /** The clock is synchronised to UTC by an external source. */
  readonly synchronised: boolean;
  readonly format: TimestampFormat;
  /** Error = multiplier * 2^(scale - 32) s; 6 and 8 bits. A multiplier of 0 is invalid. */
  readonly scale: number;
  readonly multiplier: number;
}

export interface SenderPacket {
  readonly sequence: number;
  /** T1, in the format of the error estimate. */
  readonly timestamp: bigint;
  readonly errorEstimate: ErrorEstimate;
  /** RFC 8972 section 3: 0 when not used. */
  readonly sessionId: number;
}

export interface ReflectorPacket {
  readonly sequence: number;
  /** T3: when the reply was sent. */
  readonly timestamp: bigint;
  readonly errorEstimate: ErrorEstimate;
  readonly sessionId: number;
  /** T2: when the request came in, in the format of `errorEstimate`. */
  readonly receiveTimestamp: bigint;
  readonly senderSequence: number;
  readonly senderTimestamp: bigint;
  readonly senderErrorEstimate: ErrorEstimate;
  /** Hop limit the request came in with. */
  readonly senderTtl: number;
}

export interface StampFault {
  readonly fault: 'short' | 'error estimate';
}

function readEstimate(value: number): ErrorEstimate {
  return { synchronised: (value & 0x8000) !== 0, format: (value & 0x4000) !== 0 ? 'ptp' : 'ntp', scale: (value >> 8) & 0x3f, multiplier: value & 0xff };
}

function estimateBits(estimate: ErrorEstimate): number {
  return (estimate.synchronised ? 0x8000 : 0) | (estimate.format === 'ptp' ? 0x4000 : 0) | (estimate.scale << 8) | estimate.multiplier;
}

export function encodeSender(packet: SenderPacket): Uint8Array {
  return new Writer(STAMP_LENGTH).u32(packet.sequence).u64(packet.timestamp).u16(estimateBits(packet.errorEstimate)).u16(packet.sessionId).zeros(28).finish();
}

/** Octets past the 44 are TLVs and left alone. */
export function decodeSender(bytes: Uint8Array): SenderPacket | StampFault {
  const reader = new Reader(bytes);
  const packet = { sequence: reader.u32(), timestamp: reader.u64(), errorEstimate: readEstimate(reader.u16()), sessionId: reader.u16() };
  reader.skip(28);
  if (!reader.ok) return { fault: 'short' };
  return packet.errorEstimate.multiplier === 0 ? { fault: 'error estimate' } : packet;
}

export function encodeReflector(packet: ReflectorPacket): Uint8Array {
  return new Writer(STAMP_LENGTH)
    .u32(packet.sequence)
    .u64(packet.timestamp)
    .u16(estimateBits(packet.errorEstimate))
    .u16(packet.sessionId)
    .u64(packet.receiveTimestamp)
    .u32(packet.senderSequence)
    .u64(packet.senderTimestamp)
    .u16(estimateBits(packet.senderErrorEstimate))
    .zeros(2)
    .u8(packet.senderTtl)
    .zeros(3)
    .finish();
}

export function decodeReflector(bytes: Uint8Array): ReflectorPacket | StampFault {
  const reader = new Reader(bytes);
  const sequence = reader.u32();
  const timestamp = reader.u64();
  const errorEstimate = readEstimate(reader.u16());
  const sessionId = reader.u16();
  const receiveTimestamp = reader.u64();
  const senderSequence = reader.u32();
  const senderTimestamp = reader.u64();
  const senderErrorEstimate = readEstimate(reader.u16());
  reader.skip(2);
  const senderTtl = reader.u8();
  reader.skip(3);
  if (!reader.ok) return { fault: 'short' };
  if (errorEstimate.multiplier === 0) return { fault: 'error estimate' };
  return { sequence, timestamp, errorEstimate, sessionId, receiveTimestamp, senderSequence, senderTimestamp, senderErrorEstimate, senderTtl };
}

/** STAMP TLV Flags (RFC 8972 section 4): a sender sets U, a reflector clears it on what it knows and could do. */
const TLV_UNRECOGNISED = 0x80;
const TLV_MALFORMED = 0x40;
const TLV_HEADER = 4;
const TLV_EXTRA_PADDING = 1;
/** RFC 9503 section 4. */
const TLV_RETURN_PATH = 10;
const RETURN_PATH_SRV6_SEGMENT_LIST = 4;
const SEGMENT_LENGTH = 16;
/** More transit SIDs than a policy has are somebody's mistake, and would make long replies of short requests. */
const MOST_RETURN_SEGMENTS = 8;

/** A Return Path TLV that asks for the reply by these SIDs, in travel order (RFC 9503 section 4.1.3). */
export function encodeReturnPath(segments: readonly Uint8Array[]): Uint8Array {
  const list = segments.length * SEGMENT_LENGTH;
  const writer = new Writer(2 * TLV_HEADER + list);
  writer.u8(TLV_UNRECOGNISED).u8(TLV_RETURN_PATH).u16(TLV_HEADER + list);
  writer.u8(TLV_UNRECOGNISED).u8(RETURN_PATH_SRV6_SEGMENT_LIST).u16(list);
  for (const segment of segments) writer.octets(segment);
  return writer.finish();
}

export interface ReflectedTlvs {
  /** To be sent back, flags set. */
  readonly octets: Uint8Array;
  /** SIDs the reply shall take, in travel order; empty: none were asked for, or none that we follow. */
  readonly returnPath: readonly Uint8Array[];
}

/**
 * The TLVs of a reply: those of the request with the flags a reflector sets (RFC 8972 section 4). From a TLV that overruns the packet on,
 * everything is sent back as it came. `follows` says whether a SID may stand in a return path; one that may not leaves the TLV unrecognised.
 */
export function reflectTlvs(request: Uint8Array, follows: (segment: Uint8Array) => boolean = () => false): ReflectedTlvs {
  const octets = request.slice(STAMP_LENGTH);
  let returnPath: readonly Uint8Array[] = [];
  for (let at = 0; at < octets.length; ) {
    const length = at + TLV_HEADER <= octets.length ? (octets[at + 2]! << 8) | octets[at + 3]! : octets.length;
    if (at + TLV_HEADER + length > octets.length) {
      octets[at]! |= TLV_MALFORMED;
      break;
    }
    const type = octets[at + 1];
    let known = type === TLV_EXTRA_PADDING;
    if (type === TLV_RETURN_PATH && returnPath.length === 0) {
      returnPath = readReturnPath(octets.subarray(at + TLV_HEADER, at + TLV_HEADER + length), follows);
      known = returnPath.length > 0;
    }
    if (known) octets[at]! &= ~TLV_UNRECOGNISED;
    else octets[at]! |= TLV_UNRECOGNISED;
    at += TLV_HEADER + length;
  }
  return { octets, returnPath };
}

/** The segment list of a Return Path TLV's value, and the U flag of its sub-TLV cleared; empty: nothing in it that we follow. */
function readReturnPath(value: Uint8Array, follows: (segment: Uint8Array) => boolean): readonly Uint8Array[] {
  const reader = new Reader(value);
  reader.skip(1);
  const type = reader.u8();
  const list = reader.octets(reader.u16());
  const count = list.length / SEGMENT_LENGTH;
  if (!reader.ok || reader.remaining > 0 || type !== RETURN_PATH_SRV6_SEGMENT_LIST || !Number.isInteger(count) || count > MOST_RETURN_SEGMENTS) return [];
  const segments = Array.from({ length: count }, (_, i) => list.slice(i * SEGMENT_LENGTH, (i + 1) * SEGMENT_LENGTH));
  if (!segments.every(follows)) return [];
  if (count > 0) value[0]! &= ~TLV_UNRECOGNISED;
  return segments;
}

/** Whether a reply to a request with a Return Path TLV came by that path, as far as the reflector says: it cleared the U flag. */
export function followedReturnPath(reply: Uint8Array): boolean {
  return reply.length >= STAMP_LENGTH + TLV_HEADER && reply[STAMP_LENGTH + 1] === TLV_RETURN_PATH && (reply[STAMP_LENGTH]! & TLV_UNRECOGNISED) === 0;
}
