/** Whole routers with OSPFv3 from outside: links cut under flows of 10,000 packets a second, restarts and the end of a daemon. */
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { CLIENT_LINK, CutLab, type Loss } from './cut-lab.js';

const RATE = 10_000;
const SECONDS = 1.5;
/** After the detection of a fault all flows go another way within this, ms. */
const WITHIN_MS = 50;

let network: CutLab;
before(async () => {
  network = await CutLab.up('router-ospf');
});
after(() => (network as CutLab | undefined)?.down());

/** What is lost when the link between entry and a is cut, and when the entry knew of it. */
async function cutOf(t: TestContext, how: 'carrier' | 'silence', isProtected: boolean): Promise<{ losses: readonly Loss[]; detectedAt: number }> {
  await network.calm();
  const since = Date.now();
  const losses = await network.lossOf(RATE, SECONDS, () => (how === 'carrier' ? network.lab.fail('entry:eth2') : network.silence(true)));
  const detected = network.events('entry', 'ospf.neighbor-lost', since)[0];
  await restored(how, isProtected);
  assert.ok(detected, 'the entry tells of the fault');
  assert.match(detected.msg, how === 'carrier' ? /10\.0\.0\.2 on eth2: .*the interface is down/ : /10\.0\.0\.2 on eth2: .*BFD says that it is down/);
  t.diagnostic(`${isProtected ? 'TI-LFA' : 'no fast reroute'}, ${how}: ${losses.map(({ lost, from, until }) => `${lost} lost, nothing for ${(until - from).toFixed(1)} ms`).join('; ')} (pinned to the service; plain); the last ${(Math.max(...losses.map(({ until }) => until)) - detected.at).toFixed(1)} ms after "${detected.msg}"`);
  return { losses, detectedAt: detected.at };
}

const restored = async (how: 'carrier' | 'silence', isProtected: boolean): Promise<void> => {
  await (how === 'carrier' ? network.lab.restore('entry:eth2') : network.silence(false));
  await network.ready(isProtected);
};

let lostWithCarrier = NaN;

for (const how of ['carrier', 'silence'] as const) {
  test(`a ${how === 'carrier' ? 'lost carrier' : 'silent fault'} is survived in the kernel within ${WITHIN_MS} ms of its detection, pinned flows and plain ones alike`, async (t) => {
    const { losses, detectedAt } = await cutOf(t, how, true);
    for (const { lost, from, until } of losses) {
      assert.ok(lost > 0, 'the link carried the flow');
      // The kernel sees a carrier that goes at once: all that is lost is lost within this time of it.
      const beforeMs = how === 'carrier' ? 0 : detectedAt - from;
      assert.ok(lost <= ((beforeMs + WITHIN_MS) * RATE) / 1000, `${lost} packets lost, ${beforeMs} ms before the detection`);
      if (how === 'silence') assert.ok(until <= detectedAt + WITHIN_MS, `nothing arrived until ${until - detectedAt} ms after the detection`);
    }
    if (how === 'carrier') lostWithCarrier = Math.max(...losses.map(({ lost }) => lost));
  });
}

test('without fast reroute a lost carrier costs more: the routers have to calculate first', async (t) => {
  await network.reconfigureEntry({ fastReroute: 'none', bfd: true });
  await network.ready(false);
  const { losses } = await cutOf(t, 'carrier', false);
  assert.ok(Math.min(...losses.map(({ lost }) => lost)) > lostWithCarrier, 'more than with TI-LFA');
});

for (const [signal, bfd, helpers] of [['SIGUSR2', true, ['a', 'frr']], ['SIGKILL', false, ['a']]] as const) {
  test(`a restart after ${signal} loses nothing in either direction${bfd ? ', with BFD: cpnd and FRR keep' : ': cpnd keeps'} the routes to it meanwhile`, async () => {
    await network.reconfigureEntry({ fastReroute: 'ti-lfa', bfd });
    await network.ready();
    const ours = await network.ours('entry');
    const traffic = await network.traffic(20, 400);
    const watches = await Promise.all(helpers.map(async (node) => network.watchClientRoute(node)));
    const since = Date.now();
    await network.restart(signal);
    assert.match(network.events('entry', 'ospf.restart-over', since)[0]!.msg, /all neighbors are back/);
    await network.ready();
    const report = await traffic();
    for (const changes of await Promise.all(watches.map((stop) => stop()))) assert.deepEqual(changes.filter((line) => line.startsWith('Deleted')), []);
    assert.deepEqual([report.lost, Object.keys(report.nodes)], [0, ['node']]);
    assert.deepEqual(network.events('a', 'ospf.neighbor-lost', since).map(({ msg }) => msg), []);
    const helped = (): string[] => network.events('a', 'ospf.graceful-restart', since).map(({ msg }) => msg.replace(/ on .*: /, ': '));
    await waitFor(() => helped().some((text) => text.startsWith('no longer')), { timeoutMs: 12_000, what: 'the end of the help', intervalMs: 50 });
    assert.equal(helped().at(-1), 'no longer helping 10.0.0.1: it has restarted');
    await waitFor(async () => {
      assert.deepEqual(await network.ours('entry'), ours, 'the kernel has what it had');
      return true;
    }, { timeoutMs: 15_000, what: 'the same routes as before', intervalMs: 200 });
  });
}

test('SIGTERM leaves nothing in the kernel, and neighbors drop the router at once', async () => {
  const { daemon } = network.lab.node('entry');
  const since = Date.now();
  await daemon.stop('SIGTERM');
  assert.deepEqual(await network.ours('entry'), []);
  await waitFor(() => network.events('a', 'ospf.neighbor-lost', since).length > 0, { timeoutMs: 1000, what: 'a to lose its neighbor', intervalMs: 20 });
  for (const node of ['a', 'frr']) {
    await waitFor(async () => (await network.run(node, 'ip', '-6', 'route', 'show', CLIENT_LINK)) === '', { timeoutMs: 5000, what: `${node} to have no route to the clients`, intervalMs: 50 });
  }
});
