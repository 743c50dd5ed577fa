/** The conditions of a rule, each with its name, so that a test of a policy can say which one a route did not meet. */
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import type { PolicyConditions } from '../../config/schema/bgp-policy.js';
import { containsAs, formatAsPath } from '../attributes.js';
import { neighborAs } from '../best-path.js';
import type { PathSource } from '../path.js';
import { asPathLength } from '../wire/attributes/segments.js';
import { AsSegmentType, OriginCode, type PathAttributes } from '../wire/types.js';
import { communityPattern, extendedCommunityPattern, largeCommunityPattern, type CommunityPattern } from './communities.js';
import { memo } from './memo.js';
import { compilePattern } from './pattern.js';
import { compilePrefixList, type PrefixRange } from './prefix-list.js';

/** A route as a policy sees it. */
export interface PolicyRoute {
  readonly prefix: Prefix;
  readonly nextHop: string;
  readonly source: Pick<PathSource, 'address' | 'kind'>;
  /** Inside a configured service prefix. */
  readonly isService: boolean;
  /** Cost of the next hop in the unicast RIB; undefined when it does not resolve. */
  readonly nextHopCost: () => number | undefined;
}

/** Lists that rules name. */
export interface NamedLists {
  readonly prefixLists: Readonly<Record<string, readonly PrefixRange[]>>;
  readonly asPathLists: Readonly<Record<string, readonly string[]>>;
}

export interface Condition {
  readonly name: string;
  readonly holds: (route: PolicyRoute, attributes: PathAttributes) => boolean;
}

/** What a configuration must have checked; a fault is a programmer's mistake. */
function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`unchecked policy: ${what}`);
  return value;
}

const classNumbers = { logical: 1, parallel: 2, neural: 3 } as const;

/** The AS in which the route began: the last of the path (RFC 4271 section 5.1.2), of a set each one. */
function originAses(attributes: PathAttributes): readonly number[] {
  const last = attributes.asPath.findLast(({ type }) => type === AsSegmentType.sequence || type === AsSegmentType.set);
  if (!last) return [];
  return last.type === AsSegmentType.set ? last.as : last.as.slice(-1);
}

function insideAny(texts: readonly string[]): (address: string) => boolean {
  const prefixes = texts.map((text) => Prefix.from(text));
  return (address) => {
    const bytes = parseIp(address);
    return bytes !== undefined && prefixes.some((prefix) => prefix.contains(bytes));
  };
}

function anyCommunity<T>(texts: readonly string[], parse: (text: string) => CommunityPattern<T> | undefined, of: (attributes: PathAttributes) => readonly T[]): Condition['holds'] {
  const patterns = texts.map((text) => known(parse(text), text));
  const holds = memo((attributes) => of(attributes).some((community) => patterns.some((pattern) => pattern(community))));
  return (_route, attributes) => holds(attributes);
}

function asPathMatches(texts: readonly string[]): Condition['holds'] {
  const patterns = texts.map((text) => {
    const pattern = compilePattern(text);
    return known(typeof pattern === 'function' ? pattern : undefined, text);
  });
  const holds = memo((attributes) => {
    const path = formatAsPath(attributes.asPath);
    return patterns.some((pattern) => pattern(path));
  });
  return (_route, attributes) => holds(attributes);
}

const within = (range: { readonly min: number; readonly max: number }, value: number | undefined): boolean => value !== undefined && value >= range.min && value <= range.max;

function cpnMatches(wanted: NonNullable<PolicyConditions['cpn']>): Condition['holds'] {
  const exits = wanted.exit && insideAny(wanted.exit);
  const services = wanted.service?.map((text) => Prefix.from(text));
  const classes = wanted.class?.map((name) => classNumbers[name]);
  const block = memo(({ cpn }) => {
    if ((cpn !== undefined) !== wanted.present) return false;
    if (exits && (cpn?.block.origin === undefined || !exits(cpn.block.origin.exit))) return false;
    return classes === undefined || (cpn?.block.instances ?? []).some(({ computing }) => computing.some((item) => classes.some((number) => number === item.class)));
  });
  return ({ prefix }, attributes) => block(attributes) && (services === undefined || services.some((service) => service.contains(prefix)));
}

/** Every condition that is given must hold; of the values of one, any. */
export function compileConditions(match: PolicyConditions, lists: NamedLists): Condition[] {
  const conditions: Condition[] = [];
  const add = <T>(name: string, value: T | undefined, make: (value: T) => Condition['holds']): void => {
    if (value !== undefined) conditions.push({ name, holds: make(value) });
  };
  // Cheap ones first: the first that does not hold ends the rule.
  add('family', match.family, (family) => ({ prefix }) => prefix.family === (family === 'ipv4' ? 4 : 6));
  add('service', match.service, (service) => ({ isService }) => isService === service);
  add('source', match.source, (kinds) => ({ source }) => kinds.includes(source.kind));
  add('peer', match.peer, (addresses) => ({ source }) => addresses.includes(source.address));
  add('prefix', match.prefix, (ranges) => {
    const test = compilePrefixList(ranges);
    return ({ prefix }) => test(prefix);
  });
  add('prefixList', match.prefixList, (names) => {
    const tests = names.map((name) => compilePrefixList(known(lists.prefixLists[name], name)));
    return ({ prefix }) => tests.some((test) => test(prefix));
  });
  add('nextHop', match.nextHop, (prefixes) => {
    const inside = insideAny(prefixes);
    return ({ nextHop }) => inside(nextHop);
  });
  add('origin', match.origin, (origins) => (_route, { origin }) => origins.some((name) => OriginCode[name] === origin));
  add('med', match.med, (range) => (_route, { med }) => within(range, med));
  add('localPreference', match.localPreference, (range) => (_route, { localPref }) => within(range, localPref));
  add('neighborAs', match.neighborAs, (ases) => (_route, attributes) => ases.includes(neighborAs(attributes) ?? 0));
  add('originAs', match.originAs, (ases) => (_route, attributes) => originAses(attributes).some((as) => ases.includes(as)));
  add('passesAs', match.passesAs, (ases) => (_route, { asPath }) => ases.some((as) => containsAs(asPath, as)));
  add('asPathLength', match.asPathLength, (range) => (_route, { asPath }) => within(range, asPathLength(asPath)));
  add('asPath', match.asPath, asPathMatches);
  add('asPathList', match.asPathList, (names) => asPathMatches(names.flatMap((name) => known(lists.asPathLists[name], name))));
  add('community', match.community, (texts) => anyCommunity(texts, communityPattern, ({ communities }) => communities));
  add('extendedCommunity', match.extendedCommunity, (texts) => anyCommunity(texts, extendedCommunityPattern, ({ extendedCommunities }) => extendedCommunities));
  add('largeCommunity', match.largeCommunity, (texts) => anyCommunity(texts, largeCommunityPattern, ({ largeCommunities }) => largeCommunities));
  add('cpn', match.cpn, cpnMatches);
  return conditions;
}
