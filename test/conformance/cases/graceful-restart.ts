/** RFC 4724 and 8538: the target keeps the routes of a neighbour that restarts. */
import { casesOf } from '../case.js';
import type { Peer } from '../peer.js';
import type { Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { type Bytes, Capability, notification, u8, update } from '../wire/build.js';
import { mpUnreach } from '../wire/attributes.js';

const families = (tester: Tester, preserved: boolean): [number, number, boolean][] => [[tester.family === '2/1' ? 2 : 1, 1, preserved]];
const restarter = (tester: Tester, seconds: number, flags: { restarting?: boolean; notification?: boolean } = {}, preserved = true): { extraCapabilities: Bytes[] } => ({ extraCapabilities: [Capability.gracefulRestart(seconds, families(tester, preserved), flags)] });
const endOfRib = (tester: Tester): Bytes => (tester.family === '2/1' ? update({ attributes: mpUnreach(2, 1, u8()) }) : update({}));

/** A collector and a neighbour with graceful restart whose route has arrived. */
async function ready(tester: Tester, seconds: number, flags: { notification?: boolean } = {}): Promise<{ collector: Peer; feeder: Peer; prefix: string }> {
  const collector = await tester.established('collector');
  const feeder = await tester.established('external', restarter(tester, seconds, flags));
  tester.require((feeder.offered(64)?.length ?? 0) >= 2, 'the target does not offer graceful restart');
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix]), endOfRib(tester));
  await tester.arrives(collector, prefix, 'the route');
  await tester.settled(feeder, collector);
  return { collector, feeder, prefix };
}

/** The route stays for a while after the session is gone. */
async function stays(tester: Tester, collector: Peer, prefix: string, what: string): Promise<void> {
  const gone = await collector.until(() => collector.route(prefix) === undefined, 1500);
  verify(gone === undefined, `${what}: the route was withdrawn`);
  tester.expectAlive(collector, what);
}

async function restarted(tester: Tester, feeder: Peer, overrides: object): Promise<Peer> {
  return tester.established('external', overrides, feeder.local);
}

export const rfc4724 = casesOf('4724', [
  ['SHOULD', 'end-of-rib', '2', 'a new session', 'the End-of-RIB marker is sent once the initial routing update is complete', async (tester) => {
    const peer = await tester.established('collector', restarter(tester, 20));
    await peer.until(() => peer.endsOfRib.includes(tester.family), 8000);
    verify(peer.endsOfRib.includes(tester.family), 'no End-of-RIB within 8 s');
  }],
  ['MUST', 'keep', '4.2', 'the connection of a restarting neighbour ends without NOTIFICATION', 'the Receiving Speaker MUST retain the routes received from the peer', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20);
    feeder.drop();
    await stays(tester, collector, prefix, 'after the end of the connection');
  }],
  ['MUST', 'restart-time', '4.2', 'the neighbour does not come back within its restart time of 2 s', 'the stale routes MUST be deleted', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 2);
    feeder.drop();
    await tester.mustGo(collector, prefix, 'after the restart time', 8000);
  }],
  ['MUST', 'stale-until-end-of-rib', '4.2', 'the neighbour comes back, does not announce the route again and sends End-of-RIB', 'stale routes are removed once the End-of-RIB marker is received, not before', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20);
    feeder.drop();
    await stays(tester, collector, prefix, 'after the end of the connection');
    const again = await restarted(tester, feeder, restarter(tester, 20, { restarting: true }));
    await tester.expectWell(again, collector, 'after the restart');
    verify(collector.route(prefix) !== undefined, 'the stale route went before End-of-RIB');
    again.send(endOfRib(tester));
    await tester.mustGo(collector, prefix, 'after End-of-RIB');
  }],
  ['MUST', 'forwarding-lost', '4.2', 'the neighbour comes back with the Forwarding State bit clear', 'the Receiving Speaker MUST immediately remove all the stale routes', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20);
    feeder.drop();
    await stays(tester, collector, prefix, 'after the end of the connection');
    await restarted(tester, feeder, restarter(tester, 20, { restarting: true }, false));
    await tester.mustGo(collector, prefix, 'after the restart');
  }],
  ['MUST', 'capability-gone', '4.2', 'the neighbour comes back without the capability', 'the Receiving Speaker MUST immediately remove all the stale routes', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20);
    feeder.drop();
    await stays(tester, collector, prefix, 'after the end of the connection');
    await restarted(tester, feeder, {});
    await tester.mustGo(collector, prefix, 'after the restart');
  }],
  ['MUST', 'notification', '4', 'the neighbour ends the session by NOTIFICATION, without the N bit', 'the procedures do not apply: the routes are removed', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20);
    feeder.close();
    await tester.mustGo(collector, prefix, 'after NOTIFICATION');
  }],
  ['MUST', 'new-connection', '5', 'a restarted neighbour connects while its old session is still there', 'the old connection is dropped without NOTIFICATION, the routes are kept, the new connection goes on', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20);
    const identity = { ...feeder.identity, capabilities: [...feeder.identity.capabilities.filter(([code]) => code !== 64), ...restarter(tester, 20, { restarting: true }).extraCapabilities] };
    const again = await tester.dial(feeder.local, identity);
    if (typeof again === 'string') { verify(false, `the new connection was refused: ${again}`); return; }
    again.sendOpen();
    await tester.confirmed(again);
    await feeder.until(() => feeder.isClosed, 2000);
    verify(feeder.isClosed, 'the old connection stays open');
    await stays(tester, collector, prefix, 'after the new connection');
  }],
]);

const bothSpeak = (tester: Tester, feeder: Peer): void => tester.require(((feeder.offered(64)?.[0] ?? 0) & 0x40) !== 0, 'the target does not set the N bit');

export const rfc8538 = casesOf('8538', [
  ['MUST', 'notification', '4', 'the neighbour ends the session by NOTIFICATION, both with the N bit', 'the routes are retained as after a loss of the connection', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20, { notification: true });
    bothSpeak(tester, feeder);
    feeder.send(notification(6, 4));
    feeder.drop();
    await stays(tester, collector, prefix, 'after NOTIFICATION');
  }],
  ['MUST', 'hard-reset', '3.1', 'the neighbour ends the session by Cease/Hard Reset, both with the N bit', 'the session is fully terminated: the routes are removed', async (tester) => {
    const { collector, feeder, prefix } = await ready(tester, 20, { notification: true });
    bothSpeak(tester, feeder);
    feeder.send(notification(6, 9, u8(6, 2)));
    feeder.drop();
    await tester.mustGo(collector, prefix, 'after Hard Reset');
  }],
  ['MUST', 'hold-expiry', '4', 'the hold time of the neighbour expires, both with the N bit', 'the routes are retained as after a loss of the connection', async (tester) => {
    const collector = await tester.established('collector');
    const feeder = await tester.established('external', { ...restarter(tester, 20, { notification: true }), holdTime: 3 });
    bothSpeak(tester, feeder);
    const prefix = tester.prefix();
    feeder.send(tester.announcement(feeder, [prefix]), endOfRib(tester));
    await tester.arrives(collector, prefix, 'the route');
    feeder.silent = true;
    await feeder.until(() => feeder.isClosed, 10_000);
    await stays(tester, collector, prefix, 'after the hold time');
  }],
]);
