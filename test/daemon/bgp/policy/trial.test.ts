import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAsPath } from '../../../../daemon/bgp/attributes.js';
import { parseAsPath, type TrialRequest } from '../../../../daemon/bgp/policy/trial.js';
import { AsSegmentType } from '../../../../daemon/bgp/wire/types.js';
import { Network, type Node } from '../network.js';
import { policiesOf } from './policies.js';

const request = (overrides: Partial<TrialRequest>): TrialRequest => ({
  name: 'p',
  prefix: '2001:db8:a::/48',
  nextHop: '',
  asPath: '65001',
  communities: [],
  extendedCommunities: [],
  largeCommunities: [],
  med: undefined,
  localPref: undefined,
  origin: 'igp',
  source: 'ebgp',
  peer: '',
  ...overrides,
});

function router(): Node {
  const text = '  policies: {p: {rules: [{name: tagged, match: {community: "65000:1"}, set: {localPreference: 200, med: igp, prepend: {}}}, {match: {service: true}, action: reject}]}}\n';
  const node = new Network().node({ servicePrefixes: ['2001:db8:5e::/48'], bgp: policiesOf(text) });
  node.build();
  return node;
}

describe('A policy that is tried', () => {
  test('tells what becomes of the route and counts nothing', () => {
    const { speaker } = router();
    const result = speaker.tryPolicy(request({ communities: ['65000:1'], nextHop: '2001:db8::7' }));
    assert.ok(result && typeof result === 'object');
    assert.deepEqual([result.accepted, result.by, result.localPref, result.med, result.asPath], [true, 'p rule 1 (tagged)', 200, 10, '65000 65001']);
    assert.equal(speaker.policies('p')?.[0]?.rules[0]?.hits, 0);
  });

  test('knows service routes by the service prefixes', () => {
    const result = router().speaker.tryPolicy(request({ prefix: '2001:db8:5e::1/128' }));
    assert.ok(result && typeof result === 'object');
    assert.deepEqual([result.accepted, result.by], [false, 'p rule 2']);
  });

  test('says what of a route cannot be read', () => {
    const { speaker } = router();
    for (const [overrides, message] of [
      [{ prefix: 'x' }, '"x" is not a prefix'],
      [{ asPath: '65001 x' }, '"65001 x" is not an AS path such as "65001 65002 {65003,65004}"'],
      [{ communities: ['1'] }, '"1" is not a community such as 65000:100'],
      [{ extendedCommunities: ['1:2'] }, '"1:2" is not an extended community such as rt:65000:100'],
      [{ largeCommunities: ['1:2'] }, '"1:2" is not a large community such as 65000:1:2'],
      [{ origin: 'x' }, '"x" is not an origin (igp, egp, incomplete)'],
      [{ source: 'x' }, '"x" is not a source (local, ibgp, ebgp)'],
      [{ nextHop: 'x' }, '"x" is not an address'],
      [{ peer: 'x' }, '"x" is not an address'],
    ] as const) {
      assert.equal(speaker.tryPolicy(request(overrides)), message);
    }
    assert.equal(speaker.tryPolicy(request({ name: 'q' })), undefined);
  });
});

describe('An AS path as text', () => {
  test('reads back as what it is', () => {
    const as = fc.integer({ min: 1, max: 0xffffffff });
    const segment = fc.record({ type: fc.constantFrom(AsSegmentType.sequence, AsSegmentType.set), as: fc.array(as, { minLength: 1, maxLength: 5 }) });
    fc.assert(fc.property(fc.array(segment, { maxLength: 4 }), (segments) => assert.equal(formatAsPath(parseAsPath(formatAsPath(segments))!), formatAsPath(segments))));
  });
  test('that is none is refused, and nothing throws', () => {
    for (const text of ['0', 'x', '{1', '{}', '{1,}', '4294967296', '1,2']) assert.equal(parseAsPath(text), undefined, text);
    fc.assert(fc.property(fc.string(), (text) => void parseAsPath(text)));
  });
});
