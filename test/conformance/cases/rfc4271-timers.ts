/** RFC 4271 sections 4.4, 6.5, 6.8, 8 and 10: timers, the octet stream, and connections that collide. */
import { casesOf } from '../case.js';
import { Peer } from '../peer.js';
import type { Tester } from '../tester.js';
import { fail, inconclusive, verify } from '../verdict.js';
import { type Bytes, capabilityParameter, join, keepalive, MessageType, open } from '../wire/build.js';

/** Intervals between the KEEPALIVEs of the target from the second one on, s. */
async function keepaliveGaps(tester: Tester, holdTime: number, count: number): Promise<number[]> {
  const peer = await tester.established('external', { holdTime });
  // The first answers OPEN, so it does not belong to the timer.
  const beats = (): number[] => peer.received.filter(({ type }) => type === MessageType.keepalive).map(({ at }) => at).slice(1);
  await peer.until(() => beats().length > count || peer.isClosed, (count + 2) * holdTime * 400);
  tester.expectAlive(peer, 'while KEEPALIVEs are exchanged');
  const times = beats();
  verify(times.length > 1, `${times.length} KEEPALIVEs came`);
  return times.slice(1).map((at, index) => (at - times[index]!) / 1000);
}

const list = (gaps: readonly number[]): string => gaps.map((gap) => gap.toFixed(2)).join(', ');

interface Collision {
  /** The connection that the target made. */
  readonly theirs: Peer;
  /** The connection that the tester made. */
  readonly ours: Peer;
}

/** Both sides have connected; OPENs with the tester's identifier went out on both, so that both are in OpenConfirm. */
async function collide(tester: Tester, identifier: string): Promise<Collision> {
  const local = await tester.lease('active');
  const doorway = await tester.doorway(local);
  const identity = tester.identity('active', { identifier });
  const socket = await doorway.next(20_000);
  if (!socket) return inconclusive('the target did not connect within 20 s');
  const theirs = tester.adopt(new Peer(socket, local, identity));
  const ours = await tester.dial(local, identity);
  if (typeof ours === 'string') return inconclusive(`the target refuses a second connection: ${ours}`);
  theirs.sendOpen();
  ours.sendOpen();
  return { theirs, ours };
}

/** The one connection that goes on must be `kept`, the other one must end. */
async function judge({ theirs, ours }: Collision, kept: 'theirs' | 'ours'): Promise<void> {
  const [winner, loser] = kept === 'theirs' ? [theirs, ours] : [ours, theirs];
  await loser.until(() => loser.isClosed || winner.isClosed, 8000);
  verify(!winner.isClosed, `the connection made by ${kept === 'theirs' ? 'the target' : 'the tester'} was closed (${winner.lastSeen()})`);
  verify(loser.isClosed, 'both connections stay open');
  winner.keepAlive();
  await winner.until(() => winner.received.some(({ type }) => type === MessageType.keepalive) || winner.isClosed, 4000);
  verify(winner.received.some(({ type }) => type === MessageType.keepalive), `the connection that is left does not come up: ${winner.lastSeen()}`);
}

/** Sends octets one by one, each in a segment of its own. */
async function drip(tester: Tester, peer: Peer, bytes: Bytes): Promise<void> {
  for (const octet of bytes) {
    peer.send(Uint8Array.of(octet));
    await tester.pause(1);
  }
}

export const rfc4271Timers = casesOf('4271', [
  ['MUST', 'hold-expiry', '6.5', 'hold time 3 s and silence in an established session', 'if no message comes within the Hold Time, the NOTIFICATION with Hold Timer Expired MUST be sent and the connection closed', async (tester) => {
    const peer = await tester.established('external', { holdTime: 3 });
    peer.silent = true;
    const started = performance.now();
    await tester.expectNotification(peer, 4, 0, { timeoutMs: 12_000 });
    const seconds = (performance.now() - started) / 1000;
    verify(seconds > 1.8, `after ${seconds.toFixed(1)} s only`);
  }],
  ['MUST', 'hold-expiry-openconfirm', '8.2.2', 'hold time 3 s and silence after OPEN', 'OpenConfirm: the hold timer expires: sends the NOTIFICATION with the Error Code Hold Timer Expired', async (tester) => {
    const peer = await tester.openConfirm('external', { holdTime: 3 });
    await tester.expectNotification(peer, 4, 0, { timeoutMs: 12_000 });
  }],
  ['MUST', 'hold-update', '8.2.2', 'UPDATEs instead of KEEPALIVEs for longer than the hold time', 'an UPDATE restarts the HoldTimer', async (tester) => {
    const peer = await tester.established('external', { holdTime: 3 });
    peer.silent = true;
    const prefix = tester.prefix();
    for (let count = 0; count < 7; count++) {
      peer.send(tester.announcement(peer, [prefix], { asPath: [peer.identity.as, 64900 + count] }));
      await tester.pause(1000);
    }
    tester.expectAlive(peer, 'with an UPDATE a second');
  }],
  ['MUST', 'hold-keepalive', '8.2.2', 'a KEEPALIVE a second, hold time 3 s', 'a KEEPALIVE restarts the HoldTimer: the session stays up', async (tester) => {
    const peer = await tester.established('external', { holdTime: 3 });
    await tester.pause(7000);
    tester.expectAlive(peer, 'with a KEEPALIVE a second');
  }],
  ['MUST', 'hold-zero', '4.4', 'a hold time of 0', 'the session comes up; if the negotiated Hold Time interval is zero, periodic KEEPALIVE messages MUST NOT be sent', async (tester) => {
    const peer = await tester.accepted('external', { holdTime: 0 });
    peer.send(keepalive());
    await tester.pause(4000);
    tester.expectAlive(peer, 'with hold time 0');
    const beats = peer.received.filter(({ type }) => type === MessageType.keepalive).length;
    // One answers OPEN; one more ends the exchange with some speakers.
    verify(beats <= 2, `${beats} KEEPALIVEs within 4 s`);
  }],
  ['MUST', 'keepalive-rate', '4.4', 'KEEPALIVEs at a hold time of 3 s', 'KEEPALIVEs are exchanged often enough not to cause the Hold Timer to expire, and MUST NOT be sent more frequently than one per second (with the jitter of section 10: 0.75 s)', async (tester) => {
    const gaps = await keepaliveGaps(tester, 3, 4);
    verify(gaps.every((gap) => gap < 3), `intervals of ${list(gaps)} s`);
    verify(gaps.every((gap) => gap > 0.7), `intervals of ${list(gaps)} s`);
  }],
  ['SHOULD', 'keepalive-third', '4.4', 'KEEPALIVEs at a hold time of 9 s', 'a reasonable maximum time between KEEPALIVE messages would be one third of the Hold Time', async (tester) => {
    const gaps = await keepaliveGaps(tester, 9, 3);
    verify(gaps.every((gap) => gap < 3.4), `intervals of ${list(gaps)} s`);
  }],
  ['SHOULD', 'keepalive-jitter', '10', 'KEEPALIVEs at a hold time of 9 s', 'jitter SHOULD be applied to the KeepaliveTimer: the base value times a random factor from 0.75 to 1', async (tester) => {
    const gaps = await keepaliveGaps(tester, 9, 4);
    // Less is the unrest of a busy machine; four intervals with jitter are closer together than that once in a hundred times.
    verify(Math.max(...gaps) - Math.min(...gaps) > 0.1, `intervals of ${list(gaps)} s are all alike`);
  }],
  ['MUST', 'stream-octets', '3', 'OPEN, KEEPALIVE and UPDATE one octet a segment', 'messages are parts of a stream: a message is processed once it is entirely received', async (tester) => {
    const collector = await tester.established('collector');
    const peer = await tester.openSent('external');
    const { as, identifier, holdTime, capabilities } = peer.identity;
    await drip(tester, peer, open({ as, identifier, holdTime, parameters: capabilityParameter(...capabilities) }));
    await tester.confirmed(peer);
    const prefix = tester.prefix();
    await drip(tester, peer, join(keepalive(), tester.announcement(peer, [prefix])));
    await tester.mustArrive(collector, prefix, 'an UPDATE sent octet by octet');
  }],
  ['MUST', 'stream-together', '3', 'KEEPALIVE and 60 UPDATEs in one segment behind OPEN', 'messages are parts of a stream: each is processed', async (tester) => {
    const collector = await tester.established('collector');
    const peer = await tester.openSent('external');
    const { as, identifier, holdTime, capabilities } = peer.identity;
    const prefixes = Array.from({ length: 60 }, () => tester.prefix());
    peer.send(open({ as, identifier, holdTime, parameters: capabilityParameter(...capabilities) }), keepalive(), ...prefixes.map((prefix) => tester.announcement(peer, [prefix])));
    await collector.until(() => prefixes.every((prefix) => collector.route(prefix)) || peer.isClosed, 6000);
    const missing = prefixes.filter((prefix) => !collector.route(prefix));
    verify(missing.length === 0, `${missing.length} of 60 routes did not arrive; the session: ${peer.lastSeen()}`);
  }],
  ['MUST', 'stream-largest', '4.1', 'an UPDATE of nearly 4,096 octets', 'the maximum message size is 4096 octets; all implementations are required to support it', async (tester) => {
    const collector = await tester.established('collector');
    const peer = await tester.established('external');
    const count = tester.family === '2/1' ? 560 : 780;
    const prefixes = Array.from({ length: count }, () => tester.prefix());
    const message = tester.announcement(peer, prefixes);
    verify(message.length > 3700 && message.length <= 4096, `the tester built ${message.length} octets`);
    peer.send(message);
    await collector.until(() => prefixes.every((prefix) => collector.route(prefix)) || peer.isClosed, 6000);
    const missing = prefixes.filter((prefix) => !collector.route(prefix));
    verify(missing.length === 0, `${missing.length} of ${count} routes did not arrive; the session: ${peer.lastSeen()}`);
  }],
  ['MUST', 'connect', '8.2.2', 'a listening tester', 'the target connects (unless it is passive) and sends OPEN', async (tester) => {
    const local = await tester.lease('active');
    const doorway = await tester.doorway(local);
    const socket = await doorway.next(20_000);
    if (!socket) return fail('no connection within 20 s');
    const peer = tester.adopt(new Peer(socket, local, tester.identity('active')));
    await peer.until(() => peer.open, 5000);
    verify(peer.open !== undefined, `no OPEN on the connection: ${peer.lastSeen()}`);
  }],
  ['MUST', 'connect-retry', '8.2.2', 'a tester that closes the connection of the target', 'the target connects again by the ConnectRetryTimer', async (tester) => {
    const local = await tester.lease('active');
    const doorway = await tester.doorway(local);
    const first = await doorway.next(20_000);
    if (!first) return inconclusive('the target did not connect within 20 s');
    first.destroy();
    const second = await doorway.next(20_000);
    second?.destroy();
    verify(second !== undefined, 'no second connection within 20 s');
  }],
  ['MUST', 'collision-higher', '6.8', "two connections in OpenConfirm, the tester's identifier is the higher one", 'the connection initiated by the system with the lower-valued BGP Identifier is closed', async (tester) => judge(await collide(tester, '250.0.0.1'), 'ours')],
  ['MUST', 'collision-lower', '6.8', "two connections in OpenConfirm, the tester's identifier is the lower one", 'the connection initiated by the system with the lower-valued BGP Identifier is closed', async (tester) => judge(await collide(tester, '1.0.0.1'), 'theirs')],
  ['MUST', 'collision-established', '6.8', 'a second connection beside an established session', 'a collision with an existing connection in Established causes closing of the newly created connection', async (tester) => {
    const peer = await tester.established('external');
    await peer.until(() => peer.received.some(({ type }) => type === MessageType.update), 1500);
    const second = await tester.dial(peer.local, peer.identity);
    if (typeof second !== 'string') {
      await second.until(() => second.open !== undefined || second.isClosed, 1000);
      second.sendOpen();
      await second.until(() => second.isClosed || peer.isClosed, 5000);
      verify(!peer.isClosed, `the established session was closed: ${peer.lastSeen()}`);
      verify(second.isClosed, 'the second connection stays open');
    }
    const collector = await tester.established('collector');
    await tester.expectWell(peer, collector, 'after a second connection');
  }],
]);
