/** Error handling (RFC 4271 section 6): each NOTIFICATION with its code, subcode and data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive, encodeNotification } from '../../../../daemon/bgp/wire/encode.js';
import { notification } from '../../../../daemon/bgp/wire/notification.js';
import { type Capability, IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { hexBytes, message, RawPeer, update } from '../raw-peer.js';

const marker = 'ff'.repeat(16);
const ipv6: Capability = { kind: 'multiprotocol', family: IPV6_UNICAST };

/** A node, and a raw peer in place of its neighbour whose connection is there. */
function connected(): { network: Network; node: Node; peer: RawPeer } {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = new RawPeer(network, node, '2001:db8::bad', 65001);
  node.neighbors.push(neighbor(peer.address, node.address, 65001, { passive: true }));
  network.start(node);
  peer.connect();
  return { network, node, peer };
}

const raw = (text: string) => (peer: RawPeer) => peer.send(hexBytes(text));
const inSteps =
  (...steps: readonly ((peer: RawPeer) => void)[]) =>
  (peer: RawPeer): void => {
    for (const step of steps) step(peer);
  };
const open = (peer: RawPeer): void => peer.open();
const established = inSteps(open, (peer) => peer.send(encodeKeepalive()));
const body = (text: string) => (peer: RawPeer) => peer.send(message(2, hexBytes(text)));
const refresh = encodeNotification(notification(6, 4));

/** Rows: section, what the peer does, code, subcode, data. */
const rows: readonly (readonly [section: string, what: string, act: (peer: RawPeer) => void, code: number, subcode: number, data: string])[] = [
  ['4271 section 6.1', 'a marker that is not all ones', raw(`${'00'.repeat(16)}001304`), 1, 1, ''],
  ['4271 section 6.1', 'a length of 18', raw(`${marker}001204`), 1, 2, '0012'],
  ['4271 section 6.1', 'a length of 4097 of an OPEN', raw(`${marker}100101`), 1, 2, '1001'],
  ['4271 section 6.1', 'an OPEN of 28 octets', raw(`${marker}001c01 04fde9005a0a0909 09`), 1, 2, '001c'],
  ['4271 section 6.1', 'an UPDATE of 22 octets', raw(`${marker}001602 000000`), 1, 2, '0016'],
  ['4271 section 6.1', 'a KEEPALIVE of 20 octets', raw(`${marker}001404 00`), 1, 2, '0014'],
  ['4271 section 6.1', 'a NOTIFICATION of 20 octets', raw(`${marker}001403 06`), 1, 2, '0014'],
  ['2918 section 3', 'a ROUTE-REFRESH of 22 octets', raw(`${marker}001605 000200`), 1, 2, '0016'],
  ['4271 section 6.1', 'message type 0', raw(`${marker}001300`), 1, 3, '00'],
  ['4271 section 6.1', 'message type 9', raw(`${marker}001309`), 1, 3, '09'],
  ['4271 section 6.2', 'version 3', (peer) => peer.send(message(1, hexBytes('03 fde9 005a 0a090909 00'))), 2, 1, '0004'],
  ['4271 section 6.2', 'version 5', (peer) => peer.send(message(1, hexBytes('05 fde9 005a 0a090909 00'))), 2, 1, '0004'],
  ['4271 section 6.2', 'another AS', (peer) => peer.open({ as: 65009, capabilities: [ipv6, { kind: 'fourOctetAs', as: 65009 }] }), 2, 2, ''],
  ['7607 section 2', 'AS 0', (peer) => peer.send(message(1, hexBytes('04 0000 005a 0a090909 00'))), 2, 2, ''],
  ['6286 section 2.2', 'identifier 0', (peer) => peer.open({ identifier: '0.0.0.0' }), 2, 3, ''],
  ['4271 section 6.2', 'an optional parameter that is not capabilities', (peer) => peer.send(message(1, hexBytes('04 fde9 005a 0a090909 03 01 01 00'))), 2, 4, ''],
  ['4271 section 6.2', 'optional parameters that do not add up', (peer) => peer.send(message(1, hexBytes('04 fde9 005a 0a090909 04 02 06 02 00'))), 2, 0, ''],
  ['4271 section 6.2', 'hold time 1', (peer) => peer.open({ holdTime: 1 }), 2, 6, ''],
  ['4271 section 6.2', 'hold time 2', (peer) => peer.open({ holdTime: 2 }), 2, 6, ''],
  ['5492 section 5', 'no family in common', (peer) => peer.open({ capabilities: [{ kind: 'fourOctetAs', as: 65001 }] }), 2, 7, '010400020001'],
  ['4271 section 6.3', 'an UPDATE whose lengths exceed it', inSteps(established, body('ffff 0000')), 3, 1, ''],
  ['4271 section 6.3', 'an unrecognised well-known attribute', inSteps(established, (peer) => peer.send(update('40 63 01 07'))), 3, 2, '40630107'],
  ['7606 section 5.2', 'an ORIGIN that is none, and no prefixes', inSteps(established, (peer) => peer.send(update('40 01 01 09'))), 3, 6, '40010109'],
  ['7606 section 5.3', 'withdrawn routes that are no prefixes', inSteps(established, body('0002 21c0 0000')), 3, 10, ''],
  ['7606 section 7.11', 'an MP_REACH_NLRI cut short', inSteps(established, (peer) => peer.send(update('80 0e 03 000201'))), 3, 9, '800e03000201'],
  ['7606 section 3 (g)', 'MP_UNREACH_NLRI twice', inSteps(established, (peer) => peer.send(update('80 0f 03 000201 80 0f 03 000201'))), 3, 1, ''],
  ['4271 section 6.6', 'KEEPALIVE before OPEN', (peer) => peer.send(encodeKeepalive()), 5, 1, '04'],
  ['4271 section 6.6', 'UPDATE before OPEN', (peer) => peer.send(update('')), 5, 1, '02'],
  ['4271 section 6.6', 'UPDATE before KEEPALIVE', inSteps(open, (peer) => peer.send(update(''))), 5, 2, '02'],
  ['4271 section 6.6', 'a second OPEN before KEEPALIVE', inSteps(open, open), 5, 2, '01'],
  ['4271 section 6.6', 'a second OPEN in an established session', inSteps(established, open), 5, 3, '01'],
];

for (const [section, what, act, code, subcode, data] of rows) {
  test(`${section}: ${what} is answered by NOTIFICATION ${code}/${subcode}${data === '' ? '' : ` with data ${data}`}, and the connection closed`, () => {
    const { node, peer } = connected();
    act(peer);
    const sent = peer.received.filter((each) => each.type === 'notification');
    assert.deepEqual(sent.map((each) => [each.code, each.subcode, Buffer.from(each.data).toString('hex')]), [[code, subcode, data]]);
    assert.equal(peer.closed, true);
    assert.notEqual(node.state(peer.address), 'Established');
  });
}

test('4271 section 6.4: a NOTIFICATION with an error in itself is not answered, and told', () => {
  const { node, peer } = connected();
  established(peer);
  peer.send(message(3, hexBytes('63 07')));
  assert.deepEqual(peer.received.filter((each) => each.type === 'notification'), []);
  assert.equal(peer.closed, true);
  assert.equal(node.view(peer.address).lastError?.text, 'error 99: subcode 7 (99/7)');
});

test('4271 section 6.5: silence for the hold time is answered by Hold Timer Expired, without data', () => {
  const { network, peer } = connected();
  established(peer);
  network.settle(89_000);
  assert.equal(peer.closed, false);
  network.settle(2000);
  const [sent] = peer.received.filter((each) => each.type === 'notification');
  assert.deepEqual(sent && [sent.code, sent.subcode, sent.data.length], [4, 0, 0]);
});

test('4271 section 8.2.2: the large hold time of four minutes ends a connection that never says OPEN', () => {
  const { network, peer } = connected();
  network.settle(239_000);
  assert.equal(peer.closed, false);
  network.settle(2000);
  assert.deepEqual(peer.notification(), { code: 4, subcode: 0 });
});

test('4271 section 6.7: a Cease of the peer ends the session, which comes back', () => {
  const { network, node, peer } = connected();
  established(peer);
  peer.send(refresh);
  assert.deepEqual([node.view(peer.address).lastError?.code, node.view(peer.address).lastError?.subcode, peer.closed], [6, 4, true]);
  network.settle(5000);
  const again = new RawPeer(network, node, peer.address, 65001);
  again.connect();
  established(again);
  assert.equal(node.state(peer.address), 'Established');
});

test('4271 section 6: the session that an error ends is not taken up again before IdleHold', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const times: number[] = [];
  network.links.listen(
    { address: '2001:db8::bad', port: 179 },
    {
      accepted: (stream) => {
        times.push(network.clock.now());
        stream.write(encodeNotification(notification(2, 2)));
        stream.close();
      },
      refused: () => undefined,
      failed: () => undefined,
    },
  );
  node.neighbors.push(neighbor('2001:db8::bad', node.address, 65001));
  network.start(node);
  network.settle(60_000);
  const waits = times.slice(1).map((at, index) => at - times[index]!);
  assert.ok(times.length >= 5 && times.length <= 8, `${times.length} connections in a minute`);
  for (const [index, wait] of waits.slice(0, 5).entries()) assert.ok(wait >= 750 * 2 ** index && wait <= 1010 * 2 ** index, `wait ${index + 1} is ${wait} ms`);
});
