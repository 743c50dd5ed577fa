import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FLAP_PENALTY, FlapDamping } from '../../../daemon/awareness/health/flap-damping.js';
import { HealthVerdict } from '../../../daemon/awareness/health/verdict.js';
import { ManualClock } from '../../../daemon/clock.js';
import type { FlapDampingConfig } from '../../../daemon/config/types.js';

const CONFIG: FlapDampingConfig = { halfLifeMs: 60_000, suppress: 3000, reuse: 750, maxSuppressMs: 300_000 };

describe('flap damping (RFC 2439)', () => {
  it('halves the penalty in each half-life', () => {
    const damping = new FlapDamping(CONFIG);
    damping.fell(0);
    assert.deepEqual([damping.penalty(0), damping.penalty(60_000), damping.penalty(120_000)], [FLAP_PENALTY, 500, 250]);
    assert.equal(damping.isSuppressed(0), false);
  });

  it('suppresses above the threshold until the penalty is down to the reuse threshold', () => {
    const damping = new FlapDamping(CONFIG);
    for (const at of [0, 1000, 2000]) damping.fell(at);
    assert.equal(damping.isSuppressed(2000), false, 'three falls have decayed to less than 3000');
    damping.fell(3000);
    assert.equal(damping.isSuppressed(3000), true);
    const left = damping.remainingMs(3000);
    assert.ok(left > 2 * CONFIG.halfLifeMs && left < 3 * CONFIG.halfLifeMs, `${left} ms from just under 4000 to 750`);
    assert.equal(damping.isSuppressed(3000 + left - 100), true);
    assert.equal(damping.isSuppressed(3000 + left), false);
  });

  it('never suppresses for longer than the maximum after the last fall, and less the sooner that was', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 200 }), (gaps) => {
        const damping = new FlapDamping(CONFIG);
        let now = 0;
        for (const gap of gaps) damping.fell((now += gap));
        assert.ok(damping.remainingMs(now) <= CONFIG.maxSuppressMs + 1);
        assert.equal(damping.isSuppressed(now + damping.remainingMs(now)), false);
      }),
    );
  });
});

describe('the verdict on an instance', () => {
  function bench(config: { holdDownMs: number; damping: FlapDampingConfig | undefined }): { clock: ManualClock; verdict: HealthVerdict; told: string[] } {
    const clock = new ManualClock();
    const told: string[] = [];
    return { clock, told, verdict: new HealthVerdict(config, clock, (status, reason) => told.push(`${clock.now()} ${status} ${reason}`.trim())) };
  }

  it('follows the checks at once without hold-down and damping', () => {
    const { clock, verdict, told } = bench({ holdDownMs: 0, damping: undefined });
    verdict.update('up', '');
    clock.advance(10);
    verdict.update('down', 'connection refused');
    clock.advance(10);
    verdict.update('up', '');
    assert.deepEqual(told, ['0 up', '10 down connection refused', '20 up']);
  });

  it('believes the first check, and after a fall only what has been good for the hold-down time', () => {
    const { clock, verdict, told } = bench({ holdDownMs: 5000, damping: undefined });
    verdict.update('up', '');
    verdict.update('down', 'x');
    clock.advance(1000);
    verdict.update('up', '');
    clock.advance(4000);
    verdict.update('down', 'y');
    clock.advance(1000);
    verdict.update('up', '');
    clock.advance(10_000);
    const held = 'held down: its checks must be good for 5000 ms';
    assert.deepEqual(told, ['0 up', '0 down x', `1000 down ${held}`, '5000 down y', `6000 down ${held}`, '11000 up']);
  });

  it('keeps an instance out that flaps, says why, and takes it back when its penalty has decayed', () => {
    const { clock, verdict, told } = bench({ holdDownMs: 0, damping: CONFIG });
    for (let i = 0; i < 4; i++) {
      verdict.update('up', '');
      clock.advance(100);
      verdict.update('down', 'x');
      clock.advance(100);
    }
    verdict.update('up', '');
    assert.match(told.at(-1)!, /^800 down suppressed for flapping: its penalty of 39\d\d must fall to 750, which takes 14\d s$/);
    clock.advance(140_000);
    assert.match(told.at(-1)!, /suppressed/);
    clock.advance(10_000);
    assert.match(told.at(-1)!, /up$/);
  });

  it('says nothing once it is stopped', () => {
    const { clock, verdict, told } = bench({ holdDownMs: 1000, damping: undefined });
    verdict.update('down', 'x');
    verdict.update('up', '');
    verdict.stop();
    const before = told.length;
    clock.advance(10_000);
    assert.equal(told.length, before);
  });
});
