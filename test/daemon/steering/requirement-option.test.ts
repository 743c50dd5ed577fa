import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toJson } from '../../../daemon/computing/json.js';
import { decodeRequirementOption, encodeRequirementOption, NO_REQUIREMENTS, type Requirements } from '../../../daemon/steering/requirement-option.js';
import { hex, readHex, readJson, vectorNames } from '../../vectors/load.js';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
/** Plain objects, as decoders make them, so that deepEqual compares prototypes too. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(model, { noNullPrototype: true });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const requirements: fc.Arbitrary<Requirements> = record({
  splittable: fc.boolean(),
  latencyUs: optional(u32),
  computing: optional(record({ class: fc.constantFrom(1 as const, 2 as const, 3 as const), minResidual: u64 })),
  workload: optional(u64),
  dataSize: optional(u64),
  stickiness: optional(record({ mode: fc.constantFrom(0 as const, 1 as const, 2 as const), seconds: u16 })),
  storage: optional(record({ ability: fc.constantFrom(1 as const, 2 as const, 3 as const), octets: u64 })),
  network: optional(record({ minBandwidth: u64, maxPdvUs: u32, maxLossPpm: u32 })),
  algorithm: optional(u16),
  application: optional(u32),
  objective: optional(record({ latency: u8, energy: u8, utilisation: u8, price: u8 })),
  dataType: optional(u16),
  security: optional(fc.constantFrom(0 as const, 1 as const, 2 as const)),
});

describe('Requirement option', () => {
  for (const name of vectorNames('cpn', '.hex').filter((file) => file.startsWith('option-'))) {
    it(`${name}: an independent encoder's octets decode to what it says`, () => {
      const decoded = decodeRequirementOption(readHex('cpn', name));
      assert.deepEqual(toJson(decoded.kind === 'malformed' ? { kind: 'malformed' } : decoded), readJson('cpn', name));
    });
  }

  it('encodes all twelve requirements as the independent encoder does', () => {
    const octets = readHex('cpn', 'option-full');
    const decoded = decodeRequirementOption(octets);
    assert.equal(decoded.kind, 'requirements');
    assert.deepEqual(encodeRequirementOption(decoded.requirements), octets);
    assert.equal(octets.length, 98);
  });

  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(requirements, (value) => {
        assert.deepEqual(decodeRequirementOption(encodeRequirementOption(value)), { kind: 'requirements', requirements: value });
      }),
    );
  });

  it('tells a foreign option from a malformed one when it is short', () => {
    for (const text of ['', '43', '4350', '435002']) assert.equal(decodeRequirementOption(hex(text)).kind, 'foreign', text);
    assert.equal(decodeRequirementOption(hex('435001')).kind, 'malformed');
    assert.deepEqual(decodeRequirementOption(hex('43500100')), { kind: 'requirements', requirements: NO_REQUIREMENTS });
  });

  it('says which requirement is wrong and why', () => {
    assert.deepEqual(decodeRequirementOption(hex('43500100 0c01 03')), { kind: 'malformed', reason: 'security: 3 is not one of 0, 1, 2' });
    assert.deepEqual(decodeRequirementOption(hex('43500100 0103 000001')), { kind: 'malformed', reason: 'latencyUs: length 3, not 4' });
  });

  it('is malformed when a repeated requirement is impossible, though the first counts', () => {
    assert.equal(decodeRequirementOption(hex('43500100 0c01 01 0c01 09')).kind, 'malformed');
  });

  it('never throws on truncation at any length, and takes only whole requirements', () => {
    const octets = readHex('cpn', 'option-full');
    const whole = decodeRequirementOption(octets);
    assert.equal(whole.kind, 'requirements');
    for (let length = 0; length < octets.length; length++) {
      const decoded = decodeRequirementOption(octets.subarray(0, length));
      if (decoded.kind !== 'requirements') continue;
      for (const [key, value] of Object.entries(decoded.requirements)) {
        if (value !== undefined) assert.deepEqual(value, whole.requirements[key as keyof Requirements], `${key} of ${length} octets`);
      }
    }
  });

  it('never throws on any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (rest, ours) => {
        decodeRequirementOption(ours ? Uint8Array.from([0x43, 0x50, 1, 0, ...rest]) : rest);
      }),
    );
  });

  it('refuses to encode impossible values', () => {
    assert.throws(() => encodeRequirementOption({ ...NO_REQUIREMENTS, latencyUs: -1 }), RangeError);
    assert.throws(() => encodeRequirementOption({ ...NO_REQUIREMENTS, security: 3 as 2 }), RangeError);
    assert.throws(() => encodeRequirementOption({ ...NO_REQUIREMENTS, workload: 1n << 64n }), RangeError);
  });
});
