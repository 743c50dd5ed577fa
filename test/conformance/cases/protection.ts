/** RFC 4486, 9003, 5082, 2385 and 8212: how sessions end, who may have one, and what goes in and out without policy. */
import { casesOf } from '../case.js';
import { routeText, type Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { type Bytes, join, notification, repeat, u8 } from '../wire/build.js';

/** The neighbour says goodbye with these octets: the session ends, silently, and the next one comes up. */
const goodbye =
  (subcode: number, data: Bytes) =>
  async (tester: Tester): Promise<void> => {
    const peer = await tester.established('external');
    peer.send(notification(6, subcode, data));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
    verify(!peer.notification, `answered by ${peer.notification?.text ?? ''}`);
    await tester.accepted('external', {}, {}, peer.local);
  };

const text = (value: string): Bytes => {
  const bytes = new TextEncoder().encode(value);
  return join(u8(bytes.length), bytes);
};

export const rfc9003 = casesOf('9003', [
  ['MUST', 'text', '2', 'Cease/Administrative Shutdown with a UTF-8 text', 'the session ends', goodbye(2, text('[TICKET-1-1438367390] maintenance, back at 02:00, schöne Grüße'))],
  ['MUST', 'reset-text', '2', 'Cease/Administrative Reset with a text of 255 octets', 'the session ends', goodbye(4, text('x'.repeat(255)))],
  ['MUST', 'length-beyond', '3', 'a text that is shorter than its length field', 'an invalid message is noticed; the session ends all the same', goodbye(2, join(u8(200), repeat(10, 0x41)))],
  ['MUST', 'not-utf8', '3', 'a text that is no UTF-8', 'an invalid message is noticed; the session ends all the same', goodbye(2, join(u8(4), u8(0xc3, 0x28, 0xff, 0xfe)))],
]);

export const rfc4486 = casesOf('4486', [
  ['MUST', 'prefixes', '4', 'more prefixes than the target is configured to take', 'if the speaker decides to terminate the peering because of this, it MUST send Cease / Maximum Number of Prefixes Reached', async (tester) => {
    const peer = await tester.established('limited');
    peer.send(...Array.from({ length: 12 }, () => tester.announcement(peer, [tester.prefix()])));
    await tester.expectNotification(peer, 6, 1);
  }],
  ['MUST', 'unknown-subcode', '4', 'Cease with subcode 200', 'the session ends', goodbye(200, u8())],
]);

export const rfc5082 = casesOf('5082', [
  ['MUST', 'accept', '3', 'a neighbour one hop away that sends with hop limit 255', 'the session comes up', async (tester) => {
    await tester.accepted('gtsm', { socket: { ttl: 255 } });
  }],
  ['MUST', 'send', '3', 'the hop limit that the target sends with', 'packets are sent with a TTL of 255', async (tester) => {
    await tester.accepted('gtsm', { socket: { ttl: 255, minimumTtl: 255 } });
  }],
  ['MUST', 'drop', '3', 'a neighbour that sends with hop limit 64', 'packets with a TTL outside the range are dangerous and discarded', async (tester) => {
    const collector = await tester.established('collector');
    const witness = await tester.established('external');
    const peer = await tester.dial(await tester.lease('gtsm'), tester.identity('gtsm'), { ttl: 64 });
    if (typeof peer === 'string') return;
    peer.sendOpen();
    peer.keepAlive();
    const prefix = tester.prefix();
    peer.send(tester.announcement(peer, [prefix]));
    // What comes with the handshake may be read before a target can know whose it is; nothing that follows may.
    await peer.until(() => peer.isClosed, 2000);
    const second = tester.prefix();
    peer.send(tester.announcement(peer, [second]));
    await tester.expectWell(witness, collector, 'beside it');
    await tester.expectWell(witness, collector, 'beside it');
    verify(collector.route(second) === undefined, 'the session came up and its routes were taken');
  }],
]);

export const rfc2385 = casesOf('2385', [
  ['MUST', 'accept', '2', 'a neighbour with the right key', 'the session comes up', async (tester) => {
    await tester.accepted('md5', { socket: { password: tester.target.password } });
  }],
  ['MUST', 'wrong-key', '2', 'a neighbour with another key', 'the segment MUST be dropped without any response', async (tester) => {
    const result = await tester.dial(await tester.lease('md5'), tester.identity('md5'), { password: 'another key' });
    verify(typeof result === 'string' && result.startsWith('no answer'), typeof result === 'string' ? result : 'the connection came up');
  }],
  ['MUST', 'no-key', '2', 'a neighbour without key', 'the segment MUST be dropped without any response', async (tester) => {
    const result = await tester.dial(await tester.lease('md5'), tester.identity('md5'));
    verify(typeof result === 'string' && result.startsWith('no answer'), typeof result === 'string' ? result : 'the connection came up');
  }],
]);

export const rfc8212 = casesOf('8212', [
  ['MUST', 'import', '3', 'a route from an external peer without import policy', 'routes contained in an Adj-RIB-In associated with an EBGP peer SHALL NOT be considered eligible in the Decision Process if no explicit Import Policy has been applied', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('noPolicy');
    const witness = await tester.established('external');
    const prefix = tester.prefix();
    feeder.send(tester.announcement(feeder, [prefix]));
    await tester.expectWell(witness, collector, 'after the route');
    await tester.expectWell(witness, collector, 'after the route');
    tester.expectAlive(feeder, 'after the route');
    const route = collector.route(prefix);
    verify(route === undefined, `the route came out: ${route ? routeText(route) : ''}`);
  }],
  ['MUST', 'export', '3', 'routes to an external peer without export policy', 'routes SHALL NOT be added to an Adj-RIB-Out associated with an EBGP peer if no explicit Export Policy has been applied', async (tester) => {
    const witness = await tester.established('collector');
    const collector = await tester.established('noPolicy');
    const feeder = await tester.established('internal');
    const prefix = tester.prefix();
    feeder.send(tester.announcement(feeder, [prefix], { asPath: [64950] }));
    await tester.expectWell(feeder, witness, 'after the route');
    verify(collector.allRoutes().length === 0, `routes came: ${collector.allRoutes().slice(0, 2).map(routeText).join(' ')}`);
  }],
]);
