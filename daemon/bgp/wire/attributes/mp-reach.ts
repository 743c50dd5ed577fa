/** MP_REACH_NLRI (RFC 4760 section 3): next hop and prefixes of a family, with IPv6 next hops for IPv4 too (RFC 8950). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { familyOf, nlriSize, readNlri, writeNlri } from '../nlri.js';
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

/** Reads a next hop that fills the reader; its length has been checked. */
function readNextHop(reader: Reader): NextHop {
  const address = reader.octets(reader.remaining === 4 ? 4 : 16);
  const second = reader.rest();
  return { address: formatIp(address), linkLocal: second.length === 16 && !isUnspecified(second) ? formatIp(second) : undefined };
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
    const version = familyOf(family);
    if (version === undefined) {
      draft.mpReach = { family, nextHop: undefined, nlri: [] };
      return discard('RFC 4760 section 7', `MP_REACH_NLRI of AFI ${family.afi}, SAFI ${family.safi}, which is not spoken here`);
    }
    const length = nextHop.remaining;
    if (length !== 16 && length !== 32 && !(length === 4 && version === 4)) return reset(SECTION, `MP_REACH_NLRI with a next hop of ${length} octets`);
    const nlri = readNlri(value, version, context.addPath(family.afi, family.safi));
    if (!nlri) return reset('RFC 7606 section 5.3', 'MP_REACH_NLRI with incorrect NLRI');
    const octets = nextHop.bytes.subarray(nextHop.offset, nextHop.offset + (length === 4 ? 4 : 16));
    draft.mpReach = { family, nextHop: readNextHop(nextHop), nlri };
    return isHostAddress(octets) ? undefined : withdraw('RFC 4271 section 6.3', `MP_REACH_NLRI with next hop ${formatIp(octets)}`, UpdateSubcode.invalidNextHop);
  },
};

function nextHopOctets({ address, linkLocal }: NextHop): Uint8Array[] {
  return (linkLocal === undefined ? [address] : [address, linkLocal]).map((text) => {
    const octets = parseIp(text);
    if (!octets) throw new RangeError(`next hop ${text} is not an IP address`);
    return octets;
  });
}

/** Octets of the attribute with the longer form of its header, without its NLRI. */
export function mpReachOverhead(nextHop: NextHop): number {
  return 4 + FIXED_LENGTH + nextHopOctets(nextHop).reduce((sum, { length }) => sum + length, 0);
}

export function encodeMpReach(writer: Writer, family: AfiSafi, nextHop: NextHop, nlri: readonly Nlri[], addPath: boolean): void {
  const addresses = nextHopOctets(nextHop);
  const nextHopLength = addresses.reduce((sum, { length }) => sum + length, 0);
  const length = FIXED_LENGTH + nextHopLength + nlri.reduce((sum, item) => sum + nlriSize(item, addPath), 0);
  writeAttributeHeader(writer, OPTIONAL_NON_TRANSITIVE, AttributeType.mpReach, length);
  writer.u16(family.afi).u8(family.safi).u8(nextHopLength);
  for (const address of addresses) writer.octets(address);
  writer.u8(0);
  for (const item of nlri) writeNlri(writer, item, addPath);
}
