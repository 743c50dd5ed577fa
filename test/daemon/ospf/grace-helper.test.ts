import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { OspfConfig } from '../../../daemon/ospf/types.js';
import { encodeGraceBody } from '../../../daemon/ospf/wire/lsa/grace.js';
import { LsType } from '../../../daemon/ospf/wire/types.js';
import { Network, type Router } from './network.js';

/** a - b - c, all adjacent; a is told that b restarts within `period` seconds, and b is gone. */
function restarting(period: number, helper: Partial<OspfConfig['gracefulRestartHelper']> = {}): { network: Network; a: Router; b: Router; c: Router } {
  const network = new Network();
  const a = network.router({ gracefulRestartHelper: { enabled: true, maxGraceSeconds: 1800, strictLsaChecking: true, ...helper } });
  const [b, c] = [network.router(), network.router()];
  network.connect(a, b);
  network.connect(a, c);
  network.start();
  network.seconds(30);
  b.engine.originate(LsType.grace, 1, encodeGraceBody({ periodSeconds: period, reason: 1 }), 'eth0');
  network.seconds(1);
  b.engine.stop({ keepForwarding: true });
  return { network, a, b, c };
}

const reasons = (router: Router): unknown[] => router.events.flatMap((event) => (event.kind === 'graceful-restart' ? [[event.helping, event.reason]] : []));
const announces = (by: Router, at: Router, neighbor: number): boolean =>
  [...at.engine.lsas({ type: LsType.router, router: by.number })].some(({ body }) => body.kind === 'router' && body.links.some((link) => link.neighborRouterId === neighbor));

describe('Helping a neighbor that restarts (RFC 3623 section 3, RFC 5187)', () => {
  test('its adjacency stays announced beyond the dead interval, and nobody is told of a loss, until it is back', () => {
    const { network, a, b, c } = restarting(120);
    network.seconds(80);
    assert.deepEqual([a.stateOf(b), a.engine.neighborViews()[0]?.restarting], ['Full', true]);
    assert.ok(announces(a, c, 2));
    // Back: it forgot its neighbors, reads the database again and takes its Grace-LSA back.
    b.start();
    network.seconds(20);
    assert.deepEqual([a.stateOf(b), a.engine.neighborViews()[0]?.restarting], ['Full', false]);
    assert.deepEqual(reasons(a).at(-1), [false, 'it has restarted']);
    assert.equal(a.lost.length, 0);
    assert.ok(announces(a, c, 2));
    assert.deepEqual(a.database(), b.database());
  });

  test('help ends with the grace period, and the silent neighbor is lost then', () => {
    const { network, a, b, c } = restarting(100);
    network.seconds(98);
    assert.equal(a.lost.length, 0);
    network.seconds(10);
    assert.deepEqual(reasons(a).at(-1), [false, 'its grace period is over']);
    assert.equal(a.stateOf(b), undefined);
    assert.deepEqual(a.lost.map(({ routerId }) => routerId), ['0.0.0.2']);
    assert.ok(!announces(a, c, 2));
  });

  test('a change of the topology ends the help where LSAs are checked strictly, computing state does not', () => {
    const { network, a, b, c } = restarting(600);
    network.seconds(60);
    c.engine.originate(0xbff0, 1, Buffer.from('load'));
    network.seconds(5);
    assert.equal(a.stateOf(b), 'Full');
    c.engine.setStubPrefixes([{ prefix: Prefix.from('2001:db8:cc::/48'), options: 0, metric: 5 }]);
    network.seconds(10);
    assert.match(String((reasons(a).at(-1) as unknown[])[1]), /topology changed/);
    assert.equal(a.stateOf(b), undefined);
    assert.equal(a.lost.length, 1);
  });

  test('a change of the topology is borne where LSAs are not checked strictly', () => {
    const { network, a, b, c } = restarting(600, { strictLsaChecking: false });
    network.seconds(60);
    c.setLink('eth0', false);
    network.seconds(60);
    assert.equal(a.stateOf(b), 'Full');
    assert.equal(a.stateOf(c), undefined);
  });

  for (const [what, period, helper, reason] of [
    ['that asks for more time than allowed', 2000, { maxGraceSeconds: 1800 }, /longer than 1800 s/],
    ['when helping is off', 100, { enabled: false }, /helping is off/],
  ] as const) {
    test(`a neighbor is not helped ${what}`, () => {
      const { network, a } = restarting(period, helper);
      network.seconds(45);
      assert.match(String((reasons(a)[0] as unknown[])[1]), reason);
      assert.equal(a.lost.length, 1);
    });
  }

  test('a neighbor that BFD finds down is lost although it is helped', () => {
    const { network, a, b } = restarting(600);
    network.seconds(60);
    a.engine.neighborDown('eth0', b.routerId, 'BFD');
    assert.equal(a.lost.length, 1);
    assert.equal(a.stateOf(b), undefined);
  });
});
