/** Which flow a packet belongs to: the same rules as in the BPF program (dataplane/bpf/cpn.bpf.c). */
import { FragmentKind, newHeaderChain, walkExtensionHeaders, type HeaderChain } from './extension-headers.js';
import {
  FLOW_KEY_DESTINATION,
  FLOW_KEY_DESTINATION_PORT,
  FLOW_KEY_LENGTH,
  FLOW_KEY_PROTOCOL,
  FLOW_KEY_SOURCE,
  FLOW_KEY_SOURCE_PORT,
} from './flow-key.js';
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST, ICMPV6_HEADER_LENGTH, isIcmpv6Error } from './icmpv6.js';
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
  /** Not IPv6, cut short, or a chain of headers past the bound. */
  Malformed = 0,
  /** Belongs to the flow in `key`. */
  Flow = 1,
  /** A later fragment: its flow is the one of its first fragment. */
  LaterFragment = 2,
  /** An ICMPv6 error about an answer: `key` is the flow that was answered (RFC 7690). */
  IcmpError = 3,
}

/** One classifier is reused for many packets: what it found is valid until the next call. */
export class Classifier {
  readonly key = new Uint8Array(FLOW_KEY_LENGTH);
  readonly chain: HeaderChain = newHeaderChain();
  private readonly embedded: HeaderChain = newHeaderChain();

  /** Classifies the IPv6 packet of `length` octets (as received; the header's own length may be shorter) at `offset`. */
  classify(bytes: Uint8Array, offset: number, length: number): PacketKind {
    const { key, chain } = this;
    if (length < IPV6_HEADER_LENGTH || bytes[offset]! >> 4 !== 6) return PacketKind.Malformed;
    const stated = IPV6_HEADER_LENGTH + ((bytes[offset + IPV6_PAYLOAD_LENGTH]! << 8) | bytes[offset + IPV6_PAYLOAD_LENGTH + 1]!);
    if (stated > length) return PacketKind.Malformed;
    const end = offset + stated;
    if (!walkExtensionHeaders(bytes, offset, end, chain)) return PacketKind.Malformed;
    copy(key, FLOW_KEY_SOURCE, bytes, offset + IPV6_SOURCE, 32);
    clearPorts(key);
    if (chain.fragment === FragmentKind.Later) return PacketKind.LaterFragment;
    const ports = readPorts(bytes, end, chain, key);
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
    if (readPorts(bytes, end, embedded, key) !== Ports.Read) return false;
    const high = key[FLOW_KEY_SOURCE_PORT]!;
    const low = key[FLOW_KEY_SOURCE_PORT + 1]!;
    key[FLOW_KEY_SOURCE_PORT] = key[FLOW_KEY_DESTINATION_PORT]!;
    key[FLOW_KEY_SOURCE_PORT + 1] = key[FLOW_KEY_DESTINATION_PORT + 1]!;
    key[FLOW_KEY_DESTINATION_PORT] = high;
    key[FLOW_KEY_DESTINATION_PORT + 1] = low;
    return true;
  }
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

function readPorts(bytes: Uint8Array, end: number, chain: HeaderChain, key: Uint8Array): Ports {
  const { protocol, offset } = chain;
  key[FLOW_KEY_PROTOCOL] = protocol;
  if (hasPorts(protocol)) {
    if (end - offset < 4) return Ports.Truncated;
    copy(key, FLOW_KEY_SOURCE_PORT, bytes, offset, 4);
    return Ports.Read;
  }
  if (protocol !== PROTOCOL_ICMPV6) return Ports.Read;
  if (end - offset < ICMPV6_HEADER_LENGTH) return Ports.Truncated;
  const type = bytes[offset]!;
  if (isIcmpv6Error(type)) return Ports.IcmpError;
  if (type === ICMPV6_ECHO_REQUEST || type === ICMPV6_ECHO_REPLY) {
    copy(key, FLOW_KEY_SOURCE_PORT, bytes, offset + 4, 2);
    copy(key, FLOW_KEY_DESTINATION_PORT, bytes, offset + 4, 2);
  }
  return Ports.Read;
}
