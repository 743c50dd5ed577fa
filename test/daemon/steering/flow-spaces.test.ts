import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FLOW_SPACES, NO_SERVICE, type FlowKey } from '../../../dataplane/dataplane.js';
import { FakeFlowTable } from '../../../dataplane/fake.js';
import { flowKeySpace } from '../../../dataplane/packet/flow-key.js';
import { BlockPool, FlowSpaces } from '../../../daemon/steering/flow-spaces.js';

const flow = (port: number): FlowKey => ({ source: '2001:db8:c::1', destination: '2001:db8:5e::1', protocol: 17, sourcePort: port, destinationPort: 80 });

describe('spaces of flows', () => {
  const setup = () => {
    const flows = new FakeFlowTable(() => 0n);
    const spaces = new FlowSpaces(flows);
    return { flows, parts: FLOW_SPACES.map((space) => spaces.of(space)) };
  };

  it('hand first packets, scans, expiries and passes to the one that they are of', () => {
    const { flows, parts } = setup();
    parts.forEach((part, number) => part.onPunt(() => 100 + number));
    const expired: number[][] = FLOW_SPACES.map(() => []);
    const seen: [policy: number, count: number][][] = FLOW_SPACES.map(() => []);
    parts.forEach((part, number) => {
      part.onExpired((keys) => expired[number]!.push(...keys.map((key) => flowKeySpace(key))));
      part.onPass({ begun: () => undefined, seen: (_, policies, count) => seen[number]!.push([policies[0]!, count]), ended: () => undefined });
    });
    // In turns, so that runs of one space are short.
    for (const space of [0, 0, 1, 2, 2, 2, 0, 1]) flows.packet(flow(flows.size), undefined, 48, FLOW_SPACES[space]);
    assert.deepEqual(parts.map((part) => [...part.scanFlows()].flat().map(({ policy }) => policy)), [[100, 100, 100], [101, 101], [102, 102, 102]]);
    flows.pass();
    assert.deepEqual(seen, [[[100, 2], [100, 1]], [[101, 1], [101, 1]], [[102, 3]]]);
    flows.expire();
    assert.deepEqual(expired, [[0, 0, 0], [1, 1], [2, 2, 2]]);
  });

  it('answer that a service is unknown where nobody steers', () => {
    const { flows, parts } = setup();
    parts[0]!.onPunt(() => 16);
    assert.equal(flows.packet(flow(1), undefined, 48, 'inward').policy, NO_SERVICE);
  });

  it('keep blocks apart by what stands beside them', () => {
    const { flows, parts } = setup();
    parts.forEach((part, number) => part.setBlockOwner(number, { service: '2001:db8:5e::1', exit: 'fc00:0:2::1', instance: 1 }));
    flows.restart();
    assert.deepEqual(parts.map((part) => part.adoptedBlocks().map(({ block }) => block)), [[0], [1], [2]]);
  });
});

describe('the pool of block numbers', () => {
  it('gives no number twice, and takes back what is claimed, given and taken in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('take' as const), fc.integer({ min: 0, max: 19 })), { maxLength: 60 }), (steps) => {
        const pool = new BlockPool(20);
        const used = new Set<number>();
        for (const step of steps) {
          if (step === 'take') {
            const number = pool.take();
            if (number === undefined) assert.equal(used.size, 20);
            else assert.ok(number < 20 && !used.has(number));
            if (number !== undefined) used.add(number);
          } else if (used.delete(step)) pool.give(step);
          else {
            pool.claim(step);
            used.add(step);
          }
        }
      }),
    );
  });
});
