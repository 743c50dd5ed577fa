import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BgpNeighborConfig } from '../../../daemon/config/types.js';
import { Network, type Node } from './network.js';
import { policiesOf } from './policy/policies.js';

const prefix = '2001:db8:a::/48';
const service = '2001:db8:5e::1/128';
const servicePrefixes = ['2001:db8:5e::/48'];

interface Link {
  readonly as: number;
  readonly towards?: Partial<BgpNeighborConfig>;
  readonly back?: Partial<BgpNeighborConfig>;
  readonly policies?: string;
}

/** A chain of routers; each but the first says what its side and the side before it have configured. */
function chain(first: number, ...links: Link[]): Node[] {
  const network = new Network();
  const nodes = [network.node({ as: first, servicePrefixes })];
  for (const { as, towards, back, policies } of links) {
    const node = network.node({ as, servicePrefixes, ...(policies ? { bgp: policiesOf(policies) } : {}) });
    network.connect(nodes.at(-1)!, node, towards, back);
    nodes.push(node);
  }
  network.start(...nodes);
  network.settle();
  nodes[0]!.speaker.announceBatch([{ prefix }, { prefix: service }]);
  network.settle(1000);
  return nodes;
}

describe('A neighbour', () => {
  test('with the own AS in its paths is heard as often as allowAsIn says', () => {
    for (const [allowAsIn, heard] of [[0, false], [1, true]] as const) {
      const [, , last] = chain(65001, { as: 65000 }, { as: 65001, towards: { advertisePeerAs: true }, back: { allowAsIn } });
      assert.equal(last!.best(prefix)?.asPath, heard ? '65000 65001' : undefined);
    }
  });

  test('gets paths without private AS numbers, or with the own one in their place', () => {
    for (const [removePrivateAs, path] of [['keep', '65000 64600'], ['remove', '65000'], ['replace', '65000 65000']] as const) {
      // 65000 is private itself; the sender puts it in front after what it removed.
      const [, , last] = chain(64600, { as: 65000 }, { as: 3, towards: { removePrivateAs } });
      assert.equal(last!.best(prefix)?.asPath, path);
    }
  });

  test('gets next hops as a policy says', () => {
    for (const [setting, next] of [['self', 1], ['unchanged', 0]] as const) {
      const network = new Network();
      const nodes = [network.node({ as: 65001 }), network.node({ bgp: policiesOf(`  policies: {p: {rules: [{set: {nextHop: ${setting}}}]}}\n`) }), network.node()];
      network.connect(nodes[0]!, nodes[1]!);
      network.connect(nodes[1]!, nodes[2]!, { export: { policy: ['p'] } });
      network.start(...nodes);
      network.settle();
      nodes[0]!.speaker.announce({ prefix });
      network.settle();
      assert.equal(nodes[2]!.best(prefix)?.nextHop, nodes[next]!.address);
    }
  });

  test('gets MED from the cost of next hops, again when that changes', () => {
    let cost = 10;
    const network = new Network();
    const nodes = [network.node(), network.node({ cost: () => cost, bgp: policiesOf('  policies: {p: {rules: [{set: {med: igp}}]}}\n') }), network.node({ as: 65001 })];
    network.connect(nodes[0]!, nodes[1]!);
    network.connect(nodes[1]!, nodes[2]!, { export: { policy: ['p'] } });
    network.start(...nodes);
    network.settle();
    nodes[0]!.speaker.announce({ prefix });
    network.settle();
    assert.equal(nodes[2]!.best(prefix)?.med, 10);
    cost = 20;
    nodes[1]!.speaker.nextHopsChanged();
    network.settle();
    assert.equal(nodes[2]!.best(prefix)?.med, 20);
  });

  test('shows by which rule a route was rejected', () => {
    const [, last] = chain(65001, { as: 65002, back: { import: { policy: ['p'] } }, policies: '  policies: {p: {rules: [{name: no a, match: {prefix: "2001:db8:a::/48"}, action: reject}]}}\n' });
    assert.deepEqual(last!.speaker.routes(prefix).map(({ rejected, reason }) => [rejected, reason]), [[true, 'import policy: p rule 1 (no a)']]);
  });
});

describe('Policies cannot undo the rules for service routes (WIRE.md section 2)', () => {
  const all = '  policies: {p: {rules: [{set: {community: {replace: ["65000:1"]}}}]}}\n';
  const cpn = { cpn: true, cpnAccept: servicePrefixes };

  test('they are sent only to peers marked as CPN peers', () => {
    const network = new Network();
    const [a, b] = [network.node({ servicePrefixes, bgp: policiesOf('  policies: {p: {default: accept}}\n') }), network.node({ servicePrefixes })];
    network.connect(a, b, { export: { policy: ['p'] } }, { cpn: true });
    network.start(a, b);
    network.settle();
    a.speaker.announce({ prefix: service });
    network.settle();
    assert.equal(b.speaker.routes(service).length, 0);
  });

  test('they carry NO_EXPORT towards the own AS, whatever a policy replaces', () => {
    const network = new Network();
    const [a, b] = [network.node({ servicePrefixes, bgp: policiesOf(all) }), network.node({ servicePrefixes })];
    network.connect(a, b, { cpn: true, export: { policy: ['p'] } }, { cpn: true });
    network.start(a, b);
    network.settle();
    a.speaker.announce({ prefix: service });
    network.settle();
    assert.deepEqual(b.best(service)?.communities, ['65000:1', 'no-export']);
  });

  test('they are accepted from eBGP only where the peer is marked and may announce the prefix', () => {
    for (const [back, reason] of [
      [{ cpnAccept: servicePrefixes }, 'service route from a peer that is not marked cpn'],
      [{ cpn: true }, 'service route outside cpnAccept'],
      [{ cpn: true, cpnAccept: ['2001:db8:5e:1::/64'] }, 'service route outside cpnAccept'],
    ] as const) {
      const [, last] = chain(65001, { as: 65002, towards: { cpn: true }, back: { ...back, import: { policy: ['p'] } }, policies: all });
      assert.deepEqual(last!.speaker.routes(service).map((route) => [route.rejected, route.reason]), [[true, reason]]);
    }
  });

  test('NO_EXPORT holds again behind an eBGP peer, whatever the import policy replaces', () => {
    const [, middle, last] = chain(65001, { as: 65002, towards: cpn, back: { ...cpn, import: { policy: ['p'] } }, policies: all }, { as: 65003, towards: {}, back: {} });
    assert.deepEqual(middle!.best(service)?.communities, ['65000:1', 'no-export']);
    assert.equal(last!.speaker.routes(service).length, 0);
  });

  test('a policy may keep them back, by their service', () => {
    const keep = '  policies: {p: {default: accept, rules: [{match: {service: true, cpn: {present: false}}, action: reject}]}}\n';
    const [, last] = chain(65001, { as: 65002, towards: cpn, back: { ...cpn, import: { policy: ['p'] } }, policies: keep });
    assert.deepEqual(last!.speaker.routes().map((route) => [route.prefix, route.rejected, route.reason]), [
      [prefix, false, 'only path'],
      [service, true, 'import policy: p rule 1'],
    ]);
  });
});
