/** Cease subcodes (RFC 4486) and the shutdown communication (RFC 9003). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive, encodeNotification } from '../../../../daemon/bgp/wire/encode.js';
import { notification } from '../../../../daemon/bgp/wire/notification.js';
import { IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { hexBytes, RawPeer } from '../raw-peer.js';

const plain = (): { network: Network; node: Node; peer: RawPeer } => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  return { network, node, peer: RawPeer.established(network, node) };
};
const cease = (peer: RawPeer): unknown[] => peer.received.filter((each) => each.type === 'notification').map(({ code, subcode, data }) => [code, subcode, Buffer.from(data).toString()]);

test('9003 section 2: a shutdown tells the words of the operator, and lasts until it is ended', () => {
  const { network, node, peer } = plain();
  assert.equal(node.speaker.shutdownNeighbor(peer.address, 'Wartung 🛠'), true);
  network.settle(10);
  assert.deepEqual(cease(peer), [[6, 2, '\u000cWartung 🛠']]);
  assert.equal(peer.closed, true);
  assert.equal(node.view(peer.address).shutdown, 'Wartung 🛠');
  network.settle(120_000);
  assert.equal(node.state(peer.address), 'Idle');
  assert.equal(node.speaker.enableNeighbor(peer.address), true);
  assert.equal(node.view(peer.address).shutdown, undefined);
  const again = new RawPeer(network, node, peer.address, 65001);
  again.connect();
  again.open();
  again.send(encodeKeepalive());
  assert.equal(node.state(peer.address), 'Established');
});

test('9003 section 2: without words the NOTIFICATION has no data, with too many they are cut between characters', () => {
  const [short, long] = [plain(), plain()];
  short.node.speaker.shutdownNeighbor(short.peer.address);
  long.node.speaker.shutdownNeighbor(long.peer.address, 'é'.repeat(200));
  for (const { network } of [short, long]) network.settle(10);
  assert.deepEqual(cease(short.peer), [[6, 2, '']]);
  assert.deepEqual(cease(long.peer), [[6, 2, `\ufffd${'é'.repeat(127)}`]]);
});

test('9003 section 2: an administrative reset may have words too', () => {
  const { network, node, peer } = plain();
  node.speaker.clearNeighbor(peer.address, false, 'new key');
  network.settle(10);
  assert.deepEqual(cease(peer), [[6, 4, '\u0007new key']]);
});

test('9003 section 3: the words of the peer stand in the event and with the neighbour', () => {
  const { network, node, peer } = plain();
  peer.send(encodeNotification(notification(6, 2, hexBytes('03 627965'))));
  network.settle(10);
  assert.equal(node.view(peer.address).lastError?.text, 'Cease: Administrative Shutdown ("bye") (6/2)');
  assert.ok(node.events.some(({ text }) => text === 'received Cease: Administrative Shutdown ("bye") (6/2)'));
});

test('9003 section 4: words that are no UTF-8, or longer than the data, are left out, and the session ends all the same', () => {
  for (const data of ['02 c328', '05 61']) {
    const { network, node, peer } = plain();
    peer.send(encodeNotification(notification(6, 2, hexBytes(data))));
    network.settle(10);
    assert.equal(node.view(peer.address).lastError?.text, 'Cease: Administrative Shutdown (6/2)');
    assert.notEqual(node.state(peer.address), 'Established');
  }
});

test('9003 section 2: a shutdown outlives a change of the configuration of its neighbour', () => {
  const { network, node, peer } = plain();
  node.speaker.shutdownNeighbor(peer.address, 'moved');
  node.neighbors = [{ ...node.neighbors[0]!, holdTimeMs: 30_000 }];
  node.speaker.reconfigure(node.config());
  network.settle(10_000);
  assert.deepEqual([node.state(peer.address), node.view(peer.address).shutdown], ['Idle', 'moved']);
});

test('9003 section 2: nothing is shut down or enabled that is no neighbour, and enabling what runs changes nothing', () => {
  const { node, peer } = plain();
  assert.equal(node.speaker.shutdownNeighbor('2001:db8::99'), false);
  assert.equal(node.speaker.enableNeighbor('2001:db8::99'), false);
  assert.equal(node.speaker.enableNeighbor(peer.address), true);
  assert.equal(node.view(peer.address).establishedCount, 1);
});

const stranger = (network: Network, node: Node, address: string): RawPeer => {
  const peer = new RawPeer(network, node, address, 65001, [{ kind: 'multiprotocol', family: IPV6_UNICAST }]);
  peer.connect();
  network.settle(10);
  return peer;
};

test('4486 section 4: a connection from an address that is no neighbour is rejected with its reason', () => {
  const network = new Network();
  const node = network.node();
  network.start(node);
  const peer = stranger(network, node, '2001:db8::77');
  assert.deepEqual([cease(peer), peer.closed], [[[6, 5, '']], true]);
});

test('4486 section 4: a connection to a session that is shut down is rejected with its reason', () => {
  const { network, node, peer } = plain();
  node.speaker.shutdownNeighbor(peer.address);
  network.settle(10);
  const again = stranger(network, node, peer.address);
  assert.deepEqual([cease(again), again.closed], [[[6, 5, '']], true]);
});

test('4486 section 4: a neighbour that leaves the configuration is told so', () => {
  const { network, node, peer } = plain();
  node.neighbors = [];
  node.speaker.reconfigure(node.config());
  network.settle(10);
  assert.deepEqual(cease(peer), [[6, 3, '']]);
});

test('4486 section 4: another local AS is told as another configuration', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = RawPeer.established(network, node);
  node.speaker.reconfigure({ ...node.config(), as: 65010, neighbors: [neighbor(peer.address, node.address, 65001, { passive: true })] });
  network.settle(10);
  assert.deepEqual(cease(peer), [[6, 6, '']]);
});
