import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY_ATTRIBUTES, type DecodeContext, type EncodeContext } from '../../../../daemon/bgp/wire/types.js';
import { packAnnouncements, packWithdrawals } from '../../../../daemon/bgp/wire/pack.js';
import { VpnPrefix } from '../../../../daemon/bgp/wire/vpn-prefix.js';
import { afiSafiOf } from '../../../../daemon/bgp/wire/families.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { attribute, decodedUpdate, faultOf, ORIGIN, AS_PATH, update } from '../wire/support/messages.js';
import { PLAIN } from '../wire/support/session.js';
import { Network, type Node } from '../network.js';
import { star, vpnConfig, vpnRoute, VPN_ONLY } from './vpn-network.js';

const NETWORK = '2001:db8:a::/48';
const sidOf = (exit: number): string => `fcbb:bb00:1${exit}:2::`;

/** Two exits with one prefix each under their own route distinguisher, and an entry. */
function exits(importTargets: readonly string[], targets: readonly string[] = ['65000:1']): { network: Network; entry: Node; routers: Node[] } {
  const { network, routers, center } = star(2, () => ({}), VPN_ONLY, { vpn: vpnConfig(importTargets) });
  routers.forEach((exit, index) => exit.speaker.announce(vpnRoute(`10.0.0.${index + 1}:1`, NETWORK, sidOf(index + 1), targets)));
  network.settle();
  return { network, entry: center, routers };
}

describe('RFC 4364', () => {
  test('4364 section 4.1: one prefix under two route distinguishers is two routes', () => {
    const { entry } = exits(['65000:1']);
    const routes = entry.speaker.routes(NETWORK);
    assert.deepEqual(routes.map(({ prefix, best }) => [prefix, best]), [[`10.0.0.1:1 ${NETWORK}`, true], [`10.0.0.2:1 ${NETWORK}`, true]]);
    assert.equal(entry.unicast.size, 0);
  });

  test('4364 section 4.3.1: a route is imported when one of its route targets is one of ours', () => {
    assert.equal(exits(['65000:1']).entry.imported.get(NETWORK)?.sid, sidOf(1));
    assert.equal(exits(['65000:7', '65000:2'], ['65000:1', '65000:2']).entry.imported.get(NETWORK)?.sid, sidOf(1));
    for (const [ours, theirs] of [[['65000:2'], ['65000:1']], [[], ['65000:1']], [['65000:1'], []]] as const) assert.equal(exits(ours, theirs).entry.imported.size, 0);
  });

  test('4364 section 4.3.1: other import targets apply at once, without the session', () => {
    const { network, entry, routers } = exits(['65000:2']);
    const retarget = (targets: readonly string[]): void => {
      entry.speaker.reconfigure({ ...entry.config(), vpn: vpnConfig(targets) });
      network.settle();
    };
    retarget(['65000:1']);
    assert.equal(entry.imported.get(NETWORK)?.sid, sidOf(1));
    retarget([]);
    assert.equal(entry.imported.size, 0);
    assert.equal(entry.view(routers[0]!).establishedCount, 1);
  });

  test('4364 section 4.3.1: of the routes of one prefix the best counts, and the next one when it goes or its SID is unreachable', () => {
    const unresolved = new Set<string>();
    const { network, routers, center: entry } = star(2, () => ({}), VPN_ONLY, { vpn: vpnConfig(['65000:1']), unresolved });
    routers.forEach((exit, index) => exit.speaker.announce({ ...vpnRoute(`10.0.0.${index + 1}:1`, NETWORK, sidOf(index + 1)), localPref: 100 + index }));
    network.settle();
    const sid = (): string | undefined => entry.imported.get(NETWORK)?.sid;
    assert.equal(sid(), sidOf(2));
    unresolved.add(sidOf(2));
    entry.speaker.nextHopsChanged();
    network.settle();
    assert.equal(sid(), sidOf(1));
    unresolved.clear();
    entry.speaker.nextHopsChanged();
    network.settle();
    assert.equal(sid(), sidOf(2));
    routers[1]!.speaker.withdraw(vpnRoute('10.0.0.2:1', NETWORK, sidOf(2)).prefix);
    network.settle();
    assert.equal(sid(), sidOf(1));
    routers[0]!.speaker.stop();
    network.settle();
    assert.equal(sid(), undefined);
    assert.equal(entry.speaker.routes(NETWORK).length, 0);
  });

  test('4364 section 4.3.2: the next hop of a VPN-IPv4 route is an address behind a route distinguisher of zero', () => {
    const route = (nextHop: string): string => attribute(0x80, 14, `0001 80 ${nextHop} 00  70 000031 0000fde800000007 c63364`);
    const decoded = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, route('0c 0000000000000000 c0000201')] }));
    assert.equal(decoded.announced[0]?.nextHop.address, '192.0.2.1');
    assert.equal(decoded.announced[0].nlri[0]?.prefix.toString(), '65000:7 198.51.100.0/24');
    for (const nextHop of ['04 c0000201', '10 20010db8000000000000000000000001', '08 0000000000000000', '00']) {
      assert.equal(faultOf(update({ attributes: [ORIGIN, AS_PATH, route(nextHop)] })).section, 'RFC 7606 section 7.11');
    }
  });

  test('4364 section 4.3.4: label and route distinguisher stand before the prefix and count in its length', () => {
    const context: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: true, cpnAttributeType: 255 };
    const prefix = new VpnPrefix(0x0000_fde8_0000_0007n, Prefix.from('198.51.100.0/24'), 0x000031);
    const family = afiSafiOf('ipv4-vpn');
    const [announcement] = packAnnouncements({ family, nextHop: { address: '192.0.2.1', linkLocal: undefined }, nlri: [{ prefix, pathId: 0 }] }, EMPTY_ATTRIBUTES, context)!;
    assert.ok(Buffer.from(announcement!).toString('hex').includes('800e20' + '000180' + '0c0000000000000000c0000201' + '00' + '70' + '000031' + '0000fde800000007' + 'c63364'));
    const [withdrawal] = packWithdrawals(family, [{ prefix, pathId: 0 }], context);
    // RFC 8277 section 2.4: 0x800000 stands for the label of a withdrawn route.
    assert.ok(Buffer.from(withdrawal!).toString('hex').endsWith('800f12' + '000180' + '70' + '800000' + '0000fde800000007' + 'c63364'));
  });

  test('4364 section 4.3.4: a withdrawal counts whatever its label', () => {
    for (const label of ['800000', '000000', '000031', 'ffffff']) {
      const decoded = decodedUpdate(update({ attributes: [attribute(0x80, 15, `0001 80 70 ${label} 0000fde800000007 c63364`)] }));
      assert.deepEqual(decoded.withdrawn.map(({ prefix }) => prefix.toString()), ['65000:7 198.51.100.0/24']);
    }
  });

  test('4364 section 4.3.4: NLRI shorter than a label and a route distinguisher end the session (RFC 7606 section 5.3)', () => {
    const context: DecodeContext = PLAIN;
    for (const nlri of ['57 000031 0000fde800000007', '18 c63364', '70 000031 0000fde8000000', '79 000031 0000fde800000007 c633640180']) {
      assert.equal(faultOf(update({ attributes: [attribute(0x80, 15, `0001 80 ${nlri}`)] }), context).section, 'RFC 7606 section 5.3', nlri);
    }
  });
});
