/** The neighbour table (RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH; linux/neighbour.h). */
import type { Family } from '../packet/ip.js';
import { Attributes, readU16, readU32, type Decoded } from './attributes.js';
import { AF_INET, AF_INET6, NDA_DST, NDA_LLADDR } from './constants.js';
import { addressOctets } from './encapsulation.js';
import { addressFamily } from './route.js';
import type { MessageWriter } from './writer.js';

export interface NeighbourMessage {
  readonly family: Family;
  readonly interfaceIndex: number;
  readonly address: string;
  /** NUD_*. */
  readonly state: number;
  /** NTF_*. */
  readonly flags: number;
  /** Absent while unresolved. */
  readonly hardwareAddress?: Uint8Array;
}

/** Writes the payload that adds, uses (NTF_USE) or deletes an entry. */
export function encodeNeighbour(writer: MessageWriter, message: NeighbourMessage): void {
  writer.u8(addressFamily(message.family)).u8(0).u16(0).u32(message.interfaceIndex).u16(message.state).u8(message.flags).u8(0);
  writer.attribute(NDA_DST, addressOctets(message.address));
  if (message.hardwareAddress) writer.attribute(NDA_LLADDR, message.hardwareAddress);
}

export function encodeNeighbourDump(writer: MessageWriter, family: Family): void {
  writer.u8(addressFamily(family)).zeros(11);
}

export function decodeNeighbour(payload: Uint8Array): Decoded<NeighbourMessage> {
  if (payload.length < 12) return { fault: 'a neighbour message shorter than its header' };
  if (payload[0] !== AF_INET && payload[0] !== AF_INET6) return { fault: `a neighbour of address family ${payload[0]!}` };
  const family = payload[0] === AF_INET ? 4 : 6;
  const attributes = new Attributes(payload, 12);
  const address = attributes.address(NDA_DST);
  if (!attributes.ok || address === undefined || address.includes(':') !== (family === 6)) return { fault: 'a neighbour message without a whole address' };
  const hardwareAddress = attributes.octets(NDA_LLADDR);
  return {
    value: {
      family,
      interfaceIndex: readU32(payload, 4),
      address,
      state: readU16(payload, 8),
      flags: payload[10]!,
      ...(hardwareAddress && { hardwareAddress: hardwareAddress.slice() }),
    },
  };
}
