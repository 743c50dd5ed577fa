/** Database Description (RFC 5340 section A.3.3). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { writeLsaHeader } from '../lsa-header.js';
import type { DatabaseDescriptionPacket, PacketHeader } from '../types.js';
import { readLsaHeaders } from './body.js';

const Flag = { master: 0x01, more: 0x02, initial: 0x04 } as const;

export function decodeDatabaseDescription(reader: Reader, header: PacketHeader): DatabaseDescriptionPacket | string {
  reader.skip(1);
  const options = reader.u24();
  const mtu = reader.u16();
  reader.skip(1);
  const flags = reader.u8();
  const sequence = reader.u32();
  const headers = readLsaHeaders(reader);
  if (!headers) return 'Database Description: the length is not that of a list of LSA headers';
  const [initial, more, master] = [(flags & Flag.initial) !== 0, (flags & Flag.more) !== 0, (flags & Flag.master) !== 0];
  return { kind: 'databaseDescription', ...header, options, mtu, initial, more, master, sequence, headers };
}

export function encodeDatabaseDescription(writer: Writer, packet: DatabaseDescriptionPacket): void {
  const flags = (packet.initial ? Flag.initial : 0) | (packet.more ? Flag.more : 0) | (packet.master ? Flag.master : 0);
  writer.u8(0).u24(packet.options).u16(packet.mtu).u8(0).u8(flags).u32(packet.sequence);
  for (const header of packet.headers) writeLsaHeader(writer, header);
}
