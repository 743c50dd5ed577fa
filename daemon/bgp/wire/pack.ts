/**
 * Writing UPDATEs: many prefixes with equal attributes in as few messages as the size limit allows. The attributes are encoded once
 * for all of them. MP_REACH_NLRI and MP_UNREACH_NLRI come first, so that a receiver finds the prefixes whatever follows
 * (RFC 7606 section 5.1).
 */
import { Writer } from '../../../dataplane/packet/cursor.js';
import { ENCODERS_AFTER_NEXT_HOP, ENCODERS_BEFORE_NEXT_HOP } from './attributes/index.js';
import { encodeMpReach, mpReachOverhead } from './attributes/mp-reach.js';
import { encodeMpUnreach, MP_UNREACH_OVERHEAD } from './attributes/mp-unreach.js';
import { encodeNextHop } from './attributes/next-hop.js';
import { appendHeader, endMessage, finishMessage, maximumLength, startMessage } from './header.js';
import { nlriSize, writeNlri } from './nlri.js';
import {
  AFI_IPV4,
  type AfiSafi,
  type Announcement,
  type EncodeContext,
  HEADER_LENGTH,
  MessageType,
  type Nlri,
  type PathAttributes,
  SAFI_UNICAST,
} from './types.js';

/** Header, length of withdrawn routes, length of path attributes. */
const EMPTY_UPDATE = HEADER_LENGTH + 4;

const isClassic = ({ afi, safi }: AfiSafi): boolean => afi === AFI_IPV4 && safi === SAFI_UNICAST;

/** The end of the longest part of the list from `from` on that fits `room` octets; `from` when not even one prefix does. */
function fitting(list: readonly Nlri[], from: number, room: number, addPath: boolean): number {
  let used = 0;
  let to = from;
  for (; to < list.length; to++) {
    used += nlriSize(list[to]!, addPath);
    if (used > room) break;
  }
  return to;
}

const part = (list: readonly Nlri[], from: number, to: number): readonly Nlri[] => (from === 0 && to === list.length ? list : list.slice(from, to));

function writeAttributes(writer: Writer, attributes: PathAttributes, context: EncodeContext, nextHop: string | undefined): void {
  for (const encode of ENCODERS_BEFORE_NEXT_HOP) encode(writer, attributes, context);
  if (nextHop !== undefined) encodeNextHop(writer, nextHop);
  for (const encode of ENCODERS_AFTER_NEXT_HOP) encode(writer, attributes, context);
}

/**
 * The path attributes of a route as octets, without MP_REACH_NLRI and MP_UNREACH_NLRI; `nextHop` (IPv4) for prefixes in the NLRI
 * field. Equal octets mean that routes can share UPDATEs.
 */
export function encodeAttributes(attributes: PathAttributes, context: EncodeContext, nextHop?: string): Uint8Array {
  const writer = new Writer(256);
  writeAttributes(writer, attributes, context, nextHop);
  return writer.finish();
}

/** Starts an UPDATE without withdrawn routes, lets `write` append its attributes and sets their length. */
function updateWith(capacity: number, write: (writer: Writer) => void): Writer {
  const writer = startMessage(MessageType.update, capacity).u16(0).u16(0);
  write(writer);
  writer.setU16(EMPTY_UPDATE - 2, writer.length - EMPTY_UPDATE);
  return writer;
}

/** Writes UPDATEs one behind the other, for one write to one or more peers with the same context. */
export class UpdatePacker {
  /** Messages written so far. */
  count = 0;
  private readonly messages = new Writer(1 << 16);
  private readonly attributes = new Writer(1024);
  private readonly limit: number;

  constructor(private readonly context: EncodeContext) {
    this.limit = maximumLength(MessageType.update, context.extendedMessage);
  }

  /** Octets written so far. */
  get length(): number {
    return this.messages.length;
  }

  /** The messages since the last call. */
  take(): Uint8Array {
    const octets = this.messages.finish();
    this.messages.clear();
    this.count = 0;
    return octets;
  }

  /**
   * UPDATEs that announce the prefixes. IPv4 unicast with an IPv4 next hop goes into the NLRI field, everything else into MP_REACH_NLRI.
   * False, with nothing written, when the attributes leave no room for a prefix in a message that this peer takes: the routes must then be
   * withdrawn from it (RFC 8654 section 4). Throws RangeError for a next hop that is not an address.
   */
  announce({ family, nextHop, nlri }: Announcement, attributes: PathAttributes): boolean {
    const { messages: writer, context, limit } = this;
    const addPath = context.addPath(family.afi, family.safi);
    const classic = isClassic(family) && !nextHop.address.includes(':');
    writeAttributes(this.attributes.clear(), attributes, context, classic ? nextHop.address : undefined);
    const encoded = this.attributes.written();
    const room = limit - EMPTY_UPDATE - encoded.length - (classic ? 0 : mpReachOverhead(family, nextHop));
    if (nlri.some((item) => nlriSize(item, addPath) > room)) return false;
    for (let from = 0; from < nlri.length; ) {
      const to = fitting(nlri, from, room, addPath);
      const start = this.start();
      const prefixes = part(nlri, from, to);
      if (!classic) encodeMpReach(writer, family, nextHop, prefixes, addPath);
      writer.octets(encoded);
      writer.setU16(start + EMPTY_UPDATE - 2, writer.length - start - EMPTY_UPDATE);
      if (classic) for (const item of prefixes) writeNlri(writer, item, addPath);
      endMessage(writer, start);
      from = to;
    }
    return true;
  }

  /** UPDATEs that withdraw prefixes of one family. */
  withdraw(family: AfiSafi, nlri: readonly Nlri[]): void {
    const { messages: writer, context, limit } = this;
    const addPath = context.addPath(family.afi, family.safi);
    const classic = isClassic(family);
    const room = limit - EMPTY_UPDATE - (classic ? 0 : MP_UNREACH_OVERHEAD);
    for (let from = 0; from < nlri.length; ) {
      const to = fitting(nlri, from, room, addPath);
      const prefixes = part(nlri, from, to);
      const start = this.start();
      if (classic) {
        // The field of withdrawn routes stands before that of the attributes, of which there are none.
        writer.setU16(start + HEADER_LENGTH, prefixes.reduce((sum, item) => sum + nlriSize(item, addPath), 0));
        writer.drop(2);
        for (const item of prefixes) writeNlri(writer, item, addPath);
        writer.u16(0);
      } else {
        encodeMpUnreach(writer, family, prefixes, addPath);
        writer.setU16(start + EMPTY_UPDATE - 2, writer.length - start - EMPTY_UPDATE);
      }
      endMessage(writer, start);
      from = to;
    }
  }

  /** Begins an UPDATE with both of its lengths zero; returns where it begins. */
  private start(): number {
    const start = this.messages.length;
    appendHeader(this.messages, MessageType.update);
    this.messages.u16(0).u16(0);
    this.count++;
    return start;
  }
}

/** The messages of one call to a packer, each in memory of its own. */
function separate(packer: UpdatePacker): Uint8Array[] {
  const octets = packer.take();
  const messages: Uint8Array[] = [];
  for (let at = 0; at < octets.length; ) {
    const end = at + ((octets[at + 16]! << 8) | octets[at + 17]!);
    messages.push(octets.slice(at, end));
    at = end;
  }
  return messages;
}

/** What `UpdatePacker.announce` writes, message by message; undefined where that is false. */
export function packAnnouncements(announcement: Announcement, attributes: PathAttributes, context: EncodeContext): Uint8Array[] | undefined {
  const packer = new UpdatePacker(context);
  return packer.announce(announcement, attributes) ? separate(packer) : undefined;
}

/** What `UpdatePacker.withdraw` writes, message by message. */
export function packWithdrawals(family: AfiSafi, nlri: readonly Nlri[], context: EncodeContext): Uint8Array[] {
  const packer = new UpdatePacker(context);
  packer.withdraw(family, nlri);
  return separate(packer);
}

/** The End-of-RIB marker of a family (RFC 4724 section 2). */
export function encodeEndOfRib(family: AfiSafi): Uint8Array {
  return finishMessage(
    updateWith(32, (list) => {
      if (!isClassic(family)) encodeMpUnreach(list, family, [], false);
    }),
  );
}
