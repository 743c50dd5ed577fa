/** AS path segments, of AS_PATH and AS4_PATH alike (RFC 4271 section 4.3, RFC 5065 section 3, RFC 6793 section 3). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { AS_TRANS, AsSegmentType, type AsPathSegment } from '../types.js';

/** A segment's count is one octet. */
const MAX_SEGMENT = 255;

export const isConfederation = ({ type }: AsPathSegment): boolean => type === AsSegmentType.confedSequence || type === AsSegmentType.confedSet;

/** Reads segments to the end of the reader, of AS numbers with `octets` octets; a text says what is malformed (RFC 7606 section 7.2). */
export function readSegments(reader: Reader, octets: 2 | 4): AsPathSegment[] | string {
  const segments: AsPathSegment[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    const count = reader.u8();
    if (!reader.ok) return 'one octet after the last segment';
    if (type < 1 || type > 4) return `segment type ${type}`;
    if (count === 0) return 'a segment without AS numbers';
    if (count * octets > reader.remaining) return `a segment of ${count} AS numbers in ${reader.remaining} octets`;
    const as: number[] = new Array<number>(count);
    for (let i = 0; i < count; i++) {
      const number = octets === 4 ? reader.u32() : reader.u16();
      if (number === 0) return 'AS number 0'; // RFC 7607 section 2
      as[i] = number;
    }
    segments.push({ type: type as AsPathSegment['type'], as });
  }
  return segments;
}

/** Sequences of more than 255 AS numbers as several segments (RFC 4271 section 5.1.2 lets a segment be prepended when one is full). */
export function splitSegments(segments: readonly AsPathSegment[]): readonly AsPathSegment[] {
  if (segments.every(({ as }) => as.length <= MAX_SEGMENT)) return segments;
  return segments.flatMap(({ type, as }) => {
    const parts: AsPathSegment[] = [];
    for (let i = 0; i < as.length; i += MAX_SEGMENT) parts.push({ type, as: as.slice(i, i + MAX_SEGMENT) });
    return parts;
  });
}

export function segmentsSize(segments: readonly AsPathSegment[], octets: 2 | 4): number {
  return segments.reduce((sum, { as }) => sum + 2 + as.length * octets, 0);
}

export function writeSegments(writer: Writer, segments: readonly AsPathSegment[], octets: 2 | 4): void {
  for (const { type, as } of segments) {
    writer.u8(type).u8(as.length);
    for (const number of as) {
      if (octets === 4) writer.u32(number);
      else writer.u16(number > 0xffff ? AS_TRANS : number);
    }
  }
}

/** Path length for route selection: a set counts one (RFC 4271 section 9.1.2.2), confederation segments nothing (RFC 5065 section 5.3). */
export function asPathLength(segments: readonly AsPathSegment[]): number {
  let length = 0;
  for (const { type, as } of segments) {
    if (type === AsSegmentType.sequence) length += as.length;
    else if (type === AsSegmentType.set) length += 1;
  }
  return length;
}

/**
 * The real path of a route that came through speakers which know only 2-octet AS numbers: as much of AS_PATH as AS4_PATH lacks,
 * then AS4_PATH (RFC 6793 section 4.2.3).
 */
export function mergeAs4Path(asPath: readonly AsPathSegment[], as4Path: readonly AsPathSegment[]): readonly AsPathSegment[] {
  let missing = asPathLength(asPath) - asPathLength(as4Path);
  // A path that grew shorter was aggregated by somebody who left AS4_PATH alone.
  if (missing < 0) return asPath;
  const merged: AsPathSegment[] = [];
  for (const segment of asPath) {
    // Confederation segments go along when they lead or follow what is taken.
    if (isConfederation(segment)) merged.push(segment);
    else if (missing === 0) break;
    else if (segment.type === AsSegmentType.set || segment.as.length <= missing) {
      merged.push(segment);
      missing -= segment.type === AsSegmentType.set ? 1 : segment.as.length;
    } else {
      merged.push({ type: segment.type, as: segment.as.slice(0, missing) });
      break;
    }
  }
  const last = merged.at(-1);
  const [first, ...others] = as4Path;
  if (last?.type === AsSegmentType.sequence && first?.type === AsSegmentType.sequence && last.as.length + first.as.length <= MAX_SEGMENT) {
    return [...merged.slice(0, -1), { type: AsSegmentType.sequence, as: [...last.as, ...first.as] }, ...others];
  }
  return [...merged, ...as4Path];
}
