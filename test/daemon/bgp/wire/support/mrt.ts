/** BGP messages out of MRT files (RFC 6396), as far as the collected ones need it. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Reader } from '../../../../../dataplane/packet/cursor.js';
import { formatIp } from '../../../../../dataplane/packet/ip.js';

const BGP4MP = 16;
const MESSAGE = 1;
const MESSAGE_AS4 = 4;

export interface MrtMessage {
  readonly time: number; // Unix s
  readonly peer: string;
  readonly peerAs: number;
  readonly fourOctetAs: boolean;
  readonly octets: Uint8Array;
}

/** Every BGP4MP message of a gzipped MRT file, in order. */
export function mrtMessages(path: string): MrtMessage[] {
  const file = new Reader(gunzipSync(readFileSync(path)));
  const messages: MrtMessage[] = [];
  while (file.remaining > 0) {
    const time = file.u32();
    const type = file.u16();
    const subtype = file.u16();
    const record = file.slice(file.u32());
    if (!file.ok) throw new Error(`${path}: a record runs past the end`);
    if (type !== BGP4MP || (subtype !== MESSAGE && subtype !== MESSAGE_AS4)) continue;
    const fourOctetAs = subtype === MESSAGE_AS4;
    const peerAs = fourOctetAs ? record.u32() : record.u16();
    record.skip(fourOctetAs ? 4 : 2);
    record.skip(2);
    const size = record.u16() === 1 ? 4 : 16;
    const peer = formatIp(record.octets(size));
    record.skip(size);
    messages.push({ time, peer, peerAs, fourOctetAs, octets: record.rest() });
  }
  return messages;
}
