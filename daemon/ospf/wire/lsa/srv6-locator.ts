/** SRv6 Locator LSA (RFC 9513 sections 7 and 8). What RFC 9513 says to ignore is left out: TLVs and sub-TLVs that are impossible. */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { type TlvFault, walkTlvs, writeTlv } from '../../../computing/tlv.js';
import { readAddress, readPrefixOctets, writeAddress, writePrefixOctets } from '../prefix.js';
import type { EndSid, Srv6Locator, Srv6LocatorLsa } from '../types.js';
import { readSidStructure, writeSidStructure } from './sid-structure.js';

const SRV6_LOCATOR = 1;
const END_SID = 1;
/** In the registry of sub-TLVs of this LSA. */
const SID_STRUCTURE = 10;
const ROUTE_TYPES = 6;

function readEndSid(bytes: Uint8Array, start: number, end: number): EndSid | undefined {
  const reader = new Reader(bytes, start, end);
  const flags = reader.u8();
  reader.skip(1);
  const behaviour = reader.u16();
  const sid = readAddress(reader);
  const inner = readSidStructure(reader, SID_STRUCTURE);
  return reader.ok && typeof inner !== 'string' ? { flags, behaviour, sid, structure: inner.structure } : undefined;
}

function readLocator(bytes: Uint8Array, start: number, end: number, locators: Srv6Locator[]): TlvFault | undefined {
  const reader = new Reader(bytes, start, end);
  const routeType = reader.u8();
  const algorithm = reader.u8();
  const length = reader.u8();
  const prefixOptions = reader.u8();
  const metric = reader.u32();
  const prefix = readPrefixOctets(reader, length);
  if (!prefix || length === 0 || routeType === 0 || routeType > ROUTE_TYPES) return undefined;
  const endSids: EndSid[] = [];
  const fault = walkTlvs(bytes, reader.offset, end, (type, from, to) => {
    const sid = type === END_SID ? readEndSid(bytes, from, to) : undefined;
    if (sid) endSids.push(sid);
    return undefined;
  });
  locators.push({ routeType, algorithm, prefixOptions, metric, prefix, endSids });
  return fault;
}

export function decodeSrv6LocatorBody({ bytes, offset, end }: Reader): Srv6LocatorLsa | string {
  const locators: Srv6Locator[] = [];
  const fault = walkTlvs(bytes, offset, end, (type, from, to) => (type === SRV6_LOCATOR ? readLocator(bytes, from, to, locators) : undefined));
  return fault ? `SRv6 Locator LSA: ${fault.reason}` : { kind: 'srv6Locator', locators };
}

/** Throws RangeError for IPv4 prefixes and SIDs that are no IPv6 addresses. */
export function encodeSrv6LocatorBody({ locators }: Omit<Srv6LocatorLsa, 'kind'>): Uint8Array {
  const writer = new Writer();
  for (const { routeType, algorithm, prefixOptions, metric, prefix, endSids } of locators) {
    writeTlv(writer, SRV6_LOCATOR, (inner) => {
      inner.u8(routeType).u8(algorithm).u8(prefix.length).u8(prefixOptions).u32(metric);
      writePrefixOctets(inner, prefix);
      for (const { flags, behaviour, sid, structure } of endSids) {
        writeTlv(inner, END_SID, (value) => {
          value.u8(flags).u8(0).u16(behaviour);
          writeAddress(value, sid);
          writeSidStructure(value, SID_STRUCTURE, structure);
        });
      }
    });
  }
  return writer.finish();
}
