/**
 * A hash table from keys of a fixed number of octets to small records, in typed arrays: a million entries are a few thousand objects to the garbage
 * collector. The highest bits of a hash choose one of up to 256 segments, which grow and are looked through one at a time: nothing takes as long as the whole
 * table would.
 *
 * The hash is MurmurHash3 (x86, 32 bit) with a seed of the caller: clients choose the keys, and must not be able to choose collisions.
 */
import { OctetSegment } from './octet-segment.js';

const MAX_SEGMENT_BITS = 8;
/** Entries a segment, where the number of segments allows it: about a millisecond to grow. */
const SEGMENT_ENTRIES = 8192;
const MIN_CAPACITY = 16;
/** Times are kept in units of 100 ms: 13 years in 32 bits. */
const TICK_MS = 100;

const toTicks = (ms: number): number => Math.min(0xffffffff, Math.max(0, Math.ceil(ms / TICK_MS)));

export class OctetTable {
  private readonly wordsPerKey: number;
  /** The key given last to load(). */
  private readonly key: Uint32Array;
  private readonly segments: readonly OctetSegment[];
  private readonly segmentBits: number;
  private count = 0;

  /** `keyLength`: octets, a multiple of 4. `maxEntries`: insert() refuses beyond. */
  constructor(
    readonly keyLength: number,
    readonly maxEntries: number,
    private readonly seed: number,
  ) {
    this.wordsPerKey = keyLength / 4;
    this.key = new Uint32Array(this.wordsPerKey);
    this.segmentBits = Math.min(MAX_SEGMENT_BITS, Math.max(0, Math.ceil(Math.log2(maxEntries / SEGMENT_ENTRIES))));
    const segments = 2 ** this.segmentBits;
    // Unequal at first, so that they do not all grow at the same time.
    const capacity = (index: number): number => Math.ceil(MIN_CAPACITY * 1.6 ** (2 + index / segments));
    this.segments = Array.from({ length: segments }, (_, index) => new OctetSegment(this.wordsPerKey, capacity(index), this.segmentBits));
  }

  get size(): number {
    return this.count;
  }

  /** Octets that the arrays take. */
  get octets(): number {
    return this.segments.reduce((sum, segment) => sum + segment.slots, 0) * (this.keyLength + 16);
  }

  /** Takes a key for the calls that follow and returns its hash, 32 bits. */
  load(bytes: Uint8Array, offset = 0): number {
    let hash = this.seed;
    for (let word = 0, i = offset; word < this.wordsPerKey; word++, i += 4) {
      const value = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      this.key[word] = value;
      let k = Math.imul(value, 0xcc9e2d51);
      k = (k << 15) | (k >>> 17);
      hash ^= Math.imul(k, 0x1b873593);
      hash = (hash << 13) | (hash >>> 19);
      hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
    }
    hash ^= this.keyLength;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  /** Slot of the loaded key, -1 when it is not there. A slot is good until the next insert or remove. */
  find(hash: number): number {
    const index = this.segmentOf(hash);
    const slot = this.segments[index]!.find(this.key, hash);
    return slot < 0 ? -1 : this.slotOf(index, slot);
  }

  /** Adds the loaded key, which must not be there. Times in ms. Returns its slot, -1 when the table is full. */
  insert(hash: number, value: number, nowMs: number, expiryMs: number): number {
    if (this.count >= this.maxEntries) return -1;
    const index = this.segmentOf(hash);
    const slot = this.segments[index]!.insert(this.key, hash, value, toTicks(nowMs), toTicks(expiryMs));
    this.count++;
    return this.slotOf(index, slot);
  }

  value(slot: number): number {
    return this.segmentAt(slot).value(slot >>> this.segmentBits);
  }

  setValue(slot: number, value: number): void {
    this.segmentAt(slot).setValue(slot >>> this.segmentBits, value);
  }

  createdMs(slot: number): number {
    return this.segmentAt(slot).createdAt(slot >>> this.segmentBits) * TICK_MS;
  }

  expiryMs(slot: number): number {
    return this.segmentAt(slot).expiry(slot >>> this.segmentBits) * TICK_MS;
  }

  setExpiry(slot: number, ms: number): void {
    this.segmentAt(slot).setExpiry(slot >>> this.segmentBits, toTicks(ms));
  }

  remove(slot: number): void {
    this.segmentAt(slot).remove(slot >>> this.segmentBits);
    this.count--;
  }

  /**
   * Removes entries for which `gone` answers true; it gets the slot. One segment each time that the next is asked for, which gives how many went; entries may
   * come and go in between.
   */
  *removeWhere(gone: (slot: number) => boolean): Generator<number, void> {
    for (let index = 0; index < this.segments.length; index++) {
      const segment = this.segments[index]!;
      const before = segment.size;
      // A removal shifts later entries back into its slot; those that wrap around the end are seen again, which does no harm.
      for (let slot = 0; slot < segment.slots; ) {
        if (!segment.isEmpty(slot) && gone(this.slotOf(index, slot))) segment.remove(slot);
        else slot++;
      }
      this.count -= before - segment.size;
      yield before - segment.size;
    }
  }

  /** Copies the key of a slot. */
  keyAt(slot: number): Uint8Array {
    const bytes = new Uint8Array(this.keyLength);
    for (let word = 0; word < this.wordsPerKey; word++) {
      const value = this.segmentAt(slot).word(slot >>> this.segmentBits, word);
      bytes[4 * word] = value;
      bytes[4 * word + 1] = value >>> 8;
      bytes[4 * word + 2] = value >>> 16;
      bytes[4 * word + 3] = value >>> 24;
    }
    return bytes;
  }

  // A slot of the table is the slot in the segment, then the index of the segment in its lowest bits.

  private slotOf(index: number, slot: number): number {
    return slot * this.segments.length + index;
  }

  private segmentAt(slot: number): OctetSegment {
    return this.segments[slot & (this.segments.length - 1)]!;
  }

  private segmentOf(hash: number): number {
    return this.segmentBits === 0 ? 0 : hash >>> (32 - this.segmentBits);
  }
}
