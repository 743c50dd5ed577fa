/** The two timestamp formats of STAMP (RFC 8762 section 4.2.1): NTP (RFC 5905 section 6) and truncated PTP (IEEE 1588). */

/** Seconds from 1900-01-01 (NTP era 0) to 1970-01-01. */
const NTP_UNIX_SECONDS = 2_208_988_800n;
const NANOSECONDS = 1_000_000_000n;
const MASK_32 = 0xffff_ffffn;

/** Unix time in ns as a 64-bit NTP timestamp: 32 bits of seconds, 32 bits of fraction. */
export function ntpFromUnixNs(unixNs: bigint): bigint {
  const seconds = (unixNs / NANOSECONDS + NTP_UNIX_SECONDS) & MASK_32;
  // Rounded up, so that the way back, which cuts, gives the same ns.
  const fraction = (((unixNs % NANOSECONDS) << 32n) + NANOSECONDS - 1n) / NANOSECONDS;
  return (seconds << 32n) | (fraction & MASK_32);
}

/** Difference `later - earlier` of two timestamps of one format in ns, right across the wrap of the seconds (2036 for NTP). */
export function differenceNs(later: bigint, earlier: bigint, format: TimestampFormat): bigint {
  if (format === 'ntp') {
    const difference = BigInt.asIntN(64, later - earlier);
    return (difference * NANOSECONDS) >> 32n;
  }
  const seconds = BigInt.asIntN(32, (later >> 32n) - (earlier >> 32n));
  return seconds * NANOSECONDS + ((later & MASK_32) - (earlier & MASK_32));
}

export type TimestampFormat = 'ntp' | 'ptp';
