import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Network, type Node } from '../network.js';
import { RawPeer } from '../raw-peer.js';
import { EMPTY_ATTRIBUTES, type PathAttributes, type UpdateMessage } from '../../../../daemon/bgp/wire/types.js';
import { packAnnouncements } from '../../../../daemon/bgp/wire/pack.js';
import { IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';

const prefix = '2001:db8:a::/48';

/** A reflector with two clients and two others, all of one AS, in this order. */
function cluster(clusterId?: string): { network: Network; reflector: Node; clients: [Node, Node]; others: [Node, Node] } {
  const network = new Network();
  const reflector = network.node(clusterId === undefined ? {} : { bgp: { clusterId } });
  const [c1, c2, n1, n2] = [network.node(), network.node(), network.node(), network.node()];
  for (const client of [c1, c2]) network.connect(reflector, client, { routeReflectorClient: true });
  for (const other of [n1, n2]) network.connect(reflector, other);
  network.start(reflector, c1, c2, n1, n2);
  network.settle();
  return { network, reflector, clients: [c1, c2], others: [n1, n2] };
}

const has = (nodes: readonly Node[]): boolean[] => nodes.map((node) => node.best(prefix) !== undefined);

const internalUpdate = (attributes: Partial<PathAttributes>): Uint8Array =>
  packAnnouncements(
    { family: IPV6_UNICAST, nextHop: { address: '2001:db8::bad', linkLocal: undefined }, nlri: [{ prefix: Prefix.from(prefix), pathId: 0 }] },
    { ...EMPTY_ATTRIBUTES, localPref: 100, ...attributes },
    { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: true, cpnAttributeType: 255 },
  )![0]!;

describe('RFC 4456', () => {
  test('4456 section 6: a route of a client goes to all clients and all others', () => {
    const { network, clients, others } = cluster();
    clients[0].speaker.announce({ prefix });
    network.settle();
    assert.deepEqual([has(clients), has(others)], [[true, true], [true, true]]);
    clients[0].speaker.withdraw(prefix);
    network.settle();
    assert.deepEqual([has(clients), has(others)], [[false, false], [false, false]]);
  });

  test('4456 section 6: a route of a non-client goes to clients only', () => {
    const { network, reflector, clients, others } = cluster();
    others[0].speaker.announce({ prefix });
    network.settle();
    assert.deepEqual([has([reflector]), has(clients), has(others)], [[true], [true, true], [true, false]]);
  });

  test('4456 section 6: a route of an eBGP peer goes to all, without the attributes of reflection', () => {
    const network = new Network();
    const [reflector, client, other, external] = [network.node(), network.node(), network.node(), network.node({ as: 65001 })];
    network.connect(reflector, client, { routeReflectorClient: true });
    network.connect(reflector, other);
    network.connect(reflector, external);
    network.start(reflector, client, other, external);
    network.settle();
    external.speaker.announce({ prefix });
    network.settle();
    for (const node of [client, other]) assert.deepEqual([node.best(prefix)?.originatorId, node.best(prefix)?.clusterList], [undefined, []]);
  });

  test('4456 section 6: without a client nothing goes from iBGP to iBGP', () => {
    const network = new Network();
    const [a, b, c] = [network.node(), network.node(), network.node()];
    network.connect(a, b);
    network.connect(b, c);
    network.start(a, b, c);
    network.settle();
    a.speaker.announce({ prefix });
    network.settle();
    assert.deepEqual(has([a, b, c]), [true, true, false]);
  });

  test('4456 section 8: ORIGINATOR_ID is the router the route came from, CLUSTER_LIST begins with the cluster', () => {
    const { network, reflector, clients } = cluster();
    clients[0].speaker.announce({ prefix });
    network.settle();
    const seen = clients[1].best(prefix);
    assert.deepEqual([seen?.originatorId, seen?.clusterList], [clients[0].identifier, [reflector.identifier]]);
  });

  test('4456 section 7: a configured CLUSTER_ID takes the place of the BGP identifier, also at run time', () => {
    const { network, reflector, clients } = cluster('192.0.2.1');
    clients[0].speaker.announce({ prefix });
    network.settle();
    assert.deepEqual(clients[1].best(prefix)?.clusterList, ['192.0.2.1']);
    reflector.bgp = { clusterId: '192.0.2.2' };
    reflector.speaker.reconfigure(reflector.config());
    network.settle();
    assert.deepEqual(clients[1].best(prefix)?.clusterList, ['192.0.2.2']);
    assert.equal(reflector.view(clients[1]).establishedCount, 1);
  });

  test('4456 section 8: a second reflector keeps ORIGINATOR_ID and puts its cluster in front', () => {
    const network = new Network();
    const [a, r1, r2, b] = [network.node(), network.node(), network.node(), network.node()];
    network.connect(r1, a, { routeReflectorClient: true });
    network.connect(r1, r2);
    network.connect(r2, b, { routeReflectorClient: true });
    network.start(a, r1, r2, b);
    network.settle();
    a.speaker.announce({ prefix });
    network.settle();
    assert.deepEqual([b.best(prefix)?.originatorId, b.best(prefix)?.clusterList], [a.identifier, [r2.identifier, r1.identifier]]);
  });

  test('4456 section 8: a route with the own ORIGINATOR_ID, or the own cluster in CLUSTER_LIST, is ignored', () => {
    for (const [attributes, reason] of [
      [{ originatorId: '10.0.0.1', clusterList: ['10.0.0.7'] }, 'own ORIGINATOR_ID'],
      [{ originatorId: '10.0.0.9', clusterList: ['10.0.0.7', '192.0.2.1'] }, 'own cluster in CLUSTER_LIST'],
      [{ originatorId: '10.0.0.9', clusterList: ['10.0.0.7'] }, undefined],
    ] as const) {
      const network = new Network();
      const node = network.node({ bgp: { clusterId: '192.0.2.1' } });
      const peer = RawPeer.established(network, node, 65000);
      peer.send(internalUpdate(attributes));
      const [route] = node.speaker.routes(prefix);
      assert.equal(route?.rejected ? route.reason : undefined, reason);
    }
  });

  test('4456 section 9: of equal routes that of the lower ORIGINATOR_ID is best, then that of the shorter CLUSTER_LIST', () => {
    // Two reflectors of one client: the routes differ in nothing but the way.
    const network = new Network();
    const [client, r1, r2, r3, sink] = [network.node(), network.node(), network.node(), network.node(), network.node()];
    for (const reflector of [r1, r3]) network.connect(reflector, client, { routeReflectorClient: true });
    network.connect(r1, r2);
    network.connect(r2, sink, { routeReflectorClient: true });
    network.connect(r3, sink, { routeReflectorClient: true });
    network.start(client, r1, r2, r3, sink);
    network.settle();
    client.speaker.announce({ prefix });
    network.settle();
    const best = sink.best(prefix);
    assert.deepEqual([best?.peer, best?.clusterList, best?.reason], [r3.address, [r3.identifier], 'shorter CLUSTER_LIST']);
  });

  test('4456 section 10: next hop, AS_PATH, LOCAL_PREF and MED are reflected unchanged, with next-hop-self too', () => {
    const network = new Network();
    const [reflector, border, client, external] = [network.node(), network.node(), network.node(), network.node({ as: 65001 })];
    network.connect(reflector, border, { routeReflectorClient: true, nextHopSelf: true });
    network.connect(reflector, client, { routeReflectorClient: true, nextHopSelf: true });
    network.connect(border, external);
    network.start(reflector, border, client, external);
    network.settle();
    external.speaker.announce({ prefix, med: 77 });
    network.settle();
    const [atReflector, atClient] = [reflector.best(prefix), client.best(prefix)];
    assert.deepEqual([atClient?.nextHop, atClient?.asPath, atClient?.localPref, atClient?.med], [external.address, '65001', 100, 77]);
    assert.equal(atClient?.nextHop, atReflector?.nextHop);
  });

  test('4456 section 10: what a reflected route carried leaves the AS without ORIGINATOR_ID and CLUSTER_LIST', () => {
    const network = new Network();
    const border = network.node();
    network.connect(border, network.node());
    const peer = RawPeer.established(network, border, 65009);
    const inner = new RawPeer(network, border, '2001:db8::bad2', 65000);
    border.neighbors.push({ ...border.neighbors[1]!, address: inner.address, as: 65000 });
    border.speaker.reconfigure(border.config());
    network.settle();
    inner.connect();
    inner.open();
    inner.send(Uint8Array.from([...new Array<number>(16).fill(255), 0, 19, 4]));
    inner.send(internalUpdate({ originatorId: '10.0.0.8', clusterList: ['10.0.0.7'] }));
    network.settle();
    const update = peer.received.find((message): message is UpdateMessage => message.type === 'update' && message.announced.length > 0);
    assert.ok(update);
    assert.deepEqual([update.attributes?.originatorId, update.attributes?.clusterList], [undefined, []]);
  });

  test('4456 with RFC 7911: all paths go through the reflector, each with its own attributes', () => {
    const both = { addPath: { receive: true, send: true } };
    const network = new Network();
    const [reflector, e1, e2, entry] = [network.node(), network.node(), network.node(), network.node()];
    for (const node of [e1, e2, entry]) network.connect(reflector, node, { routeReflectorClient: true, ...both }, both);
    network.start(reflector, e1, e2, entry);
    network.settle();
    e1.speaker.announce({ prefix, med: 1 });
    e2.speaker.announce({ prefix, med: 2 });
    network.settle();
    assert.deepEqual(entry.paths(prefix).map(({ med, originatorId, nextHop }) => [med, originatorId, nextHop]).sort(), [
      [1, e1.identifier, e1.address],
      [2, e2.identifier, e2.address],
    ]);
  });

  test('4456: a service route goes through the reflector to marked clients only', () => {
    const servicePrefixes = ['2001:db8:5e::/48'];
    const network = new Network();
    const [reflector, exit, entry, plain] = [0, 1, 2, 3].map(() => network.node({ servicePrefixes })) as [Node, Node, Node, Node];
    network.connect(reflector, exit, { routeReflectorClient: true, cpn: true }, { cpn: true });
    network.connect(reflector, entry, { routeReflectorClient: true, cpn: true }, { cpn: true });
    network.connect(reflector, plain, { routeReflectorClient: true });
    network.start(reflector, exit, entry, plain);
    network.settle();
    exit.speaker.announce({ prefix: '2001:db8:5e::1/128' });
    network.settle();
    assert.deepEqual(entry.best('2001:db8:5e::1/128')?.communities, ['no-export']);
    assert.equal(plain.speaker.routes().length, 0);
  });
});
