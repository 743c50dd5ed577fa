/** Whole routers from outside: unicast routes between BGP, configuration and the kernel. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { LOOPBACK, Network, SERVICE } from './router-lab/scene.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

interface IpRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol: string;
  readonly nexthops?: readonly { readonly gateway: string; readonly dev: string; readonly weight: number }[];
}

/** The routes of the entry's kernel to exactly this prefix. */
async function kernel(prefix: string): Promise<readonly IpRoute[]> {
  return JSON.parse(await network.ip('entry', '-6', '-j', 'route', 'show', 'exact', prefix)) as IpRoute[];
}

const appears = (prefix: string, holds: (routes: readonly IpRoute[]) => boolean, what: string) =>
  waitFor(async () => holds(await kernel(prefix)), { timeoutMs: 10_000, what: `${prefix} ${what}`, intervalMs: 50 });

const routeOf = async (prefix: string) => (await network.router('entry').routes()).filter((route) => route.prefix === prefix);

/** Has the stock reflector announce prefixes of its own, without any attribute of ours. */
async function reflectorAnnounces(announce: boolean, ...prefixes: string[]): Promise<void> {
  const statements = prefixes.flatMap((prefix) => ['-c', `${announce ? '' : 'no '}network ${prefix}`]);
  await network.lab.node('rr').run(['vtysh', '-c', 'configure terminal', '-c', 'router bgp 65000', '-c', 'no bgp network import-check', '-c', 'address-family ipv6 unicast', ...statements]);
}

const NODE1 = '2001:db8:b:1::/64';
const NODE3 = '2001:db8:b:3::/64';

test('a route learned by BGP is in the kernel with protocol 210, by the link that its next hop resolves to', async () => {
  await appears(NODE1, ([route]) => route !== undefined, 'in the kernel');
  const [route, ...more] = await kernel(NODE1);
  assert.deepEqual(more, []);
  assert.deepEqual([route!.protocol, route!.gateway, route!.dev], ['210', '2001:db8:0:1::2', 'eth2']);
  const [shown] = await routeOf(NODE1);
  assert.deepEqual([shown!.source, shown!.best, shown!.installed, shown!.error], ['ibgp', true, true, undefined]);
  assert.deepEqual(shown!.nextHops.map(({ via, interface: name }) => [via, name]), [['2001:db8:0:1::2', 'eth2']]);
});

test('a route goes when its next hop no longer resolves, and comes back with it', async () => {
  const prefix = `${LOOPBACK.exit1}/128`;
  const statics = network.configurations.entry.static;
  const route = statics.find((entry) => entry.prefix === prefix)!;
  await network.reload('entry', (config) => (config.static = statics.filter((entry) => entry !== route)));
  await appears(NODE1, (routes) => routes.length === 0, 'out of the kernel');
  assert.deepEqual(await routeOf(NODE1), []);
  const [known] = await network.json<{ paths: { best: boolean; reason: string }[] }[]>('entry', 'show', 'bgp', 'routes', NODE1);
  assert.equal(known!.paths.some(({ best }) => best), false);
  assert.match(known!.paths[0]!.reason, /next hop/, 'BGP keeps it and says why it is not used');
  await network.reload('entry', (config) => (config.static = statics));
  await appears(NODE1, ([back]) => back?.gateway === '2001:db8:0:1::2', 'in the kernel again');
  await network.ready();
});

test('routes go with the session that brought them', async () => {
  await appears(NODE3, ([route]) => route?.dev === 'eth3', 'in the kernel');
  const cpnd = network.lab.node('exit3').daemon;
  await cpnd.stop('SIGTERM');
  await appears(NODE3, (routes) => routes.length === 0, 'out of the kernel');
  await cpnd.start();
  await appears(NODE3, ([route]) => route?.dev === 'eth3', 'in the kernel again');
});

test('static routes: unreachable, ECMP with weights, and the better distance', async () => {
  const [t1, exit3] = ['2001:db8:0:1::2', '2001:db8:0:2::2'];
  await network.reload('entry', (config) =>
    config.static.push(
      { prefix: '2001:db8:aa::/48', unreachable: true },
      { prefix: '2001:db8:bb::/48', nextHops: [{ via: t1 }, { via: exit3, weight: 3 }] },
      { prefix: '2001:db8:cc::/48', via: t1, distance: 20 },
      { prefix: '2001:db8:cc::/48', via: exit3, distance: 10 },
    ),
  );
  await appears('2001:db8:cc::/48', (routes) => routes.length === 1, 'in the kernel');
  const [nowhere] = await kernel('2001:db8:aa::/48');
  assert.deepEqual([nowhere!.type, nowhere!.protocol], ['unreachable', '210']);
  const several = (await kernel('2001:db8:bb::/48')).flatMap((route) => route.nexthops ?? []);
  assert.deepEqual(several.map(({ gateway, weight }) => [gateway, weight]).sort(), [[t1, 1], [exit3, 3]]);
  assert.equal((await kernel('2001:db8:cc::/48'))[0]!.gateway, exit3);

  await network.lab.fail('entry:eth3');
  await appears('2001:db8:cc::/48', ([route]) => route?.gateway === t1, 'by the other distance');
  await appears('2001:db8:bb::/48', ([route, ...more]) => more.length === 0 && route?.gateway === t1, 'by the next hop that is left');
  await network.lab.restore('entry:eth3');
  await appears('2001:db8:cc::/48', ([route]) => route?.gateway === exit3, 'by the better distance again');
  await appears('2001:db8:bb::/48', (routes) => routes.flatMap((route) => route.nexthops ?? []).length === 2, 'by both next hops again');
});

test('a route inside a service prefix never becomes a kernel route, whoever announces it', async () => {
  const inside = ['2001:db8:5e:1::/64', '2001:db8:5e::77/128'];
  await reflectorAnnounces(true, ...inside, '2001:db8:77::/48');
  // In one table with them, and after them.
  await appears('2001:db8:77::/48', ([route]) => route?.protocol === '210', 'in the kernel');
  const known = await network.json<{ prefix: string }[]>('entry', 'show', 'bgp', 'routes');
  for (const prefix of inside) assert.ok(known.some((route) => route.prefix === prefix), `BGP has ${prefix}`);
  const text = await network.ip('entry', '-6', 'route', 'show', 'table', 'all', 'root', '2001:db8:5e::/48');
  for (const line of text.trim().split('\n')) assert.match(line, /^(2001:db8:5e::\/48 dev cpn0 proto 210 metric 1024|unreachable 2001:db8:5e::\/48 dev lo proto 210 metric 65535)/);
  assert.deepEqual(await network.router('entry').candidates('2001:db8:5e::77'), [], 'no candidate without the attribute');
  assert.equal((await network.send(SERVICE.main)).answered, 1);
  await reflectorAnnounces(false, ...inside, '2001:db8:77::/48');
  await appears('2001:db8:77::/48', (routes) => routes.length === 0, 'out of the kernel');
});

test('a route of another daemon in the way is left alone and reported; when it goes, ours takes its place', async () => {
  const prefix = '2001:db8:f0::/48';
  await network.ip('entry', '-6', 'route', 'add', prefix, 'via', '2001:db8:0:2::2', 'metric', '1024', 'proto', 'ra');
  await reflectorAnnounces(true, prefix);
  const shown = await waitFor(async () => (await routeOf(prefix)).find(({ error }) => error?.includes('protocol')), { timeoutMs: 10_000, what: 'a report about the route', intervalMs: 50 });
  assert.equal(shown.installed, false);
  assert.match(shown.error!, /^a route of protocol .+ with the same prefix, table and metric is in the way$/);
  const routes = await kernel(prefix);
  assert.deepEqual(routes.map(({ protocol, gateway }) => [protocol, gateway]), [['ra', '2001:db8:0:2::2']]);
  const check = (await network.router('entry').doctor()).find(({ name }) => name === 'kernel-routes');
  assert.equal(check?.status, 'warn');
  assert.ok(check.detail.includes(prefix), check.detail);
  await network.ip('entry', '-6', 'route', 'del', prefix, 'proto', 'ra');
  await appears(prefix, ([route]) => route?.protocol === '210' && route.gateway === '2001:db8:0:1::2', 'ours');
  assert.equal((await routeOf(prefix))[0]!.installed, true);
});
