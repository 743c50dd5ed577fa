import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeKeepalive } from '../../../daemon/bgp/wire/encode.js';
import type { BgpConfig } from '../../../daemon/config/types.js';
import { neighbor, Network, type Node } from './network.js';
import { RawPeer } from './raw-peer.js';

const prefix = '2001:db8:a::/48';

const range = (limit = 10, ases: readonly number[] = [65000], options: Parameters<typeof neighbor>[3] = {}): Partial<BgpConfig> => ({
  dynamic: [{ prefix: '2001:db8::/64', limit, templates: ases.map((as) => neighbor('2001:db8::', '::', as, { passive: true, group: 'clients', ...options })) }],
});

/** A hub with a range, and nodes that connect to it. */
function hub(count: number, bgp: Partial<BgpConfig>, as: (index: number) => number = () => 65000): { network: Network; node: Node; spokes: Node[] } {
  const network = new Network();
  const node = network.node({ bgp });
  const spokes = Array.from({ length: count }, (_, index) => network.node({ as: as(index) }));
  for (const spoke of spokes) spoke.neighbors.push(neighbor(node.address, spoke.address, node.as));
  network.start(node, ...spokes);
  network.settle();
  return { network, node, spokes };
}

const states = (node: Node): string[] => node.speaker.neighbors().map(({ address, state }) => `${address} ${state}`);

describe('A dynamic neighbour', () => {
  test('appears when it connects, exchanges routes, and is gone when its session is', () => {
    const { network, node, spokes } = hub(2, range(10, [65000], { routeReflectorClient: true }));
    assert.deepEqual(states(node).sort(), spokes.map(({ address }) => `${address} Established`));
    spokes[0]!.speaker.announce({ prefix });
    network.settle();
    assert.equal(spokes[1]!.best(prefix)?.originatorId, spokes[0]!.identifier);
    spokes[0]!.speaker.stop();
    network.settle();
    assert.deepEqual(states(node), [`${spokes[1]!.address} Established`]);
    assert.equal(spokes[1]!.best(prefix), undefined);
    spokes[0]!.build().start();
    network.settle();
    assert.equal(states(node).length, 2);
  });

  test('keeps its routes for its graceful restart, and is gone after it', () => {
    const { network, node, spokes } = hub(1, range());
    spokes[0]!.speaker.announce({ prefix });
    network.settle();
    spokes[0]!.speaker.stop({ graceful: true });
    network.settle();
    assert.equal(node.best(prefix)?.stale, true);
    network.settle(130_000);
    assert.deepEqual([states(node), node.best(prefix)], [[], undefined]);
  });

  test('may be of each AS that is listed, and gets the rules of its AS', () => {
    const { node, spokes } = hub(2, range(10, [65001, 65000]), (index) => 65000 + index);
    assert.deepEqual(
      spokes.map((spoke) => [node.view(spoke).as, node.view(spoke).type, node.state(spoke)]),
      [[65000, 'ibgp', 'Established'], [65001, 'ebgp', 'Established']],
    );
  });

  test('of another AS is told Bad Peer AS', () => {
    const network = new Network();
    const node = network.node({ bgp: range(10, [65001, 65002]) });
    network.start(node);
    const peer = new RawPeer(network, node, '2001:db8::bad', 65009);
    peer.connect();
    peer.open();
    network.settle();
    assert.deepEqual(peer.notification(), { code: 2, subcode: 2 });
    assert.deepEqual(states(node), []);
  });

  test('that sends what is no BGP is told so', () => {
    const network = new Network();
    const node = network.node({ bgp: range() });
    network.start(node);
    const peer = new RawPeer(network, node, '2001:db8::bad', 65000);
    peer.connect();
    peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: example\r\n\r\n'));
    network.settle();
    assert.deepEqual(peer.notification(), { code: 1, subcode: 1 });
    assert.deepEqual(states(node), []);
  });

  test('is refused past the limit, also while those before it have not said who they are', () => {
    const network = new Network();
    const node = network.node({ bgp: range(2) });
    network.start(node);
    const [silent, second, third] = ['bad1', 'bad2', 'bad3'].map((last) => new RawPeer(network, node, `2001:db8::${last}`, 65000)) as [RawPeer, RawPeer, RawPeer];
    silent.connect();
    second.connect();
    second.open();
    second.send(encodeKeepalive());
    third.connect();
    network.settle();
    assert.deepEqual([silent.closed, second.closed, third.closed], [false, false, true]);
    assert.deepEqual(states(node), ['2001:db8::bad2 Established']);
    assert.ok(node.events.some(({ peer, text }) => peer === third.address && text.includes('has its 2 dynamic neighbors already')));
    network.settle(11_000);
    assert.ok(silent.closed);
    third.connect();
    third.open({ identifier: '10.9.9.3' });
    third.send(encodeKeepalive());
    assert.equal(states(node).length, 2);
  });

  test('gets its OPEN through however the octets arrive', () => {
    const network = new Network();
    const node = network.node({ bgp: range() });
    network.start(node);
    const peer = new RawPeer(network, node, '2001:db8::bad', 65000);
    peer.connect();
    const write = peer.stream!.write.bind(peer.stream);
    peer.stream!.write = (bytes) => bytes.forEach((_octet, index) => write(bytes.subarray(index, index + 1)));
    peer.open();
    peer.send(encodeKeepalive());
    assert.deepEqual(states(node), ['2001:db8::bad Established']);
  });

  test('ends when its range goes or changes, stays when nothing does, and a policy that changes applies in place', () => {
    const { network, node, spokes } = hub(1, range());
    spokes[0]!.speaker.announce({ prefix });
    network.settle();
    node.speaker.reconfigure(node.config());
    network.settle();
    assert.equal(node.view(spokes[0]!).establishedCount, 1);
    node.bgp = {};
    node.speaker.reconfigure(node.config());
    network.settle(30_000);
    assert.deepEqual([states(node), node.best(prefix)], [[], undefined]);
    assert.ok(spokes[0]!.events.some(({ text }) => text.includes('Peer De-configured')));
    node.bgp = range();
    node.speaker.reconfigure(node.config());
    network.settle(120_000);
    assert.equal(node.state(spokes[0]!), 'Established');
  });

  test('becomes an ordinary one when it is configured', () => {
    const { network, node, spokes } = hub(1, range());
    node.neighbors.push(neighbor(spokes[0]!.address, node.address, 65000));
    node.speaker.reconfigure(node.config());
    network.settle(120_000);
    spokes[0]!.speaker.stop();
    network.settle();
    assert.equal(states(node).length, 1);
  });

  test('outside every range is none', () => {
    const { node } = hub(1, { dynamic: [{ prefix: '2001:db9::/64', limit: 1, templates: [neighbor('::', '::', 65000)] }] });
    assert.deepEqual(states(node), []);
    assert.ok(node.events.some(({ text }) => text === 'connection from an address that is no neighbour'));
  });
});
