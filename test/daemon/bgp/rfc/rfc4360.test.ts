import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Network, type Node } from '../network.js';
import { policiesOf } from '../policy/policies.js';

const prefix = '2001:db8:a::/48';
const tag = policiesOf('  policies: {tag: {rules: [{set: {extendedCommunity: {add: ["rt:65000:1", "ext:0x4004fde800000064"]}}}]}}\n');

/** A route with a transitive and a non-transitive community, added at the first router, through an internal to an external one. */
function through(second: number, third: number): [Node, Node, Node] {
  const network = new Network();
  const nodes = [network.node({ bgp: tag }), network.node({ as: second }), network.node({ as: third })] as [Node, Node, Node];
  network.connect(nodes[0], nodes[1], { export: { policy: ['tag'] } });
  network.connect(nodes[1], nodes[2]);
  network.start(...nodes);
  network.settle();
  nodes[0].speaker.announce({ prefix });
  network.settle();
  return nodes;
}

describe('RFC 4360', () => {
  test('4360 section 2: communities of all types are carried inside the AS, the non-transitive too', () => {
    const [, inner] = through(65000, 65001);
    assert.deepEqual(inner.best(prefix)?.extendedCommunities, ['rt:65000:1', 'ext:0x4004fde800000064']);
  });

  test('4360 section 6: the non-transitive are taken off where the route leaves the AS', () => {
    const [, , outer] = through(65000, 65001);
    assert.deepEqual(outer.best(prefix)?.extendedCommunities, ['rt:65000:1']);
  });

  test('4360 section 6: the transitive go on through further ASes', () => {
    const [, middle, last] = through(65001, 65002);
    assert.deepEqual([middle, last].map((node) => node.best(prefix)?.extendedCommunities), [['rt:65000:1'], ['rt:65000:1']]);
  });

  test('4360 section 4: a policy selects routes by route target', () => {
    const network = new Network();
    const [a, b] = [network.node({ bgp: tag }), network.node({ bgp: policiesOf('  policies: {targets: {rules: [{match: {extendedCommunity: "rt:65000:2"}}]}}\n') })];
    network.connect(a, b, { export: { policy: ['tag'] } }, { import: { policy: ['targets'] } });
    network.start(a, b);
    network.settle();
    a.speaker.announce({ prefix });
    network.settle();
    assert.deepEqual(b.speaker.routes(prefix).map(({ rejected, reason }) => [rejected, reason]), [[true, 'import policy: targets default']]);
  });
});
