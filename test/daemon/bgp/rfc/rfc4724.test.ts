/** Graceful restart (RFC 4724): the helper, and the restarting speaker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Capability, GracefulRestartFamily } from '../../../../daemon/bgp/wire/types.js';
import { IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { encodeKeepalive } from '../../../../daemon/bgp/wire/encode.js';
import { encodeEndOfRib } from '../../../../daemon/bgp/wire/pack.js';
import { neighbor, Network, type Node } from '../network.js';
import { announcement, RawPeer } from '../raw-peer.js';

const prefix = '2001:db8:b::/48';
const up = (a: Node, b: Node): boolean => a.state(b) === 'Established' && b.state(a) === 'Established';

interface Said {
  readonly restarting?: boolean;
  readonly notification?: boolean;
  readonly families?: readonly GracefulRestartFamily[];
  readonly timeSeconds?: number;
}
const preserved = { ...IPV6_UNICAST, forwardingPreserved: true };
const lost = { ...IPV6_UNICAST, forwardingPreserved: false };
const capabilities = (as: number, said: Said | undefined): Capability[] => [
  { kind: 'multiprotocol', family: IPV6_UNICAST },
  { kind: 'fourOctetAs', as },
  { kind: 'routeRefresh' },
  ...(said ? [{ kind: 'gracefulRestart', restarting: false, notification: false, timeSeconds: 100, families: [preserved], ...said } as const] : []),
];

/** A node with one passive neighbour, whose place a raw peer takes in one session after another. */
function helper(): { network: Network; node: Node; session: (said: Said | undefined) => RawPeer } {
  const network = new Network();
  const node = network.node();
  node.neighbors.push(neighbor('2001:db8::bad', node.address, 65001, { passive: true }));
  network.start(node);
  const session = (said: Said | undefined): RawPeer => {
    const peer = new RawPeer(network, node, '2001:db8::bad', 65001, capabilities(65001, said));
    peer.connect();
    peer.open();
    peer.send(encodeKeepalive());
    return peer;
  };
  return { network, node, session };
}

test('4724 section 4.2: the routes of a peer that closes without a word stay, marked stale, until they come again', () => {
  const { network, a, b } = Network.pair();
  b.speaker.announce({ prefix });
  network.settle();
  b.speaker.stop({ graceful: true });
  network.settle();
  assert.equal(a.unicast.get(prefix)?.stale, true);
  b.build({ restarting: true });
  b.speaker.announce({ prefix });
  b.speaker.start();
  network.settle(10_000);
  assert.ok(up(a, b));
  assert.equal(a.unicast.get(prefix)?.stale, false);
});

test('4724 section 4.2: what the peer does not announce again by its End-of-RIB goes', () => {
  const { network, a, b } = Network.pair();
  b.speaker.announceBatch([{ prefix }, { prefix: '2001:db8:c::/48' }]);
  network.settle();
  b.speaker.stop({ graceful: true });
  network.settle();
  b.build({ restarting: true });
  b.speaker.announce({ prefix });
  b.speaker.start();
  network.settle(10_000);
  assert.deepEqual([...a.unicast.keys()], [prefix]);
});

test('4724 section 4.2: the routes go when the restart time is over without a session', () => {
  const { network, a, b } = Network.pair({}, { speaker: { restartTimeMs: 20_000 } });
  b.speaker.announce({ prefix });
  network.settle();
  b.speaker.stop({ graceful: true });
  network.settle(19_000);
  assert.equal(a.unicast.size, 1);
  network.settle(2000);
  assert.equal(a.unicast.size, 0);
});

test('4724 section 3: Restart State is said in the first session after a restart only, Forwarding State as long as nothing is lost (RFC 8538)', () => {
  const { network, a, b } = Network.pair({}, { speaker: { restarting: true } });
  const restart = (): string | undefined => a.view(b).capabilities.received.find((capability) => capability.startsWith('graceful restart'));
  assert.equal(restart(), 'graceful restart 120 s restarting notification ipv6-unicast preserved');
  a.speaker.clearNeighbor(b.address);
  network.settle(5000);
  assert.equal(restart(), 'graceful restart 120 s notification ipv6-unicast preserved');
});

test('4724 section 3: a first start says neither, and Forwarding State once there was a session', () => {
  const { network, a, b } = Network.pair();
  const restart = (): string | undefined => a.view(b).capabilities.received.find((capability) => capability.startsWith('graceful restart'));
  assert.equal(restart(), 'graceful restart 120 s notification ipv6-unicast');
  a.speaker.clearNeighbor(b.address);
  network.settle(5000);
  assert.equal(restart(), 'graceful restart 120 s notification ipv6-unicast preserved');
});

test('4724 section 5: a new connection of a peer whose old one still seems up is its restart', () => {
  const { network, a, b } = Network.pair({}, {}, { passive: true });
  b.speaker.announce({ prefix });
  network.settle(20_000);
  network.links.setSilent(a.address, b.address, true);
  b.speaker.stop({ graceful: true });
  network.settle(100);
  network.links.lose(a.address, b.address);
  network.links.setSilent(a.address, b.address, false);
  assert.equal(a.state(b), 'Established');
  b.build({ restarting: true });
  b.speaker.announce({ prefix });
  b.speaker.start();
  network.settle(2000);
  assert.ok(up(a, b));
  assert.equal(a.unicast.get(prefix)?.stale, false);
});

test('4724 section 4.2: the routes of every family in the capability stay, whatever its Forwarding State bit says then', () => {
  const { node, network, session } = helper();
  const first = session({ families: [lost] });
  first.send(announcement(prefix, 65001));
  first.stream?.close();
  network.settle();
  assert.equal(node.unicast.get(prefix)?.stale, true);
});

for (const [what, said] of [
  ['without the Forwarding State bit', { families: [lost] }],
  ['without the family', { families: [] }],
  ['without the capability', undefined],
] as const) {
  test(`4724 section 4.2: a session that comes back ${what} takes stale routes away at once`, () => {
    const { node, network, session } = helper();
    const first = session({});
    first.send(announcement(prefix, 65001));
    first.stream?.close();
    network.settle();
    assert.equal(node.unicast.size, 1);
    session(said && { restarting: true, ...said });
    assert.equal(node.unicast.size, 0);
    assert.equal(node.state('2001:db8::bad'), 'Established');
  });
}

test('4724 section 4.2: a peer that names no family keeps no route over the end of its session', () => {
  const { node, network, session } = helper();
  const first = session({ families: [] });
  first.send(announcement(prefix, 65001));
  first.stream?.close();
  network.settle();
  assert.equal(node.unicast.size, 0);
});

test('4724 section 4.2: a second restart before the End-of-RIB takes away what was stale already, and keeps what came since', () => {
  const { node, network, session } = helper();
  const first = session({});
  first.send(announcement(prefix, 65001), announcement('2001:db8:c::/48', 65001));
  first.stream?.close();
  network.settle();
  const second = session({ restarting: true });
  second.send(announcement(prefix, 65001));
  assert.deepEqual([node.unicast.get(prefix)?.stale, node.unicast.get('2001:db8:c::/48')?.stale], [false, true]);
  second.stream?.close();
  network.settle();
  assert.deepEqual([...node.unicast].map(([key, { stale }]) => [key, stale]), [[prefix, true]]);
});

test('4724 section 4.2: what is stale goes after the upper bound, though the session is back and says nothing', () => {
  const { node, network, session } = helper();
  const first = session({});
  first.send(announcement(prefix, 65001));
  first.stream?.close();
  network.settle();
  const second = session({ restarting: true });
  for (let i = 0; i < 5; i++) {
    network.settle(35_000);
    second.send(encodeKeepalive());
  }
  assert.equal(node.unicast.size, 1);
  network.settle(10_000);
  assert.equal(node.unicast.size, 0);
  assert.equal(node.state('2001:db8::bad'), 'Established');
});

/** A restarting node between two raw peers, which a table each is awaited from. */
function restarting(speaker: Parameters<Node['build']>[0] = {}): { network: Network; node: Node; peers: (said?: Said | null) => RawPeer[] } {
  const network = new Network();
  const node = network.node({ speaker: { restarting: true, ...speaker } });
  const addresses = ['2001:db8::bad', '2001:db8::bae'];
  addresses.forEach((address, index) => node.neighbors.push(neighbor(address, node.address, 65001 + index, { passive: true })));
  network.start(node);
  const peers = (said: Said | null = {}): RawPeer[] =>
    addresses.map((address, index) => {
      const as = 65001 + index;
      const peer = new RawPeer(network, node, address, as, capabilities(as, said ?? undefined));
      peer.connect();
      peer.open({ identifier: `10.9.9.${index + 1}` });
      peer.send(encodeKeepalive());
      return peer;
    });
  return { network, node, peers };
}

const endOfRib = encodeEndOfRib(IPV6_UNICAST);
const announcedTo = (peer: RawPeer): string[] =>
  peer.received.flatMap((message) => (message.type === 'update' ? [...message.announced.flatMap(({ nlri }) => nlri.map((each) => each.prefix.toString())), ...(message.endOfRib ? ['End-of-RIB'] : [])] : []));

test('4724 section 4.1: routes are selected and announced after the End-of-RIB of every peer, and own End-of-RIB follows them', () => {
  const { network, node, peers } = restarting();
  node.speaker.announce({ prefix: '2001:db8:a::/48' });
  const [first, second] = peers() as [RawPeer, RawPeer];
  first.send(announcement(prefix, 65001), endOfRib);
  second.send(announcement('2001:db8:c::/48', 65002));
  network.settle(5000);
  assert.deepEqual([node.unicast.size, announcedTo(first), announcedTo(second)], [0, [], []]);
  assert.equal(node.speaker.isSelecting, true);
  second.send(endOfRib);
  network.settle();
  assert.deepEqual([...node.unicast.keys()].sort(), [prefix, '2001:db8:c::/48']);
  assert.deepEqual(announcedTo(first).sort(), ['2001:db8:a::/48', '2001:db8:c::/48', 'End-of-RIB']);
  assert.equal(announcedTo(first).at(-1), 'End-of-RIB');
  assert.equal(announcedTo(second).at(-1), 'End-of-RIB');
  assert.equal(node.speaker.isSelecting, false);
  assert.ok(node.events.some(({ text }) => text === 'route selection begins after the restart: every peer has sent its table'));
});

test('4724 section 4.1: the Selection_Deferral_Timer ends the wait for a peer that does not come', () => {
  const { network, node, peers } = restarting({ selectionDeferralMs: 20_000 });
  const [first] = peers() as [RawPeer];
  first.send(announcement(prefix, 65001), endOfRib);
  network.settle(19_000);
  assert.equal(node.unicast.size, 0);
  network.settle(1500);
  assert.equal(node.unicast.size, 1);
  assert.ok(node.events.some(({ text }) => text.endsWith('the selection deferral time is over')));
});

for (const [what, said] of [
  ['that do not know graceful restart', null],
  ['that restart themselves', { restarting: true }],
] as const) {
  test(`4724 section 4.1: peers ${what} are not waited for`, () => {
    const { network, node, peers } = restarting();
    const [first] = peers(said) as [RawPeer];
    first.send(announcement(prefix, 65001));
    network.settle();
    assert.equal(node.unicast.size, 1);
    assert.equal(announcedTo(first).at(-1), 'End-of-RIB');
  });
}

test('4724 section 4.1: a peer whose session ends again is still waited for, one that is shut down is not', () => {
  const { network, node, peers } = restarting();
  const [first, second] = peers() as [RawPeer, RawPeer];
  first.send(announcement(prefix, 65001), endOfRib);
  second.stream?.close();
  network.settle(2000);
  assert.equal(node.speaker.isSelecting, true);
  node.speaker.shutdownNeighbor(second.address);
  network.settle();
  assert.deepEqual([...node.unicast.keys()], [prefix]);
});

test('4724 section 4.1: End-of-RIB waits for the own routes, which a helper would take for gone otherwise', () => {
  const { network, a, b } = Network.pair({}, { speaker: { awaitsOwnRoutes: true } });
  b.speaker.announce({ prefix });
  network.settle(2000);
  assert.deepEqual([a.unicast.size, a.view(b).endOfRib], [1, []]);
  b.speaker.ownRoutesComplete();
  network.settle();
  assert.deepEqual(a.view(b).endOfRib, ['ipv6-unicast']);
});

test('4724 section 4.1: own routes that are never complete hold End-of-RIB back no longer than the deferral time', () => {
  const { network, a, b } = Network.pair({}, { speaker: { awaitsOwnRoutes: true, selectionDeferralMs: 10_000 } });
  network.settle(9000);
  assert.deepEqual(a.view(b).endOfRib, []);
  network.settle(1500);
  assert.deepEqual(a.view(b).endOfRib, ['ipv6-unicast']);
});

test('4724 section 3: a session that begins after the restart time is no part of the restart', () => {
  const network = new Network();
  const a = network.node();
  const b = network.node({ speaker: { restarting: true, restartTimeMs: 60_000 } });
  network.connect(a, b);
  b.build();
  b.speaker.start();
  network.settle(61_000);
  network.start(a);
  network.settle(20_000);
  assert.ok(up(a, b));
  assert.ok(a.view(b).capabilities.received.includes('graceful restart 60 s notification ipv6-unicast'));
});
