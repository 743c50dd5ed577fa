/** Blocks for property tests: every value that can stand on the wire. */
import fc from 'fast-check';
import type { CatsMetric, Computing, CpnBlock, Instance, Origin, SidInfo, Storage } from '../../../daemon/computing/types.js';
import { formatIp, Prefix } from '../../../dataplane/packet/ip.js';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const ipv6Octets = fc.uint8Array({ minLength: 16, maxLength: 16 });
const ipv6 = ipv6Octets.map((octets) => formatIp(octets));
/** Plain objects, as decoders make them, so that deepEqual compares prototypes too. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(model, { noNullPrototype: true });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const oneOf = <const T extends number>(...codes: T[]): fc.Arbitrary<T> => fc.constantFrom(...codes);

export const sid: fc.Arbitrary<SidInfo> = record({
  sid: ipv6,
  behaviour: u16,
  structure: fc
    .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 16 }))
    .map(([block, node, fun, argument]) => ({ block, node, function: fun, argument })),
});

const computing: fc.Arbitrary<Computing> = record({ class: oneOf(1, 2, 3), chip: u8, total: u64, residual: u64 });
const storage: fc.Arbitrary<Storage> = record({ ability: oneOf(1, 2, 3), quality: u8, total: u64, residual: u64, readRate: u64, writeRate: u64 });

const cats: fc.Arbitrary<CatsMetric> = record({ type: u16, level: fc.integer({ min: 0, max: 15 }), format: fc.integer({ min: 0, max: 15 }), source: u8, statistic: u8, unit: u8, windowMs: u32, value: u64 })
  .map((metric) => ((metric.level === 1 || metric.level === 2) && metric.format === 0 ? { ...metric, value: metric.value % 11n } : metric));

const degrees = (limit: number): fc.Arbitrary<number> => fc.integer({ min: -limit * 1e7, max: limit * 1e7 }).map((value) => value / 1e7);

const letters = fc.string({ minLength: 3, maxLength: 3, unit: fc.constantFrom('A', 'M', 'Z', 'a', 'm', 'z') });

export const instance: fc.Arbitrary<Instance> = record({
  id: u32,
  aggregate: fc.boolean(),
  draining: fc.boolean(),
  sid: optional(sid),
  computing: fc.uniqueArray(computing, { maxLength: 4, selector: (item) => `${item.class}/${item.chip}` }),
  load: optional(record({ utilisation: fc.integer({ min: 0, max: 10_000 }), queueLength: u32, activeFlows: u32 })),
  serviceDelay: optional(record({ meanUs: u32, p99Us: u32, serviceRate: u32 })),
  storage: fc.array(storage, { maxLength: 2 }),
  interface: optional(record({ capacity: u64, available: u64 })),
  location: optional(record({ latitude: degrees(90), longitude: degrees(180) })),
  energy: optional(record({ idleMw: u32, fullMw: u32 })),
  price: optional(record({ microUnits: u64, currency: letters })),
  algorithms: fc.array(u16, { maxLength: 5 }),
  cats: fc.array(cats, { maxLength: 3 }),
  grade: optional(oneOf(1, 2, 3, 4)),
  address: optional(ipv6),
});

const origin: fc.Arbitrary<Origin> = record({ exit: ipv6, sequence: u64, originatedAt: u64, validity: u32 });

export const block: fc.Arbitrary<CpnBlock> = record({
  service: optional(fc.tuple(ipv6Octets, fc.integer({ min: 0, max: 128 })).map(([octets, length]) => Prefix.of(octets, length))),
  origin: optional(origin),
  instances: fc.uniqueArray(instance, { maxLength: 4, selector: (item) => item.id }),
});
