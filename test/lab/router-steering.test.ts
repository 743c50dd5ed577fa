/** Whole routers from outside: what sends flows where. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { LOOPBACK, Network, onExit, SERVICE } from './router-lab/scene.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => network.down());

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
    break: async () => void (await network.lab.node('node2').run(['sysctl', '-q', '-w', 'net.ipv6.icmp.echo_ignore_all=1'])),
    mend: async () => void (await network.lab.node('node2').run(['sysctl', '-q', '-w', 'net.ipv6.icmp.echo_ignore_all=0'])),
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
    const report = await traffic.stop();
    assert.equal(report.moved, affected.length);
  });
}

test('drain gives an instance no new flows and leaves the pinned ones; undrain brings it back', async () => {
  const traffic = await network.steady(SERVICE.main, 30, 300);
  const before = await traffic.pinned();
  assert.ok(onExit(before, LOOPBACK.exit1).length > 0);
  const drained = await network.json<Record<string, unknown>>('exit1', 'drain', `${SERVICE.main}#1`);
  assert.deepEqual({ ...drained, sequence: typeof drained['sequence'] }, { service: SERVICE.main, instance: 1, draining: true, health: 'up', sequence: 'string' });
  await feasibleBecomes(LOOPBACK.exit2, LOOPBACK.exit3);
  assert.equal((await entry().candidates(SERVICE.main)).find(({ exit }) => exit === LOOPBACK.exit1)?.draining, true);
  const fresh = await network.send(SERVICE.main, '--flows', '30');
  assert.equal(fresh.answered, 30);
  assert.equal(fresh.nodes['node1'], undefined, 'no new flow reaches a draining instance');
  assert.deepEqual(await traffic.pinned(), before);

  const undrained = await network.cpnctl('exit1', 'undrain', '1');
  assert.equal(undrained.status, 0, undrained.stderr);
  assert.match(undrained.stdout, new RegExp(`^${SERVICE.main}#1: serving, health up, last announced with sequence \\d+\n$`));
  await feasibleBecomes(LOOPBACK.exit1, LOOPBACK.exit2, LOOPBACK.exit3);
  const again = await network.send(SERVICE.main, '--flows', '30');
  assert.ok((again.nodes['node1'] ?? 0) > 0);
  const report = await traffic.stop();
  assert.equal(report.moved, 0);

  assert.equal((await network.cpnctl('exit1', 'drain', '77')).status, 1);
  assert.equal((await network.cpnctl('exit1', 'drain', 'seventy')).status, 2);
});
