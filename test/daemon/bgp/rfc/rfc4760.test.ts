import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FamilyName } from '../../../../daemon/bgp/wire/families.js';
import { encodeEndOfRib, packAnnouncements } from '../../../../daemon/bgp/wire/pack.js';
import { encodeRouteRefresh } from '../../../../daemon/bgp/wire/encode.js';
import { EMPTY_ATTRIBUTES, type Capability, type EncodeContext, type UpdateMessage } from '../../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { attribute, AS_PATH, decodedUpdate, MP_REACH, ORIGIN, update } from '../wire/support/messages.js';
import { Network, type Node } from '../network.js';
import { RawPeer } from '../raw-peer.js';
import { vpnConfig, vpnRoute } from './vpn-network.js';

const ALL: readonly FamilyName[] = ['ipv6-unicast', 'ipv4-unicast', 'ipv6-vpn', 'ipv4-vpn'];
const NETWORK = '2001:db8:a::/48';
const context: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: 255 };

/** A session between two nodes with these families. */
function pair(left: readonly FamilyName[] | undefined, right: readonly FamilyName[] | undefined): { network: Network; a: Node; b: Node } {
  return Network.pair({ vpn: vpnConfig([]) }, { vpn: vpnConfig(['65000:1']) }, left && { families: left }, right && { families: right });
}

const routes = (node: Node): string[] => node.speaker.routes().map(({ prefix }) => prefix).sort();

const speaks = (as: number, families: readonly (readonly [afi: number, safi: number])[]): Capability[] => [
  ...families.map(([afi, safi]): Capability => ({ kind: 'multiprotocol', family: { afi, safi } })),
  { kind: 'routeRefresh' },
  { kind: 'fourOctetAs', as },
];

const updates = (peer: RawPeer): UpdateMessage[] => peer.received.filter((message) => message.type === 'update');

describe('RFC 4760', () => {
  test('4760 section 8: a session exchanges the families that both sides have announced, and no others', () => {
    const { network, a, b } = pair(ALL, ['ipv6-vpn', 'ipv4-unicast']);
    a.speaker.announceBatch([{ prefix: NETWORK }, { prefix: '198.51.100.0/24' }, vpnRoute('10.0.0.1:1', NETWORK, 'fcbb:bb00:1:2::'), vpnRoute('10.0.0.1:1', '198.51.100.0/24', 'fcbb:bb00:1:2::')]);
    network.settle();
    assert.deepEqual(routes(b), [`10.0.0.1:1 ${NETWORK}`, '198.51.100.0/24']);
    assert.deepEqual([...b.view(a).endOfRib].sort(), ['ipv4-unicast', 'ipv6-vpn']);
  });

  test('4760 section 8: IPv6 unicast alone is offered without a list of families', () => {
    const { network, a, b } = pair(undefined, ALL);
    b.speaker.announceBatch([{ prefix: NETWORK }, vpnRoute('10.0.0.2:1', NETWORK, 'fcbb:bb00:1:2::')]);
    network.settle();
    assert.deepEqual(routes(a), [NETWORK]);
    assert.deepEqual(a.view(b).capabilities.advertised.filter((name) => name.startsWith('multiprotocol')), ['multiprotocol ipv6-unicast']);
  });

  test('4760 section 8: without a family in common the session does not come up (RFC 5492 section 3: 2/7 with what is missing)', () => {
    const { a, b } = pair(['ipv6-vpn'], ['ipv4-unicast']);
    assert.notEqual(a.state(b), 'Established');
    const errors = [a.view(b).lastError, b.view(a).lastError];
    assert.ok(errors.some((error) => error?.code === 2 && error.subcode === 7), JSON.stringify(errors));
  });

  test('4760 section 8: a peer that announces no family speaks IPv4 unicast', () => {
    const network = new Network();
    const peer = RawPeer.established(network, network.node(), 65001, [{ kind: 'fourOctetAs', as: 65001 }], { families: ALL });
    assert.ok(!peer.closed);
    assert.deepEqual(updates(peer).map(({ endOfRib }) => endOfRib), [{ afi: 1, safi: 1 }]);
  });

  test('4760 section 5: prefixes of a family that was not negotiated are left alone', () => {
    const network = new Network();
    const node = network.node();
    const peer = RawPeer.established(network, node, 65001, speaks(65001, [[2, 1], [2, 128]]), { families: ['ipv6-vpn'] });
    const nlri = [{ prefix: Prefix.from(NETWORK), pathId: 0 }];
    const nextHop = { address: '2001:db8::bad', linkLocal: undefined };
    const attributes = { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2 as const, as: [65001] }] };
    for (const octets of packAnnouncements({ family: { afi: 2, safi: 1 }, nextHop, nlri }, attributes, context)!) peer.send(octets);
    const vpn = [{ prefix: vpnRoute('10.0.0.2:1', NETWORK, 'fcbb:bb00:1:2::').prefix, pathId: 0 }].map(({ prefix, pathId }) => ({ prefix: prefix as Exclude<typeof prefix, string>, pathId }));
    for (const octets of packAnnouncements({ family: { afi: 2, safi: 128 }, nextHop, nlri: vpn }, attributes, context)!) peer.send(octets);
    network.settle(20);
    assert.deepEqual(routes(node), [`10.0.0.2:1 ${NETWORK}`]);
    assert.ok(!peer.closed);
  });

  test('4760 section 7: MP_REACH_NLRI and MP_UNREACH_NLRI of a family that is not spoken are ignored, and the rest of the UPDATE counts', () => {
    for (const [afi, safi] of [['0019', '46'], ['0001', '02'], ['4004', '47']] as const) {
      const decoded = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, attribute(0x80, 14, `${afi} ${safi} 04 c0000201 00 0102`)], nlri: '' }));
      assert.deepEqual([decoded.announced, decoded.disposition], [[], 'attributeDiscard']);
    }
    const decoded = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, MP_REACH, attribute(0x80, 15, '0019 46 01')] }));
    assert.equal(decoded.announced[0]?.nlri.length, 1);
  });

  test('4760 section 3: one UPDATE announces IPv4 in its NLRI field and another family in MP_REACH_NLRI', () => {
    const decoded = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, attribute(0x40, 3, 'c0000201'), MP_REACH], nlri: '18c63364' }));
    assert.deepEqual(decoded.announced.map(({ family, nlri }) => [family.afi, nlri[0]!.prefix.toString()]), [[1, '198.51.100.0/24'], [2, '2001:db8:cafe::1/128']]);
  });

  test('4760 section 4: a withdrawal names its family: the same prefix in another one stays', () => {
    const { network, a, b } = pair(ALL, ALL);
    const vpn = vpnRoute('10.0.0.1:1', NETWORK, 'fcbb:bb00:1:2::');
    a.speaker.announceBatch([{ prefix: NETWORK }, vpn]);
    network.settle();
    a.speaker.withdraw(NETWORK);
    network.settle();
    assert.deepEqual(routes(b), [`10.0.0.1:1 ${NETWORK}`]);
    a.speaker.withdraw(vpn.prefix);
    network.settle();
    assert.deepEqual(routes(b), []);
  });

  test('4760 with RFC 2918: a route refresh asks for one family', () => {
    const network = new Network();
    const node = network.node();
    const peer = RawPeer.established(network, node, 65001, speaks(65001, [[2, 1], [2, 128]]), { families: ALL });
    node.speaker.announceBatch([{ prefix: NETWORK }, vpnRoute('10.0.0.1:1', NETWORK, 'fcbb:bb00:1:2::')]);
    network.settle();
    const before = updates(peer).length;
    peer.send(encodeRouteRefresh({ afi: 2, safi: 128 }));
    network.settle();
    const sent = updates(peer).slice(before).flatMap(({ announced }) => announced.map(({ family }) => family));
    assert.deepEqual(sent, [{ afi: 2, safi: 128 }]);
  });

  test('4760 with RFC 4724: End-of-RIB is per family, and stale routes of a family go with its own', () => {
    const network = new Network();
    const node = network.node({ vpn: vpnConfig([]) });
    const peer = RawPeer.established(network, node, 65001, speaks(65001, [[2, 1], [2, 128]]), { families: ALL });
    peer.send(encodeEndOfRib({ afi: 2, safi: 128 }));
    network.settle(20);
    assert.deepEqual(node.view(peer.address).endOfRib, ['ipv6-vpn']);
    peer.send(encodeEndOfRib({ afi: 2, safi: 1 }));
    network.settle(20);
    assert.deepEqual(node.view(peer.address).endOfRib, ['ipv6-vpn', 'ipv6-unicast']);
  });

  test('4760 with RFC 7911: path identifiers are negotiated for the VPN family as for others', () => {
    const addPath = { receive: true, send: true };
    const { network, a, b } = Network.pair({}, {}, { families: ['ipv6-vpn'], addPath }, { families: ['ipv6-vpn'], addPath });
    a.speaker.announce(vpnRoute('10.0.0.1:1', NETWORK, 'fcbb:bb00:1:2::'));
    network.settle();
    assert.deepEqual(b.speaker.routes().map(({ prefix, pathId }) => [prefix, pathId]), [[`10.0.0.1:1 ${NETWORK}`, 1]]);
  });
});
