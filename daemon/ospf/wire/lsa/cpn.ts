/** CPN LSA (proto/WIRE.md section 3): its body is one CPN block. A block that is not ours, or badly framed, is told by `block.kind`. */
import type { Reader } from '../../../../dataplane/packet/cursor.js';
import { decodeCpnBlock, encodeCpnBlock } from '../../../computing/block.js';
import type { CpnBlock } from '../../../computing/types.js';
import type { CpnLsa } from '../types.js';

export const decodeCpnBody = (reader: Reader): CpnLsa => ({ kind: 'cpn', block: decodeCpnBlock(reader.rest()) });

/** Throws RangeError as `encodeCpnBlock` does. */
export const encodeCpnBody = (block: CpnBlock): Uint8Array => encodeCpnBlock(block);
