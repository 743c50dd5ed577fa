/** Graceful restart on NOTIFICATION, and the Hard Reset (RFC 8538). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive, encodeNotification } from '../../../../daemon/bgp/wire/encode.js';
import { hardReset, notification } from '../../../../daemon/bgp/wire/notification.js';
import { type Capability, IPV6_UNICAST, type Notification } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { announcement, hexBytes, message, RawPeer } from '../raw-peer.js';

const prefix = '2001:db8:b::/48';
const address = '2001:db8::bad';

const capabilities = (withNotification: boolean, restarting = false): Capability[] => [
  { kind: 'multiprotocol', family: IPV6_UNICAST },
  { kind: 'fourOctetAs', as: 65001 },
  { kind: 'gracefulRestart', restarting, notification: withNotification, timeSeconds: 100, families: [{ ...IPV6_UNICAST, forwardingPreserved: true }] },
];

interface Scene {
  readonly network: Network;
  readonly node: Node;
  readonly peer: RawPeer;
  readonly again: () => RawPeer;
}

function withRoute(withNotification: boolean): Scene {
  const network = new Network();
  const node = network.node();
  node.neighbors.push(neighbor(address, node.address, 65001, { passive: true }));
  network.start(node);
  const session = (restarting: boolean): RawPeer => {
    const peer = new RawPeer(network, node, address, 65001, capabilities(withNotification, restarting));
    peer.connect();
    peer.open();
    peer.send(encodeKeepalive());
    return peer;
  };
  const peer = session(false);
  peer.send(announcement(prefix, 65001));
  assert.equal(node.unicast.size, 1);
  return { network, node, peer, again: () => session(true) };
}

const sent = (peer: RawPeer): Notification | undefined => peer.received.find((each) => each.type === 'notification');

test('8538 section 2: the N bit is announced', () => {
  const { peer } = withRoute(false);
  const open = peer.received.find((each) => each.type === 'open');
  assert.equal(open?.capabilities.find((each) => each.kind === 'gracefulRestart')?.notification, true);
});

const ends: readonly { readonly what: string; readonly end: (scene: Scene) => void; readonly code: readonly [number, number] | undefined }[] = [
  { what: 'a NOTIFICATION of the peer', end: ({ peer }) => peer.send(encodeNotification(notification(6, 6))), code: undefined },
  { what: 'a fault of the peer, answered by a NOTIFICATION', end: ({ peer }) => peer.send(message(2, hexBytes('ffff 0000'))), code: [3, 1] },
  { what: 'the Hold Timer', end: ({ network }) => network.settle(90_500), code: [4, 0] },
];

for (const { what, end, code } of ends) {
  test(`8538 section 4: ${what} leaves stale routes where both sides have set the N bit`, () => {
    const scene = withRoute(true);
    end(scene);
    scene.network.settle(50);
    const answer = sent(scene.peer);
    assert.deepEqual(answer && [answer.code, answer.subcode], code);
    assert.equal(scene.node.unicast.get(prefix)?.stale, true);
    scene.network.settle(5000);
    scene.again().send(announcement(prefix, 65001));
    assert.equal(scene.node.unicast.get(prefix)?.stale, false);
  });

  test(`8538 section 4: ${what} takes the routes along where the peer has not set it`, () => {
    const scene = withRoute(false);
    end(scene);
    scene.network.settle(50);
    assert.equal(scene.node.unicast.size, 0);
  });
}

test('8538 section 3.2: a Hard Reset of the peer takes the routes along, and is told with what it carries', () => {
  const { network, node, peer } = withRoute(true);
  peer.send(encodeNotification(hardReset(notification(6, 2, hexBytes('03 627965')))));
  network.settle(50);
  assert.equal(node.unicast.size, 0);
  assert.equal(node.view(address).lastError?.text, 'Cease: Hard Reset (Cease: Administrative Shutdown ("bye")) (6/9)');
});

for (const [what, act, data] of [
  ['a shutdown', (node) => node.speaker.shutdownNeighbor(address, 'bye'), '06 02 03 627965'],
  ['an administrative reset', (node) => node.speaker.clearNeighbor(address), '06 04'],
  [
    'the removal of the neighbour',
    (node) => {
      node.neighbors = [];
      node.speaker.reconfigure(node.config());
    },
    '06 03',
  ],
] as [string, (node: Node) => void, string][]) {
  test(`8538 section 5.1: ${what} is a Hard Reset to a peer with the N bit, and takes its routes along here`, () => {
    const { network, node, peer } = withRoute(true);
    act(node);
    network.settle(50);
    assert.deepEqual(sent(peer) && { ...sent(peer), type: undefined }, { ...notification(6, 9, hexBytes(data)), type: undefined, shutdownCommunication: data.length > 5 ? 'bye' : undefined });
    assert.equal(node.unicast.size, 0);
  });

  test(`8538 section 4: ${what} is a plain Cease to a peer without it`, () => {
    const { network, node, peer } = withRoute(false);
    act(node);
    network.settle(50);
    const octets = hexBytes(data);
    assert.deepEqual([sent(peer)?.code, sent(peer)?.subcode], [octets[0], octets[1]]);
  });
}

test('8538 section 4.1: a second restart takes nothing away; the upper bound counts from the first', () => {
  const { network, node, peer, again } = withRoute(true);
  peer.stream?.close();
  network.settle(50_000);
  const second = again();
  assert.equal(node.unicast.get(prefix)?.stale, true);
  network.settle(80_000);
  second.stream?.close();
  network.settle(40_000);
  assert.equal(node.unicast.size, 1, '170 s after the first loss');
  network.settle(11_000);
  assert.equal(node.unicast.size, 0, '181 s after it, although the second restart time runs for 49 s more');
});
