/** Hello (RFC 5340 section A.3.2). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import type { HelloPacket, PacketHeader } from '../types.js';

export function decodeHello(reader: Reader, header: PacketHeader): HelloPacket | string {
  const interfaceId = reader.u32();
  const priority = reader.u8();
  const options = reader.u24();
  const helloInterval = reader.u16();
  const deadInterval = reader.u16();
  const designated = reader.u32();
  const backup = reader.u32();
  if (!reader.ok || reader.remaining % 4 !== 0) return 'Hello: the length is not that of a list of neighbors';
  const neighbors: number[] = [];
  while (reader.remaining > 0) neighbors.push(reader.u32());
  return { kind: 'hello', ...header, interfaceId, priority, options, helloInterval, deadInterval, designated, backup, neighbors };
}

export function encodeHello(writer: Writer, packet: HelloPacket): void {
  writer.u32(packet.interfaceId).u8(packet.priority).u24(packet.options).u16(packet.helloInterval).u16(packet.deadInterval).u32(packet.designated).u32(packet.backup);
  for (const neighbor of packet.neighbors) writer.u32(neighbor);
}
