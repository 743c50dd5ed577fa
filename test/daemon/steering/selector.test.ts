import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Instance } from '../../../daemon/computing/types.js';
import type { Candidate, PathState } from '../../../daemon/rib/candidate.js';
import { predict } from '../../../daemon/steering/prediction.js';
import { largestRemainder } from '../../../daemon/steering/policies.js';
import { NO_REQUIREMENTS, type Requirements } from '../../../daemon/steering/requirement-option.js';
import { mergeRequirements } from '../../../daemon/steering/requirements.js';
import { assess, type SelectorInput } from '../../../daemon/steering/selector.js';
import { exitOf, makeInstance, SERVICE } from '../rib/instances.js';

const PATH: PathState = { rttUs: 10_000, jitterUs: 100, lossPpm: 0, alive: true, cost: 10, mtu: 1500, resolved: true };

function input(exit: number, instance: Partial<Instance> = {}, path: Partial<PathState> = {}, candidate: Partial<Candidate> = {}, ownBacklog = 0): SelectorInput {
  const made = makeInstance(exit, 1, instance);
  return {
    candidate: {
      service: SERVICE,
      exit: exitOf(exit),
      instance: made,
      source: 'bgp',
      peer: '',
      sequence: 1n,
      originatedAt: 0n,
      receivedAt: 0,
      validityMs: 0,
      stale: false,
      ...candidate,
    },
    path: { ...PATH, ...path },
    firstSidResolves: path.resolved ?? true,
    ownBacklog,
    load: made.load,
    freshness: 1,
  };
}

const want = (requirements: Partial<Requirements>): Requirements => ({ ...NO_REQUIREMENTS, ...requirements });
const weights = (inputs: SelectorInput[], requirements: Partial<Requirements> = {}): number[] => assess(inputs, want(requirements)).map(({ weight }) => Math.round(weight * 1000) / 1000);

describe('an aggregate that runs nothing yet', () => {
  const dormant = { aggregate: true, load: undefined, serviceDelay: undefined };

  it('gets no new flows and takes over none while another runs, however bad that is', () => {
    const busy = { load: { utilisation: 9900, queueLength: 50, activeFlows: 9 } };
    assert.deepEqual(weights([input(1, dormant), input(2, busy)]), [0, 1]);
    assert.deepEqual(assess([input(1, dormant), input(2, busy)], NO_REQUIREMENTS).map(({ spreadWeight }) => spreadWeight), [0, 1]);
    assert.deepEqual(weights([input(1, dormant), input(2, {}, {}, { stale: true })]), [0, 1]);
  });

  it('gets them where nothing that runs is feasible, and says why', () => {
    const [first, second] = assess([input(1, dormant), input(2, { draining: true })], NO_REQUIREMENTS, true);
    assert.deepEqual([first!.weight, second!.weight], [1, 0]);
    assert.ok(first!.reasons.some(({ code, text }) => code === 'dormant' && /the exit activates it/.test(text)));
    // One that states a load or a delay stands for instances that run.
    assert.deepEqual(weights([input(1, { ...dormant, serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 200 } }), input(2)]), [0.5, 0.5]);
  });
});

describe('prediction', () => {
  const load = (utilisation: number, queueLength = 0): Instance['load'] => ({ utilisation, queueLength, activeFlows: 0 });
  const total = (instance: Partial<Instance>, requirements: Partial<Requirements> = {}, backlog = 0): number =>
    Math.round(predict(makeInstance(1, 1, instance), PATH, want(requirements), backlog).totalUs);

  it('adds path round trip and mean service delay of an idle instance', () => assert.equal(total({}), 15_000));

  it('is S / (1 - rho) for one server, as in M/M/1', () => {
    assert.equal(total({ load: load(5000) }), 20_000);
    assert.equal(total({ load: load(8000) }), 35_000);
  });

  it('takes what a demand model says of a task whose work is known, its wait included, where one answers', () => {
    const estimate = { latencyUs: 12_000, lowUs: 9000, highUs: 15_000, level: 0.9, form: 'queueing' as const, beyond: [], runs: 80, scope: '' };
    const [fast, slow] = [input(1, { load: load(5000) }), input(2, { load: load(5000) })];
    const models = (candidate: Candidate) => (candidate.exit === exitOf(1) ? estimate : undefined);
    const [first, second] = assess([fast, slow], want({ workload: 1_000_000n }), true, models);
    assert.equal(first!.prediction.serviceUs, 12_000);
    assert.equal(first!.prediction.totalUs, 22_000);
    assert.ok(first!.reasons.some(({ code, text }) => code === 'demand' && /12000 us \(9000 to 15000 us for 90 % of runs\) by the queueing form from 80 runs/.test(text)));
    assert.equal(second!.prediction.demand, undefined);
    // Nothing is asked of the models where the task is not known, or where several instances stand for one.
    assert.equal(assess([fast], want({}), false, models)[0]!.prediction.demand, undefined);
    assert.equal(assess([input(1, { aggregate: true })], want({ workload: 1n }), false, models)[0]!.prediction.demand, undefined);
  });

  it('waits less where several servers share the load', () => {
    const several = { serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 2000 }, load: load(8000) };
    assert.ok(total(several) > 15_000 && total(several) < 20_000);
  });

  it('of an aggregate lies between its best and its worst instance by its load, and no request gets the sum of its computing power', () => {
    const aggregate = (utilisation: number): Partial<Instance> => ({ aggregate: true, serviceDelay: { meanUs: 5000, p99Us: 25_000, serviceRate: 20_000 }, load: load(utilisation) });
    const service = (instance: Partial<Instance>, requirements: Partial<Requirements> = {}): number => predict(makeInstance(1, 1, instance), PATH, want(requirements), 0).serviceUs;
    assert.deepEqual([0, 2500, 10_000].map((utilisation) => service(aggregate(utilisation))), [5000, 10_000, 25_000]);
    assert.equal(service(aggregate(0), { workload: 10n ** 9n }), 5000);
    assert.equal(service({ ...aggregate(0), serviceDelay: { meanUs: 8000, p99Us: 0, serviceRate: 0 }, load: load(9000) }), 8000, 'without a spread');
  });

  it('is bounded when the instance says it is full', () => assert.equal(total({ load: load(10_000) }), 10_000 + 5000 / 0.01));

  it('takes the advertised queue where it says more than the utilisation', () => assert.equal(total({ load: load(0, 40) }), 15_000 + 40 * 5000));

  it('takes the own account into the ranking and not into what is stated', () => {
    const prediction = predict(makeInstance(1, 1), PATH, NO_REQUIREMENTS, 10);
    assert.deepEqual([prediction.statedUs, prediction.totalUs], [15_000, 65_000]);
  });

  it('works out the service time from the workload and the residual capacity, and the transfer from the data size', () => {
    assert.equal(total({}, { workload: 8n * 10n ** 10n }), 10_000 + 10_000);
    assert.equal(total({ interface: { capacity: 10n ** 9n, available: 10n ** 8n } }, { dataSize: 12_500n }), 15_000 + 1000);
  });

  it('ranks an unmeasured path behind a measured one without calling it too slow', () => {
    const prediction = predict(makeInstance(1, 1), { ...PATH, rttUs: undefined }, NO_REQUIREMENTS, 0);
    assert.equal(prediction.statedUs, 5000);
    assert.ok(prediction.totalUs > 100_000);
  });

  it('knows nothing of an instance that says nothing', () => assert.equal(total({ serviceDelay: undefined, load: undefined }), 10_000));
});

describe('feasibility', () => {
  const ofService = (service: string, item: SelectorInput): SelectorInput => ({ ...item, candidate: { ...item.candidate, service } });
  /** [what, input, requirements, code of the reason against] */
  const CASES: readonly (readonly [string, SelectorInput, Partial<Requirements>, string])[] = [
    ['an exit that does not answer', input(1, {}, { alive: false }), {}, 'path'],
    ['a SID without a route', input(1, {}, { resolved: false }), {}, 'route'],
    ['an End.DX4 SID', input(1, { sid: { sid: 'fcbb:bb00:1:e001::', behaviour: 0x11, structure: { block: 32, node: 16, function: 16, argument: 0 } } }), {}, 'sid'],
    ['an End.DX6 SID of an IPv4 service', ofService('192.0.2.1', input(1)), {}, 'sid'],
    ['a draining instance', input(1, { draining: true }), {}, 'draining'],
    ['a latency above the maximum', input(1), { latencyUs: 14_999 }, 'latency'],
    ['a class that is not offered', input(1), { computing: { class: 3, minResidual: 1n } }, 'computing'],
    ['too little residual computing', input(1), { computing: { class: 2, minResidual: 9n * 10n ** 12n } }, 'computing'],
    ['no storage', input(1), { storage: { ability: 2, octets: 1n } }, 'storage'],
    ['too little storage', input(1, { storage: [{ ability: 2, quality: 2, total: 100n, residual: 10n, readRate: 0n, writeRate: 0n }] }), { storage: { ability: 2, octets: 11n } }, 'storage'],
    ['too little bandwidth', input(1, { interface: { capacity: 100n, available: 10n } }), { network: { minBandwidth: 11n, maxPdvUs: 1000, maxLossPpm: 0 } }, 'bandwidth'],
    ['too much delay variation', input(1), { network: { minBandwidth: 0n, maxPdvUs: 99, maxLossPpm: 0 } }, 'delayVariation'],
    ['too much loss', input(1, {}, { lossPpm: 2 }), { network: { minBandwidth: 0n, maxPdvUs: 1000, maxLossPpm: 1 } }, 'loss'],
    ['an algorithm that is not there', input(1, { algorithms: [1, 2] }), { algorithm: 3 }, 'algorithm'],
    ['a security level that no path offers', input(1), { security: 1 }, 'security'],
  ];
  for (const [name, item, requirements, code] of CASES) {
    it(`excludes ${name} and says so, in both ways of asking alike`, () => {
      const [quiet] = assess([item], want(requirements));
      const [told] = assess([item], want(requirements), true);
      assert.deepEqual([quiet!.feasible, quiet!.weight, told!.feasible], [false, 0, false]);
      assert.deepEqual(told!.reasons.filter(({ ok }) => !ok).map((reason) => reason.code), [code]);
    });
  }

  it('accepts what just meets every requirement', () => {
    const item = input(1, { algorithms: [3], interface: { capacity: 100n, available: 11n }, storage: [{ ability: 1, quality: 0, total: 5n, residual: 5n, readRate: 0n, writeRate: 0n }] });
    const [assessment] = assess([item], want({ latencyUs: 15_000, computing: { class: 2, minResidual: 8n * 10n ** 12n }, algorithm: 3, storage: { ability: 1, octets: 5n }, network: { minBandwidth: 11n, maxPdvUs: 100, maxLossPpm: 0 }, security: 0 }), true);
    assert.deepEqual(assessment!.reasons.filter(({ ok }) => !ok), []);
    assert.equal(assessment!.weight, 1);
  });

  it('never refuses for what this router sent itself: only the exit knows', () => {
    assert.equal(assess([input(1, {}, {}, {}, 1000)], want({ latencyUs: 20_000 }))[0]!.feasible, true);
  });
});

describe('selector', () => {
  it('sends new flows to the lowest predicted latency', () => assert.deepEqual(weights([input(1), input(2, {}, { rttUs: 20_000 })]), [1, 0]));

  it('shares them among candidates within a tenth of the best, by spare rate over latency', () => {
    const fast = { serviceDelay: { meanUs: 5000, p99Us: 0, serviceRate: 600 } };
    assert.deepEqual(weights([input(1), input(2, fast), input(3, {}, { rttUs: 11_600 })]), [0.25, 0.75, 0]);
  });

  it('falls back from rates to residual capacity to equal shares, as far as all candidates tell', () => {
    const silent = { serviceDelay: { meanUs: 5000, p99Us: 0, serviceRate: 0 } };
    const big = { ...silent, computing: [{ class: 2 as const, chip: 2, total: 0n, residual: 24n * 10n ** 12n }] };
    assert.deepEqual(weights([input(1), input(2, big)]), [0.25, 0.75]);
    assert.deepEqual(weights([input(1), input(2, { ...silent, computing: [] })]), [0.5, 0.5]);
  });

  it('prefers a loaded near instance only while it is still faster', () => {
    const loaded = (utilisation: number) => input(1, { load: { utilisation, queueLength: 0, activeFlows: 0 } });
    assert.deepEqual(weights([loaded(5000), input(2, {}, { rttUs: 20_000 })]), [1, 0]);
    assert.deepEqual(weights([loaded(9000), input(2, {}, { rttUs: 20_000 })]), [0, 1]);
  });

  it('uses stale candidates only while nothing fresh is feasible', () => {
    const stale = input(1, {}, {}, { stale: true });
    assert.deepEqual(weights([stale, input(2, {}, { rttUs: 50_000 })]), [0, 1]);
    assert.deepEqual(weights([stale, input(2, { draining: true })]), [1, 0]);
  });

  it('follows the objective weights a client gives', () => {
    const green = input(1, { energy: { idleMw: 10, fullMw: 20 }, price: { microUnits: 900n, currency: 'EUR' } }, { rttUs: 50_000 });
    const cheap = input(2, { energy: { idleMw: 100, fullMw: 200 }, price: { microUnits: 10n, currency: 'EUR' } }, { rttUs: 40_000 });
    const near = input(3, { energy: { idleMw: 90, fullMw: 200 }, price: { microUnits: 800n, currency: 'EUR' } });
    const none = { latency: 0, energy: 0, utilisation: 0, price: 0 };
    assert.deepEqual(weights([green, cheap, near], { objective: { ...none, energy: 1 } }), [1, 0, 0]);
    assert.deepEqual(weights([green, cheap, near], { objective: { ...none, price: 200 } }), [0, 1, 0]);
    assert.deepEqual(weights([green, cheap, near], { objective: { ...none, latency: 5 } }), [0, 0, 1]);
    assert.deepEqual(weights([green, cheap, near], { objective: none }), [0, 0, 1], 'no weights: latency');
  });

  it('spreads orphaned flows over all that are left, not only the best', () => {
    const spread = assess([input(1), input(2, {}, { rttUs: 40_000 }), input(3, {}, { alive: false })], NO_REQUIREMENTS).map(({ spreadWeight }) => spreadWeight);
    assert.ok(Math.abs(spread[0]! - 0.75) < 1e-9 && Math.abs(spread[1]! - 0.25) < 1e-9);
    assert.equal(spread[2], 0);
  });

  it('spreads them over infeasible and draining instances rather than drop them', () => {
    const spread = (...inputs: SelectorInput[]): number[] => assess(inputs, want({ latencyUs: 20_000 })).map(({ spreadWeight }) => spreadWeight);
    assert.deepEqual(spread(input(1, {}, { rttUs: 90_000 }), input(2, { draining: true })), [1, 0]);
    assert.deepEqual(spread(input(1, {}, { alive: false }), input(2, { draining: true })), [0, 1]);
  });

  it('gives shares that add up to one, and nothing to what is not feasible, whatever the candidates', () => {
    const candidate = fc.record({
      rttUs: fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: undefined }),
      alive: fc.boolean(),
      draining: fc.boolean(),
      stale: fc.boolean(),
      utilisation: fc.integer({ min: 0, max: 10_000 }),
      meanUs: fc.nat(1e6),
      serviceRate: fc.nat(1e5),
      backlog: fc.nat(1e5),
    });
    const objective = fc.option(fc.record({ latency: fc.nat(255), energy: fc.nat(255), utilisation: fc.nat(255), price: fc.nat(255) }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 8 }), fc.option(fc.nat(1e6), { nil: undefined }), objective, (items, latencyUs, weightsWanted) => {
        const inputs = items.map((item, index) =>
          input(
            index + 1,
            { draining: item.draining, load: { utilisation: item.utilisation, queueLength: 0, activeFlows: 0 }, serviceDelay: { meanUs: item.meanUs, p99Us: 0, serviceRate: item.serviceRate } },
            { rttUs: item.rttUs, alive: item.alive },
            { stale: item.stale },
            item.backlog,
          ),
        );
        const assessments = assess(inputs, want({ latencyUs, objective: weightsWanted }));
        const sum = (field: 'weight' | 'spreadWeight'): number => assessments.reduce((total, item) => total + item[field], 0);
        for (const item of assessments) {
          assert.ok(Number.isFinite(item.weight) && item.weight >= 0 && Number.isFinite(item.spreadWeight) && item.spreadWeight >= 0);
          if (!item.feasible) assert.equal(item.weight, 0);
          if (!item.usable) assert.equal(item.spreadWeight, 0);
        }
        assert.equal(Math.round(sum('weight') * 1e6), assessments.some(({ feasible }) => feasible) ? 1e6 : 0);
        assert.equal(Math.round(sum('spreadWeight') * 1e6), assessments.some(({ usable }) => usable) ? 1e6 : 0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('requirements', () => {
  it('take what the packet states and the defaults for the rest', () => {
    const merged = mergeRequirements(want({ latencyUs: 5, splittable: true }), want({ latencyUs: 9, algorithm: 7 }));
    assert.deepEqual([merged.latencyUs, merged.algorithm, merged.splittable, merged.storage], [5, 7, true, undefined]);
  });
});

describe('selection with aggregates', () => {
  const aggregate = (changes: Partial<Instance> = {}): Partial<Instance> => ({ aggregate: true, computing: [], storage: [], algorithms: [], ...changes });
  const requirements: readonly [name: string, wanted: Partial<Requirements>][] = [
    ['computing power', { computing: { class: 2, minResidual: 10n ** 15n } }],
    ['storage', { storage: { ability: 2, octets: 10n ** 15n } }],
    ['an algorithm', { algorithm: 7 }],
    ['bandwidth', { network: { minBandwidth: 10n ** 12n, maxPdvUs: 0xffffffff, maxLossPpm: 1_000_000 } }],
  ];
  for (const [name, wanted] of requirements) {
    it(`does not hold against an aggregate that it says nothing of ${name}`, () => {
      const [one, plain] = assess([input(1, aggregate()), input(2, { computing: [], interface: undefined })], want(wanted));
      assert.equal(one!.feasible, true);
      assert.equal(plain!.feasible, name === 'bandwidth');
    });
  }

  it('holds against it what it says', () => {
    const [one] = assess([input(1, aggregate({ algorithms: [1, 2] }))], want({ algorithm: 7 }), true);
    assert.equal(one!.feasible, false);
    assert.ok(one!.reasons.some(({ code, ok }) => code === 'aggregate' && ok));
  });

  it('shares new flows between aggregates and instances by rate and latency', () => {
    const delay = { meanUs: 5000, p99Us: 5000, serviceRate: 200 };
    assert.deepEqual(weights([input(1, aggregate({ serviceDelay: { ...delay, serviceRate: 600 } })), input(2, { serviceDelay: delay })]), [0.75, 0.25]);
  });
});

describe('largest remainder', () => {
  it('gives everybody the whole part of the share or one more, and all things away', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 8 }), fc.nat(16), fc.nat(100), (shares, total, turn) => {
        const counts = largestRemainder(shares, total, turn);
        const sum = shares.reduce((a, b) => a + b, 0);
        assert.equal(counts.reduce((a, b) => a + b, 0), sum === 0 ? 0 : total);
        if (sum === 0) return;
        counts.forEach((count, i) => {
          const exact = (shares[i]! / sum) * total;
          assert.ok(count >= Math.floor(exact + 1e-9) && count <= Math.ceil(exact - 1e-9), `${count} of ${exact}`);
        });
      }),
    );
  });
});

describe('old announcements', () => {
  const aged = (freshness: number): SelectorInput => ({ ...input(1), freshness });

  it('weaken a candidate: its latency counts as if it were longer', () => {
    assert.deepEqual(weights([aged(0.95), input(2)]), [0.487, 0.513]);
    assert.deepEqual(weights([aged(0.5), input(2)]), [0, 1], 'beyond the tolerance of the best');
  });

  it('leave it feasible where there is no other, and are told', () => {
    const [only] = assess([aged(0.5)], want({}), true);
    assert.ok(only!.feasible);
    assert.equal(only!.weight, 1);
    assert.match(only!.reasons.find(({ code }) => code === 'age')!.text, /overdue: the latency counts 2.0 times/);
  });
});
