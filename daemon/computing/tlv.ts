/**
 * The TLV form of a CPN block (proto/WIRE.md section 1), which is that of OSPF (RFC 3630 section 2.3.2, RFC 7770 section 2.3): type 16, length 16 (of
 * the value), value, zero padding to 4 octets.
 */
import type { Writer } from '../../dataplane/packet/cursor.js';

export interface TlvFault {
  readonly reason: string;
  readonly offset: number; // index in `bytes`
}

/** Octets a value of `length` takes with its header and padding. */
export const tlvSize = (length: number): number => 4 + ((length + 3) & ~3);

/**
 * Calls `visit(type, start, end)` for each TLV in bytes[from, to), with the bounds of its value. Stops at the first framing fault,
 * whether found here or returned by `visit`, and returns it.
 */
export function walkTlvs(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (type: number, start: number, end: number) => TlvFault | undefined,
): TlvFault | undefined {
  let at = from;
  while (at < to) {
    if (to - at < 4) return { reason: `${to - at} octets left where a TLV header needs 4`, offset: at };
    const type = (bytes[at]! << 8) | bytes[at + 1]!;
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const start = at + 4;
    if (length > to - start) return { reason: `TLV ${type} of length ${length} where ${to - start} octets are left`, offset: at };
    const next = at + tlvSize(length);
    if (next > to) return { reason: `TLV ${type} of length ${length} lacks its padding`, offset: at };
    const fault = visit(type, start, start + length);
    if (fault) return fault;
    at = next;
  }
  return undefined;
}

/** Writes a TLV whose value `write` appends. */
export function writeTlv(writer: Writer, type: number, write: (writer: Writer) => void): void {
  writer.u16(type).u16(0);
  const start = writer.length;
  write(writer);
  const length = writer.length - start;
  writer.setU16(start - 2, length);
  writer.zeros(-length & 3);
}
