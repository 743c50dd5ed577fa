/**
 * The chain of extension headers (RFC 8200 section 4) up to the upper-layer header, and the options inside.
 *
 * The bound and the outcomes are those of the BPF program (`walk()` of dataplane/bpf/cpn.bpf.c): both must put a packet into the same flow.
 */
import {
  IPV6_HEADER_LENGTH,
  IPV6_NEXT_HEADER,
  PROTOCOL_AH,
  PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_FRAGMENT,
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ROUTING,
} from './ipv6.js';

/** A longer chain is malformed for us. */
export const MAX_EXTENSION_HEADERS = 8;

/** How a packet is fragmented. An atomic fragment (RFC 6946) is a whole packet. */
export const enum FragmentKind {
  None = 0,
  First = 1,
  Later = 2,
}

/** Result of a walk; one object is reused for many packets. Offsets are indices into the bytes. */
export interface HeaderChain {
  /** Upper-layer protocol; of a later fragment without meaning. */
  protocol: number;
  /** Where the upper-layer header starts. */
  offset: number;
  fragment: FragmentKind;
  /** Fragment identification, 32 bits; where the Fragment header stands, or -1. */
  identification: number;
  fragmentHeader: number;
  /** Where the Hop-by-Hop Options, the first Destination Options and the Routing header stand, or -1. */
  hopByHop: number;
  destinationOptions: number;
  routing: number;
}

export const newHeaderChain = (): HeaderChain => ({
  protocol: 0,
  offset: 0,
  fragment: FragmentKind.None,
  identification: 0,
  fragmentHeader: -1,
  hopByHop: -1,
  destinationOptions: -1,
  routing: -1,
});

/** Walks the chain of the IPv6 packet that starts at `offset`. False when it is cut short at `end` or longer than the bound. */
export function walkExtensionHeaders(bytes: Uint8Array, offset: number, end: number, chain: HeaderChain): boolean {
  chain.fragment = FragmentKind.None;
  chain.identification = 0;
  chain.fragmentHeader = -1;
  chain.hopByHop = -1;
  chain.destinationOptions = -1;
  chain.routing = -1;
  if (end - offset < IPV6_HEADER_LENGTH) return false;
  let next = bytes[offset + IPV6_NEXT_HEADER]!;
  let at = offset + IPV6_HEADER_LENGTH;
  for (let i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
    switch (next) {
      case PROTOCOL_HOP_BY_HOP:
      case PROTOCOL_ROUTING:
      case PROTOCOL_DESTINATION_OPTIONS:
        if (end - at < 8) return false;
        if (next === PROTOCOL_HOP_BY_HOP) {
          if (chain.hopByHop < 0) chain.hopByHop = at;
        } else if (next === PROTOCOL_ROUTING) {
          if (chain.routing < 0) chain.routing = at;
        } else if (chain.destinationOptions < 0) {
          chain.destinationOptions = at;
        }
        next = bytes[at]!;
        at += (bytes[at + 1]! + 1) * 8;
        break;
      case PROTOCOL_AH: // RFC 4302 section 2.2: length in 4-octet units, minus 2.
        if (end - at < 8) return false;
        next = bytes[at]!;
        at += (bytes[at + 1]! + 2) * 4;
        break;
      case PROTOCOL_FRAGMENT: {
        if (end - at < 8) return false;
        chain.fragmentHeader = at;
        chain.identification = ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
        if (bytes[at + 2] !== 0 || (bytes[at + 3]! & 0xf8) !== 0) {
          chain.fragment = FragmentKind.Later;
          return true;
        }
        if ((bytes[at + 3]! & 1) !== 0) chain.fragment = FragmentKind.First;
        next = bytes[at]!;
        at += 8;
        break;
      }
      default:
        chain.protocol = next;
        chain.offset = at;
        return at <= end;
    }
  }
  return false;
}

/** Where the data of an option lies, as indices into the bytes. */
export interface OptionSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the first option of a type in the Hop-by-Hop or Destination Options header at `header` (RFC 8200 section 4.2), skipping Pad1, PadN and
 * others. Undefined when there is none before the end, or before an option that runs past the header.
 */
export function findOption(bytes: Uint8Array, header: number, end: number, type: number): OptionSpan | undefined {
  if (end - header < 8) return undefined;
  const stop = Math.min(end, header + (bytes[header + 1]! + 1) * 8);
  let at = header + 2;
  while (at < stop) {
    const optionType = bytes[at]!;
    if (optionType === 0) {
      at++;
      continue;
    }
    if (at + 2 > stop) return undefined;
    const start = at + 2;
    const next = start + bytes[at + 1]!;
    if (next > stop) return undefined;
    if (optionType === type) return { start, end: next };
    at = next;
  }
  return undefined;
}

/** The requirement option of a walked packet: Hop-by-Hop before Destination Options (proto/WIRE.md section 4). */
export function findRequirement(bytes: Uint8Array, end: number, chain: HeaderChain, type: number): OptionSpan | undefined {
  let found: OptionSpan | undefined;
  if (chain.hopByHop >= 0) found = findOption(bytes, chain.hopByHop, end, type);
  if (!found && chain.destinationOptions >= 0) found = findOption(bytes, chain.destinationOptions, end, type);
  return found;
}
