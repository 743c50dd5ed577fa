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
import { finishMessage, maximumLength, startMessage } from './header.js';
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

/** Octets of the longest NLRI: path identifier, length, label, route distinguisher, address. */
const MAXIMUM_NLRI = 4 + 1 + 3 + 8 + 16;
/** Header, length of withdrawn routes, length of path attributes. */
const EMPTY_UPDATE = HEADER_LENGTH + 4;

const isClassic = ({ afi, safi }: AfiSafi): boolean => afi === AFI_IPV4 && safi === SAFI_UNICAST;

/** Ranges [from, to) of the list that each fit `room` octets; undefined when a single prefix does not. */
function split(list: readonly Nlri[], room: number, addPath: boolean): [number, number][] | undefined {
  const ranges: [number, number][] = [];
  let from = 0;
  let used = 0;
  for (let i = 0; i < list.length; i++) {
    const size = nlriSize(list[i]!, addPath);
    if (size > room) return undefined;
    if (used + size > room) {
      ranges.push([from, i]);
      from = i;
      used = 0;
    }
    used += size;
  }
  if (from < list.length) ranges.push([from, list.length]);
  return ranges;
}

/**
 * The path attributes of a route as octets, without MP_REACH_NLRI and MP_UNREACH_NLRI; `nextHop` (IPv4) for prefixes in the NLRI
 * field. Equal octets mean that routes can share UPDATEs.
 */
export function encodeAttributes(attributes: PathAttributes, context: EncodeContext, nextHop?: string): Uint8Array {
  const writer = new Writer(256);
  for (const encode of ENCODERS_BEFORE_NEXT_HOP) encode(writer, attributes, context);
  if (nextHop !== undefined) encodeNextHop(writer, nextHop);
  for (const encode of ENCODERS_AFTER_NEXT_HOP) encode(writer, attributes, context);
  return writer.finish();
}

/** Starts an UPDATE without withdrawn routes, lets `write` append its attributes and sets their length. */
function updateWith(capacity: number, write: (writer: Writer) => void): Writer {
  const writer = startMessage(MessageType.update, capacity).u16(0).u16(0);
  write(writer);
  writer.setU16(EMPTY_UPDATE - 2, writer.length - EMPTY_UPDATE);
  return writer;
}

/**
 * UPDATEs that announce the prefixes. IPv4 unicast with an IPv4 next hop goes into the NLRI field, everything else into
 * MP_REACH_NLRI. Returns undefined when the attributes leave no room for a prefix in a message that this peer takes: the routes must
 * then be withdrawn from it (RFC 8654 section 4). Throws RangeError for a next hop that is not an address.
 */
export function packAnnouncements({ family, nextHop, nlri }: Announcement, attributes: PathAttributes, context: EncodeContext): Uint8Array[] | undefined {
  const limit = maximumLength(MessageType.update, context.extendedMessage);
  const addPath = context.addPath(family.afi, family.safi);
  const classic = isClassic(family) && !nextHop.address.includes(':');
  const encoded = encodeAttributes(attributes, context, classic ? nextHop.address : undefined);
  const fixed = EMPTY_UPDATE + encoded.length + (classic ? 0 : mpReachOverhead(family, nextHop));
  return split(nlri, limit - fixed, addPath)?.map(([from, to]) => {
    const part = nlri.slice(from, to);
    const writer = updateWith(Math.min(limit, fixed + MAXIMUM_NLRI * part.length), (list) => {
      if (!classic) encodeMpReach(list, family, nextHop, part, addPath);
      list.octets(encoded);
    });
    if (classic) for (const item of part) writeNlri(writer, item, addPath);
    return finishMessage(writer);
  });
}

/** UPDATEs that withdraw prefixes of one family. */
export function packWithdrawals(family: AfiSafi, nlri: readonly Nlri[], context: EncodeContext): Uint8Array[] {
  const limit = maximumLength(MessageType.update, context.extendedMessage);
  const addPath = context.addPath(family.afi, family.safi);
  const classic = isClassic(family);
  const ranges = split(nlri, limit - EMPTY_UPDATE - (classic ? 0 : MP_UNREACH_OVERHEAD), addPath) ?? [];
  return ranges.map(([from, to]) => {
    const part = nlri.slice(from, to);
    if (!classic) return finishMessage(updateWith(limit, (list) => encodeMpUnreach(list, family, part, addPath)));
    const writer = startMessage(MessageType.update, limit).u16(0);
    for (const item of part) writeNlri(writer, item, addPath);
    writer.setU16(HEADER_LENGTH, writer.length - HEADER_LENGTH - 2);
    return finishMessage(writer.u16(0));
  });
}

/** The End-of-RIB marker of a family (RFC 4724 section 2). */
export function encodeEndOfRib(family: AfiSafi): Uint8Array {
  return finishMessage(
    updateWith(32, (list) => {
      if (!isClassic(family)) encodeMpUnreach(list, family, [], false);
    }),
  );
}
