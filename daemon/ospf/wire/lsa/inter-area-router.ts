/** Inter-Area-Router-LSA (RFC 5340 section A.4.6). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import type { InterAreaRouterLsa } from '../types.js';
import { wrongLength } from './body.js';

export function decodeInterAreaRouterBody(reader: Reader): InterAreaRouterLsa | string {
  reader.skip(1);
  const options = reader.u24();
  reader.skip(1);
  const metric = reader.u24();
  const destination = reader.u32();
  return wrongLength(reader, 'Inter-Area-Router-LSA') ?? { kind: 'interAreaRouter', options, metric, destination };
}

export function encodeInterAreaRouterBody({ options, metric, destination }: Omit<InterAreaRouterLsa, 'kind'>): Uint8Array {
  return new Writer(12).u8(0).u24(options).u8(0).u24(metric).u32(destination).finish();
}
