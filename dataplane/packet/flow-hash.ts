/**
 * The hash of a flow: 32 bits over its key (5-tuple; 3-tuple where there are no ports, which are zero then). Its low 20 bits are the flow
 * label of the outer header (RFC 6438), 0 becomes 1. The daemon computes it once a flow and stores it beside the policy, so that both paths
 * send the same label.
 */
import { FLOW_KEY_LENGTH } from './flow-key.js';

/** Mixing of MurmurHash3 (x86, 32 bits) over ten big-endian words. */
export function flowHash(key: Uint8Array, offset = 0): number {
  let hash = 0;
  for (let i = offset; i < offset + FLOW_KEY_LENGTH; i += 4) {
    let word = (key[i]! << 24) | (key[i + 1]! << 16) | (key[i + 2]! << 8) | key[i + 3]!;
    word = Math.imul(word, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= FLOW_KEY_LENGTH;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Flow label of a flow hash: 20 bits, never 0. */
export const flowLabelOf = (hash: number): number => (hash & 0xfffff) || 1;
