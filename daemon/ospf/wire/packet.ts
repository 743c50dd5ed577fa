/** OSPFv3 packets as they stand behind an IPv6 header (RFC 5340 section A.3). */
import { foldChecksum, sumOctets } from '../../../dataplane/packet/checksum.js';
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { parseIp } from '../../../dataplane/packet/ip.js';
import type { PacketBodyDecoder } from './packets/body.js';
import { decodeDatabaseDescription, encodeDatabaseDescription } from './packets/database-description.js';
import { decodeHello, encodeHello } from './packets/hello.js';
import { decodeLinkStateAcknowledgment, encodeLinkStateAcknowledgment } from './packets/link-state-acknowledgment.js';
import { decodeLinkStateRequest, encodeLinkStateRequest } from './packets/link-state-request.js';
import { decodeLinkStateUpdate, encodeLinkStateUpdate } from './packets/link-state-update.js';
import { LsType, type OspfPacket, PACKET_HEADER_LENGTH, type PacketDecoded, type PacketFault } from './types.js';

/** Next header of OSPF. */
const PROTOCOL_OSPF = 89;
const VERSION = 3;
const LENGTH_AT = 2;
const CHECKSUM_AT = 12;

const PacketType: Readonly<Record<OspfPacket['kind'], number>> = { hello: 1, databaseDescription: 2, linkStateRequest: 3, linkStateUpdate: 4, linkStateAcknowledgment: 5 };

const DECODERS: readonly (PacketBodyDecoder | undefined)[] = [
  undefined,
  decodeHello,
  decodeDatabaseDescription,
  decodeLinkStateRequest,
  decodeLinkStateUpdate,
  decodeLinkStateAcknowledgment,
];

/** IPv6 addresses that a packet goes from and to: 16 octets or text without zone. */
export interface PacketAddresses {
  readonly source: string | Uint8Array;
  readonly destination: string | Uint8Array;
}

export interface PacketContext extends PacketAddresses {
  /** Its Authentication Trailer was verified: the checksum is not looked at (RFC 7166 section 4.2). */
  readonly authenticated?: boolean;
  /** LS type of computing LSAs, where another than the default is configured. */
  readonly cpnLsType?: number;
}

function octetsOf(address: string | Uint8Array): Uint8Array {
  const octets = typeof address === 'string' ? parseIp(address) : address;
  if (octets?.length !== 16) throw new TypeError(`not an IPv6 address: ${String(address)}`);
  return octets;
}

/** Over a packet whose checksum field is right the result is 0. The pseudo-header has the packet's own length, without what trails it. */
function checksumOf(bytes: Uint8Array, length: number, { source, destination }: PacketAddresses): number {
  const addresses = sumOctets(octetsOf(source), 0, 16, sumOctets(octetsOf(destination), 0, 16, length + PROTOCOL_OSPF));
  return foldChecksum(sumOctets(bytes, 0, length, addresses));
}

const failed = (counter: PacketFault['counter'], reason: string): PacketDecoded => ({ ok: false, fault: { counter, reason } });

/**
 * Reads one packet. What stands behind its own length (link-local signaling, Authentication Trailer) is not read here: see authentication.ts.
 * Never throws on what was received; throws TypeError when an address of the context is none.
 */
export function decodePacket(bytes: Uint8Array, context: PacketContext): PacketDecoded {
  if (bytes.length < PACKET_HEADER_LENGTH) return failed('length', `${bytes.length} octets where the header needs ${PACKET_HEADER_LENGTH}`);
  const header = new Reader(bytes);
  const version = header.u8();
  if (version !== VERSION) return failed('version', `version ${version}`);
  const type = header.u8();
  const length = header.u16();
  if (length < PACKET_HEADER_LENGTH || length > bytes.length) return failed('length', `packet length ${length} in ${bytes.length} octets`);
  const decoder = DECODERS[type];
  if (!decoder) return failed('type', `packet type ${type}`);
  if (context.authenticated !== true && checksumOf(bytes, length, context) !== 0) {
    // An authenticated packet has no checksum (RFC 7166 section 4.2): its sender has keys, this router has none.
    return bytes.length > length ? failed('authentication', 'the checksum is wrong, and a trailer follows that no key is here for') : failed('checksum', 'the checksum is wrong');
  }
  const routerId = header.u32();
  const areaId = header.u32();
  header.skip(2);
  const packet = decoder(new Reader(bytes, PACKET_HEADER_LENGTH, length), { routerId, areaId, instanceId: header.u8() }, context.cpnLsType ?? LsType.cpn);
  return typeof packet === 'string' ? failed('body', packet) : { ok: true, packet };
}

function encodeBody(writer: Writer, packet: OspfPacket): void {
  switch (packet.kind) {
    case 'hello':
      encodeHello(writer, packet);
      break;
    case 'databaseDescription':
      encodeDatabaseDescription(writer, packet);
      break;
    case 'linkStateRequest':
      encodeLinkStateRequest(writer, packet);
      break;
    case 'linkStateUpdate':
      encodeLinkStateUpdate(writer, packet);
      break;
    case 'linkStateAcknowledgment':
      encodeLinkStateAcknowledgment(writer, packet);
      break;
  }
}

/** Encodes a packet with its checksum. LSAs of an update go as they are, their ages those of their headers; its `faults` are not sent. */
export function encodePacket(packet: OspfPacket, addresses: PacketAddresses): Uint8Array {
  const writer = new Writer(1500);
  writer.u8(VERSION).u8(PacketType[packet.kind]).u16(0).u32(packet.routerId).u32(packet.areaId).u16(0).u8(packet.instanceId).u8(0);
  encodeBody(writer, packet);
  if (writer.length > 0xffff) throw new RangeError(`a packet of ${writer.length} octets`);
  writer.setU16(LENGTH_AT, writer.length);
  writer.setU16(CHECKSUM_AT, checksumOf(writer.written(), writer.length, addresses));
  return writer.finish();
}
