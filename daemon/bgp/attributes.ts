/** Comparing and changing path attributes. All functions return new values; attributes are never changed in place. */
import { AsSegmentType, type AsPathSegment, type NextHop, type PathAttributes } from './wire/types.js';

const equalOctets = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0;

function equalLists<T>(a: readonly T[], b: readonly T[], equal: (x: T, y: T) => boolean = Object.is): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => equal(item, b[index]!)));
}

/** Whether two routes with these attributes are the same on the wire. */
export function equalAttributes(a: PathAttributes, b: PathAttributes): boolean {
  return (
    a === b ||
    (a.origin === b.origin &&
      a.med === b.med &&
      a.localPref === b.localPref &&
      a.atomicAggregate === b.atomicAggregate &&
      a.aggregator?.as === b.aggregator?.as &&
      a.aggregator?.address === b.aggregator?.address &&
      a.onlyToCustomer === b.onlyToCustomer &&
      a.originatorId === b.originatorId &&
      equalLists(a.asPath, b.asPath, (x, y) => x.type === y.type && equalLists(x.as, y.as)) &&
      equalLists(a.communities, b.communities) &&
      equalLists(a.extendedCommunities, b.extendedCommunities) &&
      equalLists(a.largeCommunities, b.largeCommunities, (x, y) => x.global === y.global && x.local1 === y.local1 && x.local2 === y.local2) &&
      equalLists(a.clusterList, b.clusterList) &&
      equalLists(a.partial, b.partial) &&
      (a.prefixSid === undefined) === (b.prefixSid === undefined) &&
      (!a.prefixSid || !b.prefixSid || equalOctets(a.prefixSid.value, b.prefixSid.value)) &&
      (a.cpn === undefined) === (b.cpn === undefined) &&
      (!a.cpn || !b.cpn || (a.cpn.flags === b.cpn.flags && equalOctets(a.cpn.value, b.cpn.value))) &&
      equalLists(a.unknown, b.unknown, (x, y) => x.type === y.type && x.flags === y.flags && equalOctets(x.value, y.value)))
  );
}

export const equalNextHops = (a: NextHop, b: NextHop): boolean => a.address === b.address && a.linkLocal === b.linkLocal;

/** Puts one AS in front of an AS_PATH (RFC 4271 section 5.1.2 b); a full segment gets a new one before it. */
export function prependAs(asPath: readonly AsPathSegment[], as: number): readonly AsPathSegment[] {
  const [first, ...rest] = asPath;
  if (first?.type === AsSegmentType.sequence && first.as.length < 255) return [{ type: first.type, as: [as, ...first.as] }, ...rest];
  return [{ type: AsSegmentType.sequence, as: [as] }, ...asPath];
}

/** Whether an AS number occurs anywhere in an AS_PATH (RFC 4271 section 9.1.2). */
export const containsAs = (asPath: readonly AsPathSegment[], as: number): boolean => asPath.some((segment) => segment.as.includes(as));

/** How often an AS number occurs in an AS_PATH. */
export const countAs = (asPath: readonly AsPathSegment[], as: number): number => asPath.reduce((count, segment) => count + segment.as.filter((other) => other === as).length, 0);

export function withCommunity(attributes: PathAttributes, community: number): PathAttributes {
  if (attributes.communities.includes(community)) return attributes;
  return { ...attributes, communities: [...attributes.communities, community] };
}

export function withoutCommunity(attributes: PathAttributes, community: number): PathAttributes {
  if (!attributes.communities.includes(community)) return attributes;
  return { ...attributes, communities: attributes.communities.filter((other) => other !== community) };
}

/** AS_PATH as operators write it: sequences plain, sets in braces, confederation segments in parentheses or brackets. */
export function formatAsPath(asPath: readonly AsPathSegment[]): string {
  return asPath
    .map(({ type, as }) => {
      if (type === AsSegmentType.set) return `{${as.join(',')}}`;
      if (type === AsSegmentType.confedSequence) return `(${as.join(' ')})`;
      if (type === AsSegmentType.confedSet) return `[${as.join(',')}]`;
      return as.join(' ');
    })
    .join(' ');
}
