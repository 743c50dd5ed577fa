import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cpnInstanceSize, decodeCpnBlock, encodeCpnBlock } from '../../../daemon/computing/block.js';
import type { Instance } from '../../../daemon/computing/types.js';
import { summarise, type AggregateIdentity } from '../../../daemon/hierarchy/summarise.js';
import { isDormant } from '../../../daemon/steering/feasibility.js';
import type { Candidate } from '../../../daemon/rib/candidate.js';
import { instance as instanceArbitrary } from '../computing/arbitraries.js';
import { exitOf, makeInstance, SERVICE } from '../rib/instances.js';

const IDENTITY: AggregateIdentity = { id: 0xffff_fffe, sid: { sid: 'fcbb:bb00:1:3::', behaviour: 0xffff, structure: { block: 32, node: 16, function: 16, argument: 0 } } };

const candidate = (instance: Instance, exit = 1): Candidate => ({ service: SERVICE, exit: exitOf(exit), instance, source: 'ospf', peer: '', sequence: 1n, originatedAt: 0n, receivedAt: 0, validityMs: 0, stale: false });
const of = (...instances: Instance[]): Instance => summarise(instances.map((each, i) => candidate(each, i + 1)), IDENTITY)!;

const candidates = (constraints: { readonly minLength?: number } = {}): fc.Arbitrary<Candidate[]> =>
  fc.array(instanceArbitrary, { minLength: 1, maxLength: 8, ...constraints }).map((instances) => instances.map((each, i) => candidate(each, i + 1)));

describe('the aggregate of a service', () => {
  it('is none without instances', () => {
    assert.equal(summarise([], IDENTITY), undefined);
  });

  it('adds capacities a class and chip, rates, queues and flows', () => {
    const sum = of(
      makeInstance(1, 1, { computing: [{ class: 1, chip: 1, total: 10n, residual: 4n }, { class: 2, chip: 2, total: 5n, residual: 5n }], load: { utilisation: 0, queueLength: 2, activeFlows: 3 } }),
      makeInstance(2, 1, { computing: [{ class: 1, chip: 1, total: 20n, residual: 1n }], load: { utilisation: 0, queueLength: 5, activeFlows: 1 } }),
    );
    assert.deepEqual(sum.computing, [{ class: 1, chip: 1, total: 30n, residual: 5n }, { class: 2, chip: 2, total: 5n, residual: 5n }]);
    assert.deepEqual([sum.load, sum.serviceDelay?.serviceRate], [{ utilisation: 0, queueLength: 7, activeFlows: 4 }, 400]);
    assert.deepEqual([sum.id, sum.aggregate, sum.draining, sum.sid], [IDENTITY.id, true, false, IDENTITY.sid]);
  });

  it('tells the delay of the best instance and the tail of the worst', () => {
    const delays = [[5000, 9000, 200], [2000, 3000, 100], [7000, 0, 100], [0, 0, 50]].map(([meanUs, p99Us, serviceRate]) => ({ meanUs: meanUs!, p99Us: p99Us!, serviceRate: serviceRate! }));
    // The last one states a rate alone: one request takes 20 ms.
    assert.deepEqual(of(...delays.map((serviceDelay) => makeInstance(1, 1, { serviceDelay }))).serviceDelay, { meanUs: 2000, p99Us: 20_000, serviceRate: 450 });
  });

  it('weighs utilisation, energy and price by service rate', () => {
    const make = (serviceRate: number, utilisation: number, mw: number, microUnits: bigint): Instance =>
      makeInstance(1, 1, {
        serviceDelay: { meanUs: 1000, p99Us: 1000, serviceRate },
        load: { utilisation, queueLength: 0, activeFlows: 0 },
        energy: { idleMw: mw, fullMw: 2 * mw },
        price: { microUnits, currency: 'EUR' },
      });
    const sum = of(make(300, 1000, 100, 10n), make(100, 9000, 500, 50n));
    assert.deepEqual([sum.load!.utilisation, sum.energy, sum.price], [3000, { idleMw: 200, fullMw: 400 }, { microUnits: 20n, currency: 'EUR' }]);
  });

  it('leaves out what not all state, prices of two currencies, and what an edge network has not', () => {
    const rich = makeInstance(1, 1, { energy: { idleMw: 1, fullMw: 2 }, price: { microUnits: 1n, currency: 'EUR' }, location: { latitude: 1, longitude: 2 }, interface: { capacity: 1n, available: 1n }, address: '2001:db8::1' });
    const alone = of(rich);
    assert.deepEqual([alone.location, alone.interface, alone.address], [undefined, undefined, undefined]);
    assert.ok(alone.energy && alone.price);
    const sum = of(rich, makeInstance(2, 1, { price: { microUnits: 1n, currency: 'USD' } }));
    assert.deepEqual([sum.energy, sum.price], [undefined, undefined]);
  });

  it('states a load even of instances that state none, so that nobody takes it for a service that does not run', () => {
    const sum = of(makeInstance(1, 1, { load: undefined, serviceDelay: undefined }));
    assert.deepEqual([sum.load, sum.serviceDelay, isDormant(sum)], [{ utilisation: 0, queueLength: 0, activeFlows: 0 }, undefined, false]);
  });

  it('drains only where all do, and counts those that drain only then', () => {
    const draining = makeInstance(1, 1, { draining: true });
    assert.deepEqual(of(draining, makeInstance(2, 1)), of(makeInstance(2, 1)));
    const all = of(draining, makeInstance(2, 1, { draining: true }));
    assert.deepEqual([all.draining, all.serviceDelay!.serviceRate], [true, 400]);
  });

  it('unites storage and algorithms', () => {
    const storage = (residual: bigint) => ({ ability: 2 as const, quality: 3, total: 100n, residual, readRate: 5n, writeRate: 1n });
    const sum = of(makeInstance(1, 1, { storage: [storage(10n)], algorithms: [7, 3] }), makeInstance(2, 1, { storage: [storage(20n)], algorithms: [3, 1] }));
    assert.deepEqual([sum.storage, sum.algorithms], [[{ ...storage(30n), total: 200n, readRate: 10n, writeRate: 2n }], [1, 3, 7]]);
  });

  it('states CATS metrics that all state, as aggregated ones', () => {
    const metric = { type: 5, level: 2, format: 0, source: 4, statistic: 1, unit: 0, windowMs: 100, value: 8n };
    const rate = { ...metric, type: 1, level: 0, unit: 3, value: 1000n };
    const sum = of(makeInstance(1, 1, { cats: [metric, rate] }), makeInstance(2, 1, { cats: [{ ...rate, value: 500n }, { ...metric, value: 2n, windowMs: 300 }] }));
    assert.deepEqual(sum.cats, [{ ...rate, source: 5, value: 1500n }, { ...metric, source: 5, windowMs: 300, value: 5n }]);
    assert.deepEqual(of(makeInstance(1, 1, { cats: [metric] }), makeInstance(2, 1)).cats, []);
  });

  it('grades the sum', () => {
    const small = makeInstance(1, 1, { computing: [{ class: 2, chip: 2, total: 400_000_000_000n, residual: 0n }] });
    assert.deepEqual([of(small).grade, of(small, small).grade], [4, 3]);
  });

  it('does not depend on the order of the instances', () => {
    fc.assert(
      fc.property(
        candidates().chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => assert.deepEqual(summarise(shuffled, IDENTITY), summarise(list, IDENTITY)),
      ),
    );
  });

  it('gains by every instance that joins: no capacity, rate or queue falls, the best delay and the grade do not get worse', () => {
    fc.assert(
      fc.property(candidates({ minLength: 2 }), (list) => {
        // So far from 2^64 that no sum ends there.
        const computing = (instance: Instance) => instance.computing.map((each) => ({ ...each, total: each.total >> 16n, residual: each.residual >> 16n }));
        const taking = list.map((each) => ({ ...each, instance: { ...each.instance, draining: false, computing: computing(each.instance) } }));
        const before = summarise(taking.slice(1), IDENTITY)!;
        const after = summarise(taking, IDENTITY)!;
        const power = ({ computing }: Instance, kind: number, field: 'total' | 'residual'): bigint => computing.filter((each) => each.class === kind).reduce((sum, each) => sum + each[field], 0n);
        for (const kind of [1, 2, 3]) for (const field of ['total', 'residual'] as const) assert.ok(power(after, kind, field) >= power(before, kind, field));
        assert.ok((after.serviceDelay?.serviceRate ?? 0) >= (before.serviceDelay?.serviceRate ?? 0));
        assert.ok((after.load?.queueLength ?? 0) >= (before.load?.queueLength ?? 0));
        if (before.serviceDelay && before.serviceDelay.meanUs > 0) assert.ok(after.serviceDelay!.meanUs <= before.serviceDelay.meanUs);
        assert.ok((after.serviceDelay?.p99Us ?? 0) >= (before.serviceDelay?.p99Us ?? 0));
        assert.ok((after.grade ?? 5) <= (before.grade ?? 5));
      }),
    );
  });

  it('fits an LSA and is read back as it was, whatever it stands for', () => {
    fc.assert(
      fc.property(candidates(), (list) => {
        const sum = summarise(list, IDENTITY)!;
        // The least of what carries it: a CPN LSA, with Service and Origin.
        assert.ok(cpnInstanceSize(sum) <= 1200, String(cpnInstanceSize(sum)));
        const origin = { exit: exitOf(1), sequence: 1n, originatedAt: 1n, validity: 0 };
        const decoded = decodeCpnBlock(encodeCpnBlock({ service: undefined, origin, instances: [sum] }));
        assert.ok(decoded.kind === 'block');
        assert.deepEqual([decoded.events, decoded.block.instances], [[], [sum]]);
      }),
    );
  });

  it('folds chips and qualities where there are too many of them', () => {
    const many = makeInstance(1, 1, { computing: Array.from({ length: 100 }, (_, chip) => ({ class: 2 as const, chip, total: 1n, residual: 1n })) });
    assert.deepEqual(of(many).computing, [{ class: 2, chip: 0, total: 100n, residual: 100n }]);
  });
});
