/** The kernel's tables through rtnetlink, in network namespaces of their own; what it has is read with iproute2. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../daemon/clock.js';
import type { KernelRoute } from '../../dataplane/dataplane.js';
import { native } from '../../dataplane/native/index.js';
import { NetlinkClient } from '../../dataplane/netlink/client.js';
import { NetlinkError } from '../../dataplane/netlink/error.js';
import { ROUTE_PROTOCOL } from '../../dataplane/netlink/kernel-route.js';
import { ADDRESS_GENERATION } from '../../dataplane/netlink/link.js';
import { LINK_GROUPS, LinkMonitor } from '../../dataplane/netlink/links.js';
import { probeRouting } from '../../dataplane/netlink/probe.js';
import { NEIGHBOUR_GROUPS, NeighbourResolver } from '../../dataplane/netlink/resolve.js';
import { KernelRouteTable, ROUTE_GROUPS } from '../../dataplane/netlink/route-table.js';
import { tableRule } from '../../dataplane/netlink/rule.js';
import { addRule, deleteRule, dumpRules } from '../../dataplane/netlink/rules.js';
import { openNetlinkSocket } from '../../dataplane/netlink/socket.js';
import { SysctlError, readSysctl, writeSysctl } from '../../dataplane/netlink/sysctl.js';
import { Prefix } from '../../dataplane/packet/ip.js';

const ROUTER = `native-router-${process.pid}`;
const PEER = `native-peer-${process.pid}`;
const inside = <T>(body: () => T): T => native.inNetworkNamespace(`/run/netns/${ROUTER}`, body);
const run = (namespace: string, command: string): string => execFileSync('ip', ['-n', namespace, ...command.split(' ')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });
const ip = (command: string): string => run(ROUTER, command);

interface ShownRoute {
  dst: string;
  type?: string;
  dev?: string;
  gateway?: string;
  protocol: string;
  metric?: number;
  encap?: string;
  mode?: string;
  segs?: string[];
  action?: string;
  nh6?: string;
  nh4?: string;
  table?: string;
  oif?: string;
  nexthops?: { dev: string; gateway: string; weight: number; flags: string[] }[];
}
/** Routes of a prefix in the router's kernel, of any protocol. */
const shown = (prefix: string, table = 'main', family = '-6'): ShownRoute[] => JSON.parse(ip(`${family} -j -d route show ${prefix} table ${table}`) || '[]') as ShownRoute[];

/** Waits until a condition holds, at most 10 s; fails with what it was last. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) assert.fail(`not within 10 s: ${what}`);
    await pause(10);
  }
}

interface Router {
  client: NetlinkClient;
  links: LinkMonitor;
  routes: KernelRouteTable;
  close(): void;
}

async function openRouter(): Promise<Router> {
  const [client, links, transport] = inside(() => {
    const requests = new NetlinkClient(openNetlinkSocket());
    return [requests, new LinkMonitor(requests, openNetlinkSocket(LINK_GROUPS), systemClock), openNetlinkSocket(ROUTE_GROUPS)] as const;
  });
  await links.start();
  const routes = new KernelRouteTable(client, transport, links, systemClock);
  await routes.start();
  return {
    client,
    links,
    routes,
    close: () => {
      routes.close();
      links.close();
      client.close();
    },
  };
}

let router: Router;

before(() => {
  for (const namespace of [ROUTER, PEER]) execFileSync('ip', ['netns', 'add', namespace]);
  for (const command of ['link add core0 type veth peer name core1', 'link add west0 type veth peer name west1', `link set core1 netns ${PEER}`, 'link set lo up'] as const) ip(command);
});

/** Every test starts from the same interfaces without routes of ours. */
async function fresh(): Promise<Router> {
  for (const name of ['core0', 'west0', 'west1']) ip(`link set ${name} addrgenmode none up`);
  run(PEER, 'link set core1 addrgenmode none up');
  ip('-6 addr replace 2001:db8:1::1/64 dev core0 nodad');
  ip('-6 addr replace 2001:db8:2::1/64 dev west0 nodad');
  ip('-4 addr replace 192.0.2.1/24 dev core0');
  router = await openRouter();
  return router;
}

afterEach(async () => {
  await router.routes.removeAll();
  assert.equal(ip(`-6 route show table all proto ${ROUTE_PROTOCOL}`) + ip(`-4 route show table all proto ${ROUTE_PROTOCOL}`), '');
  router.close();
});

after(() => {
  for (const namespace of [ROUTER, PEER]) execFileSync('ip', ['netns', 'del', namespace]);
});

const core = { gateway: '2001:db8:1::2', interface: 'core0' };
const west = { gateway: '2001:db8:2::2', interface: 'west0' };
const unicast = (prefix: string, ...nextHops: { gateway?: string; interface: string; weight?: number }[]): KernelRoute => ({ prefix, target: { kind: 'unicast', nextHops } });

test('every kind of route is in the kernel when settled, as iproute2 shows it', async () => {
  const { routes } = await fresh();
  const sid = (prefix: string, behaviour: Extract<KernelRoute['target'], { kind: 'seg6local' }>['behaviour']): KernelRoute => ({
    prefix,
    target: { kind: 'seg6local', behaviour, interface: 'core0' },
  });
  const all: KernelRoute[] = [
    unicast('2001:db8:100::/48', core),
    { ...unicast('2001:db8:101::/48', { ...core, weight: 1 }, { ...west, weight: 3 }), metric: 20 },
    { ...unicast('2001:db8:102::/48', { interface: 'core0' }), table: 1000 },
    { prefix: '2001:db8:103::/48', target: { kind: 'unreachable' } },
    { prefix: '2001:db8:104::/48', target: { kind: 'seg6', segments: ['fc00:2::1', 'fc00:3::1'], nextHops: [core] } },
    { prefix: '2001:db8:105::/48', target: { kind: 'seg6', segments: ['fc00:2::1'], nextHops: [core, west] } },
    { prefix: '203.0.113.0/24', target: { kind: 'unicast', nextHops: [{ gateway: '192.0.2.2', interface: 'core0' }] } },
    { prefix: '203.0.114.0/24', target: { kind: 'seg6', segments: ['fc00:2::1'], nextHops: [{ interface: 'core0' }] } },
    { prefix: '203.0.115.0/24', target: { kind: 'unreachable' } },
    { prefix: '203.0.116.0/24', target: { kind: 'unicast', nextHops: [core] } },
    sid('fc00:1::1/128', { kind: 'End' }),
    sid('fc00:1::2/128', { kind: 'End.X', nextHop: '2001:db8:1::2', interface: 'core0' }),
    sid('fc00:1::3/128', { kind: 'End.DX6', nextHop: '2001:db8:1::2', interface: 'core0' }),
    sid('fc00:1::4/128', { kind: 'End.DX4', nextHop: '192.0.2.2', interface: 'core0' }),
    sid('fc00:1::5/128', { kind: 'End.DT6', table: 254 }),
  ];
  for (const route of all) routes.set(route);
  await routes.settled();
  for (const { route, status } of routes.list()) assert.deepEqual(status, { installed: true }, route.prefix);
  assert.equal(routes.list().length, all.length);

  const one = (prefix: string, table?: string, family?: string): ShownRoute => {
    const [route, ...others] = shown(prefix, table, family);
    assert.ok(route && others.length === 0, prefix);
    assert.equal(route.protocol, String(ROUTE_PROTOCOL));
    return route;
  };
  assert.deepEqual([one('2001:db8:100::/48').gateway, one('2001:db8:100::/48').metric], ['2001:db8:1::2', 1024]);
  const multipath = one('2001:db8:101::/48');
  assert.equal(multipath.metric, 20);
  assert.deepEqual(multipath.nexthops?.map(({ gateway, dev, weight }) => `${gateway} ${dev} ${weight}`).sort(), ['2001:db8:1::2 core0 1', '2001:db8:2::2 west0 3']);
  assert.equal(one('2001:db8:102::/48', '1000').dev, 'core0');
  assert.equal(one('2001:db8:103::/48').type, 'unreachable');
  const seg6 = one('2001:db8:104::/48');
  assert.deepEqual([seg6.encap, seg6.mode, seg6.gateway], ['seg6', 'encap', '2001:db8:1::2']);
  assert.match(ip('-6 route show 2001:db8:104::/48'), /segs 2 \[ fc00:2::1 fc00:3::1 \]/);
  assert.equal(one('2001:db8:105::/48').nexthops?.length, 2);
  assert.equal((ip('-6 route show 2001:db8:105::/48').match(/segs 1 \[ fc00:2::1 \]/g) ?? []).length, 2);
  assert.equal(one('203.0.113.0/24', 'main', '-4').gateway, '192.0.2.2');
  assert.equal(one('203.0.114.0/24', 'main', '-4').encap, 'seg6');
  assert.equal(one('203.0.115.0/24', 'main', '-4').type, 'unreachable');
  assert.match(ip('-4 route show 203.0.116.0/24'), /via inet6 2001:db8:1::2 dev core0/);
  assert.deepEqual(
    ['fc00:1::1', 'fc00:1::2', 'fc00:1::3', 'fc00:1::4', 'fc00:1::5'].map((address) => {
      const { action, nh6 = '', nh4 = '', dev } = one(`${address}/128`);
      return `${action ?? ''} ${nh6}${nh4} ${dev ?? ''}`;
    }),
    ['End  core0', 'End.X 2001:db8:1::2 core0', 'End.DX6 2001:db8:1::2 core0', 'End.DX4 192.0.2.2 core0', 'End.DT6  core0'],
  );

  // A second router on the same kernel finds them all as it wants them, and writes none again.
  const events: number[] = [];
  const watcher = inside(() => openNetlinkSocket(ROUTE_GROUPS));
  router.close();
  router = await openRouter();
  for (const route of all) router.routes.set(route);
  await router.routes.settled();
  assert.ok(router.routes.list().every(({ status }) => status.installed));
  watcher.receive((datagram) => events.push(datagram.length), 1000);
  watcher.close();
  assert.deepEqual(events, []);
  assert.equal(await router.routes.sweepStale(), 0);
});

test('a route is replaced by another kind, and removed', async () => {
  const { routes } = await fresh();
  const prefix = '2001:db8:100::/48';
  routes.set(unicast(prefix, core));
  routes.set(unicast(prefix, core, west));
  await routes.settled();
  assert.equal(shown(prefix)[0]?.nexthops?.length, 2);
  routes.set({ prefix, target: { kind: 'seg6', segments: ['fc00:2::1'], nextHops: [core] } });
  await routes.settled();
  assert.deepEqual(shown(prefix).map(({ encap, nexthops }) => [encap, nexthops]), [['seg6', undefined]]);
  routes.set({ prefix, target: { kind: 'unreachable' } });
  await routes.settled();
  assert.deepEqual(shown(prefix).map(({ type }) => type), ['unreachable']);
  routes.set(unicast(prefix, west));
  await routes.settled();
  assert.deepEqual(shown(prefix).map(({ gateway }) => gateway), [west.gateway]);
  routes.remove(prefix);
  routes.set(unicast(prefix, core));
  routes.remove(prefix);
  await routes.settled();
  assert.deepEqual(shown(prefix), []);
  assert.equal(routes.status(prefix), undefined);
  assert.deepEqual(routes.list(), []);
});

test('a route deleted or changed behind our back comes back as it was', async () => {
  const { routes } = await fresh();
  const prefix = '2001:db8:100::/48';
  routes.set(unicast(prefix, core));
  routes.set(unicast('2001:db8:101::/48', core, west));
  await routes.settled();
  ip(`-6 route del ${prefix}`);
  await until('the deleted route is back', () => shown(prefix).length === 1 && routes.status(prefix)?.installed === true);
  ip(`-6 route replace ${prefix} via ${west.gateway} dev west0 metric 1024 proto ${ROUTE_PROTOCOL}`);
  await until('the changed route is back', () => shown(prefix)[0]?.gateway === core.gateway && routes.status(prefix)?.installed === true);
  ip(`-6 route del 2001:db8:101::/48 via ${west.gateway} dev west0 metric 1024`);
  await until('the lost next hop is back', () => shown('2001:db8:101::/48')[0]?.nexthops?.length === 2);
});

test('a route over an interface that goes down says so, and comes back with the interface and its address', async () => {
  const { routes, links } = await fresh();
  const prefix = '2001:db8:100::/48';
  await links.setAddresses('core0', ['2001:db8:1::1/64']);
  routes.set(unicast(prefix, core));
  routes.set(unicast('2001:db8:101::/48', core, west));
  routes.set({ prefix: 'fc00:1::1/128', target: { kind: 'seg6local', behaviour: { kind: 'End' }, interface: 'core0' } });
  routes.set({ prefix: '203.0.113.0/24', target: { kind: 'unicast', nextHops: [{ interface: 'core0' }] } });
  await routes.settled();
  ip('link set core0 down');
  await until('the status tells', () => routes.status(prefix)?.error === 'interface core0 is down');
  await until('the multipath route goes on over the other interface', () => shown('2001:db8:101::/48')[0]?.gateway === west.gateway);
  assert.deepEqual(routes.status('2001:db8:101::/48'), { installed: true });
  assert.deepEqual(routes.status('203.0.113.0/24'), { installed: false, error: 'interface core0 is down' });
  ip('link set core0 up');
  await until('all are back', () => routes.list().every(({ status }) => status.installed) && shown('2001:db8:101::/48')[0]?.nexthops?.length === 2);
  assert.equal(shown(prefix)[0]?.gateway, core.gateway);
  assert.equal(shown('fc00:1::1/128')[0]?.action, 'End');
  assert.equal(shown('203.0.113.0/24', 'main', '-4').length, 1);

  // Down and up faster than anybody looks: IPv4 routes go without a notification.
  execFileSync('ip', ['-n', ROUTER, '-batch', '-'], { input: 'link set core0 down\nlink set core0 up\n' });
  await until('the IPv4 route is back', () => shown('203.0.113.0/24', 'main', '-4').length === 1);
});

test('a route waits for its interface to appear', async () => {
  const { routes } = await fresh();
  routes.set(unicast('2001:db8:100::/48', { interface: 'late0' }));
  await routes.settled();
  assert.deepEqual(routes.status('2001:db8:100::/48'), { installed: false, error: 'no interface late0' });
  ip('link add late0 type veth peer name late1');
  ip('link set late0 up');
  await until('the route is there', () => routes.status('2001:db8:100::/48')?.installed === true);
  ip('link del late0');
  await until('its loss is told', () => routes.status('2001:db8:100::/48')?.error === 'no interface late0');
});

test("another protocol's route is left alone, and ours follows when it goes", async () => {
  const { routes } = await fresh();
  for (const [prefix, family, gateway] of [
    ['2001:db8:100::/48', '-6', core.gateway],
    ['203.0.113.0/24', '-4', '192.0.2.2'],
  ] as const) {
    ip(`${family} route add ${prefix} via ${gateway} dev core0 metric 1024 proto bgp`);
    routes.set({ prefix, target: { kind: 'unreachable' } });
    await routes.settled();
    const { installed, error = '' } = routes.status(prefix)!;
    assert.equal(installed, false);
    assert.match(error, /protocol bgp .* is in the way/);
    assert.deepEqual(shown(prefix, 'main', family).map(({ protocol }) => protocol), ['bgp']);
    ip(`${family} route del ${prefix} via ${gateway} dev core0 metric 1024 proto bgp`);
    await until('ours is in', () => routes.status(prefix)?.installed === true);
    assert.deepEqual(shown(prefix, 'main', family).map(({ type }) => type), ['unreachable']);
  }
  // Another metric is another key: both are there, and removing ours leaves the other.
  ip(`-6 route add 2001:db8:200::/48 via ${core.gateway} dev core0 metric 20 proto bgp`);
  routes.set(unicast('2001:db8:200::/48', west));
  await routes.settled();
  assert.equal(shown('2001:db8:200::/48').length, 2);
  routes.remove('2001:db8:200::/48');
  await routes.settled();
  assert.deepEqual(shown('2001:db8:200::/48').map(({ protocol }) => protocol), ['bgp']);
  ip('-6 route del 2001:db8:200::/48');

  // Somebody replaces ours by force: that is their route now.
  routes.set(unicast('2001:db8:201::/48', core));
  await routes.settled();
  ip(`-6 route replace 2001:db8:201::/48 via ${west.gateway} dev west0 metric 1024 proto bgp`);
  await until('the loss is told', () => routes.status('2001:db8:201::/48')?.error?.includes('protocol bgp') === true);
  ip('-6 route del 2001:db8:201::/48 proto bgp');
  await until('ours is back', () => shown('2001:db8:201::/48')[0]?.gateway === core.gateway);
});

test("a route the kernel refuses shows the kernel's own text, and is tried again when an address appears", async () => {
  const { routes } = await fresh();
  routes.set(unicast('203.0.113.0/24', { gateway: '198.51.100.1', interface: 'core0' }));
  routes.set({ prefix: 'fc00:1::1/128', target: { kind: 'seg6local', behaviour: { kind: 'End' }, interface: 'lo' } });
  routes.set({ prefix: 'fc00:1::2/128', target: { kind: 'seg6local', behaviour: { kind: 'End.X', nextHop: 'fe80::2', interface: 'west0' }, interface: 'core0' } });
  await routes.settled();
  const { error = '' } = routes.status('203.0.113.0/24')!;
  assert.match(error, /^route 203\.0\.113\.0\/24 via 198\.51\.100\.1 dev core0: Nexthop has invalid gateway \(ENETUNREACH\)$/);
  assert.match(routes.status('fc00:1::1/128')?.error ?? '', /not the loopback/);
  ip('-4 addr add 198.51.100.2/24 dev core0');
  await until('the gateway is reachable', () => routes.status('203.0.113.0/24')?.installed === true);
  ip('-4 addr del 198.51.100.2/24 dev core0');
});

test('routes of an earlier run stay until they are swept', async () => {
  const { routes } = await fresh();
  for (const i of [1, 2, 3, 4]) routes.set(unicast(`2001:db8:10${i}::/48`, core));
  routes.set(unicast('2001:db8:105::/48', core, west));
  routes.set({ prefix: '203.0.113.0/24', target: { kind: 'unreachable' } });
  await routes.settled();
  router.close();
  router = await openRouter();
  const { routes: again } = router;
  again.set(unicast('2001:db8:101::/48', core));
  again.set(unicast('2001:db8:102::/48', west));
  await again.settled();
  assert.equal(shown('2001:db8:102::/48')[0]?.gateway, west.gateway);
  assert.equal(shown('2001:db8:103::/48').length, 1);
  ip('-6 route del 2001:db8:104::/48'); // no longer there to be swept
  await until('the deletion is seen', () => shown('2001:db8:104::/48').length === 0);
  await pause(0);
  assert.equal(await again.sweepStale(), 3);
  for (const prefix of ['2001:db8:103::/48', '2001:db8:105::/48']) assert.deepEqual(shown(prefix), []);
  assert.equal(shown('203.0.113.0/24', 'main', '-4').length, 0);
  assert.equal(shown('2001:db8:101::/48').length, 1);
});

test('a lookup tells prefix, interface, gateway and MTU of the way to an address', async () => {
  const { routes } = await fresh();
  routes.set(unicast('2001:db8:100::/48', core));
  routes.set({ prefix: '2001:db8:101::/48', target: { kind: 'unreachable' } });
  routes.set(unicast('::/0', west));
  await routes.settled();
  assert.deepEqual(await routes.lookup('2001:db8:100::5'), { prefix: '2001:db8:100::/48', isDefault: false, interface: 'core0', gateway: core.gateway, mtu: 1500, local: false });
  assert.deepEqual(await routes.lookup('2001:db8:1::5'), { prefix: '2001:db8:1::/64', isDefault: false, interface: 'core0', mtu: 1500, local: false });
  assert.deepEqual(await routes.lookup('2001:db8:ffff::5'), { prefix: '::/0', isDefault: true, interface: 'west0', gateway: west.gateway, mtu: 1500, local: false });
  assert.deepEqual(await routes.lookup('192.0.2.77'), { prefix: '192.0.2.0/24', isDefault: false, interface: 'core0', mtu: 1500, local: false });
  const own = await routes.lookup('2001:db8:1::1');
  assert.equal(own?.local, true);
  assert.equal(await routes.lookup('2001:db8:101::1'), undefined);
  assert.equal(await routes.lookup('198.51.100.1'), undefined);
});

test('addresses are added once, told, taken back, and come back when they vanish', async () => {
  const { links } = await fresh();
  ip('-6 addr add 2001:db8:ffff::9/128 dev lo');
  await links.setAddresses('lo', ['2001:db8:ffff::1/128', '2001:DB8:ffff:0::2', '192.0.2.9/32']);
  await links.setAddresses('lo', ['2001:db8:ffff::1/128', '2001:db8:ffff::2', '192.0.2.9/32']);
  const has = (...addresses: string[]) => () => addresses.every((address) => links.find('lo')?.addresses.includes(address));
  await until('the monitor knows them', has('2001:db8:ffff::1/128', '2001:db8:ffff::2/128', '192.0.2.9/32', '2001:db8:ffff::9/128', '::1/128'));
  ip('-6 addr del 2001:db8:ffff::1/128 dev lo');
  await until('the loss is seen', () => !has('2001:db8:ffff::1/128')());
  await until('it is back', has('2001:db8:ffff::1/128'));
  await links.setAddresses('lo', ['2001:db8:ffff::1/128']);
  await until('what is not declared any more is gone', () => !has('2001:db8:ffff::2/128')() && !has('192.0.2.9/32')());
  assert.ok(has('2001:db8:ffff::9/128', '2001:db8:ffff::1/128')());
  await assert.rejects(links.setAddresses('lo', ['nonsense']), TypeError);

  // A later run knows by the protocol number which address is ours.
  router.close();
  router = await openRouter();
  await router.links.removeAddresses();
  assert.match(ip('-6 addr show dev lo'), /2001:db8:ffff::9/);
  assert.doesNotMatch(ip('-6 addr show dev lo'), /2001:db8:ffff::1/);
  ip('-6 addr del 2001:db8:ffff::9/128 dev lo');
});

test('addresses of an interface that is not there yet wait for it', async () => {
  const { links } = await fresh();
  await links.setAddresses('later0', ['2001:db8:77::1/64']);
  ip('link add later0 type veth peer name later1');
  ip('link set later0 up');
  ip('link set later1 up');
  await until('it has its address', () => links.find('later0')?.addresses.includes('2001:db8:77::1/64') === true);
  ip('link del later0');
  await until('it is gone', () => links.find('later0') === undefined);
  await assert.rejects(links.change('later0', { up: true }), /interface later0: no such interface \(ENODEV\)/);
});

test('interfaces are listed with their state, changed, and told of', async () => {
  const { links } = await fresh();
  const west0 = links.find('west0')!;
  assert.deepEqual([west0.up, west0.enabled, west0.loopback, west0.kind, west0.mtu], [true, true, false, 'veth', 1500]);
  assert.deepEqual(links.links().map(({ name }) => name).sort(), ['core0', 'lo', 'west0', 'west1']);
  let told = 0;
  const stop = links.onChange(() => told++);
  await links.change('west0', { mtu: 1400 });
  await until('the MTU is known', () => links.find('west0')?.mtu === 1400);
  await links.change('west1', { up: false });
  await until('the carrier is gone', () => links.find('west0')?.up === false && links.find('west0')?.enabled === true);
  await links.change('west1', { up: true, addressGeneration: ADDRESS_GENERATION.none });
  await until('the carrier is back', () => links.find('west0')?.up === true);
  assert.ok(told >= 3);
  stop();
  await links.change('west0', { mtu: 1500 });
  await assert.rejects(links.change('west0', { mtu: 1 }), (error: NetlinkError) => error.code === 'EINVAL' && error.message.startsWith('change of interface west0: '));
});

test('rules are added, dumped and deleted', async () => {
  const { client } = await fresh();
  const rule = tableRule({ family: 6, table: 1000, priority: 900, source: Prefix.from('2001:db8:9::/48'), mark: 0x10, markMask: 0xff, inputInterface: 'core0', protocol: ROUTE_PROTOCOL });
  await addRule(client, rule);
  assert.deepEqual((await dumpRules(client, 6)).find(({ priority }) => priority === 900), rule);
  assert.match(ip('-6 rule show'), /900:\tfrom 2001:db8:9::\/48 fwmark 0x10\/0xff iif core0 lookup 1000/);
  await assert.rejects(addRule(client, rule), /^NetlinkError: IPv6 rule 900 to table 1000: .*\(EEXIST\)$/);
  await deleteRule(client, rule);
  assert.equal((await dumpRules(client, 6)).find(({ priority }) => priority === 900), undefined);
  await assert.rejects(deleteRule(client, rule), (error: NetlinkError) => error.code === 'ENOENT');
});

test('a neighbour that is there resolves, and one that is not does not', async () => {
  const { client, links } = await fresh();
  run(PEER, '-6 addr replace 2001:db8:1::2/64 dev core1 nodad');
  ip('-6 addr add fe80::1/64 dev core0 nodad');
  const resolver = inside(() => new NeighbourResolver(client, openNetlinkSocket(NEIGHBOUR_GROUPS), systemClock));
  const { index } = links.find('core0')!;
  const [{ address }] = JSON.parse(run(PEER, '-j link show core1')) as [{ address: string }];
  const found = await resolver.resolve(index, '2001:db8:1::2', 10_000);
  assert.equal(Buffer.from(found ?? []).toString('hex'), address.replaceAll(':', ''));
  assert.deepEqual(await resolver.resolve(index, '2001:DB8:1::2'), found);
  assert.equal(await resolver.resolve(index, '2001:db8:1::dead', 10_000), undefined);
  await resolver.set(index, '2001:db8:1::3', Uint8Array.of(2, 0, 0, 0, 0, 9));
  assert.match(ip('-6 neigh show'), /2001:db8:1::3 dev core0 lladdr 02:00:00:00:00:09 PERMANENT/);
  await resolver.delete(index, '2001:db8:1::3');
  assert.doesNotMatch(ip('-6 neigh show'), /2001:db8:1::3/);
  resolver.close();
});

test('kernel parameters are read and written in the namespace, with clear errors', async () => {
  await fresh();
  inside(() => {
    assert.equal(readSysctl('net', 'ipv6', 'conf', 'core0', 'seg6_enabled'), '0');
    assert.equal(writeSysctl(1, 'net', 'ipv6', 'conf', 'core0', 'seg6_enabled'), true);
    assert.equal(writeSysctl(1, 'net', 'ipv6', 'conf', 'core0', 'seg6_enabled'), false);
    assert.equal(readSysctl('net', 'ipv6', 'conf', 'core0', 'seg6_enabled'), '1');
    assert.throws(() => readSysctl('net', 'ipv6', 'no_such_thing'), (error) => error instanceof SysctlError && error.message === 'cannot read net.ipv6.no_such_thing: this kernel does not have it');
    assert.throws(() => writeSysctl('text', 'net', 'ipv6', 'conf', 'core0', 'forwarding'), /cannot set to text net\.ipv6\.conf\.core0\.forwarding: the kernel refuses the value/);
    assert.throws(() => readSysctl('net', '..', 'kernel'), TypeError);
  });
});

test('probing leaves nothing behind and finds SRv6', async () => {
  const { client } = await fresh();
  const capabilities = await probeRouting(client);
  assert.equal(capabilities.seg6, true);
  assert.equal(capabilities.seg6local, true);
  assert.equal(capabilities.notes.length, capabilities.vrf ? 0 : 1);
  assert.doesNotMatch(ip('-6 route show table all') + ip('link show'), /6370:6e70|cpn-probe/);
});

test('20,000 routes are written, every one acknowledged, while others keep changing the table', async () => {
  const { routes } = await fresh();
  const prefix = (i: number): string => `2001:db8:${(0x1000 + (i >> 8)).toString(16)}:${(i & 0xff).toString(16)}::/64`;
  const count = (): number => ip(`-6 route show proto ${ROUTE_PROTOCOL}`).trim().split('\n').length;
  for (let i = 0; i < 20_000; i++) routes.set({ prefix: prefix(i), target: { kind: 'seg6', segments: ['fc00:2::1', 'fc00:3::1'], nextHops: [core] } });
  await routes.settled();
  assert.deepEqual(routes.list().filter(({ status }) => !status.installed).slice(0, 3), []);
  assert.equal(count(), 20_000);

  // All gone at once: 20,000 notifications, which may well overrun the socket.
  ip(`-6 route flush proto ${ROUTE_PROTOCOL}`);
  await until('all are back', () => routes.list().every(({ status }) => status.installed) && count() === 20_000);
});
