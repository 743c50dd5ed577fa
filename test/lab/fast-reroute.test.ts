/** Protected routes in a real kernel: a link is cut under a flow of 10,000 packets a second, and the kernel goes on by the repair list within 50 ms. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { CORE_MTU, FAR_LOCATOR, PRIMARY, REPAIR_OCTETS, RerouteLab, SERVICE, SINK, destination, protectedRoute, type PointRouter } from './reroute-lab.js';

const ROUTES = 2000;
const RATE = 10_000;
/** Packets that 50 ms take. */
const MOST_LOST = RATE / 20;

const lab = new RerouteLab();
let router: PointRouter;

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) assert.fail(`not within 10 s: ${what}`);
    await pause(20);
  }
}

/** Runs a flow to all destinations and cuts within it; resolves to the packets lost. */
async function lostWhile(cut: () => void | Promise<void>): Promise<number> {
  const before = lab.received();
  const send = await lab.sender(ROUTES, RATE, RATE);
  const sending = send();
  await until('packets arrive', () => lab.received() > before + RATE / 10);
  await cut();
  const sent = await sending;
  let last = -1;
  await until('the last packets have arrived', () => last === (last = lab.received()));
  return sent - (last - before);
}

const reaches = (address: string, size = 56): boolean => {
  try {
    lab.exec('source', 'ping', '-c', '1', '-W', '1', '-M', 'do', '-s', String(size), address);
    return true;
  } catch {
    return false;
  }
};
const addressOf = (i: number): string => destination(i).replace('/64', '1');
const onRepair = (): boolean => router.routes.list().every(({ status }) => status.installed && status.backup?.installed === true && status.backup.active);
const onPrimary = (): boolean => router.routes.list().every(({ status }) => status.installed && status.backup?.installed === true && !status.backup.active);
const objects = (): { id: number; protocol: string }[] => (JSON.parse(lab.ip('point', '-j nexthop show') || '[]') as { id: number; protocol: string }[]).filter(({ protocol }) => protocol === '210');

before(async () => {
  lab.up();
  router = await lab.openRouter();
  for (const prefix of ['2001:db8:2::/64', FAR_LOCATOR]) router.routes.set(protectedRoute(prefix));
  for (let i = 0; i < ROUTES; i++) router.routes.set(protectedRoute(destination(i)));
  await router.routes.settled();
  assert.ok(onPrimary());
});

after(() => {
  router.close();
  lab.down();
});

test('2,000 routes share one object for the way and one for the repair list', () => {
  assert.equal(objects().length, 2);
  assert.equal(lab.ip('point', '-6 route show proto 210').trim().split('\n').length, 2 * (ROUTES + 2));
  assert.match(lab.way('2001:db8:1000:7::1'), /via fe80::3 dev far/);
  assert.ok(reaches(SINK) && reaches(SERVICE));
});

test('a lost carrier is survived by the kernel alone within 50 ms', async (t) => {
  const lost = await lostWhile(() => lab.setCarrier(false));
  t.diagnostic(`${lost} packets lost`);
  assert.ok(lost <= MOST_LOST, `${lost} packets lost`);
  await until('the table knows', onRepair);
  assert.match(lab.way('2001:db8:1000:7::1'), /encap seg6 mode encap segs 2 .* dev p .*metric 1025/);
  lab.setCarrier(true);
  await until('all routes are back', () => onPrimary() && /dev far.*metric 1024/.test(lab.way(addressOf(ROUTES - 1))));
});

test('a neighbour that vanishes from a link that is up costs what its detection takes, and one write', async (t) => {
  let detectionMs = 0;
  let answerMs = 0;
  let switched = 0;
  const lost = await lostWhile(async () => {
    const start = performance.now();
    lab.setNeighbour(false);
    await pause(30);
    const detected = performance.now();
    switched = router.routes.failAdjacency(PRIMARY.interface, PRIMARY.gateway);
    detectionMs = detected - start;
    // The kernel tells every listener of every route before it answers; packets are switched before that.
    answerMs = performance.now() - detected;
  });
  t.diagnostic(`${lost} packets lost, ${detectionMs.toFixed(1)} ms before detection; ${switched} routes switched, answered after ${answerMs.toFixed(1)} ms`);
  assert.equal(switched, ROUTES + 2);
  assert.ok(lost > 0, 'the neighbour had vanished');
  assert.ok(lost <= (detectionMs * RATE) / 1000 + MOST_LOST, `${lost} packets lost, detected after ${detectionMs} ms`);
  for (const i of [0, 1, ROUTES - 1]) assert.match(lab.way(addressOf(i)), /encap seg6 .* dev p .*metric 1024/);
});

test('by the repair list go plain packets, and such as are encapsulated already, up to its overhead below the MTU of the core', () => {
  assert.ok(reaches(SINK) && reaches(SERVICE));
  // ICMPv6 and IPv6 headers are 48 octets.
  assert.ok(reaches(SINK, 1500 - 48), `${CORE_MTU - REPAIR_OCTETS} octets and less fit`);
  for (const name of ['p', 'far'] as const) lab.ip('point', `link set dev ${name} mtu 1500`);
  // Linux tells the point of repair itself of a packet that is too big, and nobody else.
  assert.ok(reaches(SINK, 1500 - REPAIR_OCTETS - 48));
  assert.ok(!reaches(SINK, 1500 - REPAIR_OCTETS - 48 + 8));
  for (const name of ['p', 'far'] as const) lab.ip('point', `link set dev ${name} mtu ${CORE_MTU}`);
});

test('what is declared after a failure replaces it, and a neighbour that is back gets its routes back', async () => {
  const { routes } = router;
  routes.set({ prefix: destination(0), target: { kind: 'unicast', nextHops: [{ gateway: 'fe80::5', interface: 'p' }] } });
  await routes.settled();
  assert.match(lab.way('2001:db8:1000::1'), /via fe80::5 dev p /);
  assert.doesNotMatch(lab.ip('point', `-6 route show ${destination(0)}`), /metric 1025/);
  lab.setNeighbour(true);
  routes.restoreAdjacency(PRIMARY.interface, PRIMARY.gateway);
  routes.set(protectedRoute(destination(0)));
  await routes.settled();
  await until('all routes are back', onPrimary);
  assert.match(lab.way('2001:db8:1000::1'), /via fe80::3 dev far/);
  assert.ok(reaches(SINK));
});

test('a crash leaves everything forwarding, the next start adopts it without a write, and removal leaves nothing', async () => {
  const before = lab.ip('point', '-6 route show proto 210');
  router.close();
  assert.ok(reaches(SINK));
  router = await lab.openRouter();
  for (const prefix of ['2001:db8:2::/64', FAR_LOCATOR]) router.routes.set(protectedRoute(prefix));
  for (let i = 0; i < ROUTES - 10; i++) router.routes.set(protectedRoute(destination(i)));
  const ids = objects().map(({ id }) => id);
  await router.routes.settled();
  assert.deepEqual(objects().map(({ id }) => id), ids);
  assert.equal(lab.ip('point', '-6 route show proto 210'), before);
  assert.equal(await router.routes.sweepStale(), 20);
  assert.ok(onPrimary());
  await router.routes.removeAll();
  assert.deepEqual([objects(), lab.ip('point', '-6 route show proto 210')], [[], '']);
});
