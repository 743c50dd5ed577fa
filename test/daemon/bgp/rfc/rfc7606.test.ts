/** Single faults of UPDATE and what follows (RFC 7606); rfc7606-table.test.ts has every attribute with every fault. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AttributeType, type DecodeContext } from '../../../../daemon/bgp/wire/types.js';
import { hex, readHex } from '../../../vectors/load.js';
import { AS_PATH, attribute, decodedUpdate, EBGP, faultOf, IBGP, MP_NEXT_HOP, MP_REACH, MP_UNREACH, NEXT_HOP, NLRI, OLD, ORIGIN, update } from '../wire/support/messages.js';

const { origin, asPath, nextHop, med, localPref, atomicAggregate, aggregator, communities, originatorId, clusterList } = AttributeType;
const { mpReach, mpUnreach, extendedCommunities, as4Path, as4Aggregator, largeCommunities, prefixSid } = AttributeType;

interface Case {
  readonly what: string;
  /** Replaces the sound attribute of its type, or is added. */
  readonly attribute: string;
  readonly type: number;
  readonly section: string;
  readonly context?: DecodeContext;
}

const base = (type: number): string[] =>
  [
    [origin, ORIGIN],
    [asPath, AS_PATH],
    [nextHop, NEXT_HOP],
  ].flatMap(([of, octets]) => (of === type ? [] : [octets as string]));

const withdrawals: Case[] = [
  { what: 'ORIGIN of two octets', attribute: attribute(0x40, 1, '0000'), type: origin, section: '7.1' },
  { what: 'ORIGIN of no octet', attribute: attribute(0x40, 1, ''), type: origin, section: '7.1' },
  { what: 'ORIGIN 3', attribute: attribute(0x40, 1, '03'), type: origin, section: '7.1' },
  { what: 'ORIGIN with Optional set', attribute: attribute(0xc0, 1, '00'), type: origin, section: '3 (c)' },
  { what: 'ORIGIN without Transitive', attribute: attribute(0x00, 1, '00'), type: origin, section: '3 (c)' },
  { what: 'AS_PATH with segment type 5', attribute: attribute(0x40, 2, '0501 0000fde8'), type: asPath, section: '7.2' },
  { what: 'AS_PATH with segment type 0', attribute: attribute(0x40, 2, '0001 0000fde8'), type: asPath, section: '7.2' },
  { what: 'AS_PATH whose segment overruns', attribute: attribute(0x40, 2, '0202 0000fde8'), type: asPath, section: '7.2' },
  { what: 'AS_PATH with one octet left', attribute: attribute(0x40, 2, '0201 0000fde8 02'), type: asPath, section: '7.2' },
  { what: 'AS_PATH with an empty segment', attribute: attribute(0x40, 2, '0200'), type: asPath, section: '7.2' },
  { what: 'AS_PATH with AS 0', attribute: attribute(0x40, 2, '0201 00000000'), type: asPath, section: '7.2' },
  { what: 'NEXT_HOP of 16 octets', attribute: attribute(0x40, 3, MP_NEXT_HOP), type: nextHop, section: '7.3' },
  { what: 'MULTI_EXIT_DISC of 3 octets', attribute: attribute(0x80, 4, '000001'), type: med, section: '7.4' },
  { what: 'MULTI_EXIT_DISC marked transitive', attribute: attribute(0xc0, 4, '00000001'), type: med, section: '3 (c)' },
  { what: 'LOCAL_PREF of 5 octets from an internal peer', attribute: attribute(0x40, 5, '0000000001'), type: localPref, section: '7.5' },
  { what: 'COMMUNITIES of no octet', attribute: attribute(0xc0, 8, ''), type: communities, section: '7.8' },
  { what: 'COMMUNITIES of 5 octets', attribute: attribute(0xc0, 8, '0000000000'), type: communities, section: '7.8' },
  { what: 'ORIGINATOR_ID of 5 octets', attribute: attribute(0x80, 9, 'c000020100'), type: originatorId, section: '7.9' },
  { what: 'CLUSTER_LIST of 6 octets', attribute: attribute(0x80, 10, 'c00002010000'), type: clusterList, section: '7.10' },
  { what: 'CLUSTER_LIST of no octet', attribute: attribute(0x80, 10, ''), type: clusterList, section: '7.10' },
  { what: 'EXTENDED_COMMUNITIES of 7 octets', attribute: attribute(0xc0, 16, '00'.repeat(7)), type: extendedCommunities, section: '7.14' },
  { what: 'EXTENDED_COMMUNITIES of no octet', attribute: attribute(0xc0, 16, ''), type: extendedCommunities, section: '7.14' },
];

const otherWithdrawals: (Case & { readonly rfc: string })[] = [
  { what: 'LARGE_COMMUNITY of 11 octets', attribute: attribute(0xc0, 32, '00'.repeat(11)), type: largeCommunities, rfc: 'RFC 8092', section: '6' },
  { what: 'NEXT_HOP 0.0.0.0', attribute: attribute(0x40, 3, '00000000'), type: nextHop, rfc: 'RFC 4271', section: '6.3' },
  { what: 'NEXT_HOP 224.0.0.1', attribute: attribute(0x40, 3, 'e0000001'), type: nextHop, rfc: 'RFC 4271', section: '6.3' },
  { what: 'a confederation segment from outside', attribute: attribute(0x40, 2, '0301 0000fde8'), type: asPath, rfc: 'RFC 5065', section: '5', context: EBGP },
];

const discards: (Case & { readonly rfc?: string })[] = [
  { what: 'LOCAL_PREF from an external peer', attribute: attribute(0x40, 5, '00000064'), type: localPref, section: '7', context: EBGP },
  { what: 'a malformed LOCAL_PREF from an external peer', attribute: attribute(0xc0, 5, '00'), type: localPref, section: '7', context: EBGP },
  { what: 'ORIGINATOR_ID from an external peer', attribute: attribute(0x80, 9, 'c0000201'), type: originatorId, section: '7', context: EBGP },
  { what: 'CLUSTER_LIST from an external peer', attribute: attribute(0x80, 10, 'c0000201'), type: clusterList, section: '7', context: EBGP },
  { what: 'ATOMIC_AGGREGATE of one octet', attribute: attribute(0x40, 6, '00'), type: atomicAggregate, section: '7.6' },
  { what: 'AGGREGATOR of 6 octets with 4-octet AS numbers', attribute: attribute(0xc0, 7, 'fde8c0000201'), type: aggregator, section: '7.7' },
  { what: 'AGGREGATOR of 8 octets with 2-octet AS numbers', attribute: attribute(0xc0, 7, '0000fde8c0000201'), type: aggregator, section: '7.7', context: OLD },
  { what: 'AGGREGATOR with AS 0', attribute: attribute(0xc0, 7, '00000000c0000201'), type: aggregator, rfc: 'RFC 7607', section: '2' },
  { what: 'AS4_PATH from a 4-octet speaker', attribute: attribute(0xc0, 17, '0201 0000fde8'), type: as4Path, rfc: 'RFC 6793', section: '4.1' },
  { what: 'AS4_AGGREGATOR from a 4-octet speaker', attribute: attribute(0xc0, 18, '0000fde8c0000201'), type: as4Aggregator, rfc: 'RFC 6793', section: '4.1' },
  { what: 'a malformed AS4_PATH', attribute: attribute(0xc0, 17, '0202 0000fde8'), type: as4Path, rfc: 'RFC 6793', section: '6', context: OLD },
  { what: 'an AS4_AGGREGATOR of 6 octets', attribute: attribute(0xc0, 18, '000000010000'), type: as4Aggregator, rfc: 'RFC 6793', section: '6', context: OLD },
  { what: 'AS4_PATH marked non-transitive', attribute: attribute(0x80, 17, '0201 0000fde8'), type: as4Path, section: '3 (c)', context: OLD },
  { what: 'a family that is not spoken', attribute: attribute(0x80, 14, '0019 46 04 c0000201 00 00'), type: mpReach, rfc: 'RFC 4760', section: '7' },
  { what: 'withdrawals of a family that is not spoken', attribute: attribute(0x80, 15, '0019 46 00'), type: mpUnreach, rfc: 'RFC 4760', section: '7' },
];

const path = (context: DecodeContext = IBGP): string[] => (context === OLD ? [ORIGIN, attribute(0x40, 2, '0201 fde8'), NEXT_HOP] : [ORIGIN, AS_PATH, NEXT_HOP]);

describe('RFC 7606: treat as withdraw', () => {
  for (const { what, attribute: octets, type, section, context, rfc } of [...withdrawals.map((item) => ({ ...item, rfc: 'RFC 7606' })), ...otherWithdrawals]) {
    it(`${rfc.replace('RFC ', '')} section ${section}: ${what} withdraws the routes`, () => {
      const message = decodedUpdate(update({ withdrawn: '08 0a', attributes: [...base(type), octets], nlri: NLRI }), context);
      assert.equal(message.disposition, 'treatAsWithdraw');
      assert.deepEqual(message.announced, []);
      assert.equal(message.attributes, undefined);
      assert.deepEqual(message.withdrawn.map(({ prefix }) => prefix.toString()), ['10.0.0.0/8', '198.51.100.0/24']);
      assert.equal(message.faults.length, 1);
      const [fault] = message.faults;
      assert.equal(fault?.section, `${rfc} section ${section}`);
      assert.equal(fault.attribute, type);
      assert.equal(fault.notification, undefined);
      assert.deepEqual(fault.raw, hex(octets));
    });
  }

  for (const [what, missing] of [
    ['ORIGIN', origin],
    ['AS_PATH', asPath],
    ['NEXT_HOP', nextHop],
  ] as const) {
    it(`7606 section 3 (d): a missing ${what} withdraws the routes`, () => {
      const message = decodedUpdate(update({ attributes: base(missing), nlri: NLRI }));
      assert.equal(message.disposition, 'treatAsWithdraw');
      assert.deepEqual(message.faults.map(({ section, attribute: type }) => [section, type]), [['RFC 7606 section 3 (d)', missing]]);
    });
  }

  it('7606 section 3 (d): does not miss NEXT_HOP where only MP_REACH_NLRI announces', () => {
    assert.equal(decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, MP_REACH] })).disposition, 'accept');
  });

  it('7606 section 2: withdraws what MP_REACH_NLRI announces too', () => {
    const message = decodedUpdate(update({ attributes: [attribute(0x40, 1, '09'), AS_PATH, NEXT_HOP, MP_REACH, MP_UNREACH], nlri: NLRI }));
    assert.deepEqual(message.withdrawn.map(({ prefix }) => prefix.toString()), ['2001:db8:bbbb::/48', '198.51.100.0/24', '2001:db8:cafe::1/128']);
  });

  it('7606 section 3 (c): withdraws when the flags of MP_REACH_NLRI conflict, and when its next hop is no host', () => {
    for (const bad of [MP_REACH.replace(/^80/, 'c0'), MP_REACH.replace(MP_NEXT_HOP, '0'.repeat(32)), MP_REACH.replace(MP_NEXT_HOP, `ff02${'0'.repeat(27)}1`)]) {
      const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, bad] }));
      assert.equal(message.disposition, 'treatAsWithdraw', bad);
      assert.deepEqual(message.withdrawn.map(({ prefix }) => prefix.toString()), ['2001:db8:cafe::1/128']);
    }
  });

  it('7606 section 4: withdraws when the last attribute overruns the list, since the prefixes stand outside of it', () => {
    for (const tail of ['c008 08 0000', 'c0', 'c008', 'd008 00', 'd008 0008 00']) {
      const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, tail], nlri: NLRI }));
      assert.equal(message.disposition, 'treatAsWithdraw', tail);
      assert.equal(message.faults[0]?.section, 'RFC 7606 section 4');
      assert.deepEqual(message.faults[0].raw, hex(tail));
    }
  });

  it('7606 section 3 (h): takes the strongest of several faults', () => {
    const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0x40, 6, '00'), attribute(0x80, 4, '00')], nlri: NLRI }));
    assert.equal(message.disposition, 'treatAsWithdraw');
    assert.deepEqual(message.faults.map(({ disposition }) => disposition), ['attributeDiscard', 'treatAsWithdraw']);
  });
});

describe('RFC 7606: attribute discard', () => {
  for (const { what, attribute: octets, type, section, context, rfc = 'RFC 7606' } of discards) {
    it(`${rfc.replace('RFC ', '')} section ${section}: ${what} is left out, the route stays`, () => {
      const message = decodedUpdate(update({ attributes: [...path(context), octets], nlri: NLRI }), context);
      assert.equal(message.disposition, 'attributeDiscard');
      assert.deepEqual(message.faults.map((fault) => [fault.section, fault.attribute]), [[`${rfc} section ${section}`, type]]);
      assert.equal(message.announced[0]?.nlri[0]?.prefix.toString(), '198.51.100.0/24');
      const { localPref: pref, originatorId: id, clusterList: list, atomicAggregate: atomic, aggregator: by } = message.attributes!;
      assert.deepEqual([pref, id, list, atomic, by], [undefined, undefined, [], false, undefined]);
    });
  }

  it('7606 section 3 (g): all but the first of a repeated attribute are left out', () => {
    const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0x80, 4, '00000001'), attribute(0x80, 4, '00000002')], nlri: NLRI }));
    assert.equal(message.disposition, 'attributeDiscard');
    assert.equal(message.attributes?.med, 1);
  });

  it('7606 section 3 (g): a malformed repetition is left out unread', () => {
    const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0x40, 1, '77')], nlri: NLRI }));
    assert.equal(message.disposition, 'attributeDiscard');
    assert.equal(message.attributes?.origin, 0);
  });
});

describe('RFC 7606: session reset', () => {
  const resets: { what: string; octets: Uint8Array; subcode: number; section: string; data?: string }[] = [
    { what: 'MP_REACH_NLRI twice', octets: update({ attributes: [ORIGIN, AS_PATH, MP_REACH, MP_REACH] }), subcode: 1, section: 'RFC 7606 section 3 (g)' },
    { what: 'MP_UNREACH_NLRI twice', octets: update({ attributes: [MP_UNREACH, MP_UNREACH] }), subcode: 1, section: 'RFC 7606 section 3 (g)' },
    {
      what: 'a next hop of 15 octets in MP_REACH_NLRI',
      octets: update({ attributes: [ORIGIN, AS_PATH, attribute(0x80, 14, `0002 01 0f ${MP_NEXT_HOP.slice(2)} 00`)] }),
      subcode: 9,
      section: 'RFC 7606 section 7.11',
      data: attribute(0x80, 14, `0002 01 0f ${MP_NEXT_HOP.slice(2)} 00`),
    },
    { what: 'an IPv4 next hop for IPv6', octets: update({ attributes: [ORIGIN, AS_PATH, attribute(0x80, 14, '0002 01 04 c0000201 00')] }), subcode: 9, section: 'RFC 7606 section 7.11' },
    { what: 'MP_REACH_NLRI that ends in its next hop', octets: update({ attributes: [attribute(0x80, 14, '0002 01 10 2001')] }), subcode: 9, section: 'RFC 7606 section 7.11' },
    { what: 'MP_UNREACH_NLRI of two octets', octets: update({ attributes: [attribute(0x80, 15, '0002')] }), subcode: 9, section: 'RFC 7606 section 7.12' },
    { what: 'a prefix length of 129', octets: update({ attributes: [attribute(0x80, 15, `0002 01 81 ${'00'.repeat(17)}`)] }), subcode: 9, section: 'RFC 7606 section 5.3' },
    { what: 'an MP prefix cut short', octets: update({ attributes: [attribute(0x80, 15, '0002 01 30 20010d')] }), subcode: 9, section: 'RFC 7606 section 5.3' },
    { what: 'a prefix length of 33 in the NLRI field', octets: update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP], nlri: '21 c633640000' }), subcode: 10, section: 'RFC 7606 section 5.3' },
    { what: 'an NLRI field cut short', octets: update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP], nlri: '18 c633' }), subcode: 10, section: 'RFC 7606 section 5.3' },
    { what: 'withdrawn routes cut short', octets: update({ withdrawn: '18 c633' }), subcode: 10, section: 'RFC 7606 section 5.3' },
    { what: 'an unrecognised well-known attribute', octets: update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0x40, 99, '01')], nlri: NLRI }), subcode: 2, section: 'RFC 4271 section 6.3', data: '40630101' },
    { what: 'a malformed attribute and no reachable prefix', octets: update({ withdrawn: '08 0a', attributes: [attribute(0x40, 1, '09')] }), subcode: 6, section: 'RFC 7606 section 5.2', data: '40010109' },
    { what: 'an overrun of the attribute list and no reachable prefix', octets: update({ attributes: ['c008 08 0000'] }), subcode: 1, section: 'RFC 7606 section 5.2' },
  ];
  for (const { what, octets, subcode, section, data } of resets) {
    it(`${section.replace('RFC ', '')}: ${what} ends the session with 3/${subcode}`, () => {
      const fault = faultOf(octets);
      assert.equal(fault.disposition, 'sessionReset');
      assert.deepEqual([fault.section, fault.notification.code, fault.notification.subcode], [section, 3, subcode]);
      if (data !== undefined) assert.deepEqual(fault.notification.data, hex(data));
    });
  }

  it('4271 section 6.3: lengths of sections that exceed the message end the session with 3/1', () => {
    for (const body of ['0001 0000', 'ffff 0000', '0000 0001', '0000 ffff 00', '0002 0000']) {
      const fault = faultOf(hex('ff'.repeat(16) + (19 + hex(body).length).toString(16).padStart(4, '0') + '02' + body));
      assert.deepEqual([fault.notification.code, fault.notification.subcode], [3, 1], body);
    }
  });

  it('7606 section 5.2: conflicting flags of an MP_UNREACH_NLRI that stands alone withdraw nothing more than it says', () => {
    const message = decodedUpdate(update({ attributes: [MP_UNREACH.replace(/^80/, '40')] }));
    assert.equal(message.disposition, 'treatAsWithdraw');
    assert.deepEqual(message.withdrawn.map(({ prefix }) => prefix.toString()), ['2001:db8:bbbb::/48']);
  });
});

describe('CPN attribute faults', () => {
  const block = Buffer.from(readHex('cpn', 'minimal')).toString('hex');
  const broken = block.slice(0, -2);
  const route = (flags: number, value: string, ...more: string[]) =>
    decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, MP_REACH, attribute(flags, 255, value), ...more] }));

  for (const flags of [0xc0, 0xd0, 0xe0, 0xf0]) {
    it(`accepts flags ${flags.toString(16)}, with a short value too`, () => {
      const { disposition, attributes } = route(flags, block);
      assert.equal(disposition, 'accept');
      assert.deepEqual(attributes?.cpn?.value, hex(block));
      assert.equal(attributes.cpn.flags, flags & 0xe0);
      assert.equal(attributes.cpn.block.instances[0]?.id, 1);
    });
  }

  it('ignores the lower four bits of the flags', () => {
    assert.equal(route(0xcf, block).disposition, 'accept');
  });

  for (const flags of [0x00, 0x40, 0x80, 0x90, 0x60]) {
    it(`withdraws on flags ${flags.toString(16)}, with the raw octets in the fault`, () => {
      const { disposition, faults, withdrawn } = route(flags, block);
      assert.equal(disposition, 'treatAsWithdraw');
      assert.deepEqual(faults[0]?.raw, hex(attribute(flags, 255, block)));
      assert.deepEqual(withdrawn.map(({ prefix }) => prefix.toString()), ['2001:db8:cafe::1/128']);
    });
  }

  it('withdraws on a framing fault, one fault with the raw octets', () => {
    const { disposition, faults, attributes } = route(0xc0, broken);
    assert.equal(disposition, 'treatAsWithdraw');
    assert.equal(attributes, undefined);
    assert.equal(faults.length, 1);
    assert.deepEqual(faults[0]?.raw, hex(attribute(0xc0, 255, broken)));
  });

  it('never ends a session, even without reachable prefixes', () => {
    for (const flags of [0xc0, 0x40]) {
      const message = decodedUpdate(update({ withdrawn: '08 0a', attributes: [attribute(flags, 255, broken)] }));
      assert.equal(message.disposition, 'treatAsWithdraw');
    }
  });

  it('passes on what is somebody else\'s, whatever its flags, as an unknown attribute', () => {
    for (const flags of [0xc0, 0xe0, 0xd0, 0x40, 0x80]) {
      for (const value of ['', '43504e', '43504e02', '0102030405']) {
        const { disposition, attributes } = route(flags, value);
        assert.equal(disposition, 'accept');
        assert.equal(attributes?.cpn, undefined);
        assert.deepEqual(attributes?.unknown, [{ flags: 0xe0, type: 255, value: hex(value) }]);
      }
    }
  });

  it('takes the first of duplicates', () => {
    const { disposition, attributes } = route(0xc0, block, attribute(0xc0, 255, Buffer.from(readHex('cpn', 'full')).toString('hex').slice(0, 200)));
    assert.equal(disposition, 'attributeDiscard');
    assert.deepEqual(attributes?.cpn?.value, hex(block));
  });

  it('reads the configured type code, and then not 255', () => {
    const context: DecodeContext = { ...IBGP, cpnAttributeType: 200 };
    const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, MP_REACH, attribute(0xc0, 200, block), attribute(0xc0, 255, block)] }), context);
    assert.deepEqual(message.attributes?.cpn?.value, hex(block));
    assert.deepEqual(message.attributes.unknown.map(({ type }) => type), [255]);
  });
});

describe('Prefix-SID faults', () => {
  it('is passed on as it is without an SRv6 service', () => {
    for (const value of ['', '010007 00 0000 00000001', '05000100', '990002 abcd']) {
      const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0xc0, prefixSid, value)], nlri: NLRI }));
      assert.equal(message.disposition, 'accept');
      assert.deepEqual(message.attributes?.prefixSid, { value: hex(value), sid: undefined, transposition: undefined });
    }
  });

  it('is left out when its lengths do not add up, and the route stays (RFC 9252 section 7)', () => {
    for (const value of ['05', '050100', '0500ff00', '050000', '05000400010100']) {
      const message = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0xc0, prefixSid, value)], nlri: NLRI }));
      assert.equal(message.disposition, 'attributeDiscard', value);
      assert.equal(message.attributes?.prefixSid, undefined);
      assert.equal(message.announced[0]?.nlri.length, 1);
    }
  });
});
