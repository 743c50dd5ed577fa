/** Whole routers from outside: crash, upgrade and stop of the daemon, and others who change what it programmed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { Network, SERVICE, sidOf } from './router-lab/scene.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

const entry = () => network.router('entry');
const cpnd = () => network.lab.node('entry').daemon;

/** The network of the clients, which the entry announces. */
const CLIENT_LINK = '2001:db8:c::/64';

const POLICY_FIELDS = (flow: { sourcePort: number; policy: number; exit: string }): unknown[] => [flow.sourcePort, flow.policy, flow.exit];
const policies = async (): Promise<unknown[]> => (await entry().flows()).filter(({ service }) => service === SERVICE.main).map(POLICY_FIELDS).sort();

/** Routes of ours in the entry's kernel, without what changes by itself. */
const ours = async (): Promise<string[]> => (await network.ours('entry')).split('\n').map((line) => line.replace(/ linkdown|expires \S+/g, '').trim()).filter((line) => line !== '').sort();

/** The paths of a prefix at the reflector (FRR): stale ones are those it keeps for a neighbour that restarts (RFC 4724 section 4.2). */
async function atReflector(prefix: string): Promise<{ stale: boolean }[]> {
  const { stdout } = await network.lab.node('rr').exec(['vtysh', '-c', `show bgp ipv6 unicast ${prefix} json`]);
  const { paths = [] } = JSON.parse(stdout) as { paths?: { stale?: boolean }[] };
  return paths.map(({ stale = false }) => ({ stale }));
}

for (const { signal, title } of [
  { signal: 'SIGKILL', title: 'a crash' },
  { signal: 'SIGUSR2', title: 'SIGUSR2' },
] as const) {
  test(`${title} under traffic loses nothing: pinned flows go on without the daemon and the next one adopts them`, async () => {
    const traffic = await network.steady(SERVICE.main, 20, 400);
    const long = await network.startClient(SERVICE.main, '--protocol', 'tcp', '--requests', '10000', '--interval-ms', '10');
    await waitFor(async () => (await entry().flows()).some(({ protocol, packets }) => protocol === 6 && packets > 5n), { timeoutMs: 5000, what: 'the TCP connection', intervalMs: 50 });
    const [pinned, routes] = [await policies(), await ours()];
    const exits = await traffic.pinned();

    await cpnd().stop(signal);
    assert.deepEqual(await ours(), routes, 'the routes stay');
    assert.deepEqual(await atReflector(CLIENT_LINK), [{ stale: true }], 'the reflector keeps what the router has announced');
    const logged = cpnd().log.length;
    await cpnd().start();
    await waitFor(() => cpnd().log.slice(logged).includes('"msg":"started"'), { timeoutMs: 10_000, what: 'the next daemon', intervalMs: 20 });
    assert.match(cpnd().log.slice(logged), /adopted what an earlier run left/);
    const adopted = await policies();
    for (const flow of pinned) assert.ok(adopted.some((other) => JSON.stringify(other) === JSON.stringify(flow)), `${JSON.stringify(flow)} kept its policy: ${JSON.stringify(adopted)}`);
    await network.ready();
    const fresh = await network.send(SERVICE.main, '--flows', '30');
    assert.equal(fresh.answered, 30);
    assert.deepEqual(await traffic.pinned(), exits);
    await traffic.flowing();
    long.kill('SIGINT');
    await long.exited;
    const tcp = JSON.parse(long.stdout) as { sent: number; answered: number; moved: number };
    const report = await traffic.stop();
    assert.deepEqual([report.lost, report.moved, tcp.sent - tcp.answered, tcp.moved], [0, 0, 0, 0]);
    await waitFor(async () => JSON.stringify(await ours()) === JSON.stringify(routes), { timeoutMs: 10_000, what: 'the same routes as before', intervalMs: 100 });
  });
}

test('an exit that crashes stays a candidate: its helper keeps its route until it has announced its instances again', async () => {
  const exit1 = network.lab.node('exit1').daemon;
  const route = `${SERVICE.one}/128`;
  assert.deepEqual(await atReflector(route), [{ stale: false }]);
  await exit1.stop('SIGKILL');
  assert.deepEqual(await atReflector(route), [{ stale: true }]);
  await exit1.start();
  let looks = 0;
  await waitFor(
    async () => {
      looks++;
      assert.equal((await entry().candidates(SERVICE.one)).length, 1, 'the entry has its candidate all the time');
      const paths = await atReflector(route);
      assert.equal(paths.length, 1, 'and so has the reflector');
      return paths.every(({ stale }) => !stale);
    },
    { timeoutMs: 15_000, what: 'the exit to have announced its instance again', intervalMs: 20 },
  );
  assert.ok(looks > 1, 'there was something to look at');
  await network.ready();
  assert.equal((await network.send(SERVICE.one, '--flows', '6')).answered, 6);
});

const comesBack = (node: 'entry' | 'exit1', line: string) =>
  waitFor(async () => (await network.ours(node)).includes(line), { timeoutMs: 5000, what: `"${line}" to be back`, intervalMs: 20 });

test('routes that somebody deletes come back: a SID, the service prefix, its unreachable twin', async () => {
  const sid = sidOf('exit1', 1);
  await network.ip('exit1', '-6', 'route', 'del', `${sid}/128`);
  await comesBack('exit1', sid);
  await network.ip('entry', '-6', 'route', 'del', '2001:db8:5e::/48', 'dev', 'cpn0');
  await comesBack('entry', '2001:db8:5e::/48 dev cpn0');
  await network.ip('entry', '-6', 'route', 'del', '2001:db8:5e::/48', 'metric', '65535');
  await comesBack('entry', 'unreachable 2001:db8:5e::/48');
  assert.equal((await network.send(SERVICE.main, '--flows', '6')).answered, 6);
});

test('an interface that goes down and up gets its addresses and routes back', async () => {
  const before = await ours();
  const addresses = async (): Promise<string> => (await network.ip('entry', '-6', 'address', 'show', 'dev', 'eth2', 'scope', 'global')).replace(/valid_lft.*/g, '');
  const owned = await addresses();
  await network.ip('entry', 'link', 'set', 'eth2', 'down');
  await waitFor(async () => !(await network.ours('entry')).includes('via 2001:db8:0:1::2'), { timeoutMs: 5000, what: 'routes over eth2 to go', intervalMs: 50 });
  await network.ip('entry', 'link', 'set', 'eth2', 'up');
  await waitFor(async () => JSON.stringify(await ours()) === JSON.stringify(before), { timeoutMs: 30_000, what: 'all routes to be back', intervalMs: 100 });
  await waitFor(async () => (await addresses()) === owned, { timeoutMs: 5000, what: 'the addresses to be back', intervalMs: 50 });
  await network.ready();
  assert.equal((await network.send(SERVICE.main, '--flows', '6')).answered, 6);
});

test('a filter that somebody deletes comes back, and service goes on meanwhile', async () => {
  const filters = (): Promise<string> => network.lab.node('entry').run(['tc', 'filter', 'show', 'dev', 'eth1', 'ingress']);
  assert.match(await filters(), /bpf/);
  await network.lab.node('entry').run(['tc', 'filter', 'del', 'dev', 'eth1', 'ingress']);
  assert.equal((await network.send(SERVICE.main, '--flows', '6', '--requests', '3')).answered, 18, 'by the daemon');
  await waitFor(async () => /bpf/.test(await filters()), { timeoutMs: 15_000, what: 'the filter to be back', intervalMs: 100 });
});

test('SIGTERM takes everything of ours away and nothing of others', async () => {
  const node = network.lab.node('entry');
  await network.ip('entry', '-6', 'route', 'add', '2001:db8:abcd::/48', 'via', '2001:db8:0:1::2', 'proto', 'static');
  await network.ip('entry', '-6', 'address', 'add', '2001:db8:abcd:1::1/64', 'dev', 'eth2', 'nodad');
  await node.run(['tc', 'filter', 'add', 'dev', 'eth1', 'ingress', 'prio', '100', 'protocol', 'ipv6', 'u32', 'match', 'u32', '0', '0', 'flowid', '1:1']);
  await cpnd().stop('SIGTERM');
  assert.deepEqual(await ours(), []);
  assert.notEqual((await node.exec(['ip', 'link', 'show', 'cpn0'])).status, 0, 'the TUN is gone');
  for (const name of ['eth1', 'eth2', 'eth3', 'eth4']) assert.doesNotMatch(await node.run(['tc', 'filter', 'show', 'dev', name, 'ingress']), /bpf/);
  assert.doesNotMatch(await network.ip('entry', '-6', 'address', 'show'), /fc00:0:1::1|2001:db8:c::1/);
  assert.equal((await node.exec(['test', '-e', '/run/cpn/cpnd.sock'])).status, 1, 'no socket is left behind');

  assert.match(await node.run(['tc', 'filter', 'show', 'dev', 'eth1', 'ingress']), /pref 100 u32/, 'the filter of somebody else');
  assert.match(await network.ip('entry', '-6', 'address', 'show', 'dev', 'eth2'), /2001:db8:abcd:1::1/, 'the address of somebody else');
  assert.match(await network.ip('entry', '-6', 'route', 'show'), /2001:db8:abcd::\/48/, 'the route of somebody else');
  await cpnd().start();
  await network.ready();
  assert.equal((await network.send(SERVICE.main, '--flows', '6')).answered, 6);
});

test('the TUN deleted by somebody is reported, pinned flows go on, and a restart repairs it', async () => {
  const traffic = await network.steady(SERVICE.main, 10, 200);
  await network.ip('entry', 'link', 'del', 'cpn0');
  const check = await waitFor(async () => (await entry().doctor()).find(({ name, status }) => name === 'service-prefix-routes' && status === 'fail'), {
    timeoutMs: 5000,
    what: 'the doctor to find it',
    intervalMs: 50,
  });
  assert.match(check.detail, /cpn0/);
  assert.match(cpnd().log, /cpn0/, 'the log says so');
  await traffic.flowing();
  const report = await traffic.stop();
  assert.deepEqual([report.lost, report.moved], [0, 0]);
  await cpnd().restart('SIGUSR2');
  await network.ready();
  assert.equal((await network.send(SERVICE.main, '--flows', '6')).answered, 6);
});
