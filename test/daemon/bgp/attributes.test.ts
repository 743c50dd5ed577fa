import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containsAs, equalAttributes, formatAsPath, prependAs, withCommunity, withoutCommunity } from '../../../daemon/bgp/attributes.js';
import { formatCommunity } from '../../../daemon/bgp/policy/communities.js';
import { EMPTY_ATTRIBUTES, type AsPathSegment, type PathAttributes } from '../../../daemon/bgp/wire/types.js';
import { Network } from './network.js';
import { RawPeer } from './raw-peer.js';

const sequence = (...as: number[]): AsPathSegment => ({ type: 2, as });

describe('AS_PATH', () => {
  test('takes an AS in front of its first sequence, of nothing, of a set and of a full sequence', () => {
    assert.deepEqual(prependAs([sequence(2, 3)], 1), [sequence(1, 2, 3)]);
    assert.deepEqual(prependAs([], 1), [sequence(1)]);
    const set: AsPathSegment = { type: 1, as: [2, 3] };
    assert.deepEqual(prependAs([set], 1), [sequence(1), set]);
    const full = sequence(...Array.from({ length: 255 }, (_, i) => i));
    assert.deepEqual(prependAs([full], 9), [sequence(9), full]);
  });

  test('contains an AS in whatever segment', () => {
    const path: AsPathSegment[] = [sequence(1, 2), { type: 1, as: [3] }];
    assert.deepEqual([1, 2, 3, 4].map((as) => containsAs(path, as)), [true, true, true, false]);
  });

  test('is written as operators write it', () => {
    assert.equal(formatAsPath([{ type: 3, as: [9, 8] }, sequence(1, 2), { type: 1, as: [3, 4] }, { type: 4, as: [5] }]), '(9 8) 1 2 {3,4} [5]');
  });
});

test('Communities are added once, removed, and shown by name', () => {
  const one = withCommunity(EMPTY_ATTRIBUTES, 0xffffff01);
  assert.deepEqual(one.communities, [0xffffff01]);
  assert.equal(withCommunity(one, 0xffffff01), one);
  assert.deepEqual(withoutCommunity(one, 0xffffff01).communities, []);
  assert.equal(withoutCommunity(EMPTY_ATTRIBUTES, 5), EMPTY_ATTRIBUTES);
  assert.deepEqual([0xffffff01, 0xffffff02, 0xfde80007].map(formatCommunity), ['no-export', 'no-advertise', '65000:7']);
});

describe('Attributes are equal', () => {
  const base: PathAttributes = {
    ...EMPTY_ATTRIBUTES,
    asPath: [sequence(1, 2)],
    med: 1,
    communities: [1],
    extendedCommunities: [1n],
    largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
    aggregator: { as: 1, address: '10.0.0.1' },
    originatorId: '10.0.0.1',
    clusterList: ['10.0.0.2'],
    prefixSid: { value: Uint8Array.of(1), sid: undefined },
    cpn: { flags: 0xc0, value: Uint8Array.of(1, 2), block: { service: undefined, origin: undefined, instances: [] }, events: [] },
    unknown: [{ type: 99, flags: 0xe0, value: Uint8Array.of(7) }],
  };
  test('when built twice', () => {
    assert.ok(equalAttributes(base, structuredClone(base)));
  });

  const differences: Partial<PathAttributes>[] = [
    { origin: 1 },
    { asPath: [sequence(1, 3)] },
    { asPath: [{ type: 1, as: [1, 2] }] },
    { med: undefined },
    { localPref: 1 },
    { atomicAggregate: true },
    { aggregator: undefined },
    { communities: [1, 2] },
    { extendedCommunities: [2n] },
    { largeCommunities: [{ global: 1, local1: 2, local2: 4 }] },
    { originatorId: undefined },
    { clusterList: [] },
    { prefixSid: { value: Uint8Array.of(2), sid: undefined } },
    { prefixSid: undefined },
    { cpn: { ...base.cpn!, value: Uint8Array.of(1, 3) } },
    { cpn: { ...base.cpn!, flags: 0xe0 } },
    { cpn: undefined },
    { partial: [8] },
    { unknown: [{ type: 99, flags: 0xe0, value: Uint8Array.of(8) }] },
    { unknown: [] },
  ];
  for (const difference of differences) {
    test(`but not with another ${Object.keys(difference)[0]!}: ${JSON.stringify(difference, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}`, () => {
      assert.equal(equalAttributes(base, { ...base, ...difference }), false);
      assert.equal(equalAttributes({ ...base, ...difference }, base), false);
    });
  }
});

test('A route whose attributes fit no message of the peer is withdrawn from it and comes back when they fit', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  // This peer takes no extended messages.
  const peer = RawPeer.established(network, node);
  const prefix = '2001:db8:a::/48';
  const announce = (communities: number): void => {
    node.speaker.announce({ prefix, communities: Array.from({ length: communities }, (_, i) => i) });
    network.settle();
  };
  const last = (): string => {
    const message = peer.received.at(-1);
    return message?.type === 'update' ? (message.announced.length > 0 ? 'announced' : message.withdrawn.length > 0 ? 'withdrawn' : 'other') : 'none';
  };
  announce(3);
  assert.equal(last(), 'announced');
  announce(1100);
  assert.equal(last(), 'withdrawn');
  assert.equal(node.view(peer.address).prefixes.sent, 0);
  assert.ok(node.events.some((event) => event.kind === 'error' && event.text.includes('too long')));
  announce(4);
  assert.equal(last(), 'announced');
  assert.equal(node.view(peer.address).prefixes.sent, 1);
});
