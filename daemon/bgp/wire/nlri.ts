/** Network Layer Reachability Information: prefixes of IPv4 and IPv6 unicast, with path identifiers where negotiated (RFC 7911). */
import type { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { type Family, Prefix } from '../../../dataplane/packet/ip.js';
import { AFI_IPV4, AFI_IPV6, type AfiSafi, type Nlri, SAFI_UNICAST } from './types.js';

/** The IP version of a family whose NLRI this codec reads; undefined for others. */
export function familyOf({ afi, safi }: AfiSafi): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  return afi === AFI_IPV4 ? 4 : afi === AFI_IPV6 ? 6 : undefined;
}

/** Reads NLRI to the end of the reader; undefined when it is syntactically incorrect (RFC 7606 section 5.3). */
export function readNlri(reader: Reader, family: Family, addPath: boolean): Nlri[] | undefined {
  const maximum = family === 4 ? 32 : 128;
  const list: Nlri[] = [];
  while (reader.remaining > 0) {
    const pathId = addPath ? reader.u32() : 0;
    const length = reader.u8();
    const offset = reader.offset;
    reader.skip((length + 7) >> 3);
    if (!reader.ok || length > maximum) return undefined;
    list.push({ prefix: Prefix.fromWire(family, reader.bytes, offset, length), pathId });
  }
  return list;
}

/** Octets of one NLRI. */
export function nlriSize({ prefix }: Nlri, addPath: boolean): number {
  return (addPath ? 5 : 1) + ((prefix.length + 7) >> 3);
}

export function writeNlri(writer: Writer, { prefix, pathId }: Nlri, addPath: boolean): void {
  if (addPath) writer.u32(pathId);
  writer.u8(prefix.length).octets(prefix.bytes.subarray(0, (prefix.length + 7) >> 3));
}
