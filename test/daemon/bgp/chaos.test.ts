import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Network, type Node } from './network.js';

const size = 4;
const prefixes = Array.from({ length: 6 }, (_, i) => `2001:db8:${i + 1}::/48`);
const index = fc.integer({ min: 0, max: size - 1 });

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('announce' as const), at: index, prefix: fc.constantFrom(...prefixes), med: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), at: index, prefix: fc.constantFrom(...prefixes) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clear' as const), at: index, soft: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('silence' as const), at: index, silent: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), at: index, graceful: fc.boolean(), downMs: fc.integer({ min: 0, max: 20_000 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 100_000 }) }) },
);

for (const addPath of [false, true]) {
  test(`A ring of four ASes ends with all routes everywhere, whatever happened to it on the way, ADD-PATH ${addPath ? 'on' : 'off'}`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const network = new Network();
        const nodes = Array.from({ length: size }, (_, i) => network.node({ as: 65001 + i }));
        const after = (at: number): Node => nodes[(at + 1) % size]!;
        const option = { addPath: { receive: addPath, send: addPath } };
        nodes.forEach((node, i) => network.connect(node, after(i), option, option));
        network.start(...nodes);
        const announced = nodes.map(() => new Map<string, number>());
        for (const action of steps) {
          if (action.kind === 'wait') {
            network.settle(action.ms);
            continue;
          }
          const node = nodes[action.at]!;
          const own = announced[action.at]!;
          if (action.kind === 'announce') {
            node.speaker.announce({ prefix: action.prefix, med: action.med });
            own.set(action.prefix, action.med);
          } else if (action.kind === 'withdraw') {
            node.speaker.withdraw(action.prefix);
            own.delete(action.prefix);
          } else if (action.kind === 'clear') node.speaker.clearNeighbor(after(action.at).address, action.soft);
          else if (action.kind === 'cut') network.links.reset(node.address, after(action.at).address);
          else if (action.kind === 'silence') network.links.setSilent(node.address, after(action.at).address, action.silent);
          else {
            node.speaker.stop({ graceful: action.graceful });
            network.settle(action.downMs);
            node.build({ restarting: action.graceful });
            for (const [prefix, med] of own) node.speaker.announce({ prefix, med });
            node.speaker.start();
          }
        }
        nodes.forEach((node, i) => network.links.setSilent(node.address, after(i).address, false));
        network.settle(600_000);
        const all = new Set(announced.flatMap((own) => [...own.keys()]));
        for (const [i, node] of nodes.entries()) {
          for (const neighbor of node.speaker.neighbors()) assert.equal(neighbor.state, 'Established', `${node.address} with ${neighbor.address}`);
          assert.deepEqual([...node.unicast.keys()].sort(), [...all].filter((prefix) => !announced[i]!.has(prefix)).sort(), node.address);
          assert.ok([...node.unicast.values()].every((best) => !best.stale));
          // What a neighbour holds from here is what this node has told it.
          for (const view of node.speaker.neighbors()) {
            const other = nodes.find((candidate) => candidate.address === view.address)!;
            assert.equal(other.view(node).prefixes.received, view.prefixes.sent, `${node.address} to ${view.address}`);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
}
