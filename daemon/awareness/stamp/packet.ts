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

const TLV_UNRECOGNISED = 0x80;
const TLV_MALFORMED = 0x40;
const TLV_EXTRA_PADDING = 1;

/**
 * The TLVs of a reply: those of the request with the flags a reflector sets (RFC 8972 section 4). Only Extra Padding is known here;
 * from a TLV that overruns the packet on, everything is sent back as it came.
 */
export function reflectTlvs(request: Uint8Array): Uint8Array {
  const tlvs = request.slice(STAMP_LENGTH);
  for (let at = 0; at < tlvs.length; ) {
    const length = at + 4 <= tlvs.length ? (tlvs[at + 2]! << 8) | tlvs[at + 3]! : tlvs.length;
    if (at + 4 + length > tlvs.length) {
      tlvs[at]! |= TLV_MALFORMED;
      break;
    }
    if (tlvs[at + 1] === TLV_EXTRA_PADDING) tlvs[at]! &= ~TLV_UNRECOGNISED;
    else tlvs[at]! |= TLV_UNRECOGNISED;
    at += 4 + length;
  }
  return tlvs;
}
