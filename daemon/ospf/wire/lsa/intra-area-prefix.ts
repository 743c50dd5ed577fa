/** Intra-Area-Prefix-LSA (RFC 5340 section A.4.10). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { readPrefix, writePrefix } from '../prefix.js';
import type { IntraAreaPrefixLsa, LsaPrefix } from '../types.js';
import { wrongLength } from './body.js';

export function decodeIntraAreaPrefixBody(reader: Reader): IntraAreaPrefixLsa | string {
  const count = reader.u16();
  const referenced = { type: reader.u16(), id: reader.u32(), router: reader.u32() };
  const prefixes: LsaPrefix[] = [];
  for (let i = 0; i < count; i++) {
    const read = readPrefix(reader);
    if (!read) return `Intra-Area-Prefix-LSA: prefix ${i + 1} of ${count} is cut short or longer than 128 bits`;
    prefixes.push({ prefix: read.prefix, options: read.options, metric: read.third });
  }
  return wrongLength(reader, 'Intra-Area-Prefix-LSA') ?? { kind: 'intraAreaPrefix', referenced, prefixes };
}

/** Throws RangeError for IPv4 prefixes. */
export function encodeIntraAreaPrefixBody({ referenced, prefixes }: Omit<IntraAreaPrefixLsa, 'kind'>): Uint8Array {
  const writer = new Writer().u16(prefixes.length).u16(referenced.type).u32(referenced.id).u32(referenced.router);
  for (const { prefix, options, metric } of prefixes) writePrefix(writer, prefix, options, metric);
  return writer.finish();
}
