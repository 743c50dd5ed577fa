import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { delayWays } from '../../../daemon/ospf/delay-ways.js';
import type { RouterSids } from '../../../daemon/ospf/spf/types.js';

/** Router 1 is this one; 2 and 3 lie between it and 4. */
const sids = new Map<number, RouterSids>(
  [2, 3, 4].map((routerId) => [
    routerId,
    { routerId, locators: [], end: [], endX: [1, 2, 3, 4].map((neighbor) => ({ sid: `fcbb:bb00:${routerId}:${neighbor}::`, behaviour: 5, interfaceId: neighbor, neighbor })) },
  ]),
);
const path = (segments: readonly string[], routers: readonly number[]) => ({ segments, delayPath: { us: 1000, estimated: false, routers } });

describe('ways of least delay', () => {
  it('come before the plain way, and lead probes back by the End.X SIDs of the routers between', () => {
    assert.deepEqual(delayWays(path(['fcbb:bb00:2:3::'], [2, 3, 4]), 1, (router) => sids.get(router)), [
      { segments: ['fcbb:bb00:2:3::'], back: ['fcbb:bb00:3:2::', 'fcbb:bb00:2:1::'] },
      { segments: [], back: [] },
    ]);
  });

  it('are none where the path of least cost is as good', () => {
    assert.equal(delayWays(path([], [2, 4]), 1, (router) => sids.get(router)), undefined);
    assert.equal(delayWays(undefined, 1, (router) => sids.get(router)), undefined);
  });

  it('leave the way back to the routes where a router between announces no SID for its step', () => {
    assert.deepEqual(delayWays(path(['fcbb:bb00:2:3::'], [2, 9, 4]), 1, (router) => sids.get(router))?.[0]?.back, []);
  });

  it('of a neighbour need no SIDs back', () => {
    assert.deepEqual(delayWays(path(['fcbb:bb00:2:4::'], [4]), 1, (router) => sids.get(router))?.[0]?.back, []);
  });
});
