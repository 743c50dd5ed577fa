/** What the codecs of packet bodies have in common. */
import type { Reader } from '../../../../dataplane/packet/cursor.js';
import { readLsaHeader } from '../lsa-header.js';
import { type LsaHeader, LSA_HEADER_LENGTH, type OspfPacket, type PacketHeader } from '../types.js';

/** Reads the body that fills the reader, or says what is wrong with its length. */
export type PacketBodyDecoder = (reader: Reader, header: PacketHeader, cpnLsType: number) => OspfPacket | string;

/** The LSA headers that fill the rest of the reader; undefined when they do not. */
export function readLsaHeaders(reader: Reader): LsaHeader[] | undefined {
  if (!reader.ok || reader.remaining % LSA_HEADER_LENGTH !== 0) return undefined;
  const headers: LsaHeader[] = [];
  while (reader.remaining > 0) headers.push(readLsaHeader(reader));
  return headers;
}
