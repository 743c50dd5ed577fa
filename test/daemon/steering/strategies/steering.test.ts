import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../../daemon/clock.js';
import type { RequirementDefaults } from '../../../../daemon/config/types.js';
import { silentLogger } from '../../../../daemon/log.js';
import { ComputingRib } from '../../../../daemon/rib/computing-rib.js';
import { encodeRequirementOption, NO_REQUIREMENTS } from '../../../../daemon/steering/requirement-option.js';
import { DEFAULT_STRATEGY, type StrategyConfig } from '../../../../daemon/steering/strategies/strategy.js';
import { Steering, type SteeringConfig } from '../../../../daemon/steering/steering.js';
import { explain } from '../../../../daemon/steering/views.js';
import type { FlowKey } from '../../../../dataplane/dataplane.js';
import { FakeFlowTable, type PuntResult } from '../../../../dataplane/fake.js';
import { exitOf, makeAdvertisement, makeInstance, SERVICE, sidOf } from '../../rib/instances.js';

const flow = (number: number): FlowKey => ({ source: '2001:db8:c::1', destination: SERVICE, protocol: 17, sourcePort: 1024 + number, destinationPort: 80 });
const flows = (from: number, to: number): FlowKey[] => Array.from({ length: to - from }, (_, i) => flow(from + i));
const NO_DEFAULTS: RequirementDefaults = { maxLatencyUs: undefined, computing: undefined, stickiness: undefined, storage: undefined, network: undefined, algorithm: undefined, objective: undefined };

/** A steering with exits 2, 3 and 4 whose round trips are 10, 20 and 200 ms; the service takes 5 ms, 200 a second. */
class Bench {
  readonly clock = new ManualClock();
  readonly table = new FakeFlowTable(() => BigInt(Math.round(this.clock.now() * 1e6)));
  readonly rib = new ComputingRib({ clock: this.clock, log: silentLogger, ownExit: exitOf(1) });
  readonly steering: Steering;
  private readonly rtts = new Map([[exitOf(2), 10_000], [exitOf(3), 20_000], [exitOf(4), 200_000]]);

  constructor(strategy: StrategyConfig, requirements: Partial<RequirementDefaults> = {}) {
    this.steering = new Steering({
      clock: this.clock,
      log: silentLogger,
      rib: this.rib,
      flows: this.table,
      config: this.config(strategy, requirements),
      pathState: (exit) => ({ rttUs: this.rtts.get(exit), jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 1500, resolved: true }),
      seed: 7,
    });
    this.rib.onChange((changed) => this.steering.onRibChange(changed));
    this.steering.start();
    for (const exit of [2, 3, 4]) this.rib.advertise(makeAdvertisement(exit, 1, { instances: [makeInstance(exit, 1, exit === 4 ? { draining: true } : {})] }));
    this.rib.flush();
  }

  private config(strategy: StrategyConfig, requirements: Partial<RequirementDefaults> = {}): SteeringConfig {
    return { services: [{ id: 'default', via: {}, strategy, requirements: { ...NO_DEFAULTS, ...requirements } }], flowIdleMs: 300_000, maxFlows: 1000, restartTimeMs: 0, prediction: { model: 'last', horizonMs: 0 } };
  }

  change(strategy: StrategyConfig): void {
    this.steering.reconfigure(this.config(strategy));
  }

  words(): string {
    return explain(this.steering, SERVICE, this.clock.now()).strategy;
  }
}

const counts = (results: readonly PuntResult[]): number[] => [2, 3, 4].map((exit) => results.filter(({ segments }) => segments.at(-1) === sidOf(exit, 1)).length);

describe('strategies in the steering', () => {
  it('change at a reload, for the next flows: pinned ones stay where they are', () => {
    const bench = new Bench(DEFAULT_STRATEGY);
    const send = (list: readonly FlowKey[]): number[] => counts(list.map((each) => bench.table.packet(each)));
    assert.deepEqual([send(flows(0, 1)), bench.words()], [[1, 0, 0], 'weighted']);
    bench.change({ name: 'round-robin' });
    assert.deepEqual([send(flows(1, 11)), bench.words()], [[5, 5, 0], 'round-robin']);
    bench.change({ name: 'greedy', ownAccount: false });
    assert.deepEqual([send(flows(11, 21)), bench.words()], [[10, 0, 0], 'greedy without own account']);
    assert.deepEqual(send(flows(1, 11)), [5, 5, 0]);
  });

  it('none sends new flows to an instance that is draining', () => {
    for (const strategy of [{ name: 'local' }, { name: 'round-robin' }, { name: 'greedy', ownAccount: true }, { name: 'two-choices', choices: 8 }, { name: 'matching', minWindowMs: 1, maxWindowMs: 5 }, { name: 'adaptive', holdMs: 1000 }] as const) {
      const got = counts(flows(0, 40).map((each) => new Bench(strategy).table.packet(each)));
      assert.equal(got[2], 0, strategy.name);
      assert.equal(got[0]! + got[1]!, 40, strategy.name);
    }
  });

  it('looking does not use up a turn', () => {
    const bench = new Bench({ name: 'round-robin' });
    const first = bench.table.packet(flow(0)).segments;
    for (let i = 0; i < 3; i++) assert.notDeepEqual(explain(bench.steering, SERVICE, bench.clock.now(), NO_REQUIREMENTS, '2001:db8:c::1').chosen!.member.segments, first);
    assert.notDeepEqual(bench.table.packet(flow(1)).segments, first);
  });

  it('an equal reload keeps whose turn it is', () => {
    const bench = new Bench({ name: 'round-robin' });
    const got = flows(0, 10).map((each) => {
      bench.change({ name: 'round-robin' });
      return bench.table.packet(each);
    });
    assert.deepEqual(counts(got), [5, 5, 0]);
  });

  it('matching places the first packets of a window together, each flow once', () => {
    const bench = new Bench({ name: 'matching', minWindowMs: 1, maxWindowMs: 5 });
    const got = bench.table.burst([...flows(0, 8), ...flows(0, 8)]);
    // 5 ms a request: costs 15, 20, 25 ... ms at exit 2 against 25, 30 ... ms at exit 3.
    assert.deepEqual(counts(got.slice(0, 8)), [5, 3, 0]);
    assert.deepEqual(got.slice(8), got.slice(0, 8));
    assert.deepEqual([bench.steering.counters.steered, bench.steering.pins.size], [8, 8]);
  });

  it('matching leaves the place that only one request can use to that one', () => {
    const bench = new Bench({ name: 'matching', minWindowMs: 1, maxWindowMs: 5 });
    const strict = encodeRequirementOption({ ...NO_REQUIREMENTS, latencyUs: 16_000 });
    const got = bench.table.burst(flows(0, 8), ({ sourcePort }) => (sourcePort >= 1028 ? strict : undefined));
    assert.deepEqual(counts(got.slice(4)), [4, 0, 0]);
    assert.deepEqual(counts(got.slice(0, 4)), [1, 3, 0]);
  });

  it('matching answers a flow whose candidate went while it waited', () => {
    const bench = new Bench({ name: 'matching', minWindowMs: 1, maxWindowMs: 5 });
    const withdraw = (): void => {
      bench.rib.withdraw('bgp', 'fc00:0:100::1', 2, SERVICE);
      bench.rib.flush();
    };
    const got = bench.table.burst(flows(0, 4), ({ sourcePort }) => {
      if (sourcePort === 1027) withdraw();
      return undefined;
    });
    assert.deepEqual(counts(got), [0, 4, 0]);
  });
});
