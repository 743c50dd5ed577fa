import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { foldChecksum, sumOctets, upperLayerChecksum } from '../../../dataplane/packet/checksum.js';
import { Classifier, PacketKind } from '../../../dataplane/packet/classify.js';
import { decodeFlowKey } from '../../../dataplane/packet/flow-key.js';
import {
  ICMPV6_DESTINATION_UNREACHABLE,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PACKET_TOO_BIG,
  buildIcmpv6,
  buildIcmpv6Error,
  decodeIcmpv6,
} from '../../../dataplane/packet/icmpv6.js';
import { parseIp } from '../../../dataplane/packet/ip.js';
import { IPV6_SOURCE } from '../../../dataplane/packet/ipv6.js';
import { readPathMtu } from '../../../dataplane/flow/path-mtu.js';
import { hex, vectors } from './vectors.js';

const vector = (name: string): Uint8Array => hex(vectors.classified.find((candidate) => candidate.name === name)!.hex);

describe('the Internet checksum', () => {
  it('is that of RFC 1071 section 3', () => {
    assert.equal(foldChecksum(sumOctets(hex('0001f203f4f5f6f7'), 0, 8)), 0xffff & ~0xddf2);
  });

  it('verifies what scapy summed, for even and odd lengths', () => {
    for (const [name, protocol] of [['UDP', 17], ['TCP SYN', 6], ['ICMPv6 echo request', 58]] as const) {
      const packet = vector(name);
      assert.equal(upperLayerChecksum(packet, IPV6_SOURCE, 40, packet.length - 40, protocol), 0, name);
      packet[packet.length - 1]! ^= 1;
      assert.notEqual(upperLayerChecksum(packet, IPV6_SOURCE, 40, packet.length - 40, protocol), 0, name);
    }
  });
});

describe('ICMPv6', () => {
  it('builds the echo request that scapy built', () => {
    const expected = vector('ICMPv6 echo request');
    const built = buildIcmpv6(parseIp('2001:db8:1::2')!, parseIp('fd5e::1')!, {
      type: ICMPV6_ECHO_REQUEST,
      code: 0,
      parameter: 0x12340001,
      body: new Uint8Array(16).fill(0x78),
    });
    assert.equal(Buffer.from(built).toString('hex'), Buffer.from(expected).toString('hex'));
  });

  it('quotes a packet up to the minimum MTU in an error to its source', () => {
    const packet = new Uint8Array(1500);
    packet.set(vector('UDP'));
    const error = buildIcmpv6Error(parseIp('fc00:bb:1::1')!, packet, 0, packet.length, { type: ICMPV6_PACKET_TOO_BIG, code: 0, parameter: 1412 })!;
    assert.equal(error.length, 1280);
    assert.deepEqual(error.subarray(24, 40), parseIp('2001:db8:1::2'));
    assert.equal(upperLayerChecksum(error, IPV6_SOURCE, 40, error.length - 40, 58), 0);
    const message = decodeIcmpv6(error, 40)!;
    assert.deepEqual({ type: message.type, code: message.code, parameter: message.parameter }, { type: 2, code: 0, parameter: 1412 });
    assert.deepEqual(message.body, packet.subarray(0, 1232));
  });

  it('sends no error to nobody, to a group, or about a packet to a group', () => {
    const router = parseIp('fc00:bb:1::1')!;
    const error = { type: ICMPV6_DESTINATION_UNREACHABLE, code: 0, parameter: 0 };
    const change = (at: number, address: string): Uint8Array => {
      const packet = vector('UDP');
      packet.set(parseIp(address)!, at);
      return packet;
    };
    for (const packet of [change(8, '::'), change(8, 'ff02::1'), change(24, 'ff0e::1')]) {
      assert.equal(buildIcmpv6Error(router, packet, 0, packet.length, error), undefined);
    }
    assert.ok(buildIcmpv6Error(router, vector('UDP'), 0, 48, error));
  });

  it('is not read from less than its header', () => {
    for (let length = 0; length < 8; length++) assert.equal(decodeIcmpv6(new Uint8Array(length)), undefined);
  });
});

describe('a Packet Too Big about an outer packet', () => {
  const router = parseIp(vectors.router)!;
  const about = (segments: number, reduced: boolean): Uint8Array => {
    const quoted = hex(vectors.encapsulated.find((candidate) => candidate.segments.length === segments && candidate.reduced === reduced)!.hex);
    return buildIcmpv6(parseIp('fd20::2')!, router, { type: ICMPV6_PACKET_TOO_BIG, code: 0, parameter: 1400, body: quoted }).subarray(40);
  };

  it('tells its segment list, full or reduced', () => {
    for (const { segments, reduced } of vectors.encapsulated) {
      const { flow, ...report } = readPathMtu(about(segments.length, reduced), router)!;
      assert.deepEqual(report, { segments, mtu: 1400 });
      assert.ok(flow);
    }
  });

  it('tells the flow inside, also where the quoted part ends before the packet does', () => {
    for (const { inner, hex: whole } of vectors.encapsulated) {
      const packet = hex(inner);
      const classifier = new Classifier();
      assert.equal(classifier.classify(packet, 0, packet.length), PacketKind.Flow);
      const quoted = hex(whole);
      const atOffset = quoted.length - packet.length;
      const grown = quoted.slice();
      // As if it had been longer than what is quoted.
      new DataView(grown.buffer).setUint16(atOffset + (packet[0]! >> 4 === 4 ? 2 : 4), 9000);
      const message = buildIcmpv6(parseIp('fd20::2')!, router, { type: ICMPV6_PACKET_TOO_BIG, code: 0, parameter: 1400, body: grown }).subarray(40);
      assert.deepEqual(readPathMtu(message, router)!.flow, classifier.key);
    }
  });

  it('is ignored when it quotes a packet of somebody else, or is another error', () => {
    assert.equal(readPathMtu(about(1, false), parseIp('fc00:bb:1::2')!), undefined);
    const other = about(1, false).slice();
    other[0] = ICMPV6_DESTINATION_UNREACHABLE;
    assert.equal(readPathMtu(other, router), undefined);
  });

  it('is ignored at every length that cuts the quoted headers, and never throws', () => {
    const message = about(2, false);
    for (let length = 0; length < 8 + 40 + 40; length++) assert.equal(readPathMtu(message.subarray(0, length), router), undefined, String(length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      if (bytes.length > 0) bytes[0] = 2;
      readPathMtu(bytes, router);
    }));
  });

  it('about an answer is told apart by the classifier', () => {
    const packet = vector('Packet Too Big about an answer');
    const classifier = new Classifier();
    assert.equal(classifier.classify(packet, 0, packet.length), PacketKind.IcmpError);
    assert.equal(decodeFlowKey(classifier.key).destinationPort, 443);
  });
});
