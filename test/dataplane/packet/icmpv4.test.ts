import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { foldChecksum, sumOctets } from '../../../dataplane/packet/checksum.js';
import { buildIcmpv4Error } from '../../../dataplane/packet/icmpv4.js';
import { hex, vectors } from './vectors.js';

const vector = (name: string): Uint8Array => hex(vectors.classified.find((candidate) => candidate.name === name)!.hex);
const NEEDED = { type: 3, code: 4, parameter: 1412 };

describe('an ICMPv4 error', () => {
  it('quotes a packet up to 576 octets, to its source, and leaves its own source and header checksum to the kernel', () => {
    const packet = new Uint8Array(1500);
    packet.set(vector('IPv4 UDP'));
    const error = buildIcmpv4Error(packet, 0, packet.length, NEEDED)!;
    const view = new DataView(error.buffer);
    assert.deepEqual([error.length, error[0], error[1], view.getUint16(2), error[9]], [576, 0x45, 0xc0, 576, 1]);
    assert.deepEqual([view.getUint16(10), view.getUint32(12), view.getUint32(16)], [0, 0, 0xc0000202]);
    assert.deepEqual([error[20], error[21], view.getUint16(24), view.getUint16(26)], [3, 4, 0, 1412]);
    assert.equal(foldChecksum(sumOctets(error, 20, 556)), 0);
    assert.deepEqual(error.subarray(28), packet.subarray(0, 548));
    const short = vector('IPv4 UDP');
    assert.equal(buildIcmpv4Error(short, 0, short.length, NEEDED)!.length, 28 + short.length);
  });

  it('is not sent about a later fragment, nor to a source that is no single host (RFC 1812 section 4.3.2.7)', () => {
    const later = vector('IPv4 later fragment');
    assert.equal(buildIcmpv4Error(later, 0, later.length, NEEDED), undefined);
    for (const first of [0, 127, 224, 255]) {
      const packet = vector('IPv4 UDP');
      packet[12] = first;
      assert.equal(buildIcmpv4Error(packet, 0, packet.length, NEEDED), undefined, String(first));
    }
  });

  it('is not built from less than a header, at any length, and never throws', () => {
    const packet = vector('IPv4 with options');
    for (let length = 0; length < 32; length++) assert.equal(buildIcmpv4Error(packet, 0, length, NEEDED), undefined, String(length));
    assert.ok(buildIcmpv4Error(packet, 0, 32, NEEDED));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void buildIcmpv4Error(bytes, 0, bytes.length, NEEDED)));
  });
});
