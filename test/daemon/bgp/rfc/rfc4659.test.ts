import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { afiSafiOf } from '../../../../daemon/bgp/wire/families.js';
import { encodeEndOfRib, packAnnouncements } from '../../../../daemon/bgp/wire/pack.js';
import { EMPTY_ATTRIBUTES, type EncodeContext, type NextHop } from '../../../../daemon/bgp/wire/types.js';
import { VpnPrefix } from '../../../../daemon/bgp/wire/vpn-prefix.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { attribute, AS_PATH, decodedUpdate, faultOf, ORIGIN, update } from '../wire/support/messages.js';

const GLOBAL = '20010db8000000000000000000000001';
const LINK_LOCAL = 'fe800000000000000000000000000001';
const ZERO = '0000000000000000';
const NLRI = '88 000031 0001c00002010007 20010db8000a';
const context: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: true, cpnAttributeType: 255 };

const reach = (nextHop: string): string => attribute(0x80, 14, `0002 80 ${nextHop} 00 ${NLRI}`);

describe('RFC 4659', () => {
  test('4659 section 2: a VPN-IPv6 address is eight octets of route distinguisher and an IPv6 address', () => {
    const { announced } = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, reach(`18 ${ZERO} ${GLOBAL}`)] }));
    assert.deepEqual(announced[0]?.family, { afi: 2, safi: 128 });
    assert.equal(announced[0].nlri[0]?.prefix.toString(), '192.0.2.1:7 2001:db8:a::/48');
  });

  test('4659 section 3.2.1.1: the next hop has 24 octets, or 48 with a link-local address, each address behind a route distinguisher of zero', () => {
    const nextHop = (value: string): NextHop | undefined => decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, reach(value)] })).announced[0]?.nextHop;
    assert.deepEqual(nextHop(`18 ${ZERO} ${GLOBAL}`), { address: '2001:db8::1', linkLocal: undefined });
    assert.deepEqual(nextHop(`30 ${ZERO} ${GLOBAL} ${ZERO} ${LINK_LOCAL}`), { address: '2001:db8::1', linkLocal: 'fe80::1' });
  });

  test('4659 section 3.2.1: a next hop of any other length ends the session (RFC 7606 section 7.11)', () => {
    const octets = (ZERO + GLOBAL).repeat(3);
    for (let length = 0; length <= 64; length++) {
      if (length === 24 || length === 48) continue;
      const value = length.toString(16).padStart(2, '0') + octets.slice(0, 2 * length);
      assert.equal(faultOf(update({ attributes: [ORIGIN, AS_PATH, reach(value)] })).section, 'RFC 7606 section 7.11', `${length} octets`);
    }
  });

  test('4659 section 3.2.1: a next hop that is no host withdraws the routes', () => {
    const decoded = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, reach(`18 ${ZERO} ${'00'.repeat(16)}`)] }));
    assert.equal(decoded.disposition, 'treatAsWithdraw');
    assert.deepEqual(decoded.withdrawn.map(({ prefix }) => prefix.toString()), ['192.0.2.1:7 2001:db8:a::/48']);
  });

  test('4659 section 3.2.1: next hops are written in the same two forms, and routes fill messages to their limit', () => {
    const prefix = new VpnPrefix(0x0001_c000_0201_0007n, Prefix.from('2001:db8:a::/48'), 0x000031);
    const written = (nextHop: NextHop): string =>
      Buffer.from(packAnnouncements({ family: afiSafiOf('ipv6-vpn'), nextHop, nlri: [{ prefix, pathId: 0 }] }, EMPTY_ATTRIBUTES, context)![0]!).toString('hex');
    const nlri = NLRI.replaceAll(' ', '');
    assert.ok(written({ address: '2001:db8::1', linkLocal: undefined }).includes(`800e2f00028018${ZERO}${GLOBAL}00${nlri}`));
    assert.ok(written({ address: '2001:db8::1', linkLocal: 'fe80::1' }).includes(`800e4700028030${ZERO}${GLOBAL}${ZERO}${LINK_LOCAL}00${nlri}`));
    const many = Array.from({ length: 1000 }, (_, i) => ({ prefix: new VpnPrefix(BigInt(i), prefix.prefix, i), pathId: 0 }));
    const updates = packAnnouncements({ family: afiSafiOf('ipv6-vpn'), nextHop: { address: '2001:db8::1', linkLocal: undefined }, nlri: many }, EMPTY_ATTRIBUTES, context)!;
    assert.ok(updates.length > 1 && updates.every(({ length }) => length <= 4096));
    assert.deepEqual(updates.flatMap((octets) => decodedUpdate(octets).announced[0]!.nlri.map(String)).length, 1000);
  });

  test('4659 section 3.2: End-of-RIB of VPN-IPv6 is an empty MP_UNREACH_NLRI of AFI 2, SAFI 128 (RFC 4724 section 2)', () => {
    assert.equal(Buffer.from(encodeEndOfRib(afiSafiOf('ipv6-vpn'))).toString('hex').slice(38), '00000006800f03000280');
    assert.deepEqual(decodedUpdate(encodeEndOfRib(afiSafiOf('ipv6-vpn'))).endOfRib, { afi: 2, safi: 128 });
  });
});
