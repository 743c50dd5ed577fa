/** Router-LSA (RFC 5340 section A.4.3). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import type { RouterLink, RouterLinkType, RouterLsa } from '../types.js';

const Flag = { b: 0x01, e: 0x02, v: 0x04, nt: 0x10 } as const;
const LINK_LENGTH = 16;
const LINK_TYPES: ReadonlySet<number> = new Set<RouterLinkType>([1, 2, 4]);

export function readRouterFlags(reader: Reader): RouterLsa['flags'] {
  const flags = reader.u8();
  return { nt: (flags & Flag.nt) !== 0, v: (flags & Flag.v) !== 0, e: (flags & Flag.e) !== 0, b: (flags & Flag.b) !== 0 };
}

export function writeRouterFlags(writer: Writer, { nt, v, e, b }: RouterLsa['flags']): void {
  writer.u8((nt ? Flag.nt : 0) | (v ? Flag.v : 0) | (e ? Flag.e : 0) | (b ? Flag.b : 0));
}

/** Reads the 16 octets of a link; undefined for link types that are not defined, which are passed over. */
export function readRouterLink(reader: Reader): RouterLink | undefined {
  const type = reader.u8();
  reader.skip(1);
  const metric = reader.u16();
  const interfaceId = reader.u32();
  const neighborInterfaceId = reader.u32();
  const neighborRouterId = reader.u32();
  return LINK_TYPES.has(type) ? { type: type as RouterLinkType, metric, interfaceId, neighborInterfaceId, neighborRouterId } : undefined;
}

export function writeRouterLink(writer: Writer, link: RouterLink): void {
  writer.u8(link.type).u8(0).u16(link.metric).u32(link.interfaceId).u32(link.neighborInterfaceId).u32(link.neighborRouterId);
}

export function decodeRouterBody(reader: Reader): RouterLsa | string {
  const flags = readRouterFlags(reader);
  const options = reader.u24();
  if (!reader.ok || reader.remaining % LINK_LENGTH !== 0) return `Router-LSA with ${reader.remaining} octets of links of ${LINK_LENGTH}`;
  const links: RouterLink[] = [];
  while (reader.remaining > 0) {
    const link = readRouterLink(reader);
    if (link) links.push(link);
  }
  return { kind: 'router', flags, options, links };
}

export function encodeRouterBody({ flags, options, links }: Omit<RouterLsa, 'kind'>): Uint8Array {
  const writer = new Writer(4 + LINK_LENGTH * links.length);
  writeRouterFlags(writer, flags);
  writer.u24(options);
  for (const link of links) writeRouterLink(writer, link);
  return writer.finish();
}
