/** The header of all LSAs (RFC 5340 section A.4.2): reading and writing it, which of two instances is newer, and how far one is flooded. */
import type { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { type FloodingScope, LsType, type LsaHeader, MAX_AGE } from './types.js';

/** Ages that differ by more tell two instances apart (RFC 2328 section B), s. */
const MAX_AGE_DIFF = 900;
/** DoNotAge (RFC 4136). */
const DO_NOT_AGE = 0x8000;
const U_BIT = 0x8000;
const KNOWN = new Set<number>(Object.values(LsType));

/** Reads a header; the reader says whether its 20 octets were there. An age past MaxAge counts as MaxAge. */
export function readLsaHeader(reader: Reader): LsaHeader {
  const age = Math.min(reader.u16() & ~DO_NOT_AGE, MAX_AGE);
  const type = reader.u16();
  const id = reader.u32();
  const router = reader.u32();
  const sequence = reader.i32();
  const checksum = reader.u16();
  return { age, type, id, router, sequence, checksum, length: reader.u16() };
}

export function writeLsaHeader(writer: Writer, header: LsaHeader): void {
  writer.u16(header.age).u16(header.type).u32(header.id).u32(header.router).i32(header.sequence).u16(header.checksum).u16(header.length);
}

/**
 * Which of two instances of one LSA is newer (RFC 2328 section 13.1, RFC 5340 section 4.5): above 0 the first, below 0 the second, 0 when they
 * count as the same. Ages are those of this moment.
 */
export function compareLsaInstances(a: LsaHeader, b: LsaHeader): number {
  if (a.sequence !== b.sequence) return a.sequence - b.sequence;
  if (a.checksum !== b.checksum) return a.checksum - b.checksum;
  if (a.age === b.age) return 0;
  if (a.age === MAX_AGE) return 1;
  if (b.age === MAX_AGE) return -1;
  return Math.abs(a.age - b.age) > MAX_AGE_DIFF ? b.age - a.age : 0;
}

/**
 * How far an LSA of a type is flooded: as its S bits say, and over one link only when the type is unknown here and lacks the U bit
 * (RFC 5340 section A.4.2.1). An LSA of reserved scope is neither stored nor flooded.
 */
export function floodingScope(type: number, cpnLsType: number = LsType.cpn): FloodingScope {
  switch ((type >> 13) & 3) {
    case 1:
      return isFlooded(type, cpnLsType) ? 'area' : 'link';
    case 2:
      return isFlooded(type, cpnLsType) ? 'as' : 'link';
    case 3:
      return 'reserved';
    default:
      return 'link';
  }
}

const isFlooded = (type: number, cpnLsType: number): boolean => (type & U_BIT) !== 0 || type === cpnLsType || KNOWN.has(type);
