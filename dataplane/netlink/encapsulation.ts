/**
 * Lightweight tunnels of a route (RTA_ENCAP_TYPE, RTA_ENCAP): seg6, which pushes a segment routing header (linux/seg6_iptunnel.h), and
 * seg6local, the behaviours of RFC 8986 on a SID (linux/seg6_local.h). Any other kind is passed on as octets.
 */
import { formatIp, parseIp } from '../packet/ip.js';
import { Attributes, readU32, type Decoded } from './attributes.js';
import {
  LWTUNNEL_ENCAP_SEG6,
  LWTUNNEL_ENCAP_SEG6_LOCAL,
  RTA_ENCAP,
  RTA_ENCAP_TYPE,
  SEG6_IPTUNNEL_SRH,
  SEG6_LOCAL_ACTION,
  SEG6_LOCAL_CNT_BYTES,
  SEG6_LOCAL_CNT_ERRORS,
  SEG6_LOCAL_CNT_PACKETS,
  SEG6_LOCAL_COUNTERS,
  SEG6_LOCAL_NH4,
  SEG6_LOCAL_NH6,
  SEG6_LOCAL_OIF,
  SEG6_LOCAL_TABLE,
  SEG6_LOCAL_VRFTABLE,
} from './constants.js';
import type { MessageWriter } from './writer.js';

/** SEG6_IPTUN_MODE_*, by number. */
export const SEG6_MODES = ['inline', 'encap', 'l2encap', 'encap.red', 'l2encap.red'] as const;
export type Seg6Mode = (typeof SEG6_MODES)[number];

/** SEG6_LOCAL_ACTION_* of the behaviours we program. */
export const SEG6_LOCAL_ACTIONS = { End: 1, 'End.X': 2, 'End.DX6': 5, 'End.DX4': 6, 'End.DT6': 7 } as const;

export interface Seg6Encapsulation {
  readonly kind: 'seg6';
  readonly mode: Seg6Mode;
  /** In travel order. */
  readonly segments: readonly string[];
}

export interface Seg6LocalEncapsulation {
  readonly kind: 'seg6local';
  /** SEG6_LOCAL_ACTION_*. */
  readonly action: number;
  readonly nextHop4?: string;
  readonly nextHop6?: string;
  readonly outputInterface?: number;
  readonly table?: number;
  readonly vrfTable?: number;
  /** Present where counting is on; given to the kernel as a wish only. */
  readonly counters?: { readonly packets: bigint; readonly bytes: bigint; readonly errors: bigint };
}

export interface OtherEncapsulation {
  readonly kind: 'other';
  /** LWTUNNEL_ENCAP_*. */
  readonly type: number;
  readonly data: Uint8Array;
}

export type Encapsulation = Seg6Encapsulation | Seg6LocalEncapsulation | OtherEncapsulation;

/** Gateways and segments are few and stand in many routes: parsing them was the largest part of encoding one. */
const parsed = new Map<string, Uint8Array>();
const MOST_PARSED = 4096;

/** Octets of an address known to be one, not to be changed; throws TypeError otherwise (a caller's mistake). */
export function addressOctets(address: string): Uint8Array {
  const known = parsed.get(address);
  if (known) return known;
  const octets = parseIp(address);
  if (!octets) throw new TypeError(`not an IP address: ${address}`);
  if (parsed.size >= MOST_PARSED) parsed.clear();
  parsed.set(address, octets);
  return octets;
}

function encodeSeg6(writer: MessageWriter, { mode, segments }: Seg6Encapsulation): void {
  // An inline SRH ends with the packet's own destination, which the kernel fills in (RFC 8754 section 4.1 lists it as the last segment).
  const own = mode === 'inline' ? 1 : 0;
  const last = segments.length + own - 1;
  const srh = writer.open(SEG6_IPTUNNEL_SRH);
  writer.u32(SEG6_MODES.indexOf(mode));
  // RFC 8754 section 2: next header (set by the kernel), length in 8 octets, routing type 4, segments left, last entry, flags, tag.
  writer.u8(0).u8((last + 1) * 2).u8(4).u8(last).u8(last).u8(0).u16Network(0);
  writer.zeros(own * 16);
  for (let i = segments.length - 1; i >= 0; i--) writer.octets(addressOctets(segments[i]!));
  writer.close(srh);
}

function encodeSeg6Local(writer: MessageWriter, local: Seg6LocalEncapsulation): void {
  writer.attributeU32(SEG6_LOCAL_ACTION, local.action);
  if (local.table !== undefined) writer.attributeU32(SEG6_LOCAL_TABLE, local.table);
  if (local.vrfTable !== undefined) writer.attributeU32(SEG6_LOCAL_VRFTABLE, local.vrfTable);
  if (local.nextHop4 !== undefined) writer.attribute(SEG6_LOCAL_NH4, addressOctets(local.nextHop4));
  if (local.nextHop6 !== undefined) writer.attribute(SEG6_LOCAL_NH6, addressOctets(local.nextHop6));
  if (local.outputInterface !== undefined) writer.attributeU32(SEG6_LOCAL_OIF, local.outputInterface);
  if (local.counters !== undefined) {
    const counters = writer.openNested(SEG6_LOCAL_COUNTERS);
    for (const type of [SEG6_LOCAL_CNT_PACKETS, SEG6_LOCAL_CNT_BYTES, SEG6_LOCAL_CNT_ERRORS]) writer.attribute(type, new Uint8Array(8));
    writer.close(counters);
  }
}

/** Attribute numbers of an encapsulation in a message: its octets and their type. */
export interface EncapsulationAttributes {
  readonly data: number;
  readonly type: number;
}

const OF_ROUTE: EncapsulationAttributes = { data: RTA_ENCAP, type: RTA_ENCAP_TYPE };

/** Writes RTA_ENCAP and RTA_ENCAP_TYPE, or what stands for them in another message. */
export function encodeEncapsulation(writer: MessageWriter, encapsulation: Encapsulation, attributes = OF_ROUTE): void {
  const mark = writer.openNested(attributes.data);
  let type: number;
  switch (encapsulation.kind) {
    case 'seg6':
      type = LWTUNNEL_ENCAP_SEG6;
      encodeSeg6(writer, encapsulation);
      break;
    case 'seg6local':
      type = LWTUNNEL_ENCAP_SEG6_LOCAL;
      encodeSeg6Local(writer, encapsulation);
      break;
    case 'other':
      ({ type } = encapsulation);
      writer.octets(encapsulation.data);
      break;
  }
  writer.close(mark).attributeU16(attributes.type, type);
}

function decodeSeg6(data: Uint8Array): Decoded<Encapsulation> {
  const attributes = new Attributes(data);
  const tunnel = attributes.octets(SEG6_IPTUNNEL_SRH);
  if (!attributes.ok || !tunnel || tunnel.length < 12) return { fault: 'seg6: no segment routing header' };
  const mode = SEG6_MODES[readU32(tunnel, 0)];
  if (mode === undefined) return { fault: `seg6: unknown mode ${readU32(tunnel, 0)}` };
  const count = tunnel[8]! + 1;
  const first = mode === 'inline' ? 1 : 0;
  if (tunnel.length < 12 + count * 16 || tunnel[5]! < count * 2 || count <= first) return { fault: 'seg6: the segment list does not fit its header' };
  const segments: string[] = [];
  for (let i = count - 1; i >= first; i--) segments.push(formatIp(tunnel, 12 + i * 16, 16));
  return { value: { kind: 'seg6', mode, segments } };
}

function decodeSeg6Local(data: Uint8Array): Decoded<Encapsulation> {
  const attributes = new Attributes(data);
  const action = attributes.u32(SEG6_LOCAL_ACTION);
  const nextHop4 = attributes.address(SEG6_LOCAL_NH4);
  const nextHop6 = attributes.address(SEG6_LOCAL_NH6);
  const outputInterface = attributes.u32(SEG6_LOCAL_OIF);
  const table = attributes.u32(SEG6_LOCAL_TABLE);
  const vrfTable = attributes.u32(SEG6_LOCAL_VRFTABLE);
  const counters = attributes.nested(SEG6_LOCAL_COUNTERS);
  const count = (type: number): bigint => counters?.u64(type) ?? 0n;
  const counted = counters && { packets: count(SEG6_LOCAL_CNT_PACKETS), bytes: count(SEG6_LOCAL_CNT_BYTES), errors: count(SEG6_LOCAL_CNT_ERRORS) };
  if (!attributes.ok || counters?.ok === false || action === undefined) return { fault: 'seg6local: malformed or without an action' };
  return {
    value: {
      kind: 'seg6local',
      action,
      ...(nextHop4 !== undefined && { nextHop4 }),
      ...(nextHop6 !== undefined && { nextHop6 }),
      ...(outputInterface !== undefined && { outputInterface }),
      ...(table !== undefined && { table }),
      ...(vrfTable !== undefined && { vrfTable }),
      ...(counted && { counters: counted }),
    },
  };
}

/** Decodes RTA_ENCAP of a type; both are read from a route's or next hop's attributes. Undefined where there is none. */
export function decodeEncapsulation(attributes: Attributes, numbers = OF_ROUTE): Decoded<Encapsulation> | undefined {
  const type = attributes.u16(numbers.type);
  const data = attributes.octets(numbers.data);
  if (type === undefined || type === 0) return undefined;
  if (!data) return { fault: 'an encapsulation type without its data' };
  switch (type) {
    case LWTUNNEL_ENCAP_SEG6:
      return decodeSeg6(data);
    case LWTUNNEL_ENCAP_SEG6_LOCAL:
      return decodeSeg6Local(data);
    default:
      return { value: { kind: 'other', type, data: data.slice() } };
  }
}
