/** Two routers in network namespaces measure each other by STAMP on port 862; a link that fails is noticed by lost replies alone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { StampService } from '../../daemon/awareness/stamp/service.js';
import { native } from '../../dataplane/native/index.js';

const A = 'api-stamp-a';
const B = 'api-stamp-b';
const LOOPBACK_A = 'fc00:0:1::1';
const LOOPBACK_B = 'fc00:0:2::1';

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

const until = async (condition: () => boolean, what: string, ms = 10_000): Promise<number> => {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > ms) assert.fail(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now() - start;
};

describe('STAMP between two namespaces', () => {
  const events: { exit: string; alive: boolean; at: number }[] = [];
  let a: StampService;
  let b: StampService;

  const service = (namespace: string, address: string, allowed: readonly string[]): StampService =>
    native.inNetworkNamespace(
      `/var/run/netns/${namespace}`,
      () =>
        new StampService(
          { address, port: 862, intervalMs: 100, lost: 3, allowed },
          { onAlive: (exit, alive) => events.push({ exit, alive, at: performance.now() }), onMeasured: () => undefined, onError: (error) => assert.fail(String(error)) },
        ),
    );

  before(() => {
    for (const [namespace, loopback] of [[A, LOOPBACK_A], [B, LOOPBACK_B]] as const) {
      ip('netns', 'add', namespace);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
      ip('-n', namespace, 'address', 'add', `${loopback}/128`, 'dev', 'lo');
    }
    ip('link', 'add', 'eth0', 'netns', A, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', B);
    for (const [namespace, own, other, loopback] of [[A, '1', '2', LOOPBACK_B], [B, '2', '1', LOOPBACK_A]] as const) {
      ip('-n', namespace, 'address', 'add', `2001:db8:1::${own}/64`, 'dev', 'eth0', 'nodad');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      ip('-n', namespace, 'route', 'add', `${loopback}/128`, 'via', `2001:db8:1::${other}`, 'dev', 'eth0');
    }
    a = service(A, LOOPBACK_A, ['fc00::/16']);
    b = service(B, LOOPBACK_B, ['fc00:0:1::/48']);
  });

  after(() => {
    a.close();
    b.close();
    for (const namespace of [A, B]) ip('netns', 'del', namespace);
  });

  it('both measure the way to the other, from loopback to loopback', async () => {
    a.setTargets([{ exit: LOOPBACK_B, transit: [], back: [] }]);
    b.setTargets([{ exit: LOOPBACK_A, transit: [], back: [] }]);
    // The first probes wait in the kernel until duplicate address detection of the link-local address is over.
    await until(() => [a.state(LOOPBACK_B), b.state(LOOPBACK_A)].every((state) => state?.alive === true && (state.statistics.rttUs ?? Infinity) < 20_000), 'round trips of a direct link');
    for (const state of [a.state(LOOPBACK_B)!, b.state(LOOPBACK_A)!]) assert.ok(state.statistics.minimumUs! > 0 && state.statistics.minimumUs! < 20_000, `${state.statistics.minimumUs} us`);
    assert.deepEqual(b.counters.reflector.refused, 0);
  });

  it('a link that fails excludes the exit within 600 ms, and brings it back when it is restored', async () => {
    events.length = 0;
    const failed = performance.now();
    ip('-n', B, 'link', 'set', 'eth0', 'down');
    await until(() => !a.state(LOOPBACK_B)!.alive, 'exit excluded');
    const took = events.find((event) => event.exit === LOOPBACK_B)!.at - failed;
    // Three probes 100 ms apart, the last missed 150 ms after it left; up to one interval before the first.
    assert.ok(took >= 300 && took < 600, `${took} ms`);
    ip('-n', B, 'link', 'set', 'eth0', 'up');
    ip('-n', B, 'address', 'replace', '2001:db8:1::2/64', 'dev', 'eth0', 'nodad');
    ip('-n', B, 'route', 'replace', `${LOOPBACK_A}/128`, 'via', '2001:db8:1::1', 'dev', 'eth0');
    await until(() => a.state(LOOPBACK_B)!.alive, 'exit back');
  });

  it('a router whose sources do not allow us does not answer', async () => {
    const refused = b.counters.reflector.refused;
    b.reconfigure({ intervalMs: 100, lost: 3, allowed: ['2001:db8::/32'] });
    await until(() => !a.state(LOOPBACK_B)!.alive, 'exit excluded');
    assert.ok(b.counters.reflector.refused >= refused + 3);
  });
});
