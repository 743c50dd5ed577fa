/** The sub-TLVs of an Instance: each declared once, for reading, writing and sizing (proto/WIRE.md section 1). */
import { Reader, type Writer } from '../../dataplane/packet/cursor.js';
import { degrees, type Field, followedBy, ipv6, letters, limited, mapped, oneOf, struct, u16, u32, u64, u8 } from './field.js';
import { tlvSize, writeTlv } from './tlv.js';
import type { CatsMetric, Computing, Instance, Load, ServiceDelay, SidInfo, Storage } from './types.js';

export type InstanceDraft = { -readonly [K in keyof Instance]: Instance[K] };

export interface SubTlv {
  readonly type: number;
  readonly name: string;
  /** Puts the value in bytes[start, end) into the draft, unless an earlier one counts; returns what is impossible about it. */
  decode(bytes: Uint8Array, start: number, end: number, draft: InstanceDraft): string | undefined;
  /** Writes the whole TLV, or several, or none. Throws RangeError for impossible values. */
  encode(writer: Writer, instance: Instance): void;
  /** Octets that `encode` writes. */
  size(instance: Instance): number;
}

function readExactly<T>(field: Field<T>, bytes: Uint8Array, start: number, end: number): { value: T } | { problem: string } {
  if (end - start !== field.length) return { problem: `length ${end - start}, not ${field.length}` };
  const value = field.read(new Reader(bytes, start, end));
  const problem = field.impossible?.(value);
  return problem === undefined ? { value } : { problem };
}

function write<T>(writer: Writer, type: number, name: string, field: Field<T>, value: T): void {
  const problem = field.problem(value);
  if (problem !== undefined) throw new RangeError(`${name}: ${problem}`);
  writeTlv(writer, type, (inner) => field.write(inner, value));
}

type Single = 'sid' | 'load' | 'serviceDelay' | 'interface' | 'location' | 'energy' | 'price' | 'grade' | 'address';

/** A sub-TLV of which the first counts. */
function single<K extends Single>(type: number, name: string, key: K, field: Field<NonNullable<Instance[K]>>): SubTlv {
  return {
    type,
    name,
    decode(bytes, start, end, draft) {
      const result = readExactly(field, bytes, start, end);
      if ('problem' in result) return result.problem;
      draft[key] ??= result.value;
      return undefined;
    },
    encode(writer, instance) {
      const value = instance[key];
      if (value !== undefined) write(writer, type, name, field, value as NonNullable<Instance[K]>);
    },
    size: (instance) => (instance[key] === undefined ? 0 : tlvSize(field.length)),
  };
}

interface Repeated {
  computing: Computing;
  storage: Storage;
  cats: CatsMetric;
}

/** A sub-TLV that repeats; of those that `same` holds for, the first counts. */
function repeated<K extends keyof Repeated>(
  type: number,
  name: string,
  key: K,
  field: Field<Repeated[K]>,
  same: (a: Repeated[K], b: Repeated[K]) => boolean = () => false,
): SubTlv {
  const valuesOf = (instance: Instance): readonly Repeated[K][] => instance[key] as readonly unknown[] as readonly Repeated[K][];
  return {
    type,
    name,
    decode(bytes, start, end, draft) {
      const result = readExactly(field, bytes, start, end);
      if ('problem' in result) return result.problem;
      const values = valuesOf(draft);
      if (!values.some((value) => same(value, result.value))) draft[key] = [...values, result.value] as readonly unknown[] as InstanceDraft[K];
      return undefined;
    },
    encode(writer, instance) {
      for (const value of valuesOf(instance)) write(writer, type, name, field, value);
    },
    size: (instance) => valuesOf(instance).length * tlvSize(field.length),
  };
}

const sid: Field<SidInfo> = limited(
  struct<SidInfo>({
    sid: ipv6,
    behaviour: followedBy(u16, 2),
    structure: struct<SidInfo['structure']>({ block: u8, node: u8, function: u8, argument: u8 }),
  }),
  ({ structure }) => {
    const bits = structure.block + structure.node + structure.function + structure.argument;
    return bits > 128 ? `structure of ${bits} bits` : undefined;
  },
);

const computing = struct<Computing>({ class: oneOf(1, 2, 3), chip: followedBy(u8, 2), total: u64, residual: u64 });

const load = struct<Load>({
  utilisation: followedBy(limited(u16, (value) => (value > 10_000 ? `${value} hundredths of a percent` : undefined)), 2),
  queueLength: u32,
  activeFlows: u32,
});

const serviceDelay = struct<ServiceDelay>({ meanUs: u32, p99Us: u32, serviceRate: u32 });

const storage = struct<Storage>({ ability: oneOf(1, 2, 3), quality: followedBy(u8, 2), total: u64, residual: u64, readRate: u64, writeRate: u64 });

/** Level in the upper nibble, format in the lower. Only the values of format 0 (unsigned integer) can be judged. */
interface CatsWire extends Omit<CatsMetric, 'level' | 'format'> {
  readonly levelAndFormat: number;
}

const cats: Field<CatsMetric> = limited(
  mapped(
    struct<CatsWire>({ type: u16, levelAndFormat: u8, source: u8, statistic: u8, unit: followedBy(u8, 2), windowMs: u32, value: u64 }),
    ({ levelAndFormat, ...rest }): CatsMetric => ({ ...rest, level: levelAndFormat >> 4, format: levelAndFormat & 0xf }),
    // Out-of-range nibbles give a number that no octet holds, so that the octet's own check refuses them.
    ({ level, format, ...rest }) => ({ ...rest, levelAndFormat: format >= 0 && format <= 0xf ? level * 16 + format : -1 }),
  ),
  ({ level, format, value }) => ((level === 1 || level === 2) && format === 0 && value > 10n ? `level ${level} value ${value.toString()} exceeds 10` : undefined),
);

/** Sub-TLV 10: a list of 16-bit algorithm IDs in one value. */
const algorithms: SubTlv = {
  type: 10,
  name: 'Algorithms',
  decode(bytes, start, end, draft) {
    if ((end - start) % 2 !== 0) return `length ${end - start} is odd`;
    if (draft.algorithms.length > 0) return undefined;
    const reader = new Reader(bytes, start, end);
    const ids: number[] = [];
    while (reader.remaining > 0) ids.push(reader.u16());
    draft.algorithms = ids;
    return undefined;
  },
  encode(writer, instance) {
    for (const id of instance.algorithms) {
      const problem = u16.problem(id);
      if (problem !== undefined) throw new RangeError(`Algorithms: ${problem}`);
    }
    if (instance.algorithms.length > 0) {
      writeTlv(writer, 10, (inner) => {
        for (const id of instance.algorithms) inner.u16(id);
      });
    }
  },
  size: (instance) => (instance.algorithms.length === 0 ? 0 : tlvSize(2 * instance.algorithms.length)),
};

/** All known sub-TLVs, in the order they are written. */
export const SUB_TLVS: readonly SubTlv[] = [
  single(1, 'SRv6 SID', 'sid', sid),
  repeated(2, 'Computing', 'computing', computing, (a, b) => a.class === b.class && a.chip === b.chip),
  single(3, 'Load', 'load', load),
  single(4, 'Service delay', 'serviceDelay', serviceDelay),
  repeated(5, 'Storage', 'storage', storage),
  single(6, 'Interface', 'interface', struct<NonNullable<Instance['interface']>>({ capacity: u64, available: u64 })),
  single(7, 'Location', 'location', struct<NonNullable<Instance['location']>>({ latitude: degrees(90), longitude: degrees(180) })),
  single(8, 'Energy', 'energy', struct<NonNullable<Instance['energy']>>({ idleMw: u32, fullMw: u32 })),
  single(9, 'Price', 'price', struct<NonNullable<Instance['price']>>({ microUnits: u64, currency: followedBy(letters(3), 1) })),
  algorithms,
  repeated(11, 'CATS metric', 'cats', cats),
  single(12, 'Grade', 'grade', followedBy(oneOf(1, 2, 3, 4), 3)),
  single(13, 'Instance address', 'address', ipv6),
];

export const SUB_TLV_BY_TYPE: ReadonlyMap<number, SubTlv> = new Map(SUB_TLVS.map((subTlv) => [subTlv.type, subTlv]));
