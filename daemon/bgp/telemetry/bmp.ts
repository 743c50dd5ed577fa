/**
 * BGP Monitoring Protocol messages, version 3 (RFC 7854), with Adj-RIB-Out (RFC 8671) and Loc-RIB (RFC 9069) monitoring. Pure.
 */
import { Writer } from '../../../dataplane/packet/cursor.js';
import { parseIp } from '../../../dataplane/packet/ip.js';

const VERSION = 3;
/** Octets of the common header. */
const HEADER_LENGTH = 6;

/** RFC 7854 section 4.1. */
export const BmpType = { routeMonitoring: 0, statisticsReport: 1, peerDown: 2, peerUp: 3, initiation: 4, termination: 5, routeMirroring: 6 } as const;

/** Which table a message is about; pre-policy and post-policy of Adj-RIB-In and Adj-RIB-Out, or the Loc-RIB. */
export type BmpTable = 'adjRibInPre' | 'adjRibInPost' | 'adjRibOutPre' | 'adjRibOutPost' | 'locRib';

/** RFC 7854 section 4.2; peer type 3 is RFC 9069 section 4.1. */
const PEER_TYPE_GLOBAL = 0;
const PEER_TYPE_LOC_RIB = 3;
const FLAG_IPV6 = 0x80;
const FLAG_POST_POLICY = 0x40;
const FLAG_TWO_OCTET_AS = 0x20;
/** RFC 8671 section 4. */
const FLAG_ADJ_RIB_OUT = 0x10;

/** The peer that a message is about. Of the Loc-RIB: this router itself, the address empty. */
export interface BmpPeer {
  readonly address: string;
  readonly as: number;
  /** BGP identifier, dotted. */
  readonly identifier: string;
  /** The UPDATEs inside carry AS numbers of two octets. */
  readonly twoOctetAs: boolean;
}

/** Information TLVs of the Initiation message (RFC 7854 section 4.4). */
export const InitiationTlv = { string: 0, sysDescr: 1, sysName: 2 } as const;

/** Reasons of the Termination message (RFC 7854 section 4.5). */
export const TerminationReason = { administrativelyClosed: 0, unspecified: 1, outOfResources: 2, redundantConnection: 3, permanentlyClosed: 4 } as const;

/** Why a session ended (RFC 7854 section 4.9): with the NOTIFICATION, with the event of the state machine, or without any. */
export type PeerDownReason =
  | { readonly kind: 'localNotification'; readonly message: Uint8Array }
  | { readonly kind: 'localEvent'; readonly fsmEvent: number }
  | { readonly kind: 'remoteNotification'; readonly message: Uint8Array }
  | { readonly kind: 'remoteClosed' }
  | { readonly kind: 'deconfigured' };

/** Type of each statistic and whether it counts (32 bits) or is a level (64 bits) (RFC 7854 section 4.8, RFC 8671 section 6.2). */
export const BmpStatistic = {
  rejectedByPolicy: { type: 0, bits: 32 },
  duplicatePrefixes: { type: 1, bits: 32 },
  duplicateWithdraws: { type: 2, bits: 32 },
  asPathLoops: { type: 5, bits: 32 },
  adjRibIn: { type: 7, bits: 64 },
  locRib: { type: 8, bits: 64 },
  treatAsWithdraw: { type: 11, bits: 32 },
  adjRibOutPost: { type: 15, bits: 64 },
} as const;

export type BmpStatistics = Partial<Readonly<Record<keyof typeof BmpStatistic, number>>>;

function message(type: number, write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(256).u8(VERSION).u32(0).u8(type);
  write(writer);
  const octets = writer.finish();
  new DataView(octets.buffer, octets.byteOffset).setUint32(1, octets.length);
  return octets;
}

function writeAddress(writer: Writer, text: string): void {
  const octets = parseIp(text) ?? new Uint8Array(4);
  writer.zeros(16 - octets.length).octets(octets);
}

/** Per-Peer Header (RFC 7854 section 4.2). */
function writePeer(writer: Writer, { address, as, identifier, twoOctetAs }: BmpPeer, table: BmpTable, unixMs: number): void {
  const isLocRib = table === 'locRib';
  const isPost = table === 'adjRibInPost' || table === 'adjRibOutPost';
  const isOut = table === 'adjRibOutPre' || table === 'adjRibOutPost';
  // RFC 9069 section 4.2 gives the flags of a Loc-RIB another meaning (bit 0: filtered): none of these belongs there.
  const flags = isLocRib ? 0 : (address.includes(':') ? FLAG_IPV6 : 0) | (isPost ? FLAG_POST_POLICY : 0) | (twoOctetAs ? FLAG_TWO_OCTET_AS : 0) | (isOut ? FLAG_ADJ_RIB_OUT : 0);
  writer.u8(isLocRib ? PEER_TYPE_LOC_RIB : PEER_TYPE_GLOBAL).u8(flags).u64(0n);
  if (isLocRib) writer.zeros(16);
  else writeAddress(writer, address);
  writer.u32(as).octets(parseIp(identifier) ?? new Uint8Array(4));
  writer.u32(Math.floor(unixMs / 1000)).u32(Math.round((unixMs % 1000) * 1000));
}

function writeText(writer: Writer, type: number, text: string): void {
  const octets = Buffer.from(text, 'utf8').subarray(0, 4096);
  writer.u16(type).u16(octets.length).octets(octets);
}

/** The first message of a connection. */
export function bmpInitiation(sysName: string, sysDescr: string): Uint8Array {
  return message(BmpType.initiation, (writer) => {
    writeText(writer, InitiationTlv.sysDescr, sysDescr);
    writeText(writer, InitiationTlv.sysName, sysName);
  });
}

/** The last message of a connection. */
export function bmpTermination(reason: number): Uint8Array {
  return message(BmpType.termination, (writer) => writer.u16(1).u16(2).u16(reason));
}

export interface PeerUp {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remotePort: number;
  /** OPEN messages as sent and received, header included; of the Loc-RIB those that would be sent (RFC 9069 section 5.1). */
  readonly sentOpen: Uint8Array;
  readonly receivedOpen: Uint8Array;
}

/** A session came up (RFC 7854 section 4.10); of the Loc-RIB with the name of the table (RFC 9069 section 5.2.1). */
export function bmpPeerUp(unixMs: number, peer: BmpPeer, table: BmpTable, up: PeerUp): Uint8Array {
  return message(BmpType.peerUp, (writer) => {
    writePeer(writer, peer, table, unixMs);
    writeAddress(writer, table === 'locRib' ? '' : up.localAddress);
    writer.u16(up.localPort).u16(up.remotePort).octets(up.sentOpen).octets(up.receivedOpen);
    if (table === 'locRib') writeText(writer, 3, 'global');
  });
}

/** A session ended (RFC 7854 section 4.9); of the Loc-RIB the table is gone (RFC 9069 section 5.3). */
export function bmpPeerDown(unixMs: number, peer: BmpPeer, table: BmpTable, reason: PeerDownReason): Uint8Array {
  return message(BmpType.peerDown, (writer) => {
    writePeer(writer, peer, table, unixMs);
    if (table === 'locRib') {
      writer.u8(6);
      writeText(writer, 3, 'global');
      return;
    }
    if (reason.kind === 'localNotification') writer.u8(1).octets(reason.message);
    else if (reason.kind === 'localEvent') writer.u8(2).u16(reason.fsmEvent);
    else if (reason.kind === 'remoteNotification') writer.u8(3).octets(reason.message);
    else writer.u8(reason.kind === 'remoteClosed' ? 4 : 5);
  });
}

/** A whole UPDATE message of a table (RFC 7854 section 4.6). */
export function bmpRouteMonitoring(unixMs: number, peer: BmpPeer, table: BmpTable, update: Uint8Array): Uint8Array {
  return message(BmpType.routeMonitoring, (writer) => {
    writePeer(writer, peer, table, unixMs);
    writer.octets(update);
  });
}

/** A message exactly as it came, which broke the rules (RFC 7854 section 4.7: TLV 0 the message, TLV 1 code 0 "errored PDU"). */
export function bmpRouteMirroring(unixMs: number, peer: BmpPeer, pdu: Uint8Array): Uint8Array {
  return message(BmpType.routeMirroring, (writer) => {
    writePeer(writer, peer, 'adjRibInPre', unixMs);
    writer.u16(1).u16(2).u16(0);
    writer.u16(0).u16(pdu.length).octets(pdu);
  });
}

/** Counters and levels of one peer (RFC 7854 section 4.8). */
export function bmpStatisticsReport(unixMs: number, peer: BmpPeer, table: BmpTable, statistics: BmpStatistics): Uint8Array {
  const entries = Object.entries(statistics) as [keyof typeof BmpStatistic, number][];
  return message(BmpType.statisticsReport, (writer) => {
    writePeer(writer, peer, table, unixMs);
    writer.u32(entries.length);
    for (const [name, value] of entries) {
      const { type, bits } = BmpStatistic[name];
      writer.u16(type).u16(bits / 8);
      if (bits === 64) writer.u64(BigInt(value));
      else writer.u32(value >>> 0);
    }
  });
}

/** Cuts whole messages out of a stream; the octets from `rest` on wait for more. Undefined: this is not BMP version 3. */
export function splitBmp(stream: Uint8Array): { readonly messages: readonly { readonly type: number; readonly octets: Uint8Array }[]; readonly rest: number } | undefined {
  const messages: { type: number; octets: Uint8Array }[] = [];
  let offset = 0;
  while (stream.length - offset >= HEADER_LENGTH) {
    const length = new DataView(stream.buffer, stream.byteOffset + offset, HEADER_LENGTH).getUint32(1);
    if (stream[offset] !== VERSION || length < HEADER_LENGTH) return undefined;
    if (length > stream.length - offset) break;
    messages.push({ type: stream[offset + 5]!, octets: stream.subarray(offset, offset + length) });
    offset += length;
  }
  return { messages, rest: offset };
}
