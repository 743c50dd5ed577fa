/** Link-LSA (RFC 5340 section A.4.9). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { readAddress, readPrefix, writeAddress, writePrefix } from '../prefix.js';
import type { LinkLsa, LsaPrefix } from '../types.js';
import { wrongLength } from './body.js';

export function decodeLinkBody(reader: Reader): LinkLsa | string {
  const priority = reader.u8();
  const options = reader.u24();
  const linkLocal = readAddress(reader);
  const count = reader.u32();
  const prefixes: LsaPrefix[] = [];
  for (let i = 0; i < count; i++) {
    const read = readPrefix(reader);
    if (!read) return `Link-LSA: prefix ${i + 1} of ${count} is cut short or longer than 128 bits`;
    prefixes.push({ prefix: read.prefix, options: read.options, metric: 0 });
  }
  return wrongLength(reader, 'Link-LSA') ?? { kind: 'link', priority, options, linkLocal, prefixes };
}

/** Throws RangeError for IPv4 prefixes and a link-local address that is none. Metrics of the prefixes are not carried. */
export function encodeLinkBody({ priority, options, linkLocal, prefixes }: Omit<LinkLsa, 'kind'>): Uint8Array {
  const writer = new Writer().u8(priority).u24(options);
  writeAddress(writer, linkLocal);
  writer.u32(prefixes.length);
  for (const item of prefixes) writePrefix(writer, item.prefix, item.options, 0);
  return writer.finish();
}
