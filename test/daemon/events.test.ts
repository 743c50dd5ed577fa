import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../daemon/clock.js';
import { EventLog } from '../../daemon/events.js';

describe('the event log', () => {
  it('numbers events, tells them, and keeps the last ones', () => {
    const clock = new ManualClock(5000);
    const log = new EventLog(clock, 3);
    const heard: number[] = [];
    const stop = log.subscribe(({ number }) => heard.push(number));
    for (let i = 1; i <= 4; i++) log.emit('bgp', 'bgp.test', 'info', `event ${i}`, { i });
    stop();
    clock.advance(10);
    log.emit('rib', 'rib.test', 'error', 'last');
    assert.deepEqual(heard, [1, 2, 3, 4]);
    assert.deepEqual(log.since().map(({ number }) => number), [3, 4, 5]);
    assert.deepEqual(log.since(4), [{ number: 5, unixMs: 5010, topic: 'rib', type: 'rib.test', severity: 'error', text: 'last', fields: {} }]);
    assert.deepEqual(log.since(5), []);
  });

  it('is empty at first', () => assert.deepEqual(new EventLog(new ManualClock()).since(), []));
});
