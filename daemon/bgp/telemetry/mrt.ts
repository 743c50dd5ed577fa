/**
 * MRT records (RFC 6396, RFC 8050): writing the ones a router exports, and a reader for all of their kinds. Pure: octets in, octets out.
 */
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { formatIp, parseIp, type Prefix } from '../../../dataplane/packet/ip.js';
import type { AfiSafi, NextHop } from '../wire/types.js';

/** RFC 6396 section 4. */
export const MrtType = { tableDumpV2: 13, bgp4mp: 16, bgp4mpEt: 17 } as const;

/** RFC 6396 section 4.3 and RFC 8050 section 4. */
export const TableDumpSubtype = {
  peerIndexTable: 1,
  ribIpv4Unicast: 2,
  ribIpv6Unicast: 4,
  ribGeneric: 6,
  ribIpv4UnicastAddPath: 8,
  ribIpv6UnicastAddPath: 10,
  ribGenericAddPath: 12,
} as const;

/** RFC 6396 section 4.4 and RFC 8050 section 3. */
export const Bgp4mpSubtype = {
  stateChange: 0,
  message: 1,
  messageAs4: 4,
  stateChangeAs4: 5,
  messageAddPath: 8,
  messageAs4AddPath: 9,
} as const;

/** States as STATE_CHANGE records number them (RFC 6396 section 4.4.1). */
export const MrtState = { Idle: 1, Connect: 2, Active: 3, OpenSent: 4, OpenConfirm: 5, Established: 6 } as const;

/** Octets of the common header. */
const HEADER_LENGTH = 12;

/** A record as it stands in a file. */
export interface MrtRecord {
  /** Unix time, s; with microseconds in the extended types. */
  readonly seconds: number;
  readonly microseconds: number;
  readonly type: number;
  readonly subtype: number;
  /** After the header, and after the microseconds of an extended type. */
  readonly body: Uint8Array;
}

/** A session as BGP4MP records name it. */
export interface MrtSession {
  readonly peerAs: number;
  readonly localAs: number;
  readonly peerAddress: string;
  readonly localAddress: string;
}

export interface MrtPeer {
  /** BGP identifier, dotted. */
  readonly identifier: string;
  readonly address: string;
  readonly as: number;
}

/** One path of a RIB record. */
export interface MrtRibEntry {
  /** Index in the peer index table. */
  readonly peer: number;
  /** Unix time, s. */
  readonly originatedAt: number;
  /** 0 where the record has none. */
  readonly pathId: number;
  /** Path attributes as in an UPDATE with 4-octet AS numbers; MP_REACH_NLRI abbreviated to its next hop (RFC 6396 section 4.3.4). */
  readonly attributes: Uint8Array;
}

function address(text: string): Uint8Array {
  const octets = parseIp(text);
  if (!octets) throw new RangeError(`${text} is not an IP address`);
  return octets;
}

/** Common header and body as one record; `microseconds` only for the extended types. */
function record(unixMs: number, type: number, subtype: number, write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(256).u32(Math.floor(unixMs / 1000)).u16(type).u16(subtype).u32(0);
  if (type === MrtType.bgp4mpEt) writer.u32(Math.round((unixMs % 1000) * 1000));
  write(writer);
  const octets = writer.finish();
  new DataView(octets.buffer, octets.byteOffset).setUint32(8, octets.length - HEADER_LENGTH);
  return octets;
}

/** Addresses of both ends; of the IPv6 pair when they differ in version, the IPv4 one in its mapped form. */
function writeSession(writer: Writer, { peerAs, localAs, peerAddress, localAddress }: MrtSession): void {
  const peer = address(peerAddress);
  const local = address(localAddress);
  const isIpv6 = peer.length === 16 || local.length === 16;
  const wide = (octets: Uint8Array): Uint8Array => (isIpv6 && octets.length === 4 ? Uint8Array.from([...new Array<number>(10).fill(0), 0xff, 0xff, ...octets]) : octets);
  writer.u32(peerAs).u32(localAs).u16(0).u16(isIpv6 ? 2 : 1).octets(wide(peer)).octets(wide(local));
}

/**
 * One BGP message of a session with its time in microseconds: BGP4MP_ET, MESSAGE_AS4 or, of a session of 2-octet AS numbers, MESSAGE;
 * the ADDPATH form where its NLRI carry path identifiers.
 */
export function mrtMessage(unixMs: number, session: MrtSession, message: Uint8Array, format: { readonly fourOctetAs: boolean; readonly addPath: boolean }): Uint8Array {
  const { fourOctetAs, addPath } = format;
  const as4 = addPath ? Bgp4mpSubtype.messageAs4AddPath : Bgp4mpSubtype.messageAs4;
  const as2 = addPath ? Bgp4mpSubtype.messageAddPath : Bgp4mpSubtype.message;
  return record(unixMs, MrtType.bgp4mpEt, fourOctetAs ? as4 : as2, (writer) => {
    if (fourOctetAs) writeSession(writer, session);
    else writeShortSession(writer, session);
    writer.octets(message);
  });
}

/** AS numbers that do not fit stand as AS_TRANS (RFC 6793 section 9). */
const shortAs = (as: number): number => (as > 0xffff ? 23456 : as);

function writeShortSession(writer: Writer, session: MrtSession): void {
  const wide = new Writer(64);
  writeSession(wide, session);
  writer.u16(shortAs(session.peerAs)).u16(shortAs(session.localAs)).octets(wide.finish().subarray(8));
}

/** A change of the state machine: BGP4MP_ET, STATE_CHANGE_AS4. */
export function mrtStateChange(unixMs: number, session: MrtSession, from: keyof typeof MrtState, to: keyof typeof MrtState): Uint8Array {
  return record(unixMs, MrtType.bgp4mpEt, Bgp4mpSubtype.stateChangeAs4, (writer) => {
    writeSession(writer, session);
    writer.u16(MrtState[from]).u16(MrtState[to]);
  });
}

/** The record that stands first in a table dump. Throws RangeError for more than 65,535 peers. */
export function mrtPeerIndexTable(unixMs: number, collector: string, view: string, peers: readonly MrtPeer[]): Uint8Array {
  if (peers.length > 0xffff) throw new RangeError(`${peers.length} peers do not fit a PEER_INDEX_TABLE`);
  return record(unixMs, MrtType.tableDumpV2, TableDumpSubtype.peerIndexTable, (writer) => {
    const name = Buffer.from(view, 'utf8').subarray(0, 0xffff);
    writer.octets(address(collector)).u16(name.length).octets(name).u16(peers.length);
    for (const peer of peers) {
      const octets = address(peer.address);
      // Bit 0: IPv6; bit 1: 4-octet AS number.
      writer.u8(octets.length === 16 ? 3 : 2).octets(address(peer.identifier)).octets(octets).u32(peer.as);
    }
  });
}

function writeEntries(writer: Writer, entries: readonly MrtRibEntry[], addPath: boolean): void {
  writer.u16(entries.length);
  for (const { peer, originatedAt, pathId, attributes } of entries) {
    writer.u16(peer).u32(originatedAt);
    if (addPath) writer.u32(pathId);
    writer.u16(attributes.length).octets(attributes);
  }
}

/** All paths of one unicast prefix; the ADDPATH form where a path has an identifier. */
export function mrtRib(unixMs: number, sequence: number, prefix: Prefix, entries: readonly MrtRibEntry[]): Uint8Array {
  const addPath = entries.some(({ pathId }) => pathId !== 0);
  const ipv4 = addPath ? TableDumpSubtype.ribIpv4UnicastAddPath : TableDumpSubtype.ribIpv4Unicast;
  const ipv6 = addPath ? TableDumpSubtype.ribIpv6UnicastAddPath : TableDumpSubtype.ribIpv6Unicast;
  return record(unixMs, MrtType.tableDumpV2, prefix.family === 4 ? ipv4 : ipv6, (writer) => {
    writer.u32(sequence).u8(prefix.length).octets(prefix.bytes.subarray(0, (prefix.length + 7) >> 3));
    writeEntries(writer, entries, addPath);
  });
}

/** All paths of one prefix of another family, its NLRI as on the wire without a path identifier (RFC 6396 section 4.3.3). */
export function mrtRibGeneric(unixMs: number, sequence: number, { afi, safi }: AfiSafi, nlri: Uint8Array, entries: readonly MrtRibEntry[]): Uint8Array {
  const addPath = entries.some(({ pathId }) => pathId !== 0);
  return record(unixMs, MrtType.tableDumpV2, addPath ? TableDumpSubtype.ribGenericAddPath : TableDumpSubtype.ribGeneric, (writer) => {
    writer.u32(sequence).u16(afi).u8(safi).octets(nlri);
    writeEntries(writer, entries, addPath);
  });
}

/** MP_REACH_NLRI as RIB entries have it: the length of the next hop and the next hop alone (RFC 6396 section 4.3.4). */
export function abbreviatedMpReach({ address: global, linkLocal }: NextHop): Uint8Array {
  const octets = [global, ...(linkLocal === undefined ? [] : [linkLocal])].map(address);
  const length = octets.reduce((sum, one) => sum + one.length, 0);
  const writer = new Writer(4 + length).u8(0x80).u8(14).u8(length + 1).u8(length);
  for (const one of octets) writer.octets(one);
  return writer.finish();
}

/** Cuts the records out of a file. Stops at the first one that is not whole; `rest` octets are left over then. */
export function* readMrt(file: Uint8Array): Generator<MrtRecord, { readonly rest: number }> {
  let offset = 0;
  while (file.length - offset >= HEADER_LENGTH) {
    const view = new DataView(file.buffer, file.byteOffset + offset, HEADER_LENGTH);
    const length = view.getUint32(8);
    const type = view.getUint16(4);
    const isExtended = type === MrtType.bgp4mpEt;
    if (length > file.length - offset - HEADER_LENGTH || (isExtended && length < 4)) break;
    const body = file.subarray(offset + HEADER_LENGTH, offset + HEADER_LENGTH + length);
    yield {
      seconds: view.getUint32(0),
      microseconds: isExtended ? new DataView(body.buffer, body.byteOffset, 4).getUint32(0) : 0,
      type,
      subtype: view.getUint16(6),
      body: isExtended ? body.subarray(4) : body,
    };
    offset += HEADER_LENGTH + length;
  }
  return { rest: file.length - offset };
}

/** The session and BGP message of a BGP4MP message record; undefined for other records and for what is cut short. */
export function readBgp4mpMessage({ type, subtype, body }: MrtRecord): { readonly session: MrtSession; readonly message: Uint8Array; readonly fourOctetAs: boolean; readonly addPath: boolean } | undefined {
  if (type !== MrtType.bgp4mp && type !== MrtType.bgp4mpEt) return undefined;
  const addPath = subtype === Bgp4mpSubtype.messageAddPath || subtype === Bgp4mpSubtype.messageAs4AddPath;
  const fourOctetAs = subtype === Bgp4mpSubtype.messageAs4 || subtype === Bgp4mpSubtype.messageAs4AddPath;
  if (!addPath && !fourOctetAs && subtype !== Bgp4mpSubtype.message) return undefined;
  const reader = new Reader(body);
  const as = (): number => (fourOctetAs ? reader.u32() : reader.u16());
  const peerAs = as();
  const localAs = as();
  reader.skip(2);
  const length = reader.u16() === 1 ? 4 : 16;
  const [peer, local] = [reader.octets(length), reader.octets(length)];
  if (!reader.ok) return undefined;
  return { session: { peerAs, localAs, peerAddress: formatIp(peer), localAddress: formatIp(local) }, message: reader.octets(reader.remaining), fourOctetAs, addPath };
}
