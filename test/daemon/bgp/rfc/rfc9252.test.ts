import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { LocalRoute } from '../../../../daemon/bgp/local-routes.js';
import { prefixSidOf, serviceSid, vpnSidOf } from '../../../../daemon/bgp/wire/attributes/prefix-sid.js';
import { IMPLICIT_NULL_LABEL, VpnPrefix } from '../../../../daemon/bgp/wire/vpn-prefix.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { sid as anySid } from '../../computing/arbitraries.js';
import { attribute, AS_PATH, decodedUpdate, ORIGIN, update } from '../wire/support/messages.js';
import { Network, type Node } from '../network.js';
import { BOTH, sidInfo, star, unicastRoute, vpnConfig, vpnRoute, VPN_ONLY } from './vpn-network.js';

const SID = 'fcbb:bb00:1:e001::';
const SID_OCTETS = 'fcbbbb000001e0010000000000000000';
const NETWORK = '2001:db8:a::/48';
const STRUCTURE = '20101000 0000';

const information = (sid: string, structure = STRUCTURE, behaviour = '0012'): string => `01 001e 00 ${sid} 00 ${behaviour} 00 01 0006 ${structure}`;
const service = (inner: string, type = '05'): string => `${type} ${(1 + inner.replaceAll(' ', '').length / 2).toString(16).padStart(4, '0')} 00 ${inner}`;
const reach = (label: string): string => attribute(0x80, 14, `0002 80 18 0000000000000000 20010db8000000000000000000000001 00 88 ${label} 0001c00002010007 20010db8000a`);

/** The SID that a VPN route with this label and Prefix-SID leads to. */
function sidOf(label: string, value: string): string | undefined {
  const { attributes, announced } = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, reach(label), attribute(0xc0, 40, value)] }));
  return serviceSid(attributes?.prefixSid, announced[0]!.nlri[0]!.prefix)?.sid;
}

const disposition = (value: string): string => decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, reach('000031'), attribute(0xc0, 40, value)] })).disposition;

/** An exit that announces one route to an entry. */
function announced(route: LocalRoute, session: Parameters<typeof star>[2] = VPN_ONLY, servicePrefixes: readonly string[] = [], as = 65000): { network: Network; entry: Node } {
  const { network, routers, center } = star(1, () => ({ servicePrefixes, as }), session, { vpn: vpnConfig(['65000:1']), servicePrefixes });
  routers[0]!.speaker.announce(route);
  network.settle();
  return { network, entry: center };
}

describe('RFC 9252', () => {
  test('9252 section 3.1: a SID stands whole in the attribute when nothing is transposed, whatever the label', () => {
    for (const label of ['000031', '000001', 'fffff1', '800000']) assert.equal(sidOf(label, service(information(SID_OCTETS))), SID);
  });

  test('9252 section 3.2.1: transposed bits are those of function or argument, 20 at most; the SID of another structure cannot be used', () => {
    const bare = 'fcbbbb00000100000000000000000000';
    const usable = (structure: string): boolean => sidOf('e00101', service(information(bare, structure))) !== undefined;
    assert.ok(usable('20101000 1030'), '16 bits of the function');
    assert.ok(usable('20101000 0830'), 'the upper half of the function');
    assert.ok(usable('20100008 0830'), 'an argument');
    for (const [structure, what] of [
      ['20101000 1020', 'the node part'],
      ['20101000 1031', 'one bit past the function'],
      ['20102000 1530', '21 bits'],
      ['80101000 1030', 'more than 128 bits'],
    ] as const) {
      assert.ok(!usable(structure), what);
      assert.equal(disposition(service(information(bare, structure))), 'accept', what);
    }
  });

  test('9252 section 4: transposed bits come from the most significant bits of the label', () => {
    const bare = 'fcbbbb00000100000000000000000000';
    assert.equal(sidOf('e00101', service(information(bare, '20101000 1030'))), SID);
    assert.equal(sidOf('e00100', service(information(bare, '20101000 1030'))), SID);
    assert.equal(sidOf('e00101', service(information(bare, '20101000 0830'))), 'fcbb:bb00:1:e000::');
    // What stands in the attribute in their place is replaced.
    assert.equal(sidOf('e00101', service(information('fcbbbb000001ffff0000000000000000', '20101000 1030'))), SID);
  });

  test('9252 section 4: any SID comes back from its attribute and label, transposed or not', () => {
    fc.assert(
      fc.property(anySid, fc.boolean(), (info, transposed) => {
        const { block, node, function: fun, argument } = info.structure;
        fc.pre(block + node + fun + argument <= 128);
        const { prefixSid, label } = vpnSidOf(info, transposed);
        const destination = new VpnPrefix(7n, Prefix.from(NETWORK), label);
        const value = Buffer.from(prefixSid.value).toString('hex');
        assert.deepEqual(serviceSid(prefixSid, destination)?.sid, info.sid);
        assert.equal(sidOf(label.toString(16).padStart(6, '0'), value), info.sid);
      }),
    );
  });

  test('9252 section 4: one attribute serves all SIDs of a locator when the function is transposed', () => {
    const [a, b] = [SID, 'fcbb:bb00:1:e002::'].map((sid) => vpnSidOf(sidInfo(sid), true));
    assert.deepEqual(a!.prefixSid.value, b!.prefixSid.value);
    assert.deepEqual([a!.label, b!.label], [0xe00101, 0xe00201]);
  });

  test('9252 section 4: without transposition the label is Implicit NULL; functions that would be reserved labels are not transposed', () => {
    assert.equal(vpnSidOf(sidInfo(SID), false).label, IMPLICIT_NULL_LABEL);
    const wide = { ...sidInfo('fcbb:bb00:1:0:f000::'), structure: { block: 32, node: 16, function: 20, argument: 0 } };
    assert.deepEqual(vpnSidOf(wide, true), { prefixSid: prefixSidOf(wide), label: IMPLICIT_NULL_LABEL });
  });

  test('9252 section 4: a transposed SID of a route without a label is none', () => {
    assert.equal(serviceSid(vpnSidOf(sidInfo(SID), true).prefixSid, Prefix.from(NETWORK)), undefined);
  });

  for (const transposed of [false, true]) {
    test(`9252 section 5: a VPN route is reached through its SID, ${transposed ? 'transposed' : 'whole'}, when the behaviour delivers IPv6`, () => {
      for (const [behaviour, leads] of [[0x12, true], [0x10, true], [0x14, true], [0xffff, true], [0x13, false], [0x11, false], [0x01, false]] as const) {
        const { entry } = announced(vpnRoute('10.0.0.1:1', NETWORK, SID, ['65000:1'], { behaviour, transposed }));
        assert.equal(entry.imported.get(NETWORK)?.sid, leads ? SID : undefined, `behaviour ${behaviour}`);
      }
    });
  }

  test('9252 section 5: a route without a SID, or whose SID is unreachable, is not imported', () => {
    const route = vpnRoute('10.0.0.1:1', NETWORK, SID);
    assert.equal(announced({ prefix: route.prefix, extendedCommunities: route.extendedCommunities! }).entry.imported.size, 0);
    const { network, routers, center } = star(1, () => ({}), VPN_ONLY, { vpn: vpnConfig(['65000:1']), unresolved: new Set([SID]) });
    routers[0]!.speaker.announce(route);
    network.settle();
    assert.equal(center.speaker.routes(NETWORK).length, 1);
    assert.equal(center.imported.size, 0);
  });

  test('9252 section 5.3: the SID of an IPv6 unicast route is used only where the neighbor is in the SR domain', () => {
    for (const srv6 of [true, false]) {
      const { entry } = announced(unicastRoute(NETWORK, SID), { srv6 });
      assert.equal(entry.unicast.get(NETWORK)?.sid, srv6 ? SID : undefined);
      assert.equal(entry.best(NETWORK)?.prefixSid, srv6 ? SID : undefined);
    }
  });

  test('9252 section 5.3: what one neighbor announced with a SID loses it towards another AS that is not in the SR domain (RFC 8669 section 5)', () => {
    for (const srv6 of [true, false]) {
      const network = new Network();
      const [exit, middle, other] = [network.node({ as: 65000 }), network.node({ as: 65000 }), network.node({ as: 65001 })];
      network.connect(exit, middle, { srv6: true }, { srv6: true });
      network.connect(middle, other, { srv6 }, { srv6: true });
      network.start(exit, middle, other);
      network.settle();
      exit.speaker.announce(unicastRoute(NETWORK, SID));
      network.settle();
      assert.equal(other.best(NETWORK)?.prefixSid, srv6 ? SID : undefined);
    }
  });

  test('9252 section 6: service routes of two exits pass a reflector in between as routes of the VPN, beside the unicast one', () => {
    const servicePrefixes = ['2001:db8:5e::/48'];
    const network = new Network();
    const [exit, entry] = [network.node({ servicePrefixes }), network.node({ servicePrefixes, vpn: vpnConfig(['65000:1']) })];
    network.connect(exit, entry, { ...BOTH, cpn: true }, { ...BOTH, cpn: true });
    network.start(exit, entry);
    network.settle();
    const origin = { exit: exit.address, sequence: 3n, originatedAt: 1n, validity: 0 };
    const cpn = { service: undefined, origin, instances: [] };
    const vpn = { ...vpnRoute('10.0.0.1:1', '2001:db8:5e::1/128', SID), cpn };
    exit.speaker.announceBatch([{ prefix: '2001:db8:5e::1/128', cpn }, vpn, { ...vpnRoute('10.0.0.1:2', '2001:db8:5e::1/128', SID, ['65000:2']), cpn }]);
    network.settle();
    assert.deepEqual([...entry.service.keys()].sort(), ['10.0.0.1:1 2001:db8:5e::1/128 2001:db8::1 0', '2001:db8:5e::1/128 2001:db8::1 0']);
    assert.equal(entry.imported.size, 0, 'service routes feed the computing RIB only');
    assert.deepEqual(entry.speaker.routes('2001:db8:5e::1/128').map(({ communities }) => communities), [['no-export'], ['no-export'], ['no-export']]);
    exit.speaker.withdraw(vpn.prefix);
    network.settle();
    assert.deepEqual([...entry.service.keys()], ['2001:db8:5e::1/128 2001:db8::1 0']);
  });

  test('9252 section 7: of several L3 Service TLVs the first counts, unknown TLVs of every level are passed over', () => {
    const second = information(SID_OCTETS.replace('e001', 'e002'));
    assert.equal(sidOf('000031', service(information(SID_OCTETS)) + service(second)), SID);
    assert.equal(sidOf('000031', `63 0001 aa ${service(`63 0002 aabb ${information(SID_OCTETS)} ${second}`)}`), SID);
    const innerUnknown = `01 0022 00 ${SID_OCTETS} 00 0012 00 63 0001 aa 01 0006 ${STRUCTURE}`;
    assert.equal(sidOf('000031', service(innerUnknown)), SID);
    assert.equal(sidOf('000031', service(information(SID_OCTETS), '06')), undefined, 'an L2 Service TLV');
  });

  test('9252 section 7: a malformed Service TLV at any level takes the attribute away, not the route', () => {
    for (const value of [
      '05 0000',
      '05 ffff 00',
      service(`01 0014 00 ${SID_OCTETS} 00 0012`),
      service(`01 ffff 00 ${SID_OCTETS} 00 0012 00`),
      service(`01 001d 00 ${SID_OCTETS} 00 0012 00 01 0005 2010100000`),
      service(`01 001e 00 ${SID_OCTETS} 00 0012 00 01 0007 ${STRUCTURE}`),
      service(`01 0014 00 ${SID_OCTETS} 00 0012`, '06'),
    ]) {
      assert.equal(disposition(value), 'attributeDiscard', value);
      assert.equal(sidOf('000031', value), undefined);
    }
  });

  test('9252 section 7: cut at any length the attribute is discarded or has no SID', () => {
    const value = service(information(SID_OCTETS)).replaceAll(' ', '');
    for (let length = 0; length < value.length / 2; length++) {
      assert.equal(sidOf('000031', value.slice(0, 2 * length)), undefined, `${length} octets`);
      assert.equal(disposition(value.slice(0, 2 * length)), length === 0 ? 'accept' : 'attributeDiscard', `${length} octets`);
    }
  });

  test('9252 section 7: no octets make the reader throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 90 }), (octets) => void disposition(Buffer.from(octets).toString('hex'))));
  });
});
