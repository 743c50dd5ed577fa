/** Inter-Area-Prefix-LSA (RFC 5340 section A.4.5). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { readPrefix, writePrefix } from '../prefix.js';
import type { InterAreaPrefixLsa } from '../types.js';
import { wrongLength } from './body.js';

export function decodeInterAreaPrefixBody(reader: Reader): InterAreaPrefixLsa | string {
  reader.skip(1);
  const metric = reader.u24();
  const read = readPrefix(reader);
  if (!read) return 'Inter-Area-Prefix-LSA with a prefix that is cut short or longer than 128 bits';
  return wrongLength(reader, 'Inter-Area-Prefix-LSA') ?? { kind: 'interAreaPrefix', prefix: read.prefix, options: read.options, metric };
}

/** Throws RangeError for an IPv4 prefix. */
export function encodeInterAreaPrefixBody({ prefix, options, metric }: Omit<InterAreaPrefixLsa, 'kind'>): Uint8Array {
  const writer = new Writer(24).u8(0).u24(metric);
  writePrefix(writer, prefix, options, 0);
  return writer.finish();
}
