/**
 * Prefix-SIDs beyond service routes (RFC 8669 section 5, RFC 9252 sections 2 and 5): whom they are told to, from whom they are believed,
 * and which of them lead a packet to an IP prefix.
 */
import type { Path } from './path.js';
import { type Destination, ipPrefixOf } from './wire/families.js';
import { serviceSid } from './wire/attributes/prefix-sid.js';
import type { PathAttributes } from './wire/types.js';
import { VpnPrefix } from './wire/vpn-prefix.js';

/**
 * Behaviours (RFC 8986 section 10.2, RFC 9800) behind which a packet of each IP version is delivered or looked up, and 0xffff, which leaves
 * that to the egress (RFC 9252 section 3.1).
 */
const OPAQUE = 0xffff;
const BEHAVIOURS: Readonly<Record<4 | 6, ReadonlySet<number>>> = {
  6: new Set([0x10, 0x12, 0x14, 0x3c, 0x3e, 0x40, OPAQUE]), // End.DX6, End.DT6, End.DT46, and the same with NEXT-CSID
  4: new Set([0x11, 0x13, 0x14, 0x3d, 0x3f, 0x40, OPAQUE]), // End.DX4, End.DT4, End.DT46, and the same with NEXT-CSID
};

/** The SID to encapsulate towards for the prefix of a path; undefined when it has none that leads there. */
export function encapsulationSid({ prefix, attributes }: Pick<Path, 'prefix' | 'attributes'>): string | undefined {
  const sid = serviceSid(attributes.prefixSid, prefix);
  return sid && BEHAVIOURS[ipPrefixOf(prefix).family].has(sid.behaviour) ? sid.sid : undefined;
}

const stripped = new WeakMap<PathAttributes, PathAttributes>();

/** Attributes without their Prefix-SID; the same value for the same attributes, so that routes that share them still do. */
export function withoutPrefixSid(attributes: PathAttributes): PathAttributes {
  if (!attributes.prefixSid) return attributes;
  let result = stripped.get(attributes);
  if (!result) stripped.set(attributes, (result = { ...attributes, prefixSid: undefined }));
  return result;
}

interface PeerFacts {
  readonly kind: 'ibgp' | 'ebgp';
  readonly srv6: boolean;
}

/**
 * Whether a Prefix-SID crosses a session. Service routes and those of a VPN are nothing without theirs; of other routes it is the
 * business of the SR domain: inside the AS it passes through, where this router put it on or the AS ends it takes `srv6`.
 */
export function carriesPrefixSid(peer: PeerFacts, destination: Destination, isService: boolean, originatedHere: boolean): boolean {
  return peer.srv6 || isService || destination instanceof VpnPrefix || (peer.kind === 'ibgp' && !originatedHere);
}
