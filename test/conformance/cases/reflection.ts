/** RFC 4456: the target is a route reflector. */
import { casesOf } from '../case.js';
import type { Peer, Route } from '../peer.js';
import type { Profile } from '../target.js';
import { routeText, type RouteOptions, type Tester } from '../tester.js';
import { inconclusive, verify } from '../verdict.js';
import { attribute, localPref, med, optionalNonTransitive, Type } from '../wire/attributes.js';
import { address, type Bytes, join, toHex, u8 } from '../wire/build.js';

const hexOf = (route: Route, type: number): string => toHex(route.attributes.get(type)?.value ?? u8());
const originator = (identifier: string): Bytes => attribute(optionalNonTransitive, Type.originatorId, address(identifier));
const clusters = (...identifiers: string[]): Bytes => attribute(optionalNonTransitive, Type.clusterList, join(...identifiers.map((identifier) => address(identifier))));

async function reflected(tester: Tester, from: Profile, to: Profile, options: RouteOptions = {}): Promise<{ route: Route; feeder: Peer }> {
  // A reflector is one that has clients.
  if (from !== 'client' && to !== 'client') await tester.established('client');
  const collector = await tester.established(to);
  const feeder = await tester.established(from);
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix], options));
  return { route: await tester.mustArrive(collector, prefix, `a route from ${from} to ${to}`), feeder };
}

/** Routes with these attributes must not be accepted from a client. */
async function refused(tester: Tester, extra: (target: { identifier: string; cluster: string }) => Bytes): Promise<void> {
  const { route } = await reflected(tester, 'client', 'client');
  const list = route.attributes.get(Type.clusterList)?.value;
  if (!list) return inconclusive(`the cluster of the target is not known: ${routeText(route)}`);
  const cluster = [...list].join('.');
  const collector = await tester.established('internal');
  const feeder = await tester.established('client');
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix], { extra: [extra({ identifier: feeder.open!.identifier, cluster })] }));
  await tester.expectWell(feeder, collector, 'after the route');
  const held = collector.route(prefix);
  verify(held === undefined, `the route came out: ${held ? routeText(held) : ''}`);
}

export const rfc4456 = casesOf('4456', [
  ['MUST', 'client-to-non-client', '6', 'a route from a client', 'a route from a client peer is reflected to all the non-client peers', async (tester) => {
    await reflected(tester, 'client', 'internal');
  }],
  ['MUST', 'client-to-client', '6', 'a route from a client', 'a route from a client peer is reflected to the other client peers', async (tester) => {
    await reflected(tester, 'client', 'client');
  }],
  ['MUST', 'non-client-to-client', '6', 'a route from a non-client', 'a route from a non-client peer is reflected to all the clients', async (tester) => {
    await reflected(tester, 'internal', 'client');
  }],
  ['MUST', 'originator', '8', 'a route without ORIGINATOR_ID', 'this attribute is created by an RR and carries the BGP Identifier of the originator of the route in the local AS', async (tester) => {
    const { route, feeder } = await reflected(tester, 'client', 'internal');
    verify(hexOf(route, Type.originatorId) === toHex(address(feeder.identity.identifier)), `ORIGINATOR_ID ${hexOf(route, Type.originatorId) || 'missing'}`);
  }],
  ['MUST', 'originator-kept', '8', 'a route with ORIGINATOR_ID', 'a BGP speaker SHOULD NOT create an ORIGINATOR_ID attribute if one already exists', async (tester) => {
    const { route } = await reflected(tester, 'client', 'internal', { extra: [originator('10.201.0.9')] });
    verify(hexOf(route, Type.originatorId) === '0ac90009', `ORIGINATOR_ID ${hexOf(route, Type.originatorId) || 'missing'}`);
  }],
  ['MUST', 'cluster-list', '8', 'a route with CLUSTER_LIST 10.201.0.1', 'when an RR reflects a route, it MUST prepend the local CLUSTER_ID to the CLUSTER_LIST', async (tester) => {
    const { route } = await reflected(tester, 'client', 'internal', { extra: [originator('10.201.0.9'), clusters('10.201.0.1')] });
    const list = hexOf(route, Type.clusterList);
    verify(list.length === 16 && list.endsWith('0ac90001'), `CLUSTER_LIST ${list || 'missing'}`);
  }],
  ['MUST', 'cluster-created', '8', 'a route without CLUSTER_LIST', 'if the CLUSTER_LIST is empty, it MUST create a new one', async (tester) => {
    const { route } = await reflected(tester, 'client', 'internal');
    verify(hexOf(route, Type.clusterList).length === 8, `CLUSTER_LIST ${hexOf(route, Type.clusterList) || 'missing'}`);
  }],
  ['SHOULD', 'own-cluster', '8', "a route with the target's own cluster in CLUSTER_LIST", 'if the local CLUSTER_ID is found in the CLUSTER_LIST, the advertisement received SHOULD be ignored', (tester) => refused(tester, ({ cluster }) => join(originator('10.201.0.9'), clusters('10.201.0.1', cluster)))],
  ['SHOULD', 'own-originator', '8', "a route with the target's identifier in ORIGINATOR_ID", 'a router that recognizes the ORIGINATOR_ID attribute SHOULD ignore a route received with its BGP Identifier as the ORIGINATOR_ID', (tester) => refused(tester, ({ identifier }) => originator(identifier))],
  ['MUST', 'attributes', '10', 'a route with MED and LOCAL_PREF', 'an RR SHOULD NOT modify NEXT_HOP, AS_PATH, LOCAL_PREF and MED of a route that it reflects', async (tester) => {
    const { route, feeder } = await reflected(tester, 'client', 'internal', { asPath: [64951], localPref: 321, extra: [med(77)] });
    const hop = toHex(route.mpNextHop ?? route.attributes.get(Type.nextHop)?.value ?? u8());
    verify(hop.startsWith(toHex(address(feeder.local))), `next hop ${hop}`);
    verify(hexOf(route, Type.localPref) === toHex(localPref(321).subarray(3)), `LOCAL_PREF ${hexOf(route, Type.localPref)}`);
    verify(hexOf(route, Type.med) === '0000004d', `MED ${hexOf(route, Type.med) || 'missing'}`);
    verify(hexOf(route, Type.asPath) === '02010000fdb7', `AS_PATH ${hexOf(route, Type.asPath)}`);
  }],
  ['MUST', 'not-outside', '8', 'a reflected route to another AS', 'ORIGINATOR_ID and CLUSTER_LIST are non-transitive and stay inside the AS', async (tester) => {
    const { route } = await reflected(tester, 'client', 'collector', { asPath: [64951], extra: [originator('10.201.0.9'), clusters('10.201.0.1')] });
    verify(!route.attributes.has(Type.originatorId) && !route.attributes.has(Type.clusterList), routeText(route));
  }],
]);
