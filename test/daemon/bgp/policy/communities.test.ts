import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  communityPattern,
  extendedCommunityPattern,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  isNonTransitive,
  largeCommunityPattern,
  parseCommunity,
  parseExtendedCommunity,
  parseLargeCommunity,
} from '../../../../daemon/bgp/policy/communities.js';

const U32 = 0xffffffff;

describe('Communities as text', () => {
  test('read back as what they are', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: U32 }), (value) => assert.equal(parseCommunity(formatCommunity(value)), value)));
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value) => assert.equal(parseExtendedCommunity(formatExtendedCommunity(value)), value)));
    const part = fc.integer({ min: 0, max: U32 });
    fc.assert(fc.property(fc.record({ global: part, local1: part, local2: part }, { noNullPrototype: true }), (value) => assert.deepEqual(parseLargeCommunity(formatLargeCommunity(value)), value)));
  });

  test('of route targets in all three forms read back as what they are', () => {
    const value = fc.bigInt({ min: 0n, max: (1n << 48n) - 1n });
    fc.assert(
      fc.property(fc.constantFrom(0n, 1n, 2n), fc.constantFrom(2n, 3n), value, (type, subtype, low) => {
        const community = (type << 56n) | (subtype << 48n) | low;
        assert.match(formatExtendedCommunity(community), /^(rt|soo):/);
        assert.equal(parseExtendedCommunity(formatExtendedCommunity(community)), community);
      }),
    );
  });

  test('have the octets of the RFCs', () => {
    assert.equal(parseCommunity('65000:100'), 0xfde80064);
    assert.equal(parseCommunity('graceful-shutdown'), 0xffff0000);
    assert.equal(parseCommunity('blackhole'), 0xffff029a);
    assert.equal(parseExtendedCommunity('rt:65000:100'), 0x0002fde800000064n);
    assert.equal(parseExtendedCommunity('soo:10.0.0.1:5'), 0x01030a0000010005n);
    assert.equal(parseExtendedCommunity('rt:4200000000:7'), 0x0202fa56ea000007n);
    assert.equal(parseExtendedCommunity('ext:0x4004fde800000064'), 0x4004fde800000064n);
    assert.ok(isNonTransitive(0x4004fde800000064n) && !isNonTransitive(0x0002fde800000064n));
  });

  test('that are none are refused', () => {
    for (const text of ['', '1', '65536:1', '1:65536', '1:2:3', '01:2', '1:-2', 'no-such', '1: 2']) assert.equal(parseCommunity(text), undefined, text);
    for (const text of ['', '1:2', '4294967296:1:2', '1:2:3:4']) assert.equal(parseLargeCommunity(text), undefined, text);
    for (const text of ['', '65000:1', 'rt:1', 'rt:70000:65536', 'rt:10.0.0.1:65536', 'rt:10.0.0:1', 'ext:0x12', 'xx:1:2', 'rt:1:2:3']) assert.equal(parseExtendedCommunity(text), undefined, text);
  });

  test('never throw, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('0169:*/.[]rtsoexL-')), maxLength: 20 }), (text) => {
        parseCommunity(text);
        parseExtendedCommunity(text);
        parseLargeCommunity(text);
        communityPattern(text)?.(0xfde80064);
        extendedCommunityPattern(text)?.(0x0002fde800000064n);
        largeCommunityPattern(text)?.({ global: 1, local1: 2, local2: 3 });
      }),
      { numRuns: 2000 },
    );
  });
});

describe('A pattern of communities', () => {
  const cases: readonly [pattern: string, community: string, expected: boolean][] = [
    ['65000:*', '65000:7', true],
    ['65000:*', '65001:7', false],
    ['*:7', '65001:7', true],
    ['no-export', '65535:65281', true],
    ['/^65000:1..$/', '65000:123', true],
    ['/^65000:1..$/', '65000:1234', false],
  ];
  for (const [pattern, community, expected] of cases) {
    test(`${pattern} ${expected ? 'is' : 'is not'} ${community}`, () => assert.equal(communityPattern(pattern)?.(parseCommunity(community)!), expected));
  }

  test('knows extended and large ones', () => {
    assert.equal(extendedCommunityPattern('rt:65000:*')?.(parseExtendedCommunity('rt:65000:9')!), true);
    assert.equal(extendedCommunityPattern('rt:65000:*')?.(parseExtendedCommunity('soo:65000:9')!), false);
    assert.equal(extendedCommunityPattern('/^rt:10\\.0/')?.(parseExtendedCommunity('rt:10.0.0.1:9')!), true);
    assert.equal(largeCommunityPattern('65000:*:3')?.({ global: 65000, local1: 2, local2: 3 }), true);
    assert.equal(largeCommunityPattern('65000:*:3')?.({ global: 65000, local1: 2, local2: 4 }), false);
  });

  test('that is none is refused', () => {
    for (const text of ['', '*', '65000', '/(/', '/', '//', '1:2:*']) assert.equal(communityPattern(text), undefined, text);
    for (const text of ['1:*', '*:*']) assert.equal(largeCommunityPattern(text), undefined, text);
  });
});
