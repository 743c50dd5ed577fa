/** RFC 7606: what becomes of a route, and of the session, after each fault of each attribute. */
import { casesOf } from '../case.js';
import { type Disposition, expectDisposition, type Fault } from '../outcome.js';
import { asPath, asPathOf, attribute, med, mpReach, mpUnreach, optionalNonTransitive, optionalTransitive, origin, segment, Type, wellKnown } from '../wire/attributes.js';
import { address, type Bytes, join, nlri, repeat, u16, u32, u8, update } from '../wire/build.js';
import type { Tester } from '../tester.js';

type Line = readonly [level: 'MUST' | 'SHOULD', name: string, section: string, title: string, wanted: Disposition, fault: Fault];

const expectations: Record<Disposition, string> = {
  reset: 'the session is reset by an UPDATE Message Error (or the address family disabled)',
  withdraw: 'treat-as-withdraw: the routes of the UPDATE go as if they had been withdrawn, the session stays up',
  discard: 'attribute discard: the attribute MUST be discarded and the UPDATE continues to be processed',
  accept: 'it is no error: the route is accepted',
  survive: 'the session MUST NOT be reset',
};

const extra = (bytes: Bytes, further: Omit<Fault, 'change'> = {}): Fault => ({ ...further, change: () => ({ extra: bytes }) });
const instead = (parts: ReturnType<Fault['change']>, further: Omit<Fault, 'change'> = {}): Fault => ({ ...further, change: () => parts });
const community = u32(0xfde90001);
const none = (): ReturnType<Fault['change']> => ({});

const lines: readonly Line[] = [
  ['MUST', 'origin-length-0', '7.1', 'ORIGIN of length 0', 'withdraw', instead({ origin: attribute(wellKnown, Type.origin, u8()) })],
  ['MUST', 'origin-length-2', '7.1', 'ORIGIN of length 2', 'withdraw', instead({ origin: attribute(wellKnown, Type.origin, u8(0, 0)) })],
  ['MUST', 'origin-value-3', '7.1', 'ORIGIN with the undefined value 3', 'withdraw', instead({ origin: origin(3) })],
  ['MUST', 'origin-flags', '3 c', 'ORIGIN with flags of an optional attribute', 'withdraw', instead({ origin: attribute(optionalTransitive, Type.origin, u8(1)) })],
  ['MUST', 'origin-missing', '3 d', 'ORIGIN is missing', 'withdraw', instead({ origin: u8() })],
  ['MUST', 'as-path-overrun', '7.2', 'an AS_PATH segment that is longer than the attribute', 'withdraw', instead({ asPath: asPathOf(join(u8(2, 5), u32(64950))) })],
  ['MUST', 'as-path-underrun', '7.2', 'an AS_PATH with a single octet behind its last segment', 'withdraw', { change: ({ feeder }) => ({ asPath: asPathOf(segment(2, [feeder.identity.as]), u8(2)) }) }],
  ['MUST', 'as-path-segment-0', '7.2', 'an AS_PATH segment without AS numbers', 'withdraw', { change: ({ feeder }) => ({ asPath: asPathOf(segment(2, [feeder.identity.as]), u8(2, 0)) }) }],
  ['MUST', 'as-path-segment-type', '7.2', 'an AS_PATH segment of type 9', 'withdraw', { change: ({ feeder }) => ({ asPath: asPathOf(segment(2, [feeder.identity.as]), segment(9, [64950])) }) }],
  ['MUST', 'as-path-flags', '3 c', 'AS_PATH with flags of an optional attribute', 'withdraw', { change: ({ feeder }) => ({ asPath: attribute(optionalTransitive, Type.asPath, segment(2, [feeder.identity.as])) }) }],
  ['MUST', 'as-path-missing', '3 d', 'AS_PATH is missing', 'withdraw', instead({ asPath: u8() })],
  ['MUST', 'next-hop-length-3', '7.3', 'NEXT_HOP of length 3', 'withdraw', instead({ reach: attribute(wellKnown, Type.nextHop, u8(10, 99, 0)) }, { family: '1/1' })],
  ['MUST', 'next-hop-length-5', '7.3', 'NEXT_HOP of length 5', 'withdraw', instead({ reach: attribute(wellKnown, Type.nextHop, u8(10, 99, 0, 2, 0)) }, { family: '1/1' })],
  ['MUST', 'next-hop-flags', '3 c', 'NEXT_HOP with flags of an optional attribute', 'withdraw', { family: '1/1', change: ({ feeder, tester }) => ({ reach: attribute(optionalTransitive, Type.nextHop, address(tester.nextHopFor(feeder, false))) }) }],
  ['MUST', 'next-hop-missing', '3 d', 'NEXT_HOP is missing', 'withdraw', instead({ reach: u8() }, { family: '1/1' })],
  ['MUST', 'med-length-3', '7.4', 'MULTI_EXIT_DISC of length 3', 'withdraw', extra(attribute(optionalNonTransitive, Type.med, u8(0, 0, 1)))],
  ['MUST', 'med-length-0', '7.4', 'MULTI_EXIT_DISC of length 0', 'withdraw', extra(attribute(optionalNonTransitive, Type.med, u8()))],
  ['MUST', 'med-flags', '3 c', 'MULTI_EXIT_DISC with flags of a well-known attribute', 'withdraw', extra(attribute(wellKnown, Type.med, u32(1)))],
  ['MUST', 'local-pref-external', '7.5', 'LOCAL_PREF of length 3 from an external peer', 'discard', extra(attribute(wellKnown, Type.localPref, u8(0, 0, 1)), { type: Type.localPref })],
  ['MUST', 'local-pref-length', '7.5', 'LOCAL_PREF of length 3 from an internal peer', 'withdraw', instead({ localPref: attribute(wellKnown, Type.localPref, u8(0, 0, 1)) }, { from: 'internal' })],
  ['MUST', 'atomic-aggregate-length', '7.6', 'ATOMIC_AGGREGATE of length 1', 'discard', extra(attribute(wellKnown, Type.atomicAggregate, u8(0)), { type: Type.atomicAggregate })],
  ['MUST', 'atomic-aggregate-flags', '3 c', 'ATOMIC_AGGREGATE with flags of an optional attribute', 'withdraw', extra(attribute(optionalTransitive, Type.atomicAggregate, u8()))],
  ['MUST', 'aggregator-length-6', '7.7', 'AGGREGATOR of length 6 from a 4-octet speaker', 'discard', extra(attribute(optionalTransitive, Type.aggregator, repeat(6, 1)), { type: Type.aggregator })],
  ['MUST', 'aggregator-length-9', '7.7', 'AGGREGATOR of length 9', 'discard', extra(attribute(optionalTransitive, Type.aggregator, repeat(9, 1)), { type: Type.aggregator })],
  ['MUST', 'aggregator-flags', '3 c', 'AGGREGATOR with flags of a well-known attribute', 'withdraw', extra(attribute(wellKnown, Type.aggregator, repeat(8, 1)))],
  ['MUST', 'communities-length-3', '7.8', 'COMMUNITIES of length 3', 'withdraw', extra(attribute(optionalTransitive, Type.communities, u8(1, 2, 3)))],
  ['MUST', 'communities-length-0', '7.8', 'COMMUNITIES of length 0', 'withdraw', extra(attribute(optionalTransitive, Type.communities, u8()))],
  ['MUST', 'communities-flags', '3 c', 'COMMUNITIES with flags of a well-known attribute', 'withdraw', extra(attribute(wellKnown, Type.communities, community))],
  ['MUST', 'originator-external', '7.9', 'ORIGINATOR_ID of length 3 from an external peer', 'discard', extra(attribute(optionalNonTransitive, Type.originatorId, u8(1, 2, 3)), { type: Type.originatorId })],
  ['MUST', 'originator-length', '7.9', 'ORIGINATOR_ID of length 3 from an internal peer', 'withdraw', extra(attribute(optionalNonTransitive, Type.originatorId, u8(1, 2, 3)), { from: 'internal' })],
  ['MUST', 'cluster-list-external', '7.10', 'CLUSTER_LIST of length 3 from an external peer', 'discard', extra(attribute(optionalNonTransitive, Type.clusterList, u8(1, 2, 3)), { type: Type.clusterList })],
  ['MUST', 'cluster-list-length-3', '7.10', 'CLUSTER_LIST of length 3 from an internal peer', 'withdraw', extra(attribute(optionalNonTransitive, Type.clusterList, u8(1, 2, 3)), { from: 'internal' })],
  ['MUST', 'cluster-list-length-0', '7.10', 'CLUSTER_LIST of length 0 from an internal peer', 'withdraw', extra(attribute(optionalNonTransitive, Type.clusterList, u8()), { from: 'internal' })],
  ['MUST', 'extended-communities-length-7', '7.14', 'EXTENDED COMMUNITIES of length 7', 'withdraw', extra(attribute(optionalTransitive, Type.extendedCommunities, repeat(7)))],
  ['MUST', 'extended-communities-length-0', '7.14', 'EXTENDED COMMUNITIES of length 0', 'withdraw', extra(attribute(optionalTransitive, Type.extendedCommunities, u8()))],

  ['MUST', 'mp-reach-twice', '3 g', 'MP_REACH_NLRI twice', 'reset', { family: '2/1', change: none, whole: ({ parts }) => update({ attributes: join(parts.reach, parts.reach, parts.origin, parts.asPath) }) }],
  ['MUST', 'mp-unreach-twice', '3 g', 'MP_UNREACH_NLRI twice', 'reset', { family: '2/1', change: none, whole: ({ prefix }) => update({ attributes: join(mpUnreach(2, 1, nlri(prefix)), mpUnreach(2, 1, nlri(prefix))) }) }],
  ['MUST', 'mp-reach-next-hop-length', '7.11', 'MP_REACH_NLRI with a next hop of 5 octets', 'reset', { family: '2/1', change: ({ prefix }) => ({ reach: mpReach({ afi: 2, safi: 1, nextHop: repeat(5, 0x20), nlri: nlri(prefix) }) }) }],
  ['MUST', 'mp-reach-next-hop-overrun', '7.11', 'MP_REACH_NLRI with a next hop that is longer than the attribute', 'reset', { family: '2/1', change: ({ prefix, feeder }) => ({ reach: mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nextHopLength: 200, nlri: nlri(prefix) }) }) }],
  ['MUST', 'mp-reach-short', '7.11', 'MP_REACH_NLRI of 3 octets', 'reset', { family: '2/1', change: () => ({ reach: attribute(optionalNonTransitive, Type.mpReach, u8(0, 2, 1)) }) }],
  ['MUST', 'mp-reach-prefix-129', '5.3', 'MP_REACH_NLRI with an IPv6 prefix of 129 bits', 'reset', { family: '2/1', change: ({ feeder }) => ({ reach: mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: join(u8(129), repeat(17, 0x20)) }) }) }],
  ['MUST', 'mp-reach-prefix-overrun', '5.3', 'MP_REACH_NLRI whose last prefix is longer than the attribute', 'reset', { family: '2/1', change: ({ feeder }) => ({ reach: mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: u8(64, 0x20, 1) }) }) }],
  ['MUST', 'mp-reach-flags', '3 c', 'MP_REACH_NLRI with flags of a transitive attribute', 'withdraw', { family: '2/1', change: ({ prefix, feeder }) => ({ reach: mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix), flags: optionalTransitive }) }) }],
  ['MUST', 'mp-unreach-short', '7.12', 'MP_UNREACH_NLRI of 2 octets', 'reset', { family: '2/1', change: none, whole: () => update({ attributes: attribute(optionalNonTransitive, Type.mpUnreach, u8(0, 2)) }) }],
  ['MUST', 'mp-unreach-prefix-129', '5.3', 'MP_UNREACH_NLRI with an IPv6 prefix of 129 bits', 'reset', { family: '2/1', change: none, whole: () => update({ attributes: mpUnreach(2, 1, join(u8(129), repeat(17, 0x20))) }) }],
  ['MUST', 'mp-unreach-prefix-overrun', '5.3', 'MP_UNREACH_NLRI whose last prefix is longer than the attribute', 'reset', { family: '2/1', change: none, whole: () => update({ attributes: mpUnreach(2, 1, u8(64, 0x20, 1)) }) }],
  ['MUST', 'nlri-prefix-33', '5.3', 'an IPv4 prefix of 33 bits', 'reset', { family: '1/1', change: none, whole: ({ parts }) => update({ attributes: join(parts.origin, parts.asPath, parts.reach), reachable: u8(33, 198, 18, 0, 0, 0) }) }],
  ['MUST', 'nlri-overrun', '5.3', 'an IPv4 prefix that is longer than the UPDATE', 'reset', { family: '1/1', change: none, whole: ({ parts }) => update({ attributes: join(parts.origin, parts.asPath, parts.reach), reachable: u8(24, 198) }) }],
  ['MUST', 'withdrawn-prefix-33', '5.3', 'an IPv4 prefix of 33 bits among the withdrawn routes', 'reset', { family: '1/1', change: none, whole: () => update({ withdrawn: u8(33, 198, 18, 0, 0, 0) }) }],

  ['MUST', 'duplicate', '3 g', 'COMMUNITIES twice', 'discard', extra(join(attribute(optionalTransitive, Type.communities, community), attribute(optionalTransitive, Type.communities, u32(0xfde90002))), { type: Type.communities, value: community })],
  ['MUST', 'duplicate-origin', '3 g', 'ORIGIN twice', 'accept', extra(origin(2), { type: Type.origin, value: u8(1) })],
  ['MUST', 'attribute-overrun', '4', 'the last attribute is longer than the attribute list', 'withdraw', extra(attribute(optionalTransitive, Type.communities, community, 40))],
  ['MUST', 'attribute-one-octet', '4', 'one octet is left behind the last attribute', 'withdraw', extra(u8(0xc0))],
  ['MUST', 'attribute-two-octets', '4', 'two octets are left behind the last attribute', 'withdraw', extra(u8(0xc0, 0x08))],
  ['MUST', 'attributes-length', '4.1 of 4271', 'a Total Path Attribute Length beyond the message', 'reset', { change: none, whole: ({ parts }) => update({ attributes: join(parts.origin, parts.asPath), attributesLength: 200 }) }],
  ['MUST', 'withdrawn-length', '4.1 of 4271', 'a Withdrawn Routes Length beyond the message', 'reset', { change: none, whole: ({ parts }) => update({ attributes: join(parts.origin, parts.asPath), withdrawnLength: 200 }) }],
  ['MUST', 'unknown-well-known', '6.3 of 4271', 'an unknown attribute with flags of a well-known one', 'reset', extra(attribute(wellKnown, 213, u8(1)))],
  ['SHOULD', 'without-nlri', '5.2', 'an UPDATE with a malformed attribute and no reachable NLRI', 'reset', { change: none, whole: ({ parts }) => update({ attributes: join(parts.asPath, attribute(wellKnown, Type.origin, u8(1, 2))) }) }],
  ['MUST', 'strongest', '3 h', 'a fault for attribute discard and one for treat-as-withdraw', 'withdraw', extra(join(attribute(wellKnown, Type.atomicAggregate, u8(0)), attribute(optionalNonTransitive, Type.med, u8(1))))],
  ['MUST', 'strongest-reset', '3 h', 'a fault for treat-as-withdraw and one for a session reset', 'reset', { family: '2/1', change: () => ({ reach: mpReach({ afi: 2, safi: 1, nextHop: repeat(5), nlri: u8() }), extra: attribute(optionalNonTransitive, Type.med, u8(1)) }) }],
  ['MUST', 'well-formed', '3', 'all attributes at once, none at fault', 'accept', { change: () => ({ extra: join(med(7), attribute(wellKnown, Type.atomicAggregate, u8()), attribute(optionalTransitive, Type.aggregator, join(u32(64950), address('192.0.2.1'))), attribute(optionalTransitive, Type.communities, community), attribute(optionalTransitive, Type.extendedCommunities, join(u16(2), u16(64950), u32(1)))) }), type: Type.communities, value: community }],
];

const run =
  (wanted: Disposition, fault: Fault) =>
  (tester: Tester): Promise<void> =>
    expectDisposition(tester, wanted, fault);

export const rfc7606 = casesOf('7606', lines.map(([level, name, section, title, wanted, fault]) => [level, name, section, title, expectations[wanted], run(wanted, fault)] as const));

/** RFC 7607 section 2: AS 0 in a path. */
export const rfc7607 = casesOf('7607', [
  ['MUST', 'as-path', '2', 'AS_PATH with AS 0', 'an UPDATE message that contains the AS number zero in the AS_PATH is malformed: treat-as-withdraw', run('withdraw', { change: ({ feeder }) => ({ asPath: asPath([feeder.identity.as, 0]) }) })],
  ['MUST', 'aggregator', '2', 'AGGREGATOR with AS 0', 'an UPDATE message that contains the AS number zero in the AGGREGATOR is malformed: attribute discard', run('discard', extra(attribute(optionalTransitive, Type.aggregator, join(u32(0), address('192.0.2.1'))), { type: Type.aggregator }))],
]);

/** RFC 8092 section 6 and RFC 9234 section 5: faults of attributes that came after RFC 7606. */
export const laterAttributes = [
  ...casesOf('8092', [
    ['MUST', 'length-11', '6', 'LARGE_COMMUNITY of length 11', 'a length that is not a non-zero multiple of 12 is malformed: treat-as-withdraw', run('withdraw', extra(attribute(optionalTransitive, Type.largeCommunities, repeat(11))))],
    ['MUST', 'length-0', '6', 'LARGE_COMMUNITY of length 0', 'a length that is not a non-zero multiple of 12 is malformed: treat-as-withdraw', run('withdraw', extra(attribute(optionalTransitive, Type.largeCommunities, u8())))],
  ]),
  ...casesOf('8669', [
    ['MUST', 'truncated', '6', 'Prefix-SID with a TLV that is longer than the attribute', 'a malformed BGP Prefix-SID attribute never ends the session', run('survive', extra(attribute(optionalTransitive, Type.prefixSid, u8(1, 0, 40, 0))))],
  ]),
  ...casesOf('9252', [
    ['MUST', 'service-truncated', '7', 'Prefix-SID with an SRv6 L3 Service TLV that is longer than the attribute', 'an error in an SRv6 Service TLV never ends the session', run('survive', extra(attribute(optionalTransitive, Type.prefixSid, join(u8(5, 0, 80, 0), repeat(10)))))],
    ['MUST', 'sub-tlv-truncated', '7', 'an SRv6 SID Information sub-TLV that is longer than its TLV', 'an error in an SRv6 Service TLV never ends the session', run('survive', extra(attribute(optionalTransitive, Type.prefixSid, join(u8(5, 0, 8, 0), u8(1, 0, 60, 0, 0, 0, 0)))))],
  ]),
];

