import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Adaptive } from '../../../../daemon/steering/strategies/adaptive.js';
import { assign } from '../../../../daemon/steering/strategies/assignment.js';
import { createStrategy } from '../../../../daemon/steering/strategies/catalogue.js';
import { RoundRobin } from '../../../../daemon/steering/strategies/round-robin.js';
import type { Chooser, Offer, Situation, Strategy, StrategyConfig } from '../../../../daemon/steering/strategies/strategy.js';
import { seeded } from '../../../../bench/support/load-trace.js';

const SITUATION: Situation = { nowMs: 0, arrivalsPerSecond: 100, stalenessMs: 1000 };

/** An offer that keeps its own account. */
class TestOffer implements Offer {
  sent = 0;
  readonly isLocal: boolean;
  readonly pathUs: number;
  readonly perRequestUs: number;
  readonly weight: number;
  readonly spreadWeight: number;

  constructor(
    readonly name: string,
    readonly statedUs: number,
    changes: Partial<Pick<Offer, 'isLocal' | 'pathUs' | 'perRequestUs' | 'weight' | 'spreadWeight'>> = {},
  ) {
    this.isLocal = changes.isLocal ?? false;
    this.pathUs = changes.pathUs ?? 1000;
    this.perRequestUs = changes.perRequestUs ?? 1000;
    this.weight = changes.weight ?? 1;
    this.spreadWeight = changes.spreadWeight ?? 1;
  }

  get costUs(): number {
    return this.statedUs + this.sent * this.perRequestUs;
  }
}

const random = seeded(5);
const hash = (): number => Math.floor(random() * 0x1_0000_0000);

/** How many of so many flows each offer gets. */
function spread(chooser: Chooser, offers: readonly TestOffer[], flows: number): number[] {
  for (let i = 0; i < flows; i++) {
    const place = chooser.choose(hash());
    chooser.taken?.(place);
    offers[place]!.sent++;
  }
  return offers.map(({ sent }) => sent);
}

const CONFIGS: readonly StrategyConfig[] = [
  { name: 'weighted' },
  { name: 'local' },
  { name: 'round-robin' },
  { name: 'greedy', ownAccount: true },
  { name: 'greedy', ownAccount: false },
  { name: 'two-choices', choices: 2 },
  { name: 'matching', minWindowMs: 1, maxWindowMs: 5 },
  { name: 'adaptive', holdMs: 1000 },
];

describe('strategies', () => {
  it('choose one of the offers, whatever they are, and looking changes nothing', () => {
    const offer = fc.record({ stated: fc.integer({ min: 0, max: 1e7 }), isLocal: fc.boolean(), path: fc.oneof(fc.integer({ min: 0, max: 1e6 }), fc.constant(Infinity)), weight: fc.double({ min: 0.001, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(offer, { minLength: 1, maxLength: 12 }), fc.constantFrom(...CONFIGS), fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 20 }), (list, config, hashes) => {
        const offers = list.map(({ stated, isLocal, path, weight }, i) => new TestOffer(String(i), stated, { isLocal, pathUs: path, weight: i === 0 || i % 2 === 1 ? weight : 0, spreadWeight: weight }));
        const strategy = createStrategy(config);
        assert.deepEqual(strategy.config, config);
        const chooser = strategy.prepare(offers, SITUATION);
        for (const each of hashes) {
          const place = chooser.choose(each);
          assert.ok(Number.isInteger(place) && place >= 0 && place < offers.length);
          assert.equal(chooser.choose(each), place);
          chooser.taken?.(place);
          offers[place]!.sent++;
        }
      }),
    );
  });

  it('weighted: shares are the weights in the long run, and nothing goes to weight 0', () => {
    const offers = [0.5, 0, 0.3, 0.2].map((weight, i) => new TestOffer(String(i), 1000, { weight }));
    const counts = spread(createStrategy({ name: 'weighted' }).prepare(offers, SITUATION), offers, 20_000);
    assert.equal(counts[1], 0);
    for (const [i, share] of [0.5, 0, 0.3, 0.2].entries()) assert.ok(Math.abs(counts[i]! / 20_000 - share) < 0.015, String(counts));
  });

  it('round-robin: counts differ by one at most, also when offers are prepared anew in another order', () => {
    const strategy = new RoundRobin();
    const offers = ['c', 'a', 'd', 'b', 'e'].map((name) => new TestOffer(name, 1000));
    for (let i = 0; i < 40; i++) {
      offers.push(offers.shift()!);
      const counts = spread(strategy.prepare(offers), offers, 3);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, String(counts));
    }
  });

  it('round-robin: goes on behind one that left, and takes in one that came', () => {
    const strategy = new RoundRobin();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new TestOffer(name, 1));
    const turn = (...offers: TestOffer[]): string => {
      const chooser = strategy.prepare(offers);
      const place = chooser.choose(0);
      chooser.taken?.(place);
      return offers[place]!.name;
    };
    assert.deepEqual([turn(a!, b!, c!), turn(a!, b!, c!), turn(a!, c!), turn(a!, b!, c!), turn(b!)], ['a', 'b', 'c', 'a', 'b']);
  });

  it('local: own instances only, the best of them; without any those behind the nearest exit', () => {
    const strategy = createStrategy({ name: 'local' });
    const offers = [new TestOffer('far', 10), new TestOffer('own', 500, { isLocal: true }), new TestOffer('own too', 500, { isLocal: true })];
    assert.deepEqual(spread(strategy.prepare(offers, SITUATION), offers, 10), [0, 5, 5]);
    const away = [new TestOffer('near', 900, { pathUs: 100 }), new TestOffer('quick', 10, { pathUs: 200 })];
    assert.deepEqual(spread(strategy.prepare(away, SITUATION), away, 10), [10, 0]);
  });

  it('greedy: the best; its own account fills the others up to the same cost, and without it nobody else gets any', () => {
    const make = (): TestOffer[] => [new TestOffer('a', 1000), new TestOffer('b', 6000), new TestOffer('c', 50_000)];
    const offers = make();
    assert.deepEqual(spread(createStrategy({ name: 'greedy', ownAccount: true }).prepare(offers, SITUATION), offers, 15), [10, 5, 0]);
    const blind = make();
    assert.deepEqual(spread(createStrategy({ name: 'greedy', ownAccount: false }).prepare(blind, SITUATION), blind, 15), [15, 0, 0]);
  });

  it('best of two: the worst of equal weights is only taken when drawn twice, and unequal ones are drawn by weight', () => {
    const offers = [1, 2, 3, 4].map((cost) => new TestOffer(String(cost), cost * 1e6, { perRequestUs: 0 }));
    const counts = spread(createStrategy({ name: 'two-choices', choices: 2 }).prepare(offers, SITUATION), offers, 16_000);
    // The i-th best of n is the better of two draws with probability (2 (n - i) + 1) / n^2.
    for (const [i, parts] of [7, 5, 3, 1].entries()) assert.ok(Math.abs(counts[i]! / 1000 - parts) < 0.35, String(counts));
    const unequal = [new TestOffer('a', 1000, { spreadWeight: 3, perRequestUs: 10 }), new TestOffer('b', 1000, { spreadWeight: 1, perRequestUs: 30 })];
    const [a, b] = spread(createStrategy({ name: 'two-choices', choices: 2 }).prepare(unequal, SITUATION), unequal, 8000);
    assert.ok(Math.abs(a! / b! - 3) < 0.3, `${a} ${b}`);
  });

  it('matching: the window shortens with the arrival rate, between its bounds, and nobody waits long for nobody', () => {
    const strategy = createStrategy({ name: 'matching', minWindowMs: 1, maxWindowMs: 5 });
    const windowAt = (arrivalsPerSecond: number): number | undefined => strategy.prepare([new TestOffer('a', 1)], { ...SITUATION, arrivalsPerSecond }).windowMs;
    assert.deepEqual([0, 100, 500, 2000, 100_000].map(windowAt), [1, 1, 5, 2, 1]);
  });

  it('adaptive with old pictures: shares are what candidates can serve, evenly in time, whatever their announced cost', () => {
    const offers = [1000, 2000, 4000].map((perRequestUs, i) => new TestOffer(String(i), 10_000 * (i + 1), { perRequestUs }));
    const strategy = new Adaptive(1000);
    for (let i = 0; i < 100; i++) spread(strategy.prepare(offers, SITUATION), offers, 7);
    assert.deepEqual(offers.map(({ sent }) => sent), [400, 200, 100]);
  });

  it('adaptive: picks by arrivals, staleness and spread, says why, and keeps its pick for a while', () => {
    const alike = [new TestOffer('a', 1000), new TestOffer('b', 1050)];
    const apart = [new TestOffer('a', 1000), new TestOffer('b', 4000)];
    const pick = (strategy: Strategy, offers: readonly Offer[], arrivalsPerSecond: number, stalenessMs: number, nowMs = 0): string => strategy.prepare(offers, { nowMs, arrivalsPerSecond, stalenessMs }).words;
    assert.match(pick(new Adaptive(1000), apart, 1, 1000), /^adaptive: greedy \(1\.0 first packets a second, announcements every 1\.0 s \(old\): 0\.5 a candidate; costs 300 % apart\)$/);
    assert.match(pick(new Adaptive(1000), alike, 1000, 10), /^adaptive: weighted/);
    assert.match(pick(new Adaptive(1000), apart, 100, 1000), /^adaptive: evenly by capacity/);
    assert.match(pick(new Adaptive(1000), apart, 1000, 10), /^adaptive: matching/);
    const strategy = new Adaptive(1000);
    assert.match(pick(strategy, alike, 1000, 10, 5000), /weighted/);
    assert.match(pick(strategy, apart, 100, 1000, 5999), /weighted/);
    assert.match(pick(strategy, apart, 100, 1000, 6000), /evenly/);
  });
});

describe('assignment', () => {
  const costOf = (flow: readonly (readonly number[])[], costs: readonly (readonly number[])[], perRequest: readonly number[]): number => {
    let sum = 0;
    perRequest.forEach((step, candidate) => {
      let load = 0;
      flow.forEach((row, group) => {
        const count = row[candidate]!;
        if (count > 0) sum += count * costs[group]![candidate]!;
        load += count;
      });
      sum += (step * load * (load - 1)) / 2;
    });
    return sum;
  };

  /** The least cost over all ways to place the requests, one after the other. */
  const bruteForce = (costs: readonly (readonly number[])[], requests: readonly number[], perRequest: readonly number[], load: number[] = perRequest.map(() => 0), index = 0): number => {
    if (index === requests.length) return 0;
    let best = Infinity;
    perRequest.forEach((step, candidate) => {
      const own = costs[requests[index]!]![candidate]! + load[candidate]! * step;
      if (own === Infinity) return;
      load[candidate]!++;
      best = Math.min(best, own + bruteForce(costs, requests, perRequest, load, index + 1));
      load[candidate]!--;
    });
    return best;
  };

  it('is as cheap as the best of all ways to place the requests', () => {
    const cost = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 50 }) }, { weight: 1, arbitrary: fc.constant(Infinity) });
    const problem = fc.integer({ min: 1, max: 3 }).chain((candidates) =>
      fc.record({
        rows: fc.array(fc.record({ costs: fc.array(cost, { minLength: candidates, maxLength: candidates }), size: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 3 }),
        perRequest: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: candidates, maxLength: candidates }),
      }),
    );
    fc.assert(
      fc.property(problem, ({ rows, perRequest }) => {
        // A group for which nothing is feasible stays out; the others are placed whole.
        const costs = rows.map((row) => row.costs);
        const sizes = rows.map(({ size }) => size);
        const flow = assign(costs, sizes, perRequest);
        const placeable = rows.map((row) => row.costs.some((value) => value < Infinity));
        flow.forEach((row, group) => assert.equal(row.reduce((a, b) => a + b, 0), placeable[group] ? sizes[group] : 0));
        const requests = sizes.flatMap((size, group) => (placeable[group] ? new Array<number>(size).fill(group) : []));
        assert.equal(costOf(flow, costs, perRequest), bruteForce(costs, requests, perRequest));
      }),
      { numRuns: 300 },
    );
  });

  it('gives way: a request that can go to one candidate only pushes another off it', () => {
    assert.deepEqual(assign([[1, 2], [1, Infinity]], [1, 1], [100, 100]), [[0, 1], [1, 0]]);
  });
});
