import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compareAddresses, identifierNumber, neighborAs, selectBestPath } from '../../../daemon/bgp/best-path.js';
import type { Path, PathSource } from '../../../daemon/bgp/path.js';
import { EMPTY_ATTRIBUTES, type AsPathSegment, type PathAttributes } from '../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../dataplane/packet/ip.js';

const sequence = (...as: number[]): AsPathSegment => ({ type: 2, as });
const set = (...as: number[]): AsPathSegment => ({ type: 1, as });
const prefix = Prefix.from('2001:db8::/32');
let count = 0;

function path(attributes: Partial<PathAttributes> = {}, source: Partial<PathSource> = {}, others: Partial<Path> = {}): Path {
  count++;
  return {
    prefix,
    source: { address: '2001:db8::1', as: 65001, kind: 'ebgp', identifier: 1, ...source },
    pathId: 0,
    nextHop: { address: '2001:db8::1', linkLocal: undefined },
    attributes: { ...EMPTY_ATTRIBUTES, ...attributes },
    receivedAt: count,
    rejected: undefined,
    stale: false,
    localId: count,
    ...others,
  };
}

const resolve = (address: string): { cost: number } | undefined => (address === 'unreachable' ? undefined : { cost: address === 'far' ? 50 : 10 });
const via = (address: string): Partial<Path> => ({ nextHop: { address, linkLocal: undefined } });

describe('The best path', () => {
  const duels: readonly [string, Path, Path, string][] = [
    ['originated here', path({ localPref: 1 }, { kind: 'local', address: '' }), path({ localPref: 900 }), 'originated here'],
    ['with the higher LOCAL_PREF', path({ localPref: 200, asPath: [sequence(1, 2, 3)] }), path({ asPath: [sequence(1)] }), 'higher LOCAL_PREF'],
    ['with the shorter AS_PATH', path({ asPath: [sequence(1), set(2, 3, 4)], origin: 2 }), path({ asPath: [sequence(1, 2, 3)] }), 'shorter AS_PATH'],
    ['with the lower ORIGIN', path({ origin: 1, med: 9, asPath: [sequence(1)] }), path({ origin: 2, asPath: [sequence(1)] }), 'lower ORIGIN'],
    ['with the lower MED of one neighbouring AS', path({ med: 5, asPath: [sequence(1)] }, { kind: 'ibgp' }), path({ med: 6, asPath: [sequence(1)] }), 'lower MULTI_EXIT_DISC'],
    ['without MED, which counts as 0', path({ asPath: [sequence(1)] }, { kind: 'ibgp' }), path({ med: 1, asPath: [sequence(1)] }), 'lower MULTI_EXIT_DISC'],
    ['of eBGP, MEDs of different ASes not compared', path({ med: 50, asPath: [sequence(1)] }), path({ med: 1, asPath: [sequence(2)] }, { kind: 'ibgp' }), 'eBGP over iBGP'],
    ['with the nearer next hop', path({}, { identifier: 9 }), path({}, {}, via('far')), 'lower cost to the next hop'],
    ['of the lower BGP identifier', path({}, { identifier: 5, address: '2001:db8::9' }), path({}, { identifier: 6 }), 'lower BGP identifier'],
    ['of the lower originator behind reflectors', path({ originatorId: '0.0.0.5' }, { identifier: 9 }), path({ originatorId: '0.0.0.6' }, { identifier: 1 }), 'lower BGP identifier'],
    ['with the shorter CLUSTER_LIST', path({ clusterList: ['1.1.1.1'] }, { address: '2001:db8::9' }), path({ clusterList: ['1.1.1.1', '2.2.2.2'] }), 'shorter CLUSTER_LIST'],
    ['of the lower peer address', path({}, { address: '2001:db8::2' }), path({}, { address: '2001:db8::10' }), 'lower peer address'],
    ['of the lower path identifier', path({}, {}, { pathId: 3 }), path({}, {}, { pathId: 4 }), 'lower path identifier'],
  ];
  for (const [what, winner, loser, reason] of duels) {
    test(`is the one ${what}`, () => {
      for (const paths of [[winner, loser], [loser, winner]]) {
        const decision = selectBestPath(paths, resolve);
        assert.equal(decision?.best, winner);
        assert.equal(decision.reason, reason);
      }
    });
  }

  test('is none of those whose next hop does not resolve', () => {
    const unusable = path({ localPref: 900 }, {}, via('unreachable'));
    const usable = path();
    assert.equal(selectBestPath([unusable, usable], resolve)?.best, usable);
    assert.equal(selectBestPath([unusable], resolve), undefined);
    assert.equal(selectBestPath([], resolve), undefined);
  });

  test('does not depend on the order of the paths, MED included', () => {
    const anyPath = fc
      .record({ localPref: fc.constantFrom(100, 200), as: fc.constantFrom(1, 2, 3), med: fc.integer({ min: 0, max: 3 }), ibgp: fc.boolean(), far: fc.boolean(), identifier: fc.integer({ min: 1, max: 4 }), address: fc.integer({ min: 1, max: 1000 }) })
      .map((v) => path({ localPref: v.localPref, med: v.med, asPath: [sequence(v.as)] }, { kind: v.ibgp ? 'ibgp' : 'ebgp', identifier: v.identifier, address: `2001:db8::${v.address.toString(16)}` }, v.far ? via('far') : {}));
    const paths = fc.uniqueArray(anyPath, { minLength: 1, maxLength: 8, selector: (item) => item.source.address });
    fc.assert(
      fc.property(paths.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))), ([list, shuffled]) => {
        assert.equal(selectBestPath(list, resolve)?.best, selectBestPath(shuffled, resolve)?.best);
      }),
    );
  });
});

test('The neighbouring AS is the first one of a sequence, and none where a set comes first', () => {
  assert.equal(neighborAs({ ...EMPTY_ATTRIBUTES, asPath: [sequence(7, 8)] }), 7);
  assert.equal(neighborAs({ ...EMPTY_ATTRIBUTES, asPath: [{ type: 3, as: [9] }, sequence(7)] }), 7);
  assert.equal(neighborAs({ ...EMPTY_ATTRIBUTES, asPath: [set(7), sequence(8)] }), undefined);
  assert.equal(neighborAs(EMPTY_ATTRIBUTES), undefined);
});

test('Addresses and identifiers compare as numbers', () => {
  assert.ok(compareAddresses('2001:db8::2', '2001:db8::10') < 0);
  assert.ok(compareAddresses('10.0.0.9', '10.0.0.10') < 0);
  assert.ok(compareAddresses('10.0.0.9', '::') < 0);
  assert.equal(compareAddresses('fe80::1%eth0', 'fe80::1'), 0);
  assert.ok(identifierNumber('200.0.0.1') > identifierNumber('10.0.0.2'));
});
