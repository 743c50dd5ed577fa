/** proto/WIRE.md section 2: the attribute with computing-power state, and the routes that carry it. */
import { casesOf } from '../case.js';
import type { Peer, Route } from '../peer.js';
import type { Profile } from '../target.js';
import { routeText, type Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { asPath, attribute, mpReach, origin, Type, wellKnown } from '../wire/attributes.js';
import { address, type Bytes, join, nlri, repeat, toHex, u16, u32, u8, update } from '../wire/build.js';

const cpnType = 255;
const magic = u8(0x43, 0x50, 0x4e, 1);
const tlv = (type: number, value: Bytes, padding = repeat((4 - (value.length % 4)) % 4)): Bytes => join(u16(type), u16(value.length), value, padding);
const originTlv = tlv(2, join(address('fc00:0:11::1'), repeat(2), u16(0x0199), u32(1), repeat(2), u16(0x0199), u32(1), u32(0)));
const sid = tlv(1, join(address('fcbb:bb00:11:e001::'), u16(0x10), u16(0), u8(32, 16, 16, 0)));
const instance = (...subTlvs: Bytes[]): Bytes => tlv(3, join(u32(1), u8(0, 0, 0, 0), sid, ...subTlvs));
const block = join(magic, originTlv, instance());
/** The last TLV says that it is longer than the block. */
const broken = join(magic, originTlv, u16(3), u16(400), repeat(8));
const foreign = u8(0x46, 0x4f, 0x4f, 1, 2, 3, 4);

const hexOf = (route: Route): string => toHex(route.attributes.get(cpnType)?.value ?? u8());
const noExport = (route: Route): boolean => toHex(route.attributes.get(Type.communities)?.value ?? u8()).includes('ffffff01');

function service(tester: Tester, feeder: Peer, prefix: string, attributes: readonly Bytes[]): Bytes {
  return tester.announcement(feeder, [prefix], { extra: attributes });
}

/** A service route with these attributes from a marked eBGP neighbour; the collector is a marked iBGP neighbour unless said otherwise. */
async function carried(tester: Tester, attributes: readonly Bytes[], to: Profile = 'cpnInternal'): Promise<Route> {
  const collector = await tester.established(to);
  const feeder = await tester.established('cpn');
  tester.requireFamily(feeder, '2/1');
  const prefix = tester.service();
  feeder.send(service(tester, feeder, prefix, attributes));
  return tester.mustArrive(collector, prefix, 'the service route');
}

/** A service route is there; what these attributes make of it must be a withdrawal, and the session goes on. */
async function withdrawn(tester: Tester, attributes: readonly Bytes[]): Promise<void> {
  const collector = await tester.established('cpnInternal');
  const feeder = await tester.established('cpn');
  const prefix = tester.service();
  feeder.send(service(tester, feeder, prefix, [attribute(0xc0, cpnType, block)]));
  await tester.arrives(collector, prefix, 'the service route');
  feeder.send(service(tester, feeder, prefix, attributes));
  await tester.mustGo(collector, prefix, 'after the fault');
  await tester.expectWell(feeder, collector, 'after the fault');
}

const unchanged =
  (attributeOctets: Bytes, value: Bytes, flags: readonly number[]) =>
  async (tester: Tester): Promise<void> => {
    const route = await carried(tester, [attributeOctets]);
    verify(hexOf(route) === toHex(value), `the block came out as ${hexOf(route) || 'nothing'}`);
    const got = route.attributes.get(cpnType)!.flags & 0xe0;
    verify(flags.includes(got), `flags ${got.toString(16)}`);
  };

const neverComes =
  (from: Profile, to: Profile) =>
  async (tester: Tester): Promise<void> => {
    const collector = await tester.established(to);
    const feeder = await tester.established(from);
    const witness = await tester.established('external');
    const prefix = tester.service();
    feeder.send(service(tester, feeder, prefix, [attribute(0xc0, cpnType, block)]));
    await tester.expectWell(witness, collector, 'beside it');
    await tester.expectWell(witness, collector, 'beside it');
    tester.expectAlive(feeder, 'after the route');
    const route = collector.route(prefix);
    verify(route === undefined, `the route came out: ${route ? routeText(route) : ''}`);
  };

export const cpnCases = casesOf('CPN', [
  ['MUST', 'carried', '2', 'a service route with flags C0', 'whoever passes a block on passes every octet on unchanged', unchanged(attribute(0xc0, cpnType, block), block, [0xc0, 0xe0])],
  ['MUST', 'extended-length', '2', 'flags D0 with a short value', 'D0 and F0 are accepted with short values too', unchanged(attribute(0xd0, cpnType, block), block, [0xc0, 0xe0])],
  ['MUST', 'partial', '2', 'flags E0', 'E0 and F0 are accepted; the Partial bit stays', unchanged(attribute(0xe0, cpnType, block), block, [0xe0])],
  ['MUST', 'low-bits', '2', 'flags CF', 'flags are compared AND 0xF0', unchanged(attribute(0xcf, cpnType, block), block, [0xc0, 0xe0])],
  ['MUST', 'unknown-tlv', '1', 'an unknown TLV, padding that is not zero, reserved octets that are not zero', 'every octet is passed on unchanged', async (tester) => {
    const odd = join(block, tlv(900, u8(1, 2, 3), u8(0xaa)), tlv(3, join(u32(7), u8(0x3f, 9, 9, 9), sid)));
    await unchanged(attribute(0xc0, cpnType, odd), odd, [0xc0, 0xe0])(tester);
  }],
  ['MUST', 'impossible-value', '1', 'an Instance with an impossible utilisation', 'that Instance is dropped; the block is passed on unchanged', async (tester) => {
    const odd = join(magic, originTlv, instance(tlv(3, join(u16(60_000), u16(0), u32(0), u32(0)))), tlv(3, join(u32(2), repeat(4), sid)));
    await unchanged(attribute(0xc0, cpnType, odd), odd, [0xc0, 0xe0])(tester);
  }],
  ['MUST', 'long', '1', 'a block of more than 3,500 octets', 'a receiver accepts more than 3,500 octets', async (tester) => {
    const odd = join(block, tlv(901, repeat(3600, 0x11)));
    await unchanged(attribute(0xd0, cpnType, odd), odd, [0xc0, 0xe0])(tester);
  }],
  ['MUST', 'no-export', '2', 'a service route from a marked external neighbour', 'service routes carry NO_EXPORT, which the receiver adds again', async (tester) => {
    const route = await carried(tester, [attribute(0xc0, cpnType, block)]);
    verify(noExport(route), routeText(route));
  }],
  ['MUST', 'no-export-removed', '2', 'a service route to a marked external neighbour', 'NO_EXPORT is removed towards an eBGP peer that is marked', async (tester) => {
    const route = await carried(tester, [attribute(0xc0, cpnType, block)], 'cpnCollector');
    verify(!noExport(route), routeText(route));
  }],
  ['MUST', 'unmarked-internal', '2', 'a service route to an internal neighbour that is not marked', 'service routes are sent only to peers marked as CPN peers', neverComes('cpn', 'internal')],
  ['MUST', 'unmarked-external', '2', 'a service route to an external neighbour that is not marked', 'service routes are sent only to peers marked as CPN peers', neverComes('cpn', 'collector')],
  ['MUST', 'from-unmarked', '2', 'a service route from an external neighbour that is not marked', 'accepted from eBGP only where the peer is marked', neverComes('external', 'cpnInternal')],
  ['MUST', 'not-accepted', '2', 'a service route from a marked neighbour that may not announce that prefix', 'accepted from eBGP only where the peer may announce that service prefix', neverComes('cpnCollector', 'cpnInternal')],
  ['MUST', 'framing', '2', 'a block whose lengths do not add up', 'a framing fault: treat as withdraw, never a session reset', (tester) => withdrawn(tester, [attribute(0xc0, cpnType, broken)])],
  ['MUST', 'padding', '1', 'a block whose last TLV lacks its padding', 'missing padding is a framing fault: treat as withdraw', (tester) => withdrawn(tester, [attribute(0xc0, cpnType, join(block, u16(900), u16(3), u8(1, 2, 3)))])],
  ['MUST', 'flags-40', '2', 'flags 40', 'other flags: treat as withdraw, never a session reset', (tester) => withdrawn(tester, [attribute(wellKnown, cpnType, block)])],
  ['MUST', 'flags-80', '2', 'flags 80', 'other flags: treat as withdraw, never a session reset', (tester) => withdrawn(tester, [attribute(0x80, cpnType, block)])],
  ['MUST', 'framing-without-nlri', '2', 'a framing fault in an UPDATE without reachable NLRI', 'never a session reset, not even where RFC 7606 section 5.2 has one', async (tester) => {
    const collector = await tester.established('cpnInternal');
    const feeder = await tester.established('cpn');
    feeder.send(update({ attributes: join(origin(), asPath([feeder.identity.as]), attribute(0xc0, cpnType, broken)) }));
    await tester.expectWell(feeder, collector, 'after the fault');
  }],
  ['MUST', 'foreign', '1', "somebody else's content", 'it is ignored and passed on as any unknown attribute, with flags E0', unchanged(attribute(0xc0, cpnType, foreign), foreign, [0xe0])],
  ['MUST', 'foreign-flags', '1', "somebody else's content with flags 40", 'it is passed on with flags E0 whatever flags it came with', unchanged(attribute(wellKnown, cpnType, foreign), foreign, [0xe0])],
  ['MUST', 'foreign-short', '1', 'a value of 2 octets', "shorter than 4 octets: somebody else's, ignored and passed on", unchanged(attribute(0xc0, cpnType, u8(0x43, 0x50)), u8(0x43, 0x50), [0xe0])],
  ['MUST', 'foreign-version', '1', 'a block of version 2', "unknown version: somebody else's, ignored and passed on", unchanged(attribute(0xc0, cpnType, join(u8(0x43, 0x50, 0x4e, 2), originTlv)), join(u8(0x43, 0x50, 0x4e, 2), originTlv), [0xe0])],
  ['MUST', 'duplicate', '2', 'the attribute twice', 'of duplicates the first wins', async (tester) => {
    const route = await carried(tester, [attribute(0xc0, cpnType, block), attribute(0xc0, cpnType, join(block, tlv(902, u32(1))))]);
    verify(hexOf(route) === toHex(block), `the block came out as ${hexOf(route) || 'nothing'}`);
  }],
  ['MUST', 'outside', '2', 'the attribute on a route outside every service prefix', 'it is ignored and passed on', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external');
    tester.requireFamily(feeder, '2/1');
    tester.require(tester.target.sources.cpn !== undefined, 'the target has no neighbour of the kind cpn');
    const prefix = tester.prefix('2/1');
    feeder.send(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(feeder.local), nlri: nlri(prefix) }), origin(), asPath([feeder.identity.as]), attribute(0xc0, cpnType, block)) }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    verify(hexOf(route) === toHex(block), `the block came out as ${hexOf(route) || 'nothing'}`);
  }],
]);
