/**
 * One segment of an octet table (octet-table.ts): open addressing, linear probing, deletion by shifting back (no tombstones). It grows all at once, which
 * takes as long as it has entries.
 */
const MAX_LOAD = 0.8;

export class OctetSegment {
  private words: Uint32Array;
  /** Hash of the key with its lowest bit set; 0: empty slot. */
  private hashes: Uint32Array;
  private values: Uint32Array;
  /** Times are ticks of the table. */
  private created: Uint32Array;
  private expiries: Uint32Array;
  private count = 0;

  /** `capacity`: slots at first. `skip`: this many of the highest bits of a hash are the same in all entries. */
  constructor(
    private readonly wordsPerKey: number,
    private capacity: number,
    private readonly skip: number,
  ) {
    this.words = new Uint32Array(capacity * wordsPerKey);
    this.hashes = new Uint32Array(capacity);
    this.values = new Uint32Array(capacity);
    this.created = new Uint32Array(capacity);
    this.expiries = new Uint32Array(capacity);
  }

  get size(): number {
    return this.count;
  }

  /** Slots, of which some are empty. */
  get slots(): number {
    return this.capacity;
  }

  isEmpty(slot: number): boolean {
    return this.hashes[slot] === 0;
  }

  /** Slot of a key, -1 when it is not there. A slot is good until the next insert or remove. */
  find(key: Uint32Array, hash: number): number {
    const wanted = (hash | 1) >>> 0;
    for (let slot = this.home(wanted); ; ) {
      const found = this.hashes[slot]!;
      if (found === 0) return -1;
      if (found === wanted && this.matches(slot, key)) return slot;
      if (++slot === this.capacity) slot = 0;
    }
  }

  /** Adds a key, which must not be there. Returns its slot. */
  insert(key: Uint32Array, hash: number, value: number, created: number, expiry: number): number {
    if (this.count + 1 > this.capacity * MAX_LOAD) this.grow();
    const slot = this.place((hash | 1) >>> 0);
    this.words.set(key, slot * this.wordsPerKey);
    this.hashes[slot] = (hash | 1) >>> 0;
    this.values[slot] = value;
    this.created[slot] = created;
    this.expiries[slot] = expiry;
    this.count++;
    return slot;
  }

  value(slot: number): number {
    return this.values[slot]!;
  }

  setValue(slot: number, value: number): void {
    this.values[slot] = value;
  }

  createdAt(slot: number): number {
    return this.created[slot]!;
  }

  expiry(slot: number): number {
    return this.expiries[slot]!;
  }

  setExpiry(slot: number, expiry: number): void {
    this.expiries[slot] = expiry;
  }

  word(slot: number, word: number): number {
    return this.words[slot * this.wordsPerKey + word]!;
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

  private home(hash: number): number {
    return Math.floor((((hash << this.skip) >>> 0) / 0x1_0000_0000) * this.capacity);
  }

  private matches(slot: number, key: Uint32Array): boolean {
    const at = slot * this.wordsPerKey;
    for (let word = 0; word < this.wordsPerKey; word++) if (this.words[at + word] !== key[word]) return false;
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
