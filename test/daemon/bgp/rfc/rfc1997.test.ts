import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BLACKHOLE, GRACEFUL_SHUTDOWN } from '../../../../daemon/bgp/policy/communities.js';
import { NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED } from '../../../../daemon/bgp/wire/types.js';
import { Network, type Node } from '../network.js';
import { policiesOf } from '../policy/policies.js';

const prefix = '2001:db8:a::/48';

/** A sender, the router in question, an internal and an external neighbour of it. */
function around(senderAs: number, communities: readonly number[]): { network: Network; router: Node; internal: Node; external: Node } {
  const network = new Network();
  const [sender, router, internal, external] = [network.node({ as: senderAs }), network.node(), network.node(), network.node({ as: 65009 })];
  network.connect(sender, router);
  network.connect(router, internal);
  network.connect(router, external);
  network.start(sender, router, internal, external);
  network.settle();
  sender.speaker.announce({ prefix, communities });
  network.settle();
  return { network, router, internal, external };
}

const reached = ({ router, internal, external }: ReturnType<typeof around>): boolean[] => [router, internal, external].map((node) => node.best(prefix) !== undefined);

describe('RFC 1997', () => {
  // The sender is of a third AS, so that its communities come to the router itself.
  const cases: readonly [what: string, community: number, expected: boolean[]][] = [
    ['NO_ADVERTISE: the route goes to no peer', NO_ADVERTISE, [true, false, false]],
    ['NO_EXPORT_SUBCONFED: the route goes to no external peer', NO_EXPORT_SUBCONFED, [true, true, false]],
    ['NO_EXPORT: the route does not leave the AS', NO_EXPORT, [true, true, false]],
    ['another community: the route goes on', 0xfde80001, [true, true, true]],
  ];
  for (const [what, community, expected] of cases) {
    test(`1997 well-known communities, ${what}`, () => {
      const network = new Network();
      const [sender, router, internal, external] = [network.node({ as: 65001 }), network.node(), network.node(), network.node({ as: 65009 })];
      // The sender's own export would hold the route back: a policy of the router adds the community.
      router.bgp = policiesOf(`  policies: {tag: {rules: [{set: {community: {add: "${community >>> 16}:${community & 0xffff}"}}}]}}\n`);
      network.connect(sender, router, {}, { import: { policy: ['tag'] } });
      network.connect(router, internal);
      network.connect(router, external);
      network.start(sender, router, internal, external);
      network.settle();
      sender.speaker.announce({ prefix });
      network.settle();
      assert.deepEqual(reached({ network, router, internal, external }), expected);
    });
  }

  test('1997 operation: communities are passed on unchanged, to other ASes too', () => {
    const { external } = around(65001, [0xfde80001, 0xfde90002]);
    assert.deepEqual(external.best(prefix)?.communities, ['65000:1', '65001:2']);
  });

  test('1997 operation: a policy may add and remove communities on the way', () => {
    const network = new Network();
    const [a, b] = [network.node({ as: 65001, bgp: policiesOf('  policies: {out: {rules: [{set: {community: {remove: "65000:*", add: ["65001:9", no-export]}}}]}}\n') }), network.node()];
    network.connect(a, b, { export: { policy: ['out'] } });
    network.start(a, b);
    network.settle();
    a.speaker.announce({ prefix, communities: [0xfde80001, 0xfdea0001] });
    network.settle();
    assert.deepEqual(b.best(prefix)?.communities, ['65002:1', '65001:9', 'no-export']);
  });

  test('8326 section 4.2: a route with GRACEFUL_SHUTDOWN from another AS is the last choice, from the own AS it stays what it is', () => {
    assert.equal(around(65001, [GRACEFUL_SHUTDOWN]).router.best(prefix)?.localPref, 0);
    assert.equal(around(65000, [GRACEFUL_SHUTDOWN]).router.best(prefix)?.localPref, 100);
  });

  test('7999 section 3.2: a route with BLACKHOLE does not leave the AS', () => {
    const seen = around(65001, [BLACKHOLE]);
    assert.deepEqual(reached(seen), [true, true, false]);
    assert.deepEqual(seen.router.best(prefix)?.communities, ['blackhole', 'no-export']);
  });
});
