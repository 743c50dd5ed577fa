/** Network-LSA (RFC 5340 section A.4.4). */
import { type Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import type { NetworkLsa } from '../types.js';

export function decodeNetworkBody(reader: Reader): NetworkLsa | string {
  reader.skip(1);
  const options = reader.u24();
  if (!reader.ok || reader.remaining % 4 !== 0) return `Network-LSA with ${reader.remaining} octets of router IDs of 4`;
  const routers: number[] = [];
  while (reader.remaining > 0) routers.push(reader.u32());
  return { kind: 'network', options, routers };
}

export function encodeNetworkBody({ options, routers }: Omit<NetworkLsa, 'kind'>): Uint8Array {
  const writer = new Writer(4 + 4 * routers.length).u8(0).u24(options);
  for (const router of routers) writer.u32(router);
  return writer.finish();
}
