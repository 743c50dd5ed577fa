/**
 * A hash table from keys of a fixed number of octets to small records, in typed arrays: a million entries are a handful of objects
 * to the garbage collector. Open addressing, linear probing, deletion by shifting back (no tombstones).
 *
 * The hash is MurmurHash3 (x86, 32 bit) with a seed of the caller: clients choose the keys, and must not be able to choose collisions.
 */
const MAX_LOAD = 0.8;
const MIN_CAPACITY = 64;
/** Times are kept in units of 100 ms: 13 years in 32 bits. */
const TICK_MS = 100;

const toTicks = (ms: number): number => Math.min(0xffffffff, Math.max(0, Math.ceil(ms / TICK_MS)));

export class OctetTable {
  private readonly wordsPerKey: number;
  /** The key given last to load(). */
  private readonly key: Uint32Array;
  private capacity: number;
  private words: Uint32Array;
  /** Hash of the key with its lowest bit set; 0: empty slot. */
  private hashes: Uint32Array;
  private values: Uint32Array;
  private created: Uint32Array;
  private expiries: Uint32Array;
  private count = 0;

  /** `keyLength`: octets, a multiple of 4. `maxEntries`: insert() refuses beyond. */
  constructor(
    readonly keyLength: number,
    readonly maxEntries: number,
    private readonly seed: number,
  ) {
    this.wordsPerKey = keyLength / 4;
    this.key = new Uint32Array(this.wordsPerKey);
    this.capacity = MIN_CAPACITY;
    this.words = new Uint32Array(this.capacity * this.wordsPerKey);
    this.hashes = new Uint32Array(this.capacity);
    this.values = new Uint32Array(this.capacity);
    this.created = new Uint32Array(this.capacity);
    this.expiries = new Uint32Array(this.capacity);
  }

  get size(): number {
    return this.count;
  }

  /** Octets that the arrays take. */
  get octets(): number {
    return this.capacity * (this.keyLength + 16);
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
    const wanted = (hash | 1) >>> 0;
    for (let slot = this.home(wanted); ; ) {
      const found = this.hashes[slot]!;
      if (found === 0) return -1;
      if (found === wanted && this.matches(slot)) return slot;
      if (++slot === this.capacity) slot = 0;
    }
  }

  /** Adds the loaded key, which must not be there. Times in ms. Returns its slot, -1 when the table is full. */
  insert(hash: number, value: number, nowMs: number, expiryMs: number): number {
    if (this.count >= this.maxEntries) return -1;
    if (this.count + 1 > this.capacity * MAX_LOAD) this.grow();
    const slot = this.place((hash | 1) >>> 0);
    this.words.set(this.key, slot * this.wordsPerKey);
    this.hashes[slot] = (hash | 1) >>> 0;
    this.values[slot] = value;
    this.created[slot] = toTicks(nowMs);
    this.expiries[slot] = toTicks(expiryMs);
    this.count++;
    return slot;
  }

  value(slot: number): number {
    return this.values[slot]!;
  }

  setValue(slot: number, value: number): void {
    this.values[slot] = value;
  }

  createdMs(slot: number): number {
    return this.created[slot]! * TICK_MS;
  }

  expiryMs(slot: number): number {
    return this.expiries[slot]! * TICK_MS;
  }

  setExpiry(slot: number, ms: number): void {
    this.expiries[slot] = toTicks(ms);
  }

  remove(slot: number): void {
    let hole = slot;
    for (let next = slot; ; ) {
      if (++next === this.capacity) next = 0;
      const hash = this.hashes[next]!;
      if (hash === 0) break;
      const home = this.home(hash);
      // An entry stays where it is while its home lies in (hole, next], seen around the end of the table.
      const stays = hole <= next ? home > hole && home <= next : home > hole || home <= next;
      if (stays) continue;
      this.move(next, hole);
      hole = next;
    }
    this.hashes[hole] = 0;
    this.count--;
  }

  /** Removes entries for which `gone` answers true; it gets the slot. Returns how many. */
  removeWhere(gone: (slot: number) => boolean): number {
    const before = this.count;
    // A removal shifts later entries back into its slot; those that wrap around the end are seen again, which does no harm.
    for (let slot = 0; slot < this.capacity; ) {
      if (this.hashes[slot] !== 0 && gone(slot)) this.remove(slot);
      else slot++;
    }
    return before - this.count;
  }

  /** Whether some entry expires at or before this time. */
  hasExpired(nowMs: number): boolean {
    const now = Math.floor(nowMs / TICK_MS);
    for (let slot = 0; slot < this.capacity; slot++) if (this.hashes[slot] !== 0 && this.expiries[slot]! <= now) return true;
    return false;
  }

  /** Copies the key of a slot. */
  keyAt(slot: number): Uint8Array {
    const bytes = new Uint8Array(this.keyLength);
    for (let word = 0; word < this.wordsPerKey; word++) {
      const value = this.words[slot * this.wordsPerKey + word]!;
      bytes[4 * word] = value;
      bytes[4 * word + 1] = value >>> 8;
      bytes[4 * word + 2] = value >>> 16;
      bytes[4 * word + 3] = value >>> 24;
    }
    return bytes;
  }

  private home(hash: number): number {
    return Math.floor((hash / 0x1_0000_0000) * this.capacity);
  }

  private matches(slot: number): boolean {
    const at = slot * this.wordsPerKey;
    for (let word = 0; word < this.wordsPerKey; word++) if (this.words[at + word] !== this.key[word]) return false;
    return true;
  }

  private place(hash: number): number {
    let slot = this.home(hash);
    while (this.hashes[slot] !== 0) if (++slot === this.capacity) slot = 0;
    return slot;
  }

  private move(from: number, to: number): void {
    this.words.copyWithin(to * this.wordsPerKey, from * this.wordsPerKey, (from + 1) * this.wordsPerKey);
    this.hashes[to] = this.hashes[from]!;
    this.values[to] = this.values[from]!;
    this.created[to] = this.created[from]!;
    this.expiries[to] = this.expiries[from]!;
  }

  private grow(): void {
    const { words, hashes, values, created, expiries, capacity } = this;
    this.capacity = Math.ceil(capacity * 1.6);
    this.words = new Uint32Array(this.capacity * this.wordsPerKey);
    this.hashes = new Uint32Array(this.capacity);
    this.values = new Uint32Array(this.capacity);
    this.created = new Uint32Array(this.capacity);
    this.expiries = new Uint32Array(this.capacity);
    for (let slot = 0; slot < capacity; slot++) {
      const hash = hashes[slot]!;
      if (hash === 0) continue;
      const to = this.place(hash);
      for (let word = 0; word < this.wordsPerKey; word++) this.words[to * this.wordsPerKey + word] = words[slot * this.wordsPerKey + word]!;
      this.hashes[to] = hash;
      this.values[to] = values[slot]!;
      this.created[to] = created[slot]!;
      this.expiries[to] = expiries[slot]!;
    }
  }
}
