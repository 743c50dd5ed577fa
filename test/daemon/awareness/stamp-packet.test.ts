import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeReflector, decodeSender, encodeReflector, encodeReturnPath, encodeSender, followedReturnPath, reflectTlvs, STAMP_LENGTH, type ErrorEstimate } from '../../../daemon/awareness/stamp/packet.js';
import { differenceNs, ntpFromUnixNs } from '../../../daemon/awareness/stamp/timestamp.js';
import { formatIp, parseIp } from '../../../dataplane/packet/ip.js';

const estimates: fc.Arbitrary<ErrorEstimate> = fc.record({
  synchronised: fc.boolean(),
  format: fc.constantFrom('ntp' as const, 'ptp' as const),
  scale: fc.integer({ min: 0, max: 63 }),
  multiplier: fc.integer({ min: 1, max: 255 }),
}, { noNullPrototype: true });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const senders = fc.record({ sequence: u32, timestamp: u64, errorEstimate: estimates, sessionId: u16 }, { noNullPrototype: true });
const reflectors = fc.record({
  sequence: u32,
  timestamp: u64,
  errorEstimate: estimates,
  sessionId: u16,
  receiveTimestamp: u64,
  senderSequence: u32,
  senderTimestamp: u64,
  senderErrorEstimate: estimates,
  senderTtl: fc.integer({ min: 0, max: 255 }),
}, { noNullPrototype: true });

describe('STAMP packets', () => {
  it('a Session-Sender packet has the fields of RFC 8762 figure 2 in their places', () => {
    const packet = encodeSender({ sequence: 0x01020304, timestamp: 0x1112131415161718n, errorEstimate: { synchronised: true, format: 'ptp', scale: 5, multiplier: 9 }, sessionId: 0xabcd });
    assert.equal(Buffer.from(packet).toString('hex'), ['01020304', '1112131415161718', 'c509', 'abcd', '00'.repeat(28)].join(''));
  });

  it('a Session-Reflector packet has the fields of RFC 8762 figure 5 in their places', () => {
    const packet = encodeReflector({
      sequence: 0x01020304,
      timestamp: 0x1112131415161718n,
      errorEstimate: { synchronised: false, format: 'ntp', scale: 19, multiplier: 1 },
      sessionId: 0xabcd,
      receiveTimestamp: 0x2122232425262728n,
      senderSequence: 0x31323334,
      senderTimestamp: 0x4142434445464748n,
      senderErrorEstimate: { synchronised: true, format: 'ntp', scale: 0, multiplier: 255 },
      senderTtl: 251,
    });
    assert.equal(
      Buffer.from(packet).toString('hex'),
      ['01020304', '1112131415161718', '1301', 'abcd', '2122232425262728', '31323334', '4142434445464748', '80ff', '0000', 'fb', '000000'].join(''),
    );
  });

  it('reading gives back what was written', () => {
    fc.assert(fc.property(senders, (packet) => assert.deepEqual(decodeSender(encodeSender(packet)), packet)));
    fc.assert(fc.property(reflectors, (packet) => assert.deepEqual(decodeReflector(encodeReflector(packet)), packet)));
  });

  it('a packet cut at any length is short', () => {
    const full = new Uint8Array(STAMP_LENGTH).fill(1);
    for (let length = 0; length < STAMP_LENGTH; length++) {
      assert.deepEqual(decodeSender(full.subarray(0, length)), { fault: 'short' });
      assert.deepEqual(decodeReflector(full.subarray(0, length)), { fault: 'short' });
    }
    assert.ok(!('fault' in decodeSender(full)));
    assert.ok(!('fault' in decodeReflector(full)));
  });

  it('an error estimate with multiplier zero is refused (RFC 4656 section 4.1.2)', () => {
    assert.deepEqual(decodeSender(new Uint8Array(STAMP_LENGTH)), { fault: 'error estimate' });
    assert.deepEqual(decodeReflector(new Uint8Array(STAMP_LENGTH)), { fault: 'error estimate' });
  });

  it('nothing thrown at any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeSender(bytes);
        decodeReflector(bytes);
        reflectTlvs(bytes);
      }),
    );
  });
});

describe('TLVs of a reply', () => {
  const withTlvs = (hex: string): string => Buffer.from(reflectTlvs(Buffer.concat([new Uint8Array(STAMP_LENGTH), Buffer.from(hex, 'hex')])).octets).toString('hex');

  it('Extra Padding is known, the others are marked unrecognised', () => {
    assert.equal(withTlvs('80010002aabb' + '00040001cc'), '00010002aabb' + '80040001cc');
  });

  it('a TLV that overruns the packet is marked malformed and everything comes back', () => {
    assert.equal(withTlvs('80010001aa' + '80040009cc'), '00010001aa' + 'c0040009cc');
    assert.equal(withTlvs('8001'), 'c001');
  });
});

describe('the Return Path TLV (RFC 9503)', () => {
  const A = parseIp('fcbb:bb00:21:1::')!;
  const B = parseIp('fcbb:bb00:22:1::')!;
  const header = new Uint8Array(STAMP_LENGTH);
  const request = Buffer.concat([header, encodeReturnPath([A, B])]);
  const inBlock = (segment: Uint8Array): boolean => segment[0] === 0xfc;

  it('is type 10 with an SRv6 Segment List sub-TLV of type 4, both with the U flag', () => {
    assert.equal(Buffer.from(encodeReturnPath([A, B])).toString('hex'), '800a0024' + '80040020' + 'fcbbbb00002100010000000000000000' + 'fcbbbb00002200010000000000000000');
  });

  it('is followed where its SIDs may be, with both U flags cleared', () => {
    const { octets, returnPath } = reflectTlvs(request, inBlock);
    assert.deepEqual(returnPath.map((segment) => formatIp(segment)), ['fcbb:bb00:21:1::', 'fcbb:bb00:22:1::']);
    assert.equal(Buffer.from(octets).toString('hex').slice(0, 16), '000a0024' + '00040020');
    assert.equal(followedReturnPath(Buffer.concat([header, octets])), true);
  });

  it('is unrecognised where a SID is not of the domain, or nobody follows any', () => {
    for (const reflected of [reflectTlvs(request, (segment) => segment[5] !== 0x22), reflectTlvs(request)]) {
      assert.deepEqual(reflected.returnPath, []);
      assert.equal(Buffer.from(reflected.octets).toString('hex').slice(0, 8), '800a0024');
      assert.equal(followedReturnPath(Buffer.concat([header, reflected.octets])), false);
    }
  });

  it('is never followed when it is cut short, at any length, and comes back as it came but for flags', () => {
    for (let length = STAMP_LENGTH; length < request.length; length++) {
      const { octets, returnPath } = reflectTlvs(request.subarray(0, length), inBlock);
      assert.deepEqual(returnPath, []);
      assert.equal(octets.length, length - STAMP_LENGTH);
    }
  });

  it('whatever the TLVs are, a reply has their size, and its return path only SIDs that are in them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tlvs) => {
        const whole = Buffer.concat([header, tlvs]);
        const { octets, returnPath } = reflectTlvs(whole, () => true);
        assert.equal(octets.length, tlvs.length);
        assert.ok(returnPath.length <= 8);
        for (const segment of returnPath) assert.ok(Buffer.from(tlvs).includes(Buffer.from(segment)));
        followedReturnPath(whole);
      }),
    );
  });
});

describe('timestamps', () => {
  it('the Unix epoch is 2208988800 s of NTP time', () => assert.equal(ntpFromUnixNs(500_000_000n), (2_208_988_800n << 32n) | 0x8000_0000n));

  it('NTP differences are those of the times, also across 2036-02-07', () => {
    const times = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n });
    fc.assert(
      fc.property(times, fc.bigInt({ min: -1_000_000_000_000n, max: 1_000_000_000_000n }), (time, step) => {
        const later = time + 2_000_000_000_000n + step;
        const difference = differenceNs(ntpFromUnixNs(later), ntpFromUnixNs(time), 'ntp');
        const error = difference - (later - time);
        assert.ok(error >= -1n && error <= 1n, `${error} ns off`);
      }),
    );
  });

  it('PTP differences count ns, across the wrap of the seconds', () => {
    assert.equal(differenceNs((5n << 32n) | 10n, (4n << 32n) | 999_999_999n, 'ptp'), 11n);
    assert.equal(differenceNs(1n << 32n, (0xffff_ffffn << 32n) | 500_000_000n, 'ptp'), 1_500_000_000n);
  });
});
