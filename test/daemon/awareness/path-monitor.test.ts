import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { PathMonitor, type ExitMeter } from '../../../daemon/awareness/path-monitor.js';
import { ManualClock } from '../../../daemon/clock.js';
import { EventLog } from '../../../daemon/events.js';
import type { PathState } from '../../../daemon/rib/candidate.js';
import type { RouteTable } from '../../../dataplane/dataplane.js';

const OWN = 'fc00:0:1::1';
const EXIT = 'fc00:0:11::1';
const SID = 'fcbb:bb00:11:e001::';
const TRANSIT = 'fcbb:bb00:2::';

type Lookup = Awaited<ReturnType<RouteTable['lookup']>>;

/** Lets promises that are settled run on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the path monitor', () => {
  let clock: ManualClock;
  let events: EventLog;
  let monitor: PathMonitor;
  let targets: string[];
  let told: [string, PathState][];
  let routes: Map<string, Lookup | Error>;
  let lookups: number;
  let measured: { alive: boolean; statistics: { rttUs: number | undefined; jitterUs: number; lossPpm: number } };
  const route = (changes: Partial<NonNullable<Lookup>> = {}): Lookup => ({ prefix: 'fcbb:bb00:11::/48', isDefault: false, interface: 'eth1', mtu: 1500, local: false, ...changes });

  beforeEach(() => {
    clock = new ManualClock();
    events = new EventLog(clock);
    targets = [];
    told = [];
    lookups = 0;
    routes = new Map([[SID, route()]]);
    measured = { alive: true, statistics: { rttUs: 20_000, jitterUs: 10, lossPpm: 0 } };
    const meter: ExitMeter = { setTargets: (exits) => (targets = [...exits]), state: (exit) => (targets.includes(exit) ? measured : undefined) };
    const table = {
      lookup: (address: string): Promise<Lookup> => {
        lookups++;
        const found = routes.get(address);
        return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
      },
    };
    monitor = new PathMonitor({ ownExit: OWN, cost: (address) => (address === SID ? 20 : undefined) }, table, meter, clock, events);
    monitor.onChange((exit, state) => told.push([exit, state]));
  });

  it('tells the state of every exit once its route was looked up', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    assert.equal(monitor.get(EXIT), undefined);
    await settle();
    assert.deepEqual(told, [[EXIT, { rttUs: 20_000, jitterUs: 10, lossPpm: 0, alive: true, cost: 20, mtu: 1500, resolved: true }]]);
    assert.deepEqual(monitor.get(EXIT), told[0]![1]);
    assert.deepEqual([...monitor.list()], [{ exit: EXIT, state: told[0]![1] }]);
  });

  it('the own exit needs neither probes nor a route', async () => {
    monitor.setExits(new Map([[OWN, 'fcbb:bb00:1:e001::'], [EXIT, SID]]));
    await settle();
    assert.deepEqual(targets, [EXIT]);
    assert.deepEqual(monitor.get(OWN), { rttUs: 0, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 65_536, resolved: true });
    assert.equal(lookups, 1);
  });

  it('a first SID that resolves by the default route, or by none, is not resolved', async () => {
    for (const found of [route({ isDefault: true }), undefined, new Error('netlink')]) {
      routes.set(SID, found);
      monitor.setExits(new Map());
      monitor.setExits(new Map([[EXIT, SID]]));
      await settle();
      assert.equal(monitor.get(EXIT)!.resolved, false);
    }
    assert.deepEqual(events.since().map(({ type }) => type), ['path.lookup-failed']);
  });

  it('follows the first SID when the way to an exit changes', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    await settle();
    monitor.setExits(new Map([[EXIT, TRANSIT]]));
    await settle();
    assert.deepEqual(told.map(([, { resolved, cost }]) => [resolved, cost]), [[true, 20], [false, 0]]);
  });

  it('tells route changes on a hint, and without one within a second', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    await settle();
    routes.set(SID, route({ mtu: 1400 }));
    monitor.refresh();
    await settle();
    routes.delete(SID);
    clock.advance(1000);
    await settle();
    assert.deepEqual(told.map(([, { resolved, mtu }]) => [resolved, mtu]), [[true, 1500], [true, 1400], [false, 0]]);
  });

  it('hints that come while lookups run are gathered into one more round', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    for (let i = 0; i < 100; i++) monitor.refresh();
    await settle();
    assert.equal(lookups, 2);
  });

  it('tells measured values only when they moved enough', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    await settle();
    for (const rttUs of [20_500, 21_900, 18_100]) {
      measured.statistics = { ...measured.statistics, rttUs };
      monitor.measured(EXIT);
    }
    assert.equal(told.length, 1);
    measured.statistics = { ...measured.statistics, rttUs: 22_500 };
    monitor.measured(EXIT);
    measured.statistics = { ...measured.statistics, lossPpm: 10_000 };
    monitor.measured(EXIT);
    assert.deepEqual(told.map(([, { rttUs, lossPpm }]) => [rttUs, lossPpm]), [[20_000, 0], [22_500, 0], [22_500, 10_000]]);
  });

  it('tells at once that an exit is lost and that it is back', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    await settle();
    measured.alive = false;
    monitor.aliveChanged(EXIT, false);
    measured.alive = true;
    monitor.aliveChanged(EXIT, true);
    assert.deepEqual(told.map(([, { alive }]) => alive), [true, false, true]);
    assert.deepEqual(events.since().map(({ type }) => type), ['stamp.exit-lost', 'stamp.exit-back']);
  });

  it('an exit that is no longer watched is not told', async () => {
    monitor.setExits(new Map([[EXIT, SID]]));
    monitor.setExits(new Map());
    await settle();
    monitor.aliveChanged(EXIT, false);
    assert.deepEqual(told, []);
    assert.deepEqual(targets, []);
  });

  it('works without STAMP', async () => {
    const bare = new PathMonitor({ ownExit: OWN, cost: () => 5 }, { lookup: () => Promise.resolve(route()) }, undefined, clock, events);
    bare.setExits(new Map([[EXIT, SID]]));
    await settle();
    assert.deepEqual(bare.get(EXIT), { rttUs: undefined, jitterUs: 0, lossPpm: 0, alive: true, cost: 5, mtu: 1500, resolved: true });
    bare.stop();
  });
});
