import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Classifier, PacketKind } from '../../../dataplane/packet/classify.js';
import { FragmentKind, findRequirement } from '../../../dataplane/packet/extension-headers.js';
import { flowHash, flowLabelOf } from '../../../dataplane/packet/flow-hash.js';
import { decodeFlowKey, encodeFlowKey } from '../../../dataplane/packet/flow-key.js';
import { hex, vectors } from './vectors.js';

const KINDS = { flow: PacketKind.Flow, 'later-fragment': PacketKind.LaterFragment, 'icmp-error': PacketKind.IcmpError, malformed: PacketKind.Malformed };
const REQUIREMENT_OPTION = 0x1e;

describe('classification of packets built by scapy', () => {
  for (const vector of vectors.classified) {
    it(`reads: ${vector.name}`, () => {
      const bytes = hex(vector.hex);
      const classifier = new Classifier();
      assert.equal(classifier.classify(bytes, 0, bytes.length), KINDS[vector.kind]);
      if (vector.key) assert.deepEqual(decodeFlowKey(classifier.key), vector.key);
      if (vector.kind === 'malformed') return;
      const span = findRequirement(bytes, bytes.length, classifier.chain, REQUIREMENT_OPTION);
      assert.equal(span && Buffer.from(bytes.subarray(span.start, span.end)).toString('hex'), vector.requirement);
      const fragment = vector.fragment === 'first' ? FragmentKind.First : vector.fragment === 'later' ? FragmentKind.Later : FragmentKind.None;
      assert.equal(classifier.chain.fragment, fragment);
      if (vector.identification !== undefined) assert.equal(classifier.chain.identification, vector.identification);
    });
  }

  it('reads the same at an offset in a larger buffer, with padding behind the packet', () => {
    const vector = vectors.classified.find(({ name }) => name.startsWith('Destination Options with'))!;
    const packet = hex(vector.hex);
    const bytes = new Uint8Array(packet.length + 200).fill(0xee);
    bytes.set(packet, 96);
    const classifier = new Classifier();
    assert.equal(classifier.classify(bytes, 96, packet.length + 20), PacketKind.Flow);
    assert.deepEqual(decodeFlowKey(classifier.key), vector.key);
  });

  it('calls a packet malformed at every length shorter than it states', () => {
    const classifier = new Classifier();
    for (const vector of vectors.classified) {
      const bytes = hex(vector.hex);
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(classifier.classify(bytes.subarray(0, length), 0, length), PacketKind.Malformed, `${vector.name} at ${length}`);
      }
    }
  });

  it('calls a packet malformed when its stated length cuts the headers it needs, at every length', () => {
    const classifier = new Classifier();
    const bytes = hex(vectors.classified.find(({ name }) => name === 'Authentication Header')!.hex);
    const needed = 40 + 24 + 4;
    for (let stated = 0; stated < bytes.length - 40; stated++) {
      const cut = bytes.slice();
      cut[4] = stated >> 8;
      cut[5] = stated & 0xff;
      const expected = 40 + stated < needed ? PacketKind.Malformed : PacketKind.Flow;
      assert.equal(classifier.classify(cut, 0, cut.length), expected, `stated ${stated}`);
    }
  });

  it('never throws and never reads outside an IPv4 packet, whatever the octets', () => {
    const classifier = new Classifier();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 100 }), fc.integer({ min: 0, max: 15 }), fc.constantFrom(1, 6, 17, 58, 132), fc.boolean(), (bytes, words, protocol, whole) => {
        bytes[0] = 0x40 | words;
        bytes[2] = 0;
        bytes[3] = bytes.length;
        bytes[9] = protocol;
        if (whole) bytes[6] = bytes[7] = 0;
        const kind = classifier.classify(bytes, 0, bytes.length);
        if (words < 5 || words * 4 > bytes.length) assert.equal(kind, PacketKind.Malformed);
        if (kind === PacketKind.Flow) assert.deepEqual([classifier.octets, decodeFlowKey(classifier.key).protocol], [bytes.length, protocol]);
      }),
      { numRuns: 3000 },
    );
  });

  it('never throws and never reads outside, whatever the octets', () => {
    const classifier = new Classifier();
    const header = fc.constantFrom(0, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), header, header, (tail, first, second) => {
        const bytes = new Uint8Array(40 + tail.length);
        bytes[0] = 0x60;
        bytes[5] = tail.length;
        bytes[6] = first;
        bytes.set(tail, 40);
        if (tail.length > 0) bytes[40] = second;
        const kind = classifier.classify(bytes, 0, bytes.length);
        if (kind === PacketKind.Malformed) return;
        const span = findRequirement(bytes, bytes.length, classifier.chain, REQUIREMENT_OPTION);
        assert.ok(classifier.chain.offset <= bytes.length || classifier.chain.fragment === FragmentKind.Later);
        assert.ok(!span || span.end <= bytes.length);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('flow keys', () => {
  it('come back from their octets, IPv4 as mapped addresses', () => {
    for (const key of [
      { source: '2001:db8::1', destination: 'fd5e::1', protocol: 6, sourcePort: 65535, destinationPort: 1 },
      { source: '192.0.2.1', destination: '198.51.100.2', protocol: 17, sourcePort: 53, destinationPort: 5353 },
    ]) {
      assert.deepEqual(decodeFlowKey(encodeFlowKey(key)), key);
    }
    assert.equal(Buffer.from(encodeFlowKey({ source: '192.0.2.1', destination: '::1', protocol: 17, sourcePort: 258, destinationPort: 3 })).toString('hex'),
      '00000000000000000000ffffc0000201' + '00000000000000000000000000000001' + '0102' + '0003' + '11' + '000000');
  });

  it('hash to labels that are never zero and spread evenly', () => {
    assert.equal(flowLabelOf(0), 1);
    assert.equal(flowLabelOf(0xfff00000), 1);
    assert.equal(flowLabelOf(0xabc12345), 0x12345);
    const buckets = new Array<number>(16).fill(0);
    for (let port = 0; port < 16_000; port++) {
      const key = encodeFlowKey({ source: '2001:db8::1', destination: 'fd5e::1', protocol: 17, sourcePort: port, destinationPort: 53 });
      buckets[flowLabelOf(flowHash(key)) & 15]!++;
    }
    for (const count of buckets) assert.ok(count > 850 && count < 1150, `a bucket of 1000 expected holds ${count}`);
  });
});
