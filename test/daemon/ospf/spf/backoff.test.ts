import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../../daemon/clock.js';
import { SpfBackoff } from '../../../../daemon/ospf/spf/backoff.js';

const TIMERS = { initialDelayMs: 50, shortDelayMs: 200, longDelayMs: 5000, timeToLearnMs: 500, holdDownMs: 10_000 };

function backoff(): { clock: ManualClock; fsm: SpfBackoff; runs: number[] } {
  const clock = new ManualClock();
  const runs: number[] = [];
  const fsm = new SpfBackoff(clock, TIMERS, () => runs.push(clock.now()));
  return { clock, fsm, runs };
}

describe('SPF delay algorithm (RFC 8405)', () => {
  it('answers the first event after the initial delay and is quiet again after the hold-down', () => {
    const { clock, fsm, runs } = backoff();
    fsm.event();
    assert.equal(fsm.state, 'SHORT_WAIT');
    clock.advance(49);
    assert.deepEqual(runs, []);
    clock.advance(1);
    assert.deepEqual(runs, [50]);
    clock.advance(449);
    assert.equal(fsm.state, 'SHORT_WAIT');
    clock.advance(1);
    assert.equal(fsm.state, 'LONG_WAIT');
    clock.advance(9499);
    assert.equal(fsm.state, 'LONG_WAIT');
    clock.advance(1);
    assert.equal(fsm.state, 'QUIET');
    fsm.event();
    clock.advance(50);
    assert.deepEqual(runs, [50, 10_050]);
  });

  it('takes several events into one computation', () => {
    const { clock, fsm, runs } = backoff();
    for (let at = 0; at < 40; at += 10) {
      fsm.event();
      clock.advance(10);
    }
    clock.advance(10);
    assert.deepEqual(runs, [50]);
  });

  it('waits the short delay while it learns and the long one after', () => {
    const { clock, fsm, runs } = backoff();
    fsm.event();
    clock.advance(100);
    fsm.event();
    clock.advance(200);
    assert.deepEqual(runs, [50, 300]);
    clock.advance(300);
    assert.equal(fsm.state, 'LONG_WAIT');
    fsm.event();
    clock.advance(4999);
    assert.equal(runs.length, 2);
    clock.advance(1);
    assert.deepEqual(runs, [50, 300, 5600]);
  });

  it('stays in the long wait while events come within the hold-down', () => {
    const { clock, fsm } = backoff();
    fsm.event();
    clock.advance(600);
    for (let i = 0; i < 5; i++) {
      clock.advance(9000);
      fsm.event();
      assert.equal(fsm.state, 'LONG_WAIT');
    }
    clock.advance(10_000);
    assert.equal(fsm.state, 'QUIET');
  });

  it('goes from the short wait to quiet when the hold-down is shorter than learning', () => {
    const clock = new ManualClock();
    const fsm = new SpfBackoff(clock, { ...TIMERS, holdDownMs: 300 }, () => undefined);
    fsm.event();
    clock.advance(300);
    assert.equal(fsm.state, 'QUIET');
    clock.advance(1000);
    assert.equal(fsm.state, 'QUIET');
  });

  it('computes nothing after it is stopped', () => {
    const { clock, fsm, runs } = backoff();
    fsm.event();
    fsm.stop();
    clock.advance(20_000);
    assert.deepEqual(runs, []);
    assert.equal(fsm.state, 'QUIET');
  });
});
