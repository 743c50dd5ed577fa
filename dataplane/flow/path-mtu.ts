/** Packet Too Big about our outer packets (RFC 8201): which segment list it is about, and which flow. */
import { Classifier, PacketKind } from '../packet/classify.js';
import { formatIp } from '../packet/ip.js';
import { ICMPV6_HEADER_LENGTH, ICMPV6_PACKET_TOO_BIG, decodeIcmpv6 } from '../packet/icmpv6.js';
import { IPV4_HEADER_LENGTH, IPV4_TOTAL_LENGTH, PROTOCOL_IPIP } from '../packet/ipv4.js';
import { IPV6_HEADER_LENGTH, IPV6_PAYLOAD_LENGTH, PROTOCOL_IPV6, PROTOCOL_ROUTING, decodeIpv6Header } from '../packet/ipv6.js';
import { decodeSrh } from '../packet/srh.js';
import { native } from '../native/index.js';

const AF_INET6 = 10;
const SOCK_RAW = 3;
const IPPROTO_ICMPV6 = 58;
const ICMP6_FILTER = 1;

export interface PathMtuReport {
  /** Segment list of the quoted packet, in travel order. */
  readonly segments: readonly string[];
  /** As told, in octets; the caller applies the floor. */
  readonly mtu: number;
  /** Key of the flow inside, as this router pins it as entry; undefined where the quoted part does not show one. Valid until the next report. */
  readonly flow: Uint8Array | undefined;
}

/** Whether what we encapsulate comes next. */
const isInner = (nextHeader: number): boolean => nextHeader === PROTOCOL_IPV6 || nextHeader === PROTOCOL_IPIP;

/** Reads an ICMPv6 message (without IPv6 header); undefined unless it is a Packet Too Big that quotes an outer packet of `source`. */
export function readPathMtu(message: Uint8Array, source: Uint8Array): PathMtuReport | undefined {
  const icmp = decodeIcmpv6(message);
  if (icmp?.type !== ICMPV6_PACKET_TOO_BIG) return undefined;
  const quoted = decodeIpv6Header(icmp.body);
  if (!quoted || !quoted.source.every((octet, i) => octet === source[i])) return undefined;
  const destination = formatIp(quoted.destination);
  if (isInner(quoted.nextHeader)) return { segments: [destination], mtu: icmp.parameter, flow: flowInside(icmp.body, IPV6_HEADER_LENGTH) };
  if (quoted.nextHeader !== PROTOCOL_ROUTING) return undefined;
  const srh = decodeSrh(message, ICMPV6_HEADER_LENGTH + IPV6_HEADER_LENGTH);
  if (typeof srh === 'string' || !isInner(srh.nextHeader)) return undefined;
  const listed = srh.segments.map((segment) => formatIp(segment)).reverse();
  // Reduced: the first segment stands in the IPv6 header alone (RFC 8754 section 4.1.1), as long as the packet has not passed it.
  return { segments: srh.segmentsLeft > srh.lastEntry ? [destination, ...listed] : listed, mtu: icmp.parameter, flow: flowInside(icmp.body, IPV6_HEADER_LENGTH + srh.length) };
}

const classifier = new Classifier();

/** An error quotes the beginning of a packet (RFC 4443 section 3.2): the length that its header states is past the end. */
function flowInside(quoted: Uint8Array, offset: number): Uint8Array | undefined {
  const length = quoted.length - offset;
  if (length < IPV4_HEADER_LENGTH) return undefined;
  const packet = quoted.slice(offset);
  const isIpv4 = packet[0]! >> 4 === 4;
  new DataView(packet.buffer).setUint16(isIpv4 ? IPV4_TOTAL_LENGTH : IPV6_PAYLOAD_LENGTH, isIpv4 ? length : length - IPV6_HEADER_LENGTH);
  const kind = classifier.classify(packet, 0, length);
  return kind === PacketKind.Flow || kind === PacketKind.IcmpError ? classifier.key : undefined;
}

/** A raw socket that receives Packet Too Big alone. */
export function openPathMtuSocket(): number {
  const fd = native.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  // RFC 3542 section 3.2: a set bit blocks the type.
  const filter = new Uint8Array(32).fill(0xff);
  new DataView(filter.buffer).setUint32(0, 0xffffffff & ~(1 << ICMPV6_PACKET_TOO_BIG), true);
  native.setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter);
  return fd;
}

const MESSAGES = 16;
const MESSAGE_LENGTH = 2048;
const arena = new Uint8Array(MESSAGES * MESSAGE_LENGTH);
const lengths = new Int32Array(MESSAGES);

/** Reads what waits on the socket. */
export function drainPathMtu(fd: number, source: Uint8Array, visit: (report: PathMtuReport) => void): void {
  const count = native.recvBatch(fd, arena, lengths, null, null, null);
  for (let i = 0; i < count; i++) {
    const start = i * MESSAGE_LENGTH;
    const report = readPathMtu(arena.subarray(start, start + Math.min(lengths[i]!, MESSAGE_LENGTH)), source);
    if (report) visit(report);
  }
}
