/**
 * Authentication Trailer (RFC 7166): an HMAC behind the packet, or behind its block of link-local signaling (RFC 5613) where it has one, which
 * is covered too but not read.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { parseIp } from '../../../dataplane/packet/ip.js';
import { OptionBit, PACKET_HEADER_LENGTH, type PacketFault } from './types.js';

const HASHES = {
  'hmac-sha-1': { hash: 'sha1', length: 20 },
  'hmac-sha-256': { hash: 'sha256', length: 32 },
  'hmac-sha-384': { hash: 'sha384', length: 48 },
  'hmac-sha-512': { hash: 'sha512', length: 64 },
} as const;

/** HMAC Cryptographic Authentication, the one type there is (section 6). */
const TYPE_HMAC = 1;
/** Octets before the authentication data (section 4.1). */
const TRAILER_HEADER_LENGTH = 16;
/** OSPFv3 Cryptographic Protocol ID, appended to the key (section 3). */
const PROTOCOL_ID = 0x0001;
const APAD = Uint8Array.of(0x87, 0x8f, 0xe1, 0xf3);

const TYPE_AT = 1;
const LENGTH_AT = 2;
const CHECKSUM_AT = 12;
/** Where the 24 bits of Options stand in a Hello and in a Database Description. */
const OPTIONS_AT: Readonly<Record<number, number>> = { 1: PACKET_HEADER_LENGTH + 5, 2: PACKET_HEADER_LENGTH + 1 };

export interface AuthenticationKey {
  /** Security Association ID, 0..65535. */
  readonly keyId: number;
  readonly algorithm: keyof typeof HASHES;
  readonly key: string;
  /** Another Cryptographic Protocol ID than 1, for neighbours that get it wrong: FRR 8.4 on little-endian machines has 0x0100. */
  readonly protocolId?: number;
}

/** `missing` and `option`: no trailer, or no AT bit where Options tell; `key`: no key of that ID; `digest`: another key or other octets. */
export interface AuthenticationFault extends PacketFault {
  readonly counter: 'authentication';
  readonly cause: 'missing' | 'option' | 'type' | 'length' | 'key' | 'digest';
}

/** `sequence` must exceed that of the last packet of this type from this neighbour (section 4.1), which the caller remembers. */
export type TrailerVerified = { readonly ok: true; readonly keyId: number; readonly sequence: bigint } | { readonly ok: false; readonly fault: AuthenticationFault };

/** Octets of the trailer that a key makes. */
export const trailerLength = ({ algorithm }: AuthenticationKey): number => TRAILER_HEADER_LENGTH + HASHES[algorithm].length;

function sourceOctets(source: string | Uint8Array): Uint8Array {
  const octets = typeof source === 'string' ? parseIp(source) : source;
  if (octets?.length !== 16) throw new TypeError(`not an IPv6 address: ${String(source)}`);
  return octets;
}

/** The HMAC over what precedes the authentication data, the checksum as zero, and Apad in the place of those data (section 4.5). */
function digestOf({ algorithm, key, protocolId = PROTOCOL_ID }: AuthenticationKey, covered: Uint8Array, source: Uint8Array): Uint8Array {
  const { hash, length } = HASHES[algorithm];
  const hmac = createHmac(hash, Buffer.concat([Buffer.from(key, 'utf8'), Uint8Array.of(protocolId >> 8, protocolId & 0xff)]));
  hmac.update(covered.subarray(0, CHECKSUM_AT)).update(Uint8Array.of(0, 0)).update(covered.subarray(CHECKSUM_AT + 2)).update(source);
  for (let octets = 16; octets < length; octets += APAD.length) hmac.update(APAD);
  return hmac.digest();
}

/**
 * Appends a trailer to an encoded packet. The copy has the AT bit in its Options, where it has some, and a checksum of zero, which is not
 * made of authenticated packets (section 4.2).
 *
 * @param sequence 64 bits, greater than that of all packets this router sent before, across restarts too
 */
export function authenticate(packet: Uint8Array, source: string | Uint8Array, key: AuthenticationKey, sequence: bigint): Uint8Array {
  const writer = new Writer(packet.length + trailerLength(key)).octets(packet);
  writer.setU16(CHECKSUM_AT, 0);
  const options = OPTIONS_AT[packet[TYPE_AT]!];
  if (options !== undefined) writer.setU8(options + 1, packet[options + 1]! | (OptionBit.at >> 8));
  writer.u16(TYPE_HMAC).u16(trailerLength(key)).u16(0).u16(key.keyId).u64(sequence);
  return writer.octets(digestOf(key, writer.written(), sourceOctets(source))).finish();
}

const failed = (cause: AuthenticationFault['cause'], reason: string): TrailerVerified => ({ ok: false, fault: { counter: 'authentication', cause, reason } });

/** Octets of link-local signaling behind a packet, which only a Hello or Database Description with the L bit has. */
function signalingLength(bytes: Uint8Array, packetLength: number, bits: number | undefined): number {
  if (bits === undefined || (bits & OptionBit.l) === 0 || packetLength + 4 > bytes.length) return 0;
  // Its length counts words of 32 bits, its own header included (RFC 5613 section 2.2).
  return 4 * ((bytes[packetLength + 2]! << 8) | bytes[packetLength + 3]!);
}

/**
 * Verifies the trailer of a packet as received, with all that the IPv6 header carried. Never throws on what was received; throws TypeError when
 * `source` is no address. `decodePacket` with `authenticated` reads the packet afterwards.
 */
export function verifyTrailer(bytes: Uint8Array, source: string | Uint8Array, keys: readonly AuthenticationKey[]): TrailerVerified {
  const address = sourceOctets(source);
  const packetLength = ((bytes[LENGTH_AT] ?? 0) << 8) | (bytes[LENGTH_AT + 1] ?? 0);
  if (bytes.length < PACKET_HEADER_LENGTH || packetLength < PACKET_HEADER_LENGTH || packetLength > bytes.length) return failed('length', `packet length ${packetLength} in ${bytes.length} octets`);
  const optionsAt = OPTIONS_AT[bytes[TYPE_AT]!];
  const bits = optionsAt === undefined || optionsAt + 3 > packetLength ? undefined : new Reader(bytes, optionsAt).u24();
  const at = packetLength + signalingLength(bytes, packetLength, bits);
  if (at >= bytes.length) return failed('missing', 'no Authentication Trailer');
  if (bits !== undefined && (bits & OptionBit.at) === 0) return failed('option', 'data follow the packet, but its Options have no AT bit');
  const reader = new Reader(bytes, at);
  const type = reader.u16();
  const length = reader.u16();
  reader.skip(2);
  const keyId = reader.u16();
  const sequence = reader.u64();
  if (!reader.ok || length !== bytes.length - at) return failed('length', `Authentication Trailer of length ${length} in ${bytes.length - at} octets`);
  if (type !== TYPE_HMAC) return failed('type', `authentication type ${type}`);
  const key = keys.find((candidate) => candidate.keyId === keyId);
  if (!key) return failed('key', `no key with ID ${keyId}`);
  if (length !== trailerLength(key)) return failed('length', `Authentication Trailer of ${length} octets, ${trailerLength(key)} with ${key.algorithm}`);
  const digest = digestOf(key, bytes.subarray(0, at + TRAILER_HEADER_LENGTH), address);
  return timingSafeEqual(digest, reader.rest()) ? { ok: true, keyId, sequence } : failed('digest', `wrong digest with key ${keyId}`);
}
