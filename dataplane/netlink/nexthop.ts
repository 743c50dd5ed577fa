/** Next hop objects (RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP; linux/nexthop.h): next hops that many routes share by an id. */
import type { Family } from '../packet/ip.js';
import { Attributes, readU32, type Decoded } from './attributes.js';
import { AF_INET, AF_INET6, AF_UNSPEC, NHA_ENCAP, NHA_ENCAP_TYPE, NHA_GATEWAY, NHA_GROUP, NHA_ID, NHA_OIF, RTNH_F_ONLINK } from './constants.js';
import { addressOctets, decodeEncapsulation, encodeEncapsulation, type Encapsulation } from './encapsulation.js';
import { addressFamily } from './route.js';
import type { MessageWriter } from './writer.js';

export interface NextHopGroupMember {
  readonly id: number;
  /** Share, 1..256. */
  readonly weight: number;
}

export interface NextHopMessage {
  readonly id: number;
  /** Of the gateway; without one, of the routes. Undefined: a group. */
  readonly family: Family | undefined;
  /** Who made it (RTPROT_*). */
  readonly protocol: number;
  /** RTNH_F_*: as told by the kernel, which is told RTNH_F_ONLINK. */
  readonly flags: number;
  readonly interfaceIndex?: number;
  readonly gateway?: string;
  readonly encapsulation?: Encapsulation;
  /** Present: a group of objects, and nothing else of the above. */
  readonly group?: readonly NextHopGroupMember[];
}

const ENCAPSULATION = { data: NHA_ENCAP, type: NHA_ENCAP_TYPE };
/** struct nexthop_grp. */
const MEMBER_LENGTH = 8;

function encodeHeader(writer: MessageWriter, family: number, protocol: number, flags: number): void {
  writer.u8(family).u8(0).u8(protocol).u8(0).u32(flags);
}

/** Writes the payload that makes or replaces an object. */
export function encodeNextHop(writer: MessageWriter, message: NextHopMessage): void {
  encodeHeader(writer, message.family === undefined ? AF_UNSPEC : addressFamily(message.family), message.protocol, message.flags & RTNH_F_ONLINK);
  writer.attributeU32(NHA_ID, message.id);
  if (message.group) {
    const group = writer.open(NHA_GROUP);
    for (const { id, weight } of message.group) writer.u32(id).u8(weight - 1).zeros(3);
    writer.close(group);
    return;
  }
  if (message.interfaceIndex !== undefined) writer.attributeU32(NHA_OIF, message.interfaceIndex);
  if (message.gateway !== undefined) writer.attribute(NHA_GATEWAY, addressOctets(message.gateway));
  if (message.encapsulation) encodeEncapsulation(writer, message.encapsulation, ENCAPSULATION);
}

/** Writes the payload that names an object, to delete or read it. */
export function encodeNextHopId(writer: MessageWriter, id: number): void {
  encodeHeader(writer, AF_UNSPEC, 0, 0);
  writer.attributeU32(NHA_ID, id);
}

export function encodeNextHopDump(writer: MessageWriter): void {
  encodeHeader(writer, AF_UNSPEC, 0, 0);
}

function decodeGroup(octets: Uint8Array): Decoded<NextHopGroupMember[]> {
  if (octets.length % MEMBER_LENGTH !== 0) return { fault: 'malformed group of next hops' };
  const members: NextHopGroupMember[] = [];
  // Weights past 8 bits have their upper ones behind the lower.
  for (let at = 0; at < octets.length; at += MEMBER_LENGTH) members.push({ id: readU32(octets, at), weight: (octets[at + 4]! | (octets[at + 5]! << 8)) + 1 });
  return { value: members };
}

export function decodeNextHop(payload: Uint8Array): Decoded<NextHopMessage> {
  if (payload.length < 8) return { fault: 'a next hop message shorter than its header' };
  const family = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 6 : undefined;
  if (family === undefined && payload[0] !== AF_UNSPEC) return { fault: `a next hop of address family ${payload[0]!}` };
  const attributes = new Attributes(payload, 8);
  const id = attributes.u32(NHA_ID);
  const octets = attributes.octets(NHA_GROUP);
  const group = octets && decodeGroup(octets);
  if (group?.fault !== undefined) return { fault: group.fault };
  const interfaceIndex = attributes.u32(NHA_OIF);
  const gateway = attributes.address(NHA_GATEWAY);
  const encapsulation = decodeEncapsulation(attributes, ENCAPSULATION);
  if (encapsulation?.fault !== undefined) return { fault: encapsulation.fault };
  if (!attributes.ok || id === undefined) return { fault: 'malformed next hop attributes' };
  return {
    value: {
      id,
      family,
      protocol: payload[2]!,
      flags: readU32(payload, 4),
      ...(interfaceIndex !== undefined && { interfaceIndex }),
      ...(gateway !== undefined && { gateway }),
      ...(encapsulation && { encapsulation: encapsulation.value }),
      ...(group && { group: group.value }),
    },
  };
}
