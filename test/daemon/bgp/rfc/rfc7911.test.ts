import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BgpNeighborConfig } from '../../../../daemon/config/types.js';
import { Network, type Node } from '../network.js';

const prefix = '2001:db8:1::/48';

/** Two sources of one prefix behind a middle that sends this towards the last. */
function line(send: Partial<BgpNeighborConfig>, receive: Partial<BgpNeighborConfig>): { network: Network; sources: Node[]; middle: Node; last: Node } {
  const network = new Network();
  const middle = network.node({ as: 65000 });
  const sources = [network.node({ as: 65001 }), network.node({ as: 65002 })];
  const last = network.node({ as: 65003 });
  for (const source of sources) network.connect(source, middle);
  network.connect(middle, last, send, receive);
  network.start(middle, ...sources, last);
  network.settle();
  for (const source of sources) source.speaker.announce({ prefix });
  network.settle();
  return { network, sources, middle, last };
}

const both = { receive: true, send: true };

test('7911 section 2: all paths of a prefix are sent, each with an identifier of its own', () => {
  const { last } = line({ addPath: both }, { addPath: both });
  const paths = last.paths(prefix);
  assert.deepEqual(paths.map(({ asPath }) => asPath).sort(), ['65000 65001', '65000 65002']);
  assert.equal(new Set(paths.map(({ pathId }) => pathId)).size, 2);
});

test('7911 section 3: a path is withdrawn by its identifier, and the others stay', () => {
  const { network, sources, last } = line({ addPath: both }, { addPath: both });
  const kept = last.paths(prefix).find(({ asPath }) => asPath.endsWith('65002'))!;
  sources[0]!.speaker.withdraw(prefix);
  network.settle();
  assert.deepEqual(last.paths(prefix).map(({ pathId, asPath }) => [pathId, asPath]), [[kept.pathId, '65000 65002']]);
});

test('7911 section 3: an announcement with the identifier of an earlier one replaces it', () => {
  const { network, sources, last } = line({ addPath: both }, { addPath: both });
  const before = last.paths(prefix).map(({ pathId }) => pathId).sort();
  sources[0]!.speaker.announce({ prefix, med: 9, communities: [(65001 << 16) | 1] });
  network.settle();
  assert.deepEqual(last.paths(prefix).map(({ pathId }) => pathId).sort(), before);
  assert.equal(last.paths(prefix).filter(({ communities }) => communities.length === 1).length, 1);
});

for (const [name, send, receive] of [
  ['the receiver does not offer to receive', both, { receive: false, send: true }],
  ['the sender does not offer to send', { receive: true, send: false }, both],
] as const) {
  test(`7911 section 4: only the best path is sent where ${name}`, () => {
    const { last } = line({ addPath: send }, { addPath: receive });
    assert.deepEqual(last.paths(prefix).map(({ pathId }) => pathId), [0]);
  });
}

test('7911 section 5: identifiers are of one session: another receiver may have others, and the best path is chosen without regard to them', () => {
  const { middle, last } = line({ addPath: both }, { addPath: both });
  assert.equal(middle.best(prefix)!.pathId, 0);
  assert.ok(last.paths(prefix).some(({ best }) => best));
});
