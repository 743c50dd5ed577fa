import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isRoot } from './bgp-lab.js';
import { compareWithDevice, describeRoute } from './ospf-compare/compare.js';
import { bird, frr } from './ospf-compare/devices.js';

/** The whole comparison is a command of its own: `npm run ospf-compare`. */
describe('routes of random areas of 50 routers compared one by one', { concurrency: true }, () => {
  for (const device of [frr, bird]) {
    test(`ours and those of ${device.name}, also after changes`, { skip: !isRoot || !device.available }, async () => {
      const comparisons = await compareWithDevice(device, { topologies: 3, changes: 1, seed: 1 });
      assert.equal(comparisons.length, 6);
      for (const { step, routes, differences, kernel } of comparisons) {
        assert.ok(routes > 60, `${routes} routes after: ${step}`);
        const unexplained = differences.filter(({ deviation }) => deviation === undefined);
        assert.deepEqual(unexplained.map(({ prefix, ours, theirs }) => `${step}: ${prefix}: ours ${describeRoute(ours)}; theirs ${describeRoute(theirs)}`), []);
        if (!device.remembers) assert.deepEqual(kernel, [], `its kernel after: ${step}`);
      }
    });
  }
});
