import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PuntGovernor } from '../../../dataplane/flow/punt-governor.js';

const QUEUE = 10_000;

/** Interfaces that offer so many packets a second to a daemon that takes `capacity`; 10 ms a step. Returns what each got through a second at the end. */
function run(governor: PuntGovernor, offered: readonly number[], capacity: number, seconds: number): { through: number[]; dropped: number; waiting: number } {
  let waiting = 0;
  let received = 0;
  let dropped = 0;
  let through: number[] = [];
  for (let step = 0; step < seconds * 100; step++) {
    const limit = governor.limit === 0 ? Infinity : governor.limit;
    through = offered.map((rate) => Math.min(rate, limit));
    waiting += through.reduce((sum, rate) => sum + rate, 0) / 100;
    const read = Math.min(waiting, capacity / 100);
    waiting -= read;
    received += read;
    if (step > 50) dropped += Math.max(0, waiting - QUEUE);
    waiting = Math.min(waiting, QUEUE);
    governor.look(waiting === 0, received, step * 10);
  }
  return { through, dropped, waiting };
}

const governed = (limit: number): PuntGovernor => {
  const governor = new PuntGovernor();
  governor.configure(limit);
  return governor;
};

test('without pressure the configured limit stays in force', () => {
  const governor = governed(100_000);
  run(governor, [20_000, 500], 60_000, 5);
  assert.equal(governor.limit, 100_000);
});

test('under a flood the queue does not run full, and an interface that sends little gets all of it through', () => {
  const governor = governed(100_000);
  const { through, dropped } = run(governor, [300_000, 500], 40_000, 10);
  assert.equal(dropped, 0);
  assert.equal(through[1], 500);
  assert.ok(through[0]! > 10_000, `the flooding interface still gets a good part of what there is: ${through[0]}`);
});

test('several flooding interfaces together do not fill the queue either', () => {
  const governor = governed(100_000);
  const { dropped } = run(governor, [100_000, 100_000, 100_000, 100_000, 500], 40_000, 10);
  assert.equal(dropped, 0);
});

test('after the flood the limit rises to the configured one again', () => {
  const governor = governed(100_000);
  run(governor, [300_000], 10_000, 5);
  assert.ok(governor.limit < 20_000);
  run(governor, [500], 40_000, 10);
  assert.equal(governor.limit, 100_000);
});

test('an interface keeps 1000 packets a second however slow the daemon is', () => {
  const governor = governed(50_000);
  for (let at = 0; at < 10_000; at += 50) governor.look(false, 0, at);
  assert.equal(governor.limit, 1000);
});

test('a burst that is worked off in time lowers nothing', () => {
  const governor = governed(100_000);
  for (let at = 0; at < 40; at += 10) assert.equal(governor.look(false, at * 40, at), false);
  assert.equal(governor.look(true, 2000, 45), false);
  for (let at = 10_000; at < 10_040; at += 10) assert.equal(governor.look(false, 2000 + at, at), false);
  assert.equal(governor.limit, 100_000);
});

test('where the configuration sets no limit nothing is limited', () => {
  const governor = governed(0);
  for (let at = 0; at < 1000; at += 50) assert.equal(governor.look(false, 0, at), false);
  assert.equal(governor.limit, 0);
});

test('a lower configured limit takes the place of what was lowered', () => {
  const governor = governed(100_000);
  governor.look(false, 0, 0);
  governor.look(false, 2000, 50);
  assert.equal(governor.limit, 28_000);
  governor.configure(5000);
  assert.equal(governor.limit, 5000);
});
