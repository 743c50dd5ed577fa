/** A route goes in at one neighbour of the target and comes out, or does not, at another. */
import type { Peer, Route } from './peer.js';
import type { Profile } from './target.js';
import { routeText, type RouteOptions, type Tester } from './tester.js';
import { verify } from './verdict.js';

/** One route goes in at a neighbour of one kind and comes out at another. */
export async function through(tester: Tester, from: Profile, to: Profile, options: (peer: Peer) => RouteOptions = () => ({})): Promise<{ route: Route; feeder: Peer; collector: Peer }> {
  const collector = await tester.established(to);
  const feeder = await tester.established(from);
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix], options(feeder)));
  return { route: await tester.mustArrive(collector, prefix, `a route from ${from} to ${to}`), feeder, collector };
}

/** A route that must not come out at a collector. */
export async function stopped(tester: Tester, from: Profile, to: Profile, options: (peer: Peer) => RouteOptions): Promise<void> {
  const collector = await tester.established(to);
  const feeder = await tester.established(from);
  // A second collector shows that the feeder is heard where the first one gets nothing.
  const witness = from === to ? await tester.established('collector') : collector;
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix], options(feeder)));
  await tester.expectWell(feeder, witness, 'after the route');
  const route = collector.route(prefix);
  verify(route === undefined, `the route came out: ${route ? routeText(route) : ''}`);
}
