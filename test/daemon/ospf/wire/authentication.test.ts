import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { authenticate, type AuthenticationKey, trailerLength, verifyTrailer } from '../../../../daemon/ospf/wire/authentication.js';
import { decodePacket, encodePacket } from '../../../../daemon/ospf/wire/packet.js';
import { type HelloPacket, OptionBit } from '../../../../daemon/ospf/wire/types.js';
import { vectorPath } from '../../../vectors/load.js';
import { address, packet } from './support/arbitraries.js';
import { recordedPackets } from './support/recorded.js';

const ADDRESSES = { source: 'fe80::1', destination: 'ff02::5' } as const;
const HELLO: HelloPacket = {
  kind: 'hello',
  routerId: 0x0a000001,
  areaId: 0,
  instanceId: 0,
  interfaceId: 5,
  priority: 1,
  options: 0x13,
  helloInterval: 10,
  deadInterval: 40,
  designated: 0,
  backup: 0,
  neighbors: [0x0a000002],
};
const KEY: AuthenticationKey = { keyId: 7, algorithm: 'hmac-sha-256', key: 'secret' };
const hello = (): Uint8Array => authenticate(encodePacket(HELLO, ADDRESSES), ADDRESSES.source, KEY, 0x123456789an);

const causeOf = (octets: Uint8Array, keys: readonly AuthenticationKey[] = [KEY], source: string = ADDRESSES.source): string => {
  const result = verifyTrailer(octets, source, keys);
  return result.ok ? 'ok' : result.fault.cause;
};

const key: fc.Arbitrary<AuthenticationKey> = fc.record(
  { keyId: fc.nat(0xffff), algorithm: fc.constantFrom('hmac-sha-1', 'hmac-sha-256', 'hmac-sha-384', 'hmac-sha-512'), key: fc.string({ minLength: 1, maxLength: 150 }) },
  { noNullPrototype: true },
);

/** Keys of the routers whose exchanges are recorded (test/vectors/ospf/make.sh). */
const RECORDED: Readonly<Record<string, readonly AuthenticationKey[]>> = {
  'trailer-frr': [{ keyId: 7, algorithm: 'hmac-sha-256', key: 'between-two-frr', protocolId: 0x0100 }],
  'trailer-bird': [
    { keyId: 1, algorithm: 'hmac-sha-1', key: 'a key longer than the hash, shorter than its block' },
    { keyId: 7, algorithm: 'hmac-sha-256', key: 'between two bird' },
    { keyId: 255, algorithm: 'hmac-sha-384', key: 'just another key' },
    { keyId: 51, algorithm: 'hmac-sha-512', key: 'a key that is longer than a block of the hash is hashed first;'.repeat(3) },
  ],
};

describe('Authentication Trailer (RFC 7166)', () => {
  for (const [name, keys] of Object.entries(RECORDED)) {
    it(`${name}: every recorded trailer is verified, and made again octet for octet`, () => {
      const seen = new Set<number>();
      let last = 0n;
      for (const { octets, source, destination } of recordedPackets(vectorPath('ospf', `${name}.pcap`))) {
        const verified = verifyTrailer(octets, source, keys);
        assert.ok(verified.ok, inspect(verified));
        assert.ok(verified.sequence > 0n);
        last = verified.sequence > last ? verified.sequence : last;
        seen.add(verified.keyId);
        const read = decodePacket(octets, { source, destination, authenticated: true });
        assert.ok(read.ok, inspect(read));
        const used = keys.find(({ keyId }) => keyId === verified.keyId)!;
        assert.deepEqual(authenticate(encodePacket(read.packet, { source, destination }), source, used, verified.sequence), new Uint8Array(octets));
      }
      assert.equal(seen.size, keys.length);
      assert.ok(last > 0xffffffffn || name === 'trailer-frr' || last > 0n);
    });
  }

  it('what one key makes, that key alone verifies, for all packets', () => {
    fc.assert(
      fc.property(packet, address, key, key, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value, source, own, other, sequence) => {
        const octets = encodePacket(value, { source, destination: source });
        const sent = authenticate(octets, source, own, sequence);
        // Where the L bit happens to be set, the length of a block of link-local signaling is read out of the trailer.
        fc.pre(!('options' in value) || (value.options & OptionBit.l) === 0);
        assert.equal(sent.length, octets.length + trailerLength(own));
        assert.deepEqual(verifyTrailer(sent, source, [own]), { ok: true, keyId: own.keyId, sequence });
        assert.equal(verifyTrailer(sent, source, [{ ...own, key: `${own.key}!` }]).ok, false);
        assert.equal(verifyTrailer(sent, source, [{ ...other, keyId: (own.keyId + 1) & 0xffff }]).ok, false);
        const expected = 'options' in value ? { ...value, options: value.options | OptionBit.at } : value;
        assert.deepEqual(decodePacket(sent, { source, destination: source, authenticated: true }), { ok: true, packet: expected });
      }),
    );
  });

  it('covers every bit but the checksum, and the source address', () => {
    const sent = hello();
    assert.equal(causeOf(sent), 'ok');
    for (let bit = 0; bit < sent.length * 8; bit++) {
      const changed = sent.slice();
      changed[bit >> 3]! ^= 0x80 >> (bit & 7);
      assert.equal(causeOf(changed) === 'ok', bit >> 4 === 6, `bit ${bit}`);
    }
    assert.equal(causeOf(sent, [KEY], 'fe80::2'), 'digest');
  });

  it('is cut short at no octet, and says what is wrong', () => {
    const sent = hello();
    for (let length = 0; length < sent.length; length++) assert.notEqual(causeOf(sent.subarray(0, length)), 'ok');
    const changed = (at: number, ...octets: number[]): Uint8Array => {
      const copy = sent.slice();
      copy.set(octets, at);
      return copy;
    };
    const trailer = sent.length - trailerLength(KEY);
    assert.equal(causeOf(encodePacket(HELLO, ADDRESSES)), 'missing');
    assert.equal(causeOf(changed(22, 0)), 'option');
    assert.equal(causeOf(changed(trailer, 0, 2)), 'type');
    assert.equal(causeOf(changed(trailer + 2, 0, 47)), 'length');
    assert.equal(causeOf(sent, []), 'key');
    assert.equal(causeOf(sent, [{ ...KEY, algorithm: 'hmac-sha-1' }]), 'length');
    assert.equal(causeOf(sent, [{ ...KEY, key: 'Secret' }]), 'digest');
    assert.equal(causeOf(Uint8Array.of(...sent, 0)), 'length');
  });

  it('stands behind a block of link-local signaling, and covers it', () => {
    const plain = encodePacket({ ...HELLO, options: 0x13 | OptionBit.l }, ADDRESSES);
    // Checksum left out, 3 words; Extended Options TLV with the LR bit.
    const block = Uint8Array.of(0, 0, 0, 3, 0, 1, 0, 4, 0, 0, 0, 1);
    const joined = Uint8Array.of(...plain, ...block);
    const sent = authenticate(joined, ADDRESSES.source, KEY, 9n);
    assert.deepEqual(verifyTrailer(sent, ADDRESSES.source, [KEY]), { ok: true, keyId: 7, sequence: 9n });
    sent[plain.length + 11] = 0;
    assert.equal(causeOf(sent), 'digest');
    sent[plain.length + 3] = 0xff;
    assert.equal(causeOf(sent), 'missing');
  });
});
