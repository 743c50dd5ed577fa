import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TeDamping, matters, teMetricsOf, type TeMetrics } from '../../../daemon/ospf/te-metrics.js';

const POLICY = { minIntervalMs: 5000, maxIntervalMs: 120_000, threshold: 0.1 };

const metrics = (us: number, changes: Partial<TeMetrics> = {}): TeMetrics => ({
  delay: { us, anomalous: false },
  delayRange: undefined,
  delayVariationUs: 50,
  loss: { value: 0, anomalous: false },
  maximumBandwidth: 125_000_000,
  residualBandwidth: 125_000_000,
  availableBandwidth: 100_000_000,
  utilizedBandwidth: 25_000_000,
  ...changes,
});

const detail = { variationUs: 120.4, forwardUs: undefined, backwardUs: undefined, hops: 0, returnPathFollowed: undefined };
const statistics = { rttUs: 4001, minimumUs: 3900, meanUs: 4000, jitterUs: 10, lossPpm: 30_000, sent: 100, received: 97, lost: 3, late: 0 };

describe('TE metrics of a link', () => {
  it('are half of the round trip where the clocks allow no more, loss in units of 0.000003 %, bandwidths in octets per second', () => {
    const load = { receiveRate: 8e6, sendRate: 2e8, utilisation: 0.2, bandwidth: 1e9, faultShare: 0 };
    const found = teMetricsOf({ measurement: { answers: true, statistics, detail }, load });
    assert.deepEqual(found.delay, { us: 2001, anomalous: false });
    assert.equal(found.delayVariationUs, 120);
    assert.equal(found.loss?.value, 1_000_000); // 3 %
    assert.deepEqual([found.maximumBandwidth, found.availableBandwidth, found.utilizedBandwidth], [125_000_000, 100_000_000, 25_000_000]);
  });

  it('say nothing that was not measured', () => {
    assert.deepEqual(
      Object.values(teMetricsOf({ measurement: { answers: false, statistics, detail }, load: undefined })).filter((value) => value !== undefined),
      [],
    );
  });

  it('are one way where the clocks are synchronised, within 24 bits', () => {
    const long = teMetricsOf({ measurement: { answers: true, statistics, detail: { ...detail, forwardUs: 9e9 } }, load: undefined });
    assert.equal(long.delay?.us, 0xffffff);
  });
});

describe('damping of TE metrics', () => {
  it('takes what differs by more than the threshold and the noise', () => {
    assert.equal(matters(metrics(10_000), metrics(10_900), POLICY), false);
    assert.equal(matters(metrics(10_000), metrics(11_100), POLICY), true);
    assert.equal(matters(metrics(10), metrics(90), POLICY), false, 'noise of the clock');
    assert.equal(matters(metrics(10_000), metrics(10_000, { delay: undefined }), POLICY), true, 'silent neighbour');
    assert.equal(matters(metrics(10_000), metrics(10_000, { loss: { value: 400_000, anomalous: false } }), POLICY), true);
    assert.equal(matters(metrics(10_000), metrics(10_000, { utilizedBandwidth: 30_000_000 }), POLICY), false);
    assert.equal(matters(metrics(10_000), metrics(10_000, { utilizedBandwidth: 60_000_000 }), POLICY), true);
  });

  it('announces at once at first, then not before the least interval, and small changes after the longest', () => {
    const damping = new TeDamping(() => POLICY);
    assert.equal(damping.take('eth1', metrics(1000), 0).delay?.us, 1000);
    assert.equal(damping.take('eth1', metrics(9000), 1000).delay?.us, 1000);
    assert.equal(damping.take('eth1', metrics(9000), 5000).delay?.us, 9000);
    assert.equal(damping.take('eth1', metrics(9100), 20_000).delay?.us, 9000);
    assert.equal(damping.take('eth1', metrics(9100), 125_001).delay?.us, 9100);
  });

  it('forgets links that are gone', () => {
    const damping = new TeDamping(() => POLICY);
    damping.take('eth1', metrics(1000), 0);
    damping.keep(new Set());
    assert.equal(damping.take('eth1', metrics(2000), 1).delay?.us, 2000);
  });
});
