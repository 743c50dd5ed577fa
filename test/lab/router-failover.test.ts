/** Whole routers from outside: exits and sessions that go, and what becomes of the flows. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { LOOPBACK, Network, onExit, REFLECTOR, SERVICE } from './router-lab/scene.js';

const FLOWS = 30;

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

/** Every exit is a candidate of a session that is up, and near enough to the best to get its share of new flows. */
async function allBack(): Promise<void> {
  const isFresh = ({ feasible, stale, weight }: { feasible: boolean; stale: boolean; weight: number }): boolean => feasible && !stale && weight > 0.1;
  await waitFor(async () => (await network.router('entry').candidates(SERVICE.main)).filter(isFresh).length === 3, { timeoutMs: 15_000, what: 'the exit to be back', intervalMs: 50 });
}

/** Takes an exit away under traffic; its flows must move and no others, and come to rest within `gapMs`. Then gives it back: nothing moves. */
async function losing(exit: string, lose: () => Promise<unknown>, back: () => Promise<unknown>, gapMs: number, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  const traffic = await network.steady(SERVICE.main, FLOWS, 600);
  const before = await traffic.pinned();
  const lost = onExit(before, exit);
  assert.ok(lost.length > 0 && lost.length < FLOWS, `flows should be spread, ${lost.length} of ${FLOWS} are on the exit that goes`);
  await lose();
  const moved = await traffic.until('no flow on the exit that is gone', (exits) => onExit(exits, exit).length === 0);
  for (const [port, other] of before) if (other !== exit) assert.equal(moved.get(port), other, 'a flow of another exit stays where it is');
  await meanwhile();
  await back();
  await allBack();
  assert.deepEqual(await traffic.pinned(), moved, 'flows that moved stay when the exit is back');
  await traffic.flowing();
  const report = await traffic.stop();
  assert.equal(report.moved, lost.length, 'the clients saw the same flows move');
  assert.ok(report.moveGapMs!.max < gapMs, `longest gap ${report.moveGapMs!.max} ms`);
}

test('an exit behind the reflector falls silent: three lost STAMP replies move its flows while its routes still stand', async () => {
  const silence = async (percent: number): Promise<void> => {
    await network.lab.setLoss('t2:eth2', percent);
    await network.lab.setLoss('exit2:eth1', percent);
  };
  await losing(LOOPBACK.exit2, () => silence(100), () => silence(0), 1500, async () => {
    const candidate = (await network.router('entry').candidates(SERVICE.main)).find(({ exit }) => exit === LOOPBACK.exit2);
    assert.ok(candidate, 'not withdrawn: the reflector still has the session');
    assert.equal(candidate.feasible, false);
    assert.match(candidate.reason, /exit/);
    assert.equal((await network.router('entry').neighbor(REFLECTOR)).state, 'Established');
  });
});

test('a link failure towards an exit moves its flows without waiting for probes', async () => {
  await losing(LOOPBACK.exit3, () => network.lab.fail('entry:eth3'), () => network.lab.restore('entry:eth3'), 1500);
});

test('the session of an exit that is peered directly runs into its hold time: its flows stay while it answers probes, and new ones go elsewhere', async () => {
  // RFC 8538: both sides keep each other's routes as stale beyond the end of the hold time.
  const exit3 = network.lab.node('exit3');
  const entry = network.router('entry');
  let traffic = await network.steady(SERVICE.main, FLOWS, 600);
  let before = await traffic.pinned();
  // After the link came back the way is measured anew: for a moment its first round trips may count against the exit.
  for (const end = Date.now() + 20_000; onExit(before, LOOPBACK.exit3).length === 0 && Date.now() < end; ) {
    await traffic.stop();
    traffic = await network.steady(SERVICE.main, FLOWS, 600);
    before = await traffic.pinned();
  }
  assert.ok(onExit(before, LOOPBACK.exit3).length > 0, 'flows should be spread');
  await exit3.run(['nft', 'table ip6 routerlab { chain in { type filter hook input priority 0; tcp sport 179 drop; tcp dport 179 drop; }; }']);
  const isStale = async (): Promise<boolean> => (await entry.candidates(SERVICE.main)).find(({ exit }) => exit === LOOPBACK.exit3)?.stale === true;
  await waitFor(isStale, { timeoutMs: 10_000, what: 'the end of the hold time', intervalMs: 50 });
  const { flows } = await network.send(SERVICE.main, '--flows', '20');
  assert.equal(flows.filter(({ answered }) => answered > 0).length, 20, 'new flows are served');
  assert.ok(flows.every(({ nodes }) => !nodes.includes('node3')), `by the others: ${flows.map(({ nodes }) => nodes.join()).join(' ')}`);
  await exit3.run(['nft', 'delete table ip6 routerlab']);
  await allBack();
  assert.deepEqual(await traffic.pinned(), before, 'no flow has moved');
  const report = await traffic.stop();
  assert.equal(report.moved, 0);
  for (const flow of report.flows) assert.equal(flow.answered, flow.sent, 'nothing was lost');
});

test('a withdrawn service route moves the flows', async () => {
  await losing(
    LOOPBACK.exit1,
    () => network.router('exit1').update(1, { health: 'down' }),
    () => network.router('exit1').update(1, { health: 'auto' }),
    1500,
  );
});

test('an exit that stops in good order withdraws at once', async () => {
  const cpnd = network.lab.node('exit3').daemon;
  await losing(LOOPBACK.exit3, () => cpnd.stop('SIGTERM'), () => cpnd.start(), 1500);
});

test('the last exit gone: flows get Destination Unreachable, and are served again when one is back', async () => {
  const traffic = await network.steady(SERVICE.one, 5, 50);
  await network.router('exit1').update(11, { health: 'down' });
  await waitFor(async () => (await network.router('entry').feasible(SERVICE.one)).length === 0, { timeoutMs: 5000, what: 'no exit', intervalMs: 20 });
  const tcp = await network.send(SERVICE.one, '--protocol', 'tcp');
  assert.match(tcp.flows[0]!.error ?? '', /errno (101|113)/);
  await network.router('exit1').update(11, { health: 'auto' });
  await waitFor(async () => (await network.send(SERVICE.one, '--timeout-ms', '200')).answered === 1, { timeoutMs: 5000, what: 'new flows to be served', intervalMs: 20 });
  await traffic.until('the old flows on the exit again', (exits) => exits.size === 5 && onExit(exits, LOOPBACK.exit1).length === 5);
  const report = await traffic.stop();
  for (const flow of report.flows) assert.ok(flow.answered < flow.sent, 'some requests were lost in between');
});
