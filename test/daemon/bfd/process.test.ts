import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { BfdProcess } from '../../../daemon/bfd/process.js';
import type { BfdEvent } from '../../../daemon/bfd/service.js';
import { systemClock } from '../../../daemon/clock.js';
import { configOf } from './support.js';

describe('the BFD process', () => {
  const events: BfdEvent[] = [];
  const bfd = new BfdProcess({ clock: systemClock, config: configOf(), report: (event) => events.push(event) });
  after(() => bfd.close());

  it('has nothing to show before its first client, and does not run', async () => {
    assert.deepEqual(await bfd.view(), { sessions: [], discards: {} });
  });

  it('runs sessions of the service, and ends those of clients that go', async () => {
    const handle = bfd.register({ client: 'bgp', peer: '::1', localAddress: '::1', multihop: true, profile: 'fast' }, () => undefined);
    const view = await bfd.view();
    assert.deepEqual(view.sessions.map(({ peer, profile, clients }) => [peer, profile, clients]), [['::1', 'fast', ['bgp']]]);
    bfd.configure(configOf({ fast: { name: 'fast', intervalMs: 20, multiplier: 7, passive: false, authentication: undefined } }));
    assert.equal((await bfd.view()).sessions[0]!.multiplier, 7);
    handle.unregister();
    assert.deepEqual((await bfd.view()).sessions, []);
  });
});
