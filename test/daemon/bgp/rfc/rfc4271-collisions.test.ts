/** Connection collision detection (RFC 4271 section 6.8, RFC 6286 section 2.3), in every state of the other connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive } from '../../../../daemon/bgp/wire/encode.js';
import { IPV6_UNICAST, type Capability } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { RawPeer } from '../raw-peer.js';

const address = '2001:db8::bad';
/** Below and above the 10.9.9.9 of the raw peer. */
const LOWER = '10.0.0.1';
const HIGHER = '10.200.0.1';
const collision = { code: 6, subcode: 7 };

interface Scene {
  readonly network: Network;
  readonly node: Node;
  /** The connection that the node has opened. */
  readonly opened: RawPeer;
  /** Another one, opened by the peer. */
  readonly another: () => RawPeer;
}

/** A node whose own connection to its neighbour is there and has sent OPEN. */
function scene(identifier: string, as = 65001, capabilities?: readonly Capability[]): Scene {
  const network = new Network();
  const node = network.node({ as: 65000, identifier });
  const peer = (): RawPeer => new RawPeer(network, node, address, as, capabilities);
  let opened: RawPeer | undefined;
  const accepted = (stream: Parameters<RawPeer['adopt']>[0]): void => (opened = peer()).adopt(stream);
  network.links.listen({ address, port: 179 }, { accepted, refused: () => undefined, failed: () => undefined });
  node.neighbors.push(neighbor(address, node.address, as));
  network.start(node);
  network.settle(10);
  assert.ok(opened);
  const another = (): RawPeer => {
    const other = peer();
    other.connect();
    return other;
  };
  return { network, node, opened, another };
}

const finish = (peer: RawPeer, node: Node, openedBy: 'us' | 'peer'): void => {
  peer.send(encodeKeepalive());
  assert.equal(node.state(address), 'Established');
  assert.equal(node.view(address).connection?.openedBy, openedBy);
  assert.equal(node.view(address).establishedCount, 1);
};

for (const [identifier, kept] of [
  [LOWER, 'theirs'],
  [HIGHER, 'ours'],
] as const) {
  test(`4271 section 6.8: in OpenConfirm the connection of the higher identifier is kept, here ${kept}`, () => {
    const { node, opened, another } = scene(identifier);
    const theirs = another();
    opened.open();
    assert.equal(node.state(address), 'OpenConfirm');
    theirs.open();
    const [winner, loser] = kept === 'ours' ? [opened, theirs] : [theirs, opened];
    assert.deepEqual([loser.notification(), loser.closed, winner.closed], [collision, true, false]);
    finish(winner, node, kept === 'ours' ? 'us' : 'peer');
  });

  test(`4271 section 6.8: the order in which the OPENs arrive makes no difference, here with ${kept} kept`, () => {
    const { node, opened, another } = scene(identifier);
    const theirs = another();
    theirs.open();
    opened.open();
    const [winner, loser] = kept === 'ours' ? [opened, theirs] : [theirs, opened];
    assert.deepEqual([loser.notification(), loser.closed, winner.closed], [collision, true, false]);
    finish(winner, node, kept === 'ours' ? 'us' : 'peer');
  });

  test(`4271 section 6.8: an Established session is kept whatever the identifiers, here ${identifier}`, () => {
    const { node, opened, another } = scene(identifier);
    opened.open();
    opened.send(encodeKeepalive());
    assert.equal(node.state(address), 'Established');
    const late = another();
    late.open();
    assert.deepEqual([late.notification(), late.closed, opened.closed], [collision, true, false]);
    assert.equal(node.view(address).establishedCount, 1);
  });
}

test('4271 section 6.8: a second connection whose OPEN does not come takes nothing away from the first', () => {
  const { node, opened, another } = scene(LOWER);
  const silent = another();
  opened.open();
  finish(opened, node, 'us');
  assert.deepEqual([silent.notification(), silent.closed], [collision, true]);
});

test('4271 section 6.8: a first connection whose OPEN does not come gives way to the second that is established', () => {
  const { node, opened, another } = scene(HIGHER);
  const theirs = another();
  theirs.open();
  finish(theirs, node, 'peer');
  assert.equal(opened.closed, true);
});

test('4271 section 6.8: a connection the peer opens in place of its own older one is the one it means', () => {
  const network = new Network();
  const node = network.node({ as: 65000, identifier: HIGHER });
  node.neighbors.push(neighbor(address, node.address, 65001, { passive: true }));
  network.start(node);
  const [first, second] = [new RawPeer(network, node, address, 65001), new RawPeer(network, node, address, 65001)];
  first.connect();
  first.open();
  second.connect();
  second.open();
  assert.deepEqual([first.notification(), first.closed, second.closed], [collision, true, false]);
  finish(second, node, 'peer');
});

test('4271 section 6.8: in Connect an attempt that is still under way is given up for the connection that is there', () => {
  const network = new Network();
  const node = network.node({ as: 65000, identifier: HIGHER });
  node.neighbors.push(neighbor(address, node.address, 65001));
  network.start(node);
  assert.equal(node.state(address), 'Connect');
  const theirs = new RawPeer(network, node, address, 65001);
  theirs.connect();
  theirs.open();
  finish(theirs, node, 'peer');
});

test('4271 section 6.8: in Active the connection of the peer is taken', () => {
  const network = new Network();
  const node = network.node({ as: 65000, identifier: HIGHER });
  node.neighbors.push(neighbor(address, node.address, 65001));
  network.start(node);
  network.settle(100);
  assert.equal(node.state(address), 'Active');
  const theirs = new RawPeer(network, node, address, 65001);
  theirs.connect();
  theirs.open();
  finish(theirs, node, 'peer');
});

for (const [as, kept] of [
  [64999, 'ours'],
  [65001, 'theirs'],
] as const) {
  test(`6286 section 2.3: between equal identifiers the connection of the higher AS is kept, here ${kept}`, () => {
    const { node, opened, another } = scene('10.9.9.9', as, [
      { kind: 'multiprotocol', family: IPV6_UNICAST },
      { kind: 'fourOctetAs', as },
    ]);
    const theirs = another();
    opened.open();
    theirs.open();
    const [winner, loser] = kept === 'ours' ? [opened, theirs] : [theirs, opened];
    assert.deepEqual(loser.notification(), collision);
    finish(winner, node, kept === 'ours' ? 'us' : 'peer');
  });
}
