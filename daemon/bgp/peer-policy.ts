/** The rules for one peer as its configuration says them. */
import { Prefix } from '../../dataplane/packet/ip.js';
import type { BgpConfig, BgpNeighborConfig, RouteFilterConfig } from '../config/types.js';
import type { PeerPolicy, RoutePolicy } from './policy.js';
import type { PolicyBook, PolicyBookConfig } from './policy/book.js';

export const policyBookConfig = ({ prefixLists = {}, asPathLists = {}, policies = {} }: BgpConfig): PolicyBookConfig => ({ prefixLists, asPathLists, policies });

const prefixes = (texts: readonly string[]): Prefix[] => texts.map((text) => Prefix.from(text));

function routePolicy(filter: RouteFilterConfig, book: PolicyBook, defaultPrependAs: number): RoutePolicy {
  if (typeof filter === 'string') return filter;
  return 'policy' in filter ? book.chain(filter.policy, defaultPrependAs) : prefixes(filter);
}

export function peerPolicy(config: BgpNeighborConfig, localAs: number, book: PolicyBook): PeerPolicy {
  return {
    kind: config.as === localAs ? 'ibgp' : 'ebgp',
    address: config.address,
    as: config.as,
    cpn: config.cpn,
    cpnAccept: prefixes(config.cpnAccept),
    nextHopSelf: config.nextHopSelf,
    advertisementIntervalMs: config.advertisementIntervalMs ?? 0,
    srv6: config.srv6 ?? false,
    reflectorClient: config.routeReflectorClient ?? false,
    allowAsIn: config.allowAsIn ?? 0,
    advertisePeerAs: config.advertisePeerAs ?? false,
    removePrivateAs: config.removePrivateAs ?? 'keep',
    role: config.role,
    // What a policy prepends without saying which AS: on import the neighbor's, since with our own the route would look like a loop to others.
    import: routePolicy(config.import, book, config.as),
    export: routePolicy(config.export, book, localAs),
  };
}
