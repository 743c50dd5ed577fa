/** Routes for property tests. */
import fc from 'fast-check';
import { cpnAttributeOf } from '../../../../../daemon/bgp/wire/attributes/cpn.js';
import { prefixSidOf } from '../../../../../daemon/bgp/wire/attributes/prefix-sid.js';
import type { AsPathSegment, Nlri, PathAttributes } from '../../../../../daemon/bgp/wire/types.js';
import { cpnBlockSize, CPN_MAX_SENT } from '../../../../../daemon/computing/block.js';
import { formatIp, Prefix } from '../../../../../dataplane/packet/ip.js';
import { block, sid, u32 } from '../../../computing/arbitraries.js';

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(model, { noNullPrototype: true });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const as = fc.integer({ min: 1, max: 0xffffffff });
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((octets) => formatIp(octets));
const octets = fc.uint8Array({ maxLength: 300 });

export function nlri(family: 4 | 6, withPathId: boolean): fc.Arbitrary<Nlri> {
  const size = family === 4 ? 4 : 16;
  return fc
    .tuple(fc.uint8Array({ minLength: size, maxLength: size }), fc.nat(size * 8), withPathId ? u32 : fc.constant(0))
    .map(([address, length, pathId]) => ({ prefix: Prefix.of(address, length), pathId }));
}

const segment: fc.Arbitrary<AsPathSegment> = record<AsPathSegment>({ type: fc.constantFrom(1, 2), as: fc.array(as, { minLength: 1, maxLength: 6 }) });

/** Attributes as a decoder yields them: only codes of attributes it does not know among `unknown`, in order of type. */
export const attributes: fc.Arbitrary<PathAttributes> = record<PathAttributes>({
  origin: fc.constantFrom(0, 1, 2),
  asPath: fc.array(segment, { maxLength: 4 }),
  med: optional(u32),
  localPref: optional(u32),
  atomicAggregate: fc.boolean(),
  aggregator: optional(record({ as, address: ipv4 })),
  communities: fc.array(u32, { maxLength: 70 }),
  extendedCommunities: fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { maxLength: 4 }),
  largeCommunities: fc.array(record({ global: u32, local1: u32, local2: u32 }), { maxLength: 4 }),
  onlyToCustomer: optional(u32),
  originatorId: optional(ipv4),
  clusterList: fc.array(ipv4, { maxLength: 3 }),
  prefixSid: optional(sid.map((info) => prefixSidOf(info))),
  cpn: optional(
    block
      .filter((value) => cpnBlockSize(value) <= CPN_MAX_SENT && value.origin !== undefined && value.instances.every(({ sid: own }) => own !== undefined))
      .map((value) => cpnAttributeOf(value)),
  ),
  partial: fc.constant([]),
  unknown: fc
    .uniqueArray(record({ flags: fc.constant(0xe0), type: fc.integer({ min: 41, max: 253 }), value: octets }), { maxLength: 3, selector: ({ type }) => type })
    .map((list) => list.sort((a, b) => a.type - b.type)),
});
