/** Link State Update (RFC 5340 section A.3.5). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { decodeLsa } from '../lsa.js';
import { type LinkStateUpdatePacket, type Lsa, LSA_HEADER_LENGTH, type LsaFault, type PacketHeader } from '../types.js';

/** Where the length stands in the header of an LSA. */
const LENGTH_AT = 18;

/**
 * An LSA whose checksum is wrong is left out alone. One whose length cannot be hides where the next begins, so that it and all behind it are
 * left out. An update that does not end where its last LSA does is a fault.
 */
export function decodeLinkStateUpdate(reader: Reader, header: PacketHeader, cpnLsType: number): LinkStateUpdatePacket | string {
  const count = reader.u32();
  const lsas: Lsa[] = [];
  const faults: LsaFault[] = [];
  for (let i = 0; i < count; i++) {
    const { bytes, offset, remaining } = reader;
    if (remaining < LSA_HEADER_LENGTH) return `Link State Update: LSA ${i + 1} of ${count} is cut short`;
    const length = (bytes[offset + LENGTH_AT]! << 8) | bytes[offset + LENGTH_AT + 1]!;
    if (length < LSA_HEADER_LENGTH || length > remaining) {
      faults.push({ header: undefined, reason: `LSA ${i + 1} of ${count} has length ${length} in ${remaining} octets` });
      return { kind: 'linkStateUpdate', ...header, lsas, faults };
    }
    const decoded = decodeLsa(reader.octets(length), cpnLsType);
    if (decoded.ok) lsas.push(decoded.lsa);
    else faults.push(decoded.fault);
  }
  if (!reader.ok || reader.remaining > 0) return `Link State Update of ${count} LSAs with ${reader.remaining} octets too many`;
  return { kind: 'linkStateUpdate', ...header, lsas, faults };
}

/** Sends the octets of each LSA as they are but for the age, which is that of its header. */
export function encodeLinkStateUpdate(writer: Writer, packet: Pick<LinkStateUpdatePacket, 'lsas'>): void {
  writer.u32(packet.lsas.length);
  for (const { header, raw } of packet.lsas) writer.u16(header.age).octets(raw.subarray(2));
}
