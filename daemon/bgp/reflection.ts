/** Route reflection (RFC 4456): what goes from internal peers to internal peers, and what it carries. */
import { formatIp } from '../../dataplane/packet/ip.js';
import type { Path, PathSource } from './path.js';
import type { PathAttributes } from './wire/types.js';

/** RFC 4456 section 6: routes of clients go to all internal peers, routes of others to clients. */
export const mayReflect = (source: PathSource, isClient: boolean): boolean => isClient || source.reflectorClient === true;

function dottedIdentifier(identifier: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, identifier);
  return formatIp(bytes);
}

/** By attributes, then source and cluster: all peers that a route is reflected to get the same attributes. */
const reflections = new WeakMap<PathAttributes, Map<string, PathAttributes>>();

/**
 * RFC 4456 section 8: ORIGINATOR_ID is the router that brought the route into the AS, set once; the cluster goes in front of CLUSTER_LIST.
 * Nothing else changes (section 10), the next hop included.
 */
export function reflectedAttributes({ attributes, source }: Path, clusterId: string): PathAttributes {
  let known = reflections.get(attributes);
  if (!known) reflections.set(attributes, (known = new Map<string, PathAttributes>()));
  const key = `${source.identifier} ${clusterId}`;
  let reflected = known.get(key);
  if (!reflected) {
    reflected = { ...attributes, originatorId: attributes.originatorId ?? dottedIdentifier(source.identifier), clusterList: [clusterId, ...attributes.clusterList] };
    known.set(key, reflected);
  }
  return reflected;
}
