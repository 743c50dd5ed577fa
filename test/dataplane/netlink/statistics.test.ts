import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeStatistics, encodeStatisticsRequest } from '../../../dataplane/netlink/statistics.js';
import { MessageWriter } from '../../../dataplane/netlink/writer.js';

/** Laid out as linux/if_link.h says, on a little-endian machine: struct if_stats_msg, then IFLA_STATS_LINK_64 with 25 counters. */
function message(): Buffer {
  const payload = Buffer.alloc(12 + 4 + 25 * 8);
  payload.writeUInt32LE(7, 4);
  payload.writeUInt32LE(1, 8);
  payload.writeUInt16LE(4 + 25 * 8, 12);
  payload.writeUInt16LE(1, 14);
  for (let i = 0; i < 25; i++) payload.writeBigUInt64LE((1n << 40n) + BigInt(i), 16 + i * 8);
  return payload;
}

describe('interface counters', () => {
  it('are read in the order of struct rtnl_link_stats64, 64 bits wide', () => {
    const big = 1n << 40n;
    assert.deepEqual(decodeStatistics(message()), {
      value: {
        index: 7, receivedPackets: big, sentPackets: big + 1n, receivedOctets: big + 2n, sentOctets: big + 3n,
        receiveErrors: big + 4n, sendErrors: big + 5n, receiveDropped: big + 6n, sendDropped: big + 7n,
      },
    });
  });

  it('a message that is cut short at any length is a fault', () => {
    const whole = message();
    for (let length = 0; length < whole.length; length++) assert.ok(decodeStatistics(whole.subarray(0, length)).fault);
  });

  it('no octets make the decoder throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeStatistics(bytes)));
  });

  it('the request asks for the 64-bit counters of all interfaces', () => {
    const writer = new MessageWriter();
    encodeStatisticsRequest(writer);
    assert.equal(Buffer.from(writer.written()).toString('hex'), '00000000' + '00000000' + '01000000');
  });
});
