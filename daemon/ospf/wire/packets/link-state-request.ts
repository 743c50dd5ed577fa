/** Link State Request (RFC 5340 section A.3.4). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import type { LinkStateRequestPacket, LsaKey, PacketHeader } from '../types.js';

const REQUEST_LENGTH = 12;

export function decodeLinkStateRequest(reader: Reader, header: PacketHeader): LinkStateRequestPacket | string {
  if (reader.remaining % REQUEST_LENGTH !== 0) return 'Link State Request: the length is not that of a list of requests';
  const requests: LsaKey[] = [];
  while (reader.remaining > 0) {
    reader.skip(2);
    requests.push({ type: reader.u16(), id: reader.u32(), router: reader.u32() });
  }
  return { kind: 'linkStateRequest', ...header, requests };
}

export function encodeLinkStateRequest(writer: Writer, packet: LinkStateRequestPacket): void {
  for (const { type, id, router } of packet.requests) writer.u16(0).u16(type).u32(id).u32(router);
}
