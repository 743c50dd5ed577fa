/**
 * Where a stock router is known to come to other routes than the RFC's, each with the text that says so. A deviation has to explain the route that is there:
 * it is ours with fewer next hops, what our own calculation says when it makes the same mistake, or what was right before. BIRD 2.0.12 has no entry here: all its
 * routes are equal to ours in everything.
 */
import { Prefix } from '../../../dataplane/packet/ip.js';
import { encodeRouterBody } from '../../../daemon/ospf/wire/lsa/router.js';
import { buildLsa } from '../../../daemon/ospf/wire/lsa.js';
import { type Lsa, OptionBit } from '../../../daemon/ospf/wire/types.js';
import type { ComparedRoute, ComparedRoutes } from './devices.js';

/** A prefix whose routes differ, undefined where there is none. */
export interface Difference {
  readonly prefix: string;
  readonly ours: ComparedRoute | undefined;
  readonly theirs: ComparedRoute | undefined;
}

/** What a difference is judged by. */
export interface Context {
  readonly database: readonly Lsa[];
  /** All routes of the device. */
  readonly theirs: ComparedRoutes;
  /** What we would say if the V6-bit were heeded as ospf6d does: routes, and next hops to the routers of the area. */
  readonly withoutV6Bit: () => { readonly routes: ComparedRoutes; readonly hopsTo: (router: number) => readonly string[] };
  /** Our next hops to a router of the area; none: not reachable. */
  readonly hopsTo: (router: number) => readonly string[];
  /** Our cost to a router of the area; Infinity: not reachable. */
  readonly costTo: (router: number) => number;
  /** Nothing was announced to the device before this. */
  readonly isFirst: boolean;
  /** Our routes to a prefix in the states before this one. */
  readonly earlier: (prefix: string) => readonly ComparedRoute[];
}

interface Deviation {
  readonly device: string;
  readonly name: string;
  /** What the RFC says and what the device does instead. */
  readonly reason: string;
  readonly matches: (difference: Difference, context: Context) => boolean;
}

/** Type and costs of one route, with all or some of the next hops. */
const isPartOf = (some: ComparedRoute | undefined, all: ComparedRoute | undefined): boolean =>
  some !== undefined && all !== undefined && some.type === all.type && some.cost === all.cost && some.type2Metric === all.type2Metric && some.nextHops.length > 0 && some.nextHops.every((hop) => all.nextHops.includes(hop));

/** The route of longest match. */
function lookup(routes: ComparedRoutes, address: string): ComparedRoute | undefined {
  const host = Prefix.host(address);
  let best: { readonly length: number; readonly route: ComparedRoute } | undefined;
  for (const [text, route] of routes) {
    const prefix = Prefix.from(text);
    if (prefix.contains(host) && prefix.length > (best?.length ?? -1) && !route.type.startsWith('external')) best = { length: prefix.length, route };
  }
  return best?.route;
}

/** LSAs that name a prefix. */
const announcers = (database: readonly Lsa[], prefix: string): number =>
  database.filter(({ body }) => ('prefix' in body && body.prefix.toString() === prefix) || (body.kind === 'intraAreaPrefix' && body.prefixes.some((one) => one.prefix.toString() === prefix))).length;

/** The cost by the forwarding address, the next hops those to the AS boundary router, in the area or behind border routers. */
function leadsToBoundary({ prefix, ours, theirs }: Difference, { database, theirs: all, hopsTo, withoutV6Bit, isFirst }: Context): boolean {
  if (!theirs || theirs.nextHops.length === 0) return false;
  return database.some(({ header: { router }, body }) => {
    if (body.kind !== 'asExternal' || body.prefix.toString() !== prefix || body.forwarding === undefined) return false;
    if (theirs.type !== (body.type2 ? 'external2' : 'external1') || theirs.type2Metric !== (body.type2 ? body.metric : undefined)) return false;
    const inside = lookup(all, body.forwarding);
    const isCost = theirs.cost === ours?.cost || (inside?.cost !== undefined && theirs.cost === inside.cost + (body.type2 ? 0 : body.metric));
    // An inter-area route of before, which may not be there any more.
    const isOfBefore = !isFirst && inside?.type !== 'intra';
    const borders = database.flatMap((other) => (other.body.kind === 'interAreaRouter' && other.body.destination === router ? [other.header.router] : []));
    const ways = [router, ...borders].flatMap((one) => [...hopsTo(one), ...withoutV6Bit().hopsTo(one)]);
    // Without an internal route to it the LSA is to be passed over (section 16.4 (3)).
    return (isCost || isOfBefore || ours === undefined) && theirs.nextHops.every((hop) => ways.includes(hop));
  });
}

/** By a border router that is farther from the AS boundary router than another one. */
function takesLongerWay({ prefix, theirs }: Difference, { database, costTo, hopsTo }: Context): boolean {
  if (!theirs || theirs.nextHops.length === 0) return false;
  return database.some(({ header: { router }, body }) => {
    if (body.kind !== 'asExternal' || body.prefix.toString() !== prefix || body.forwarding !== undefined) return false;
    if (theirs.type !== (body.type2 ? 'external2' : 'external1') || theirs.type2Metric !== (body.type2 ? body.metric : undefined)) return false;
    return database.some(({ header: { router: border }, body: way }) => {
      if (way.kind !== 'interAreaRouter' || way.destination !== router) return false;
      return theirs.cost === costTo(border) + way.metric + (body.type2 ? 0 : body.metric) && theirs.nextHops.every((hop) => hopsTo(border).includes(hop));
    });
  });
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    device: 'FRR',
    name: 'equal-cost next hops missing',
    reason:
      'RFC 2328 section 16.1 (2) (d): the next hops of another path of equal cost are added to those of the vertex on the candidate list; section 16.2 (6), 16.4 (6): another path of the same ' +
      'cost is added to the list of paths. ospf6d hands a vertex\'s next hops to its children before all paths of that cost have come, and keeps those of one announcer of a prefix.',
    matches: ({ ours, theirs }) => isPartOf(theirs, ours),
  },
  {
    device: 'FRR',
    name: 'an entry without next hops',
    reason:
      'RFC 2328 section 16.2: a path whose border router is not reachable is none. When one of several announcers of a prefix goes, ospf6d takes its next hops away, leaves the entry ' +
      'without any, and the kernel with the old ones.',
    matches: ({ theirs }) => theirs?.nextHops.length === 0,
  },
  {
    device: 'FRR',
    name: 'V6-bit not heeded',
    reason: 'RFC 5340 section A.2: if the V6-bit is clear, the router should be excluded from IPv6 routing calculations. ospf6d only sends nothing through it.',
    matches: ({ prefix, theirs }, { withoutV6Bit }) => (theirs === undefined ? !withoutV6Bit().routes.has(prefix) : isPartOf(theirs, withoutV6Bit().routes.get(prefix))),
  },
  {
    device: 'FRR',
    name: 'next hops of the AS boundary router instead of the forwarding address',
    reason: 'RFC 2328 section 16.4 (3) and (5): without an internal route to the forwarding address the LSA is passed over, with one the path is installed with its next hops. ospf6d takes the cost from there, and the next hops to the AS boundary router.',
    matches: leadsToBoundary,
  },
  {
    device: 'FRR',
    name: 'externals of a router without R-bit left out',
    reason:
      'RFC 5340 section 4.8.1: a router without R-bit is in the tree, and nothing behind it; section 4.8.5 (RFC 2328 section 16.4) asks of an AS boundary router no more than to be reachable. ospf6d has no ' +
      'route by its AS-External-LSAs; BIRD and cpnd have.',
    matches: ({ prefix, theirs }, { database }) => {
      const boundaries = database.flatMap(({ header, body }) => (body.kind === 'asExternal' && body.prefix.toString() === prefix ? [header.router] : []));
      return theirs === undefined && database.some(({ header, body }) => body.kind === 'router' && (body.options & OptionBit.r) === 0 && boundaries.includes(header.router));
    },
  },
  {
    device: 'FRR',
    name: 'the longer way to an AS boundary router of another area',
    reason: 'RFC 2328 section 16.2 (6): of the paths that border routers offer the cheaper one is installed, overriding the other. ospf6d keeps the one whose LSA it read first.',
    matches: takesLongerWay,
  },
  {
    device: 'FRR',
    name: 'a path of before',
    reason:
      'RFC 2328 sections 16.2 and 16.4: routes are worked out from the LSAs that are there. After changes ospf6d keeps paths of before: inter-area ones, and those of prefixes that several routers ' +
      'announced, even when no LSA names the prefix any more. What it says of an area at first is held against ours without this, after changes the routes of prefixes with one announcer are.',
    matches: ({ prefix, theirs }, { isFirst, database, earlier }) => {
      if (isFirst) return false;
      // Also to an AS boundary router of another area.
      const isElsewhere = (router: number): boolean => database.some(({ body }) => body.kind === 'interAreaRouter' && body.destination === router);
      if (database.some(({ header, body }) => body.kind === 'asExternal' && body.prefix.toString() === prefix && isElsewhere(header.router))) return true;
      return theirs?.type === 'inter' || announcers(database, prefix) !== 1 || earlier(prefix).some((route) => isPartOf(theirs, route));
    },
  },
];

/** The name of the deviation that explains a difference; undefined: none does. */
export const explain = (device: string, difference: Difference, context: Context): string | undefined =>
  DEVIATIONS.find((deviation) => deviation.device === device && deviation.matches(difference, context))?.name;

/** The LSA as ospf6d reads it: a router without V6-bit is one without R-bit, to which traffic goes, and not through it. */
export function withV6Bit(lsa: Lsa): Lsa {
  const { header, body } = lsa;
  if (body.kind !== 'router' || (body.options & OptionBit.v6) !== 0) return lsa;
  return buildLsa(header, encodeRouterBody({ ...body, options: (body.options | OptionBit.v6) & ~OptionBit.r }));
}
