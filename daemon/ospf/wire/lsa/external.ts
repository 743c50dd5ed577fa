/** AS-External-LSA (RFC 5340 section A.4.7) and NSSA-LSA, which has the same body (section A.4.8). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { readAddress, readPrefix, writeAddress, writePrefix } from '../prefix.js';
import type { ExternalLsa } from '../types.js';
import { wrongLength } from './body.js';

const Flag = { tag: 0x01, forwarding: 0x02, type2: 0x04 } as const;

function decode(reader: Reader, kind: ExternalLsa['kind']): ExternalLsa | string {
  const flags = reader.u8();
  const metric = reader.u24();
  const read = readPrefix(reader);
  if (!read) return 'External LSA with a prefix that is cut short or longer than 128 bits';
  const forwarding = flags & Flag.forwarding ? readAddress(reader) : undefined;
  const tag = flags & Flag.tag ? reader.u32() : undefined;
  const referenced = read.third !== 0 ? { type: read.third, id: reader.u32() } : undefined;
  const type2 = (flags & Flag.type2) !== 0;
  return wrongLength(reader, 'External LSA') ?? { kind, prefix: read.prefix, options: read.options, metric, type2, forwarding, tag, referenced };
}

export const decodeAsExternalBody = (reader: Reader): ExternalLsa | string => decode(reader, 'asExternal');
export const decodeNssaBody = (reader: Reader): ExternalLsa | string => decode(reader, 'nssa');

/** Throws RangeError for an IPv4 prefix and a forwarding address that is none. */
export function encodeExternalBody(body: Omit<ExternalLsa, 'kind'>): Uint8Array {
  const { prefix, options, metric, type2, forwarding, tag, referenced } = body;
  const flags = (type2 ? Flag.type2 : 0) | (forwarding !== undefined ? Flag.forwarding : 0) | (tag !== undefined ? Flag.tag : 0);
  const writer = new Writer(48).u8(flags).u24(metric);
  writePrefix(writer, prefix, options, referenced?.type ?? 0);
  if (forwarding !== undefined) writeAddress(writer, forwarding);
  if (tag !== undefined) writer.u32(tag);
  if (referenced) writer.u32(referenced.id);
  return writer.finish();
}
