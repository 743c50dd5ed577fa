/** The route table against a kernel in memory, with a clock that is moved by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../daemon/clock.js';
import type { KernelRoute } from '../../../dataplane/dataplane.js';
import { NetlinkClient } from '../../../dataplane/netlink/client.js';
import { ROUTE_PROTOCOL } from '../../../dataplane/netlink/kernel-route.js';
import { LinkMonitor } from '../../../dataplane/netlink/links.js';
import { unicastRoute } from '../../../dataplane/netlink/route.js';
import { KernelRouteTable } from '../../../dataplane/netlink/route-table.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { FakeKernel, overrun } from './fake-kernel.js';

const PREFIX = '2001:db8:100::/48';
const KEY = `${PREFIX} 254 1024`;
const ROUTE: KernelRoute = { prefix: PREFIX, target: { kind: 'unicast', nextHops: [{ gateway: '2001:db8:1::2', interface: 'core0' }] } };
const ENOMEM = 12;
const EHOSTUNREACH = 113;

interface Bench {
  kernel: FakeKernel;
  clock: ManualClock;
  links: LinkMonitor;
  routes: KernelRouteTable;
}

async function open(prepare: (kernel: FakeKernel) => void = () => undefined): Promise<Bench> {
  const kernel = new FakeKernel();
  kernel.addLink(2, 'core0');
  kernel.addLink(3, 'west0');
  prepare(kernel);
  const clock = new ManualClock();
  const client = new NetlinkClient(kernel.requests);
  const links = new LinkMonitor(client, kernel.linkEvents, clock);
  await links.start();
  const routes = new KernelRouteTable(client, kernel.routeEvents, links, clock);
  await routes.start();
  return { kernel, clock, links, routes };
}

/** Lets the event loop turn until everything queued was handled. */
async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

const routeOf = (protocol: number, gateway = '2001:db8:1::2') =>
  unicastRoute({ destination: Prefix.from(PREFIX), table: 254, metric: 1024, protocol, nextHops: [{ interfaceIndex: 2, gateway, weight: 1, flags: 0 }] });

test('a deleted route comes back at once the first time, and later and later when somebody keeps at it', async () => {
  const { kernel, clock, routes } = await open();
  routes.set(ROUTE);
  await routes.settled();
  clock.advance(100_000);
  const pauses: number[] = [];
  for (let i = 0; i < 12; i++) {
    kernel.deleteRoute(KEY);
    await turn();
    let waited = 0;
    while (!kernel.routes.has(KEY) && waited < 100_000) {
      assert.equal(routes.status(PREFIX)?.installed, false);
      clock.advance(50);
      waited += 50;
      await turn();
    }
    assert.deepEqual(routes.status(PREFIX), { installed: true });
    pauses.push(waited);
  }
  assert.deepEqual(pauses, [0, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
  clock.advance(100_000);
  kernel.deleteRoute(KEY);
  await turn();
  assert.ok(kernel.routes.has(KEY));
});

test('a refused route is tried again after growing pauses', async () => {
  const { kernel, clock, routes } = await open();
  kernel.refusals.push(EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH);
  routes.set(ROUTE);
  await routes.settled();
  assert.match(routes.status(PREFIX)?.error ?? '', /^route 2001:db8:100::\/48 via 2001:db8:1::2 dev core0: .*\(EHOSTUNREACH\)$/);
  for (const [pause, writes] of [[100, 2], [199, 2], [1, 3], [399, 3], [1, 4]] as const) {
    clock.advance(pause);
    await turn();
    assert.equal(kernel.writes, writes);
  }
  assert.deepEqual(routes.status(PREFIX), { installed: true });
});

test('a replacement that is refused takes the old route away before it is tried again', async () => {
  const { kernel, clock, routes } = await open();
  routes.set(ROUTE);
  await routes.settled();
  kernel.refusals.push(EHOSTUNREACH);
  routes.set({ ...ROUTE, target: { kind: 'unicast', nextHops: [{ gateway: '2001:db8:2::2', interface: 'west0' }] } });
  await routes.settled();
  assert.equal(kernel.routes.has(KEY), false);
  assert.match(routes.status(PREFIX)?.error ?? '', /EHOSTUNREACH/);
  clock.advance(100);
  await turn();
  assert.equal(kernel.routes.get(KEY)?.nextHops[0]?.gateway, '2001:db8:2::2');
});

test('a kernel short of memory is asked again before the table counts as settled', async () => {
  const { kernel, clock, routes } = await open();
  kernel.refusals.push(ENOMEM, ENOMEM);
  routes.set(ROUTE);
  let settled = false;
  void routes.settled().then(() => (settled = true));
  await turn();
  assert.equal(settled, false);
  clock.advance(20);
  await turn();
  assert.equal(settled, false);
  clock.advance(40);
  await turn();
  assert.equal(settled, true);
  assert.deepEqual(routes.status(PREFIX), { installed: true });
});

test('after lost notifications everything is compared and mended', async () => {
  const { kernel, clock, routes } = await open();
  routes.set(ROUTE);
  routes.set({ prefix: '2001:db8:101::/48', target: { kind: 'unreachable' } });
  await routes.settled();
  kernel.routes.clear();
  kernel.routes.set(KEY, routeOf(ROUTE_PROTOCOL, '2001:db8:1::66'));
  kernel.routeEvents.push(overrun());
  await turn();
  clock.advance(100);
  await turn();
  assert.equal(kernel.routes.get(KEY)?.nextHops[0]?.gateway, '2001:db8:1::2');
  assert.equal(kernel.routes.get('2001:db8:101::/48 254 1024')?.type, 7);
  assert.ok(routes.list().every(({ status }) => status.installed));
});

test("another's route is found to be in the way, never replaced, and followed when it goes", async () => {
  const { kernel, routes } = await open((fresh) => fresh.routes.set(KEY, routeOf(186)));
  routes.set(ROUTE);
  await routes.settled();
  assert.deepEqual(routes.status(PREFIX), { installed: false, error: 'a route of protocol bgp with the same prefix, table and metric is in the way' });
  routes.set({ ...ROUTE, target: { kind: 'unreachable' } });
  await routes.settled();
  routes.remove(PREFIX);
  await routes.settled();
  assert.equal(kernel.routes.get(KEY)?.protocol, 186);
  routes.set(ROUTE);
  await routes.settled();
  kernel.deleteRoute(KEY);
  await turn();
  assert.equal(kernel.routes.get(KEY)?.protocol, ROUTE_PROTOCOL);
});

test('what an earlier run left is adopted without a write, replaced where it differs, and swept where nobody wants it', async () => {
  const other = { ...routeOf(ROUTE_PROTOCOL), destination: Prefix.from('2001:db8:200::/48') };
  const { kernel, routes } = await open((fresh) => {
    fresh.routes.set(KEY, routeOf(ROUTE_PROTOCOL));
    fresh.routes.set('2001:db8:200::/48 254 1024', other);
  });
  routes.set(ROUTE);
  await routes.settled();
  assert.equal(kernel.writes, 0);
  assert.deepEqual(routes.status(PREFIX), { installed: true });
  assert.equal(await routes.sweepStale(), 1);
  assert.deepEqual([...kernel.routes.keys()], [KEY]);
  assert.equal(await routes.sweepStale(), 0);
});

test('a link that goes down takes its routes along, says so, and brings them back', async () => {
  const { kernel, routes } = await open();
  routes.set(ROUTE);
  await routes.settled();
  kernel.setLink(2, false);
  await turn();
  assert.deepEqual(routes.status(PREFIX), { installed: false, error: 'interface core0 is down' });
  kernel.setLink(2, true);
  await turn();
  assert.ok(kernel.routes.has(KEY));

  // Down and up in one reading.
  kernel.setLink(2, false);
  kernel.setLink(2, true);
  await turn();
  assert.ok(kernel.routes.has(KEY));
  assert.deepEqual(routes.status(PREFIX), { installed: true });
});

test('what is declared last wins, however fast', async () => {
  const { kernel, routes } = await open();
  for (let i = 0; i < 50; i++) {
    routes.set({ ...ROUTE, target: { kind: 'unicast', nextHops: [{ gateway: `2001:db8:1::${i + 1}`, interface: 'core0' }] } });
    if (i % 3 === 0) routes.remove(PREFIX);
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await routes.settled();
  assert.equal(kernel.routes.get(KEY)?.nextHops[0]?.gateway, '2001:db8:1::50');
  routes.remove(PREFIX);
  await routes.settled();
  assert.equal(kernel.routes.size, 0);
  assert.throws(() => routes.set({ ...ROUTE, prefix: 'nonsense' }), TypeError);
});
