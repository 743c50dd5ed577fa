/**
 * Prefix-SID (RFC 8669) with an SRv6 L3 Service TLV (RFC 9252). What is sent has exactly one of each level, since others there make
 * stock routers reset or fail; what is received is passed on as it is, and only its first SRv6 SID is read, if there is one.
 */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import type { SidInfo } from '../../../computing/types.js';
import { copyOf } from '../octets.js';
import { AttributeType, type PrefixSid } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_TRANSITIVE, transitiveFlags, writeAttributeHeader } from './attribute.js';

const SRV6_L3_SERVICE = 5;
const SID_INFORMATION = 1;
const SID_STRUCTURE = 1;
/** Type and 16-bit length, as at all three levels. */
const TLV_HEADER = 3;
const STRUCTURE_LENGTH = 6;
/** Reserved, SID, flags, behaviour, reserved. */
const INFORMATION_FIXED = 21;

/** The value of the first TLV of a type; undefined when there is none before the end or the first broken length. */
function findTlv(reader: Reader, wanted: number): Reader | undefined {
  while (reader.remaining >= TLV_HEADER) {
    const type = reader.u8();
    const value = reader.slice(reader.u16());
    if (!value.ok) return undefined;
    if (type === wanted) return value;
  }
  return undefined;
}

/** The first SRv6 SID in the attribute's value; undefined without one. A SID without structure has one of zeros. */
function firstSid(value: Uint8Array): SidInfo | undefined {
  const service = findTlv(new Reader(value), SRV6_L3_SERVICE);
  service?.skip(1);
  const information = service && findTlv(service, SID_INFORMATION);
  if (!information || information.remaining < INFORMATION_FIXED) return undefined;
  information.skip(1);
  const sid = formatIp(information.octets(16));
  information.skip(1);
  const behaviour = information.u16();
  information.skip(1);
  const structure = findTlv(information, SID_STRUCTURE);
  const [block, node, fun, argument] = structure?.remaining === STRUCTURE_LENGTH ? structure.octets(4) : [0, 0, 0, 0];
  return { sid, behaviour, structure: { block: block!, node: node!, function: fun!, argument: argument! } };
}

export const prefixSid: AttributeDecoder = {
  type: AttributeType.prefixSid,
  name: 'Prefix-SID',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft) {
    const octets = copyOf(value.rest());
    draft.prefixSid = { value: octets, sid: firstSid(octets) };
    return undefined;
  },
};

/** A Prefix-SID that carries one SRv6 SID, untransposed. Throws RangeError when the SID is not an IPv6 address. */
export function prefixSidOf(info: SidInfo): PrefixSid {
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
    .zeros(2) // nothing is transposed into a label
    .finish();
  return { value, sid: info };
}

export const encodePrefixSid: AttributeEncoder = (writer, attributes) => {
  if (!attributes.prefixSid) return;
  const { value } = attributes.prefixSid;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.prefixSid, attributes), AttributeType.prefixSid, value.length);
  writer.octets(value);
};
