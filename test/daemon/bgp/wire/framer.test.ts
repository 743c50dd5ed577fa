import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MessageFramer } from '../../../../daemon/bgp/wire/framer.js';
import { hex, vectorPath } from '../../../vectors/load.js';
import { message, update } from './support/messages.js';
import { tcpStreams } from './support/pcap.js';

const KEEPALIVE = message(4, '');
const UPDATE = update({ withdrawn: '08 0a' });
const STREAM = Uint8Array.from([...KEEPALIVE, ...UPDATE, ...message(3, '0602'), ...KEEPALIVE]);
const MESSAGES = [KEEPALIVE, UPDATE, message(3, '0602'), KEEPALIVE];

/** The messages out of a stream pushed in these chunks; insists that there is no fault. */
function framed(...chunks: Uint8Array[]): Uint8Array[] {
  const framer = new MessageFramer();
  return chunks.flatMap((chunk) => {
    const { messages, fault } = framer.push(chunk);
    assert.equal(fault, undefined);
    return messages;
  });
}

describe('Framing of a BGP stream', () => {
  it('cuts a stream that comes in one piece', () => {
    assert.deepEqual(framed(STREAM), MESSAGES);
  });

  it('cuts a stream that is split at any offset', () => {
    for (let at = 0; at <= STREAM.length; at++) assert.deepEqual(framed(STREAM.subarray(0, at), STREAM.subarray(at)), MESSAGES, `split at ${at}`);
  });

  it('cuts a stream that comes octet by octet', () => {
    assert.deepEqual(framed(...Array.from(STREAM, (octet) => Uint8Array.of(octet))), MESSAGES);
  });

  it('cuts a recorded session the same in any pieces', () => {
    const stream = tcpStreams(vectorPath('bgp', 'cpn-frr-bird.pcap')).find(({ source }) => source === '2001:db8:2::1');
    const octets = new Uint8Array(Buffer.concat(stream!.chunks));
    const whole = framed(octets);
    assert.ok(whole.length >= 6);
    fc.assert(
      fc.property(fc.array(fc.nat(octets.length), { maxLength: 12 }), (cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), octets.length];
        assert.deepEqual(framed(...bounds.slice(1).map((end, i) => octets.subarray(bounds[i], end))), whole);
      }),
    );
  });

  it('does not change an earlier message when more is pushed', () => {
    const framer = new MessageFramer();
    framer.push(UPDATE.subarray(0, 20));
    const [first] = framer.push(UPDATE.subarray(20)).messages;
    framer.push(KEEPALIVE.subarray(0, 5));
    framer.push(KEEPALIVE.subarray(5));
    assert.deepEqual(first, UPDATE);
  });

  const wrong: [string, Uint8Array, number, string][] = [
    ['a marker that is not all ones', hex(`${'ff'.repeat(15)}fe 0013 04`), 1, ''],
    ['a length below 19', hex(`${'ff'.repeat(16)} 0012 04`), 2, '0012'],
    ['a length past 4096', hex(`${'ff'.repeat(16)} 1001 02`), 2, '1001'],
    ['a KEEPALIVE with a body', hex(`${'ff'.repeat(16)} 0014 04`), 2, '0014'],
    ['an OPEN of 28 octets', hex(`${'ff'.repeat(16)} 001c 01`), 2, '001c'],
    ['an UPDATE of 22 octets', hex(`${'ff'.repeat(16)} 0016 02`), 2, '0016'],
    ['a NOTIFICATION of 20 octets', hex(`${'ff'.repeat(16)} 0014 03`), 2, '0014'],
    ['a ROUTE-REFRESH of 22 octets', hex(`${'ff'.repeat(16)} 0016 05`), 2, '0016'],
    ['message type 0', hex(`${'ff'.repeat(16)} 0013 00`), 3, '00'],
    ['message type 6', hex(`${'ff'.repeat(16)} 0013 06`), 3, '06'],
  ];
  for (const [what, octets, subcode, data] of wrong) {
    it(`stops at ${what} with 1/${subcode}, after the messages before it, however it is split`, () => {
      for (let at = 0; at <= octets.length; at++) {
        const framer = new MessageFramer();
        const first = framer.push(Uint8Array.from([...KEEPALIVE, ...octets.subarray(0, at)]));
        const second = framer.push(Uint8Array.from([...octets.subarray(at), ...KEEPALIVE]));
        assert.deepEqual([...first.messages, ...second.messages], [KEEPALIVE]);
        assert.equal(second.fault?.disposition, 'sessionReset');
        assert.deepEqual(second.fault.notification, { code: 1, subcode, data: hex(data) });
        assert.equal(framer.push(KEEPALIVE).fault, second.fault, 'the fault stays');
      }
    });
  }

  it('takes extended messages once they are announced, but no OPEN or KEEPALIVE of that length', () => {
    const long = update({ withdrawn: '20 0a000001'.repeat(1000) });
    assert.ok(long.length > 4096);
    const framer = new MessageFramer();
    framer.extendedMessage = true;
    assert.deepEqual(framer.push(long).messages, [long]);
    assert.equal(framer.push(hex(`${'ff'.repeat(16)} 1001 01`)).fault?.notification.subcode, 2);
    assert.equal(new MessageFramer().push(long).fault?.notification.subcode, 2);
  });

  it('never throws on any octets', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        const framer = new MessageFramer();
        for (const chunk of chunks) framer.push(chunk);
      }),
    );
  });
});
