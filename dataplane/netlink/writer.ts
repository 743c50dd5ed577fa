/**
 * Writes netlink messages one after another into one growing buffer, so that many go to the kernel in one system call. Numbers are
 * in host order and everything is aligned to 4 octets, as netlink wants; addresses are octets and stay in network order.
 */
import { endianness } from 'node:os';
import { NLA_F_NESTED, NLMSG_HEADER } from './constants.js';

/** Whether host order is little-endian. */
export const LITTLE = endianness() === 'LE';

const text = new TextEncoder();

export class MessageWriter {
  private bytes: Uint8Array;
  private view: DataView;
  private position = 0;
  private messageStart = 0;

  constructor(capacity = 16_384) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  get length(): number {
    return this.position;
  }

  /** All messages so far, as a view that the next write may invalidate. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.position);
  }

  reset(): void {
    this.position = 0;
  }

  /** Takes the message begun last back. */
  discard(): void {
    this.position = this.messageStart;
  }

  private grow(count: number): number {
    const at = this.position;
    const needed = at + count;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, at));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.position = needed;
    return at;
  }

  /** Starts a message (nlmsghdr); its length is filled in by `end`. */
  begin(type: number, flags: number, sequence: number): this {
    this.messageStart = this.position;
    return this.u32(0).u16(type).u16(flags).u32(sequence).u32(0);
  }

  end(): void {
    this.view.setUint32(this.messageStart, this.position - this.messageStart, LITTLE);
    this.align();
  }

  /** Octets of the payload written since `begin`. */
  get payloadLength(): number {
    return this.position - this.messageStart - NLMSG_HEADER;
  }

  u8(value: number): this {
    const at = this.grow(1);
    this.bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, value, LITTLE);
    return this;
  }

  /** In network order, as the few fields that hold protocol data. */
  u16Network(value: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.grow(4);
    this.view.setUint32(at, value, LITTLE);
    return this;
  }

  octets(bytes: Uint8Array): this {
    const at = this.grow(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  zeros(count: number): this {
    const at = this.grow(count);
    this.bytes.fill(0, at, at + count);
    return this;
  }

  align(): this {
    return this.zeros(-this.position & 3);
  }

  attribute(type: number, bytes: Uint8Array): this {
    return this.u16(bytes.length + 4).u16(type).octets(bytes).align();
  }

  attributeU8(type: number, value: number): this {
    return this.u16(5).u16(type).u8(value).zeros(3);
  }

  attributeU16(type: number, value: number): this {
    return this.u16(6).u16(type).u16(value).zeros(2);
  }

  attributeU32(type: number, value: number): this {
    return this.u16(8).u16(type).u32(value);
  }

  /** A string with its closing zero octet. */
  attributeText(type: number, value: string): this {
    const bytes = text.encode(value);
    return this.u16(bytes.length + 5).u16(type).octets(bytes).u8(0).align();
  }

  /** Opens an attribute whose length is known only later; give the returned mark to `close`. */
  open(type: number): number {
    const mark = this.position;
    this.u16(0).u16(type);
    return mark;
  }

  openNested(type: number): number {
    return this.open(type | NLA_F_NESTED);
  }

  close(mark: number): this {
    this.view.setUint16(mark, this.position - mark, LITTLE);
    return this.align();
  }
}
