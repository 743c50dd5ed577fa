/** Which flow a packet, IPv6 or IPv4, belongs to: the same rules as in the BPF program (dataplane/bpf/cpn.bpf.c). */
import { FragmentKind, newHeaderChain, walkExtensionHeaders, type HeaderChain } from './extension-headers.js';
import {
  FLOW_KEY_DESTINATION,
  FLOW_KEY_DESTINATION_PORT,
  FLOW_KEY_LENGTH,
  FLOW_KEY_PROTOCOL,
  FLOW_KEY_SOURCE,
  FLOW_KEY_SOURCE_PORT,
  writeMapped,
} from './flow-key.js';
import { ICMPV4_ECHO_REPLY, ICMPV4_ECHO_REQUEST, ICMPV4_HEADER_LENGTH, isIcmpv4Error } from './icmpv4.js';
import type { Family } from './ip.js';
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST, ICMPV6_HEADER_LENGTH, isIcmpv6Error } from './icmpv6.js';
import {
  IPV4_DESTINATION,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  PROTOCOL_ICMP,
  ipv4FragmentIdentification,
  ipv4HasMoreFragments,
  ipv4HeaderLength,
  ipv4IsLaterFragment,
  ipv4TotalLength,
} from './ipv4.js';
import {
  IPV6_DESTINATION,
  IPV6_HEADER_LENGTH,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  PROTOCOL_DCCP,
  PROTOCOL_ICMPV6,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  PROTOCOL_UDP_LITE,
} from './ipv6.js';

/** What a packet is to the flow table. */
export const enum PacketKind {
  /** Neither IPv6 nor IPv4, cut short, or a chain of headers past the bound. */
  Malformed = 0,
  /** Belongs to the flow in `key`. */
  Flow = 1,
  /** A later fragment: its flow is the one of its first fragment. */
  LaterFragment = 2,
  /** An ICMP error about an answer: `key` is the flow that was answered (RFC 7690). */
  IcmpError = 3,
}

/** One classifier is reused for many packets: what it found is valid until the next call. */
export class Classifier {
  readonly key = new Uint8Array(FLOW_KEY_LENGTH);
  readonly chain: HeaderChain = newHeaderChain();
  /** Octets of the packet as its header states them; what follows is padding of the link. */
  octets = 0;
  private readonly embedded: HeaderChain = newHeaderChain();

  /** Classifies the packet of `length` octets (as received; the header's own length may be shorter) at `offset`. */
  classify(bytes: Uint8Array, offset: number, length: number): PacketKind {
    const { key, chain } = this;
    if (length > 0 && bytes[offset]! >> 4 === 4) return this.classifyIpv4(bytes, offset, length);
    if (length < IPV6_HEADER_LENGTH || bytes[offset]! >> 4 !== 6) return PacketKind.Malformed;
    const stated = IPV6_HEADER_LENGTH + ((bytes[offset + IPV6_PAYLOAD_LENGTH]! << 8) | bytes[offset + IPV6_PAYLOAD_LENGTH + 1]!);
    if (stated > length) return PacketKind.Malformed;
    this.octets = stated;
    const end = offset + stated;
    if (!walkExtensionHeaders(bytes, offset, end, chain)) return PacketKind.Malformed;
    copy(key, FLOW_KEY_SOURCE, bytes, offset + IPV6_SOURCE, 32);
    clearPorts(key);
    if (chain.fragment === FragmentKind.Later) return PacketKind.LaterFragment;
    const ports = readPorts(bytes, end, chain, key, 6);
    if (ports === Ports.Truncated) return PacketKind.Malformed;
    if (ports === Ports.Read) return PacketKind.Flow;
    return this.readEmbedded(bytes, chain.offset + ICMPV6_HEADER_LENGTH, end, offset) ? PacketKind.IcmpError : PacketKind.Malformed;
  }

  /** The packet that an ICMPv6 error quotes is an answer of the service: its 5-tuple reversed is the client's flow. */
  private readEmbedded(bytes: Uint8Array, at: number, end: number, outer: number): boolean {
    const { key, embedded } = this;
    if (end - at < IPV6_HEADER_LENGTH || bytes[at]! >> 4 !== 6 || !walkExtensionHeaders(bytes, at, end, embedded)) return false;
    if (embedded.fragment === FragmentKind.Later) return false;
    // An error cannot be used to reach another service than the one it is addressed to.
    for (let i = 0; i < 16; i++) if (bytes[at + IPV6_SOURCE + i] !== bytes[outer + IPV6_DESTINATION + i]) return false;
    copy(key, FLOW_KEY_SOURCE, bytes, at + IPV6_DESTINATION, 16);
    copy(key, FLOW_KEY_DESTINATION, bytes, at + IPV6_SOURCE, 16);
    if (readPorts(bytes, end, embedded, key, 6) !== Ports.Read) return false;
    swapPorts(key);
    return true;
  }

  private classifyIpv4(bytes: Uint8Array, offset: number, length: number): PacketKind {
    const { key, chain } = this;
    const header = ipv4HeaderLength(bytes, offset, offset + length);
    if (header === 0) return PacketKind.Malformed;
    const stated = ipv4TotalLength(bytes, offset);
    if (stated > length || stated < header) return PacketKind.Malformed;
    this.octets = stated;
    startIpv4Chain(bytes, offset, header, chain);
    writeMapped(key, FLOW_KEY_SOURCE, bytes, offset + IPV4_SOURCE);
    writeMapped(key, FLOW_KEY_DESTINATION, bytes, offset + IPV4_DESTINATION);
    clearPorts(key);
    if (chain.fragment === FragmentKind.Later) return PacketKind.LaterFragment;
    const ports = readPorts(bytes, offset + stated, chain, key, 4);
    if (ports === Ports.Truncated) return PacketKind.Malformed;
    if (ports === Ports.Read) return PacketKind.Flow;
    return this.readEmbeddedIpv4(bytes, chain.offset + ICMPV4_HEADER_LENGTH, offset + stated, offset) ? PacketKind.IcmpError : PacketKind.Malformed;
  }

  /** An ICMPv4 error quotes at least the header and eight octets behind it (RFC 792). */
  private readEmbeddedIpv4(bytes: Uint8Array, at: number, end: number, outer: number): boolean {
    const { key, embedded } = this;
    const header = ipv4HeaderLength(bytes, at, end);
    if (header === 0) return false;
    startIpv4Chain(bytes, at, header, embedded);
    if (embedded.fragment === FragmentKind.Later) return false;
    for (let i = 0; i < 4; i++) if (bytes[at + IPV4_SOURCE + i] !== bytes[outer + IPV4_DESTINATION + i]) return false;
    writeMapped(key, FLOW_KEY_SOURCE, bytes, at + IPV4_DESTINATION);
    writeMapped(key, FLOW_KEY_DESTINATION, bytes, at + IPV4_SOURCE);
    if (readPorts(bytes, end, embedded, key, 4) !== Ports.Read) return false;
    swapPorts(key);
    return true;
  }
}

/** IPv4 has one header; its options are no headers of a chain. */
function startIpv4Chain(bytes: Uint8Array, offset: number, header: number, chain: HeaderChain): void {
  chain.protocol = bytes[offset + IPV4_PROTOCOL]!;
  chain.offset = offset + header;
  chain.identification = ipv4FragmentIdentification(bytes, offset);
  chain.fragment = ipv4IsLaterFragment(bytes, offset) ? FragmentKind.Later : ipv4HasMoreFragments(bytes, offset) ? FragmentKind.First : FragmentKind.None;
  chain.fragmentHeader = -1;
  chain.hopByHop = -1;
  chain.destinationOptions = -1;
  chain.routing = -1;
}

function swapPorts(key: Uint8Array): void {
  const high = key[FLOW_KEY_SOURCE_PORT]!;
  const low = key[FLOW_KEY_SOURCE_PORT + 1]!;
  key[FLOW_KEY_SOURCE_PORT] = key[FLOW_KEY_DESTINATION_PORT]!;
  key[FLOW_KEY_SOURCE_PORT + 1] = key[FLOW_KEY_DESTINATION_PORT + 1]!;
  key[FLOW_KEY_DESTINATION_PORT] = high;
  key[FLOW_KEY_DESTINATION_PORT + 1] = low;
}

const enum Ports {
  Truncated = 0,
  Read = 1,
  IcmpError = 2,
}

// Element by element: for so few octets this is faster than set() of a subarray, which allocates.
function copy(target: Uint8Array, at: number, source: Uint8Array, from: number, count: number): void {
  for (let i = 0; i < count; i++) target[at + i] = source[from + i]!;
}

function clearPorts(key: Uint8Array): void {
  for (let i = FLOW_KEY_SOURCE_PORT; i < FLOW_KEY_LENGTH; i++) key[i] = 0;
}

function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case PROTOCOL_TCP:
    case PROTOCOL_UDP:
    case PROTOCOL_SCTP:
    case PROTOCOL_DCCP:
    case PROTOCOL_UDP_LITE:
      return true;
    default:
      return false;
  }
}

function readPorts(bytes: Uint8Array, end: number, chain: HeaderChain, key: Uint8Array, version: Family): Ports {
  const { protocol, offset } = chain;
  key[FLOW_KEY_PROTOCOL] = protocol;
  if (hasPorts(protocol)) {
    if (end - offset < 4) return Ports.Truncated;
    copy(key, FLOW_KEY_SOURCE_PORT, bytes, offset, 4);
    return Ports.Read;
  }
  if (protocol !== (version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) return Ports.Read;
  if (end - offset < ICMPV6_HEADER_LENGTH) return Ports.Truncated;
  const type = bytes[offset]!;
  if (version === 4 ? isIcmpv4Error(type) : isIcmpv6Error(type)) return Ports.IcmpError;
  if (version === 4 ? type === ICMPV4_ECHO_REQUEST || type === ICMPV4_ECHO_REPLY : type === ICMPV6_ECHO_REQUEST || type === ICMPV6_ECHO_REPLY) {
    copy(key, FLOW_KEY_SOURCE_PORT, bytes, offset + 4, 2);
    copy(key, FLOW_KEY_DESTINATION_PORT, bytes, offset + 4, 2);
  }
  return Ports.Read;
}
