/** RFC 2918 and 7313: asking for routes again. */
import { casesOf } from '../case.js';
import type { Peer } from '../peer.js';
import type { Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { Capability, join, message, MessageType, routeRefresh, toHex, u16, u8 } from '../wire/build.js';

const enhanced = { extraCapabilities: [Capability.enhancedRouteRefresh()] };
const afiOf = (tester: Tester): number => (tester.family === '2/1' ? 2 : 1);

/** A collector that has a route of a feeder, and where its messages stand. */
async function withRoute(tester: Tester, overrides: object = {}): Promise<{ collector: Peer; feeder: Peer; prefix: string; mark: number }> {
  const collector = await tester.established('collector', overrides);
  const feeder = await tester.established('external');
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix]));
  await tester.arrives(collector, prefix, 'the route');
  await tester.settled(feeder, collector);
  return { collector, feeder, prefix, mark: collector.received.length };
}

const carries = (collector: Peer, mark: number, prefix: string): boolean => {
  const [text, bits] = prefix.split('/') as [string, string];
  const octets = text.includes(':') ? text.split(':').slice(0, 3).map((word) => word.padStart(4, '0')).join('') : text.split('.').map((word) => Number(word).toString(16).padStart(2, '0')).join('');
  return collector.received.slice(mark).some(({ type, bytes }) => type === MessageType.update && toHex(bytes).includes(Number(bits).toString(16).padStart(2, '0') + octets));
};

const subtypes = (peer: Peer, mark = 0): number[] => peer.received.slice(mark).filter(({ type }) => type === MessageType.routeRefresh).map(({ body }) => body[2]!);

export const rfc2918 = casesOf('2918', [
  ['MUST', 'resend', '4', 'ROUTE-REFRESH of a negotiated family', 'the speaker shall re-advertise to that peer the Adj-RIB-Out of the <AFI, SAFI>', async (tester) => {
    const { collector, prefix, mark } = await withRoute(tester);
    tester.require(collector.offered(2) !== undefined, 'the target does not offer route refresh');
    collector.send(routeRefresh(afiOf(tester), 1));
    const again = await collector.until(() => carries(collector, mark, prefix), 5000);
    verify(again === true, 'the route did not come again');
  }],
  ['MUST', 'other-family', '4', 'ROUTE-REFRESH of a family that was not negotiated', 'the speaker shall ignore such a message', async (tester) => {
    const { collector, feeder } = await withRoute(tester);
    tester.require(collector.offered(2) !== undefined, 'the target does not offer route refresh');
    collector.send(routeRefresh(25, 65));
    await tester.expectWell(feeder, collector, 'after the request');
    tester.expectAlive(collector, 'after the request');
  }],
]);

export const rfc7313 = casesOf('7313', [
  ['MUST', 'borr-eorr', '4', 'ROUTE-REFRESH where both offered Enhanced Route Refresh', 'before it re-advertises, the speaker MUST send BoRR, and EoRR after it', async (tester) => {
    const { collector, prefix, mark } = await withRoute(tester, enhanced);
    tester.require(collector.offered(70) !== undefined, 'the target does not offer Enhanced Route Refresh');
    // A refresh may wait for the first End-of-RIB (section 4).
    await collector.until(() => collector.endsOfRib.includes(tester.family), 2000);
    collector.send(routeRefresh(afiOf(tester), 1));
    await collector.until(() => subtypes(collector, mark).includes(2), 6000);
    verify(subtypes(collector, mark).join(' ') === '1 2', `demarcations: ${subtypes(collector, mark).join(' ') || 'none'}`);
    const begin = collector.received.findIndex(({ type }, index) => index >= mark && type === MessageType.routeRefresh);
    verify(carries(collector, begin, prefix), 'the route did not come between them');
  }],
  ['MUST', 'length', '5', 'a BoRR with a body of 5 octets', 'the NOTIFICATION with ROUTE-REFRESH Message Error / Invalid Message Length MUST be sent, the Data field with the complete message', async (tester) => {
    const { collector } = await withRoute(tester, enhanced);
    tester.require(collector.offered(70) !== undefined, 'the target does not offer Enhanced Route Refresh');
    const wrong = message(MessageType.routeRefresh, join(u16(afiOf(tester)), u8(1, 1, 0)));
    collector.send(wrong);
    await tester.expectNotification(collector, 7, 1, { data: wrong });
  }],
  ['MUST', 'subtype-unknown', '5', 'a ROUTE-REFRESH of subtype 200', 'when the message subtype is not one of those defined, the message MUST be ignored', async (tester) => {
    const { collector, feeder } = await withRoute(tester, enhanced);
    tester.require(collector.offered(70) !== undefined, 'the target does not offer Enhanced Route Refresh');
    collector.send(routeRefresh(afiOf(tester), 1, 200));
    await tester.expectWell(feeder, collector, 'after the message');
    tester.expectAlive(collector, 'after the message');
  }],
  ['MUST', 'stale', '4', 'BoRR, one of two routes again, EoRR', 'at EoRR routes that are still marked as stale MUST be removed', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external', enhanced);
    tester.require(feeder.offered(70) !== undefined, 'the target does not offer Enhanced Route Refresh');
    const [kept, gone] = [tester.prefix(), tester.prefix()];
    feeder.send(tester.announcement(feeder, [kept, gone]));
    await tester.arrives(collector, kept, 'the first route');
    await tester.arrives(collector, gone, 'the second route');
    feeder.send(routeRefresh(afiOf(tester), 1, 1), tester.announcement(feeder, [kept]));
    await tester.expectWell(feeder, collector, 'between BoRR and EoRR');
    verify(collector.route(gone) !== undefined, 'the stale route went before EoRR');
    feeder.send(routeRefresh(afiOf(tester), 1, 2));
    await tester.mustGo(collector, gone, 'after EoRR');
    verify(collector.route(kept) !== undefined, 'the route that was announced again went too');
  }],
  ['MUST', 'eorr-alone', '4', 'EoRR without BoRR', 'it has no effect on routes', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external', enhanced);
    tester.require(feeder.offered(70) !== undefined, 'the target does not offer Enhanced Route Refresh');
    const prefix = tester.prefix();
    feeder.send(tester.announcement(feeder, [prefix]));
    await tester.arrives(collector, prefix, 'the route');
    feeder.send(routeRefresh(afiOf(tester), 1, 2));
    await tester.expectWell(feeder, collector, 'after EoRR');
    verify(collector.route(prefix) !== undefined, 'the route went');
  }],
]);
