/** Capabilities (RFC 5492), identifiers (RFC 6286), extended optional parameters (RFC 9072) and extended messages (RFC 8654) of a session. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive, encodeNotification } from '../../../../daemon/bgp/wire/encode.js';
import { notification } from '../../../../daemon/bgp/wire/notification.js';
import { encodeOpen } from '../../../../daemon/bgp/wire/open.js';
import { type Capability, IPV4_UNICAST, IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { announcement, hexBytes, message, RawPeer } from '../raw-peer.js';

const ipv6: Capability = { kind: 'multiprotocol', family: IPV6_UNICAST };
const as4: Capability = { kind: 'fourOctetAs', as: 65001 };

function connected(localAs = 65000, peerAs = 65001, identifier?: string): { network: Network; node: Node; peer: RawPeer } {
  const network = new Network();
  const node = network.node({ as: localAs, ...(identifier === undefined ? {} : { identifier }) });
  const peer = new RawPeer(network, node, '2001:db8::bad', peerAs, [ipv6, { kind: 'fourOctetAs', as: peerAs }]);
  node.neighbors.push(neighbor(peer.address, node.address, peerAs, { passive: true }));
  network.start(node);
  peer.connect();
  return { network, node, peer };
}
const state = ({ node, peer }: { node: Node; peer: RawPeer }): string => node.state(peer.address);
const reply = ({ peer }: { peer: RawPeer }): unknown => peer.received.find((each) => each.type === 'notification');

test('5492 section 3: a peer without capabilities is told what it lacks, since IPv4 unicast is all that it can speak (RFC 4760 section 8)', () => {
  const scene = connected();
  scene.peer.send(message(1, hexBytes('04 fde9 005a 0a090909 00')));
  assert.deepEqual(reply(scene), { type: 'notification', code: 2, subcode: 7, data: hexBytes('01 04 0002 00 01'), shutdownCommunication: undefined });
});

test('5492 section 4: capabilities in one optional parameter or in many, known, unknown and repeated, make the same session', () => {
  const one = '02 0e 0104 0002 0001 4104 0000fde9 c800';
  const many = '02 06 0104 0002 0001 02 06 4104 0000fde9 02 02 c800 02 06 0104 0002 0001';
  for (const parameters of [one, many]) {
    const scene = connected();
    const length = hexBytes(parameters).length.toString(16).padStart(2, '0');
    scene.peer.send(message(1, hexBytes(`04 fde9 005a 0a090909 ${length} ${parameters}`)), encodeKeepalive());
    assert.equal(state(scene), 'Established');
  }
});

test('5492 section 5: Unsupported Capability from the peer ends the attempt, and is told', () => {
  const { node, peer } = connected();
  peer.send(encodeNotification(notification(2, 7, hexBytes('01 04 0002 00 01'))));
  assert.equal(node.view(peer.address).lastError?.text, 'OPEN Message Error: Unsupported Capability (2/7)');
  assert.equal(peer.closed, true);
});

test('5492 section 3: a family that one side alone offers is not used, the others are', () => {
  const scene = connected();
  scene.peer.open({ capabilities: [{ kind: 'multiprotocol', family: IPV4_UNICAST }, { kind: 'multiprotocol', family: { afi: 25, safi: 70 } }, ipv6, as4] });
  scene.peer.send(encodeKeepalive());
  assert.equal(state(scene), 'Established');
  assert.deepEqual(scene.peer.received.flatMap((each) => (each.type === 'update' && each.endOfRib ? [each.endOfRib] : [])), [IPV6_UNICAST]);
});

test('6286 section 2.1: any identifier but 0 is valid, also one that is no host address', () => {
  for (const identifier of ['255.255.255.255', '224.0.0.1', '0.0.0.1', '127.0.0.1']) {
    const scene = connected();
    scene.peer.open({ identifier });
    scene.peer.send(encodeKeepalive());
    assert.equal(state(scene), 'Established', identifier);
  }
});

test('6286 section 2.2: the own identifier is refused from an internal peer, and taken from an external one', () => {
  const internal = connected(65000, 65000, '10.9.9.9');
  internal.peer.open();
  assert.deepEqual(internal.peer.notification(), { code: 2, subcode: 3 });
  const external = connected(65000, 65001, '10.9.9.9');
  external.peer.open();
  external.peer.send(encodeKeepalive());
  assert.equal(state(external), 'Established');
});

test('9072 section 2: an OPEN with extended optional parameters makes a session, though it would not need them', () => {
  for (const length of ['ff', '01']) {
    const scene = connected();
    scene.peer.send(message(1, hexBytes(`04 fde9 005a 0a090909 ${length} ff 0012 02 0006 0104 0002 0001 02 0006 4104 0000fde9`)), encodeKeepalive());
    assert.equal(state(scene), 'Established');
  }
});

test('9072 section 2: more than 255 octets of capabilities make a session', () => {
  const scene = connected();
  const filler = Array.from({ length: 6 }, (_, index): Capability => ({ kind: 'unknown', code: 200 + index, value: new Uint8Array(100) }));
  const open = encodeOpen({ as: 65001, holdTime: 90, identifier: '10.9.9.9', capabilities: [ipv6, as4, ...filler] });
  assert.deepEqual([open[28], open[29]], [255, 255]);
  scene.peer.send(open, encodeKeepalive());
  assert.equal(state(scene), 'Established');
});

test('9072 section 2: extended parameters that do not add up are an unspecific OPEN error', () => {
  const scene = connected();
  scene.peer.send(message(1, hexBytes('04 fde9 005a 0a090909 ff ff 0012 02 0006 0104 0002 0001')));
  assert.deepEqual(scene.peer.notification(), { code: 2, subcode: 0 });
});

const long = (octets: number): Uint8Array => announcement('2001:db8:b::/48', 65001, { communities: Array.from({ length: octets / 4 }, (_, index) => index + 1) });

test('8654 section 4: an UPDATE of more than 4096 octets is taken whenever the capability was announced here, whatever the peer announced', () => {
  const { node, peer } = connected();
  peer.open();
  peer.send(encodeKeepalive());
  const context = { fourOctetAs: true, addPath: () => false, extendedMessage: true, ibgp: false, cpnAttributeType: 255 };
  peer.send(announcement('2001:db8:b::/48', 65001, { communities: Array.from({ length: 3000 }, (_, index) => index + 1) }, context));
  assert.equal(node.speaker.routes('2001:db8:b::/48')[0]?.communities.length, 3000);
});

test('8654 section 4: a route that needs more than 4096 octets goes to peers with the capability, and is withdrawn from others', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const source = RawPeer.established(network, node, 65001);
  const [able, unable] = ['2001:db8::ba1', '2001:db8::ba2'].map((address, index) => {
    const as = 65002 + index;
    const peer = new RawPeer(network, node, address, as, [ipv6, { kind: 'fourOctetAs', as }, ...(index === 0 ? [{ kind: 'extendedMessage' } as const] : [])]);
    node.neighbors.push(neighbor(address, node.address, as, { passive: true }));
    node.speaker.reconfigure(node.config());
    peer.connect();
    peer.open({ identifier: `10.9.8.${index + 1}` });
    peer.send(encodeKeepalive());
    return peer;
  }) as [RawPeer, RawPeer];
  const context = { fourOctetAs: true, addPath: () => false, extendedMessage: true, ibgp: false, cpnAttributeType: 255 };
  source.send(long(40));
  network.settle();
  source.send(announcement('2001:db8:b::/48', 65001, { communities: Array.from({ length: 3000 }, (_, index) => index + 1) }, context));
  network.settle();
  const updates = (peer: RawPeer) => peer.received.flatMap((each) => (each.type === 'update' && !each.endOfRib ? [each] : []));
  assert.equal(updates(able).at(-1)?.attributes?.communities.length, 3000);
  assert.deepEqual(updates(unable).at(-1)?.withdrawn.map(({ prefix }) => prefix.toString()), ['2001:db8:b::/48']);
  assert.ok(node.events.some(({ peer, text }) => peer === unable.address && text.includes('their attributes are too long')));
});
