/** Addresses of interfaces (RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR; linux/if_addr.h). */
import type { Family } from '../packet/ip.js';
import { Attributes, readU32, type Decoded } from './attributes.js';
import { AF_INET, AF_INET6, AF_UNSPEC, IFA_ADDRESS, IFA_FLAGS, IFA_LOCAL, IFA_PROTO } from './constants.js';
import { addressOctets } from './encapsulation.js';
import type { MessageWriter } from './writer.js';

export interface AddressMessage {
  readonly family: Family;
  readonly interfaceIndex: number;
  readonly address: string;
  /** Length of the on-link prefix in bits. */
  readonly prefixLength: number;
  readonly scope: number;
  /** IFA_F_*. */
  readonly flags: number;
  /** Who added it (Linux 5.18 and later); absent before, and where nobody said. */
  readonly protocol?: number;
}

/** Writes the payload that adds or deletes an address. */
export function encodeAddress(writer: MessageWriter, message: AddressMessage): void {
  const octets = addressOctets(message.address);
  writer.u8(message.family === 4 ? AF_INET : AF_INET6).u8(message.prefixLength);
  // The header has room for eight flags; newer ones stand in IFA_FLAGS alone.
  writer.u8(message.flags & 0xff).u8(message.scope).u32(message.interfaceIndex);
  writer.attribute(IFA_LOCAL, octets).attribute(IFA_ADDRESS, octets);
  if (message.flags > 0xff) writer.attributeU32(IFA_FLAGS, message.flags);
  if (message.protocol !== undefined) writer.attributeU8(IFA_PROTO, message.protocol);
}

export function encodeAddressDump(writer: MessageWriter): void {
  writer.u8(AF_UNSPEC).zeros(7);
}

export function decodeAddress(payload: Uint8Array): Decoded<AddressMessage> {
  if (payload.length < 8) return { fault: 'an address message shorter than its header' };
  if (payload[0] !== AF_INET && payload[0] !== AF_INET6) return { fault: `an address of family ${payload[0]!}` };
  const family = payload[0] === AF_INET ? 4 : 6;
  const attributes = new Attributes(payload, 8);
  // On point-to-point interfaces IFA_ADDRESS is the peer; IFA_LOCAL is ours wherever it is given.
  const octets = attributes.octets(IFA_LOCAL) ?? attributes.octets(IFA_ADDRESS);
  if (octets?.length !== (family === 4 ? 4 : 16) || payload[1]! > octets.length * 8) return { fault: 'an address message without a whole address' };
  const address = attributes.address(IFA_LOCAL) ?? attributes.address(IFA_ADDRESS)!;
  const protocol = attributes.u8(IFA_PROTO);
  const flags = attributes.u32(IFA_FLAGS) ?? payload[2]!;
  if (!attributes.ok) return { fault: 'malformed address attributes' };
  return {
    value: { family, interfaceIndex: readU32(payload, 4), address, prefixLength: payload[1]!, scope: payload[3]!, flags, ...(protocol !== undefined && { protocol }) },
  };
}
