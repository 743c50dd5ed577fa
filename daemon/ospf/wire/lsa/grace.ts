/** Grace-LSA (RFC 5187 section 2.2), both of whose TLVs must be there. */
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { walkTlvs, writeTlv } from '../../../computing/tlv.js';
import type { GraceLsa } from '../types.js';

const GRACE_PERIOD = 1;
const REASON = 2;

export function decodeGraceBody({ bytes, offset, end }: Reader): GraceLsa | string {
  let periodSeconds: number | undefined;
  let reason: number | undefined;
  const fault = walkTlvs(bytes, offset, end, (type, from, to) => {
    if (type === GRACE_PERIOD && to - from === 4) periodSeconds ??= new Reader(bytes, from, to).u32();
    if (type === REASON && to - from === 1) reason ??= bytes[from]!;
    return undefined;
  });
  if (fault) return `Grace-LSA: ${fault.reason}`;
  if (periodSeconds === undefined || reason === undefined) return 'Grace-LSA without a grace period or a reason';
  return { kind: 'grace', periodSeconds, reason };
}

export function encodeGraceBody({ periodSeconds, reason }: Omit<GraceLsa, 'kind'>): Uint8Array {
  const writer = new Writer(16);
  writeTlv(writer, GRACE_PERIOD, (value) => value.u32(periodSeconds));
  writeTlv(writer, REASON, (value) => value.u8(reason));
  return writer.finish();
}
