/** What the two OPENs agree on: RFC 5492, 6286, 6793, 8654 and 9072. */
import { casesOf } from '../case.js';
import { usualCapabilities } from '../peer.js';
import type { Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { asPath, attribute, mpReach, nextHop, optionalTransitive, origin, segment, Type } from '../wire/attributes.js';
import { address, type Bytes, Capability, capability, capabilityParameter, join, message, MessageType, nlri, repeat, toHex, u16, u32, u8, update } from '../wire/build.js';

/** Comes up with this OPEN and carries routes. */
const comesUp =
  (capabilities: (as: number) => readonly Bytes[], parameters?: (all: readonly Bytes[]) => Bytes) =>
  async (tester: Tester): Promise<void> => {
    const collector = await tester.established('collector');
    const list = capabilities(tester.target.myAs);
    const peer = await tester.accepted('external', { capabilities: list }, parameters ? { parameters: parameters(list) } : {});
    await tester.expectWell(peer, collector, 'with this OPEN');
  };

export const rfc5492 = casesOf('5492', [
  ['MUST', 'unknown', '3', 'a capability of code 239, unknown', 'a speaker that receives a capability it does not itself support or recognize MUST ignore that capability', comesUp((as) => [...usualCapabilities(as), capability(239, u8(1, 2, 3))])],
  ['MUST', 'unknown-only', '3', 'unknown capabilities of all lengths from 0 to 12', 'a speaker that receives a capability it does not itself support or recognize MUST ignore that capability', comesUp((as) => [...usualCapabilities(as), ...Array.from({ length: 13 }, (_, length) => capability(200 + length, repeat(length, 0xee)))])],
  ['MUST', 'many-parameters', '4', 'each capability in an optional parameter of its own', 'the parameter contains one or more capabilities: both forms are accepted', comesUp(usualCapabilities, (all) => join(...all.map((entry) => capabilityParameter(entry))))],
  ['MUST', 'twice', '4', 'the same capability twice', 'BGP speakers MUST be prepared to accept multiple instances of a capability with the same value', comesUp((as) => [...usualCapabilities(as), ...usualCapabilities(as)])],
  ['MUST', 'none', '3', 'an OPEN without optional parameters', 'a speaker that does not use capabilities: the session comes up or is refused by Unsupported Capability (2/7), nothing else', async (tester) => {
    const peer = await tester.openSent('external', { capabilities: [] });
    peer.sendOpen();
    await peer.until(() => peer.notification ?? peer.received.some(({ type }) => type === MessageType.keepalive), 4000);
    const { notification } = peer;
    verify(peer.received.some(({ type }) => type === MessageType.keepalive) || (notification?.code === 2 && notification.subcode === 7), `got ${notification?.text ?? peer.lastSeen()}`);
  }],
  ['SHOULD', 'own-once', '4', "the target's capabilities", 'BGP speakers SHOULD NOT include more than one instance of a capability with the same code, length and value', async (tester) => {
    const peer = await tester.openSent('external');
    const list = peer.open!.capabilities.map(({ code, value }) => `${code} ${toHex(value)}`);
    const repeated = list.filter((entry, index) => list.indexOf(entry) !== index);
    verify(repeated.length === 0, `twice: ${repeated.join(', ')}`);
  }],
]);

export const rfc6286 = casesOf('6286', [
  ['MUST', 'any-value', '2.1', 'BGP Identifier 224.0.0.9, no host address', 'the BGP Identifier is a 4-octet, unsigned, non-zero integer', async (tester) => {
    const collector = await tester.established('collector');
    const peer = await tester.accepted('external', { identifier: '224.0.0.9' });
    await tester.expectWell(peer, collector, 'with this identifier');
  }],
  ['MUST', 'same-internal', '2.2', "the target's own BGP Identifier from an internal peer", 'if the BGP Identifier of an internal peer is the same as the one of the local speaker, the Error Subcode is set to Bad BGP Identifier', async (tester) => {
    const probe = await tester.openSent('internal');
    const peer = await tester.openSent('internal', { identifier: probe.open!.identifier });
    peer.sendOpen();
    await tester.expectNotification(peer, 2, 3);
  }],
  ['MUST', 'same-external', '2.1', "the target's own BGP Identifier from an external peer", 'identifiers are unique within an AS only: an external peer may have the same', async (tester) => {
    const probe = await tester.openSent('external');
    await tester.accepted('external', { identifier: probe.open!.identifier });
  }],
  ['MUST', 'zero-internal', '2.2', 'BGP Identifier 0.0.0.0 from an internal peer', 'if the BGP Identifier field is zero, the Error Subcode is set to Bad BGP Identifier', async (tester) => {
    const peer = await tester.openSent('internal', { identifier: '0.0.0.0' });
    peer.sendOpen();
    await tester.expectNotification(peer, 2, 3);
  }],
]);

const twoOctet = { capabilities: [Capability.multiprotocol(1, 1), Capability.multiprotocol(2, 1)] };
const big = 4_200_000_001;
const as4Path = (...numbers: number[]): Bytes => attribute(optionalTransitive, Type.as4Path, segment(2, numbers));

/** An old speaker sends a path; what comes out at a new one. */
async function fromOld(tester: Tester, path: (as: number) => readonly number[], extra: (as: number) => readonly Bytes[], from: typeof twoOctet | object = twoOctet): Promise<{ path: string; aggregator: string; has17: boolean }> {
  const collector = await tester.established('collector');
  const feeder = await tester.accepted('external', from);
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix], { asPath: path(feeder.identity.as), extra: extra(feeder.identity.as) }));
  const route = await tester.mustArrive(collector, prefix, 'the route');
  tester.expectAlive(feeder, 'after the route');
  const value = (type: number): string => toHex(route.attributes.get(type)?.value ?? u8());
  return { path: value(Type.asPath), aggregator: value(Type.aggregator), has17: route.attributes.has(Type.as4Path) };
}

const pathHex = (tester: Tester, ...rest: number[]): string => toHex(segment(2, [tester.target.as, tester.target.myAs, ...rest]));

export const rfc6793 = casesOf('6793', [
  ['MUST', 'offered', '3', "the target's OPEN", 'a NEW BGP speaker MUST carry its AS number in the Capability Value field of the capability', async (tester) => {
    const peer = await tester.openSent('external');
    verify(toHex(peer.offered(65) ?? u8()) === toHex(u32(tester.target.as)), `capability 65: ${toHex(peer.offered(65) ?? u8()) || 'missing'}`);
  }],
  ['MUST', 'four-octet-path', '4.1', 'AS 4200000001 in AS_PATH between new speakers', 'AS numbers are carried in four octets', async (tester) => {
    const { path, has17 } = await fromOld(tester, (as) => [as, big], () => [], {});
    verify(path === pathHex(tester, big), `AS_PATH ${path}`);
    verify(!has17, 'AS4_PATH was sent to a new speaker');
  }],
  ['MUST', 'old-peer', '4.2.2', 'an old speaker announces a route', 'the session comes up with 2-octet AS numbers', async (tester) => {
    const { path } = await fromOld(tester, (as) => [as, 64960], () => []);
    verify(path === pathHex(tester, 64960), `AS_PATH ${path}`);
  }],
  ['MUST', 'merge', '4.2.3', 'AS_PATH (own AS, AS_TRANS) with AS4_PATH (own AS, 4200000001) from an old speaker', 'the exact AS path information is constructed from both', async (tester) => {
    const { path, has17 } = await fromOld(tester, (as) => [as, 23456], (as) => [as4Path(as, big)]);
    verify(path === pathHex(tester, big), `AS_PATH ${path}`);
    verify(!has17, 'AS4_PATH was sent to a new speaker');
  }],
  ['MUST', 'merge-prepend', '4.2.3', 'AS_PATH of three with AS4_PATH of one from an old speaker', 'the leading AS numbers of AS_PATH are prepended to AS4_PATH, so that the lengths are alike', async (tester) => {
    const { path } = await fromOld(tester, (as) => [as, 64960, 23456], () => [as4Path(big)]);
    verify(path === pathHex(tester, 64960, big), `AS_PATH ${path}`);
  }],
  ['MUST', 'longer-ignored', '4.2.3', 'AS4_PATH that is longer than AS_PATH', 'if the number of AS numbers in AS_PATH is less than that in AS4_PATH, the AS4_PATH attribute SHALL be ignored', async (tester) => {
    const { path } = await fromOld(tester, (as) => [as, 64960], (as) => [as4Path(as, 64961, big)]);
    verify(path === pathHex(tester, 64960), `AS_PATH ${path}`);
  }],
  ['MUST', 'from-new-discarded', '6', 'AS4_PATH from a new speaker', 'a NEW BGP speaker that receives the AS4_PATH attribute from a NEW BGP speaker MUST discard it and continue', async (tester) => {
    const { path, has17 } = await fromOld(tester, (as) => [as, 64960], (as) => [as4Path(as, big)], {});
    verify(path === pathHex(tester, 64960), `AS_PATH ${path}`);
    verify(!has17, 'AS4_PATH was passed on');
  }],
  ['MUST', 'malformed', '6', 'a malformed AS4_PATH from an old speaker', 'the AS4_PATH attribute is malformed: discarded, the UPDATE continues to be processed', async (tester) => {
    const { path } = await fromOld(tester, (as) => [as, 64960], () => [attribute(optionalTransitive, Type.as4Path, u8(2, 3, 0, 0, 0, 1))]);
    verify(path === pathHex(tester, 64960), `AS_PATH ${path}`);
  }],
  ['MUST', 'aggregator-merge', '4.2.3', 'AGGREGATOR with AS_TRANS and AS4_AGGREGATOR from an old speaker', 'AS4_AGGREGATOR is taken as the information about the aggregating node', async (tester) => {
    const where = address('192.0.2.9');
    const { aggregator } = await fromOld(tester, (as) => [as], () => [attribute(optionalTransitive, Type.aggregator, join(u16(23456), where)), attribute(optionalTransitive, Type.as4Aggregator, join(u32(big), where))]);
    verify(aggregator === toHex(join(u32(big), where)), `AGGREGATOR ${aggregator}`);
  }],
  ['MUST', 'aggregator-stale', '4.2.3', 'AGGREGATOR of a 2-octet AS with AS4_AGGREGATOR and AS4_PATH', 'if the AS number in AGGREGATOR is not AS_TRANS, AS4_AGGREGATOR and AS4_PATH SHALL be ignored', async (tester) => {
    const where = address('192.0.2.9');
    const { aggregator, path } = await fromOld(tester, (as) => [as, 23456], (as) => [attribute(optionalTransitive, Type.aggregator, join(u16(64960), where)), attribute(optionalTransitive, Type.as4Aggregator, join(u32(big), where)), as4Path(as, big)]);
    verify(aggregator === toHex(join(u32(64960), where)), `AGGREGATOR ${aggregator}`);
    verify(path === pathHex(tester, 23456), `AS_PATH ${path}`);
  }],
  ['MUST', 'to-old', '4.2.2', 'a path with AS 4200000001 to an old speaker', 'AS_TRANS stands for it in AS_PATH, and AS4_PATH carries the path in four octets', async (tester) => {
    const collector = await tester.accepted('collector', twoOctet);
    const feeder = await tester.established('external');
    const prefix = tester.prefix();
    feeder.send(tester.announcement(feeder, [prefix], { asPath: [feeder.identity.as, big] }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    const { as, myAs } = tester.target;
    verify(toHex(route.attributes.get(Type.asPath)!.value) === toHex(segment(2, [as, myAs, 23456], 2)), `AS_PATH ${toHex(route.attributes.get(Type.asPath)!.value)}`);
    const four = toHex(route.attributes.get(Type.as4Path)?.value ?? u8());
    // RFC 6793 section 4.2.2: it may leave leading AS numbers out.
    verify(toHex(segment(2, [as, myAs, big])) === four || toHex(segment(2, [myAs, big])) === four || toHex(segment(2, [big])) === four, `AS4_PATH ${four || 'missing'}`);
  }],
  ['MUST', 'to-old-short', '4.2.2', 'a path of 2-octet AS numbers to an old speaker', 'the AS4_PATH attribute MUST NOT be sent if the entire AS path is composed of mappable 4-octet AS numbers', async (tester) => {
    const collector = await tester.accepted('collector', twoOctet);
    const feeder = await tester.established('external');
    const prefix = tester.prefix();
    feeder.send(tester.announcement(feeder, [prefix], { asPath: [feeder.identity.as, 64960] }));
    const route = await tester.mustArrive(collector, prefix, 'the route');
    verify(!route.attributes.has(Type.as4Path), 'AS4_PATH is there');
  }],
]);

/** An UPDATE of more than 4,096 octets: one route with an unknown transitive attribute. */
function longUpdate(prefix: string, hop: string, as: number, size: number): Bytes {
  const isV6 = prefix.includes(':');
  const common = [origin(), asPath([as])];
  const filler = attribute(optionalTransitive, 213, repeat(size, 0x5a));
  return isV6
    ? update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(hop), nlri: nlri(prefix) }), ...common, filler) })
    : update({ attributes: join(...common, nextHop(hop), filler), reachable: nlri(prefix) });
}

export const rfc8654 = casesOf('8654', [
  ['MUST', 'receive', '4', 'an UPDATE of 8,000 octets where both offered Extended Message', 'an implementation that advertises the capability MUST be capable of receiving a message with a Length up to 65535 octets', async (tester) => {
    const extra = { extraCapabilities: [Capability.extendedMessage()] };
    const collector = await tester.established('collector', extra);
    const peer = await tester.established('external', extra);
    tester.require(peer.offered(6) !== undefined, 'the target does not offer Extended Message');
    const prefix = tester.prefix();
    peer.send(longUpdate(prefix, tester.nextHopFor(peer, prefix.includes(':')), peer.identity.as, 8000));
    const route = await tester.mustArrive(collector, prefix, 'the long UPDATE');
    verify(route.attributes.get(213)?.value.length === 8000, `attribute 213 has ${route.attributes.get(213)?.value.length ?? 0} octets`);
  }],
  ['MUST', 'not-to-others', '4', 'a route that needs 8,000 octets towards a peer without the capability', 'a speaker MUST NOT send an Extended Message to a peer that did not advertise it', async (tester) => {
    const collector = await tester.established('collector');
    const peer = await tester.established('external', { extraCapabilities: [Capability.extendedMessage()] });
    tester.require(peer.offered(6) !== undefined, 'the target does not offer Extended Message');
    const prefix = tester.prefix();
    peer.send(longUpdate(prefix, tester.nextHopFor(peer, prefix.includes(':')), peer.identity.as, 8000));
    await tester.expectWell(peer, collector, 'after the long UPDATE');
    const longest = Math.max(...collector.received.map(({ bytes }) => bytes.length));
    verify(longest <= 4096, `a message of ${longest} octets was sent`);
  }],
  ['MUST', 'keepalive', '4', 'a KEEPALIVE of 5,000 octets with Extended Message', 'the limit applies to all messages except OPEN and KEEPALIVE: Bad Message Length', async (tester) => {
    const peer = await tester.established('external', { extraCapabilities: [Capability.extendedMessage()] });
    tester.require(peer.offered(6) !== undefined, 'the target does not offer Extended Message');
    peer.send(message(MessageType.keepalive, repeat(4981)));
    await tester.expectNotification(peer, 1, 2);
  }],
  ['MUST', 'open', '4', 'an OPEN of 5,000 octets', 'the limit applies to all messages except OPEN and KEEPALIVE: Bad Message Length', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(message(MessageType.open, repeat(4981, 4)));
    await tester.expectNotification(peer, 1, 2);
  }],
  ['MUST', 'not-offered', '5', 'an UPDATE of 5,000 octets to a target that does not offer Extended Message', 'the listener MUST treat it as a malformed message: Bad Message Length', async (tester) => {
    const peer = await tester.established('external', { extraCapabilities: [Capability.extendedMessage()] });
    tester.require(peer.offered(6) === undefined, 'the target offers Extended Message');
    peer.send(message(MessageType.update, repeat(4981)));
    await tester.expectNotification(peer, 1, 2);
  }],
]);

/** RFC 9072 section 2: length and type 255, then a length of two octets; each parameter with a length of two octets. */
const longParameters = (first: number, capabilities: readonly Bytes[]): { parametersLength: Bytes; parameters: Bytes } => {
  const value = join(...capabilities);
  const parameters = join(u8(2), u16(value.length), value);
  return { parametersLength: join(u8(first, 255), u16(parameters.length)), parameters };
};

const withLongParameters =
  (first: number, filler: number) =>
  async (tester: Tester): Promise<void> => {
    const capabilities = [...usualCapabilities(tester.target.myAs), ...Array.from({ length: filler }, (_, index) => capability(190 + index, repeat(200, index)))];
    const collector = await tester.established('collector');
    const peer = await tester.accepted('external', { capabilities }, longParameters(first, capabilities));
    await tester.expectWell(peer, collector, 'with this OPEN');
  };

export const rfc9072 = casesOf('9072', [
  ['MUST', 'long', '2', 'optional parameters of more than 255 octets in the extended form', 'the optional parameters are decoded by the extended form', withLongParameters(255, 3)],
  ['MUST', 'short', '2', 'optional parameters of less than 256 octets in the extended form', 'an implementation MUST be prepared to accept the extended form for any length', withLongParameters(255, 0)],
  ['SHOULD', 'length-ignored', '2', 'the extended form with 17 in the field that should be 255', 'the Non-Ext OP Len. field SHOULD be set to 255 on transmission and MUST be ignored on receipt once type 255 determines the extended format', withLongParameters(17, 0)],
]);

