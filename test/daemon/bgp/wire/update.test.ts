import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import { encodeAttributes, encodeEndOfRib, packAnnouncements, packWithdrawals } from '../../../../daemon/bgp/wire/pack.js';
import {
  type Announcement,
  type DecodeContext,
  EMPTY_ATTRIBUTES,
  type EncodeContext,
  IPV4_UNICAST,
  IPV6_UNICAST,
  type Nlri,
  type PathAttributes,
} from '../../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { hex } from '../../../vectors/load.js';
import { attributes as anyAttributes, nlri as anyNlri } from './support/arbitraries.js';
import { AS_PATH, attribute, decodedUpdate, EBGP, IBGP, message, MP_REACH, NEXT_HOP, NLRI, OLD, ORIGIN, update } from './support/messages.js';

const context = (change: Partial<EncodeContext & DecodeContext> = {}): EncodeContext & DecodeContext => ({ ...IBGP, extendedMessage: false, ...change });

const prefixes = (list: readonly Nlri[]): string[] => list.map(({ prefix, pathId }) => `${prefix.toString()} ${pathId}`);
const route = (text: string, pathId = 0): Nlri => ({ prefix: Prefix.from(text), pathId });
const V6: Announcement = { family: IPV6_UNICAST, nextHop: { address: '2001:db8::1', linkLocal: undefined }, nlri: [] };
const V4: Announcement = { family: IPV4_UNICAST, nextHop: { address: '192.0.2.1', linkLocal: undefined }, nlri: [] };

const asPath = (...as: number[]): PathAttributes['asPath'] => [{ type: 2, as }];

describe('UPDATE', () => {
  it('reads IPv4 in the NLRI field and IPv6 in MP_REACH_NLRI of one message, each with its next hop', () => {
    const { announced, attributes, disposition } = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, MP_REACH], nlri: NLRI }));
    assert.equal(disposition, 'accept');
    assert.deepEqual(
      announced.map(({ family, nextHop, nlri }) => [family.afi, nextHop.address, nextHop.linkLocal, ...prefixes(nlri)]),
      [
        [1, '192.0.2.1', undefined, '198.51.100.0/24 0'],
        [2, '2001:db8::1', undefined, '2001:db8:cafe::1/128 0'],
      ],
    );
    assert.deepEqual(attributes, { ...EMPTY_ATTRIBUTES, asPath: asPath(65000) });
  });

  it('reads a link-local next hop beside the global one (RFC 2545), and none where it is unspecified', () => {
    const both = (second: string): string =>
      attribute(0x80, 14, `0002 01 20 20010db8000000000000000000000001 ${second} 00 40 20010db8cafe0000`);
    const nextHop = (second: string) => decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, both(second)] })).announced[0]?.nextHop;
    assert.deepEqual(nextHop(`fe80${'0'.repeat(27)}1`), { address: '2001:db8::1', linkLocal: 'fe80::1' });
    assert.deepEqual(nextHop('0'.repeat(32)), { address: '2001:db8::1', linkLocal: undefined });
  });

  it('reads IPv4 with an IPv6 next hop (RFC 8950) and with an IPv4 one in MP_REACH_NLRI', () => {
    const mp = (nextHop: string) => decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, attribute(0x80, 14, `0001 01 ${nextHop} 00 ${NLRI}`)] })).announced;
    assert.deepEqual(mp('10 20010db8000000000000000000000001').map(({ nextHop }) => nextHop.address), ['2001:db8::1']);
    assert.deepEqual(mp('04 c0000201').map(({ nextHop, nlri }) => [nextHop.address, ...prefixes(nlri)]), [['192.0.2.1', '198.51.100.0/24 0']]);
  });

  it('clears host bits of a prefix, and reads the default route', () => {
    const { withdrawn } = decodedUpdate(update({ withdrawn: '09 0aff 00 11 0affff' }));
    assert.deepEqual(prefixes(withdrawn), ['10.128.0.0/9 0', '0.0.0.0/0 0', '10.255.128.0/17 0']);
  });

  it('reads path identifiers where they were negotiated', () => {
    const addPath: DecodeContext = { ...IBGP, addPath: (afi) => afi === 1 };
    const { withdrawn, announced } = decodedUpdate(update({ withdrawn: `00000007 ${NLRI}`, attributes: [ORIGIN, AS_PATH, NEXT_HOP, MP_REACH], nlri: `ffffffff ${NLRI}` }), addPath);
    assert.deepEqual(prefixes(withdrawn), ['198.51.100.0/24 7']);
    assert.deepEqual(announced.map(({ nlri }) => prefixes(nlri)), [['198.51.100.0/24 4294967295'], ['2001:db8:cafe::1/128 0']]);
  });

  it('tells End-of-RIB of IPv4 by an empty UPDATE and of others by an empty MP_UNREACH_NLRI alone', () => {
    assert.deepEqual(decodedUpdate(message(2, '0000 0000')).endOfRib, IPV4_UNICAST);
    assert.deepEqual(decodedUpdate(update({ attributes: [attribute(0x80, 15, '0002 01')] })).endOfRib, IPV6_UNICAST);
    assert.deepEqual(decodedUpdate(update({ attributes: [attribute(0x90, 15, '0019 46')] })).endOfRib, { afi: 25, safi: 70 });
    for (const octets of [
      update({ withdrawn: '08 0a' }),
      update({ attributes: [attribute(0x80, 15, '0002 01 00')] }),
      update({ attributes: [ORIGIN, attribute(0x80, 15, '0002 01')] }),
      update({ attributes: [ORIGIN] }),
    ]) {
      assert.equal(decodedUpdate(octets).endOfRib, undefined);
    }
  });

  it('keeps unknown transitive attributes with Partial set, and drops the others', () => {
    const { attributes } = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0xd0, 99, '0102'), attribute(0x80, 42, '03'), attribute(0xe0, 36, '')], nlri: NLRI }));
    assert.deepEqual(attributes?.unknown, [
      { flags: 0xe0, type: 36, value: hex('') },
      { flags: 0xe0, type: 99, value: hex('0102') },
    ]);
  });

  it('never clears Partial of a known transitive attribute (RFC 4271 section 4.3)', () => {
    const { attributes } = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0xe0, 8, 'fde80001'), attribute(0xc0, 32, '00'.repeat(12))], nlri: NLRI }));
    assert.deepEqual(attributes?.partial, [8]);
    const octets = Buffer.from(encodeAttributes(attributes, context())).toString('hex');
    assert.ok(octets.includes('e00804fde80001'));
    assert.ok(octets.includes('c0200c'));
  });

  it('keeps nothing that changes with the receive buffer', () => {
    const octets = Buffer.from(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0xc0, 99, '0102'), attribute(0xc0, 40, '030000'), attribute(0x40, 6, 'ff')], nlri: NLRI }));
    const { attributes, announced, faults } = decodedUpdate(octets);
    octets.fill(0);
    assert.deepEqual(attributes?.unknown[0]?.value, hex('0102'));
    assert.deepEqual(attributes.prefixSid?.value, hex('030000'));
    assert.deepEqual(prefixes(announced[0]!.nlri), ['198.51.100.0/24 0']);
    assert.deepEqual(faults[0]?.raw, hex('400601ff'));
  });

  it('never throws on truncation at any length: whatever is left, the lengths made to fit', () => {
    const whole = packAnnouncements({ ...V6, nlri: [route('2001:db8:cafe::1/128')] }, { ...EMPTY_ATTRIBUTES, asPath: asPath(1, 2), communities: [1], med: 1 }, context())![0]!;
    for (let length = 19; length < whole.length; length++) {
      const cut = whole.slice(0, length);
      cut[16] = length >> 8;
      cut[17] = length & 0xff;
      assert.equal(decodeMessage(cut, IBGP).ok, false, `${length} octets`);
      if (length < 23) continue;
      cut[21] = (length - 23) >> 8;
      cut[22] = (length - 23) & 0xff;
      const result = decodeMessage(cut, IBGP);
      if (!result.ok || result.message.type !== 'update') continue;
      // Without an attribute list it is an End-of-RIB; with all mandatory attributes left it is a route with fewer of the others.
      const { announced, attributes, endOfRib } = result.message;
      if (announced.length > 0) assert.deepEqual(attributes?.asPath, asPath(1, 2), `${length} octets`);
      else assert.equal(endOfRib !== undefined, length === 23, `${length} octets`);
    }
  });

  it('never throws on octets changed anywhere', () => {
    fc.assert(
      fc.property(anyAttributes, fc.array(anyNlri(6, false), { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), (attributes, nlri, changes) => {
        for (const octets of packAnnouncements({ ...V6, nlri }, attributes, context()) ?? []) {
          for (const [at, value] of changes) octets[19 + (at % (octets.length - 19))] = value;
          for (const how of [IBGP, EBGP, OLD, { ...IBGP, addPath: () => true }]) decodeMessage(octets, how);
        }
      }),
    );
  });

  it('never throws on any body', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(1, 2, 3, 5), (body, type) => {
        decodeMessage(message(type, Buffer.from(body).toString('hex')), IBGP);
      }),
    );
  });
});

describe('Packing of UPDATEs', () => {
  for (const [name, change] of [
    ['with 4-octet AS numbers', {}],
    ['with 2-octet AS numbers, AS4_PATH and AS4_AGGREGATOR', { fourOctetAs: false }],
    ['with path identifiers', { addPath: () => true }],
    ['with extended messages', { extendedMessage: true }],
  ] as const) {
    it(`gives back every route and attribute ${name}`, () => {
      const how = context(change);
      const withPathId = how.addPath(1, 1);
      fc.assert(
        fc.property(anyAttributes, fc.array(anyNlri(6, withPathId), { minLength: 1, maxLength: 30 }), fc.array(anyNlri(4, withPathId), { minLength: 1, maxLength: 30 }), (attributes, v6, v4) => {
          for (const announcement of [{ ...V6, nlri: v6 }, { ...V4, nlri: v4 }, { ...V4, nextHop: V6.nextHop, nlri: v4 }]) {
            const packed = packAnnouncements(announcement, attributes, how);
            assert.ok(packed);
            const messages = packed.map((octets) => decodedUpdate(octets, how));
            for (const { attributes: read, faults, announced } of messages) {
              assert.deepEqual(faults, []);
              assert.deepEqual(flat(read!), flat(attributes));
              assert.deepEqual(announced[0]?.nextHop, announcement.nextHop);
            }
            assert.deepEqual(messages.flatMap(({ announced }) => prefixes(announced[0]!.nlri)), prefixes(announcement.nlri));
          }
        }),
        { numRuns: 40 },
      );
    });
  }

  /** AS4_PATH joins neighbouring sequences that it completes; the numbers and the sets stay. */
  function flat(attributes: PathAttributes): unknown {
    const path = attributes.asPath.flatMap(({ type, as }): unknown[] => (type === 2 ? [...as] : [as]));
    return { ...attributes, asPath: path };
  }

  it('fills each message as far as a whole prefix fits, and no further', () => {
    const nlri = Array.from({ length: 2000 }, (_, i) => route(`2001:db8:${i.toString(16)}::/48`));
    for (const extendedMessage of [false, true]) {
      const limit = extendedMessage ? 65535 : 4096;
      const messages = packAnnouncements({ ...V6, nlri }, EMPTY_ATTRIBUTES, context({ extendedMessage }))!;
      for (const octets of messages.slice(0, -1)) assert.ok(octets.length <= limit && octets.length + 7 > limit, String(octets.length));
      assert.equal(messages.length, extendedMessage ? 1 : 4);
    }
  });

  it('packs the longest prefixes to the exact limit', () => {
    for (const size of [3, 100, 251, 252, 253, 254, 255, 256, 257]) {
      const attributes = { ...EMPTY_ATTRIBUTES, unknown: [{ flags: 0xe0, type: 200, value: new Uint8Array(size) }] };
      const nlri = Array.from({ length: 400 }, (_, i) => route(`10.${i >> 8}.${i & 0xff}.0/24`));
      const [first] = packAnnouncements({ ...V4, nlri: [...nlri, ...nlri, ...nlri] }, attributes, context())!;
      assert.ok(first!.length <= 4096 && first!.length > 4092);
      assert.equal(decodedUpdate(first!).disposition, 'accept');
    }
  });

  it('says when the attributes leave no room for a prefix', () => {
    const attributes = { ...EMPTY_ATTRIBUTES, unknown: [{ flags: 0xe0, type: 200, value: new Uint8Array(4050) }] };
    const nlri = [route('2001:db8::/128')];
    assert.equal(packAnnouncements({ ...V6, nlri }, attributes, context()), undefined);
    assert.equal(packAnnouncements({ ...V6, nlri }, attributes, context({ extendedMessage: true }))?.length, 1);
  });

  it('writes no message for no prefixes', () => {
    assert.deepEqual(packAnnouncements(V6, EMPTY_ATTRIBUTES, context()), []);
    assert.deepEqual(packWithdrawals(IPV6_UNICAST, [], context()), []);
  });

  it('packs withdrawals of both families', () => {
    fc.assert(
      fc.property(fc.array(anyNlri(4, true), { maxLength: 900 }), fc.array(anyNlri(6, true), { maxLength: 300 }), fc.boolean(), (v4, v6, withPathId) => {
        const how = context({ addPath: () => withPathId });
        for (const [family, nlri] of [[IPV4_UNICAST, v4], [IPV6_UNICAST, v6]] as const) {
          const messages = packWithdrawals(family, nlri, how);
          assert.ok(messages.every(({ length }) => length <= 4096));
          const expected = withPathId ? nlri : nlri.map(({ prefix }) => ({ prefix, pathId: 0 }));
          assert.deepEqual(messages.flatMap((octets) => prefixes(decodedUpdate(octets, how).withdrawn)), prefixes(expected));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('marks End-of-RIB', () => {
    assert.deepEqual(encodeEndOfRib(IPV4_UNICAST), message(2, '0000 0000'));
    assert.deepEqual(encodeEndOfRib(IPV6_UNICAST), message(2, '0000 0006 800f03 000201'));
  });

  it('writes LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST to internal peers only', () => {
    const attributes = { ...EMPTY_ATTRIBUTES, localPref: 200, originatorId: '192.0.2.9', clusterList: ['192.0.2.8'] };
    const external = encodeAttributes(attributes, context({ ibgp: false }));
    assert.deepEqual(external, encodeAttributes(EMPTY_ATTRIBUTES, context({ ibgp: false })));
    assert.ok(encodeAttributes(attributes, context()).length > external.length);
  });

  it('splits a sequence of more than 255 AS numbers', () => {
    const as = Array.from({ length: 300 }, (_, i) => i + 1);
    for (const fourOctetAs of [true, false]) {
      const how = context({ fourOctetAs });
      const [octets] = packAnnouncements({ ...V6, nlri: [route('2001:db8::/32')] }, { ...EMPTY_ATTRIBUTES, asPath: asPath(...as) }, how)!;
      const read = decodedUpdate(octets!, how).attributes!.asPath;
      assert.deepEqual(read.map((segment) => segment.as.length), [255, 45]);
      assert.deepEqual(read.flatMap((segment) => segment.as), as);
    }
  });

  it('refuses next hops that are none', () => {
    assert.throws(() => packAnnouncements({ ...V6, nextHop: { address: 'r1', linkLocal: undefined } }, EMPTY_ATTRIBUTES, context()), RangeError);
  });
});

describe('Towards and from speakers with 2-octet AS numbers (RFC 6793)', () => {
  const from = (...list: string[]) => decodedUpdate(update({ attributes: [ORIGIN, NEXT_HOP, ...list], nlri: NLRI }), OLD).attributes!;
  const old = (...as: string[]): string => attribute(0x40, 2, `02${as.length.toString(16).padStart(2, '0')} ${as.join('')}`);
  const as4 = (...as: number[]): string =>
    attribute(0xc0, 17, `02${as.length.toString(16).padStart(2, '0')} ${as.map((number) => number.toString(16).padStart(8, '0')).join('')}`);

  it('takes from AS_PATH what AS4_PATH lacks', () => {
    assert.deepEqual(from(old('fde8', '5ba0', '5ba0'), as4(4_200_000_001, 4_200_000_002)).asPath, asPath(65000, 4_200_000_001, 4_200_000_002));
  });

  it('leaves AS_PATH alone when AS4_PATH is longer', () => {
    assert.deepEqual(from(old('fde8'), as4(1, 2)).asPath, asPath(65000));
  });

  it('ignores both AS4 attributes when AGGREGATOR is not AS_TRANS, since somebody aggregated later', () => {
    const attributes = from(old('fde8', '5ba0'), as4(70_000), attribute(0xc0, 7, 'fde8c0000209'), attribute(0xc0, 18, '00011170c0000208'));
    assert.deepEqual(attributes.asPath, asPath(65000, 23456));
    assert.deepEqual(attributes.aggregator, { as: 65000, address: '192.0.2.9' });
  });

  it('takes the aggregator out of AS4_AGGREGATOR when AGGREGATOR is AS_TRANS', () => {
    const attributes = from(old('fde8', '5ba0'), as4(70_000), attribute(0xc0, 7, '5ba0c0000209'), attribute(0xc0, 18, '00011170c0000208'));
    assert.deepEqual(attributes.asPath, asPath(65000, 70_000));
    assert.deepEqual(attributes.aggregator, { as: 70_000, address: '192.0.2.8' });
  });

  it('counts a set as one and confederation segments as none', () => {
    const path = attribute(0x40, 2, '0301 fde7 0202 fde8 5ba0 0102 0001 0002');
    const attributes = from(path, attribute(0xc0, 17, '0201 00011170 0102 00000001 00000002'));
    assert.deepEqual(attributes.asPath, [
      { type: 3, as: [64999] },
      { type: 2, as: [65000, 70_000] },
      { type: 1, as: [1, 2] },
    ]);
  });

  it('drops confederation segments out of AS4_PATH', () => {
    assert.deepEqual(from(old('5ba0'), attribute(0xc0, 17, '0301 0000fde7 0201 00011170')).asPath, asPath(70_000));
  });

  it('writes AS4_PATH and AS4_AGGREGATOR only where a number needs them', () => {
    const how = context({ fourOctetAs: false });
    const types = (attributes: PathAttributes): number[] => {
      const octets = encodeAttributes(attributes, how);
      const list: number[] = [];
      for (let at = 0; at < octets.length; at += 3 + octets[at + 2]!) list.push(octets[at + 1]!);
      return list;
    };
    assert.deepEqual(types({ ...EMPTY_ATTRIBUTES, asPath: asPath(1, 2), aggregator: { as: 65535, address: '192.0.2.1' } }), [1, 2, 7]);
    assert.deepEqual(types({ ...EMPTY_ATTRIBUTES, asPath: asPath(1, 65536), aggregator: { as: 65536, address: '192.0.2.1' } }), [1, 2, 7, 17, 18]);
  });
});
