/** Decoded protobuf messages as the plain values of `daemon/northbound/facade.ts`. */
import protobuf from 'protobufjs/minimal.js';

/** Every field of the message in the order of its definition: absent optional ones undefined, 64-bit numbers as bigint. */
export function toValues(message: object): object {
  return values(message) as object;
}

function values(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (typeof value !== 'object') return value;
  if (value instanceof protobuf.util.Long) {
    const { low, high, unsigned } = value;
    const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    return unsigned ? bits : BigInt.asIntN(64, bits);
  }
  if (Array.isArray(value)) return value.map(values);
  const fields: Record<string, unknown> = {};
  const prototype = Object.getPrototypeOf(value) as object;
  // Generated classes hold the default of every field on their prototype, in the order of the definition; a map is a bare object.
  for (const field in prototype === Object.prototype ? value : prototype) {
    const content = (value as Record<string, unknown>)[field];
    if (typeof content !== 'function' && !field.startsWith('$')) fields[field] = values(content);
  }
  return fields;
}
