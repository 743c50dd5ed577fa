import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FamilyName } from '../../../../daemon/bgp/wire/families.js';
import type { Capability } from '../../../../daemon/bgp/wire/types.js';
import { attribute, AS_PATH, decodedUpdate, faultOf, ORIGIN, update } from '../wire/support/messages.js';
import { Network } from '../network.js';
import { RawPeer } from '../raw-peer.js';

const IPV4 = { families: ['ipv6-unicast' as const, 'ipv4-unicast' as const] };
const NETWORK = '198.51.100.0/24';

const capabilities = (as: number, extended: readonly (readonly [afi: number, safi: number, nextHopAfi: number])[]): Capability[] => [
  { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
  { kind: 'multiprotocol', family: { afi: 2, safi: 1 } },
  { kind: 'fourOctetAs', as },
  ...(extended.length > 0 ? [{ kind: 'extendedNextHop' as const, entries: extended.map(([afi, safi, nextHopAfi]) => ({ afi, safi, nextHopAfi })) }] : []),
];

/** Prefixes of the UPDATEs that a peer with these capabilities got. */
function announcedTo(extended: readonly (readonly [number, number, number])[]): string[] {
  const network = new Network();
  const node = network.node();
  const peer = RawPeer.established(network, node, 65001, capabilities(65001, extended), IPV4);
  node.speaker.announceBatch([{ prefix: NETWORK }, { prefix: '2001:db8:a::/48' }]);
  network.settle();
  return peer.received.flatMap((message) => (message.type === 'update' ? message.announced.flatMap(({ nlri, nextHop }) => nlri.map(({ prefix }) => `${prefix.toString()} by ${nextHop.address}`)) : [])).sort();
}

describe('RFC 8950', () => {
  test('8950 section 3: an IPv4 prefix may have an IPv6 next hop of 16 or 32 octets', () => {
    const reach = (nextHop: string): string => attribute(0x80, 14, `0001 01 ${nextHop} 00 18 c63364`);
    const global = '20010db8000000000000000000000001';
    const linkLocal = 'fe800000000000000000000000000001';
    const nextHop = (value: string) => decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, reach(value)] })).announced[0]?.nextHop;
    assert.deepEqual(nextHop(`10 ${global}`), { address: '2001:db8::1', linkLocal: undefined });
    assert.deepEqual(nextHop(`20 ${global} ${linkLocal}`), { address: '2001:db8::1', linkLocal: 'fe80::1' });
    assert.deepEqual(nextHop('04 c0000201'), { address: '192.0.2.1', linkLocal: undefined });
    for (const wrong of ['00', '05 c000020100', `18 0000000000000000 ${global}`]) assert.equal(faultOf(update({ attributes: [ORIGIN, AS_PATH, reach(wrong)] })).section, 'RFC 7606 section 7.11');
  });

  test('8950 section 3: a VPN-IPv4 prefix may have a VPN-IPv6 next hop of 24 or 48 octets', () => {
    const zero = '0000000000000000';
    for (const value of [`18 ${zero} 20010db8000000000000000000000001`, `30 ${zero} 20010db8000000000000000000000001 ${zero} fe800000000000000000000000000001`]) {
      const { announced } = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, attribute(0x80, 14, `0001 80 ${value} 00 70 000031 0000fde800000007 c63364`)] }));
      assert.equal(announced[0]?.nextHop.address, '2001:db8::1');
    }
  });

  test('8950 section 4: the capability names every family of IPv4 that is offered, with next hops of AFI 2', () => {
    const offered = (families: readonly FamilyName[]): unknown => {
      const network = new Network();
      const peer = RawPeer.established(network, network.node(), 65001, capabilities(65001, []), { families });
      const open = peer.received.find((message) => message.type === 'open');
      return open?.capabilities.find(({ kind }) => kind === 'extendedNextHop');
    };
    const entries = [{ afi: 1, safi: 1, nextHopAfi: 2 }, { afi: 1, safi: 128, nextHopAfi: 2 }];
    assert.deepEqual(offered(['ipv6-unicast', 'ipv4-unicast', 'ipv4-vpn']), { kind: 'extendedNextHop', entries });
    assert.equal(offered(['ipv6-unicast', 'ipv6-vpn']), undefined);
  });

  test('8950 section 4: IPv4 routes with IPv6 next hops go only to a peer that has announced the capability for their family', () => {
    assert.deepEqual(announcedTo([[1, 1, 2]]), [`${NETWORK} by 2001:db8::1`, '2001:db8:a::/48 by 2001:db8::1']);
    for (const extended of [[], [[1, 128, 2]], [[2, 1, 2]], [[1, 1, 1]]] as const) assert.deepEqual(announcedTo(extended), ['2001:db8:a::/48 by 2001:db8::1']);
  });

  test('8950 section 4: between two of ours an IPv4 service route arrives with its IPv6 next hop, by the default families', () => {
    const servicePrefixes = ['192.0.2.0/24'];
    const { network, a, b } = Network.pair({ servicePrefixes }, { servicePrefixes }, { cpn: true }, { cpn: true });
    a.speaker.announce({ prefix: '192.0.2.7/32', cpn: { service: undefined, origin: { exit: a.address, sequence: 1n, originatedAt: 1n, validity: 0 }, instances: [] } });
    network.settle();
    assert.equal(b.service.get(`192.0.2.7/32 ${a.address} 0`)?.nextHop, a.address);
    assert.deepEqual(b.view(a).endOfRib, ['ipv6-unicast', 'ipv4-unicast']);
  });
});
