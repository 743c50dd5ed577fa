/** Authentication of BFD Control packets (RFC 5880 section 6.7): what is put on a packet, and what a packet has to show. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { digestLength, encodeControl, MANDATORY_LENGTH, type AuthenticationSection, type AuthenticationType, type ControlPacket } from './packet.js';

export interface AuthenticationKey {
  readonly type: AuthenticationType;
  /** 0..255 */
  readonly keyId: number;
  /** 1 to 16 octets, with SHA1 up to 20. Secret. */
  readonly password: string;
}

/** Where the digest begins in a packet (sections 4.3 and 4.4). */
const DIGEST_AT = MANDATORY_LENGTH + 8;

const passwordOctets = (key: AuthenticationKey): Uint8Array => Buffer.from(key.password, 'latin1');

/** The digest over a packet with the key, padded with zeros, in the place of the digest (sections 6.7.3 and 6.7.4). */
function digestOf(type: Exclude<AuthenticationType, 'simple'>, packet: Uint8Array, key: AuthenticationKey): Uint8Array {
  const length = digestLength(type);
  const keyed = Uint8Array.from(packet);
  keyed.fill(0, DIGEST_AT, DIGEST_AT + length);
  keyed.set(passwordOctets(key).subarray(0, length), DIGEST_AT);
  return createHash(length === 16 ? 'md5' : 'sha1').update(keyed).digest();
}

/** The octets of a packet, with the authentication section of `key`; `sequence` (bfd.XmitAuthSeq) is not used by simple passwords. */
export function encodeAuthenticated(packet: Omit<ControlPacket, 'authentication'>, key: AuthenticationKey, sequence: number): Uint8Array {
  const { type, keyId } = key;
  if (type === 'simple') return encodeControl({ ...packet, authentication: { type, keyId, password: passwordOctets(key) } });
  const octets = encodeControl({ ...packet, authentication: { type, keyId, sequence, digest: new Uint8Array(digestLength(type)) } });
  octets.set(digestOf(type, octets, key), DIGEST_AT);
  return octets;
}

const sameOctets = (left: Uint8Array, right: Uint8Array): boolean => left.length === right.length && timingSafeEqual(left, right);

/** Whether the section on a packet (`octets`, whole) shows that its sender holds the key. The sequence number is another question. */
export function isAuthentic(octets: Uint8Array, section: AuthenticationSection, key: AuthenticationKey): boolean {
  if (section.type === 'unknown' || section.type !== key.type || section.keyId !== key.keyId) return false;
  if (section.type === 'simple') return sameOctets(section.password, passwordOctets(key));
  return sameOctets(section.digest, digestOf(section.type, octets, key));
}

/**
 * Whether a sequence number may follow `last` (bfd.RcvAuthSeq): at most 3 * detect multiplier ahead, on a circle of 32 bits; the same again
 * only without meticulous (sections 6.7.3 and 6.7.4).
 */
export function isFresh(sequence: number, last: number, type: AuthenticationType, detectMultiplier: number): boolean {
  const ahead = (sequence - last) >>> 0;
  const least = type === 'meticulousMd5' || type === 'meticulousSha1' ? 1 : 0;
  return ahead >= least && ahead <= 3 * detectMultiplier;
}
