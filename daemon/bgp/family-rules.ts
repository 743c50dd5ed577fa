/**
 * What a session's families add to its import and export policy: IPv6 next hops of IPv4 routes only where they were negotiated
 * (RFC 8950 section 4), and Prefix-SIDs only where they belong.
 */
import type { Path } from './path.js';
import type { Exported, Imported } from './policy.js';
import { carriesPrefixSid, withoutPrefixSid } from './srv6.js';
import { type Destination, type FamilyName, familyOfDestination, ipVersionOf } from './wire/families.js';
import type { NextHop, PathAttributes } from './wire/types.js';

export interface FamilyRules {
  readonly kind: 'ibgp' | 'ebgp';
  readonly srv6: boolean;
  /** Families of IPv4 whose routes may have IPv6 next hops in both directions. */
  readonly extendedNextHop: readonly FamilyName[];
  readonly isService: (destination: Destination) => boolean;
}

type Import = (prefix: Destination, nextHop: NextHop, attributes: PathAttributes) => Imported;
type Export = (path: Path) => Exported | string;

export function withImportRules(importRoute: Import, rules: FamilyRules): Import {
  return (prefix, nextHop, attributes) => {
    const keeps = !attributes.prefixSid || carriesPrefixSid(rules, prefix, rules.isService(prefix), false);
    return importRoute(prefix, nextHop, keeps ? attributes : withoutPrefixSid(attributes));
  };
}

export function withExportRules(exportRoute: Export, rules: FamilyRules): Export {
  return (path) => {
    const exported = exportRoute(path);
    if (typeof exported === 'string') return exported;
    const family = familyOfDestination(path.prefix);
    if (ipVersionOf(family) === 4 && exported.nextHop.address.includes(':') && !rules.extendedNextHop.includes(family)) {
      return 'IPv6 next hop of an IPv4 route, which the peer does not take (RFC 8950)';
    }
    const { attributes } = exported;
    if (!attributes.prefixSid || carriesPrefixSid(rules, path.prefix, rules.isService(path.prefix), path.source.kind === 'local')) return exported;
    return { ...exported, attributes: withoutPrefixSid(attributes) };
  };
}
