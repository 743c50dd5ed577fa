/**
 * One bounded reader and one growing writer for all codecs. Numbers are big-endian unless the method says otherwise.
 *
 * A reader never reads past its end: a read that would makes `ok` false, returns zero (or an empty array) and every later read does
 * the same, so that a decoder checks once where the format lets it act instead of after every field. It never throws.
 */
export class Reader {
  /** False after the first read past the end. */
  ok = true;
  private position: number;

  constructor(
    readonly bytes: Uint8Array,
    start = 0,
    readonly end = bytes.length,
  ) {
    this.position = start;
  }

  /** Index of the next octet in `bytes`. */
  get offset(): number {
    return this.position;
  }

  /** Octets left before the end. */
  get remaining(): number {
    return this.end - this.position;
  }

  private take(count: number): number {
    if (!this.ok || count < 0 || count > this.end - this.position) {
      this.ok = false;
      return -1;
    }
    const at = this.position;
    this.position += count;
    return at;
  }

  // Octets are put together here rather than by a DataView: making one a reader costs more than it saves on fields this small.
  u8(): number {
    const at = this.take(1);
    return at < 0 ? 0 : this.bytes[at]!;
  }

  u16(): number {
    const at = this.take(2);
    return at < 0 ? 0 : (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  u24(): number {
    const at = this.take(3);
    return at < 0 ? 0 : (this.bytes[at]! << 16) | (this.bytes[at + 1]! << 8) | this.bytes[at + 2]!;
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  i32(): number {
    const at = this.take(4);
    return at < 0 ? 0 : (this.bytes[at]! << 24) | (this.bytes[at + 1]! << 16) | (this.bytes[at + 2]! << 8) | this.bytes[at + 3]!;
  }

  u64(): bigint {
    if (this.remaining < 8) this.ok = false;
    const high = this.u32();
    const low = this.u32();
    // Most 64-bit quantities fit 53 bits, for which one conversion is enough.
    return high < 0x200000 ? BigInt(high * 0x100000000 + low) : (BigInt(high) << 32n) | BigInt(low);
  }

  /** `count` octets as a view into the input (no copy). */
  octets(count: number): Uint8Array {
    const at = this.take(count);
    return at < 0 ? new Uint8Array(0) : this.bytes.subarray(at, at + count);
  }

  /** All octets left, as a view. */
  rest(): Uint8Array {
    return this.octets(this.remaining);
  }

  skip(count: number): void {
    this.take(count);
  }

  /** A reader over the next `count` octets, which this reader skips; not ok when they are not there. */
  slice(count: number): Reader {
    const at = this.take(count);
    if (at < 0) {
      const empty = new Reader(this.bytes, this.position, this.position);
      empty.ok = false;
      return empty;
    }
    return new Reader(this.bytes, at, at + count);
  }
}

/** Appends fields to a buffer that grows; `finish()` returns what was written. */
export class Writer {
  private buffer: Uint8Array;
  private view: DataView;
  private position = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Octets written so far. */
  get length(): number {
    return this.position;
  }

  private grow(count: number): number {
    const at = this.position;
    const needed = at + count;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    this.position = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.grow(1);
    this.view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, value);
    return this;
  }

  u24(value: number): this {
    return this.u8(value >>> 16).u16(value & 0xffff);
  }

  u32(value: number): this {
    const at = this.grow(4);
    this.view.setUint32(at, value);
    return this;
  }

  i32(value: number): this {
    const at = this.grow(4);
    this.view.setInt32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.grow(8);
    this.view.setBigUint64(at, value);
    return this;
  }

  octets(bytes: Uint8Array): this {
    const at = this.grow(bytes.length);
    this.buffer.set(bytes, at);
    return this;
  }

  /** The upper `count` octets (4 at most) of a 32-bit word. */
  upper(word: number, count: number): this {
    const at = this.grow(count);
    for (let i = 0; i < count; i++) this.buffer[at + i] = word >>> (24 - 8 * i);
    return this;
  }

  zeros(count: number): this {
    const at = this.grow(count);
    this.buffer.fill(0, at, at + count);
    return this;
  }

  /** Overwrites 8 bits written earlier. */
  setU8(at: number, value: number): void {
    this.view.setUint8(at, value);
  }

  /** Overwrites 16 bits written earlier, for lengths known only afterwards. */
  setU16(at: number, value: number): void {
    this.view.setUint16(at, value);
  }

  /** Takes back the last octets. */
  drop(count: number): void {
    this.position -= count;
  }

  /** Begins anew in the same memory: views of what was written before change. */
  clear(): this {
    this.position = 0;
    return this;
  }

  /** What was written so far, as a view that the next write may invalidate. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.position);
  }

  /** What was written, as a copy of its own. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.position);
  }
}
