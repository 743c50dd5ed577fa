/** NEXT_HOP of IPv4 unicast (RFC 4271 section 5.1.3). The next hop of other families stands in MP_REACH_NLRI. */
import type { Writer } from '../../../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { UpdateSubcode } from '../notification.js';
import { AttributeType } from '../types.js';
import { type AttributeDecoder, WELL_KNOWN, withdraw, writeAttributeHeader } from './attribute.js';

/** Whether these 4 or 16 octets can be a host's address (RFC 4271 section 6.3): not unspecified, loopback, multicast or reserved. */
export function isHostAddress(octets: Uint8Array): boolean {
  const first = octets[0]!;
  if (octets.length === 4) return first !== 0 && first !== 127 && first < 224;
  // :: and ::1 are all zeros but for the last octet.
  return first !== 0xff && (octets[15]! > 1 || octets.subarray(0, 15).some((octet) => octet !== 0));
}

export const nextHop: AttributeDecoder = {
  type: AttributeType.nextHop,
  name: 'NEXT_HOP',
  flags: WELL_KNOWN,
  decode(value, draft) {
    if (value.remaining !== 4) return withdraw('RFC 7606 section 7.3', `NEXT_HOP of ${value.remaining} octets`);
    const octets = value.rest();
    const address = formatIp(octets);
    if (!isHostAddress(octets)) return withdraw('RFC 4271 section 6.3', `NEXT_HOP ${address}`, UpdateSubcode.invalidNextHop);
    draft.nextHop = address;
    return undefined;
  },
};

/** Throws RangeError when the address is not IPv4. */
export function encodeNextHop(writer: Writer, address: string): void {
  const octets = parseIp(address);
  if (octets?.length !== 4) throw new RangeError(`NEXT_HOP ${address} is not an IPv4 address`);
  writeAttributeHeader(writer, WELL_KNOWN, AttributeType.nextHop, 4);
  writer.octets(octets);
}
