/** Path attributes as octets; flags and values can be whatever a case wants. */
import { address, type Bytes, join, u16, u32, u8 } from './build.js';

export const Type = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  largeCommunities: 32,
  onlyToCustomer: 35,
  prefixSid: 40,
} as const;

/** Flags of RFC 4271 section 4.3. */
export const wellKnown = 0x40;
export const optionalTransitive = 0xc0;
export const optionalNonTransitive = 0x80;
export const partial = 0x20;
export const extended = 0x10;

/** One attribute. The length is of two octets where the flags or the value's length ask for it; `length` falsifies it. */
export function attribute(flags: number, type: number, value: Bytes, length = value.length): Bytes {
  const long = (flags & extended) !== 0 || length > 255;
  return join(u8(long ? flags | extended : flags, type), long ? u16(length) : u8(length), value);
}

export const origin = (value = 0): Bytes => attribute(wellKnown, Type.origin, u8(value));

/** One segment: type 1 AS_SET, 2 AS_SEQUENCE. */
export const segment = (type: number, numbers: readonly number[], size: 2 | 4 = 4): Bytes => join(u8(type, numbers.length), ...numbers.map(size === 4 ? u32 : u16));
export const asPath = (numbers: readonly number[], size: 2 | 4 = 4): Bytes => attribute(wellKnown, Type.asPath, numbers.length === 0 ? u8() : segment(2, numbers, size));
export const asPathOf = (...segments: Bytes[]): Bytes => attribute(wellKnown, Type.asPath, join(...segments));
export const nextHop = (text: string): Bytes => attribute(wellKnown, Type.nextHop, address(text));
export const med = (value: number): Bytes => attribute(optionalNonTransitive, Type.med, u32(value));
export const localPref = (value: number): Bytes => attribute(wellKnown, Type.localPref, u32(value));
export const communities = (...values: number[]): Bytes => attribute(optionalTransitive, Type.communities, join(...values.map(u32)));

export interface MpReach {
  readonly afi: number;
  readonly safi: number;
  readonly nextHop: Bytes;
  readonly nlri: Bytes;
  readonly nextHopLength?: number;
  readonly reserved?: number;
  readonly flags?: number;
}

/** RFC 4760 section 3. */
export const mpReach = ({ afi, safi, nextHop: hop, nlri, nextHopLength = hop.length, reserved = 0, flags = optionalNonTransitive }: MpReach): Bytes =>
  attribute(flags, Type.mpReach, join(u16(afi), u8(safi, nextHopLength), hop, u8(reserved), nlri));

/** RFC 4760 section 4. */
export const mpUnreach = (afi: number, safi: number, nlri: Bytes, flags = optionalNonTransitive): Bytes => attribute(flags, Type.mpUnreach, join(u16(afi), u8(safi), nlri));
