import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network } from '../network.js';

const prefix = '2001:db8:1::/48';

/** Two external speakers, the first of which waits this long between advertisements, ms. */
const pair = (advertisementIntervalMs: number): ReturnType<typeof Network.pair> => Network.pair({ as: 65001 }, { as: 65002 }, { advertisementIntervalMs }, {});

test('4271 section 9.2.1.1: advertisements and withdrawals to a peer are at least the interval apart, and the newest state goes out', () => {
  const { network, a, b } = pair(10_000);
  a.speaker.announce({ prefix, med: 1 });
  network.settle();
  assert.equal(b.best(prefix)?.med, 1, 'the first change waits for nothing');
  const before = a.view(b).messages.sent.update;
  a.speaker.announce({ prefix, med: 2 });
  network.settle();
  a.speaker.withdraw(prefix);
  network.settle();
  a.speaker.announce({ prefix, med: 3 });
  network.settle(5000);
  assert.equal(a.view(b).messages.sent.update, before, 'nothing within the interval');
  network.settle(5000);
  assert.equal(a.view(b).messages.sent.update, before + 1, 'what changed in between is one message');
  assert.equal(b.best(prefix)?.med, 3);
  a.speaker.withdraw(prefix);
  network.settle(3000);
  assert.equal(b.best(prefix)?.med, 3, 'withdrawals wait too');
  network.settle(10_000);
  assert.equal(b.best(prefix), undefined);
});

test('4271 section 10: the interval is shortened by up to a quarter, never lengthened', () => {
  const { network, a, b } = pair(10_000);
  const times = [0, 1, 2, 3, 4].map((med) => {
    const begin = network.clock.now();
    a.speaker.announce({ prefix, med });
    while (b.best(prefix)?.med !== med) network.settle(50);
    return network.clock.now() - begin;
  });
  for (const ms of times.slice(1)) assert.ok(ms >= 7000 && ms <= 10_600, `${ms} ms`);
});

test('4271 section 9.2.1.1: without an interval every change goes out at once, and another interval takes effect without a new session', () => {
  const { network, a, b } = pair(0);
  for (const med of [1, 2, 3]) {
    a.speaker.announce({ prefix, med });
    network.settle(100);
    assert.equal(b.best(prefix)?.med, med);
  }
  a.neighbors = a.neighbors.map((neighbor) => ({ ...neighbor, advertisementIntervalMs: 10_000 }));
  a.speaker.reconfigure(a.config());
  network.settle(100);
  a.speaker.announce({ prefix, med: 4 });
  network.settle(20_000);
  a.speaker.announce({ prefix, med: 5 });
  network.settle(100);
  a.speaker.announce({ prefix, med: 6 });
  network.settle(100);
  assert.equal(b.best(prefix)?.med, 5);
  network.settle(11_000);
  assert.equal(b.best(prefix)?.med, 6);
  assert.equal(a.view(b).establishedCount, 1);
});
