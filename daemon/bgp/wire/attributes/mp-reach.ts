/**
 * MP_REACH_NLRI (RFC 4760 section 3): next hop and prefixes of a family, with IPv6 next hops for IPv4 too (RFC 8950). Each address of
 * a VPN's next hop stands behind a route distinguisher of zero (RFC 4364 section 4.3.2, RFC 4659 section 3.2.1).
 */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { type FamilyName, familyOf, ipVersionOf, isVpn } from '../families.js';
import { nlriSize, readNlri, writeNlri } from '../nlri.js';
import { UpdateSubcode } from '../notification.js';
import { type AfiSafi, AttributeType, type NextHop, type Nlri } from '../types.js';
import { type AttributeDecoder, discard, OPTIONAL_NON_TRANSITIVE, reset, withdraw, writeAttributeHeader } from './attribute.js';
import { isHostAddress } from './next-hop.js';

const SECTION = 'RFC 7606 section 7.11';
/** AFI, SAFI, length of the next hop, reserved octet. */
const FIXED_LENGTH = 5;

function isUnspecified(octets: Uint8Array): boolean {
  return octets.every((octet) => octet === 0);
}

/** Octets of the route distinguisher before an address of a next hop. */
const distinguisherLength = (family: FamilyName): number => (isVpn(family) ? 8 : 0);

/** Reads a next hop that fills the reader: one address, or a global and a link-local IPv6 address; undefined when its length fits neither. */
function readNextHop(reader: Reader, family: FamilyName): { readonly global: Uint8Array; readonly second: Uint8Array | undefined } | undefined {
  const before = distinguisherLength(family);
  const length = reader.remaining;
  const single = length === 4 + before && ipVersionOf(family) === 4 ? 4 : 16;
  if (length !== before + single && length !== 2 * (before + 16)) return undefined;
  // RFC 8277 and its predecessors give a distinguisher other than zero no meaning: it is skipped.
  reader.skip(before);
  const global = reader.octets(single);
  if (reader.remaining === 0) return { global, second: undefined };
  reader.skip(before);
  return { global, second: reader.octets(16) };
}

export const mpReach: AttributeDecoder = {
  type: AttributeType.mpReach,
  name: 'MP_REACH_NLRI',
  flags: OPTIONAL_NON_TRANSITIVE,
  decode(value, draft, context) {
    const family: AfiSafi = { afi: value.u16(), safi: value.u8() };
    const nextHop = value.slice(value.u8());
    value.skip(1);
    if (!value.ok) return reset(SECTION, 'MP_REACH_NLRI is too short for its next hop');
    const name = familyOf(family);
    if (name === undefined) {
      draft.mpReach = { family, nextHop: undefined, nlri: [] };
      return discard('RFC 4760 section 7', `MP_REACH_NLRI of AFI ${family.afi}, SAFI ${family.safi}, which is not spoken here`);
    }
    const length = nextHop.remaining;
    const addresses = readNextHop(nextHop, name);
    if (!addresses) return reset(SECTION, `MP_REACH_NLRI with a next hop of ${length} octets`);
    const nlri = readNlri(value, name, context.addPath(family.afi, family.safi));
    if (!nlri) return reset('RFC 7606 section 5.3', 'MP_REACH_NLRI with incorrect NLRI');
    const { global, second } = addresses;
    const address = formatIp(global);
    draft.mpReach = { family, nextHop: { address, linkLocal: second && !isUnspecified(second) ? formatIp(second) : undefined }, nlri };
    return isHostAddress(global) ? undefined : withdraw('RFC 4271 section 6.3', `MP_REACH_NLRI with next hop ${address}`, UpdateSubcode.invalidNextHop);
  },
};

/** Octets of the addresses of next hops: a router announces most routes with the same one. */
const octetsOf = new WeakMap<NextHop, readonly Uint8Array[]>();

function nextHopOctets(nextHop: NextHop): readonly Uint8Array[] {
  const known = octetsOf.get(nextHop);
  if (known) return known;
  const { address, linkLocal } = nextHop;
  const addresses = (linkLocal === undefined ? [address] : [address, linkLocal]).map((text) => {
    const octets = parseIp(text);
    if (!octets) throw new RangeError(`next hop ${text} is not an IP address`);
    return octets;
  });
  octetsOf.set(nextHop, addresses);
  return addresses;
}

function nextHopLength(family: AfiSafi, addresses: readonly Uint8Array[]): number {
  const name = familyOf(family);
  const before = name === undefined ? 0 : distinguisherLength(name);
  return addresses.reduce((sum, { length }) => sum + before + length, 0);
}

/** Octets of the attribute with the longer form of its header, without its NLRI. */
export function mpReachOverhead(family: AfiSafi, nextHop: NextHop): number {
  return 4 + FIXED_LENGTH + nextHopLength(family, nextHopOctets(nextHop));
}

export function encodeMpReach(writer: Writer, family: AfiSafi, nextHop: NextHop, nlri: readonly Nlri[], addPath: boolean): void {
  const addresses = nextHopOctets(nextHop);
  const addressesLength = nextHopLength(family, addresses);
  let length = FIXED_LENGTH + addressesLength;
  for (const item of nlri) length += nlriSize(item, addPath);
  writeAttributeHeader(writer, OPTIONAL_NON_TRANSITIVE, AttributeType.mpReach, length);
  writer.u16(family.afi).u8(family.safi).u8(addressesLength);
  const before = addresses.length === 0 ? 0 : addressesLength / addresses.length - addresses[0]!.length;
  for (const address of addresses) writer.zeros(before).octets(address);
  writer.u8(0);
  for (const item of nlri) writeNlri(writer, item, addPath);
}
