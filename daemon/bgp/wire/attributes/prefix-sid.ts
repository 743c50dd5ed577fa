/**
 * Prefix-SID (RFC 8669) with an SRv6 L3 Service TLV (RFC 9252). What is sent has exactly one of each level, since others there make
 * stock routers reset or fail; what is received is passed on as it is, and only its first SRv6 SID is read, if there is one. Bits of a
 * SID that were transposed into the label of a VPN prefix are put back by `serviceSid`.
 */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import type { SidInfo } from '../../../computing/types.js';
import type { Destination } from '../families.js';
import { copyOf } from '../octets.js';
import { AttributeType, type PrefixSid } from '../types.js';
import { IMPLICIT_NULL_LABEL, VpnPrefix } from '../vpn-prefix.js';
import { type AttributeDecoder, type AttributeEncoder, discard, OPTIONAL_TRANSITIVE, transitiveFlags, writeAttributeHeader } from './attribute.js';

const SECTION = 'RFC 9252 section 7';
const SRV6_L3_SERVICE = 5;
const SRV6_L2_SERVICE = 6;
const SID_INFORMATION = 1;
const SID_STRUCTURE = 1;
/** Type and 16-bit length, as at all three levels. */
const TLV_HEADER = 3;
const STRUCTURE_LENGTH = 6;
/** Reserved, SID, flags, behaviour, reserved. */
const INFORMATION_FIXED = 21;
/** Bits of a label, into the most significant of which bits of a SID are transposed (RFC 9252 section 4). */
const LABEL_BITS = 20;

interface Tlv {
  readonly type: number;
  readonly value: Reader;
}

/** The TLVs that fill the reader; undefined when their lengths do not. */
function readTlvs(reader: Reader): Tlv[] | undefined {
  const list: Tlv[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    const value = reader.slice(reader.u16());
    if (!value.ok) return undefined;
    list.push({ type, value });
  }
  return list;
}

interface Structure {
  readonly structure: SidInfo['structure'];
  readonly transposition: NonNullable<PrefixSid['transposition']>;
}

function readStructure(value: Reader): Structure {
  const [block, node, fun, argument, length, offset] = value.octets(STRUCTURE_LENGTH);
  return { structure: { block: block!, node: node!, function: fun!, argument: argument! }, transposition: { length: length!, offset: offset! } };
}

/** Whether a structure can be that of a SID, and its transposed bits those of a function or argument (RFC 9252 section 3.2.1). */
function isPossible({ structure, transposition }: Structure): boolean {
  const { block, node, function: fun, argument } = structure;
  const { length, offset } = transposition;
  if (block + node + fun + argument > 128) return false;
  return length === 0 ? true : length <= LABEL_BITS && offset >= block + node && offset + length <= block + node + fun + argument;
}

/** One SRv6 SID Information Sub-TLV; undefined when it is malformed. A SID without a structure has one of zeros. */
function readInformation(value: Reader): Omit<PrefixSid, 'value'> | undefined {
  if (value.remaining < INFORMATION_FIXED) return undefined;
  value.skip(1);
  const sid = formatIp(value.octets(16));
  value.skip(1);
  const behaviour = value.u16();
  value.skip(1);
  const inner = readTlvs(value);
  const first = inner?.find(({ type }) => type === SID_STRUCTURE)?.value;
  if (!inner || (first && first.remaining !== STRUCTURE_LENGTH)) return undefined;
  if (!first) return { sid: { sid, behaviour, structure: { block: 0, node: 0, function: 0, argument: 0 } }, transposition: undefined };
  const structure = readStructure(first);
  // The SID of an impossible structure cannot be used, but the attribute is sound.
  if (!isPossible(structure)) return { sid: undefined, transposition: undefined };
  return { sid: { sid, behaviour, structure: structure.structure }, transposition: structure.transposition.length === 0 ? undefined : structure.transposition };
}

/** One SRv6 Service TLV; undefined when it, or what is inside, is malformed. Of several SIDs the first counts. */
function readService(value: Reader): Omit<PrefixSid, 'value'> | undefined {
  if (value.remaining < 1) return undefined;
  value.skip(1);
  const information = readTlvs(value)?.filter(({ type }) => type === SID_INFORMATION).map((tlv) => readInformation(tlv.value));
  if (!information || information.includes(undefined)) return undefined;
  return information[0] ?? { sid: undefined, transposition: undefined };
}

export const prefixSid: AttributeDecoder = {
  type: AttributeType.prefixSid,
  name: 'Prefix-SID',
  flags: OPTIONAL_TRANSITIVE,
  decode(reader, draft) {
    const value = copyOf(reader.rest());
    const tlvs = readTlvs(new Reader(value));
    if (!tlvs) return discard(SECTION, 'Prefix-SID whose TLVs do not fill it');
    const services = tlvs.filter(({ type }) => type === SRV6_L3_SERVICE || type === SRV6_L2_SERVICE).map((tlv) => ({ type: tlv.type, read: readService(tlv.value) }));
    if (services.some(({ read }) => read === undefined)) return discard(SECTION, 'Prefix-SID with a malformed SRv6 Service TLV');
    // All but the first L3 Service TLV are ignored.
    const first = services.find(({ type }) => type === SRV6_L3_SERVICE)?.read;
    draft.prefixSid = { value, sid: first?.sid, transposition: first?.transposition };
    return undefined;
  },
};

/**
 * The SRv6 SID of a route: that of its Prefix-SID, with the bits put back that the label of a VPN prefix carries (RFC 9252 section 4).
 * Undefined without one, and where bits were transposed that no label carries.
 */
export function serviceSid(prefixSidOfRoute: PrefixSid | undefined, destination: Destination): SidInfo | undefined {
  const { sid, transposition } = prefixSidOfRoute ?? {};
  if (!sid || !transposition) return sid;
  if (!(destination instanceof VpnPrefix)) return undefined;
  const octets = parseIp(sid.sid)!;
  for (let i = 0; i < transposition.length; i++) {
    const bit = transposition.offset + i;
    const mask = 0x80 >> (bit & 7);
    octets[bit >> 3]! &= ~mask;
    // The 24-bit field has the label in its upper 20 bits.
    if (((destination.label >> (23 - i)) & 1) === 1) octets[bit >> 3]! |= mask;
  }
  return { ...sid, sid: formatIp(octets) };
}

/** What announces a SID in a VPN: the attribute, and the label field of the prefix. */
export interface VpnSid {
  readonly prefixSid: PrefixSid;
  readonly label: number;
}

/** A SID untransposed, with label Implicit NULL; or its function moved into the label, which is the same for all SIDs of a locator. */
export function vpnSidOf(info: SidInfo, transposed: boolean): VpnSid {
  const { block, node, function: length } = info.structure;
  const octets = parseIp(info.sid);
  // Labels up to 15 are reserved (RFC 3032 section 2.1): a function of zeros stays where it is.
  if (!transposed || octets?.length !== 16 || length === 0 || length > LABEL_BITS) return { prefixSid: prefixSidOf(info), label: IMPLICIT_NULL_LABEL };
  const offset = block + node;
  let label = 0;
  for (let i = 0; i < length; i++) {
    const bit = offset + i;
    const mask = 0x80 >> (bit & 7);
    if ((octets[bit >> 3]! & mask) !== 0) label |= 1 << (LABEL_BITS - 1 - i);
    octets[bit >> 3]! &= ~mask;
  }
  if (label < 16) return { prefixSid: prefixSidOf(info), label: IMPLICIT_NULL_LABEL };
  return { prefixSid: prefixSidOf({ ...info, sid: formatIp(octets) }, { length, offset }), label: (label << 4) | 1 };
}

/** A Prefix-SID that carries one SRv6 SID, some bits of which a label may carry. Throws RangeError when the SID is not an IPv6 address. */
export function prefixSidOf(info: SidInfo, transposition?: PrefixSid['transposition']): PrefixSid {
  const sid = parseIp(info.sid);
  if (sid?.length !== 16) throw new RangeError(`SID ${info.sid} is not an IPv6 address`);
  const { block, node, function: fun, argument } = info.structure;
  const informationLength = INFORMATION_FIXED + TLV_HEADER + STRUCTURE_LENGTH;
  const value = new Writer(64)
    .u8(SRV6_L3_SERVICE)
    .u16(1 + TLV_HEADER + informationLength)
    .u8(0)
    .u8(SID_INFORMATION)
    .u16(informationLength)
    .u8(0)
    .octets(sid)
    .u8(0)
    .u16(info.behaviour)
    .u8(0)
    .u8(SID_STRUCTURE)
    .u16(STRUCTURE_LENGTH)
    .u8(block)
    .u8(node)
    .u8(fun)
    .u8(argument)
    .u8(transposition?.length ?? 0)
    .u8(transposition?.offset ?? 0)
    .finish();
  return { value, sid: info, transposition };
}

export const encodePrefixSid: AttributeEncoder = (writer, attributes) => {
  if (!attributes.prefixSid) return;
  const { value } = attributes.prefixSid;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.prefixSid, attributes), AttributeType.prefixSid, value.length);
  writer.octets(value);
};
