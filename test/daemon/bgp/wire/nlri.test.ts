import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type FamilyName, FAMILY_NAMES, afiSafiOf, equalLabels, familyOf, familyOfDestination, ipPrefixOf, ipVersionOf, isVpn } from '../../../../daemon/bgp/wire/families.js';
import { nlriSize, readNlri, writeNlri } from '../../../../daemon/bgp/wire/nlri.js';
import { formatRouteDistinguisher, formatRouteTarget, parseRouteDistinguisher, parseRouteTarget } from '../../../../daemon/bgp/wire/route-distinguisher.js';
import type { Nlri } from '../../../../daemon/bgp/wire/types.js';
import { VpnPrefix } from '../../../../daemon/bgp/wire/vpn-prefix.js';
import { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { nlri as anyNlri } from './support/arbitraries.js';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

const nlriOf = (family: FamilyName, addPath: boolean): fc.Arbitrary<Nlri> => {
  const plain = anyNlri(ipVersionOf(family), addPath);
  if (!isVpn(family)) return plain;
  return fc.tuple(plain, u64, fc.nat(0xffffff)).map(([{ prefix, pathId }, rd, label]) => ({ prefix: new VpnPrefix(rd, ipPrefixOf(prefix), label), pathId }));
};

const written = (list: readonly Nlri[], addPath: boolean, label?: number): Uint8Array => {
  const writer = new Writer();
  for (const item of list) writeNlri(writer, item, addPath, label);
  return writer.finish();
};

const text = ({ prefix, pathId }: Nlri): string => `${prefix.toString()} label ${prefix instanceof VpnPrefix ? prefix.label : '-'} path ${pathId}`;

describe('NLRI', () => {
  for (const family of FAMILY_NAMES) {
    for (const addPath of [false, true]) {
      const many = fc.array(nlriOf(family, addPath), { maxLength: 5 });
      it(`of ${family} ${addPath ? 'with' : 'without'} path identifiers are read as they were written, in as many octets as was said`, () => {
        fc.assert(
          fc.property(many, (list) => {
            const octets = written(list, addPath);
            assert.equal(octets.length, list.reduce((sum, item) => sum + nlriSize(item, addPath), 0));
            const read = readNlri(new Reader(octets), family, addPath) ?? [];
            assert.deepEqual(read.map(text), list.map(text));
            assert.ok(read.every(({ prefix }) => familyOfDestination(prefix) === family));
          }),
        );
      });

      it(`of ${family} ${addPath ? 'with' : 'without'} path identifiers are incorrect when cut anywhere inside one`, () => {
        fc.assert(
          fc.property(nlriOf(family, addPath), (item) => {
            const octets = written([item], addPath);
            for (let length = 1; length < octets.length; length++) assert.equal(readNlri(new Reader(octets.subarray(0, length)), family, addPath), undefined, `cut at ${length}`);
          }),
        );
      });

      it(`of ${family} ${addPath ? 'with' : 'without'} path identifiers: no octets make the reader throw`, () => {
        fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => void readNlri(new Reader(octets), family, addPath)));
      });
    }
  }

  it('of a VPN shorter than label and route distinguisher, or longer than an address, are incorrect (RFC 7606 section 5.3)', () => {
    for (const length of [0, 24, 87, 217]) assert.equal(readNlri(new Reader(Uint8Array.of(length, ...new Uint8Array(32))), 'ipv6-vpn', false), undefined, `${length} bits`);
    assert.equal(readNlri(new Reader(Uint8Array.of(121, ...new Uint8Array(32))), 'ipv4-vpn', false), undefined);
  });

  it('of a VPN have a key without the label, and the label tells two announcements apart', () => {
    const [a, b] = [0x000101, 0x000201].map((label) => new VpnPrefix(7n, ipPrefixOf(readNlri(new Reader(Uint8Array.of(16, 0x20, 1)), 'ipv6-unicast', false)![0]!.prefix), label));
    assert.equal(a!.toString(), b!.toString());
    assert.ok(!equalLabels(a!, b!));
    assert.ok(equalLabels(a!, new VpnPrefix(7n, a!.prefix, 0x000101)));
  });
});

describe('Families', () => {
  it('are found by their numbers, and others are not', () => {
    for (const family of FAMILY_NAMES) assert.equal(familyOf(afiSafiOf(family)), family);
    for (const [afi, safi] of [[1, 2], [2, 4], [25, 70], [3, 1], [16388, 71]] as const) assert.equal(familyOf({ afi, safi }), undefined);
  });
});

describe('Route distinguishers and route targets', () => {
  const VALUES: readonly (readonly [text: string, octets: bigint])[] = [
    ['65000:1', 0x0000_fde8_0000_0001n],
    ['65000:4294967295', 0x0000_fde8_ffff_ffffn],
    ['192.0.2.1:7', 0x0001_c000_0201_0007n],
    ['4200000000:7', 0x0002_fa56_ea00_0007n],
    ['2:65000:7', 0x0002_0000_fde8_0007n],
    ['0x0003000000000001', 0x0003_0000_0000_0001n],
    ['0:0', 0n],
  ];
  for (const [value, octets] of VALUES) {
    it(`${value} is the route distinguisher 0x${octets.toString(16)}`, () => {
      assert.equal(parseRouteDistinguisher(value), octets);
      assert.equal(formatRouteDistinguisher(octets), value);
    });
  }

  it('have a text for every value, which stands for that value alone', () => {
    fc.assert(fc.property(u64, (octets) => assert.equal(parseRouteDistinguisher(formatRouteDistinguisher(octets)), octets)));
  });

  it('are refused with numbers that do not fit', () => {
    for (const wrong of ['', '1', '1:', ':1', '65536:65536', '4294967296:1', '1.2.3.4:65536', '1.2.3:1', '-1:1', '1:2:3:4', '3:1:1', '1:65000:1', '0:65536:1', 'a:b', '0x12', '1e3:1']) {
      assert.equal(parseRouteDistinguisher(wrong), undefined, wrong);
      assert.equal(parseRouteTarget(wrong), undefined, wrong);
    }
  });

  it('as targets are extended communities of three types (RFC 4360 section 4, RFC 5668)', () => {
    for (const [value, community] of [['65000:1', 0x0002_fde8_0000_0001n], ['192.0.2.1:7', 0x0102_c000_0201_0007n], ['4200000000:7', 0x0202_fa56_ea00_0007n]] as const) {
      assert.equal(parseRouteTarget(value), community);
      assert.equal(formatRouteTarget(community), value);
    }
    assert.equal(formatRouteTarget(0x0003_fde8_0000_0001n), undefined);
    assert.equal(formatRouteTarget(0x0602_fde8_0000_0001n), undefined);
  });
});
