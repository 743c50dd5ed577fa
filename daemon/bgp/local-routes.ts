/** Routes of this router: what the rest of the daemon announces, as paths of the Loc-RIB. */
import { Prefix } from '../../dataplane/packet/ip.js';
import type { CpnBlock } from '../computing/types.js';
import { equalAttributes, equalNextHops, withCommunity } from './attributes.js';
import type { Path, PathSource } from './path.js';
import { cpnAttributeOf } from './wire/attributes/cpn.js';
import { prefixSidOf } from './wire/attributes/prefix-sid.js';
import { type Destination, equalLabels } from './wire/families.js';
import { EMPTY_ATTRIBUTES, NO_EXPORT, OriginCode, type OriginValue, type PathAttributes, type PrefixSid } from './wire/types.js';

/** A route to announce. `prefix` is text or a value; a service route is one inside a configured service prefix. */
export interface LocalRoute {
  readonly prefix: Destination | string;
  readonly origin?: OriginValue;
  readonly localPref?: number;
  readonly med?: number;
  /** The session's own address unless given. */
  readonly nextHop?: string;
  readonly communities?: readonly number[];
  readonly extendedCommunities?: readonly bigint[];
  /** By default the first SID of the computing state. */
  readonly prefixSid?: PrefixSid;
  /** Computing state behind a service route. */
  readonly cpn?: CpnBlock;
}

export const localSource: PathSource = { address: '', as: 0, kind: 'local', identifier: 0 };

/** Next hop that every export replaces by the session's own address. */
const unspecified = '::';

/** Throws TypeError for text that is no prefix, which is a programmer's mistake. */
export const asPrefix = (prefix: Destination | string): Destination => (typeof prefix === 'string' ? Prefix.from(prefix) : prefix);

export class LocalRoutes {
  private readonly announced = new Map<string, { readonly route: LocalRoute; readonly path: Path }>();
  /** Attributes without computing state, so that routes that share them are packed into one message. */
  private readonly shared = new Map<string, PathAttributes>();

  /**
   * The path to put into the Loc-RIB; undefined when the same route is announced already. `now` in ms. Throws RangeError when the CPN
   * block cannot be encoded: the caller sizes it first.
   */
  announce(route: LocalRoute, isService: boolean, now: number): Path | undefined {
    const prefix = asPrefix(route.prefix);
    const attributes = this.attributesOf(route, isService);
    const nextHop = { address: route.nextHop ?? unspecified, linkLocal: undefined };
    const key = prefix.toString();
    const old = this.announced.get(key)?.path;
    if (old && equalLabels(old.prefix, prefix) && equalNextHops(old.nextHop, nextHop) && equalAttributes(old.attributes, attributes)) return undefined;
    const path: Path = { prefix, source: localSource, pathId: 0, nextHop, attributes, receivedAt: now, rejected: undefined, stale: false, localId: 0 };
    this.announced.set(key, { route, path });
    return path;
  }

  /** Every route that is announced, to be announced again under other rules. */
  routes(): LocalRoute[] {
    return [...this.announced.values()].map(({ route }) => route);
  }

  /** The path that is gone; undefined when it was not announced. */
  withdraw(prefix: Destination): Path | undefined {
    const key = prefix.toString();
    const path = this.announced.get(key)?.path;
    this.announced.delete(key);
    return path;
  }

  private attributesOf(route: LocalRoute, isService: boolean): PathAttributes {
    const base = this.share({
      ...EMPTY_ATTRIBUTES,
      origin: route.origin ?? OriginCode.igp,
      localPref: route.localPref,
      med: route.med,
      communities: route.communities ?? [],
      extendedCommunities: route.extendedCommunities ?? [],
      prefixSid: route.cpn ? undefined : route.prefixSid,
    });
    // Service routes stay between routers that were marked for them (proto/WIRE.md section 2).
    const attributes = isService ? this.share(withCommunity(base, NO_EXPORT)) : base;
    if (!route.cpn) return attributes;
    const sid = route.cpn.instances[0]?.sid;
    return { ...attributes, cpn: cpnAttributeOf(route.cpn), prefixSid: route.prefixSid ?? (sid && prefixSidOf(sid)) };
  }

  private share(attributes: PathAttributes): PathAttributes {
    const { origin, localPref, med, communities, extendedCommunities, prefixSid } = attributes;
    const sid = prefixSid && Buffer.from(prefixSid.value).toString('hex');
    const key = [origin, localPref, med, communities.join(' '), extendedCommunities.join(' '), sid].join('|');
    let shared = this.shared.get(key);
    if (!shared) this.shared.set(key, (shared = attributes));
    return shared;
  }
}
