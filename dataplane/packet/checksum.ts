/** The Internet checksum (RFC 1071) with the IPv6 pseudo-header (RFC 8200 section 8.1). */

/** Adds `length` octets from `offset` to a one's complement sum (an odd last octet is padded with zero). Not folded. */
export function sumOctets(bytes: Uint8Array, offset: number, length: number, initial = 0): number {
  let sum = initial;
  const end = offset + length;
  let i = offset;
  for (; i + 1 < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (i < end) sum += bytes[i]! << 8;
  return sum;
}

/** Folds a sum to 16 bits and complements it: the value of the checksum field. Good for sums of up to 2^53. */
export function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/**
 * Checksum of an upper-layer packet at `offset` of `length` octets. `addresses` is where source and destination stand, 32 octets on end.
 * Over a packet whose checksum field is right the result is 0.
 */
export function upperLayerChecksum(bytes: Uint8Array, addresses: number, offset: number, length: number, protocol: number): number {
  return foldChecksum(sumOctets(bytes, offset, length, sumOctets(bytes, addresses, 32, length + protocol)));
}
