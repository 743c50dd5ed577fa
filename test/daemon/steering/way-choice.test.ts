import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TransitPath } from '../../../daemon/config/types.js';
import type { PathState } from '../../../daemon/rib/candidate.js';
import { describeWays, type ChosenWay } from '../../../daemon/steering/way-choice.js';

const PATH: PathState = { rttUs: undefined, jitterUs: 0, lossPpm: 0, alive: true, cost: 10, mtu: 1500, resolved: true };
const ways: readonly TransitPath[] = [{ segments: ['fcbb::1', 'fcbb::2'], back: [] }, { segments: [], back: [] }];
const look =
  (states: Readonly<Record<string, Partial<PathState> & { resolves?: boolean }>>) =>
  (transit: readonly string[]): Omit<ChosenWay, 'transit'> => {
    const { resolves = true, ...path } = states[transit.join(' ')] ?? {};
    return { path: { ...PATH, ...path }, resolves };
  };

describe('What is said of the ways to an exit', () => {
  it('names each with its delay one way, and the one that is taken', () => {
    const text = describeWays(ways, ['fcbb::1', 'fcbb::2'], look({ 'fcbb::1 fcbb::2': { rttUs: 4501 }, '': { rttUs: 16_000 } }));
    assert.equal(text, 'ways: by fcbb::1 fcbb::2 (path delay 2251 us, taken), as the routes lead (path delay 8000 us)');
  });

  it('says why one is not taken', () => {
    assert.equal(describeWays(ways, [], look({ 'fcbb::1 fcbb::2': { alive: false } })), 'ways: by fcbb::1 fcbb::2 (does not answer), as the routes lead (not measured, taken)');
    assert.match(describeWays(ways, [], look({ 'fcbb::1 fcbb::2': { resolves: false } }))!, /by fcbb::1 fcbb::2 \(has no route\)/);
  });

  it('is nothing where there is but the way of the routes', () => {
    assert.equal(describeWays(undefined, [], look({})), undefined);
    assert.equal(describeWays([{ segments: [], back: [] }], [], look({})), undefined);
  });
});
