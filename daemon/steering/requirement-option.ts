/**
 * The requirement option: what a flow's first packet asks for, in an IPv6 Destination or Hop-by-Hop option (proto/WIRE.md section 4;
 * survey section 4.1). Here is the option's data, after its type and length octets.
 */
import { type Field, oneOf, struct, u16, u32, u64, u8 } from '../computing/field.js';
import type { ComputingClass } from '../computing/types.js';
import { Reader, Writer } from '../../dataplane/packet/cursor.js';

const MAGIC = 0x4350; // "CP"
const VERSION = 1;
const HEADER_LENGTH = 4;
const SPLIT_FLAG = 0x80;

/** How long a flow keeps its instance: never (0), this flow (1), all flows of this client (2). */
export interface Stickiness {
  readonly mode: 0 | 1 | 2;
  readonly seconds: number;
}

/** Relative weights of what the client wants least of; all zero: no preference. */
export interface ObjectiveWeights {
  readonly latency: number;
  readonly energy: number;
  readonly utilisation: number;
  readonly price: number;
}

/** What a client asks for. A requirement that is undefined was not stated. */
export interface Requirements {
  /** The task may be split over several instances. */
  readonly splittable: boolean;
  /** Longest acceptable round trip with processing, us. */
  readonly latencyUs: number | undefined;
  /** Residual computing power of a class, operations per second. */
  readonly computing: { readonly class: ComputingClass; readonly minResidual: bigint } | undefined;
  /** W of the demand model, operations (survey Eq. (9)). */
  readonly workload: bigint | undefined;
  /** D of the demand model, octets. */
  readonly dataSize: bigint | undefined;
  readonly stickiness: Stickiness | undefined;
  readonly storage: { readonly ability: 1 | 2 | 3; readonly octets: bigint } | undefined;
  readonly network: { readonly minBandwidth: bigint; readonly maxPdvUs: number; readonly maxLossPpm: number } | undefined;
  readonly algorithm: number | undefined;
  /** APN-ID. */
  readonly application: number | undefined;
  readonly objective: ObjectiveWeights | undefined;
  /** 1 text, 2 voice, 3 image, 4 video, 5 structured, 6 model; others unknown. */
  readonly dataType: number | undefined;
  /** 0 none, 1 authenticated path, 2 encrypted path. */
  readonly security: 0 | 1 | 2 | undefined;
}

export const NO_REQUIREMENTS: Requirements = {
  splittable: false,
  latencyUs: undefined,
  computing: undefined,
  workload: undefined,
  dataSize: undefined,
  stickiness: undefined,
  storage: undefined,
  network: undefined,
  algorithm: undefined,
  application: undefined,
  objective: undefined,
  dataType: undefined,
  security: undefined,
};

export type RequirementOption =
  /** Another magic or version: not ours, ignored, uncounted. */
  | { readonly kind: 'foreign' }
  /** The packet is steered with the service's defaults, and counted. */
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'requirements'; readonly requirements: Requirements };

type Draft = { -readonly [K in keyof Requirements]: Requirements[K] };
type Key = Exclude<keyof Requirements, 'splittable'>;

interface Requirement {
  readonly type: number;
  readonly name: string;
  readonly length: number; // octets
  /** Puts the value into the draft unless an earlier one counts; returns what is impossible about it. */
  decode(reader: Reader, draft: Draft): string | undefined;
  encode(writer: Writer, requirements: Requirements): void;
}

function requirement<K extends Key>(type: number, key: K, field: Field<NonNullable<Requirements[K]>>): Requirement {
  return {
    type,
    name: key,
    length: field.length,
    decode(reader, draft) {
      const value = field.read(reader);
      draft[key] ??= value;
      return field.impossible?.(value);
    },
    encode(writer, requirements) {
      const value = requirements[key];
      if (value === undefined) return;
      const problem = field.problem(value);
      if (problem !== undefined) throw new RangeError(`${key}: ${problem}`);
      writer.u8(type).u8(field.length);
      field.write(writer, value);
    },
  };
}

const REQUIREMENTS: readonly Requirement[] = [
  requirement(1, 'latencyUs', u32),
  requirement(2, 'computing', struct<NonNullable<Requirements['computing']>>({ class: oneOf(1, 2, 3), minResidual: u64 })),
  requirement(3, 'workload', u64),
  requirement(4, 'dataSize', u64),
  requirement(5, 'stickiness', struct<Stickiness>({ mode: oneOf(0, 1, 2), seconds: u16 })),
  requirement(6, 'storage', struct<NonNullable<Requirements['storage']>>({ ability: oneOf(1, 2, 3), octets: u64 })),
  requirement(7, 'network', struct<NonNullable<Requirements['network']>>({ minBandwidth: u64, maxPdvUs: u32, maxLossPpm: u32 })),
  requirement(8, 'algorithm', u16),
  requirement(9, 'application', u32),
  requirement(10, 'objective', struct<ObjectiveWeights>({ latency: u8, energy: u8, utilisation: u8, price: u8 })),
  requirement(11, 'dataType', u16),
  requirement(12, 'security', oneOf(0, 1, 2)),
];

const BY_TYPE: ReadonlyMap<number, Requirement> = new Map(REQUIREMENTS.map((item) => [item.type, item]));

/** Reads the data of one option. Never throws. Unknown requirement types are skipped; of a repeated type the first counts. */
export function decodeRequirementOption(data: Uint8Array): RequirementOption {
  const reader = new Reader(data);
  if (reader.u16() !== MAGIC || reader.u8() !== VERSION) return { kind: 'foreign' };
  if (reader.remaining < 1) return { kind: 'malformed', reason: `${data.length} octets where the header needs ${HEADER_LENGTH}` };
  const flags = reader.u8();
  const draft: Draft = { ...NO_REQUIREMENTS, splittable: (flags & SPLIT_FLAG) !== 0 };
  while (reader.remaining > 0) {
    const type = reader.u8();
    const length = reader.u8();
    const value = reader.slice(length);
    if (!value.ok) return { kind: 'malformed', reason: `requirement ${type} runs past the end of the option` };
    const known = BY_TYPE.get(type);
    if (!known) continue;
    if (length !== known.length) return { kind: 'malformed', reason: `${known.name}: length ${length}, not ${known.length}` };
    const problem = known.decode(value, draft);
    if (problem !== undefined) return { kind: 'malformed', reason: `${known.name}: ${problem}` };
  }
  return { kind: 'requirements', requirements: draft };
}

/** Encodes option data; all twelve requirements take 98 octets. Throws RangeError for impossible values. */
export function encodeRequirementOption(requirements: Requirements): Uint8Array {
  const writer = new Writer(64).u16(MAGIC).u8(VERSION).u8(requirements.splittable ? SPLIT_FLAG : 0);
  for (const item of REQUIREMENTS) item.encode(writer, requirements);
  return writer.finish();
}
