/** Four-octet AS numbers (RFC 6793), with peers that know them and peers that do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKeepalive } from '../../../../daemon/bgp/wire/encode.js';
import { encodeOpen } from '../../../../daemon/bgp/wire/open.js';
import { AS_TRANS, AsSegmentType, EMPTY_ATTRIBUTES, IPV6_UNICAST, type Capability, type EncodeContext } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { announcement, RawPeer } from '../raw-peer.js';

const BIG = 4_200_000_001;
const ipv6: Capability = { kind: 'multiprotocol', family: IPV6_UNICAST };
const old: EncodeContext = { fourOctetAs: false, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: 255 };
const prefix = '2001:db8:b::/48';
const sequence = (...as: number[]) => [{ type: AsSegmentType.sequence, as }];

/** A node of a 4-octet AS, and a peer that knows two octets only. */
function withOldPeer(): { network: Network; node: Node; peer: RawPeer } {
  const network = new Network();
  const node = network.node({ as: BIG });
  const peer = RawPeer.established(network, node, 65001, [ipv6]);
  return { network, node, peer };
}

test('6793 section 9: OPEN of a 4-octet AS has AS_TRANS in its fixed field and the number in the capability', () => {
  const { node, peer } = withOldPeer();
  const open = peer.received.find((each) => each.type === 'open');
  assert.deepEqual([open?.myAutonomousSystem, open?.as], [AS_TRANS, BIG]);
  assert.equal(node.state(peer.address), 'Established');
});

test('6793 section 4.1: a neighbour of a 4-octet AS is told by its capability alone', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = RawPeer.established(network, node, BIG, [ipv6, { kind: 'fourOctetAs', as: BIG }]);
  assert.equal(node.state(peer.address), 'Established');
});

test('6793 section 4.1: AS_TRANS without the capability is no AS of a neighbour', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = new RawPeer(network, node, '2001:db8::bad', BIG, [ipv6]);
  node.neighbors.push(neighbor(peer.address, node.address, BIG, { passive: true }));
  network.start(node);
  peer.connect();
  peer.send(encodeOpen({ as: BIG, holdTime: 90, identifier: '10.9.9.9', capabilities: [ipv6] }), encodeKeepalive());
  assert.deepEqual(peer.notification(), { code: 2, subcode: 2 });
});

test('6793 section 4.2.3: the path is put together again from AS_PATH and AS4_PATH, the aggregator from AS4_AGGREGATOR', () => {
  const { node, peer } = withOldPeer();
  peer.send(announcement(prefix, 65001, { asPath: sequence(65001, 70_000, 70_001), aggregator: { as: 70_001, address: '192.0.2.1' } }, old));
  const [route] = node.speaker.routes(prefix);
  assert.deepEqual([route?.asPath, route?.rejected], ['65001 70000 70001', false]);
});

test('6793 section 4.2.3: a loop through the own 4-octet AS is seen behind AS_TRANS', () => {
  const { node, peer } = withOldPeer();
  peer.send(announcement(prefix, 65001, { asPath: sequence(65001, BIG, 70_001) }, old));
  assert.equal(node.speaker.routes(prefix)[0]?.reason, 'own AS in AS_PATH');
});

test('6793 section 4.2.2: a peer of two octets gets AS_TRANS in AS_PATH, and AS4_PATH with the numbers', () => {
  const network = new Network();
  const node = network.node({ as: BIG });
  const peer = RawPeer.established(network, node, 65001, [ipv6]);
  node.speaker.announce({ prefix });
  network.settle();
  // The raw peer reads with four octets; what it cannot read as such is looked at as octets.
  const octets = peer.octets.find((bytes) => bytes[18] === 2 && Buffer.from(bytes).includes(Buffer.from('20010db8000b', 'hex')));
  const text = Buffer.from(octets!).toString('hex');
  assert.ok(text.includes('40020402015ba0'), `AS_PATH: one sequence of AS_TRANS in ${text}`);
  assert.ok(text.includes('c011060201fa56ea01'), `AS4_PATH: one sequence of ${BIG} in ${text}`);
});

test('6793 section 4.2.2: a path of 2-octet numbers goes to such a peer without AS4_PATH', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = RawPeer.established(network, node, 65001, [ipv6]);
  node.speaker.announce({ prefix });
  network.settle();
  const octets = peer.octets.find((bytes) => bytes[18] === 2 && Buffer.from(bytes).includes(Buffer.from('20010db8000b', 'hex')));
  const text = Buffer.from(octets!).toString('hex');
  assert.ok(text.includes('4002040201fde8'), text);
  assert.equal(text.includes('c011'), false, text);
});

test('6793 section 6: an AS4_PATH longer than AS_PATH, or malformed, is left out and the route kept', () => {
  const { node, peer } = withOldPeer();
  const base = announcement(prefix, 65001, { ...EMPTY_ATTRIBUTES, asPath: sequence(65001) }, old);
  for (const as4Path of ['c0 11 0a 0202 00011170 00011171', 'c0 11 06 0502 00011170', 'c0 11 00']) {
    const extra = Buffer.from(as4Path.replaceAll(' ', ''), 'hex');
    const octets = Buffer.concat([base, extra]);
    octets.writeUInt16BE(octets.length, 16);
    octets.writeUInt16BE(octets.readUInt16BE(21) + extra.length, 21);
    peer.send(octets);
    assert.deepEqual([node.speaker.routes(prefix)[0]?.asPath, node.state(peer.address)], ['65001', 'Established'], as4Path);
  }
});
