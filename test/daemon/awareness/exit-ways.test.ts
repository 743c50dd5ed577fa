import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ExitWays } from '../../../daemon/awareness/exit-ways.js';
import type { WatchedWay } from '../../../daemon/awareness/path-monitor.js';
import type { ServiceConfig } from '../../../daemon/config/types.js';
import type { Candidate } from '../../../daemon/rib/candidate.js';

const EXIT = 'fc00:0:11::1';
const SID = 'fcbb:bb00:11:e001::';
const [A, B] = ['fcbb:bb00:21:1::', 'fcbb:bb00:22:1::'];

describe('the ways that are watched', () => {
  let candidates: Map<string, { exit: string; instance: { sid: { sid: string } | undefined } }[]>;
  let watched: WatchedWay[];
  let told: number;
  let ways: ExitWays;
  beforeEach(() => {
    candidates = new Map();
    watched = [];
    told = 0;
    ways = new ExitWays(
      (service) => (candidates.get(service) ?? []) as unknown as Candidate[],
      (all) => {
        told++;
        watched = [...all];
      },
    );
  });
  const candidate = (exit = EXIT, sid = SID): { exit: string; instance: { sid: { sid: string } } } => ({ exit, instance: { sid: { sid } } });
  const service = (id: string, via: ServiceConfig['via']): ServiceConfig => ({ id, via }) as ServiceConfig;

  it('are the plain one where nothing is listed, whose first SID is that of the instance', () => {
    candidates.set('s1', [candidate(), candidate()]);
    ways.track(['s1']);
    assert.deepEqual(watched, [{ exit: EXIT, transit: [], back: [], first: SID }]);
    ways.track(['s1']);
    assert.equal(told, 1, 'nothing new');
  });

  it('are all that a service lists, and go with its last candidate', () => {
    ways.configure([service('s1', { [EXIT]: [{ segments: [A], back: [A] }, { segments: [], back: [] }] }), service('default', { [EXIT]: [{ segments: [B], back: [] }] })]);
    candidates.set('s1', [candidate()]).set('s2', [candidate()]);
    ways.track(['s1', 's2']);
    assert.deepEqual(watched.map(({ transit, first }) => [transit.join(), first]), [[A, A], ['', SID], [B, B]]);
    candidates.delete('s1');
    ways.track(['s1']);
    assert.deepEqual(watched.map(({ transit }) => transit), [[B]]);
  });

  it('stay while another service has them, and follow the configuration', () => {
    candidates.set('s1', [candidate()]).set('s2', [candidate()]);
    ways.track(['s1', 's2']);
    candidates.delete('s1');
    ways.track(['s1']);
    assert.equal(watched.length, 1);
    ways.configure([service('default', { [EXIT]: [{ segments: [A], back: [] }] })]);
    assert.deepEqual(watched.map(({ transit }) => transit), [[A]]);
  });

  it('leave out an instance without a SID, which has no first SID to look up', () => {
    candidates.set('s1', [{ exit: EXIT, instance: { sid: undefined } }]);
    ways.track(['s1']);
    assert.equal(told, 0);
  });
});
