/** The LS checksum (RFC 2328 section 12.1.7): the Fletcher checksum of ISO 8473 (RFC 905 annex B) over an LSA without its age. */

/** Where the checksum stands in an LSA. */
const CHECKSUM_AT = 16;
const AGE_LENGTH = 2;
/** So many octets are summed up between two reductions: sums stay below 2^31. */
const BLOCK = 2048;

interface Sums {
  readonly c0: number;
  readonly c1: number;
}

/** Both sums modulo 255, the checksum field counted as it is or as zero. */
function sums(lsa: Uint8Array, skipField: boolean): Sums {
  let c0 = 0;
  let c1 = 0;
  for (let at = AGE_LENGTH; at < lsa.length; ) {
    const end = Math.min(at + BLOCK, lsa.length);
    for (; at < end; at++) {
      if (!skipField || (at !== CHECKSUM_AT && at !== CHECKSUM_AT + 1)) c0 += lsa[at]!;
      c1 += c0;
    }
    c0 %= 255;
    c1 %= 255;
  }
  return { c0, c1 };
}

/** The checksum of an LSA of at least 20 octets, whatever stands in its checksum field. Never 0. */
export function lsaChecksum(lsa: Uint8Array): number {
  const { c0, c1 } = sums(lsa, true);
  // Octets from the first one of the checksum to the end, that one left out.
  const after = lsa.length - CHECKSUM_AT - 1;
  let x = (after * c0 - c1) % 255;
  if (x <= 0) x += 255;
  let y = 510 - c0 - x;
  if (y > 255) y -= 255;
  return (x << 8) | y;
}

/** Whether the checksum field of an LSA of at least 20 octets is right. */
export function isLsaChecksumRight(lsa: Uint8Array): boolean {
  // Zero would say that no checksum was made, which RFC 2328 section 12.1.7 does not allow.
  if (lsa[CHECKSUM_AT] === 0 && lsa[CHECKSUM_AT + 1] === 0) return false;
  const { c0, c1 } = sums(lsa, false);
  return c0 === 0 && c1 === 0;
}
