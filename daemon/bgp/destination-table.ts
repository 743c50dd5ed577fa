/**
 * A hash table by destination and path identifier, compared as octets: no text of a prefix is made to look one up. It is cut into segments
 * that grow one by one, so that no insertion waits for a large table to be moved.
 */
import type { Prefix } from '../../dataplane/packet/ip.js';
import type { Destination } from './wire/families.js';
import { VpnPrefix } from './wire/vpn-prefix.js';

/** What the table holds: it says itself where it stands. */
export interface Keyed {
  readonly prefix: Destination;
  /** RFC 7911; 0 where there is one path a destination. */
  readonly pathId: number;
}

const SEGMENT_BITS = 8;
const FIRST_CAPACITY = 8;

function hashPrefix({ word0, word1, word2, word3, length }: Prefix, seed: number): number {
  let hash = seed ^ Math.imul(length, 0x9e3779b1) ^ word0;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77) ^ word1;
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae3d) ^ word2;
  hash = Math.imul(hash ^ (hash >>> 15), 0x27d4eb2f) ^ word3;
  // The finisher of MurmurHash3: the segments take the upper bits, the slots the lower ones.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function hashOf(prefix: Destination, pathId: number): number {
  const seed = Math.imul(pathId, 0x85ebca77);
  if (!(prefix instanceof VpnPrefix)) return hashPrefix(prefix, seed);
  return hashPrefix(prefix.prefix, seed ^ Number(prefix.rd & 0xffff_ffffn) ^ Number((prefix.rd >> 32n) & 0xffff_ffffn));
}

/** Whether two destinations are one: the label of a VPN prefix is no part of it (RFC 8277 section 2.4). */
function equalDestinations(a: Destination, b: Destination): boolean {
  if (a === b) return true;
  if (a instanceof VpnPrefix) return b instanceof VpnPrefix && a.rd === b.rd && a.prefix.equals(b.prefix);
  return !(b instanceof VpnPrefix) && a.equals(b);
}

/** Open addressing with linear probing, filled to two thirds at most. */
class Segment<Item extends Keyed> {
  size = 0;
  slots: (Item | undefined)[] = new Array<Item | undefined>(FIRST_CAPACITY).fill(undefined);
  private hashes = new Int32Array(FIRST_CAPACITY);

  /** Where the item stands, or, when there is none, the free slot for it. */
  find(prefix: Destination, pathId: number, hash: number): number {
    const { slots, hashes } = this;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const item = slots[at];
      if (item === undefined) return at;
      if (hashes[at] === hash && item.pathId === pathId && equalDestinations(item.prefix, prefix)) return at;
    }
  }

  put(item: Item, hash: number): Item | undefined {
    const at = this.find(item.prefix, item.pathId, hash);
    const old = this.slots[at];
    this.slots[at] = item;
    this.hashes[at] = hash;
    if (old === undefined && ++this.size * 3 > this.slots.length * 2) this.grow();
    return old;
  }

  remove(at: number): void {
    const { slots, hashes } = this;
    const mask = slots.length - 1;
    this.size--;
    // What was pushed on past the slot moves back, so that no chain is broken.
    let hole = at;
    for (let next = (at + 1) & mask; slots[next] !== undefined; next = (next + 1) & mask) {
      const home = hashes[next]! & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      slots[hole] = slots[next];
      hashes[hole] = hashes[next]!;
      hole = next;
    }
    slots[hole] = undefined;
  }

  private grow(): void {
    const { slots, hashes } = this;
    const mask = slots.length * 2 - 1;
    this.slots = new Array<Item | undefined>(mask + 1).fill(undefined);
    this.hashes = new Int32Array(mask + 1);
    for (let i = 0; i < slots.length; i++) {
      if (slots[i] === undefined) continue;
      let at = hashes[i]! & mask;
      while (this.slots[at] !== undefined) at = (at + 1) & mask;
      this.slots[at] = slots[i];
      this.hashes[at] = hashes[i]!;
    }
  }
}

export class DestinationTable<Item extends Keyed> {
  private readonly segments: (Segment<Item> | undefined)[] = new Array<Segment<Item> | undefined>(1 << SEGMENT_BITS).fill(undefined);
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(prefix: Destination, pathId = 0): Item | undefined {
    const hash = hashOf(prefix, pathId);
    const segment = this.segments[hash >>> (32 - SEGMENT_BITS)];
    return segment?.slots[segment.find(prefix, pathId, hash)];
  }

  /** Adds an item, in place of the one with its key, which is returned. */
  put(item: Item): Item | undefined {
    const hash = hashOf(item.prefix, item.pathId);
    const index = hash >>> (32 - SEGMENT_BITS);
    const old = (this.segments[index] ??= new Segment<Item>()).put(item, hash);
    if (old === undefined) this.count++;
    return old;
  }

  /** Removes an item and returns it; undefined when there was none. */
  delete(prefix: Destination, pathId = 0): Item | undefined {
    const hash = hashOf(prefix, pathId);
    const index = hash >>> (32 - SEGMENT_BITS);
    const segment = this.segments[index];
    if (!segment) return undefined;
    const at = segment.find(prefix, pathId, hash);
    const item = segment.slots[at];
    if (item === undefined) return undefined;
    this.count--;
    segment.remove(at);
    if (segment.size === 0) this.segments[index] = undefined;
    return item;
  }

  /** All items as they are now, in no order that means anything. */
  values(): Item[] {
    const items: Item[] = [];
    for (const segment of this.segments) if (segment) for (const item of segment.slots) if (item !== undefined) items.push(item);
    return items;
  }
}
