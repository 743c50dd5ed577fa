/** Reads netlink attributes (nlattr). Never throws: what is malformed makes `ok` false, and the value absent. */
import { formatIp } from '../packet/ip.js';
import { NLA_TYPE_MASK } from './constants.js';
import { LITTLE } from './writer.js';

/** What a decoder returns: a value, or what is wrong with the octets. */
export type Decoded<T> = { readonly value: T; readonly fault?: undefined } | { readonly value?: undefined; readonly fault: string };

/** Host-order numbers; the caller has checked the bounds. */
export const readU16 = (bytes: Uint8Array, at: number): number => (LITTLE ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!);
export const readU32 = (bytes: Uint8Array, at: number): number =>
  (LITTLE ? readU16(bytes, at) | (readU16(bytes, at + 2) << 16) : (readU16(bytes, at) << 16) | readU16(bytes, at + 2)) >>> 0;
export const readI32 = (bytes: Uint8Array, at: number): number => readU32(bytes, at) | 0;

const text = new TextDecoder();

export class Attributes {
  /** False when the octets or an attribute that was read are malformed. */
  ok = true;
  private readonly values = new Map<number, Uint8Array>();

  constructor(bytes: Uint8Array, start = 0) {
    let at = start;
    while (at < bytes.length) {
      const length = bytes.length - at < 4 ? 0 : readU16(bytes, at);
      if (length < 4 || length > bytes.length - at) {
        this.ok = false;
        return;
      }
      this.values.set(readU16(bytes, at + 2) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length));
      at += (length + 3) & ~3;
    }
  }

  has(type: number): boolean {
    return this.values.has(type);
  }

  /** The attribute's octets, as a view. */
  octets(type: number): Uint8Array | undefined {
    return this.values.get(type);
  }

  private sized(type: number, size: number): Uint8Array | undefined {
    const value = this.values.get(type);
    if (value === undefined || value.length >= size) return value;
    this.ok = false;
    return undefined;
  }

  u8(type: number): number | undefined {
    return this.sized(type, 1)?.[0];
  }

  u16(type: number): number | undefined {
    const value = this.sized(type, 2);
    return value && readU16(value, 0);
  }

  u32(type: number): number | undefined {
    const value = this.sized(type, 4);
    return value && readU32(value, 0);
  }

  u64(type: number): bigint | undefined {
    const value = this.sized(type, 8);
    if (!value) return undefined;
    const first = BigInt(readU32(value, 0));
    const second = BigInt(readU32(value, 4));
    return LITTLE ? (second << 32n) | first : (first << 32n) | second;
  }

  /** Text up to its zero octet. */
  text(type: number): string | undefined {
    const value = this.values.get(type);
    if (!value) return undefined;
    const zero = value.indexOf(0);
    return text.decode(zero < 0 ? value : value.subarray(0, zero));
  }

  /** An address of 4 or 16 octets as canonical text. */
  address(type: number): string | undefined {
    const value = this.values.get(type);
    if (!value) return undefined;
    if (value.length === 4 || value.length === 16) return formatIp(value);
    this.ok = false;
    return undefined;
  }

  /** Attributes inside an attribute. */
  nested(type: number): Attributes | undefined {
    const value = this.values.get(type);
    if (!value) return undefined;
    const inner = new Attributes(value);
    if (!inner.ok) this.ok = false;
    return inner;
  }
}
