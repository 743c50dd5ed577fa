/** RFC 4271 sections 3, 5 and 9: what becomes of routes and their attributes on the way through the target. */
import { casesOf } from '../case.js';
import { stopped, through } from '../passage.js';
import { routeText, type RouteOptions, type Tester } from '../tester.js';
import { verify } from '../verdict.js';
import type { Peer, Route } from '../peer.js';
import { attribute, communities, localPref, med, mpReach, mpUnreach, optionalNonTransitive, optionalTransitive, origin, partial, segment, Type, asPathOf, asPath, nextHop } from '../wire/attributes.js';
import { address, join, nlri, repeat, toHex, u32, u8, update } from '../wire/build.js';

const hexOf = (route: Route, type: number): string => toHex(route.attributes.get(type)?.value ?? u8());
const pathHex = (...numbers: number[]): string => toHex(segment(2, numbers));

/** Two neighbours announce the same prefix; the first one's route must be the one that comes out. */
async function prefers(tester: Tester, kind: readonly ['external' | 'internal', 'external' | 'internal'], better: RouteOptions, worse: RouteOptions, overrides: readonly [object, object] = [{}, {}]): Promise<void> {
  const collector = await tester.established('collector');
  const first = await tester.established(kind[0], overrides[0]);
  const second = await tester.established(kind[1], overrides[1]);
  const prefix = tester.prefix();
  const [mine, other] = [0xfde90001, 0xfde90002];
  second.send(tester.announcement(second, [prefix], { ...worse, extra: [...(worse.extra ?? []), communities(other)] }));
  await tester.arrives(collector, prefix, 'the only route');
  first.send(tester.announcement(first, [prefix], { ...better, extra: [...(better.extra ?? []), communities(mine)] }));
  await tester.mustArrive(collector, prefix, 'the better route replaces the other', (route) => hexOf(route, Type.communities) === toHex(u32(mine)));
  // Announced again, the worse route must not come back.
  second.send(tester.announcement(second, [prefix], { ...worse, extra: [...(worse.extra ?? []), communities(other, 0xfde90003)] }));
  await tester.expectWell(second, collector, 'after the worse route again');
  const route = collector.route(prefix);
  verify(route !== undefined && hexOf(route, Type.communities) === toHex(u32(mine)), `the worse route is chosen: ${route ? routeText(route) : 'none'}`);
  first.send(tester.withdrawal([prefix]));
  await tester.mustArrive(collector, prefix, 'the second route takes over when the better one is withdrawn', (other2) => hexOf(other2, Type.communities).startsWith(toHex(u32(other))));
}

export const rfc4271Routes = casesOf('4271', [
  ['MUST', 'prepend', '5.1.2', 'a route from one AS to another', 'when it advertises the route to an external peer, the local system prepends its own AS number as the last element of the sequence', async (tester) => {
    const { route } = await through(tester, 'external', 'collector');
    verify(hexOf(route, Type.asPath) === pathHex(tester.target.as, tester.target.myAs), `AS_PATH ${hexOf(route, Type.asPath)}`);
  }],
  ['MUST', 'prepend-set', '5.1.2', 'a route with an AS_SET first', 'if the first path segment is of type AS_SET, a new segment of type AS_SEQUENCE is prepended', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('internal');
    const prefix = tester.prefix();
    const set = segment(1, [64910, 64911]);
    const isV6 = tester.family === '2/1';
    const common = [origin(), asPathOf(set), localPref(100)];
    feeder.send(isV6
      ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...common) })
      : update({ attributes: join(...common, nextHop(feeder.local)), reachable: nlri(prefix) }));
    const route = await tester.mustArrive(collector, prefix, 'a route with an AS_SET');
    verify(hexOf(route, Type.asPath) === pathHex(tester.target.as) + toHex(set), `AS_PATH ${hexOf(route, Type.asPath)}`);
  }],
  ['MUST', 'path-internal', '5.1.2', 'a route from an external to an internal peer', 'when it advertises the route to an internal peer, the advertising speaker SHALL NOT modify the AS_PATH', async (tester) => {
    const { route } = await through(tester, 'external', 'internal');
    verify(hexOf(route, Type.asPath) === pathHex(tester.target.myAs), `AS_PATH ${hexOf(route, Type.asPath)}`);
  }],
  ['MUST', 'next-hop-internal', '5.1.3', 'a route from an external to an internal peer', 'when sending to an internal peer, the BGP speaker should not modify the NEXT_HOP unless configured to', async (tester) => {
    const { route, feeder } = await through(tester, 'external', 'internal');
    const hop = toHex(route.mpNextHop ?? route.attributes.get(Type.nextHop)?.value ?? u8());
    verify(hop.startsWith(toHex(address(feeder.local))), `next hop ${hop}`);
  }],
  ['MUST', 'local-pref-internal', '5.1.5', 'a route from an external to an internal peer', 'LOCAL_PREF SHALL be included in all UPDATE messages that a given BGP speaker sends to other internal peers', async (tester) => {
    const { route } = await through(tester, 'external', 'internal');
    verify(route.attributes.get(Type.localPref)?.value.length === 4, 'no LOCAL_PREF');
  }],
  ['MUST', 'local-pref-external', '5.1.5', 'a route from an internal to an external peer', 'a BGP speaker MUST NOT include this attribute in UPDATE messages it sends to external peers', async (tester) => {
    const { route } = await through(tester, 'internal', 'collector');
    verify(!route.attributes.has(Type.localPref), 'LOCAL_PREF is there');
  }],
  ['MUST', 'local-pref-from-external', '5.1.5', 'LOCAL_PREF 500 from an external peer', 'if it is contained in an UPDATE message that is received from an external peer, this attribute MUST be ignored', async (tester) => {
    const { route } = await through(tester, 'external', 'internal', () => ({ extra: [localPref(500)] }));
    verify(hexOf(route, Type.localPref) !== '000001f4', 'LOCAL_PREF 500 was taken over');
  }],
  ['MUST', 'med-internal', '5.1.4', 'MED 77 from an external to an internal peer', 'if received over EBGP, the MULTI_EXIT_DISC attribute MAY be propagated over IBGP: if it is there, unchanged', async (tester) => {
    const { route } = await through(tester, 'external', 'internal', () => ({ extra: [med(77)] }));
    verify(!route.attributes.has(Type.med) || hexOf(route, Type.med) === '0000004d', `MED ${hexOf(route, Type.med)}`);
  }],
  ['MUST', 'med-external', '5.1.4', 'MED 77 from one AS to another', 'the MULTI_EXIT_DISC attribute received from a neighboring AS MUST NOT be propagated to other neighboring ASes', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [med(77)] }));
    verify(hexOf(route, Type.med) !== '0000004d', 'MED 77 was passed on');
  }],
  ['MUST', 'origin', '5.1.1', 'ORIGIN EGP', 'ORIGIN: its value SHOULD NOT be changed by any other speaker, and it is mandatory', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ origin: 1 }));
    verify(hexOf(route, Type.origin) === '01', `ORIGIN ${hexOf(route, Type.origin)}`);
  }],
  ['SHOULD', 'atomic-aggregate', '5.1.6', 'ATOMIC_AGGREGATE', 'a BGP speaker that receives a route with the ATOMIC_AGGREGATE attribute SHOULD NOT remove it when propagating the route', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(0x40, Type.atomicAggregate, u8())] }));
    verify(route.attributes.has(Type.atomicAggregate), 'ATOMIC_AGGREGATE is missing');
  }],
  ['MUST', 'aggregator', '5.1.7', 'AGGREGATOR', 'an optional transitive attribute that is recognized is passed on', async (tester) => {
    const value = join(u32(tester.target.myAs), address('192.0.2.1'));
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive, Type.aggregator, value)] }));
    verify(hexOf(route, Type.aggregator) === toHex(value), `AGGREGATOR ${hexOf(route, Type.aggregator)}`);
  }],
  ['MUST', 'unknown-transitive', '5', 'an unknown optional transitive attribute, type 213', 'if the attribute is transitive, the Partial bit MUST be set to 1 and the attribute passed on', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive, 213, u8(1, 2, 3))] }));
    verify(hexOf(route, 213) === '010203', `attribute 213: ${hexOf(route, 213) || 'missing'}`);
    verify((route.attributes.get(213)!.flags & 0xe0) === 0xe0, `flags ${route.attributes.get(213)!.flags.toString(16)}`);
  }],
  ['MUST', 'unknown-partial', '5', 'an unknown optional transitive attribute that is partial already', 'the Partial bit MUST NOT be reset to 0 by the current AS or any other', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive | partial, 213, u8(9))] }));
    verify(route.attributes.get(213)?.flags === 0xe0, `flags ${route.attributes.get(213)?.flags.toString(16) ?? 'missing'}`);
  }],
  ['MUST', 'unknown-long', '5', 'an unknown optional transitive attribute of 300 octets', 'it is passed on with all its octets', async (tester) => {
    const value = repeat(300, 0xab);
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive, 213, value)] }));
    verify(hexOf(route, 213) === toHex(value), `${route.attributes.get(213)?.value.length ?? 0} octets`);
  }],
  ['MUST', 'unknown-non-transitive', '5', 'an unknown optional non-transitive attribute', 'unrecognized non-transitive optional attributes MUST be quietly ignored and not passed along', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalNonTransitive, 213, u8(1))] }));
    verify(!route.attributes.has(213), 'it was passed on');
  }],
  ['MUST', 'flags-low-bits', '4.3', 'attributes with the unused low-order flag bits set', 'they MUST be ignored when received', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive | 0x0f, Type.communities, u32(0xfde90007))] }));
    verify(hexOf(route, Type.communities) === 'fde90007', `COMMUNITIES ${hexOf(route, Type.communities) || 'missing'}`);
  }],
  ['MUST', 'extended-length', '4.3', 'a short attribute with Extended Length', 'if the Extended Length bit is set, the third and fourth octets hold the length: allowed for any length', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive | 0x10, Type.communities, u32(0xfde90008))] }));
    verify(hexOf(route, Type.communities) === 'fde90008', `COMMUNITIES ${hexOf(route, Type.communities) || 'missing'}`);
  }],
  ['SHOULD', 'attribute-order', '5', 'attributes in descending order of their types', 'the receiver MUST be prepared to handle path attributes within UPDATE messages that are out of order', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external');
    const prefix = tester.prefix();
    const common = [communities(0xfde90009), asPath([feeder.identity.as]), origin()];
    feeder.send(tester.family === '2/1'
      ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...common) })
      : update({ attributes: join(common[0]!, nextHop(feeder.local), common[1]!, common[2]!), reachable: nlri(prefix) }));
    await tester.mustArrive(collector, prefix, 'a route with attributes out of order');
  }],
  ['MUST', 'loop', '9.1.2', "a route with the target's AS in AS_PATH", 'if the AS_PATH attribute of a BGP route contains an AS loop, the BGP route should be excluded from the Phase 2 decision function', (tester) =>
    stopped(tester, 'external', 'collector', (peer) => ({ asPath: [peer.identity.as, tester.target.as, 64999] }))],
  ['MUST', 'internal-split-horizon', '9.2', 'a route from an internal peer', 'a BGP speaker SHALL NOT re-distribute routes of internal peers to other internal peers', (tester) =>
    stopped(tester, 'internal', 'internal', () => ({}))],
  ['MUST', 'next-hop-self', '6.3', 'a next hop that is the address of the target', 'it MUST NOT be the IP address of the receiving speaker: the route should be ignored, no NOTIFICATION sent, the connection not closed', (tester) =>
    stopped(tester, 'external', 'collector', () => ({ nextHop: tester.target.address }))],
  ['MUST', 'next-hop-unresolvable', '9.1.2', 'a next hop from an internal peer that no route leads to', 'if the NEXT_HOP depicts an address that is not resolvable, the BGP route MUST be excluded from the Phase 2 decision function', (tester) =>
    stopped(tester, 'internal', 'collector', () => ({ nextHop: tester.family === '2/1' ? '2001:db8:dead::1' : '203.0.113.99' }))],
  ['MUST', 'withdraw', '3.1', 'a route that is withdrawn', 'a route can be withdrawn by advertising its prefix among the withdrawn routes', async (tester) => {
    const { route, feeder, collector } = await through(tester, 'external', 'collector');
    feeder.send(tester.withdrawal([route.prefix]));
    await tester.mustGo(collector, route.prefix, 'after the withdrawal');
  }],
  ['MUST', 'withdraw-unknown', '9', 'the withdrawal of a route that was never announced', 'it has no effect', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external');
    feeder.send(tester.withdrawal([tester.prefix()]));
    await tester.expectWell(feeder, collector, 'after the withdrawal');
  }],
  ['MUST', 'implicit-withdraw', '3.1', 'a route that is announced again with another path', 'a replacement route with the same prefix replaces the former', async (tester) => {
    const { route, feeder, collector } = await through(tester, 'external', 'collector');
    feeder.send(tester.announcement(feeder, [route.prefix], { asPath: [feeder.identity.as, 64990, 64991] }));
    await tester.mustArrive(collector, route.prefix, 'the replacement', (next) => hexOf(next, Type.asPath) === pathHex(tester.target.as, tester.target.myAs, 64990, 64991));
  }],
  ['MUST', 'session-end', '3.1', 'the session of the announcing neighbour ends', 'when the connection is closed, all routes of that speaker are removed', async (tester) => {
    const { route, feeder, collector } = await through(tester, 'external', 'collector');
    feeder.close();
    await tester.mustGo(collector, route.prefix, 'after the end of the session', 8000);
  }],
  ['MUST', 'host-bits', '4.3', 'a prefix with trailing bits set', 'the value of trailing bits is irrelevant', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external');
    const isV6 = tester.family === '2/1';
    const prefix = tester.prefix();
    const [bits, octets] = isV6 ? [44, 6] : [20, 3];
    const raw = join(u8(bits), address(prefix.split('/')[0]!).subarray(0, octets));
    raw[raw.length - 1] = (raw[raw.length - 1]! & 0xf0) | 0x0f;
    const masked = address(prefix.split('/')[0]!);
    masked[octets - 1] = masked[octets - 1]! & 0xf0;
    masked.fill(0, octets);
    const common = [origin(), asPath([feeder.identity.as])];
    feeder.send(isV6
      ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: raw }), ...common) })
      : update({ attributes: join(...common, nextHop(feeder.local)), reachable: raw }));
    const same = await collector.until(() => {
      const wanted = toHex(masked.subarray(0, octets - 1));
      return collector.received.some(({ type, bytes }) => type === 2 && toHex(bytes).includes(`${bits.toString(16)}${wanted}`));
    }, 4000);
    verify(same === true, 'the prefix did not arrive');
    tester.expectAlive(feeder, 'after the prefix');
  }],
  ['SHOULD', 'both-withdrawn-and-announced', '4.3', 'one UPDATE that withdraws and announces the same prefix', 'it should be treated as though the WITHDRAWN ROUTES do not contain the address prefix', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external');
    const prefix = tester.prefix();
    const common = [origin(), asPath([feeder.identity.as])];
    feeder.send(tester.family === '2/1'
      ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...common, mpUnreach(2, 1, nlri(prefix))) })
      : update({ withdrawn: nlri(prefix), attributes: join(...common, nextHop(feeder.local)), reachable: nlri(prefix) }));
    await tester.expectWell(feeder, collector, 'after the UPDATE');
    verify(collector.route(prefix) !== undefined, 'the route did not arrive');
  }],
  ['MUST', 'prefer-local-pref', '9.1.2', 'two internal routes with LOCAL_PREF 200 and 100', 'the route with the highest degree of preference is selected', (tester) => prefers(tester, ['internal', 'internal'], { localPref: 200, asPath: [64901, 64902] }, { localPref: 100, asPath: [64901] })],
  ['MUST', 'prefer-short-path', '9.1.2.2', 'two routes with two and three AS numbers', 'a) routes that are not tied for having the smallest number of AS numbers in their AS_PATH are removed', (tester) => prefers(tester, ['external', 'external'], { asPath: [tester.target.myAs, 64901] }, { asPath: [tester.target.myAs, 64901, 64902] })],
  ['MUST', 'prefer-set-counts-one', '9.1.2.2', 'a path with an AS_SET of three against one with two more in the sequence', 'a) an AS_SET counts as 1, no matter how many ASes are in the set', async (tester) => {
    const collector = await tester.established('collector');
    const first = await tester.established('internal');
    const second = await tester.established('internal');
    const prefix = tester.prefix();
    const announce = (peer: Peer, segments: Uint8Array, community: number): void => {
      const common = [origin(), asPathOf(segments), localPref(100), communities(community)];
      peer.send(tester.family === '2/1'
        ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(peer.local), nlri: nlri(prefix) }), ...common) })
        : update({ attributes: join(...common.slice(0, 2), nextHop(peer.local), ...common.slice(2)), reachable: nlri(prefix) }));
    };
    announce(second, segment(2, [64901, 64902, 64903]), 0xfde90002);
    await tester.arrives(collector, prefix, 'the only route');
    announce(first, join(segment(2, [64901]), segment(1, [64904, 64905, 64906])), 0xfde90001);
    await tester.mustArrive(collector, prefix, 'the path of length 2 replaces the one of length 3', (route) => hexOf(route, Type.communities) === 'fde90001');
  }],
  ['MUST', 'prefer-origin', '9.1.2.2', 'two routes with ORIGIN IGP and INCOMPLETE', 'b) routes that are not tied for having the lowest Origin number are removed', (tester) => prefers(tester, ['external', 'external'], { origin: 0 }, { origin: 2 })],
  ['MUST', 'prefer-med', '9.1.2.2', 'two routes of one neighbouring AS with MED 10 and 20', 'c) routes with less-preferred MULTI_EXIT_DISC attributes are removed', (tester) => prefers(tester, ['external', 'external'], { extra: [med(10)] }, { extra: [med(20)] })],
  ['MUST', 'prefer-external', '9.1.2.2', 'an external and an internal route', 'd) if at least one of the candidate routes was received via EBGP, all routes that were received via IBGP are removed', (tester) => prefers(tester, ['external', 'internal'], { asPath: [tester.target.myAs] }, { asPath: [64901] })],
  ['MUST', 'prefer-identifier', '9.1.2.2', 'two internal routes that tie up to the BGP Identifier', 'f) all routes other than the route advertised by the speaker with the lowest BGP Identifier value are removed', (tester) => prefers(tester, ['internal', 'internal'], {}, {}, [{ identifier: '10.1.0.1' }, { identifier: '10.250.0.1' }])],
]);
