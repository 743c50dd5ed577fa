import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { BfdThread } from '../../../daemon/bfd/thread.js';
import type { BfdEvent } from '../../../daemon/bfd/service.js';
import { systemClock } from '../../../daemon/clock.js';
import { configOf } from './support.js';

describe('the BFD thread', () => {
  const events: BfdEvent[] = [];
  const thread = new BfdThread({ clock: systemClock, config: configOf(), report: (event) => events.push(event) });
  after(() => thread.close());

  it('has nothing to show before its first client, and does not run', async () => {
    assert.deepEqual(await thread.view(), { sessions: [], discards: {} });
  });

  it('runs sessions of the service, and ends those of clients that go', async () => {
    const handle = thread.register({ client: 'bgp', peer: '::1', localAddress: '::1', multihop: true, profile: 'fast' }, () => undefined);
    const view = await thread.view();
    assert.deepEqual(view.sessions.map(({ peer, profile, clients }) => [peer, profile, clients]), [['::1', 'fast', ['bgp']]]);
    thread.configure(configOf({ fast: { name: 'fast', intervalMs: 20, multiplier: 7, passive: false, authentication: undefined } }));
    assert.equal((await thread.view()).sessions[0]!.multiplier, 7);
    handle.unregister();
    assert.deepEqual((await thread.view()).sessions, []);
  });
});
