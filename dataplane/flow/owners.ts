/** Owners of policy blocks in their pinned map: what a restarted daemon adopts. */
import { FLOW_SPACES, type PolicyBlockOwner } from '../dataplane.js';
import {
  OWNER_EXIT,
  OWNER_EXIT_LENGTH,
  OWNER_INSTANCE,
  OWNER_SERVICE,
  OWNER_SERVICE_LENGTH,
  OWNER_SPACE,
  OWNER_VALUE_LENGTH,
} from './layout.js';
import type { BpfMap } from './maps.js';

function writeText(value: Uint8Array, at: number, length: number, text: string): void {
  const octets = Buffer.from(text);
  if (octets.length >= length) throw new RangeError(`"${text}" is longer than ${length - 1} octets`);
  value.set(octets, at);
}

function readText(value: Uint8Array, at: number, length: number): string {
  const octets = value.subarray(at, at + length);
  const end = octets.indexOf(0);
  return Buffer.from(octets.subarray(0, end < 0 ? length : end)).toString();
}

/** Writes or removes the owner of a block. Throws RangeError when a name is too long for the map. */
export function writeOwner(map: BpfMap, block: number, owner: PolicyBlockOwner | undefined): void {
  const key = new Uint8Array(Uint32Array.of(block).buffer);
  if (!owner) {
    map.delete(key);
    return;
  }
  const value = new Uint8Array(OWNER_VALUE_LENGTH);
  const view = new DataView(value.buffer);
  view.setUint32(OWNER_INSTANCE, owner.instance, true);
  view.setUint32(OWNER_SPACE, FLOW_SPACES.indexOf(owner.space ?? 'entry'), true);
  writeText(value, OWNER_SERVICE, OWNER_SERVICE_LENGTH, owner.service);
  writeText(value, OWNER_EXIT, OWNER_EXIT_LENGTH, owner.exit);
  map.update(key, value);
}

/** All owners in the map. */
export function readOwners(map: BpfMap): { block: number; owner: PolicyBlockOwner }[] {
  const chunk = 4096;
  const keys = new Uint8Array(chunk * 4);
  const values = new Uint8Array(chunk * OWNER_VALUE_LENGTH);
  const cursor = new Uint8Array(8);
  const found: { block: number; owner: PolicyBlockOwner }[] = [];
  for (let first = true, done = false; !done; first = false) {
    const batch = map.lookupBatch(cursor, first, keys, values, chunk);
    done = batch.done || batch.count === 0;
    const blocks = new Uint32Array(keys.buffer, 0, batch.count);
    for (let i = 0; i < batch.count; i++) {
      const value = values.subarray(i * OWNER_VALUE_LENGTH, (i + 1) * OWNER_VALUE_LENGTH);
      const view = new DataView(value.buffer, value.byteOffset);
      const space = FLOW_SPACES[view.getUint32(OWNER_SPACE, true)] ?? 'entry';
      found.push({
        block: blocks[i]!,
        owner: {
          service: readText(value, OWNER_SERVICE, OWNER_SERVICE_LENGTH),
          exit: readText(value, OWNER_EXIT, OWNER_EXIT_LENGTH),
          instance: view.getUint32(OWNER_INSTANCE, true),
          ...(space !== 'entry' && { space }),
        },
      });
    }
  }
  return found;
}
