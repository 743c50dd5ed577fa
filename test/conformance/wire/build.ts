/**
 * Writing BGP messages, right ones and wrong ones. Written from the RFCs alone and apart from the daemon's codec, so that a mistake there
 * is not mirrored here. Nothing is checked: every length, flag and type can be set to what a case wants.
 */
import { parseIp } from '../../../dataplane/packet/ip.js';

export type Bytes = Uint8Array;

export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

export const u8 = (...values: number[]): Bytes => Uint8Array.from(values);
export const u16 = (value: number): Bytes => u8(value >>> 8, value);
export const u32 = (value: number): Bytes => u8(value >>> 24, value >>> 16, value >>> 8, value);
export const join = (...parts: readonly Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts));
export const toHex = (bytes: Bytes): string => Buffer.from(bytes).toString('hex');
export const repeat = (count: number, value = 0): Bytes => new Uint8Array(count).fill(value);

/** The octets of an IP address. Throws TypeError for text that is none. */
export function address(text: string): Bytes {
  const bytes = parseIp(text);
  if (!bytes) throw new TypeError(`not an IP address: ${text}`);
  return bytes;
}

/** A whole message; marker and length can be falsified. */
export function message(type: number, body: Bytes, { length = 19 + body.length, marker = repeat(16, 0xff) } = {}): Bytes {
  return join(marker, u16(length), u8(type), body);
}

export const keepalive = (): Bytes => message(MessageType.keepalive, u8());
export const notification = (code: number, subcode: number, data: Bytes = u8()): Bytes => message(MessageType.notification, join(u8(code, subcode), data));
/** RFC 2918 section 3; the octet between AFI and SAFI is the subtype of RFC 7313. */
export const routeRefresh = (afi: number, safi: number, subtype = 0): Bytes => message(MessageType.routeRefresh, join(u16(afi), u8(subtype, safi)));

export const capability = (code: number, value: Bytes = u8()): Bytes => join(u8(code, value.length), value);
/** An optional parameter of type 2 (RFC 5492 section 4). */
export const capabilityParameter = (...capabilities: Bytes[]): Bytes => {
  const value = join(...capabilities);
  return join(u8(2, value.length), value);
};

export const Capability = {
  multiprotocol: (afi: number, safi: number): Bytes => capability(1, join(u16(afi), u8(0, safi))),
  routeRefresh: (): Bytes => capability(2),
  /** RFC 8950 section 4. */
  extendedNextHop: (afi: number, safi: number, nextHopAfi: number): Bytes => capability(5, join(u16(afi), u16(safi), u16(nextHopAfi))),
  extendedMessage: (): Bytes => capability(6),
  role: (role: number): Bytes => capability(9, u8(role)),
  /** RFC 4724 section 3 and RFC 8538 section 2; `families` are [AFI, SAFI, forwarding preserved]. */
  gracefulRestart: (seconds: number, families: readonly (readonly [number, number, boolean])[], { restarting = false, notification: n = false } = {}): Bytes =>
    capability(64, join(u16((restarting ? 0x8000 : 0) | (n ? 0x4000 : 0) | seconds), ...families.map(([afi, safi, preserved]) => join(u16(afi), u8(safi, preserved ? 0x80 : 0))))),
  fourOctetAs: (as: number): Bytes => capability(65, u32(as)),
  /** `mode`: 1 receive, 2 send, 3 both (RFC 7911 section 4). */
  addPath: (afi: number, safi: number, mode: number): Bytes => capability(69, join(u16(afi), u8(safi, mode))),
  enhancedRouteRefresh: (): Bytes => capability(70),
} as const;

export interface OpenFields {
  readonly version?: number;
  /** The 16-bit field My Autonomous System. */
  readonly as: number;
  readonly holdTime: number;
  readonly identifier: string;
  /** All optional parameters, each with type and length. */
  readonly parameters: Bytes;
  /** Instead of the one octet Optional Parameters Length, as RFC 9072 section 2 has it. */
  readonly parametersLength?: Bytes;
}

export const open = ({ version = 4, as, holdTime, identifier, parameters, parametersLength = u8(parameters.length) }: OpenFields): Bytes =>
  message(MessageType.open, join(u8(version), u16(as), u16(holdTime), address(identifier), parametersLength, parameters));

/** One NLRI: an optional path identifier (RFC 7911 section 3), the length in bits, and as many octets as that takes. */
export function nlri(prefix: string, pathId?: number): Bytes {
  const [text, bits] = prefix.split('/') as [string, string];
  const octets = address(text).subarray(0, Math.ceil(Number(bits) / 8));
  return join(pathId === undefined ? u8() : u32(pathId), u8(Number(bits)), octets);
}

/** An UPDATE around ready fields; the two length fields can be falsified. */
export function update({ withdrawn = u8(), attributes = u8(), reachable = u8(), withdrawnLength = withdrawn.length, attributesLength = attributes.length }: {
  readonly withdrawn?: Bytes;
  readonly attributes?: Bytes;
  readonly reachable?: Bytes;
  readonly withdrawnLength?: number;
  readonly attributesLength?: number;
}): Bytes {
  return message(MessageType.update, join(u16(withdrawnLength), withdrawn, u16(attributesLength), attributes, reachable));
}
