/** Whole routers from outside: what sends flows where. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { load, LOOPBACK, Network, onExit, REFLECTOR, SERVICE } from './router-lab/scene.js';
import { fieldsOf } from './router-lab/tshark.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

const entry = () => network.router('entry');
const feasibleExits = (...exits: string[]) => ({
  timeoutMs: 5000,
  intervalMs: 20,
  what: `feasible exits ${exits.join(', ')}`,
  holds: async (): Promise<boolean> => (await entry().feasible(SERVICE.main)).join() === [...exits].sort().join(),
});
async function feasibleBecomes(...exits: string[]): Promise<void> {
  const { holds, ...options } = feasibleExits(...exits);
  await waitFor(holds, options);
}

for (const { kind, exit, node, break: breakIt, mend } of [
  {
    kind: 'TCP',
    exit: LOOPBACK.exit1,
    node: 'node1',
    break: () => network.stopServer('node1'),
    mend: () => network.startServer('node1'),
  },
  {
    kind: 'ICMPv6',
    exit: LOOPBACK.exit2,
    node: 'node2',
    break: () => network.lab.node('node2').run(['sysctl', '-q', '-w', 'net.ipv6.icmp.echo_ignore_all=1']),
    mend: () => network.lab.node('node2').run(['sysctl', '-q', '-w', 'net.ipv6.icmp.echo_ignore_all=0']),
  },
]) {
  test(`a failed ${kind} check withdraws the instance and moves its flows; when it passes again, new flows return and moved flows stay`, async () => {
    const traffic = await network.steady(SERVICE.main, 30, 300);
    const first = await traffic.pinned();
    const affected = onExit(first, exit);
    assert.ok(affected.length > 0 && affected.length < 30, `flows should be spread, ${affected.length} of 30 are on ${node}`);

    await breakIt();
    await feasibleBecomes(...[LOOPBACK.exit1, LOOPBACK.exit2, LOOPBACK.exit3].filter((other) => other !== exit));
    assert.equal((await entry().candidates(SERVICE.main)).length, 2, 'withdrawn, not only infeasible');
    const moved = await traffic.until(`no flow on ${node}`, (exits) => onExit(exits, exit).length === 0);
    for (const [port, other] of first) if (other !== exit) assert.equal(moved.get(port), other, 'a flow of another exit stays where it is');

    await mend();
    await feasibleBecomes(LOOPBACK.exit1, LOOPBACK.exit2, LOOPBACK.exit3);
    const fresh = await network.send(SERVICE.main, '--flows', '30');
    assert.equal(fresh.answered, 30);
    assert.ok((fresh.nodes[node] ?? 0) > 0, `new flows should reach ${node} again: ${JSON.stringify(fresh.nodes)}`);
    assert.deepEqual(await traffic.pinned(), moved);
    await traffic.flowing();
    const report = await traffic.stop();
    assert.equal(report.moved, affected.length);
  });
}

test('drain gives an instance no new flows, leaves the pinned ones for a grace time and moves them then; undrain brings it back', async () => {
  const traffic = await network.steady(SERVICE.main, 30, 300);
  const before = await traffic.pinned();
  assert.ok(onExit(before, LOOPBACK.exit1).length > 0);
  const drained = await network.json<Record<string, unknown>>('exit1', 'drain', '--grace', '600', `${SERVICE.main}#1`);
  assert.deepEqual({ ...drained, sequence: typeof drained['sequence'] }, { service: SERVICE.main, instance: 1, draining: true, health: 'up', sequence: 'string' });
  await feasibleBecomes(LOOPBACK.exit2, LOOPBACK.exit3);
  assert.equal((await entry().candidates(SERVICE.main)).find(({ exit }) => exit === LOOPBACK.exit1)?.draining, true);
  const fresh = await network.send(SERVICE.main, '--flows', '30');
  assert.equal(fresh.answered, 30);
  assert.equal(fresh.nodes['node1'], undefined, 'no new flow reaches a draining instance');
  assert.deepEqual(await traffic.pinned(), before);

  assert.equal((await network.cpnctl('exit1', 'drain', '--grace', '0', '1')).status, 0);
  const affected = onExit(before, LOOPBACK.exit1).length;
  await waitFor(async () => onExit(await traffic.pinned(), LOOPBACK.exit1).length === 0, { timeoutMs: 5000, what: 'the pinned flows to move' });

  const undrained = await network.cpnctl('exit1', 'undrain', '1');
  assert.equal(undrained.status, 0, undrained.stderr);
  assert.match(undrained.stdout, new RegExp(`^${SERVICE.main}#1: serving, health up, last announced with sequence \\d+\n$`));
  await feasibleBecomes(LOOPBACK.exit1, LOOPBACK.exit2, LOOPBACK.exit3);
  const again = await network.send(SERVICE.main, '--flows', '30');
  assert.ok((again.nodes['node1'] ?? 0) > 0);
  const report = await traffic.stop();
  assert.equal(report.moved, affected, 'those of the drained instance have moved, and not back');

  assert.equal((await network.cpnctl('exit1', 'drain', '77')).status, 1);
  assert.equal((await network.cpnctl('exit1', 'drain', 'seventy')).status, 2);
});

test('an update of the load changes the choice of new flows', async () => {
  const share = async (): Promise<number> => (await network.send(SERVICE.main, '--flows', '30')).nodes['node1'] ?? 0;
  assert.ok((await share()) > 0);
  const updated = await network.json<{ draining: boolean; health: string }>('exit1', 'update', `${SERVICE.main}#1`, '--utilisation', '97', '--queue-length', '95');
  assert.deepEqual([updated.draining, updated.health], [false, 'up']);
  const loadAtEntry = async () => (await entry().candidates(SERVICE.main)).find(({ exit }) => exit === LOOPBACK.exit1)?.load;
  await waitFor(async () => (await loadAtEntry())?.queueLength === 95, { timeoutMs: 5000, what: 'the entry to hear of the load' });
  assert.equal((await loadAtEntry())?.utilisation, 9700);
  assert.equal(await share(), 0);
  await network.router('exit1').update(1, load(0));
  await waitFor(async () => (await loadAtEntry())?.queueLength === 0, { timeoutMs: 5000, what: 'the entry to hear that the load is over' });
  assert.ok((await share()) > 0);
});

test('small updates stay at home, large ones are announced once an interval and the last one wins', async () => {
  const exit1 = network.router('exit1');
  const utilisation = async () => (await entry().candidates(SERVICE.main)).find(({ exit }) => exit === LOOPBACK.exit1)?.load?.utilisation;
  await exit1.update(1, load(20));
  await waitFor(async () => (await utilisation()) === 2000, { timeoutMs: 5000, what: 'the first load at the entry' });

  const capture = await network.lab.capture('exit1:eth1', 'tcp port 179');
  for (const percent of [21, 22, 23, 24, 25, 26, 27, 28, 29]) await exit1.update(1, load(percent));
  const sent = await exit1.neighbor(REFLECTOR);
  // A change of 70 % follows, to see that the small ones are not merely late.
  const started = performance.now();
  for (let i = 0; i < 40; i++) await exit1.update(1, load(i % 2 === 0 ? 90 : 15));
  await exit1.update(1, load(60));
  const burstMs = performance.now() - started;
  await waitFor(async () => (await utilisation()) === 6000, { timeoutMs: 5000, what: 'the last load at the entry' });
  const updates = await fieldsOf(await capture.stop(), `bgp.type == 2 && ipv6.src == ${LOOPBACK.exit1}`, 'bgp.type');
  const count = updates.flatMap(([types]) => types!.split(',')).filter((type) => type === '2').length;
  // minInterval is 500 ms: one at once, one at the end of each interval that began in the burst.
  const most = 2 + Math.floor(burstMs / 500);
  assert.ok(count >= 1 && count <= most, `${count} UPDATEs for 50 updates in ${Math.round(burstMs)} ms, expected at most ${most}`);
  assert.equal((await exit1.neighbor(REFLECTOR)).updatesSent - sent.updatesSent, count, 'none was sent for the small ones');
  await exit1.update(1, load(0));
  await waitFor(async () => (await utilisation()) === 0, { timeoutMs: 5000, what: 'the load to be over' });
});
