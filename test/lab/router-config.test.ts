/** Whole routers from outside: configuration files, good and bad, at the start and while running. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import type { ConfigAnswer } from '../../daemon/northbound/facade.js';
import type { FileConfig } from './router-lab/network.js';
import { CLIENT, END, LOOPBACK, Network, REFLECTOR, SERVICE, sidOf } from './router-lab/scene.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

const entry = () => network.router('entry');

/** What a bad configuration must leave as it is. */
async function running(): Promise<unknown> {
  const neighbors = await Promise.all([REFLECTOR, LOOPBACK.exit3].map((address) => entry().neighbor(address)));
  return {
    sessions: neighbors.map(({ state, flaps }) => [state, flaps]),
    routes: (await network.ours('entry')).split('\n').sort(),
    exits: await entry().feasible(SERVICE.main),
    policies: (await entry().fib(SERVICE.main)).map(({ exit, weight, segments }) => [exit, weight > 0, segments]),
  };
}

test('a bad file at the start ends cpnd with status 2 and names file, line, field and what was expected', () => {
  const file = network.path('bad.yaml');
  const lines = network.text('entry').split('\n');
  const bad = lines.findIndex((line) => line.includes('loopback:'));
  lines[bad] = '  loopback: fc00:0:1::zz';
  writeFileSync(file, lines.join('\n'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(checkout, 'dist/daemon/cpnd.js'), 'router', '--config', file], { encoding: 'utf8', timeout: 10_000 });
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.ok(stderr.startsWith(`${file}:${bad + 1}:`), stderr);
  for (const part of ['router.loopback', 'expected a global IPv6 address', 'fc00:0:1::zz']) assert.ok(stderr.includes(part), `${part} in ${stderr}`);
  assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace');

  const missing = spawnSync(process.execPath, [join(checkout, 'dist/daemon/cpnd.js'), 'router', '--config', '/nowhere/cpnd.yaml'], { encoding: 'utf8', timeout: 10_000 });
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /\/nowhere\/cpnd\.yaml/);
});

test('check, diff, reload and SIGHUP of a bad file leave the running daemon as it was', async () => {
  const traffic = await network.steady(SERVICE.main, 10, 200);
  const pinned = await traffic.pinned();
  const before = await running();
  // Two faults: an unknown field, and a static route into a service prefix.
  network.writeText('entry', `${network.text('entry').replace('static:', 'static:\n  - {prefix: "2001:db8:5e:9::/64", via: "2001:db8:0:1::2"}')}unknownField: 1\n`);
  const problem = /^\/etc\/cpn\/cpnd\.yaml:\d+:\d+: .*unknownField.*expected /m;
  for (const command of [['check', '/etc/cpn/cpnd.yaml'], ['diff', '/etc/cpn/cpnd.yaml'], ['reload']]) {
    const answer = await network.cpnctl('entry', 'config', ...command);
    assert.equal(answer.status, 1, `${command[0]}: ${answer.stdout}${answer.stderr}`);
    assert.match(answer.stdout + answer.stderr, problem, command[0]);
    const json = JSON.parse((await network.cpnctl('entry', '--json', 'config', ...command)).stdout) as ConfigAnswer;
    assert.deepEqual([json.ok, json.problems.length > 0, json.changes], [false, true, []]);
    for (const { file, line, expected } of json.problems) assert.ok(file === '/etc/cpn/cpnd.yaml' && line > 0 && expected !== '');
  }
  const cpnd = network.lab.node('entry').daemon;
  const logged = cpnd.log.length;
  cpnd.kill('SIGHUP');
  await waitFor(() => cpnd.log.slice(logged).includes('config.refused'), { timeoutMs: 5000, what: 'the refusal in the log' });
  assert.match(cpnd.log.slice(logged), /unknownField/, 'the log says what is wrong');
  assert.deepEqual(await running(), before);
  assert.deepEqual(await traffic.pinned(), pinned);
  const report = await traffic.stop();
  assert.deepEqual([report.lost, report.moved], [0, 0]);
  network.configure('entry', () => undefined);
  assert.deepEqual((await entry().reload()).changes, []);
});

test('a change that only a restart takes over is refused with the name of its field', async () => {
  const before = await running();
  for (const [field, change] of [
    ['bgp.as', (config: FileConfig) => (config.bgp.as = 65001)],
    ['cpn.servicePrefixes', (config: FileConfig) => config.cpn.servicePrefixes.push('2001:db8:5f::/48')],
  ] as const) {
    const kept = structuredClone(network.configurations.entry);
    network.configure('entry', change);
    const text = await network.cpnctl('entry', 'config', 'reload');
    assert.equal(text.status, 1);
    assert.ok((text.stdout + text.stderr).includes(`${field}: expected`), text.stdout + text.stderr);
    const answer = await entry().reload();
    assert.ok(answer.problems.some((problem) => problem.field === field), JSON.stringify(answer.problems));
    network.configurations.entry = kept;
  }
  network.configure('entry', () => undefined);
  assert.deepEqual(await running(), before);
});

test('a good reload adds and removes instance, neighbor, static route and address, and resets nothing else', async () => {
  const traffic = await network.steady(SERVICE.main, 10, 200);
  const pinned = await traffic.pinned();
  const service = '2001:db8:5e::aa';
  const sessions = async (): Promise<unknown> =>
    Promise.all((['entry', 'exit1', 'exit2'] as const).map(async (router) => {
      const { state, flaps, stateMs } = await network.router(router).neighbor(REFLECTOR);
      return [state, flaps, stateMs > 2000];
    }));
  await waitFor(async () => ((await sessions()) as unknown[][]).every(([, , old]) => old), { timeoutMs: 10_000, what: 'sessions to be two seconds old' });
  const before = await sessions();

  const [first, second] = [structuredClone(network.configurations.exit1), structuredClone(network.configurations.exit2)];
  const answer = await network.reload('exit1', (config) => {
    config.cpn.instances.push({ service, id: 50, node: { address: '2001:db8:b:1::2', interface: 'eth2' }, serviceRate: 100 });
    config.bgp.neighbors.push({ address: LOOPBACK.exit2, as: 65000, cpn: true, connectRetry: '1s' });
    config.static.push({ prefix: '2001:db8:99::/48', unreachable: true });
    config.interfaces['eth2']!.addresses.push('2001:db8:b:91::1/64');
  });
  assert.equal(answer.changes.length, 4, JSON.stringify(answer.changes));
  await network.reload('exit2', (config) => config.bgp.neighbors.push({ address: LOOPBACK.exit1, as: 65000, cpn: true, connectRetry: '1s' }));
  await waitFor(async () => (await network.router('exit1').neighbor(LOOPBACK.exit2)).state === 'Established', { timeoutMs: 10_000, what: 'the new session', intervalMs: 50 });
  await waitFor(async () => (await entry().feasible(service)).join() === LOOPBACK.exit1, { timeoutMs: 10_000, what: 'the new instance at the entry', intervalMs: 50 });
  assert.match(await network.ours('exit1'), /unreachable 2001:db8:99::\/48/);
  assert.match(await network.ip('exit1', '-6', 'address', 'show', 'dev', 'eth2'), /2001:db8:b:91::1\/64/);

  network.configurations.exit1 = first;
  network.configurations.exit2 = second;
  await network.reload('exit1', () => undefined);
  await network.reload('exit2', () => undefined);
  await waitFor(async () => (await entry().candidates(service)).length === 0, { timeoutMs: 10_000, what: 'the instance to be withdrawn', intervalMs: 50 });
  await assert.rejects(network.router('exit1').neighbor(LOOPBACK.exit2), /no neighbor/);
  assert.doesNotMatch(await network.ours('exit1'), /2001:db8:99::|e032::/);
  assert.doesNotMatch(await network.ip('exit1', '-6', 'address', 'show', 'dev', 'eth2'), /b:91::1/);

  assert.deepEqual(await sessions(), before);
  assert.deepEqual(await traffic.pinned(), pinned);
  const report = await traffic.stop();
  assert.deepEqual([report.lost, report.moved], [0, 0]);
});

test('SIGHUP takes over a good file', async () => {
  const cpnd = network.lab.node('entry').daemon;
  network.configure('entry', (config) => config.static.push({ prefix: '2001:db8:9a::/48', unreachable: true }));
  cpnd.kill('SIGHUP');
  await waitFor(async () => (await network.ours('entry')).includes('2001:db8:9a::/48'), { timeoutMs: 5000, what: 'the new route', intervalMs: 50 });
  await network.reload('entry', (config) => config.static.pop());
  await waitFor(async () => !(await network.ours('entry')).includes('2001:db8:9a::/48'), { timeoutMs: 5000, what: 'the route to go', intervalMs: 50 });
});

test('other transit SIDs for an exit take effect on its policies and on the way that is watched', async () => {
  const segments = async () => (await entry().fib(SERVICE.two))[0]?.segments.join();
  const via = network.configurations.entry.cpn.services.find(({ id }) => id === SERVICE.two)!.via!;
  await network.reload('entry', () => (via[LOOPBACK.exit2] = [END.t1, END.t2]));
  assert.equal(await segments(), [END.t1, END.t2, sidOf('exit2', 12)].join());
  assert.deepEqual((await network.send(SERVICE.two, '--requests', '3', '--interval-ms', '10')).nodes, { node2: 3 });
  // A transit SID without a route makes the candidate unusable.
  await network.reload('entry', () => (via[LOOPBACK.exit2] = ['fcbb:bb00:99:1::']));
  assert.deepEqual(await entry().feasible(SERVICE.two), []);
  await network.reload('entry', () => (via[LOOPBACK.exit2] = [END.t2]));
  assert.deepEqual(await entry().feasible(SERVICE.two), [LOOPBACK.exit2]);
  assert.equal(await segments(), [END.t2, sidOf('exit2', 12)].join());
  assert.equal((await network.send(SERVICE.two, '--from', CLIENT)).answered, 1);
});
