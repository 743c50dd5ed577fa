import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Load } from '../../../../daemon/computing/types.js';
import { LoadForecast } from '../../../../daemon/steering/load/forecast.js';
import { LOAD_MODELS, loadModel } from '../../../../daemon/steering/load/model.js';

const load = (utilisation: number, queueLength = 0): Load => ({ utilisation, queueLength, activeFlows: 0 });

/** Uniform in [0, 1). */
function random(): () => number {
  let state = 12_345;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

describe('models of a load', () => {
  it('take a constant for what it is', () => {
    for (const name of LOAD_MODELS) {
      const model = loadModel(name);
      for (let second = 0; second < 30; second++) model.observe(second * 1000, 0.4);
      assert.ok(Math.abs(model.at(40_000) - 0.4) < 1e-9, name);
    }
  });

  it('of Holt carry a trend on, damped, at irregular times too', () => {
    const model = loadModel('holt');
    const times = [0, 700, 1900, 2500, 4200, 5000, 6300, 7100, 8800, 10_000];
    for (let round = 0; round < 10; round++) for (const time of times) model.observe(round * 11_000 + time, (round * 11_000 + time) * 1e-6);
    const slopeSeen = (model.at(110_000) - model.at(109_000)) / 1e-3;
    assert.ok(slopeSeen > 0.15 && slopeSeen <= 1, String(slopeSeen));
    const far = model.at(1_000_000);
    assert.ok(far < 0.115, `a damped trend ends: ${far}`);
  });

  it('that learn make less of noise around a level than the last value does, and as much of a walk', () => {
    const next = random();
    const errors = { noise: { learned: 0, last: 0 }, walk: { learned: 0, last: 0 } };
    for (const kind of ['noise', 'walk'] as const) {
      const models = { learned: loadModel('learned'), last: loadModel('last') };
      let value = 0.5;
      for (let second = 0; second < 1000; second++) {
        value = kind === 'noise' ? 0.3 + 0.4 * next() : Math.min(1, Math.max(0, value + 0.1 * (next() - 0.5)));
        for (const name of ['learned', 'last'] as const) {
          if (second > 100) errors[kind][name] += Math.abs(models[name].at(second * 1000) - value);
          models[name].observe(second * 1000, value);
        }
      }
    }
    assert.ok(errors.noise.learned < 0.85 * errors.noise.last, JSON.stringify(errors));
    assert.ok(errors.walk.learned < 1.05 * errors.walk.last, JSON.stringify(errors));
  });

  it('stay finite and at or above 0 whatever comes when', () => {
    fc.assert(
      fc.property(fc.constantFrom(...LOAD_MODELS), fc.array(fc.tuple(fc.integer({ min: -1000, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 200 }), fc.nat(100_000), (name, observations, ahead) => {
        const model = loadModel(name);
        let now = 0;
        for (const [step, value] of observations) {
          now += step;
          model.observe(now, value);
          const foretold = model.at(now + ahead);
          assert.ok(Number.isFinite(foretold) && foretold >= 0, `${name}: ${foretold}`);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the forecast of an instance', () => {
  it('takes silence for the last value seen again', () => {
    const next = random();
    const forecast = new LoadForecast({ model: 'learned', horizonMs: 1000 }, 0, load(5000));
    for (let second = 1; second < 200; second++) forecast.announced(second * 1000, load(3000 + Math.round(4000 * next())));
    forecast.announced(200_000, load(9000));
    const soon = forecast.at(200_000).utilisation;
    const later = forecast.at(230_000).utilisation;
    assert.ok(soon < 8000, `right after the peak a fall is expected: ${soon}`);
    assert.ok(later > 8500, `nobody said that it fell: ${later}`);
  });

  it('has news in at once, also such as come in quick succession', () => {
    for (const model of LOAD_MODELS) {
      const forecast = new LoadForecast({ model, horizonMs: 0 }, 0, load(1000));
      for (let second = 1; second < 20; second++) forecast.announced(second * 1000, load(1000));
      forecast.announced(19_050, load(9000, 40));
      const expected = forecast.at(19_060);
      assert.ok(expected.utilisation >= 8900 && expected.queueLength >= 30, `${model}: ${JSON.stringify(expected)}`);
    }
  });

  it('stays within what can be, for any announcements at any times', () => {
    const announcement = fc.record({ step: fc.integer({ min: 0, max: 200_000 }), utilisation: fc.nat(10_000), queueLength: fc.nat(0xffff_ffff) });
    fc.assert(
      fc.property(fc.constantFrom(...LOAD_MODELS), fc.nat(60_000), fc.array(announcement, { maxLength: 60 }), fc.nat(1_000_000), (model, horizonMs, announcements, wait) => {
        const forecast = new LoadForecast({ model, horizonMs }, 0, load(0));
        let now = 0;
        let longest = 0;
        for (const { step, utilisation, queueLength } of announcements) {
          now += step;
          longest = Math.max(longest, queueLength);
          forecast.announced(now, load(utilisation, queueLength));
          const expected = forecast.at(now + wait);
          now += wait;
          assert.ok(Number.isInteger(expected.utilisation) && expected.utilisation >= 0 && expected.utilisation <= 10_000, JSON.stringify(expected));
          assert.ok(Number.isInteger(expected.queueLength) && expected.queueLength >= 0 && expected.queueLength <= 2 * longest, JSON.stringify(expected));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('says how far it was off when an announcement came, and how far the value before was', () => {
    const forecast = new LoadForecast({ model: 'last', horizonMs: 500 }, 0, load(1000));
    assert.equal(forecast.view(0).error, undefined);
    forecast.announced(1000, load(2000));
    const { error, lastValueError, announcements } = forecast.view(1000);
    assert.deepEqual({ error, lastValueError, announcements }, { error: 1000, lastValueError: 1000, announcements: 2 });
  });

  it('works off a silence of weeks in little time', () => {
    const forecast = new LoadForecast({ model: 'holt', horizonMs: 1000 }, 0, load(4000));
    const begin = performance.now();
    assert.equal(forecast.at(30 * 86_400_000).utilisation, 4000);
    assert.ok(performance.now() - begin < 50);
  });
});
