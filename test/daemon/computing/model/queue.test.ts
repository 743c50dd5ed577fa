import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { erlangC, gamma, meanResponse, predictQueue, weibullShape, type QueueModel, type QueuePrediction } from '../../../../daemon/computing/model/queue.js';
import { fitRateLatency, fitServedRequests, type ServedRequest } from '../../../../daemon/computing/model/queue-fit.js';
import { exponential, measured, simulate } from './queue-simulation.js';

const mm1: QueueModel = { servers: 1, meanUs: 10_000, serviceScv: 1, arrivalScv: 1 };

function predict(model: QueueModel, rate: number): QueuePrediction {
  const answer = predictQueue(model, rate);
  assert.ok(answer.ok, answer.ok ? '' : answer.reason);
  return answer.value;
}

const near = (actual: number, expected: number, share: number, what: string): void => assert.ok(Math.abs(actual / expected - 1) <= share, `${what}: ${actual} against ${expected}`);

describe('the black-box queue, by closed forms', () => {
  it('is exact for M/M/1: the wait is rho / (1 - rho) of the service time and the response is exponential', () => {
    const { waitUs, waitProbability, responseUs, responseP99Us, waitP99Us } = predict(mm1, 80);
    near(waitProbability, 0.8, 1e-12, 'probability');
    near(waitUs, 40_000, 1e-12, 'wait');
    near(responseUs, 50_000, 1e-12, 'response');
    near(responseP99Us, 50_000 * Math.log(100), 0.001, 'p99');
    near(waitP99Us, 50_000 * Math.log(80), 1e-9, 'p99 of the wait');
  });

  it('is exact for M/D/1 and M/G/1 (Pollaczek-Khinchine): half the wait without spread, more with it', () => {
    near(predict({ ...mm1, serviceScv: 0 }, 80).waitUs, 20_000, 1e-12, 'M/D/1');
    near(predict({ ...mm1, serviceScv: 3 }, 80).waitUs, 80_000, 1e-12, 'M/G/1');
  });

  it('is exact for M/M/2: C(2, 1) is a third', () => {
    near(erlangC(2, 1), 1 / 3, 1e-12, 'Erlang C');
    near(predict({ ...mm1, servers: 2 }, 100).waitUs, 1e6 / 3 / 100, 1e-12, 'wait');
  });

  it('gamma and the Weibull shape are those of tables: gamma(5) = 24, gamma(1/2)^2 = pi, spread 1 is exponential', () => {
    near(gamma(5), 24, 1e-12, 'gamma(5)');
    near(gamma(0.5) ** 2, Math.PI, 1e-12, 'gamma(1/2)');
    near(weibullShape(1), 1, 1e-9, 'shape');
    // Weibull of shape 2 (Rayleigh) has a squared coefficient of variation of 4 / pi - 1.
    near(weibullShape(4 / Math.PI - 1), 2, 1e-9, 'Rayleigh');
  });

  it('never waits less when more come, and never more with more servers', () => {
    const model = fc.record({ servers: fc.integer({ min: 1, max: 50 }), meanUs: fc.double({ min: 10, max: 1e6, noNaN: true }), serviceScv: fc.double({ min: 0, max: 10, noNaN: true }), arrivalScv: fc.double({ min: 0, max: 4, noNaN: true }) });
    const share = fc.double({ min: 0, max: 0.98, noNaN: true });
    fc.assert(
      fc.property(model, share, share, (queue, a, b) => {
        const full = (queue.servers * 1e6) / queue.meanUs;
        const [low, high] = [meanResponse(queue, Math.min(a, b) * full), meanResponse(queue, Math.max(a, b) * full)];
        const wider = meanResponse({ ...queue, servers: queue.servers + 1 }, Math.max(a, b) * full);
        return low <= high * (1 + 1e-9) && wider <= high * (1 + 1e-9) && low >= queue.meanUs;
      }),
    );
  });

  it('refuses what is no queue, and one that grows without end', () => {
    const reason = (model: QueueModel, rate: number): string => {
      const answer = predictQueue(model, rate);
      return answer.ok ? 'taken' : answer.reason;
    };
    assert.match(reason(mm1, 100), /grows without end/);
    assert.match(reason({ ...mm1, servers: 0 }, 1), /servers/);
    assert.match(reason({ ...mm1, servers: 1.5 }, 1), /servers/);
    assert.match(reason({ ...mm1, meanUs: NaN }, 1), /mean service time/);
    assert.match(reason({ ...mm1, serviceScv: -1 }, 1), /spread of the service time/);
    assert.match(reason(mm1, NaN), /rate/);
  });
});

describe('the black-box queue against a simulation of every request', () => {
  // Two-phase hyperexponential with a squared coefficient of variation of 4, mean 10 ms.
  const hyper = (random: () => number): number => (random() < 0.1127 ? exponential(44.365)(random) : exponential(5.635)(random));
  const cases: readonly [name: string, model: QueueModel, rate: number, service: (random: () => number) => number, share: number][] = [
    ['M/M/4 at 0.85', { ...mm1, servers: 4 }, 340, exponential(10), 0.1],
    ['M/D/4 at 0.85', { ...mm1, servers: 4, serviceScv: 0 }, 340, () => 10, 0.15],
    ['M/G/1 of spread 4 at 0.7', { ...mm1, serviceScv: 4 }, 70, hyper, 0.15],
    ['M/G/8 of spread 4 at 0.8', { ...mm1, servers: 8, serviceScv: 4 }, 640, hyper, 0.15],
  ];
  for (const [name, model, rate, service, share] of cases) {
    it(`${name}: mean response and p99`, () => {
      const simulated = measured(simulate({ servers: model.servers, rate, service, requests: 300_000, seed: 7 }));
      const predicted = predict(model, rate);
      near(predicted.responseUs, simulated.responseUs, share, 'response');
      near(predicted.responseP99Us, simulated.responseP99Us, 0.2, 'p99');
    });
  }
});

describe('the black-box queue from history', () => {
  it('finds servers, service time and spreads from single requests, and then predicts the pool at another rate', () => {
    const history = simulate({ servers: 3, rate: 240, service: exponential(10), requests: 20_000, seed: 3 });
    const fitted = fitServedRequests(history);
    assert.ok(fitted.ok);
    assert.equal(fitted.value.servers, 3);
    assert.equal(fitted.value.serversKnown, true);
    near(fitted.value.meanUs, 10_000, 0.03, 'mean');
    near(fitted.value.serviceScv, 1, 0.1, 'spread of service');
    near(fitted.value.arrivalScv, 1, 0.1, 'spread of arrivals');
    const later = measured(simulate({ servers: 3, rate: 255, service: exponential(10), requests: 300_000, seed: 1 }));
    const predicted = predict(fitted.value, 255);
    near(predicted.responseUs, later.responseUs, 0.15, 'response');
    near(predicted.responseP99Us, later.responseP99Us, 0.2, 'p99');
  });

  it('says that servers may be more where nobody waited', () => {
    const fitted = fitServedRequests(simulate({ servers: 64, rate: 100, service: exponential(10), requests: 500, seed: 5 }));
    assert.ok(fitted.ok);
    assert.equal(fitted.value.serversKnown, false);
  });

  it('finds a queue that explains rates and latencies', () => {
    const model: QueueModel = { servers: 4, meanUs: 10_000, serviceScv: 1, arrivalScv: 1 };
    const fitted = fitRateLatency([50, 100, 200, 300, 350, 380].map((rate) => ({ rate, latencyUs: meanResponse(model, rate) })));
    assert.ok(fitted.ok);
    assert.equal(fitted.value.servers, 4);
    near(fitted.value.meanUs, 10_000, 0.01, 'mean');
    near(meanResponse(fitted.value, 390), meanResponse(model, 390), 0.02, 'response where nobody looked');
  });

  it('refuses a history that is none', () => {
    const good: ServedRequest[] = simulate({ servers: 1, rate: 10, service: exponential(10), requests: 30, seed: 1 });
    for (const bad of [[], good.slice(0, 5), [...good, { arrivalMs: NaN, startMs: 1, endMs: 2 }], [...good, { arrivalMs: 5, startMs: 4, endMs: 6 }], [...good, { arrivalMs: 1, startMs: 2, endMs: 2 }]]) assert.equal(fitServedRequests(bad).ok, false);
    for (const bad of [[], [{ rate: 1, latencyUs: 1 }], Array.from({ length: 5 }, () => ({ rate: -1, latencyUs: 1 })), Array.from({ length: 5 }, () => ({ rate: 1, latencyUs: NaN }))]) assert.equal(fitRateLatency(bad).ok, false);
  });
});
