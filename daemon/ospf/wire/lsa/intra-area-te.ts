/** Intra-Area-TE-LSA (RFC 5329 section 5). Of a repeated TLV the first counts. */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { walkTlvs, writeTlv } from '../../../computing/tlv.js';
import { readAddress, writeAddress } from '../prefix.js';
import type { IntraAreaTeLsa, TeLink } from '../types.js';
import { readTeLink, writeTeLink } from './te-link.js';

const LINK = 2;
const ROUTER_IPV6_ADDRESS = 3;

export function decodeIntraAreaTeBody({ bytes, offset, end }: Reader): IntraAreaTeLsa | string {
  let routerAddress: string | undefined;
  let link: TeLink | undefined;
  const fault = walkTlvs(bytes, offset, end, (type, start, to) => {
    if (type === ROUTER_IPV6_ADDRESS && to - start === 16) routerAddress ??= readAddress(new Reader(bytes, start, to));
    if (type !== LINK || link) return undefined;
    const read = readTeLink(new Reader(bytes, start, to));
    if (typeof read === 'string') return { reason: `Link TLV: ${read}`, offset: start };
    link = read;
    return undefined;
  });
  if (fault) return `Intra-Area-TE-LSA: ${fault.reason}`;
  const body: IntraAreaTeLsa = { kind: 'intraAreaTe', routerAddress, link };
  return body;
}

/** Throws RangeError for addresses that are no IPv6 addresses. */
export function encodeIntraAreaTeBody({ routerAddress, link }: Omit<IntraAreaTeLsa, 'kind'>): Uint8Array {
  const writer = new Writer();
  if (routerAddress !== undefined) writeTlv(writer, ROUTER_IPV6_ADDRESS, (value) => writeAddress(value, routerAddress));
  if (link) writeTlv(writer, LINK, (value) => writeTeLink(value, link));
  return writer.finish();
}
