/** E-Router-LSA (RFC 8362 section 4.1) with the SRv6 End.X SIDs of its links (RFC 9513 section 9). Impossible End.X SIDs are left out. */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { type TlvFault, walkTlvs, writeTlv } from '../../../computing/tlv.js';
import { readAddress, writeAddress } from '../prefix.js';
import type { EndXSid, ExtendedRouterLink, ExtendedRouterLsa } from '../types.js';
import { readRouterFlags, readRouterLink, writeRouterFlags, writeRouterLink } from './router.js';
import { readSidStructure, writeSidStructure } from './sid-structure.js';

const ROUTER_LINK = 1;
const END_X = 31;
const LAN_END_X = 32;
/** In the registry of sub-TLVs of Extended LSAs. */
const SID_STRUCTURE = 30;

function readEndX(reader: Reader, type: number): EndXSid | undefined {
  const behaviour = reader.u16();
  const flags = reader.u8();
  reader.skip(1);
  const algorithm = reader.u8();
  const weight = reader.u8();
  reader.skip(2);
  const neighborRouterId = type === LAN_END_X ? reader.u32() : undefined;
  const sid = readAddress(reader);
  const inner = readSidStructure(reader, SID_STRUCTURE);
  if (!reader.ok || typeof inner === 'string') return undefined;
  return { behaviour, flags, algorithm, weight, neighborRouterId, sid, structure: inner.structure };
}

function readLink(bytes: Uint8Array, start: number, end: number, links: ExtendedRouterLink[]): TlvFault | undefined {
  const reader = new Reader(bytes, start, end);
  const link = readRouterLink(reader);
  if (!reader.ok) return { reason: `Router-Link TLV of length ${end - start}`, offset: start };
  if (!link) return undefined;
  const endX: EndXSid[] = [];
  const fault = walkTlvs(bytes, reader.offset, end, (type, from, to) => {
    const sid = type === END_X || type === LAN_END_X ? readEndX(new Reader(bytes, from, to), type) : undefined;
    if (sid) endX.push(sid);
    return undefined;
  });
  links.push({ ...link, endX });
  return fault;
}

export function decodeExtendedRouterBody(reader: Reader): ExtendedRouterLsa | string {
  const flags = readRouterFlags(reader);
  const options = reader.u24();
  if (!reader.ok) return 'E-Router-LSA is cut short';
  const { bytes, offset, end } = reader;
  const links: ExtendedRouterLink[] = [];
  const fault = walkTlvs(bytes, offset, end, (type, from, to) => (type === ROUTER_LINK ? readLink(bytes, from, to, links) : undefined));
  return fault ? `E-Router-LSA: ${fault.reason}` : { kind: 'extendedRouter', flags, options, links };
}

function writeEndX(writer: Writer, { behaviour, flags, algorithm, weight, neighborRouterId, sid, structure }: EndXSid): void {
  writeTlv(writer, neighborRouterId === undefined ? END_X : LAN_END_X, (value) => {
    value.u16(behaviour).u8(flags).u8(0).u8(algorithm).u8(weight).u16(0);
    if (neighborRouterId !== undefined) value.u32(neighborRouterId);
    writeAddress(value, sid);
    writeSidStructure(value, SID_STRUCTURE, structure);
  });
}

/** Throws RangeError for SIDs that are no IPv6 addresses. */
export function encodeExtendedRouterBody({ flags, options, links }: Omit<ExtendedRouterLsa, 'kind'>): Uint8Array {
  const writer = new Writer();
  writeRouterFlags(writer, flags);
  writer.u24(options);
  for (const link of links) {
    writeTlv(writer, ROUTER_LINK, (inner) => {
      writeRouterLink(inner, link);
      for (const sid of link.endX) writeEndX(inner, sid);
    });
  }
  return writer.finish();
}
