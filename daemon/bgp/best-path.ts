/**
 * The decision process for one prefix: RFC 4271 section 9.1.2, with the tie breaks of RFC 4456 section 9.
 *
 * Each step removes the paths that are worse than another one that is left, so that the result does not depend on the order of the
 * paths, MED included.
 */
import { parseIp } from '../../dataplane/packet/ip.js';
import type { Path } from './path.js';
import { asPathLength } from './wire/attributes/segments.js';
import { AsSegmentType, type PathAttributes } from './wire/types.js';

/** Resolves a next hop in the unicast RIB; undefined when there is no route to it (RFC 4271 section 9.1.2.1). */
export type NextHopResolver = (address: string) => { readonly cost: number } | undefined;

/** What a route without LOCAL_PREF counts as. */
export const defaultLocalPref = 100;

export interface Decision {
  readonly best: Path;
  /** The step that decided, for operators. */
  readonly reason: string;
}

/** The AS the route was received from, undefined for routes of this AS (RFC 4271 section 9.1.2.2 c). */
export function neighborAs(attributes: PathAttributes): number | undefined {
  const first = attributes.asPath.find((segment) => segment.type === AsSegmentType.sequence || segment.type === AsSegmentType.set);
  return first?.type === AsSegmentType.sequence ? first.as[0] : undefined;
}

/** A dotted BGP identifier as an unsigned number (RFC 6286 section 2.3 compares them so). */
export function identifierNumber(dotted: string): number {
  const bytes = parseIp(dotted);
  return bytes?.length === 4 ? new DataView(bytes.buffer).getUint32(0) : 0;
}

/** IPv6 and IPv4 addresses in numerical order; text that is no address sorts last. */
export function compareAddresses(left: string, right: string): number {
  const a = parseIp(left.split('%')[0]!);
  const b = parseIp(right.split('%')[0]!);
  if (!a || !b) return a ? -1 : b ? 1 : 0;
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

/** Paths that may be used at all: those whose next hop resolves; routes of this router always do. */
export function eligiblePaths(paths: readonly Path[], resolve: NextHopResolver): Path[] {
  return paths.filter((path) => path.source.kind === 'local' || resolve(path.nextHop.address) !== undefined);
}

const keepLowest = (paths: Path[], value: (path: Path) => number): Path[] => {
  let lowest = Infinity;
  for (const path of paths) lowest = Math.min(lowest, value(path));
  return paths.filter((path) => value(path) === lowest);
};

const steps: readonly { readonly reason: string; readonly apply: (paths: Path[], resolve: NextHopResolver) => Path[] }[] = [
  { reason: 'originated here', apply: (paths) => keepLowest(paths, (path) => (path.source.kind === 'local' ? 0 : 1)) },
  { reason: 'higher LOCAL_PREF', apply: (paths) => keepLowest(paths, (path) => -(path.attributes.localPref ?? defaultLocalPref)) },
  { reason: 'shorter AS_PATH', apply: (paths) => keepLowest(paths, (path) => asPathLength(path.attributes.asPath)) },
  { reason: 'lower ORIGIN', apply: (paths) => keepLowest(paths, (path) => path.attributes.origin) },
  { reason: 'lower MULTI_EXIT_DISC', apply: keepLowestMed },
  { reason: 'eBGP over iBGP', apply: (paths) => keepLowest(paths, (path) => (path.source.kind === 'ibgp' ? 1 : 0)) },
  { reason: 'lower cost to the next hop', apply: (paths, resolve) => keepLowest(paths, (path) => (path.source.kind === 'local' ? 0 : (resolve(path.nextHop.address)?.cost ?? Infinity))) },
  { reason: 'lower BGP identifier', apply: (paths) => keepLowest(paths, originator) },
  { reason: 'shorter CLUSTER_LIST', apply: (paths) => keepLowest(paths, (path) => path.attributes.clusterList.length) },
  {
    reason: 'lower peer address',
    apply: (paths) => {
      const lowest = paths.reduce((a, b) => (compareAddresses(b.source.address, a.source.address) < 0 ? b : a));
      return paths.filter((path) => path.source.address === lowest.source.address);
    },
  },
  { reason: 'lower path identifier', apply: (paths) => keepLowest(paths, (path) => path.pathId) },
];

function originator(path: Path): number {
  return path.attributes.originatorId === undefined ? path.source.identifier : identifierNumber(path.attributes.originatorId);
}

/** MED compares only routes of one neighbouring AS; a missing one counts as 0, the lowest (RFC 4271 section 9.1.2.2 c). */
function keepLowestMed(paths: Path[]): Path[] {
  const lowest = new Map<number | undefined, number>();
  for (const path of paths) {
    const as = neighborAs(path.attributes);
    lowest.set(as, Math.min(lowest.get(as) ?? Infinity, path.attributes.med ?? 0));
  }
  return paths.filter((path) => (path.attributes.med ?? 0) === lowest.get(neighborAs(path.attributes)));
}

/** The best of the eligible paths; undefined when there is none. */
export function selectBestPath(paths: readonly Path[], resolve: NextHopResolver): Decision | undefined {
  let left = paths.length === 1 && paths[0]!.source.kind === 'local' ? [...paths] : eligiblePaths(paths, resolve);
  if (left.length === 0) return undefined;
  let reason = 'only path';
  for (const step of steps) {
    if (left.length === 1) break;
    const next = step.apply(left, resolve);
    if (next.length < left.length) reason = step.reason;
    left = next;
  }
  return { best: left[0]!, reason };
}
