/** RFC 1997, 4360 and 8092: communities of the three kinds. */
import { casesOf } from '../case.js';
import { stopped, through } from '../passage.js';
import type { Route } from '../peer.js';
import { verify } from '../verdict.js';
import { attribute, communities, optionalTransitive, Type } from '../wire/attributes.js';
import { join, toHex, u32, u8 } from '../wire/build.js';

const hexOf = (route: Route, type: number): string => toHex(route.attributes.get(type)?.value ?? u8());
const NO_EXPORT = 0xffffff01;
const NO_ADVERTISE = 0xffffff02;
const NO_EXPORT_SUBCONFED = 0xffffff03;

export const rfc1997 = casesOf('1997', [
  ['MUST', 'passed-on', 'Operation', 'three communities to another AS', 'the attribute is optional transitive: it is passed on', async (tester) => {
    const values = [0xfde90001, 0xfde90002, 0x00010002];
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [communities(...values)] }));
    const got = hexOf(route, Type.communities);
    verify(values.every((value) => got.includes(toHex(u32(value)))) && got.length === 24, `COMMUNITIES ${got || 'missing'}`);
  }],
  ['MUST', 'no-export', 'Well-known Communities', 'NO_EXPORT from an internal peer towards another AS', 'all routes carrying it MUST NOT be advertised outside a BGP confederation boundary', (tester) => stopped(tester, 'internal', 'collector', () => ({ extra: [communities(NO_EXPORT)] }))],
  ['MUST', 'no-export-inside', 'Well-known Communities', 'NO_EXPORT from an external towards an internal peer', 'inside the AS the route is advertised, with the community', async (tester) => {
    const { route } = await through(tester, 'external', 'internal', () => ({ extra: [communities(NO_EXPORT)] }));
    verify(hexOf(route, Type.communities).includes('ffffff01'), `COMMUNITIES ${hexOf(route, Type.communities) || 'missing'}`);
  }],
  ['MUST', 'no-advertise', 'Well-known Communities', 'NO_ADVERTISE towards an internal peer', 'all routes carrying it MUST NOT be advertised to other BGP peers', (tester) => stopped(tester, 'external', 'internal', () => ({ extra: [communities(NO_ADVERTISE)] }))],
  ['MUST', 'no-advertise-external', 'Well-known Communities', 'NO_ADVERTISE towards another AS', 'all routes carrying it MUST NOT be advertised to other BGP peers', (tester) => stopped(tester, 'external', 'collector', () => ({ extra: [communities(NO_ADVERTISE)] }))],
  ['MUST', 'no-export-subconfed', 'Well-known Communities', 'NO_EXPORT_SUBCONFED towards another AS', 'all routes carrying it MUST NOT be advertised to external BGP peers', (tester) => stopped(tester, 'internal', 'collector', () => ({ extra: [communities(NO_EXPORT_SUBCONFED)] }))],
]);

const target = join(u8(0, 2, 0xfd, 0xe9), u32(100));
const nonTransitive = join(u8(0x40, 4, 0, 0), u32(7));
const extendedCommunities = (...values: Uint8Array[]): Uint8Array => attribute(optionalTransitive, Type.extendedCommunities, join(...values));

export const rfc4360 = casesOf('4360', [
  ['MUST', 'transitive', '6', 'a route target to another AS', 'a transitive extended community is passed on', async (tester) => {
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [extendedCommunities(target)] }));
    verify(hexOf(route, Type.extendedCommunities) === toHex(target), `EXTENDED COMMUNITIES ${hexOf(route, Type.extendedCommunities) || 'missing'}`);
  }],
  ['SHOULD', 'non-transitive', '6', 'a route target and a non-transitive community from inside the AS to another AS', 'if a route has a non-transitive extended community, then before advertising the route across the AS boundary the community SHOULD be removed', async (tester) => {
    const { route } = await through(tester, 'internal', 'collector', () => ({ extra: [extendedCommunities(target, nonTransitive)] }));
    verify(!hexOf(route, Type.extendedCommunities).includes(toHex(nonTransitive)), `EXTENDED COMMUNITIES ${hexOf(route, Type.extendedCommunities)}`);
  }],
]);

const large = (a: number, b: number, c: number): Uint8Array => join(u32(a), u32(b), u32(c));

export const rfc8092 = casesOf('8092', [
  ['MUST', 'passed-on', '3', 'two large communities to another AS', 'the attribute is optional transitive: it is passed on', async (tester) => {
    const value = join(large(65001, 1, 2), large(4200000001, 3, 4));
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive, Type.largeCommunities, value)] }));
    verify(hexOf(route, Type.largeCommunities) === toHex(value), `LARGE_COMMUNITY ${hexOf(route, Type.largeCommunities) || 'missing'}`);
  }],
  ['MUST', 'duplicates', '5', 'the same large community twice', 'duplicate values MUST NOT be transmitted; a receiver MUST silently remove them', async (tester) => {
    const value = large(65001, 7, 8);
    const { route } = await through(tester, 'external', 'collector', () => ({ extra: [attribute(optionalTransitive, Type.largeCommunities, join(value, value))] }));
    verify(hexOf(route, Type.largeCommunities) === toHex(value), `LARGE_COMMUNITY ${hexOf(route, Type.largeCommunities) || 'missing'}`);
  }],
]);
