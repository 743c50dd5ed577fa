import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildOuterHeader, encapsulationOverhead, finishOuterHeader } from '../../../dataplane/packet/encapsulation.js';
import { walkExtensionHeaders, newHeaderChain } from '../../../dataplane/packet/extension-headers.js';
import { formatIp, parseIp } from '../../../dataplane/packet/ip.js';
import { decodeIpv6Header, writeIpv6Header } from '../../../dataplane/packet/ipv6.js';
import { decodeSrh, writeSrh } from '../../../dataplane/packet/srh.js';
import { capturedPacket, hex, vectors } from './vectors.js';

describe('H.Encaps', () => {
  for (const vector of vectors.encapsulated) {
    const form = vector.reduced ? 'H.Encaps.Red' : 'H.Encaps';
    const version = vector.inner.startsWith('4') ? 'IPv4' : 'IPv6';
    it(`writes ${form} of ${version} with ${vector.segments.length} segments as scapy does`, () => {
      const inner = hex(vector.inner);
      const segments = vector.segments.map((segment) => parseIp(segment)!);
      const outer = buildOuterHeader(parseIp(vectors.router)!, segments, vector.reduced);
      assert.equal(outer.length, encapsulationOverhead(segments.length, vector.reduced));
      const packet = new Uint8Array(outer.length + inner.length);
      packet.set(outer);
      packet.set(inner, outer.length);
      finishOuterHeader(packet, 0, outer.length, inner.length, vector.flowLabel);
      assert.equal(Buffer.from(packet).toString('hex'), vector.hex);
    });
  }

  it('refuses lists that the slots of the kernel program cannot hold', () => {
    const source = parseIp('fc00::1')!;
    assert.throws(() => buildOuterHeader(source, [], false), RangeError);
    assert.throws(() => buildOuterHeader(source, [source, source, source, source], false), RangeError);
  });
});

describe('the Segment Routing Header', () => {
  it('reads what scapy wrote, segments in wire order', () => {
    const vector = vectors.encapsulated.find(({ segments, reduced }) => segments.length === 3 && !reduced)!;
    const srh = decodeSrh(hex(vector.hex), 40);
    assert.ok(typeof srh === 'object');
    assert.deepEqual({ nextHeader: srh.nextHeader, segmentsLeft: srh.segmentsLeft, lastEntry: srh.lastEntry, tlvs: srh.tlvs }, { nextHeader: 41, segmentsLeft: 2, lastEntry: 2, tlvs: [] });
    assert.deepEqual(srh.segments.map((segment) => formatIp(segment)), [...vector.segments].reverse());
  });

  const captures: readonly [string, { nextHeader: number; segmentsLeft: number; lastEntry: number; flags: number; segments: string[]; tlvs: [number, string][] }][] = [
    ['ipv6-srh-ext-header.pcap', { nextHeader: 41, segmentsLeft: 1, lastEntry: 1, flags: 0, segments: ['a:b:c:3::d6', 'a:b:c:2::f1:0'], tlvs: [] }],
    ['ipv6-srh-insert-cksum.pcap', { nextHeader: 17, segmentsLeft: 2, lastEntry: 2, flags: 0, segments: ['b2::2', '3::d6', '2::f1:0'], tlvs: [] }],
    ['ipv6-srh-ipproto-ether.pcap', { nextHeader: 143, segmentsLeft: 0, lastEntry: 0, flags: 0, segments: ['c::2'], tlvs: [] }],
    ['ipv6-srh-tlv-pad1-padn-5.pcap', { nextHeader: 59, segmentsLeft: 0, lastEntry: 0, flags: 0, segments: ['cafe:1::2'], tlvs: [[0, ''], [4, '0000000000']] }],
  ];
  for (const [name, expected] of captures) {
    it(`reads the capture ${name}`, (context) => {
      const packet = capturedPacket(name);
      if (!packet) {
        context.skip('../shared/data/pcap is absent');
        return;
      }
      const srh = decodeSrh(packet, 40);
      assert.ok(typeof srh === 'object');
      assert.deepEqual(
        {
          nextHeader: srh.nextHeader,
          segmentsLeft: srh.segmentsLeft,
          lastEntry: srh.lastEntry,
          flags: srh.flags,
          segments: srh.segments.map((segment) => formatIp(segment)),
          tlvs: srh.tlvs.map(({ type, value }) => [type, Buffer.from(value).toString('hex')]),
        },
        expected,
      );
    });
  }

  // In the HMAC capture six octets 0xaa follow the TLV: no TLV again, since 170 octets are not there.
  for (const [name, fault] of [['ipv6-srh-tlv-pad1-padn-5-trunc.pcap', 'truncated'], ['ipv6-srh-tlv-hmac.pcap', 'tlv']] as const) {
    it(`finds the fault in the capture ${name}`, (context) => {
      const packet = capturedPacket(name);
      if (!packet) {
        context.skip('../shared/data/pcap is absent');
        return;
      }
      assert.equal(decodeSrh(packet, 40), fault);
    });
  }

  const srh = new Uint8Array(8 + 32 + 8);
  writeSrh(srh, 0, 41, [parseIp('fc00::1')!, parseIp('fc00::2')!], 1);
  srh[1] = 5; // 8 octets of TLVs
  srh.set([4, 6], 40);

  it('names the fault of each kind of damage', () => {
    const damaged = (at: number, value: number): unknown => decodeSrh(Uint8Array.from(srh, (octet, i) => (i === at ? value : octet)));
    assert.equal(typeof decodeSrh(srh), 'object');
    assert.equal(damaged(2, 0), 'not-srh');
    assert.equal(damaged(3, 3), 'segments-left');
    assert.equal(damaged(4, 2), 'last-entry');
    assert.equal(damaged(41, 7), 'tlv');
    assert.equal(damaged(1, 6), 'truncated');
  });

  it('is truncated at every length short of its own', () => {
    for (let length = 0; length < srh.length; length++) assert.equal(decodeSrh(srh.subarray(0, length)), 'truncated', String(length));
  });

  it('never throws, whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        if (bytes.length > 2) bytes[2] = 4;
        decodeSrh(bytes);
        walkExtensionHeaders(bytes, 0, bytes.length, newHeaderChain());
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the IPv6 header', () => {
  it('comes back from its octets', () => {
    const header = { trafficClass: 0xb9, flowLabel: 0xabcde, payloadLength: 65535, nextHeader: 43, hopLimit: 7, source: parseIp('2001:db8::1')!, destination: parseIp('fc00::2')! };
    const bytes = new Uint8Array(44);
    writeIpv6Header(bytes, 4, header);
    assert.deepEqual(decodeIpv6Header(bytes, 4), header);
    assert.equal(Buffer.from(bytes.subarray(4, 12)).toString('hex'), '6b9abcdeffff2b07');
  });

  it('is not read from another version or at any length short of 40', () => {
    const bytes = hex(vectors.classified[0]!.hex);
    for (let length = 0; length < 40; length++) assert.equal(decodeIpv6Header(bytes, 0, length), undefined);
    bytes[0] = 0x45;
    assert.equal(decodeIpv6Header(bytes), undefined);
  });
});
