/**
 * Network Layer Reachability Information: prefixes with path identifiers where negotiated (RFC 7911), in a VPN behind one label and a
 * route distinguisher (RFC 4364 section 4.3.4, RFC 4659 section 3.2, RFC 8277 section 2.2).
 */
import type { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { type Destination, type FamilyName, ipPrefixOf, ipVersionOf, isVpn } from './families.js';
import type { Nlri } from './types.js';
import { VpnPrefix } from './vpn-prefix.js';

const LABEL_BITS = 24;
const LABEL_AND_RD_BITS = LABEL_BITS + 64;

/** Reads NLRI to the end of the reader; undefined when it is syntactically incorrect (RFC 7606 section 5.3). */
export function readNlri(reader: Reader, family: FamilyName, addPath: boolean): Nlri[] | undefined {
  const version = ipVersionOf(family);
  const vpn = isVpn(family);
  const before = vpn ? LABEL_AND_RD_BITS : 0;
  const maximum = (version === 4 ? 32 : 128) + before;
  const list: Nlri[] = [];
  while (reader.remaining > 0) {
    const pathId = addPath ? reader.u32() : 0;
    const length = reader.u8();
    if (length > maximum || length < before) return undefined;
    // One label: several need a capability of their own (RFC 8277 section 2.1), and the bottom-of-stack bit is ignored without it.
    const label = vpn ? reader.u24() : 0;
    const rd = vpn ? reader.u64() : 0n;
    const offset = reader.offset;
    reader.skip((length - before + 7) >> 3);
    if (!reader.ok) return undefined;
    const prefix = Prefix.fromWire(version, reader.bytes, offset, length - before);
    list.push({ prefix: vpn ? new VpnPrefix(rd, prefix, label) : prefix, pathId });
  }
  return list;
}

const addressOctets = (destination: Destination): number => (ipPrefixOf(destination).length + 7) >> 3;

/** Octets of one NLRI. */
export function nlriSize({ prefix }: Nlri, addPath: boolean): number {
  return (addPath ? 5 : 1) + (prefix instanceof VpnPrefix ? LABEL_AND_RD_BITS / 8 : 0) + addressOctets(prefix);
}

/** Writes one NLRI; `label` replaces the label field of a VPN prefix. */
export function writeNlri(writer: Writer, { prefix, pathId }: Nlri, addPath: boolean, label?: number): void {
  if (addPath) writer.u32(pathId);
  const { length, word0, word1, word2, word3 } = ipPrefixOf(prefix);
  if (prefix instanceof VpnPrefix) writer.u8(length + LABEL_AND_RD_BITS).u24(label ?? prefix.label).u64(prefix.rd);
  else writer.u8(length);
  const octets = (length + 7) >> 3;
  writer.upper(word0, Math.min(4, octets));
  if (octets <= 4) return;
  writer.upper(word1, Math.min(4, octets - 4));
  if (octets > 8) writer.upper(word2, Math.min(4, octets - 8));
  if (octets > 12) writer.upper(word3, octets - 12);
}
