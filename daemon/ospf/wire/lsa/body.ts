/** What the codecs of LSA bodies have in common. */
import type { Reader } from '../../../../dataplane/packet/cursor.js';
import type { LsaBody } from '../types.js';

/** Reads the body that fills the reader, or says why it makes no sense. */
export type BodyDecoder = (reader: Reader) => LsaBody | string;

/** What a body is called malformed for when octets are missing or left. */
export const wrongLength = (reader: Reader, name: string): string | undefined =>
  !reader.ok ? `${name} is cut short` : reader.remaining > 0 ? `${name} with ${reader.remaining} octets too many` : undefined;
