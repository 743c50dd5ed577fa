/** Router Information LSA (RFC 7770) with what SRv6 adds (RFC 9513 sections 2 to 4). Of a repeated TLV the first counts. */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { walkTlvs, writeTlv } from '../../../computing/tlv.js';
import type { RouterInformationLsa } from '../types.js';

const INFORMATIONAL = 1;
const SR_ALGORITHM = 8;
const NODE_MSD = 12;
const SRV6_CAPABILITIES = 20;

function readMsd(reader: Reader): [number, number][] {
  const list: [number, number][] = [];
  while (reader.remaining >= 2) list.push([reader.u8(), reader.u8()]);
  return list;
}

export function decodeRouterInformationBody({ bytes, offset, end }: Reader): RouterInformationLsa | string {
  let informational: number | undefined;
  let srv6: RouterInformationLsa['srv6'];
  let algorithms: readonly number[] | undefined;
  let msd: RouterInformationLsa['msd'] | undefined;
  const fault = walkTlvs(bytes, offset, end, (type, from, to) => {
    const reader = new Reader(bytes, from, to);
    if (type === INFORMATIONAL && to - from >= 4) informational ??= reader.u32();
    if (type === SR_ALGORITHM) algorithms ??= [...reader.rest()];
    if (type === NODE_MSD) msd ??= readMsd(reader);
    if (type === SRV6_CAPABILITIES && to - from >= 4) srv6 ??= { flags: reader.u16() };
    return undefined;
  });
  if (fault) return `Router Information LSA: ${fault.reason}`;
  return { kind: 'routerInformation', informational, srv6, algorithms: algorithms ?? [], msd: msd ?? [] };
}

export function encodeRouterInformationBody({ informational, srv6, algorithms, msd }: Omit<RouterInformationLsa, 'kind'>): Uint8Array {
  const writer = new Writer();
  if (informational !== undefined) writeTlv(writer, INFORMATIONAL, (value) => value.u32(informational));
  if (algorithms.length > 0) writeTlv(writer, SR_ALGORITHM, (value) => value.octets(Uint8Array.from(algorithms)));
  if (msd.length > 0) writeTlv(writer, NODE_MSD, (value) => value.octets(Uint8Array.from(msd.flat())));
  if (srv6) writeTlv(writer, SRV6_CAPABILITIES, (value) => value.u16(srv6.flags).u16(0));
  return writer.finish();
}
