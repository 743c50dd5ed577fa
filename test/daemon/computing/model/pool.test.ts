import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { capacityOf, checkCoefficients, chipFault, flopsPerCycleOf, mappedPeak, scalingCoefficient, type PoolChip } from '../../../../daemon/computing/model/chips.js';
import { PeakHistory, poolCapacity, redundantPower } from '../../../../daemon/computing/model/pool.js';

const gtx680: PoolChip = { kind: 'gpu', model: 'GTX 680', count: 1, cores: 1536, clockHz: 1.006e9 };
const cpu: PoolChip = { kind: 'cpu', model: 'EPYC', count: 2, cores: 8, clockHz: 3e9, operationsPerCycle: { parallel: 32 } };
const a100: PoolChip = { kind: 'gpu', model: 'NVIDIA A100-SXM4-80GB', count: 1, cores: 6912, clockHz: 1.41e9 };

function classes(chips: readonly PoolChip[], history = {}) {
  const capacity = poolCapacity(chips, history);
  assert.ok(capacity.ok, capacity.ok ? '' : capacity.reason);
  return Object.fromEntries(capacity.value.map((entry) => [entry.class, entry]));
}

describe('mapping functions and coefficients', () => {
  it('a GTX 680 has 2 x 1536 x 1006 MHz = 3.09 TFLOPS (survey section 3.2)', () => {
    assert.equal(mappedPeak(gtx680, 'parallel'), 3_090_432_000_000);
    assert.equal(classes([gtx680])['parallel']!.total, 3_090_432_000_000);
    assert.equal(classes([gtx680])['parallel']!.unit, 'FLOPS');
  });

  it('a processor counts operations for logical and its vectors for parallel computing', () => {
    const pool = classes([cpu]);
    assert.equal(pool['logical']!.total, 2 * 8 * 3e9 * 4);
    assert.equal(pool['logical']!.unit, 'OPS');
    assert.equal(pool['parallel']!.total, 2 * 8 * 3e9 * 32);
    assert.equal(pool['neural'], undefined);
  });

  it('tensor cores scale the neural class by their data sheet: an A100 has some 312 TFLOPS of FP16', () => {
    assert.equal(scalingCoefficient(a100, 'neural'), 16);
    assert.ok(Math.abs(classes([a100])['neural']!.total / 312e12 - 1) < 0.01);
    assert.ok(Math.abs(classes([a100])['parallel']!.total / 19.5e12 - 1) < 0.01);
  });

  it('a configured coefficient wins over the tables, and a measured peak over both', () => {
    assert.equal(scalingCoefficient(a100, 'neural', { gpu: { neural: 8 } }), 8);
    const measured = { ...a100, count: 3, measuredPeak: { neural: 2e14 } };
    assert.equal(mappedPeak(measured, 'neural'), 6e14);
    assert.equal(scalingCoefficient(measured, 'neural', { gpu: { neural: 8 } }), 1);
  });

  it('coefficients that are no positive numbers or name no chip are refused', () => {
    assert.equal(checkCoefficients({ gpu: { neural: 8 } }).ok, true);
    for (const bad of [{ gpu: { neural: NaN } }, { gpu: { neural: -1 } }, { abacus: { logical: 1 } }, { gpu: { neural: Infinity } }]) assert.equal(checkCoefficients(bad).ok, false);
  });

  it('vector units follow the flags of the processor', () => {
    assert.equal(flopsPerCycleOf(new Set(['avx512f', 'avx2', 'fma'])), 64);
    assert.equal(flopsPerCycleOf(new Set(['avx2', 'fma'])), 32);
    assert.equal(flopsPerCycleOf(new Set(['avx2'])), 2);
  });

  it('chips of one kind add up', () => {
    assert.equal(capacityOf([gtx680, gtx680, cpu]).get('parallel gpu'), 2 * 3_090_432_000_000);
  });
});

describe('the pool model, Eq. (1)', () => {
  it('makes up by q for what the pool shows beyond the sum of its chips, and C is then the average of the peaks', () => {
    const history = new PeakHistory();
    for (const peak of [2.6e12, 2.8e12, 3.0e12]) assert.ok(history.add(1000, peak).ok);
    const parallel = classes([gtx680], { parallel: history.average(2000)! })['parallel']!;
    assert.equal(parallel.historicalPeak, 2.8e12);
    assert.equal(parallel.redundancy, 2.8e12 - 3_090_432_000_000);
    assert.equal(parallel.total, 2.8e12);
    assert.equal(parallel.peaks, 3);
  });

  it('has no q without a history', () => {
    assert.equal(classes([gtx680])['parallel']!.redundancy, 0);
    assert.equal(classes([gtx680])['parallel']!.historicalPeak, undefined);
  });

  it('takes a pool of unknown chips for a black box: C is what it showed', () => {
    const pool = classes([], { neural: { value: 7e13, count: 2 } });
    assert.equal(pool['neural']!.total, 7e13);
    assert.equal(pool['parallel'], undefined);
  });

  it('does not believe a telephone that claims a petaflop', () => {
    const phone: PoolChip = { kind: 'cpu', model: 'phone', count: 1, cores: 8, clockHz: 3e9, operationsPerCycle: { parallel: 8 } };
    const parallel = classes([phone], { parallel: { value: 1e15, count: 1 } })['parallel']!;
    assert.equal(parallel.total, 2 * 8 * 3e9 * 8);
    assert.match(parallel.limited, /above 2 times what the chips add up to/);
    assert.match(chipFault({ ...phone, measuredPeak: { parallel: 1e17 } })!, /measured parallel peak of a cpu: 100000000000000000 is not from 0/);
  });

  it('refuses what is no pool, with a reason', () => {
    const reasonOf = (chips: readonly PoolChip[], history = {}): string => {
      const answer = poolCapacity(chips, history);
      return answer.ok ? 'it was taken' : answer.reason;
    };
    assert.match(reasonOf([]), /no chips and no history/);
    assert.match(reasonOf([{ ...gtx680, clockHz: NaN }]), /clock of a gpu: NaN/);
    assert.match(reasonOf([{ ...gtx680, cores: -1 }]), /cores of a gpu: -1/);
    assert.match(reasonOf([{ ...gtx680, kind: 'abacus' }]), /"abacus" is not one of cpu/);
    assert.match(reasonOf([{ ...gtx680, count: 0 }]), /number of chips: 0/);
    assert.match(reasonOf([gtx680], { parallel: { value: -1, count: 1 } }), /historical parallel peak/);
  });

  it('never gives a total that is not a finite number of 0 or more, whatever the chips', () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, 0, 1e300));
    const chip = fc.record({ kind: fc.constantFrom('cpu', 'gpu', 'dpu', 'npu', 'tpu', 'fpga', 'x', '__proto__'), model: fc.string(), count: number, cores: number, clockHz: number, measuredPeak: fc.record({ parallel: number }, { requiredKeys: [] }) });
    fc.assert(
      fc.property(fc.array<PoolChip>(chip, { maxLength: 4 }), fc.option(number, { nil: undefined }), (chips, peak) => {
        const answer = poolCapacity(chips, peak === undefined ? {} : { parallel: { value: peak, count: 1 } });
        if (!answer.ok) return answer.reason.length > 0;
        return answer.value.every(({ total }) => Number.isFinite(total) && total >= 0);
      }),
    );
  });

  it('keeps C between its bounds of the sum', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e15, noNaN: true }), fc.double({ min: 1, max: 1e18, noNaN: true }), (sum, peak) => {
        const total = sum + redundantPower(sum, peak).redundancy;
        return total <= 2 * sum * (1 + 1e-9) && total >= 0.02 * sum * (1 - 1e-9);
      }),
    );
  });
});

describe('the history of peaks', () => {
  it('counts what is inside its window only', () => {
    const history = new PeakHistory({ windowMs: 1000, most: 10 });
    history.add(0, 1e12);
    history.add(900, 3e12);
    assert.deepEqual(history.average(1000), { value: 2e12, count: 2 });
    assert.deepEqual(history.average(1500), { value: 3e12, count: 1 });
    assert.equal(history.average(5000), undefined);
  });

  it('is bounded: the oldest peak makes room', () => {
    const history = new PeakHistory({ windowMs: 1e9, most: 3 });
    for (let i = 1; i <= 5; i++) history.add(i, i);
    assert.deepEqual(history.average(10), { value: 4, count: 3 });
  });

  it('refuses peaks that are none', () => {
    const history = new PeakHistory();
    for (const value of [NaN, -1, 0, Infinity]) assert.equal(history.add(0, value).ok, false);
    assert.equal(history.add(NaN, 1).ok, false);
    assert.equal(history.average(0), undefined);
  });
});
