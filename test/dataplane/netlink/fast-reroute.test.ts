/** Routes with backups against a kernel in memory: next hop objects that are switched, and the routes behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../daemon/clock.js';
import { Adjacencies, isProtected } from '../../../dataplane/adjacencies.js';
import type { KernelRoute, NextHop, RouteBackup } from '../../../dataplane/dataplane.js';
import { NetlinkClient } from '../../../dataplane/netlink/client.js';
import { LinkMonitor } from '../../../dataplane/netlink/links.js';
import { KernelRouteTable } from '../../../dataplane/netlink/route-table.js';
import { FakeKernel, overrun } from './fake-kernel.js';

interface Bench {
  readonly kernel: FakeKernel;
  readonly clock: ManualClock;
  readonly routes: KernelRouteTable;
}

async function open(kernel = fresh()): Promise<Bench> {
  const clock = new ManualClock();
  const client = new NetlinkClient(kernel.requests);
  const links = new LinkMonitor(client, kernel.linkEvents, clock);
  await links.start();
  const routes = new KernelRouteTable(client, kernel.routeEvents, links, clock);
  await routes.start();
  return { kernel, clock, routes };
}

function fresh(): FakeKernel {
  const kernel = new FakeKernel();
  for (const [index, name] of [[2, 'a'], [3, 'b'], [4, 'c']] as const) kernel.addLink(index, name);
  return kernel;
}

async function turn(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
}

const hop = (name: string, gateway = `fe80::${name}`): NextHop => ({ gateway, interface: name });
const lfa = (name: string, ...protects: string[]): RouteBackup => ({ protects, nextHop: hop(name), segments: [] });
const SIDS = ['fcbb:bb00:3:100::', 'fcbb:bb00:4:2::'];
const repair: RouteBackup = { ...lfa('b', 'a'), segments: SIDS };
const prefix = (i: number): string => `2001:db8:${(i + 1).toString(16)}::/48`;
const route = (i: number, nextHops: readonly NextHop[], ...backups: RouteBackup[]): KernelRoute => ({ prefix: prefix(i), target: { kind: 'unicast', nextHops, backups } });
const A = 'fe80::a%2';
const B = 'fe80::b%3';
const C = 'fe80::c%4';
const REPAIR = `${B} by ${SIDS.join(',')}`;
const groups = (kernel: FakeKernel): number => [...kernel.nextHops.values()].filter(({ group }) => group).length;

test('many routes of one next hop and backup share an object, and one write switches all of them', async () => {
  const { kernel, routes } = await open();
  for (let i = 0; i < 1000; i++) routes.set(route(i, [hop('a')], repair));
  await routes.settled();
  assert.equal(kernel.routes.size, 2000, 'each with the route behind it');
  assert.equal(kernel.nextHops.size, 2);
  assert.deepEqual(kernel.forwards(prefix(7)), [A]);
  assert.deepEqual(routes.status(prefix(7)), { installed: true, backup: { installed: true, active: false } });
  assert.equal(routes.list().length, 1000);
  const before = [kernel.writes, kernel.nextHopWrites];
  assert.equal(routes.failAdjacency('a', 'fe80::99'), 0, 'somebody else on that link');
  assert.equal(routes.failAdjacency('a', 'fe80::a'), 1000);
  // Nothing else has run meanwhile: the write does not wait for the event loop.
  for (let i = 0; i < 1000; i++) assert.deepEqual(kernel.forwards(prefix(i)), [REPAIR]);
  assert.equal(routes.failAdjacency('a', 'fe80::a'), 0);
  await turn();
  assert.deepEqual([kernel.writes, kernel.nextHopWrites], [before[0], before[1]! + 1]);
  assert.equal(routes.status(prefix(7))?.backup?.active, true);
  routes.restoreAdjacency('a', 'fe80::a');
  await routes.settled();
  for (let i = 0; i < 1000; i++) assert.deepEqual(kernel.forwards(prefix(i)), [A]);
  assert.equal(kernel.writes, before[0]);
});

test('a switch overtakes thousands of routes that wait to be written, and those take the backup too', async () => {
  const { kernel, routes } = await open();
  routes.set(route(0, [hop('a')], repair));
  await routes.settled();
  for (let i = 1; i < 5000; i++) routes.set(route(i, [hop('a')], repair));
  routes.failAdjacency('a');
  assert.deepEqual(kernel.forwards(prefix(0)), [REPAIR]);
  assert.equal(kernel.routes.size, 2, 'the others are still queued');
  await routes.settled();
  assert.deepEqual(kernel.forwards(prefix(4999)), [REPAIR]);
  assert.equal(kernel.nextHops.size, 2);
});

test('several next hops lose the one that failed and keep the others; the backup is taken when none is left', async () => {
  const { kernel, routes } = await open();
  routes.set(route(0, [{ ...hop('a'), weight: 3 }, hop('c')], lfa('b', 'a', 'c')));
  routes.set(route(1, [hop('a'), hop('c')]));
  await routes.settled();
  assert.deepEqual(kernel.forwards(prefix(0)), [A, C]);
  const group = [...kernel.nextHops.values()].find((message) => message.group?.some(({ weight }) => weight === 3));
  assert.deepEqual(group?.group?.map(({ weight }) => weight), [3, 1]);
  routes.failAdjacency('a');
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[C], [C]]);
  routes.failAdjacency('c', 'fe80::c');
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[B], [A, C]], 'the second is left as it was declared: nothing better is known');
  routes.restoreAdjacency('a');
  await routes.settled();
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[A], [A]]);
});

test('a lost carrier takes objects and routes along: the routes behind forward, nothing is written, and it all comes back', async () => {
  const { kernel, clock, routes } = await open();
  for (let i = 0; i < 100; i++) routes.set(route(i, [hop('a')], repair));
  routes.set(route(100, [hop('a'), hop('c')], lfa('b', 'a')));
  await routes.settled();
  const { writes } = kernel;
  kernel.setCarrier(2, false);
  assert.deepEqual([kernel.forwards(prefix(5)), kernel.forwards(prefix(100))], [[REPAIR], [C]]);
  await turn();
  clock.advance(1000);
  await turn();
  assert.equal(kernel.writes, writes);
  assert.deepEqual(routes.status(prefix(5)), { installed: true, backup: { installed: true, active: true } });
  assert.equal(routes.failAdjacency('a'), 0, 'the kernel was faster');
  routes.restoreAdjacency('a');
  kernel.setCarrier(2, true);
  await turn();
  await routes.settled();
  assert.deepEqual([kernel.forwards(prefix(5)), kernel.forwards(prefix(100))], [[A], [A, C]]);
  assert.equal(kernel.routes.size, 202);
});

test('a carrier that was lost and is back before anybody looked has taken objects along all the same', async () => {
  const { kernel, clock, routes } = await open();
  routes.set(route(0, [hop('a')], repair));
  routes.set(route(1, [hop('a'), hop('c')], lfa('b', 'a')));
  await routes.settled();
  kernel.setCarrier(2, false);
  kernel.setCarrier(2, true);
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[REPAIR], [C]]);
  await turn();
  clock.advance(100);
  await turn();
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[A], [A, C]]);
});

test('what is declared after a failure replaces the state; the route behind follows only when the first is in', async () => {
  const { kernel, clock, routes } = await open();
  routes.set(route(0, [hop('a')], repair));
  routes.set(route(1, [hop('a')], repair));
  await routes.settled();
  kernel.setCarrier(2, false);
  await turn();
  const seen: string[] = [];
  const record = (): void => void seen.push(kernel.forwards(prefix(0)).join());
  kernel.onWrite = record;
  routes.set(route(0, [hop('b')], lfa('c', 'b')));
  routes.set({ prefix: prefix(1), target: { kind: 'unicast', nextHops: [hop('b')] } });
  await routes.settled();
  await turn();
  assert.deepEqual(kernel.forwards(prefix(0)), [B]);
  assert.deepEqual([...new Set(seen)], [REPAIR, B], 'the repair, then the new way: never nothing, never the new backup');
  assert.deepEqual(kernel.forwards(prefix(1)), [B]);
  assert.deepEqual([...kernel.routes.keys()].sort(), [`${prefix(0)} 254 1024`, `${prefix(0)} 254 1025`, `${prefix(1)} 254 1024`]);
  clock.advance(2000);
  await turn();
  assert.equal(kernel.nextHops.size, 2, 'objects without routes are deleted after a while');
});

test('a route declared while its next hop has failed forwards by the backup at once', async () => {
  const { kernel, routes } = await open();
  routes.failAdjacency('a', 'fe80::a');
  kernel.setCarrier(4, false);
  await turn();
  routes.set(route(0, [hop('a')], repair));
  routes.set(route(1, [hop('c')], lfa('b', 'c')));
  await routes.settled();
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[REPAIR], [B]]);
  assert.deepEqual(routes.status(prefix(1)), { installed: true, backup: { installed: true, active: true } });
  routes.restoreAdjacency('a', 'fe80::a');
  kernel.setCarrier(4, true);
  await turn();
  await routes.settled();
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(1))], [[A], [C]]);
});

test('objects and routes of an earlier run are adopted as they are, and swept when nobody wants them', async () => {
  const first = await open();
  for (let i = 0; i < 10; i++) first.routes.set(route(i, [hop('a')], repair));
  first.routes.set(route(10, [hop('a'), hop('c')], lfa('b', 'a')));
  first.routes.set(route(11, [hop('c')], lfa('b', 'c')));
  await first.routes.settled();
  const { kernel } = first;
  const before = [kernel.writes, kernel.nextHopWrites];
  first.routes.close();

  const { routes } = await open(kernel);
  for (let i = 0; i < 10; i++) routes.set(route(i, [hop('a')], repair));
  routes.set(route(10, [hop('a'), hop('c')], lfa('b', 'a')));
  await routes.settled();
  assert.deepEqual([kernel.writes, kernel.nextHopWrites], before);
  assert.equal(routes.staleCount(), 2);
  assert.equal(await routes.sweepStale(), 2);
  assert.deepEqual([kernel.routes.size, groups(kernel)], [22, 1]);
  assert.equal(routes.failAdjacency('a'), 11);
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(10))], [[REPAIR], [C]]);
  await routes.removeAll();
  assert.deepEqual([kernel.routes.size, kernel.nextHops.size], [0, 0]);
});

test('objects of others are left alone, also those with an identifier of ours', async () => {
  const kernel = fresh();
  const others = [1, 0x6370_0000].map((id) => ({ id, family: 6, protocol: 11, flags: 0, interfaceIndex: 2, gateway: 'fe80::a' }) as const);
  for (const message of others) kernel.nextHops.set(message.id, message);
  const { routes } = await open(kernel);
  routes.set(route(0, [hop('a')], repair));
  await routes.settled();
  assert.equal(kernel.nextHops.size, 4);
  await routes.removeAll();
  assert.deepEqual([...kernel.nextHops.values()], others);
});

test('what others delete comes back: a route, an object with its routes, and both after lost notifications', async () => {
  const { kernel, clock, routes } = await open();
  for (let i = 0; i < 5; i++) routes.set(route(i, [hop('a')], repair));
  await routes.settled();
  const intact = (): void => {
    for (let i = 0; i < 5; i++) assert.deepEqual([kernel.forwards(prefix(i)), routes.status(prefix(i))], [[A], { installed: true, backup: { installed: true, active: false } }]);
    assert.deepEqual([kernel.routes.size, kernel.nextHops.size], [10, 2]);
  };
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await turn();
      clock.advance(20);
    }
  };
  intact();
  const id = (): number => kernel.routes.get(`${prefix(0)} 254 1024`)!.nextHopId!;
  kernel.deleteRoute(`${prefix(0)} 254 1024`);
  await settle();
  intact();
  clock.advance(100_000);
  kernel.deleteNextHop(id());
  await settle();
  intact();
  kernel.nextHops.clear();
  kernel.routes.clear();
  kernel.routeEvents.push(overrun());
  clock.advance(100_000);
  await settle();
  intact();
});

test('a backup that would encapsulate its own packets again is not taken', async () => {
  const { kernel, routes } = await open();
  routes.set({ prefix: 'fcbb:bb00:3::/48', target: { kind: 'unicast', nextHops: [hop('a')], backups: [repair, lfa('c', 'a')] } });
  await routes.settled();
  routes.failAdjacency('a');
  assert.deepEqual(kernel.forwards('fcbb:bb00:3::/48'), [C]);
});

test('whatever fails, comes back and is declared in between, the kernel ends with what is declared and survives', async () => {
  const names = ['a', 'b', 'c'] as const;
  const backups = [[], [lfa('b', 'a', 'c')], [repair, lfa('c', 'a', 'b')], [lfa('a', 'b', 'c')]];
  const target = fc.record({ hops: fc.subarray([...names], { minLength: 1 }), backups: fc.constantFrom(...backups), at: fc.nat(3) });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), target }),
    fc.record({ kind: fc.constant('remove' as const), at: fc.nat(3) }),
    fc.record({ kind: fc.constantFrom('fail' as const, 'restore' as const, 'lose' as const, 'carry' as const), name: fc.constantFrom(...names), gateway: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 50, 2000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, hasNextHops) => {
      const kernel = fresh();
      kernel.hasNextHops = hasNextHops;
      const { routes, clock } = await open(kernel);
      const declared = new Map<string, KernelRoute>();
      const failed = new Adjacencies();
      const dark = new Set<string>();
      for (const item of steps) {
        if (item.kind === 'set') {
          const next = route(item.target.at, item.target.hops.map((name) => hop(name)), ...item.target.backups.filter(({ nextHop }) => !item.target.hops.includes(nextHop.interface as 'a')));
          declared.set(next.prefix, next);
          routes.set(next);
        } else if (item.kind === 'remove') {
          declared.delete(prefix(item.at));
          routes.remove(prefix(item.at));
        } else if (item.kind === 'wait') {
          await turn();
          clock.advance(item.ms);
        } else if (item.kind === 'lose' || item.kind === 'carry') {
          if (item.kind === 'lose') dark.add(item.name);
          else dark.delete(item.name);
          kernel.setCarrier(names.indexOf(item.name) + 2, item.kind === 'carry');
        } else {
          const gateway = item.gateway ? `fe80::${item.name}` : undefined;
          failed[item.kind](item.name, gateway);
          if (item.kind === 'fail') routes.failAdjacency(item.name, gateway);
          else routes.restoreAdjacency(item.name, gateway);
        }
      }
      for (let i = 0; i < 8; i++) {
        await turn();
        clock.advance(10_000);
      }
      await routes.settled();
      for (let i = 0; i < 4; i++) {
        const wanted = declared.get(prefix(i))?.target;
        const text = (backup: RouteBackup): string => `${backup.nextHop.gateway!}%${names.indexOf(backup.nextHop.interface as 'a') + 2}${backup.segments.length > 0 ? ` by ${backup.segments.join(',')}` : ''}`;
        const plain = (hops: readonly NextHop[]): string[] => hops.map((nextHop) => text({ protects: [], nextHop, segments: [] })).sort();
        if (!wanted || wanted.kind !== 'unicast') {
          assert.deepEqual(kernel.forwards(prefix(i)), []);
          continue;
        }
        const now = isProtected(wanted) ? failed.forwarding(wanted, (name) => hasNextHops && dark.has(name)) : { nextHops: wanted.nextHops };
        const expected = 'nextHops' in now ? plain(now.nextHops) : [text(now.backup)];
        const isDead = 'nextHops' in now && now.nextHops.some((nextHop) => dark.has(nextHop.interface));
        // Where nothing survives there is nothing to compare.
        if (hasNextHops ? !isDead : true) assert.deepEqual(kernel.forwards(prefix(i)), expected, JSON.stringify(routes.status(prefix(i))));
      }
      for (const { prefix: left } of declared.values()) routes.remove(left);
      await routes.settled();
      clock.advance(2000);
      await turn();
      clock.advance(2000);
      await turn();
      assert.deepEqual([kernel.routes.size, kernel.nextHops.size], [0, 0], 'nothing is left behind');
      routes.close();
    }),
    { numRuns: 150 },
  );
});

test('without next hop objects each route is written, and the route behind is there all the same', async () => {
  const kernel = fresh();
  kernel.hasNextHops = false;
  const { routes } = await open(kernel);
  assert.match(routes.lackOfObjects ?? '', /EOPNOTSUPP/);
  for (let i = 0; i < 10; i++) routes.set(route(i, [hop('a')], repair));
  routes.set(route(10, [hop('a'), hop('c')]));
  await routes.settled();
  assert.equal(kernel.routes.size, 21);
  const { writes } = kernel;
  assert.equal(routes.failAdjacency('a', 'fe80::a'), 11);
  await routes.settled();
  assert.equal(kernel.writes, writes + 11);
  for (let i = 0; i < 10; i++) assert.deepEqual(kernel.forwards(prefix(i)), [REPAIR]);
  assert.deepEqual(kernel.forwards(prefix(10)), [C]);
  routes.restoreAdjacency('a', 'fe80::a');
  await routes.settled();
  assert.deepEqual([kernel.forwards(prefix(0)), kernel.forwards(prefix(10))], [[A], [A, C]]);
  await routes.removeAll();
  assert.equal(kernel.routes.size, 0);
});
