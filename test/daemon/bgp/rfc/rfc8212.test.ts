import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Network, type Node } from '../network.js';
import { bgpSection, policiesOf } from '../policy/policies.js';

const prefix = '2001:db8:a::/48';

/** Both sides as the file says it, or does not. */
function pair(of: 65000 | 65001, sender: string, receiver: string, policies = ''): { network: Network; a: Node; b: Node } {
  const network = new Network();
  const [a, b] = [network.node(), network.node({ as: of })];
  const options = (text: string): object => {
    const [neighbor] = bgpSection(`  neighbors: [{address: fc00::9, as: ${of}, ${text}}]\n${policies}`).neighbors;
    return { import: neighbor!.import, export: neighbor!.export };
  };
  if (policies) for (const node of [a, b]) node.bgp = policiesOf(policies);
  network.connect(a, b, options(sender), options(receiver));
  network.start(a, b);
  network.settle();
  a.speaker.announce({ prefix });
  network.settle();
  return { network, a, b };
}

describe('RFC 8212', () => {
  test('8212 section 3: towards another AS nothing is sent without an export policy', () => {
    const { b, a } = pair(65001, '', 'import: any');
    assert.equal(b.view(a).prefixes.received, 0);
  });

  test('8212 section 3: from another AS nothing is eligible without an import policy, but it is there to be seen', () => {
    const { b } = pair(65001, 'export: any', '');
    assert.equal(b.unicast.size, 0);
    assert.deepEqual(b.speaker.routes(prefix).map(({ rejected, reason }) => [rejected, reason]), [[true, 'no import policy (RFC 8212)']]);
  });

  test('8212 section 3: with policies on both sides routes pass', () => {
    for (const [sender, receiver] of [
      ['export: any', 'import: any'],
      ['export: ["2001:db8::/32"]', 'import: ["2001:db8::/32"]'],
      ['export: {policy: all}', 'import: {policy: [all]}'],
    ] as const) {
      assert.deepEqual([...pair(65001, sender, receiver, '  policies: {all: {default: accept}}\n').b.unicast.keys()], [prefix], sender);
    }
  });

  test('8212 section 3: a policy without rules rejects', () => {
    const { b, a } = pair(65001, 'export: {policy: nothing}', 'import: any', '  policies: {nothing: {}}\n');
    assert.equal(b.view(a).prefixes.received, 0);
  });

  test('8212 section 2: inside the AS no policy is needed', () => {
    assert.deepEqual([...pair(65000, '', '').b.unicast.keys()], [prefix]);
  });

  test('8212: a policy that changes takes effect on the session that is up', () => {
    const { network, a, b } = pair(65001, 'export: any', 'import: {policy: p}', '  policies: {p: {}}\n');
    assert.equal(b.unicast.size, 0);
    assert.match(b.speaker.routes(prefix)[0]!.reason, /^import policy: p default$/);
    b.bgp = policiesOf('  policies: {p: {rules: [{set: {localPreference: 7}}]}}\n');
    b.speaker.reconfigure(b.config());
    network.settle();
    assert.equal(b.best(prefix)?.localPref, 7);
    assert.equal(b.view(a).establishedCount, 1);
  });
});
