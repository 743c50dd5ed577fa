/**
 * Fields of fixed length as values that both read and write: a structure is declared once and serves both directions, and its
 * TypeScript type is the declaration's. Decoders ask `impossible` about what they read and turn the answer into an event; encoders
 * ask `problem` about what they are given and throw it as a RangeError, since a sender that holds such a value made a mistake.
 */
import type { Reader, Writer } from '../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../dataplane/packet/ip.js';

export interface Field<T> {
  /** Octets, always the same. */
  readonly length: number;
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
  /** What is impossible about a value that the octets can hold. Absent where they hold no such value. */
  readonly impossible?: ((value: T) => string | undefined) | undefined;
  /** Why the value cannot be written, impossible ones included; undefined when it can. */
  problem(value: T): string | undefined;
}

function unsigned(length: number, read: (reader: Reader) => number, write: (writer: Writer, value: number) => void): Field<number> {
  const limit = 2 ** (8 * length);
  return {
    length,
    read,
    write,
    problem: (value) => (Number.isInteger(value) && value >= 0 && value < limit ? undefined : `${value} does not fit ${8 * length} bits`),
  };
}

export const u8 = unsigned(1, (reader) => reader.u8(), (writer, value) => writer.u8(value));
export const u16 = unsigned(2, (reader) => reader.u16(), (writer, value) => writer.u16(value));
export const u32 = unsigned(4, (reader) => reader.u32(), (writer, value) => writer.u32(value));

export const u64: Field<bigint> = {
  length: 8,
  read: (reader) => reader.u64(),
  write: (writer, value) => writer.u64(value),
  problem: (value) => (value >= 0n && value < 1n << 64n ? undefined : `${value.toString()} does not fit 64 bits`),
};

/** A field whose every value can be written unless it is impossible. */
function possible<T>(field: Omit<Field<T>, 'problem'> & { impossible(value: T): string | undefined }): Field<T> {
  return { ...field, problem: (value) => field.impossible(value) };
}

/** An IPv6 address as canonical text. */
export const ipv6: Field<string> = {
  length: 16,
  read: (reader) => {
    const octets = reader.octets(16);
    return octets.length === 16 ? formatIp(octets) : '::';
  },
  write: (writer, value) => writer.octets(parseIp(value)!),
  problem: (value) => (parseIp(value)?.length === 16 ? undefined : `${value} is not an IPv6 address`),
};

/** Degrees as a signed number of 1e-7 degree, within plus or minus `limit` degrees. */
export function degrees(limit: number): Field<number> {
  return possible({
    length: 4,
    read: (reader) => reader.i32() / 1e7,
    write: (writer, value) => writer.i32(Math.round(value * 1e7)),
    impossible: (value) => (value >= -limit && value <= limit ? undefined : `${value} degrees is out of range`),
  });
}

/** `count` letters as text. */
export function letters(count: number): Field<string> {
  const pattern = new RegExp(`^[A-Za-z]{${count}}$`);
  return possible({
    length: count,
    read: (reader) => String.fromCharCode(...reader.octets(count)),
    write: (writer, value) => {
      for (let i = 0; i < count; i++) writer.u8(value.charCodeAt(i));
    },
    impossible: (value) => (pattern.test(value) ? undefined : `${JSON.stringify(value)} is not ${count} letters`),
  });
}

/** The field with `reserved` octets after it: sent as zero, ignored on receipt. */
export function followedBy<T>(field: Field<T>, reserved: number): Field<T> {
  return {
    length: field.length + reserved,
    read: (reader) => {
      const value = field.read(reader);
      reader.skip(reserved);
      return value;
    },
    write: (writer, value) => {
      field.write(writer, value);
      writer.zeros(reserved);
    },
    impossible: field.impossible,
    problem: (value) => field.problem(value),
  };
}

/** The field with a further limit on its values. */
export function limited<T>(field: Field<T>, impossible: (value: T) => string | undefined): Field<T> {
  return {
    ...field,
    impossible: (value) => field.impossible?.(value) ?? impossible(value),
    problem: (value) => field.problem(value) ?? impossible(value),
  };
}

/** An 8-bit code of which only the given values are possible. */
export function oneOf<const C extends number>(...codes: readonly C[]): Field<C> {
  const known = new Set<number>(codes);
  return possible({
    length: 1,
    read: (reader) => reader.u8() as C,
    write: (writer, value) => writer.u8(value),
    impossible: (value) => (known.has(value) ? undefined : `${value} is not one of ${codes.join(', ')}`),
  });
}

/** Named fields one after another. Every property of T must be given, in wire order. */
export function struct<T extends object>(fields: { readonly [K in keyof T]-?: Field<T[K]> }): Field<T> {
  const entries = Object.entries(fields) as [keyof T & string, Field<unknown>][];
  const judged = entries.filter(([, field]) => field.impossible);
  return {
    length: entries.reduce((sum, [, field]) => sum + field.length, 0),
    read: (reader) => {
      const value: Partial<Record<keyof T, unknown>> = {};
      for (const [name, field] of entries) value[name] = field.read(reader);
      return value as T;
    },
    write: (writer, value) => {
      for (const [name, field] of entries) field.write(writer, value[name]);
    },
    impossible:
      judged.length === 0
        ? undefined
        : (value) => {
            for (const [name, field] of judged) {
              const problem = field.impossible?.(value[name]);
              if (problem !== undefined) return `${name}: ${problem}`;
            }
            return undefined;
          },
    problem: (value) => {
      for (const [name, field] of entries) {
        const problem = field.problem(value[name]);
        if (problem !== undefined) return `${name}: ${problem}`;
      }
      return undefined;
    },
  };
}

/** A field whose wire form W differs from its value T. */
export function mapped<W, T>(field: Field<W>, fromWire: (wire: W) => T, toWire: (value: T) => W): Field<T> {
  return {
    length: field.length,
    read: (reader) => fromWire(field.read(reader)),
    write: (writer, value) => field.write(writer, toWire(value)),
    impossible: field.impossible && ((value) => field.impossible?.(toWire(value))),
    problem: (value) => field.problem(toWire(value)),
  };
}

