/** RFC 4760, 2545, 8950 and 7911: address families, their next hops, and more than one path for a prefix. */
import { casesOf } from '../case.js';
import type { Peer } from '../peer.js';
import { routeText, type Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { asPath, attribute, communities, localPref, mpReach, mpUnreach, nextHop, optionalTransitive, origin, Type } from '../wire/attributes.js';
import { address, Capability, join, nlri, repeat, toHex, u32, u8, update } from '../wire/build.js';

async function pair(tester: Tester): Promise<{ collector: Peer; feeder: Peer; prefix: string }> {
  const collector = await tester.established('collector');
  const feeder = await tester.established('external');
  tester.requireFamily(feeder, '2/1');
  return { collector, feeder, prefix: tester.prefix('2/1') };
}

const base = (feeder: Peer): readonly Uint8Array[] => [origin(), asPath([feeder.identity.as])];

export const rfc4760 = casesOf('4760', [
  ['MUST', 'reserved', '3', 'MP_REACH_NLRI with the Reserved octet 7', 'it MUST be set to 0 when sent and SHOULD be ignored upon receipt', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix), reserved: 7 }), ...base(feeder)) }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    verify(route.mpReserved === 0, `the target sends Reserved ${route.mpReserved ?? '?'}`);
  }],
  ['MUST', 'both', '3', 'MP_REACH_NLRI and MP_UNREACH_NLRI in one UPDATE', 'an UPDATE may carry both; each takes effect', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    const old = tester.prefix('2/1');
    feeder.send(tester.announcement(feeder, [old]));
    await tester.arrives(collector, old, 'the first route');
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...base(feeder), mpUnreach(2, 1, nlri(old))) }));
    await tester.mustArrive(collector, prefix, 'the second route');
    await tester.mustGo(collector, old, 'after MP_UNREACH_NLRI');
  }],
  ['MUST', 'unreach-alone', '4', 'an UPDATE with MP_UNREACH_NLRI alone', 'an UPDATE message that contains the MP_UNREACH_NLRI is not required to carry any other path attributes', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(tester.announcement(feeder, [prefix]));
    await tester.arrives(collector, prefix, 'the route');
    feeder.send(update({ attributes: mpUnreach(2, 1, nlri(prefix)) }));
    await tester.mustGo(collector, prefix, 'after MP_UNREACH_NLRI');
    tester.expectAlive(feeder, 'after MP_UNREACH_NLRI');
  }],
  ['MUST', 'reach-last', '3', 'MP_REACH_NLRI behind the other attributes', 'attributes may come in any order', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(update({ attributes: join(...base(feeder), mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) })) }));
    await tester.mustArrive(collector, prefix, 'the route');
  }],
  ['SHOULD', 'next-hop-ignored', '3', 'NEXT_HOP beside MP_REACH_NLRI', 'if such a message is received, the NEXT_HOP attribute SHOULD be ignored', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...base(feeder), nextHop('192.0.2.1')) }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    verify(!route.attributes.has(Type.nextHop), 'the target sends NEXT_HOP beside MP_REACH_NLRI');
  }],
  ['MUST', 'not-negotiated', '8', 'a peer that offers IPv4 unicast alone', 'a speaker uses the capability to determine whether it may use the extensions with a peer: no IPv6 routes go there', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external');
    tester.requireFamily(feeder, '2/1');
    tester.requireFamily(feeder, '1/1');
    const other = await tester.accepted('collector', { capabilities: [Capability.multiprotocol(1, 1), Capability.fourOctetAs(tester.target.collectorAs)] });
    const prefix = tester.prefix('2/1');
    feeder.send(tester.announcement(feeder, [prefix]));
    await tester.arrives(collector, prefix, 'the route');
    await tester.expectWell(feeder, collector, 'after the route');
    verify(other.route(prefix) === undefined, 'an IPv6 route was sent');
  }],
  ['SHOULD', 'reach-first', '5.1 of 7606', 'the order of the attributes that the target sends', 'the MP_REACH_NLRI or MP_UNREACH_NLRI attribute SHALL be encoded as the very first path attribute in an UPDATE message', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(tester.announcement(feeder, [prefix]));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    verify(route.order[0] === Type.mpReach, `attributes in the order ${route.order.join(' ')}`);
  }],
  ['MUST', 'next-hop-self', '5.1.3 of 4271', 'an IPv6 route to another AS', 'the next hop is an address of the target, of 16 or 32 octets', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(tester.announcement(feeder, [prefix], { nextHop: feeder.local }));
    const { mpNextHop } = await tester.mustArrive(collector, prefix, 'the route');
    verify(mpNextHop?.length === 16 || mpNextHop?.length === 32, `next hop ${toHex(mpNextHop ?? u8())}`);
  }],
]);

export const rfc2545 = casesOf('2545', [
  ['MUST', 'link-local', '3', 'a next hop of 32 octets: global and link-local', 'the Length of Next Hop is 16 when only a global address is present, or 32 if a link-local address is also included', async (tester) => {
    const { collector, feeder, prefix } = await pair(tester);
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: join(address(feeder.local), address('fe80::1')), nlri: nlri(prefix) }), ...base(feeder)) }));
    await tester.mustArrive(collector, prefix, 'the route');
  }],
  ['MUST', 'link-local-internal', '3', 'a next hop of 32 octets from an external to an internal peer', 'the link-local address shall be included only if the peer shares its subnet: a global address comes first', async (tester) => {
    const collector = await tester.established('internal');
    const feeder = await tester.established('external');
    tester.requireFamily(feeder, '2/1');
    const prefix = tester.prefix('2/1');
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: join(address(feeder.local), address('fe80::1')), nlri: nlri(prefix) }), ...base(feeder)) }));
    const { mpNextHop } = await tester.mustArrive(collector, prefix, 'the route');
    verify(mpNextHop !== undefined && !toHex(mpNextHop).startsWith('fe80'), `next hop ${toHex(mpNextHop ?? u8())}`);
  }],
]);

const extendedNextHop = { extraCapabilities: [Capability.extendedNextHop(1, 1, 2)] };

export const rfc8950 = casesOf('8950', [
  ['MUST', 'receive', '3', 'an IPv4 route with an IPv6 next hop of 16 octets', 'a speaker that advertised the capability accepts it', async (tester) => {
    const collector = await tester.established('collector', extendedNextHop);
    const feeder = await tester.established('external', extendedNextHop);
    tester.requireFamily(feeder, '1/1');
    tester.require(toHex(feeder.offered(5) ?? u8()).includes('000100010002'), 'the target does not offer IPv6 next hops for IPv4 unicast');
    const prefix = tester.prefix('1/1');
    feeder.send(update({ attributes: join(mpReach({ afi: 1, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...base(feeder)) }));
    await tester.mustArrive(collector, prefix, 'the route');
  }],
  ['MUST', 'send', '4', 'an IPv4 route to a peer that offers IPv6 next hops, over a session over IPv6', 'the next hop is an IPv6 address of 16 or 32 octets, or an IPv4 one', async (tester) => {
    const collector = await tester.established('collector', extendedNextHop);
    const feeder = await tester.established('external', extendedNextHop);
    tester.requireFamily(feeder, '1/1');
    tester.require(collector.offered(5) !== undefined && tester.family === '2/1', 'the target does not offer IPv6 next hops');
    const prefix = tester.prefix('1/1');
    feeder.send(update({ attributes: join(mpReach({ afi: 1, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), ...base(feeder)) }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    const hop = route.mpNextHop ?? route.attributes.get(Type.nextHop)?.value;
    verify(hop !== undefined && [4, 16, 32].includes(hop.length), routeText(route));
  }],
]);

/** ADD-PATH in both directions for the family of the session. */
const addPath = (tester: Tester, mode: number): { extraCapabilities: Uint8Array[] } => {
  const [afi, safi] = tester.family.split('/').map(Number) as [number, number];
  return { extraCapabilities: [Capability.addPath(afi, safi, mode)] };
};

async function feederWithPaths(tester: Tester): Promise<{ feeder: Peer; collector: Peer; prefix: string }> {
  const collector = await tester.established('collector', addPath(tester, 1));
  const feeder = await tester.established('external', addPath(tester, 3));
  tester.require((feeder.offeredAddPath(tester.family) & 1) !== 0, 'the target does not receive additional paths');
  return { feeder, collector, prefix: tester.prefix() };
}

const marked = (value: number) => (route: { attributes: ReadonlyMap<number, { value: Uint8Array }> }): boolean => toHex(route.attributes.get(Type.communities)?.value ?? u8()) === toHex(u32(value));

export const rfc7911 = casesOf('7911', [
  ['MUST', 'send-two', '5', 'two neighbours announce one prefix to a target that sends additional paths', 'both paths are advertised, each with an identifier of its own', async (tester) => {
    const collector = await tester.established('collector', addPath(tester, 1));
    tester.require((collector.offeredAddPath(tester.family) & 2) !== 0, 'the target does not send additional paths');
    const feeders = [await tester.established('external'), await tester.established('external')];
    const prefix = tester.prefix();
    for (const [index, feeder] of feeders.entries()) feeder.send(tester.announcement(feeder, [prefix], { extra: [communities(0xfde90100 + index)] }));
    await collector.until(() => collector.paths(prefix).length === 2, 4000);
    const paths = collector.paths(prefix);
    verify(paths.length === 2, `${paths.length} paths: ${paths.map(routeText).join(' ')}`);
    verify(paths.some(marked(0xfde90100)) && paths.some(marked(0xfde90101)), `not those announced: ${paths.map(routeText).join(' ')}`);
    feeders[0]!.send(tester.withdrawal([prefix]));
    await collector.until(() => collector.paths(prefix).length === 1, 4000);
    verify(collector.paths(prefix).length === 1 && collector.paths(prefix).every(marked(0xfde90101)), `after one withdrawal: ${collector.paths(prefix).map(routeText).join(' ')}`);
  }],
  ['MUST', 'receive-two', '3', 'one neighbour announces two paths and withdraws one', 'paths with the same prefix and different identifiers are distinct; a withdrawal names one of them', async (tester) => {
    const { feeder, collector, prefix } = await feederWithPaths(tester);
    feeder.send(tester.announcement(feeder, [prefix], { pathId: 1, extra: [communities(0xfde90201)] }), tester.announcement(feeder, [prefix], { pathId: 2, extra: [communities(0xfde90202)], asPath: [feeder.identity.as, 64970] }));
    await tester.mustArrive(collector, prefix, 'the first path', marked(0xfde90201));
    feeder.send(tester.withdrawal([prefix], 1));
    await tester.mustArrive(collector, prefix, 'the second path takes over', marked(0xfde90202));
    await collector.until(() => !collector.paths(prefix).some(marked(0xfde90201)), 4000);
    verify(!collector.paths(prefix).some(marked(0xfde90201)), 'the withdrawn path stays');
    feeder.send(tester.withdrawal([prefix], 2));
    await tester.mustGo(collector, prefix, 'after the withdrawal of both');
  }],
  ['MUST', 'replace', '3', 'a path announced again with the same identifier', 'a replacement for the same prefix and identifier replaces the former', async (tester) => {
    const { feeder, collector, prefix } = await feederWithPaths(tester);
    feeder.send(tester.announcement(feeder, [prefix], { pathId: 7, extra: [communities(0xfde90301)] }));
    await tester.mustArrive(collector, prefix, 'the path', marked(0xfde90301));
    feeder.send(tester.announcement(feeder, [prefix], { pathId: 7, extra: [communities(0xfde90302)] }));
    await tester.mustArrive(collector, prefix, 'the replacement', marked(0xfde90302));
    await collector.until(() => collector.paths(prefix).length === 1, 4000);
    verify(collector.paths(prefix).length === 1, `${collector.paths(prefix).length} paths`);
  }],
  ['MUST', 'withdraw-unknown-id', '5', 'the withdrawal of an identifier that was never announced', 'it has no effect on other paths', async (tester) => {
    const { feeder, collector, prefix } = await feederWithPaths(tester);
    feeder.send(tester.announcement(feeder, [prefix], { pathId: 1, extra: [communities(0xfde90401)] }));
    await tester.mustArrive(collector, prefix, 'the path', marked(0xfde90401));
    feeder.send(tester.withdrawal([prefix], 99));
    await tester.expectWell(feeder, collector, 'after the withdrawal', { pathId: 5 });
    verify(collector.route(prefix) !== undefined, 'the path is gone');
  }],
  ['MUST', 'mode-ignored', '4', 'a Send/Receive field of 9', 'if any other value is received, then the capability should be treated as not understood and ignored', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.accepted('external', addPath(tester, 9));
    await tester.expectWell(feeder, collector, 'without path identifiers');
  }],
  ['MUST', 'id-missing', '5', 'NLRI without identifier where it was negotiated', 'NLRI that cannot be read end the session or the family, and no wrong route is made of them', async (tester) => {
    const { feeder, collector } = await feederWithPaths(tester);
    const before = collector.received.length;
    feeder.send(tester.family === '2/1'
      ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: join(u8(16), u8(0x20, 0x01)) }), ...base(feeder)) })
      : update({ attributes: join(...base(feeder), nextHop(feeder.local)), reachable: u8(8, 198) }));
    await feeder.until(() => feeder.isClosed, 3000);
    verify(!collector.received.slice(before).some(({ type, bytes }) => type === 2 && toHex(bytes).includes('102001fd')), 'a route was made of it');
    verify(feeder.isClosed, 'the session goes on');
  }],
]);

export const prefixSid = casesOf('9252', [
  ['SHOULD', 'passed-on', '3', 'Prefix-SID with an SRv6 L3 Service TLV on an IPv6 unicast route to an internal peer', 'the attribute is optional transitive: it goes on with the route while the next hop is unchanged', async (tester) => {
    const collector = await tester.established('internal');
    // Towards another AS it is discarded unless configured otherwise (RFC 8669 section 4): the way is through a reflector.
    const feeder = await tester.established('client');
    tester.requireFamily(feeder, '2/1');
    const prefix = tester.prefix('2/1');
    const sid = join(u8(0), address('fc00:bb:1::'), u8(0), u8(0, 0x12), u8(0), u8(1, 0, 6, 32, 16, 16, 0, 0, 0));
    const service = join(u8(0), u8(1, 0, sid.length), sid);
    const value = join(u8(5, 0, service.length), service);
    feeder.send(tester.announcement(feeder, [prefix], { extra: [attribute(optionalTransitive, Type.prefixSid, value)] }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    verify(toHex(route.attributes.get(Type.prefixSid)?.value ?? u8()) === toHex(value), `attribute 40: ${toHex(route.attributes.get(Type.prefixSid)?.value ?? u8()) || 'missing'}`);
  }],
]);

/** Type 1 route distinguisher, label 16 at the bottom of the stack, and the prefix (RFC 4659 section 3.2). */
const vpnNlri = (prefix: string): Uint8Array => {
  const [text, bits] = prefix.split('/') as [string, string];
  return join(u8(88 + Number(bits), 0, 1, 1), u8(0, 1, 10, 99, 0, 9, 0, 7), address(text).subarray(0, Math.ceil(Number(bits) / 8)));
};

export const rfc4659 = casesOf('4659', [
  ['MUST', 'carry', '3.2', 'a VPNv6 route with a route target from an internal to an external peer', 'route distinguisher, prefix and route target are carried on unchanged', async (tester) => {
    const vpn = { extraCapabilities: [Capability.multiprotocol(2, 128)] };
    const collector = await tester.established('collector', vpn);
    const feeder = await tester.established('internal', vpn);
    tester.requireFamily(feeder, '2/128');
    const prefix = tester.prefix('2/1');
    const octets = vpnNlri(prefix);
    const target = join(u8(0, 2, 0xfd, 0xe8), u32(99));
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 128, nextHop: join(repeat(8), address(feeder.local)), nlri: octets }), origin(), asPath([64950]), localPref(100), attribute(optionalTransitive, Type.extendedCommunities, target)) }));
    const key = toHex(octets.subarray(4));
    const route = await collector.until(() => collector.allRoutes().find((entry) => entry.prefix.endsWith(key)), 4000);
    verify(route !== undefined, 'the route did not arrive');
    verify(toHex(route.attributes.get(Type.extendedCommunities)?.value ?? u8()).includes(toHex(target)), routeText(route));
    tester.expectAlive(feeder, 'after the route');
  }],
]);
