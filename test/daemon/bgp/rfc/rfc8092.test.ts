import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import type { DecodeContext, UpdateMessage } from '../../../../daemon/bgp/wire/types.js';
import { Network } from '../network.js';
import { policiesOf } from '../policy/policies.js';
import { hexBytes, message } from '../raw-peer.js';

const prefix = '2001:db8:a::/48';
const context: DecodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: true, ibgp: false, cpnAttributeType: 255 };

/** An UPDATE of 2001:db8:a::/48 with a LARGE_COMMUNITY attribute of this value. */
function updateWith(large: string): UpdateMessage {
  const reach = '0002 01 10 20010db8000000000000000000000001 00 30 20010db8000a';
  const attributes = hexBytes(`40 01 01 00  40 02 06 02 01 0000fde9  c0 20 ${(large.replaceAll(' ', '').length / 2).toString(16).padStart(2, '0')} ${large}  80 0e ${(hexBytes(reach).length).toString(16).padStart(2, '0')} ${reach}`);
  const body = new Uint8Array(4 + attributes.length);
  new DataView(body.buffer).setUint16(2, attributes.length);
  body.set(attributes, 4);
  const decoded = decodeMessage(message(2, body), context);
  assert.ok(decoded.ok && decoded.message.type === 'update');
  return decoded.message;
}

const one = '0000fde8 00000001 00000002';
const other = '0000fde8 00000001 00000003';

describe('RFC 8092', () => {
  test('8092 section 3: three 4-octet fields each', () => {
    assert.deepEqual(updateWith(`${one} ${other}`).attributes?.largeCommunities, [
      { global: 65000, local1: 1, local2: 2 },
      { global: 65000, local1: 1, local2: 3 },
    ]);
  });

  test('8092 section 5: redundant values are removed in silence', () => {
    const update = updateWith(`${one} ${other} ${one}`);
    assert.deepEqual(update.attributes?.largeCommunities, [
      { global: 65000, local1: 1, local2: 2 },
      { global: 65000, local1: 1, local2: 3 },
    ]);
    assert.deepEqual([update.disposition, update.faults], ['accept', []]);
  });

  test('8092 section 6: a length that is no multiple of 12, or 0, withdraws the routes', () => {
    for (const large of ['', '00', one.slice(0, -2), `${one} 00`]) assert.equal(updateWith(large).disposition, 'treatAsWithdraw', large);
  });

  test('8092 section 3: values are passed on unchanged through ASes, and policies work on them', () => {
    const network = new Network();
    const [a, b, c] = [
      network.node({ as: 65001, bgp: policiesOf('  policies: {out: {rules: [{set: {largeCommunity: {add: ["65001:1:1", "65001:1:2"]}}}]}}\n') }),
      network.node({ as: 65002 }),
      network.node({ as: 65003, bgp: policiesOf('  policies: {in: {rules: [{match: {largeCommunity: "65001:*:2"}, set: {largeCommunity: {remove: "65001:1:1"}, localPreference: 5}}]}}\n') }),
    ];
    network.connect(a, b, { export: { policy: ['out'] } });
    network.connect(b, c, {}, { import: { policy: ['in'] } });
    network.start(a, b, c);
    network.settle();
    a.speaker.announce({ prefix });
    network.settle();
    assert.deepEqual(b.best(prefix)?.largeCommunities, ['65001:1:1', '65001:1:2']);
    assert.deepEqual([c.best(prefix)?.largeCommunities, c.best(prefix)?.localPref], [['65001:1:2'], 5]);
  });
});
