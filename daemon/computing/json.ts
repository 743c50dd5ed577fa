/** CPN blocks as JSON: 64-bit numbers as strings, since JSON readers round them; codes by name, addresses as text. */
import {
  CATS_SOURCE_NAMES,
  CATS_STATISTIC_NAMES,
  CATS_TYPE_NAMES,
  CATS_UNIT_NAMES,
  CHIP_NAMES,
  COMPUTING_CLASS_NAMES,
  GRADE_NAMES,
  nameOf,
  STORAGE_ABILITY_NAMES,
  STORAGE_QUALITY_NAMES,
} from './names.js';
import type { CpnBlock, Instance } from './types.js';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Any value of plain data as JSON: bigint becomes a decimal string, undefined properties vanish, octets become hex. */
export function toJson(value: unknown): Json {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'object':
      break;
    default:
      return null;
  }
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  const result: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) result[key] = toJson(item);
  return result;
}

/** One instance with its codes by name. Properties that are absent on the wire are absent here. */
export function instanceToJson(instance: Instance): Json {
  return toJson({
    ...instance,
    computing: instance.computing.map((item) => ({ ...item, class: nameOf(COMPUTING_CLASS_NAMES, item.class), chip: nameOf(CHIP_NAMES, item.chip) })),
    storage: instance.storage.map((item) => ({
      ...item,
      ability: nameOf(STORAGE_ABILITY_NAMES, item.ability),
      quality: nameOf(STORAGE_QUALITY_NAMES, item.quality),
    })),
    cats: instance.cats.map((metric) => ({
      ...metric,
      type: nameOf(CATS_TYPE_NAMES, metric.type),
      source: nameOf(CATS_SOURCE_NAMES, metric.source),
      statistic: nameOf(CATS_STATISTIC_NAMES, metric.statistic),
      unit: nameOf(CATS_UNIT_NAMES, metric.unit),
    })),
    grade: instance.grade === undefined ? undefined : nameOf(GRADE_NAMES, instance.grade),
  });
}

/** A whole block, with its service and origin. */
export function blockToJson(block: CpnBlock): Json {
  return toJson({
    service: block.service?.toString(),
    origin: block.origin,
    instances: block.instances.map(instanceToJson),
  });
}
