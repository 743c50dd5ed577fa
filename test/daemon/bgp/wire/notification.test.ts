import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import { encodeKeepalive, encodeNotification, encodeRouteRefresh } from '../../../../daemon/bgp/wire/encode.js';
import { ceaseWithCommunication, describeNotification, hardResetContent, notification, shutdownCommunication } from '../../../../daemon/bgp/wire/notification.js';
import { IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { hex } from '../../../vectors/load.js';
import { decoded, faultOf, IBGP, message } from './support/messages.js';

describe('NOTIFICATION', () => {
  it('names codes and subcodes, and shows unknown ones as numbers', () => {
    const names: [number, number, string][] = [
      [1, 2, 'Message Header Error: Bad Message Length'],
      [2, 6, 'OPEN Message Error: Unacceptable Hold Time'],
      [3, 11, 'UPDATE Message Error: Malformed AS_PATH'],
      [4, 0, 'Hold Timer Expired'],
      [5, 3, 'Finite State Machine Error: Unexpected Message in Established State'],
      [6, 7, 'Cease: Connection Collision Resolution'],
      [6, 99, 'Cease: subcode 99'],
      [7, 1, 'ROUTE-REFRESH Message Error: Invalid Message Length'],
      [8, 0, 'Send Hold Timer Expired'],
      [77, 3, 'error 77: subcode 3'],
    ];
    for (const [code, subcode, text] of names) assert.equal(describeNotification(notification(code, subcode)), text);
  });

  it('carries the operator\'s words both ways (RFC 9003)', () => {
    const octets = encodeNotification(ceaseWithCommunication(2, 'Wartung 🛠 bis 23:00'));
    const value = decoded(octets);
    assert.equal(value.type === 'notification' && value.shutdownCommunication, 'Wartung 🛠 bis 23:00');
  });

  it('cuts words at a character boundary to fit 255 octets', () => {
    const words = shutdownCommunication(ceaseWithCommunication(4, 'é'.repeat(200)));
    assert.equal(words, 'é'.repeat(127));
    assert.deepEqual(ceaseWithCommunication(2, ''), { code: 6, subcode: 2, data: new Uint8Array(0) });
  });

  it('reads no words where there are none, where they overrun and where they are not UTF-8', () => {
    for (const data of ['', '00', '05 61', '02 c328']) assert.equal(shutdownCommunication(notification(6, 2, hex(data))), undefined, data);
    assert.equal(shutdownCommunication(notification(6, 1, hex('01 61'))), undefined, 'only shutdown and reset carry words');
  });

  it('opens a Hard Reset (RFC 8538)', () => {
    const hard = notification(6, 9, hex('0602 03 627965'));
    assert.deepEqual(hardResetContent(hard), notification(6, 2, hex('03 627965')));
    assert.equal(describeNotification(hard), 'Cease: Hard Reset (Cease: Administrative Shutdown ("bye"))');
    assert.equal(hardResetContent(notification(6, 9, hex('06'))), undefined);
  });

  it('cuts data to the longest message the peer takes', () => {
    assert.equal(encodeNotification(notification(3, 1, new Uint8Array(5000))).length, 4096);
    assert.equal(encodeNotification(notification(3, 1, new Uint8Array(5000)), true).length, 5021);
  });

  it('never throws on any code, subcode and data', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 60 }), (code, subcode, data) => {
        const value = decoded(encodeNotification({ code, subcode, data }));
        assert.deepEqual(value.type === 'notification' && [value.code, value.subcode, value.data], [code, subcode, data]);
        describeNotification({ code, subcode, data });
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (data) => void describeNotification(notification(6, 9, data))));
  });
});

describe('KEEPALIVE and ROUTE-REFRESH', () => {
  it('are what RFC 4271 and RFC 2918 draw', () => {
    assert.deepEqual(encodeKeepalive(), message(4, ''));
    assert.deepEqual(encodeRouteRefresh(IPV6_UNICAST), message(5, '0002 00 01'));
    assert.deepEqual(encodeRouteRefresh(IPV6_UNICAST, 2), message(5, '0002 02 01'));
  });

  it('decode again', () => {
    assert.deepEqual(decoded(encodeKeepalive()), { type: 'keepalive' });
    assert.deepEqual(decoded(encodeRouteRefresh(IPV6_UNICAST, 1)), { type: 'routeRefresh', family: IPV6_UNICAST, subtype: 1 });
  });

  it('a begin or end of refresh with octets after it is refused with 7/1 and the whole message (RFC 7313 section 5)', () => {
    for (const subtype of ['01', '02']) {
      const octets = message(5, `0002 ${subtype} 01 00`);
      assert.deepEqual(faultOf(octets).notification, { code: 7, subcode: 1, data: octets });
    }
    assert.equal(decoded(message(5, '0002 00 01 01 40 0000')).type, 'routeRefresh', 'a plain one may carry filters');
  });
});

describe('A message as a whole', () => {
  it('is refused when its length is not the header\'s', () => {
    for (const octets of [hex(''), hex('ffff'), message(4, '').subarray(0, 18), Uint8Array.from([...message(4, ''), 0]), message(2, '0000 0000').subarray(0, 22)]) {
      const result = decodeMessage(octets, IBGP);
      assert.ok(!result.ok);
      assert.deepEqual([result.fault.notification.code, result.fault.notification.subcode], [1, 2]);
    }
  });
});
