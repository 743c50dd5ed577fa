import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { PathMonitor, type PathConsequence, type WayMeter, type WatchedWay } from '../../../daemon/awareness/path-monitor.js';
import { wayName } from '../../../daemon/awareness/stamp/way.js';
import { ManualClock } from '../../../daemon/clock.js';
import { EventLog } from '../../../daemon/events.js';
import type { PathState } from '../../../daemon/rib/candidate.js';
import type { RouteTable } from '../../../dataplane/dataplane.js';

const OWN = 'fc00:0:1::1';
const EXIT = 'fc00:0:11::1';
const SID = 'fcbb:bb00:11:e001::';
const TRANSIT = 'fcbb:bb00:2::';

const OUTAGE = { first: 17, last: 20, sinceUnixMs: 1_700_000_000_123, elapsedMs: 140.4 };

const plain = (exit: string, first: string): WatchedWay => ({ exit, transit: [], back: [], first });

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
  let measuredOf: Map<string, typeof measured>;
  let consequence: PathConsequence | undefined;
  let measured: { alive: boolean; statistics: { rttUs: number | undefined; jitterUs: number; lossPpm: number } };
  const route = (changes: Partial<NonNullable<Lookup>> = {}): Lookup => ({ prefix: 'fcbb:bb00:11::/48', isDefault: false, interface: 'eth1', mtu: 1500, local: false, ...changes });

  beforeEach(() => {
    clock = new ManualClock();
    events = new EventLog(clock);
    targets = [];
    told = [];
    lookups = 0;
    measuredOf = new Map();
    consequence = undefined;
    routes = new Map([[SID, route()]]);
    measured = { alive: true, statistics: { rttUs: 20_000, jitterUs: 10, lossPpm: 0 } };
    const meter: WayMeter = { setTargets: (ways) => (targets = [...ways].map(({ exit, transit }) => wayName(exit, transit))), state: (way) => (targets.includes(way) ? (measuredOf.get(way) ?? measured) : undefined) };
    const table = {
      lookup: (address: string): Promise<Lookup> => {
        lookups++;
        const found = routes.get(address);
        return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
      },
    };
    monitor = new PathMonitor({ ownExit: OWN, cost: (address) => (address === SID ? 20 : undefined) }, table, meter, clock, events);
    monitor.onChange(({ exit, transit }, state) => {
      told.push([wayName(exit, transit), state]);
      return consequence;
    });
  });

  it('tells the state of every exit once its route was looked up', async () => {
    monitor.setWays([plain(EXIT, SID)]);
    assert.equal(monitor.get(EXIT), undefined);
    await settle();
    assert.deepEqual(told, [[EXIT, { rttUs: 20_000, jitterUs: 10, lossPpm: 0, alive: true, cost: 20, mtu: 1500, resolved: true }]]);
    assert.deepEqual(monitor.get(EXIT), told[0]![1]);
    assert.deepEqual([...monitor.list()], [{ way: plain(EXIT, SID), state: told[0]![1], interface: 'eth1', gateway: undefined }]);
  });

  it('the own exit needs neither probes nor a route', async () => {
    monitor.setWays([plain(OWN, 'fcbb:bb00:1:e001::'), plain(EXIT, SID)]);
    await settle();
    assert.deepEqual(targets, [EXIT]);
    assert.deepEqual(monitor.get(OWN), { rttUs: 0, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 65_536, resolved: true });
    assert.equal(lookups, 1);
  });

  it('a first SID that resolves by the default route, or by none, is not resolved', async () => {
    for (const found of [route({ isDefault: true }), undefined, new Error('netlink')]) {
      routes.set(SID, found);
      monitor.setWays([]);
      monitor.setWays([plain(EXIT, SID)]);
      await settle();
      assert.equal(monitor.get(EXIT)!.resolved, false);
    }
    assert.deepEqual(events.since().map(({ type }) => type), ['path.lookup-failed']);
  });

  it('follows the first SID when the way to an exit changes', async () => {
    monitor.setWays([plain(EXIT, SID)]);
    await settle();
    monitor.setWays([plain(EXIT, TRANSIT)]);
    await settle();
    assert.deepEqual(told.map(([, { resolved, cost }]) => [resolved, cost]), [[true, 20], [false, 0]]);
  });

  it('tells route changes on a hint, and without one within a second', async () => {
    monitor.setWays([plain(EXIT, SID)]);
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
    monitor.setWays([plain(EXIT, SID)]);
    for (let i = 0; i < 100; i++) monitor.refresh();
    await settle();
    assert.equal(lookups, 2);
  });

  it('tells measured values only when they moved enough', async () => {
    monitor.setWays([plain(EXIT, SID)]);
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
    monitor.setWays([plain(EXIT, SID)]);
    await settle();
    measured.alive = false;
    monitor.aliveChanged(EXIT, false, OUTAGE);
    measured.alive = true;
    monitor.aliveChanged(EXIT, true, OUTAGE);
    assert.deepEqual(told.map(([, { alive }]) => alive), [true, false, true]);
    assert.deepEqual(events.since().map(({ type }) => type), ['stamp.exit-lost', 'stamp.exit-back']);
  });

  it('an exit that is no longer watched is not told', async () => {
    monitor.setWays([plain(EXIT, SID)]);
    monitor.setWays([]);
    await settle();
    monitor.aliveChanged(EXIT, false, OUTAGE);
    assert.deepEqual(told, []);
    assert.deepEqual(targets, []);
  });

  it('watches each way to an exit by itself, with the state of its own first SID', async () => {
    routes.set(TRANSIT, route({ mtu: 1280 }));
    const via: WatchedWay = { exit: EXIT, transit: [TRANSIT], back: [TRANSIT], first: TRANSIT };
    measuredOf.set(`${EXIT} by ${TRANSIT}`, { alive: false, statistics: { rttUs: 7000, jitterUs: 0, lossPpm: 0 } });
    monitor.setWays([via, plain(EXIT, SID)]);
    await settle();
    assert.deepEqual(targets, [`${EXIT} by ${TRANSIT}`, EXIT]);
    assert.deepEqual([monitor.get(EXIT, [TRANSIT])?.rttUs, monitor.get(EXIT, [TRANSIT])?.mtu, monitor.get(EXIT, [TRANSIT])?.alive], [7000, 1280, false]);
    assert.deepEqual([monitor.get(EXIT)?.rttUs, monitor.get(EXIT)?.mtu], [20_000, 1500]);
    assert.equal(monitor.ofExit(EXIT)?.rttUs, 20_000, 'the shorter one is dead');
    assert.equal(monitor.ofExit(OWN), undefined);
  });

  it('writes one event of a lost way: which replies are missing, since when, and what followed', async () => {
    monitor.setWays([plain(EXIT, SID)]);
    await settle();
    measured.alive = false;
    consequence = { replannedPolicies: 16, movedPolicies: 32, movedFlows: 7 };
    monitor.aliveChanged(EXIT, false, OUTAGE);
    const [event, ...more] = events.since();
    assert.equal(more.length, 0);
    assert.equal(
      event!.text,
      `exit ${EXIT} no longer answers probes: 17 to 20 are missing since 2023-11-14T22:13:20.123Z (140 ms); 16 policies lead another way to the same exit, 32 policies with 7 flows moved to other exits`,
    );
    assert.deepEqual(event!.fields, { exit: EXIT, via: '', firstMissing: 17, lastMissing: 20, since: '2023-11-14T22:13:20.123Z', elapsedMs: 140, ...consequence });
  });

  it('works without STAMP', async () => {
    const bare = new PathMonitor({ ownExit: OWN, cost: () => 5 }, { lookup: () => Promise.resolve(route()) }, undefined, clock, events);
    bare.setWays([plain(EXIT, SID)]);
    await settle();
    assert.deepEqual(bare.get(EXIT), { rttUs: undefined, jitterUs: 0, lossPpm: 0, alive: true, cost: 5, mtu: 1500, resolved: true });
    bare.stop();
  });
});
