import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../daemon/clock.js';
import type { RequirementDefaults, ServiceConfig } from '../../../daemon/config/types.js';
import { silentLogger } from '../../../daemon/log.js';
import type { PathState } from '../../../daemon/rib/candidate.js';
import { wayName } from '../../../daemon/awareness/stamp/way.js';
import { ComputingRib } from '../../../daemon/rib/computing-rib.js';
import { encodeRequirementOption, NO_REQUIREMENTS, type Requirements } from '../../../daemon/steering/requirement-option.js';
import { DEFAULT_STRATEGY } from '../../../daemon/steering/strategies/strategy.js';
import { Steering, type SteeringConfig } from '../../../daemon/steering/steering.js';
import { assessCandidates, explain, fib, flowMatcher, pinnedFlows, type FlowSelection, type PinnedFlow } from '../../../daemon/steering/views.js';
import { NO_CANDIDATE, NO_SERVICE, type FlowKey } from '../../../dataplane/dataplane.js';
import { FakeFlowTable } from '../../../dataplane/fake.js';
import { encodeFlowKey } from '../../../dataplane/packet/flow-key.js';
import { exitOf, makeAdvertisement, makeInstance, SERVICE, sidOf } from '../rib/instances.js';

const OWN = 'fc00:0:1::1';
const IDLE_MS = 300_000;
const PATH: PathState = { rttUs: 10_000, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 1500, resolved: true };

const flow = (number: number, service = SERVICE): FlowKey => ({
  source: `2001:db8:c::${(number >> 12).toString(16)}`,
  destination: service,
  protocol: 17,
  sourcePort: 1024 + (number & 0xfff),
  destinationPort: 80,
});

/** A router's core over a flow table in memory. `paths` may be changed at will. */
class Bench {
  readonly rib: ComputingRib;
  readonly steering: Steering;
  readonly paths = new Map<string, Partial<PathState>>();
  config: SteeringConfig;

  constructor(
    services: readonly Partial<ServiceConfig>[] = [],
    readonly clock = new ManualClock(),
    readonly flows = new FakeFlowTable(() => BigInt(Math.round(clock.now() * 1e6))),
    config: Partial<SteeringConfig> = {},
  ) {
    this.config = { services: services.map(serviceConfig), flowIdleMs: IDLE_MS, maxFlows: 100_000, restartTimeMs: 60_000, prediction: { model: 'last', horizonMs: 0 }, ...config };
    this.rib = new ComputingRib({ clock, log: silentLogger, ownExit: OWN });
    this.steering = new Steering({
      clock,
      log: silentLogger,
      rib: this.rib,
      flows,
      config: this.config,
      pathState: (exit, transit) => ({ ...PATH, ...this.paths.get(wayName(exit, transit)) }),
      seed: 7,
    });
    this.rib.onChange((changed) => this.steering.onRibChange(changed));
    this.steering.start();
  }

  /** Exits 2, 3, 4 ... announce one instance each. */
  announce(...exits: number[]): this {
    for (const exit of exits) this.rib.advertise(makeAdvertisement(exit, 1));
    this.rib.flush();
    return this;
  }

  withdraw(exit: number): void {
    this.rib.withdraw('bgp', 'fc00:0:100::1', exit, SERVICE);
    this.rib.flush();
  }

  path(exit: number, change: Partial<PathState>): void {
    this.paths.set(exitOf(exit), { ...this.paths.get(exitOf(exit)), ...change });
    this.steering.onPathChange([exitOf(exit)]);
  }

  /** The way to an exit by transit SIDs. */
  way(exit: number, transit: readonly string[], change: Partial<PathState>): void {
    const name = wayName(exitOf(exit), transit);
    this.paths.set(name, { ...this.paths.get(name), ...change });
    this.steering.onPathChange([exitOf(exit)]);
  }

  /** First packets of flows `from` to `to` - 1, 10 ms apart, so that no own account builds up. */
  send(from: number, to: number, requirement?: Partial<Requirements>): string[] {
    const option = requirement && encodeRequirementOption({ ...NO_REQUIREMENTS, ...requirement });
    const ways: string[] = [];
    for (let i = from; i < to; i++) {
      this.clock.advance(10);
      ways.push(this.flows.packet(flow(i), option).segments.join(' '));
    }
    return ways;
  }

  /** Where each flow's next packet goes. */
  ways(count: number): string[] {
    return Array.from({ length: count }, (_, i) => this.flows.packet(flow(i)).segments.join(' '));
  }
}

const NO_DEFAULTS: RequirementDefaults = { maxLatencyUs: undefined, computing: undefined, stickiness: undefined, storage: undefined, network: undefined, algorithm: undefined, objective: undefined };

function serviceConfig(config: Partial<ServiceConfig>): ServiceConfig {
  return { id: SERVICE, via: {}, strategy: DEFAULT_STRATEGY, ...config, requirements: { ...NO_DEFAULTS, ...config.requirements } };
}

const tally = (ways: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const way of ways) counts[way] = (counts[way] ?? 0) + 1;
  return counts;
};

const SID2 = sidOf(2, 1);
const SID3 = sidOf(3, 1);
const SID4 = sidOf(4, 1);

describe('steering', () => {
  it('tells an unknown service from one without a usable exit', () => {
    const bench = new Bench([{ id: '2001:db8:5e::2' }]);
    assert.equal(bench.flows.packet(flow(1)).policy, NO_SERVICE);
    assert.equal(bench.flows.packet(flow(1, '2001:db8:5e::2')).policy, NO_CANDIDATE);
    bench.announce(2);
    bench.path(2, { alive: false });
    assert.equal(bench.flows.packet(flow(1)).policy, NO_CANDIDATE);
    assert.equal(bench.flows.size, 0);
  });

  it('sends a first packet to the lowest predicted latency and keeps the flow there', () => {
    const bench = new Bench().announce(2, 3);
    bench.path(2, { rttUs: 30_000 });
    const first = bench.flows.packet(flow(1));
    assert.deepEqual(first.segments, [SID3]);
    bench.path(2, { rttUs: 1000 });
    bench.clock.advance(200);
    assert.deepEqual(bench.flows.packet(flow(2)).segments, [SID2]);
    bench.flows.evict(flow(1));
    assert.deepEqual(bench.flows.packet(flow(1)), first, 'the daemon remembers what the kernel forgot');
    assert.equal(bench.steering.counters.repeated, 1);
  });

  it('gives the same flow the same instance in every run', () => {
    const ways = (): string[] => new Bench().announce(2, 3, 4).send(0, 50);
    assert.deepEqual(ways(), ways());
    assert.equal(new Set(ways()).size, 3);
  });

  it('shares new flows in proportion to the weights', () => {
    const bench = new Bench();
    bench.rib.advertise(makeAdvertisement(2, 1, { instances: [makeInstance(2, 1, { serviceDelay: { meanUs: 5000, p99Us: 0, serviceRate: 3000 } })] }));
    bench.rib.advertise(makeAdvertisement(3, 1, { instances: [makeInstance(3, 1, { serviceDelay: { meanUs: 5000, p99Us: 0, serviceRate: 1000 } })] }));
    bench.rib.flush();
    const counts = tally(bench.send(0, 2000));
    assert.ok(Math.abs(counts[SID2]! - 1500) < 100, JSON.stringify(counts));
    assert.equal(counts[SID2]! + counts[SID3]!, 2000);
  });

  it('spreads a burst beyond the best instance by its own account, before anybody announces load', () => {
    const bench = new Bench().announce(2, 3);
    bench.path(2, { rttUs: 5000 });
    for (let i = 0; i < 500; i++) {
      bench.clock.advance(1);
      bench.flows.packet(flow(i));
    }
    const counts = tally(bench.ways(500));
    assert.ok(counts[SID2]! > 200 && counts[SID3]! > 100, JSON.stringify(counts));
    bench.clock.advance(10_000);
    assert.deepEqual(bench.flows.packet(flow(501)).segments, [SID2], 'what was sent is served by now');
  });

  it('forgets its own account when a newer announcement counts it', () => {
    const bench = new Bench().announce(2, 3);
    bench.path(2, { rttUs: 5000 });
    for (let i = 0; i < 100; i++) bench.flows.packet(flow(i));
    const ownBacklog = (): number[] => assessCandidates(bench.steering, SERVICE, bench.clock.now()).map(({ input }) => input.ownBacklog);
    assert.ok(ownBacklog()[0]! > 0);
    bench.rib.advertise(makeAdvertisement(2, 2));
    bench.rib.flush();
    assert.equal(ownBacklog()[0], 0);
  });

  it('sends a flow with requirements elsewhere than the default', () => {
    const bench = new Bench();
    bench.rib.advertise(makeAdvertisement(2, 1));
    bench.rib.advertise(makeAdvertisement(3, 1, { instances: [makeInstance(3, 1, { algorithms: [9] })] }));
    bench.rib.flush();
    bench.path(3, { rttUs: 40_000 });
    assert.deepEqual(tally(bench.send(0, 5)), { [SID2]: 5 });
    assert.deepEqual(tally(bench.send(5, 10, { algorithm: 9 })), { [SID3]: 5 });
    assert.equal(bench.flows.packet(flow(11), encodeRequirementOption({ ...NO_REQUIREMENTS, algorithm: 10 })).policy, NO_CANDIDATE);
  });

  it('uses the defaults when the option is malformed or foreign, and counts only what is malformed', () => {
    const bench = new Bench().announce(2);
    for (let i = 0; i < 2; i++) assert.deepEqual(bench.flows.packet(flow(i), Uint8Array.of(0x43, 0x50, 1, 0, 1, 9)).segments, [SID2]);
    assert.deepEqual(bench.flows.packet(flow(2), Uint8Array.of(1, 2, 3)).segments, [SID2]);
    assert.equal(bench.steering.counters.malformedOption, 2);
  });

  it('never throws on any option data', () => {
    const bench = new Bench().announce(2, 3);
    let number = 0;
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }).map((data) => Uint8Array.from([0x43, 0x50, 1, 0, ...data]))), (data) => {
        assert.ok(bench.flows.packet(flow(number++), data).policy !== NO_SERVICE);
      }),
      { numRuns: 2000 },
    );
  });

  it('lets the stated requirement win over the configured default', () => {
    const bench = new Bench([{ requirements: { ...NO_DEFAULTS, maxLatencyUs: 1000 } }]).announce(2);
    assert.equal(bench.flows.packet(flow(1)).policy, NO_CANDIDATE);
    assert.deepEqual(bench.flows.packet(flow(1), encodeRequirementOption({ ...NO_REQUIREMENTS, latencyUs: 50_000 })).segments, [SID2]);
  });

  it('puts the configured transit SIDs before the instance SID', () => {
    const bench = new Bench([{ id: 'default', via: { [exitOf(2)]: [{ segments: ['fcbb:bb00:9:1::', 'fcbb:bb00:a:1::'], back: [] }] } }]).announce(2);
    assert.deepEqual(bench.flows.packet(flow(1)).segments, ['fcbb:bb00:9:1::', 'fcbb:bb00:a:1::', SID2]);
    bench.steering.reconfigure({ ...bench.config, services: [] });
    assert.deepEqual(bench.flows.packet(flow(1)).segments, [SID2], 'a pinned flow follows the way to its instance');
  });

  it('takes the first way of the list that is alive, and leads its policies another way when it is not', () => {
    const bench = new Bench([{ id: 'default', via: { [exitOf(2)]: [{ segments: ['fcbb:bb00:9:1::'], back: [] }, { segments: [], back: [] }, { segments: ['fcbb:bb00:a:1::'], back: [] }] } }]).announce(2);
    const by = (): readonly string[] => bench.flows.packet(flow(1)).segments;
    assert.deepEqual(by(), ['fcbb:bb00:9:1::', SID2]);
    bench.way(2, ['fcbb:bb00:9:1::'], { alive: false });
    assert.deepEqual(by(), [SID2], 'the plain way');
    bench.path(2, { resolved: false });
    assert.deepEqual(by(), ['fcbb:bb00:a:1::', SID2]);
    assert.equal(bench.steering.counters.movedPolicies, 0, 'to the same instance');
    bench.way(2, ['fcbb:bb00:9:1::'], { alive: true });
    assert.deepEqual(by(), ['fcbb:bb00:9:1::', SID2]);
  });

  it('predicts with the delay of the way that is taken', () => {
    const bench = new Bench([{ id: 'default', via: { [exitOf(2)]: [{ segments: ['fcbb:bb00:9:1::'], back: [] }, { segments: [], back: [] }] } }]);
    bench.way(2, ['fcbb:bb00:9:1::'], { rttUs: 40_000 });
    bench.announce(2);
    const rtt = (): number | undefined => assessCandidates(bench.steering, SERVICE, bench.clock.now())[0]?.prediction.pathUs;
    assert.equal(rtt(), 40_000);
    bench.way(2, ['fcbb:bb00:9:1::'], { alive: false });
    assert.equal(rtt(), PATH.rttUs);
  });

  it('keeps all flows of a client together while stickiness says so', () => {
    const bench = new Bench([{ requirements: { ...NO_DEFAULTS, stickiness: { mode: 'client', seconds: 100 } } }]).announce(2, 3, 4);
    const ways = bench.send(0, 40);
    assert.equal(new Set(ways).size, 1);
    assert.equal(bench.steering.counters.sticky, 39);
    assert.ok(new Set(bench.send(3 << 12, (3 << 12) + 1).concat(bench.send(5 << 12, (5 << 12) + 1), bench.send(6 << 12, (6 << 12) + 1), bench.send(7 << 12, (7 << 12) + 1))).size > 1, 'clients differ');
    const exit = ways[0] === SID2 ? 2 : ways[0] === SID3 ? 3 : 4;
    bench.withdraw(exit);
    assert.ok(!bench.send(40, 50).includes(ways[0]!));
  });
});

describe('failover', () => {
  it('moves the flows of a dead exit to the others by weight, and no other flow', () => {
    const bench = new Bench().announce(2, 3, 4);
    bench.send(0, 3000);
    const before = bench.ways(3000);
    const report = bench.steering.counters.movedFlows;
    bench.path(3, { alive: false });
    const after = bench.ways(3000);
    const moved = before.flatMap((way, i) => (way === SID3 ? [after[i]!] : []));
    assert.ok(moved.length > 800);
    assert.equal(bench.steering.counters.movedFlows - report, moved.length);
    const counts = tally(moved);
    assert.deepEqual(Object.keys(counts).sort(), [SID2, SID4].sort());
    assert.ok(Math.abs(counts[SID2]! - counts[SID4]!) < moved.length / 5, JSON.stringify(counts));
    before.forEach((way, i) => {
      if (way !== SID3) assert.equal(after[i], way);
    });
  });

  it('needs the same few writes whatever the number of flows', () => {
    const writes = (flows: number): number => {
      const bench = new Bench().announce(2, 3, 4);
      bench.send(0, flows);
      bench.paths.set(exitOf(3), { alive: false });
      return bench.steering.onPathChange([exitOf(3)]).writes;
    };
    assert.deepEqual([writes(0), writes(1000)], [16, 16]);
  });

  it('spreads by unequal weights: near and fast survivors take more', () => {
    const bench = new Bench().announce(2, 3, 4);
    bench.send(0, 1);
    const block = bench.steering.serviceState(SERVICE)!.member(exitOf(3), 1)!.block!;
    bench.path(4, { rttUs: 40_000 });
    bench.path(3, { alive: false });
    const counts = tally(block.targets.map((target) => target!.exit));
    assert.deepEqual(counts, { [exitOf(2)]: 12, [exitOf(4)]: 4 });
  });

  it('moves flows on when the one they were moved to dies as well', () => {
    const bench = new Bench().announce(2, 3, 4);
    bench.send(0, 300);
    bench.path(2, { alive: false });
    bench.withdraw(3);
    assert.deepEqual(tally(bench.ways(300)), { [SID4]: 300 });
  });

  it('drops while nobody is left, and goes back to the owner when it returns', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 200);
    const before = bench.ways(200);
    bench.path(2, { alive: false });
    bench.path(3, { alive: false });
    assert.deepEqual(tally(bench.ways(200)), { '': 200 });
    assert.equal(bench.flows.packet(flow(1000)).policy, NO_CANDIDATE);
    bench.path(3, { alive: true });
    assert.deepEqual(tally(bench.ways(200)), { [SID3]: 200 });
    assert.ok(before.includes(SID2));
  });

  it('gives each its own flows back when all were gone for a moment', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 200);
    const before = bench.ways(200);
    for (const alive of [false, true]) {
      for (const exit of [2, 3]) bench.paths.set(exitOf(exit), { alive });
      bench.steering.onPathChange([exitOf(2), exitOf(3)]);
    }
    assert.deepEqual(bench.ways(200), before);
    assert.equal(bench.steering.policies.size, 2);
  });

  it('steers the flows of an IPv4 service apart from those of IPv6, and finds them again by its address', () => {
    const service = '192.0.2.1';
    const sid = { sid: 'fcbb:bb00:2:e004::', behaviour: 0x11, structure: { block: 32, node: 16, function: 16, argument: 0 } };
    const bench = new Bench().announce(3);
    bench.rib.advertise(makeAdvertisement(2, 1, { service, instances: [makeInstance(2, 1, { sid })] }));
    bench.rib.flush();
    const from = (port: number): FlowKey => ({ source: '10.0.0.2', destination: service, protocol: 17, sourcePort: port, destinationPort: 80 });
    for (const port of [1, 2]) assert.deepEqual(bench.flows.packet(from(port)).segments, [sid.sid]);
    assert.deepEqual(bench.send(0, 1), [SID3]);
    assert.equal(bench.flows.packet({ ...from(3), destination: '192.0.2.2' }).policy, NO_SERVICE);
    const pinned = [...pinnedFlows([bench.steering], bench.flows, 0n, { service })].flat();
    assert.deepEqual(pinned.map(({ source, sourcePort, exit }) => [source, sourcePort, exit]).sort(), [['10.0.0.2', 1, exitOf(2)], ['10.0.0.2', 2, exitOf(2)]]);
    const explained = explain(bench.steering, service, bench.clock.now(), NO_REQUIREMENTS, '10.0.0.2');
    assert.equal(explained.chosen?.member.exit, exitOf(2));
    assert.ok(explained.candidates[0]!.reasons.some(({ text }) => text === 'the SID delivers IPv4'));
    // A client of the other version cannot be the source of such a flow: the best candidate is named.
    assert.equal(explain(bench.steering, service, bench.clock.now(), NO_REQUIREMENTS, '2001:db8::1').chosen?.member.exit, exitOf(2));
  });

  it('leaves moved flows where they are when the dead exit comes back, and gives it fresh ids', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 200);
    bench.path(3, { alive: false });
    const moved = bench.ways(200);
    assert.deepEqual(tally(moved), { [SID2]: 200 });
    const old = bench.steering.policies.size;
    bench.path(3, { alive: true });
    assert.deepEqual(bench.ways(200), moved);
    assert.equal(bench.steering.policies.size, old + 1);
    assert.ok(bench.send(200, 300).includes(SID3));
  });

  it('reuses the block of an exit that returns without any flow on it', () => {
    const bench = new Bench().announce(2, 3);
    for (let i = 0; i < 5; i++) {
      bench.path(3, { alive: false });
      bench.path(3, { alive: true });
      bench.withdraw(2);
      bench.announce(2);
    }
    assert.equal(bench.steering.policies.size, 2);
  });

  it('gives blocks back once the flows on them are gone', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 100);
    bench.path(3, { alive: false });
    bench.path(3, { alive: true });
    assert.equal(bench.steering.policies.size, 3);
    bench.flows.expire();
    assert.equal(bench.steering.pins.size, 0);
    bench.flows.pass();
    assert.equal(bench.steering.policies.size, 2);
  });

  it('keeps a block while the kernel has a flow on it that the daemon has no pin of', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 100);
    bench.path(3, { alive: false });
    bench.path(3, { alive: true });
    for (const batch of bench.flows.scanFlows()) bench.steering.onExpired(batch.map(({ key }) => key));
    bench.flows.pass();
    assert.equal(bench.steering.policies.size, 3);
  });

  it('forgets pins of flows that the kernel evicted and that never came back', () => {
    const bench = new Bench().announce(2);
    bench.send(0, 10);
    for (let i = 0; i < 5; i++) bench.flows.evict(flow(i));
    bench.flows.pass();
    bench.clock.advance(IDLE_MS + 1000);
    assert.equal(bench.steering.pins.size, 10, 'not before a pass says that the kernel has them no more');
    bench.flows.pass();
    bench.clock.advance(1000);
    assert.equal(bench.steering.pins.size, 5);
  });

  it('keeps pinned flows on a draining instance and sends new ones elsewhere', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 100);
    const before = bench.ways(100);
    bench.rib.advertise(makeAdvertisement(2, 2, { instances: [makeInstance(2, 1, { draining: true })] }));
    bench.rib.flush();
    assert.deepEqual(bench.ways(100), before);
    assert.deepEqual(tally(bench.send(100, 150)), { [SID3]: 50 });
  });

  it('keeps flows through a graceful restart of the peer', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 50);
    const before = bench.ways(50);
    bench.rib.markStale('bgp', 'fc00:0:100::1');
    bench.rib.flush();
    assert.deepEqual(bench.ways(50), before);
    assert.equal(bench.flows.packet(flow(99)).policy >= 0, true);
    bench.announce(2);
    bench.rib.sweepStale('bgp', 'fc00:0:100::1');
    bench.rib.flush();
    assert.deepEqual(tally(bench.ways(50)), { [SID2]: 50 });
  });

  it('follows a changed SID of the same instance without moving the flow', () => {
    const bench = new Bench().announce(2);
    bench.send(0, 10);
    const sid = { sid: 'fcbb:bb00:2:eeee::', behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } };
    bench.rib.advertise(makeAdvertisement(2, 2, { instances: [makeInstance(2, 1, { sid })] }));
    bench.rib.flush();
    assert.deepEqual(tally(bench.ways(10)), { 'fcbb:bb00:2:eeee::': 10 });
    assert.equal(bench.steering.counters.movedFlows, 0);
  });

  it('moves each service of an exit that dies, in one call', () => {
    const bench = new Bench();
    for (const exit of [2, 3]) for (let i = 1; i <= 20; i++) bench.rib.advertise(makeAdvertisement(exit, 1, { service: `2001:db8:5e::${i.toString(16)}` }));
    bench.rib.flush();
    bench.paths.set(exitOf(2), { alive: false });
    assert.deepEqual(bench.steering.onPathChange([exitOf(2)]), { services: 20, writes: 320, movedPolicies: 320, movedFlows: 0 });
  });

  it('carries the path MTU, lowers it on Packet Too Big for all ids of the instance and tries again after ten minutes', () => {
    const bench = new Bench().announce(2);
    const mtus = (): number[] => [...new Set([...fib(bench.steering, bench.flows, bench.clock.now(), SERVICE)][0]!.policies.map(({ mtu }) => mtu))];
    bench.path(2, { mtu: 1480 });
    assert.deepEqual(mtus(), [1480]);
    bench.flows.packetTooBig([SID2], 1400);
    assert.deepEqual(mtus(), [1400]);
    bench.announce(3);
    assert.ok([...fib(bench.steering, bench.flows, bench.clock.now(), SERVICE)][0]!.policies.every(({ mtu, exit }) => mtu === (exit === exitOf(2) ? 1400 : 1500)));
    bench.clock.advance(601_000);
    assert.ok(mtus().includes(1480) && !mtus().includes(1400));
  });

  it('never leaves a policy on a dead instance while another is usable, never moves a flow whose instance is usable, leaks no block', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('path' as const), exit: fc.integer({ min: 2, max: 4 }), alive: fc.boolean() }),
      fc.record({ kind: fc.constant('announce' as const), exit: fc.integer({ min: 2, max: 4 }), draining: fc.boolean() }),
      fc.record({ kind: fc.constant('withdraw' as const), exit: fc.integer({ min: 2, max: 4 }) }),
      fc.record({ kind: fc.constant('flows' as const), count: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant('expire' as const), count: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 15_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const bench = new Bench();
        let next = 0;
        let sequence = 1;
        let live: number[] = [];
        const wayOf = (): Map<number, string> => new Map(live.map((number) => [number, bench.flows.packet(flow(number)).segments.join(' ')]));
        const usable = (): Set<string> => {
          const sids = new Set<string>();
          for (const { exit, instance } of bench.rib.candidates(SERVICE)) if (bench.paths.get(exit)?.alive !== false) sids.add(instance.sid!.sid);
          return sids;
        };
        for (const item of events) {
          const before = wayOf();
          if (item.kind === 'path') bench.path(item.exit, { alive: item.alive });
          else if (item.kind === 'announce') bench.rib.advertise(makeAdvertisement(item.exit, ++sequence, { instances: [makeInstance(item.exit, 1, { draining: item.draining })] }));
          else if (item.kind === 'withdraw') bench.withdraw(item.exit);
          else if (item.kind === 'time') bench.clock.advance(item.ms);
          else if (item.kind === 'expire') {
            bench.flows.expire(live.slice(0, item.count).map((number) => flow(number)));
            live = live.slice(item.count);
          } else {
            for (let i = 0; i < item.count; i++) {
              if (bench.flows.packet(flow(next)).policy >= 0) live.push(next);
              next++;
            }
          }
          bench.rib.flush();
          const sids = usable();
          for (const [number, way] of wayOf()) {
            assert.equal(sids.has(way), sids.size > 0, `flow ${number} goes to ${way || 'nowhere'} with ${[...sids].join()} usable`);
            if (before.get(number) !== undefined && sids.has(before.get(number)!)) assert.equal(way, before.get(number));
          }
          for (const { policies } of fib(bench.steering, bench.flows, bench.clock.now())) {
            for (const { segments } of policies) assert.equal(sids.has(segments.join(' ')), sids.size > 0);
          }
          assert.equal(bench.steering.pins.size, live.length);
        }
        bench.flows.expire();
        bench.flows.pass();
        assert.equal(bench.steering.policies.size, usable().size);
      }),
      { numRuns: 300 },
    );
  });
});

describe('passes over the flows', () => {
  const event = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('path' as const), exit: fc.integer({ min: 2, max: 4 }), alive: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('packets' as const), from: fc.nat(40), count: fc.integer({ min: 1, max: 15 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), from: fc.nat(40), count: fc.integer({ min: 1, max: 10 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('evict' as const), from: fc.nat(40), count: fc.integer({ min: 1, max: 10 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), exit: fc.integer({ min: 2, max: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: IDLE_MS }) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('step' as const), flows: fc.integer({ min: 1, max: 10 }) }) },
  );

  /** Plays events in between the steps of passes; `check` sees what the kernel has, with the block each flow was pinned to. */
  function play(maxFlows: number, check: (bench: Bench, kernel: ReadonlyMap<number, { policy: number; block: unknown }>) => void): void {
    fc.assert(
      fc.property(fc.array(event, { minLength: 5, maxLength: 60 }), (events) => {
        const bench = new Bench([], undefined, undefined, { maxFlows }).announce(2, 3, 4);
        const kernel = new Map<number, { policy: number; block: unknown }>();
        let pass: Iterator<void> | undefined;
        const some = ({ from, count }: { from: number; count: number }): number[] => Array.from({ length: count }, (_, i) => from + i);
        for (const item of events) {
          if (item.kind === 'path') bench.path(item.exit, { alive: item.alive });
          else if (item.kind === 'time') bench.clock.advance(item.ms);
          else if (item.kind === 'clear') {
            const now = BigInt(Math.round(bench.clock.now() * 1e6));
            const cleared = [...bench.steering.clearFlows(flowMatcher(bench.steering, { exit: exitOf(item.exit) }), now)].reduce((a, b) => a + b, 0);
            const before = kernel.size;
            for (const [number, { policy }] of kernel) if (bench.steering.policies.targetOf(policy)?.exit === exitOf(item.exit)) kernel.delete(number);
            assert.equal(cleared, before - kernel.size);
          } else if (item.kind === 'step') {
            pass ??= bench.flows.passSteps(item.flows);
            if (pass.next().done === true) pass = undefined;
          } else {
            for (const number of some(item)) {
              if (item.kind === 'packets') {
                const { policy } = bench.flows.packet(flow(number));
                if (policy >= 0 && !kernel.has(number)) kernel.set(number, { policy, block: bench.steering.policies.blockOf(policy) });
              } else if (kernel.delete(number)) {
                if (item.kind === 'evict') bench.flows.evict(flow(number));
                else bench.flows.expire([flow(number)]);
              }
            }
          }
          check(bench, kernel);
        }
        while (pass && pass.next().done !== true);
        bench.flows.expire();
        bench.flows.pass();
        bench.clock.advance(2 * IDLE_MS);
        bench.flows.pass();
        bench.clock.advance(1000);
        bench.flows.pass();
        assert.equal(bench.steering.pins.size, 0);
        assert.ok(bench.steering.policies.size <= 3, 'blocks that no flow is on were given back');
      }),
      { numRuns: 300 },
    );
  }

  it('lose no pin of a flow that the kernel has, whatever comes and goes between their steps', () => {
    play(1000, (bench, kernel) => {
      for (const [number, { policy }] of kernel) assert.equal(bench.steering.pins.policyOf(encodeFlowKey(flow(number))), policy);
    });
  });

  it('give back no block that a flow is on, not even when there was no room for its pin', () => {
    play(6, (bench, kernel) => {
      for (const [number, { policy, block }] of kernel) assert.equal(bench.steering.policies.blockOf(policy), block, `the block of flow ${number}`);
    });
  });
});

describe('restart', () => {
  /** A daemon that pinned flows on exits 2 and 3, and its successor over the same dataplane. */
  function restarted(change: (bench: Bench) => void = () => undefined): { before: string[]; next: Bench } {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 100);
    change(bench);
    const before = bench.ways(100);
    bench.steering.stop();
    bench.flows.restart();
    return { before, next: new Bench([], bench.clock, bench.flows) };
  }

  it('leaves policies and flows as they are until candidates are back, and then too', () => {
    const { before, next } = restarted();
    assert.deepEqual(next.ways(100), before);
    assert.equal(next.steering.pins.size, 100);
    next.announce(3);
    assert.deepEqual(next.ways(100), before);
    next.announce(2);
    assert.deepEqual(next.ways(100), before);
    assert.equal(next.steering.policies.size, 2, 'the adopted blocks serve new flows');
    next.clock.advance(120_000);
    assert.deepEqual(next.ways(100), before);
  });

  it('moves flows of what did not come back when the restart time is over', () => {
    const { before, next } = restarted();
    next.announce(2);
    next.clock.advance(59_000);
    assert.deepEqual(next.ways(100), before);
    next.clock.advance(2000);
    assert.deepEqual(tally(next.ways(100)), { [SID2]: 100 });
  });

  it('keeps flows that had been moved away from their block owner', () => {
    const { before, next } = restarted((bench) => bench.path(3, { alive: false }));
    assert.deepEqual(tally(before), { [SID2]: 100 });
    next.announce(2, 3);
    assert.deepEqual(next.ways(100), before);
    next.clock.advance(120_000);
    assert.deepEqual(next.ways(100), before);
    assert.ok(next.send(100, 150).includes(SID3));
  });

  it('drops nothing when nobody comes back before the restart time, and gives the blocks back when the flows are gone', () => {
    const { before, next } = restarted();
    next.clock.advance(50_000);
    assert.deepEqual(next.ways(100), before);
    next.clock.advance(20_000);
    assert.deepEqual(tally(next.ways(100)), { '': 100 });
    next.flows.expire();
    next.flows.pass();
    assert.equal(next.steering.policies.size, 0);
    assert.equal(next.flows.packet(flow(1)).policy, NO_SERVICE);
  });

  it('forgets flows whose block nobody owns', () => {
    const bench = new Bench().announce(2);
    bench.send(0, 10);
    bench.flows.setBlockOwner(0, undefined);
    bench.steering.stop();
    bench.flows.restart();
    const next = new Bench([], bench.clock, bench.flows);
    assert.equal(next.flows.size, 0);
    next.announce(2);
    assert.deepEqual(next.flows.packet(flow(1)).segments, [SID2]);
  });
});

describe('views', () => {
  it('show what is measured of the ways now, also when no packet came since', () => {
    const bench = new Bench().announce(2, 3);
    bench.path(2, { rttUs: 90_000 });
    const shown = assessCandidates(bench.steering, SERVICE, bench.clock.now());
    assert.deepEqual(shown.map(({ input }) => [input.exit, input.path.rttUs]).sort(), [
      [exitOf(2), 90_000],
      [exitOf(3), 10_000],
    ]);
    assert.equal(shown.find(({ score }) => score === 0)?.input.exit, exitOf(3));
  });

  it('explain what a first packet gets by the same way that it gets it', () => {
    const bench = new Bench([{ requirements: { ...NO_DEFAULTS, maxLatencyUs: 60_000 } }]).announce(2, 3, 4);
    bench.path(3, { rttUs: 40_000 });
    bench.path(4, { alive: false });
    const answer = explain(bench.steering, SERVICE, bench.clock.now());
    assert.equal(answer.chosen?.member.exit, exitOf(2));
    assert.deepEqual(answer.requirements, [{ text: 'round trip with processing at most 60000 us', origin: 'default' }]);
    assert.deepEqual(answer.candidates.map(({ input, feasible }) => [input.exit, feasible]), [
      [exitOf(2), true],
      [exitOf(3), true],
      [exitOf(4), false],
    ]);
    assert.match(answer.verdict, /^exit fc00:0:2::1, instance 1 by fcbb:bb00:2:e001::: predicted 15000 us/);
    assert.deepEqual(answer.candidates[2]!.reasons.filter(({ ok }) => !ok).map(({ text }) => text), ['the exit does not answer probes']);

    const strict = explain(bench.steering, SERVICE, bench.clock.now(), { ...NO_REQUIREMENTS, latencyUs: 10 });
    assert.equal(strict.chosen, undefined);
    assert.match(strict.verdict, /none of 3 candidates is feasible/);
    assert.deepEqual(strict.requirements[0]?.origin, 'packet');
    assert.equal(explain(bench.steering, '2001:db8:5e::99', 0).known, false);
  });

  it('predict for a client what its next flow gets', () => {
    const bench = new Bench([{ requirements: { ...NO_DEFAULTS, stickiness: { mode: 'client', seconds: 100 } } }]).announce(2, 3, 4);
    for (let client = 1; client < 20; client++) {
      const [way] = bench.send(client << 12, (client << 12) + 1);
      const answer = explain(bench.steering, SERVICE, bench.clock.now(), NO_REQUIREMENTS, `2001:db8:c::${client.toString(16)}`);
      assert.deepEqual(answer.chosen?.member.segments.join(' '), way);
    }
  });

  it('list policies with their installation status', () => {
    const bench = new Bench().announce(2);
    bench.flows.refuse(3, 'no slot left');
    const [entry] = [...fib(bench.steering, bench.flows, bench.clock.now(), SERVICE)];
    assert.equal(entry?.policies.length, 16);
    assert.deepEqual(entry.policies[0], { id: 0, exit: exitOf(2), instance: 1, segments: [SID2], weight: 1 / 16, mtu: 1500, flows: 0, installed: true, error: undefined });
    assert.deepEqual([entry.policies[3]!.installed, entry.policies[3]!.error], [false, 'no slot left']);
  });

  it('list and clear pinned flows by service, client and exit', () => {
    const bench = new Bench().announce(2, 3);
    bench.send(0, 30);
    const now = (): bigint => BigInt(Math.round(bench.clock.now() * 1e6));
    const list = (selection: FlowSelection = {}): PinnedFlow[] => [...pinnedFlows([bench.steering], bench.flows, now(), selection)].flat();
    const all = list();
    assert.equal(all.length, 30);
    assert.equal(list({ limit: 7 }).length, 7);
    const on2 = all.filter(({ exit }) => exit === exitOf(2)).length;
    assert.equal(list({ exit: exitOf(2) }).length, on2);
    assert.equal(list({ service: '2001:db8:5e::9' }).length, 0);
    assert.deepEqual([all[0]!.service, all[0]!.destinationPort, all[0]!.ageMs], [SERVICE, 80, 290]);
    const cleared = [...bench.steering.clearFlows(flowMatcher(bench.steering, { exit: exitOf(2) }), now())];
    assert.equal(cleared.reduce((a, b) => a + b, 0), on2);
    assert.deepEqual([bench.flows.size, bench.steering.pins.size], [30 - on2, 30 - on2]);
  });
});

describe('the load of the next seconds', () => {
  /** Exit 2 is announced busier and busier, or calmer and calmer, every second; exit 3 stays at half load. */
  function scene(model: SteeringConfig['prediction']['model'], loads: readonly number[]): Bench {
    const bench = new Bench([], undefined, undefined, { prediction: { model, horizonMs: 1000 } });
    const announce = (exit: number, sequence: number, utilisation: number): void => {
      bench.rib.advertise(makeAdvertisement(exit, sequence, { instances: [makeInstance(exit, 1, { load: { utilisation, queueLength: 0, activeFlows: 0 } })] }));
    };
    announce(3, 1, 5000);
    loads.forEach((load, index) => {
      announce(2, index + 1, load);
      bench.rib.flush();
      if (index < loads.length - 1) bench.clock.advance(1000);
    });
    return bench;
  }
  const of = (bench: Bench, exit: number) => assessCandidates(bench.steering, SERVICE, bench.clock.now()).find(({ input }) => input.exit === exitOf(exit))!;

  it('decides where it is rising: a candidate below half load that fills up is worse than one that stays there', () => {
    const rising = Array.from({ length: 40 }, (_, i) => 900 + 100 * i);
    const last = scene('last', rising);
    const holt = scene('holt', rising);
    assert.equal(of(last, 2).input.load!.utilisation, rising.at(-1));
    assert.ok(of(holt, 2).input.load!.utilisation > of(last, 2).input.load!.utilisation - 100, String(of(holt, 2).input.load!.utilisation));
    assert.ok(of(holt, 2).prediction.waitUs !== of(last, 2).prediction.waitUs);
  });

  it('sees noise for what it is once it has learned: a peak among samples around a level is not the load of the next second', () => {
    let state = 1;
    const noisy = Array.from({ length: 200 }, () => 3000 + ((state = (state * 48_271) % 2_147_483_647) % 3000));
    const peak = [...noisy, 6000];
    const learned = of(scene('learned', peak), 2).input.load!.utilisation;
    assert.ok(learned > 4000 && learned < 5300, String(learned));
    assert.equal(of(scene('last', peak), 2).input.load!.utilisation, 6000);
  });

  it('counts in the predicted wait, the weights and the explanation alike', () => {
    const bench = scene('learned', [5000, 5000, 5000]);
    const assessment = of(bench, 2);
    assert.equal(assessment.input.load!.utilisation, 5000);
    const explanation = explain(bench.steering, SERVICE, bench.clock.now());
    const view = explanation.candidates.find(({ input }) => input.exit === exitOf(2))!.input.forecast!.view(bench.clock.now());
    assert.deepEqual(view, { model: 'learned', horizonMs: 1000, announced: { utilisation: 5000, queueLength: 0, activeFlows: 0 }, predicted: assessment.input.load, error: 0, lastValueError: 0, announcements: 3 });
  });

  it('begins anew with another model, and ends with a candidate that announces no load', () => {
    const bench = scene('last', [1000, 9000]);
    bench.steering.reconfigure({ ...bench.config, prediction: { model: 'holt', horizonMs: 2000 } });
    assert.deepEqual([of(bench, 2).input.forecast!.view(bench.clock.now())].map(({ model, horizonMs, announcements }) => [model, horizonMs, announcements]), [['holt', 2000, 1]]);
    bench.rib.advertise(makeAdvertisement(2, 9, { instances: [makeInstance(2, 1, { load: undefined })] }));
    bench.rib.flush();
    assert.equal(of(bench, 2).input.forecast, undefined);
    assert.equal(of(bench, 2).input.load, undefined);
  });
});
