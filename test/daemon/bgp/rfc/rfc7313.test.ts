/** Route refresh (RFC 2918) and its beginning and end (RFC 7313). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive, encodeRouteRefresh } from '../../../../daemon/bgp/wire/encode.js';
import { encodeEndOfRib } from '../../../../daemon/bgp/wire/pack.js';
import { type Capability, IPV4_UNICAST, IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { Network, type Node } from '../network.js';
import { announcement, hexBytes, message, RawPeer } from '../raw-peer.js';

const enhanced: readonly Capability[] = [{ kind: 'multiprotocol', family: IPV6_UNICAST }, { kind: 'fourOctetAs', as: 65001 }, { kind: 'routeRefresh' }, { kind: 'enhancedRouteRefresh' }];
const plain = enhanced.slice(0, 3);
const [request, begin, end] = [0, 1, 2].map((subtype) => encodeRouteRefresh(IPV6_UNICAST, subtype)) as [Uint8Array, Uint8Array, Uint8Array];
const [a, b, c] = ['2001:db8:a::/48', '2001:db8:b::/48', '2001:db8:c::/48'] as const;

function session(capabilities = enhanced): { network: Network; node: Node; peer: RawPeer } {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = RawPeer.established(network, node, 65001, capabilities);
  return { network, node, peer };
}

/** What the peer has received since the last call, in order. */
function heard(peer: RawPeer): string[] {
  return peer.received.splice(0).flatMap((each) => {
    if (each.type === 'routeRefresh') return [['request', 'BoRR', 'EoRR'][each.subtype] ?? `subtype ${each.subtype}`];
    if (each.type !== 'update') return [];
    return [...each.announced.flatMap(({ nlri }) => nlri.map(({ prefix }) => prefix.toString())), ...(each.endOfRib ? ['End-of-RIB'] : [])];
  });
}

test('2918 section 4: a request is answered by the whole Adj-RIB-Out', () => {
  const { network, node, peer } = session(plain);
  node.speaker.announceBatch([{ prefix: a }, { prefix: b }]);
  network.settle();
  assert.deepEqual(heard(peer).sort(), [a, b, 'End-of-RIB']);
  peer.send(request);
  network.settle();
  assert.deepEqual(heard(peer), [a, b]);
});

test('2918 section 4: a request for a family that was not negotiated is ignored', () => {
  const { network, node, peer } = session(plain);
  node.speaker.announce({ prefix: a });
  network.settle();
  heard(peer);
  peer.send(encodeRouteRefresh(IPV4_UNICAST), encodeRouteRefresh({ afi: 25, safi: 70 }));
  network.settle();
  assert.deepEqual([heard(peer), node.state(peer.address)], [[], 'Established']);
});

test('2918 section 3: a peer without the capability is not asked', () => {
  const { network, node, peer } = session(enhanced.slice(0, 2));
  heard(peer);
  node.speaker.clearNeighbor(peer.address, true);
  network.settle();
  assert.deepEqual(heard(peer).filter((each) => each === 'request'), []);
});

test('7313 section 4.1: the answer stands between BoRR and EoRR where both sides know them', () => {
  const { network, node, peer } = session();
  node.speaker.announceBatch([{ prefix: a }, { prefix: b }]);
  network.settle();
  heard(peer);
  peer.send(request);
  network.settle();
  assert.deepEqual(heard(peer), ['BoRR', a, b, 'EoRR']);
});

test('7313 section 4.1: a request during the initial dump is answered by no BoRR before its End-of-RIB', () => {
  const network = new Network();
  const node = network.node({ as: 65000, speaker: { awaitsOwnRoutes: true } });
  const peer = RawPeer.established(network, node, 65001, enhanced);
  node.speaker.announce({ prefix: a });
  network.settle();
  peer.send(request);
  network.settle();
  assert.deepEqual(heard(peer).filter((each) => each === 'BoRR'), []);
  node.speaker.ownRoutesComplete();
  network.settle();
  assert.equal(heard(peer).at(-1), 'End-of-RIB');
});

test('7313 section 4.2: what is not announced again between BoRR and EoRR goes at EoRR, and not before', () => {
  const { node, peer } = session();
  peer.send(announcement(a, 65001), announcement(b, 65001), encodeEndOfRib(IPV6_UNICAST));
  peer.send(begin, announcement(a, 65001), announcement(c, 65001));
  assert.deepEqual([...node.unicast.keys()].sort(), [a, b, c]);
  assert.equal(node.view(peer.address).prefixes.stale, 1);
  peer.send(end);
  assert.deepEqual([...node.unicast.keys()].sort(), [a, c]);
});

test('7313 section 4.2: a second BoRR before EoRR begins anew', () => {
  const { node, peer } = session();
  peer.send(announcement(a, 65001), announcement(b, 65001), begin, announcement(a, 65001), begin, announcement(b, 65001), end);
  assert.deepEqual([...node.unicast.keys()], [b]);
});

test('7313 section 4.2: EoRR without BoRR removes nothing', () => {
  const { node, peer } = session();
  peer.send(announcement(a, 65001), end);
  assert.deepEqual([...node.unicast.keys()], [a]);
});

test('7313 section 4.2: a refresh that never ends leaves unconfirmed routes for three minutes at most', () => {
  const { network, node, peer } = session();
  peer.send(announcement(a, 65001), announcement(b, 65001), begin, announcement(a, 65001));
  for (let i = 0; i < 3; i++) {
    network.settle(59_000);
    peer.send(encodeKeepalive());
  }
  assert.equal(node.unicast.size, 2);
  network.settle(4000);
  assert.deepEqual([...node.unicast.keys()], [a]);
});

test('7313 section 5: BoRR and EoRR of another length end the session with ROUTE-REFRESH Message Error and the message as data', () => {
  for (const subtype of ['01', '02']) {
    const { peer } = session();
    const wrong = message(5, hexBytes(`0002 ${subtype} 01 00`));
    peer.send(wrong);
    const sent = peer.received.find((each) => each.type === 'notification');
    assert.deepEqual(sent && [sent.code, sent.subcode, Buffer.from(sent.data).toString('hex')], [7, 1, Buffer.from(wrong).toString('hex')]);
    assert.equal(peer.closed, true);
  }
});

test('7313 section 5: other subtypes are ignored', () => {
  const { network, node, peer } = session();
  node.speaker.announce({ prefix: a });
  network.settle();
  heard(peer);
  for (const subtype of [3, 128, 255]) peer.send(encodeRouteRefresh(IPV6_UNICAST, subtype));
  network.settle();
  assert.deepEqual([heard(peer), node.state(peer.address)], [[], 'Established']);
});
