import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { encodeNetworkBody } from '../../../../daemon/ospf/wire/lsa/network.js';
import { buildLsa, withAge } from '../../../../daemon/ospf/wire/lsa.js';
import { decodePacket, encodePacket } from '../../../../daemon/ospf/wire/packet.js';
import { INITIAL_SEQUENCE, type LinkStateUpdatePacket, type Lsa, LsType, type OspfPacket, type PacketDecoded } from '../../../../daemon/ospf/wire/types.js';
import { hex } from '../../../vectors/load.js';
import { address, lsaFields, packet, packetHeader } from './support/arbitraries.js';

const ADDRESSES = { source: 'fe80::1', destination: 'ff02::5' } as const;
const HEADER = { routerId: 0x0a000001, areaId: 0, instanceId: 0 } as const;

/** The packet with a length and a checksum that are right. */
function mended(octets: Uint8Array): Uint8Array {
  const copy = octets.slice();
  copy[2] = copy.length >> 8;
  copy[3] = copy.length & 0xff;
  copy.fill(0, 12, 14);
  // The source fe80::1, the destination ff02::5, length and next header.
  let sum = 0xfe80 + 1 + 0xff02 + 5 + copy.length + 89;
  for (let i = 0; i < copy.length; i += 2) sum += (copy[i]! << 8) | (copy[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  copy[12] = (~sum >> 8) & 0xff;
  copy[13] = ~sum & 0xff;
  return copy;
}

const read = (octets: Uint8Array): PacketDecoded => decodePacket(octets, ADDRESSES);

function decoded(octets: Uint8Array): OspfPacket {
  const result = read(octets);
  assert.ok(result.ok, inspect(result));
  return result.packet;
}

const counterOf = (octets: Uint8Array): string => {
  const result = read(octets);
  return result.ok ? 'ok' : result.fault.counter;
};

const lsa = (id: number, routers: readonly number[] = [1, 2, 3]): Lsa =>
  buildLsa({ age: 5, type: LsType.network, id, router: 0x0a000001, sequence: INITIAL_SEQUENCE }, encodeNetworkBody({ options: 0x13, routers }));
const updateOf = (...lsas: Lsa[]): LinkStateUpdatePacket => ({ kind: 'linkStateUpdate', ...HEADER, lsas, faults: [] });

function updateFrom(octets: Uint8Array): LinkStateUpdatePacket {
  const result = decoded(octets);
  assert.ok(result.kind === 'linkStateUpdate');
  return result;
}

describe('OSPFv3 packets', () => {
  it('what is encoded is decoded, between the addresses it was encoded for', () => {
    fc.assert(
      fc.property(packet, address, address, (value, source, destination) => {
        const octets = encodePacket(value, { source, destination });
        assert.deepEqual(decodePacket(octets, { source, destination }), { ok: true, packet: value });
        const other = source.slice();
        other[3]! ^= 1;
        const result = decodePacket(octets, { source: other, destination });
        assert.equal(!result.ok && result.fault.counter, 'checksum');
      }),
    );
  });

  it('an update carries its LSAs as they are, with the ages of their headers', () => {
    fc.assert(
      fc.property(packetHeader, fc.array(fc.tuple(lsaFields, fc.uint8Array({ maxLength: 80 }), fc.nat(3600)), { maxLength: 6 }), (header, items) => {
        const lsas = items.map(([fields, body, age]) => withAge(buildLsa(fields, body), age));
        const again = updateFrom(encodePacket({ kind: 'linkStateUpdate', ...header, lsas, faults: [] }, ADDRESSES));
        assert.deepEqual(again.faults, []);
        assert.deepEqual(again.lsas.map((item) => item.header), lsas.map((item) => item.header));
        again.lsas.forEach(({ raw }, i) => {
          assert.deepEqual(raw.subarray(2), lsas[i]!.raw.subarray(2));
          assert.equal((raw[0]! << 8) | raw[1]!, items[i]![2]);
        });
      }),
    );
  });

  it('what cannot be a packet is a fault with its name', () => {
    const hello = encodePacket({ kind: 'linkStateRequest', ...HEADER, requests: [] }, ADDRESSES);
    assert.equal(counterOf(hello), 'ok');
    assert.equal(counterOf(hello.subarray(0, 15)), 'length');
    const changed = (at: number, ...octets: number[]): Uint8Array => {
      const copy = hello.slice();
      copy.set(octets, at);
      return copy;
    };
    assert.equal(counterOf(changed(0, 2)), 'version');
    assert.equal(counterOf(changed(1, 0)), 'type');
    assert.equal(counterOf(changed(1, 6)), 'type');
    assert.equal(counterOf(changed(2, 0, 15)), 'length');
    assert.equal(counterOf(changed(2, 0, 17)), 'length');
    assert.equal(counterOf(changed(4, 99)), 'checksum');
  });

  it('the octets behind its own length are not its own, but tell what a wrong checksum means', () => {
    const octets = encodePacket({ kind: 'linkStateRequest', ...HEADER, requests: [{ type: 1, id: 2, router: 3 }] }, ADDRESSES);
    const trailed = Uint8Array.of(...octets, 0, 1, 0, 48);
    assert.deepEqual(read(trailed), read(octets));
    trailed.fill(0, 12, 14);
    assert.equal(counterOf(trailed), 'authentication');
    assert.deepEqual(decodePacket(trailed, { ...ADDRESSES, authenticated: true }), read(octets));
  });

  it('a body cut at any octet is a fault or a packet with less in it', () => {
    fc.assert(
      fc.property(packet, (value) => {
        const octets = encodePacket(value, ADDRESSES);
        for (let length = 16; length < octets.length; length++) {
          const result = read(mended(octets.subarray(0, length)));
          if (result.ok) assert.notDeepEqual(result.packet, value);
          else assert.equal(result.fault.counter, 'body');
        }
      }),
      { numRuns: 60 },
    );
  });

  it('octets changed at random never make the decoder throw', () => {
    const update = encodePacket(updateOf(lsa(1), lsa(2), lsa(3)), ADDRESSES);
    const any = fc.oneof(packet.map((value) => encodePacket(value, ADDRESSES)), fc.constant(update));
    fc.assert(
      fc.property(any, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }), fc.nat(60), (octets, changes, more) => {
        const copy = new Uint8Array(octets.length + more);
        copy.set(octets);
        for (const [at, octet] of changes) copy[at % copy.length] = octet;
        const result = read(mended(copy));
        if (result.ok && result.packet.kind === 'linkStateUpdate') for (const item of result.packet.lsas) assert.ok(item.body.kind);
      }),
      { numRuns: 3000 },
    );
  });

  it('throws for addresses that are none, which only a programmer can give', () => {
    assert.throws(() => decodePacket(encodePacket(updateOf(), ADDRESSES), { source: 'fe80::1%eth0', destination: 'ff02::5' }), TypeError);
    assert.throws(() => encodePacket(updateOf(), { source: '192.0.2.1', destination: 'ff02::5' }), TypeError);
  });
});

describe('A Link State Update', () => {
  const first = 16 + 4;
  const length = lsa(1).raw.length;

  it('is read without the LSAs whose checksum is wrong', () => {
    const octets = encodePacket(updateOf(lsa(1), lsa(2), lsa(3)), ADDRESSES);
    octets[first + length + 24]! ^= 0x40;
    const update = updateFrom(mended(octets));
    assert.deepEqual(update.lsas.map(({ header }) => header.id), [1, 3]);
    assert.deepEqual(update.faults.map(({ header }) => header?.id), [2]);
  });

  it('is read up to the LSA whose length cannot be', () => {
    for (const wrong of [0, 19, 2 * length + 1, 0xffff]) {
      const octets = encodePacket(updateOf(lsa(1), lsa(2), lsa(3)), ADDRESSES);
      octets.set([wrong >> 8, wrong & 0xff], first + length + 18);
      const update = updateFrom(mended(octets));
      assert.deepEqual(update.lsas.map(({ header }) => header.id), [1]);
      assert.equal(update.faults.length, 1);
      assert.match(update.faults[0]!.reason, /LSA 2 of 3/);
    }
  });

  it('is a fault when it ends before its last LSA, or behind it', () => {
    const octets = encodePacket(updateOf(lsa(1), lsa(2)), ADDRESSES);
    for (const count of [0, 1, 3, 0xffffffff]) {
      const wrong = octets.slice();
      new DataView(wrong.buffer).setUint32(16, count);
      assert.equal(counterOf(mended(wrong)), 'body', String(count));
    }
    assert.equal(counterOf(mended(octets.subarray(0, 18))), 'body');
  });
});

describe('A Hello written by hand', () => {
  it('reads as RFC 5340 section A.3.2 has it', () => {
    const octets = mended(
      hex(`03 01 0000 0a000001 00000002 0000 07 00   # version 3, Hello, length and checksum to be mended, area 0.0.0.2, instance 7
           00000005                                  # interface ID 5
           64 000413                                 # priority 100; AT, R, E, V6
           000a 0028                                 # HelloInterval 10 s, RouterDeadInterval 40 s
           0a000002 0a000003                         # DR, BDR
           0a000002 0a000003                         # neighbors`),
    );
    const neighbors = [0x0a000002, 0x0a000003] as const;
    const common = { kind: 'hello', routerId: 0x0a000001, areaId: 2, instanceId: 7, interfaceId: 5, priority: 100, options: 0x413 } as const;
    const expected = { ...common, helloInterval: 10, deadInterval: 40, designated: neighbors[0], backup: neighbors[1], neighbors };
    assert.deepEqual(decoded(octets), expected);
    assert.deepEqual(encodePacket(expected, ADDRESSES), octets);
  });
});
