/** Interfaces (RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK; linux/if_link.h). */
import { Attributes, readI32, readU32, type Decoded } from './attributes.js';
import {
  AF_INET6,
  AF_UNSPEC,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  RTEXT_FILTER_SKIP_STATS,
} from './constants.js';
import type { MessageWriter } from './writer.js';

export interface LinkMessage {
  /** AF_UNSPEC, or AF_BRIDGE and the like: news of one protocol about the interface only. */
  readonly family: number;
  readonly index: number;
  readonly name: string;
  /** IFF_*. */
  readonly flags: number;
  readonly mtu: number;
  /** Link-layer address; empty for interfaces without. */
  readonly hardwareAddress: Uint8Array;
  /** Index of the bridge, bond or VRF it belongs to. */
  readonly master?: number;
  /** Driver, such as veth or tun; absent for hardware. */
  readonly kind?: string;
}

/** How the kernel makes link-local IPv6 addresses (IN6_ADDR_GEN_MODE_*). */
export const ADDRESS_GENERATION = { eui64: 0, none: 1, stablePrivacy: 2, random: 3 } as const;

export interface LinkChange {
  readonly index: number;
  readonly up?: boolean;
  readonly mtu?: number;
  readonly addressGeneration?: (typeof ADDRESS_GENERATION)[keyof typeof ADDRESS_GENERATION];
}

function encodeHeader(writer: MessageWriter, index: number, flags: number, change: number): void {
  writer.u8(AF_UNSPEC).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

/** Writes the payload of RTM_NEWLINK that changes an interface. */
export function encodeLinkChange(writer: MessageWriter, { index, up, mtu, addressGeneration }: LinkChange): void {
  encodeHeader(writer, index, up === true ? IFF_UP : 0, up === undefined ? 0 : IFF_UP);
  if (mtu !== undefined) writer.attributeU32(IFLA_MTU, mtu);
  if (addressGeneration !== undefined) {
    const families = writer.open(IFLA_AF_SPEC);
    const ipv6 = writer.open(AF_INET6);
    writer.attributeU8(IFLA_INET6_ADDR_GEN_MODE, addressGeneration).close(ipv6).close(families);
  }
}

/** Writes a request for one interface (`index` > 0) or, in a dump, for all; without counters, which nobody here reads. */
export function encodeLinkRequest(writer: MessageWriter, index = 0): void {
  encodeHeader(writer, index, 0, 0);
  writer.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

export function decodeLink(payload: Uint8Array): Decoded<LinkMessage> {
  if (payload.length < 16) return { fault: 'a link message shorter than its header' };
  const attributes = new Attributes(payload, 16);
  const name = attributes.text(IFLA_IFNAME);
  const mtu = attributes.u32(IFLA_MTU) ?? 0;
  const master = attributes.u32(IFLA_MASTER);
  const kind = attributes.nested(IFLA_LINKINFO)?.text(IFLA_INFO_KIND);
  if (!attributes.ok) return { fault: 'malformed link attributes' };
  if (name === undefined) return { fault: 'a link message without a name' };
  return {
    value: {
      family: payload[0]!,
      index: readI32(payload, 4),
      name,
      flags: readU32(payload, 8),
      mtu,
      hardwareAddress: attributes.octets(IFLA_ADDRESS)?.slice() ?? new Uint8Array(0),
      ...(master !== undefined && { master }),
      ...(kind !== undefined && { kind }),
    },
  };
}
