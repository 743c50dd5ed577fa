/** Link State Acknowledgment (RFC 5340 section A.3.6). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { writeLsaHeader } from '../lsa-header.js';
import type { LinkStateAcknowledgmentPacket, PacketHeader } from '../types.js';
import { readLsaHeaders } from './body.js';

export function decodeLinkStateAcknowledgment(reader: Reader, header: PacketHeader): LinkStateAcknowledgmentPacket | string {
  const headers = readLsaHeaders(reader);
  return headers ? { kind: 'linkStateAcknowledgment', ...header, headers } : 'Link State Acknowledgment: the length is not that of a list of LSA headers';
}

export function encodeLinkStateAcknowledgment(writer: Writer, packet: LinkStateAcknowledgmentPacket): void {
  for (const header of packet.headers) writeLsaHeader(writer, header);
}
