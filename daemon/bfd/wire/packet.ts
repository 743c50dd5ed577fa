/** BFD Control packets (RFC 5880 section 4): the codec, and every check of section 6.8.6 that needs no session. */
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';

/** In the order of the State field. */
export const STATES = ['adminDown', 'down', 'init', 'up'] as const;
export type BfdState = (typeof STATES)[number];

/** Authentication types of section 4.1, in order of their numbers from 1. */
export const AUTHENTICATION_TYPES = ['simple', 'md5', 'meticulousMd5', 'sha1', 'meticulousSha1'] as const;
export type AuthenticationType = (typeof AUTHENTICATION_TYPES)[number];

export type AuthenticationSection =
  | { readonly type: 'simple'; readonly keyId: number; /** 1 to 16 octets. */ readonly password: Uint8Array }
  /** A digest of 16 (MD5) or 20 (SHA1) octets over the whole packet. */
  | { readonly type: Exclude<AuthenticationType, 'simple'>; readonly keyId: number; readonly sequence: number; readonly digest: Uint8Array }
  /** A type that we do not know: no session accepts it. */
  | { readonly type: 'unknown'; readonly code: number; readonly data: Uint8Array };

export interface ControlPacket {
  /** Diagnostic code, 0..31. */
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  /** C: the sender's BFD does not share the fate of its control plane. */
  readonly controlPlaneIndependent: boolean;
  readonly demand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  /** 0: not known. */
  readonly yourDiscriminator: number;
  /** Intervals in us. */
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly requiredMinEchoRxUs: number;
  readonly authentication: AuthenticationSection | undefined;
}

/** Why a packet is discarded: section 6.8.6, in its order; `authentication`: the section is not what its type says (section 6.7). */
export type ControlFault = 'short' | 'version' | 'length' | 'detect multiplier' | 'multipoint' | 'my discriminator' | 'your discriminator' | 'authentication';

export type DecodedControl = { readonly ok: true; readonly packet: ControlPacket; /** The octets of the packet, without what follows it. */ readonly octets: Uint8Array } | { readonly ok: false; readonly fault: ControlFault };

/** Octets of the mandatory section. */
export const MANDATORY_LENGTH = 24;
const VERSION = 1;
const POLL = 0x20;
const FINAL = 0x10;
const CONTROL_PLANE_INDEPENDENT = 0x08;
const AUTHENTICATION_PRESENT = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;
/** Octets of the fields before the password, and before the digest. */
const SIMPLE_HEADER = 3;
const DIGEST_HEADER = 8;
const MAX_PASSWORD = 16;

/** Octets of the digest of a type. */
export const digestLength = (type: Exclude<AuthenticationType, 'simple'>): number => (type === 'md5' || type === 'meticulousMd5' ? 16 : 20);

const refuse = (fault: ControlFault): DecodedControl => ({ ok: false, fault });

/** Decodes the payload of a UDP datagram; octets after the length that the packet states are left alone. Never throws. */
export function decodeControl(bytes: Uint8Array): DecodedControl {
  const reader = new Reader(bytes);
  const first = reader.u8();
  const flags = reader.u8();
  const detectMultiplier = reader.u8();
  const length = reader.u8();
  if (!reader.ok) return refuse('short');
  if (first >> 5 !== VERSION) return refuse('version');
  const authenticated = (flags & AUTHENTICATION_PRESENT) !== 0;
  if (length < (authenticated ? MANDATORY_LENGTH + 2 : MANDATORY_LENGTH) || length > bytes.length) return refuse('length');
  if (detectMultiplier === 0) return refuse('detect multiplier');
  if ((flags & MULTIPOINT) !== 0) return refuse('multipoint');
  const state = STATES[flags >> 6]!;
  const fields = {
    diagnostic: first & 0x1f,
    state,
    poll: (flags & POLL) !== 0,
    final: (flags & FINAL) !== 0,
    controlPlaneIndependent: (flags & CONTROL_PLANE_INDEPENDENT) !== 0,
    demand: (flags & DEMAND) !== 0,
    detectMultiplier,
    myDiscriminator: reader.u32(),
    yourDiscriminator: reader.u32(),
    desiredMinTxUs: reader.u32(),
    requiredMinRxUs: reader.u32(),
    requiredMinEchoRxUs: reader.u32(),
  };
  if (fields.myDiscriminator === 0) return refuse('my discriminator');
  if (fields.yourDiscriminator === 0 && state !== 'down' && state !== 'adminDown') return refuse('your discriminator');
  const authentication = authenticated ? decodeAuthentication(bytes.subarray(MANDATORY_LENGTH, length)) : undefined;
  if (authenticated && !authentication) return refuse('authentication');
  return { ok: true, packet: { ...fields, authentication }, octets: bytes.subarray(0, length) };
}

/** `bytes`: what the packet has after its mandatory section; undefined when the section does not fill it as its type wants. */
function decodeAuthentication(bytes: Uint8Array): AuthenticationSection | undefined {
  const reader = new Reader(bytes);
  const code = reader.u8();
  const length = reader.u8();
  if (!reader.ok || length !== bytes.length) return undefined;
  const type = AUTHENTICATION_TYPES[code - 1];
  if (type === undefined) return { type: 'unknown', code, data: reader.rest() };
  const keyId = reader.u8();
  if (type === 'simple') {
    const password = reader.rest();
    return password.length >= 1 && password.length <= MAX_PASSWORD ? { type, keyId, password } : undefined;
  }
  if (length !== DIGEST_HEADER + digestLength(type)) return undefined;
  reader.skip(1);
  return { type, keyId, sequence: reader.u32(), digest: reader.rest() };
}

export function encodeControl(packet: ControlPacket): Uint8Array {
  const { authentication } = packet;
  const writer = new Writer(64);
  const flags =
    (STATES.indexOf(packet.state) << 6) |
    (packet.poll ? POLL : 0) |
    (packet.final ? FINAL : 0) |
    (packet.controlPlaneIndependent ? CONTROL_PLANE_INDEPENDENT : 0) |
    (authentication ? AUTHENTICATION_PRESENT : 0) |
    (packet.demand ? DEMAND : 0);
  writer
    .u8((VERSION << 5) | packet.diagnostic)
    .u8(flags)
    .u8(packet.detectMultiplier)
    .u8(MANDATORY_LENGTH)
    .u32(packet.myDiscriminator)
    .u32(packet.yourDiscriminator)
    .u32(packet.desiredMinTxUs)
    .u32(packet.requiredMinRxUs)
    .u32(packet.requiredMinEchoRxUs);
  if (authentication) encodeAuthentication(writer, authentication);
  writer.setU8(3, writer.length);
  return writer.finish();
}

function encodeAuthentication(writer: Writer, section: AuthenticationSection): void {
  if (section.type === 'unknown') {
    writer.u8(section.code).u8(2 + section.data.length).octets(section.data);
    return;
  }
  writer.u8(AUTHENTICATION_TYPES.indexOf(section.type) + 1);
  if (section.type === 'simple') {
    writer.u8(SIMPLE_HEADER + section.password.length).u8(section.keyId).octets(section.password);
    return;
  }
  writer.u8(DIGEST_HEADER + section.digest.length).u8(section.keyId).u8(0).u32(section.sequence).octets(section.digest);
}
