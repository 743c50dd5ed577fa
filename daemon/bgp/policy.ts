/**
 * Which routes come in from a peer and go out to it, and how they change on the way: RFC 4271 sections 5 and 9.2, RFC 4456 sections 6 and
 * 8, RFC 8212, the well-known communities of RFC 1997, RFC 7999 and RFC 8326, the rules for service routes of proto/WIRE.md section 2, and
 * between them the operator's policies (policy/), which cannot undo the rules for service routes.
 */
import type { Prefix } from '../../dataplane/packet/ip.js';
import { countAs, containsAs, prependAs, withCommunity, withoutCommunity } from './attributes.js';
import { defaultLocalPref, neighborAs, type NextHopResolver } from './best-path.js';
import type { Path } from './path.js';
import { PolicyChain } from './policy/book.js';
import { BLACKHOLE, GRACEFUL_SHUTDOWN, isNonTransitive } from './policy/communities.js';
import { memo } from './policy/memo.js';
import type { NextHopSetting } from './policy/settings.js';
import { withoutPrivateAs, type PrivateAsRemoval } from './private-as.js';
import { mayReflect, reflectedAttributes } from './reflection.js';
import { type Destination, ipPrefixOf } from './wire/families.js';
import type { Role } from './role.js';
import { NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, type NextHop, type PathAttributes } from './wire/types.js';

/** Prefixes with everything inside them, or all, or nothing, or what policies accept. */
export type RoutePolicy = readonly Prefix[] | 'any' | 'none' | PolicyChain;

export interface LocalSpeaker {
  readonly as: number;
  /** BGP identifier, dotted. */
  readonly identifier: string;
  /** Cluster of this route reflector, dotted (RFC 4456 section 7); the BGP identifier unless configured. */
  readonly clusterId: string;
  /** Next hop where the session's own address cannot be one. */
  readonly loopback: string;
  readonly servicePrefixes: readonly Prefix[];
  /** Extended communities of which one is enough for a VPN route to be imported. */
  readonly importTargets: ReadonlySet<bigint>;
}

export interface PeerPolicy {
  readonly kind: 'ibgp' | 'ebgp';
  readonly address: string;
  readonly as: number;
  /** May carry service routes. */
  readonly cpn: boolean;
  /** Service prefixes an eBGP peer may announce. */
  readonly cpnAccept: readonly Prefix[];
  readonly nextHopSelf: boolean;
  /** MinRouteAdvertisementInterval of the peer, ms; 0: none. */
  readonly advertisementIntervalMs?: number;
  /** In the SR domain (daemon/bgp/srv6.ts). */
  readonly srv6: boolean;
  /** A client of this route reflector. */
  readonly reflectorClient: boolean;
  /** How often the own AS may stand in an AS_PATH from this peer. */
  readonly allowAsIn: number;
  /** Also send routes that went through the peer's AS already. */
  readonly advertisePeerAs: boolean;
  readonly removePrivateAs: PrivateAsRemoval;
  /** This side's role (RFC 9234). */
  readonly role: Role | undefined;
  readonly import: RoutePolicy;
  readonly export: RoutePolicy;
}

function covers(prefixes: readonly Prefix[], destination: Destination): boolean {
  const prefix = ipPrefixOf(destination);
  return prefixes.some((other) => other.contains(prefix));
}

/** Whether the short forms let a prefix through; policies are asked later. */
const permits = (policy: RoutePolicy, prefix: Destination): boolean => policy === 'any' || policy instanceof PolicyChain || (policy !== 'none' && covers(policy, prefix));

/** Whether a prefix lies inside a configured service prefix: such routes feed the computing RIB only. */
export const isServiceRoute = (local: Pick<LocalSpeaker, 'servicePrefixes'>, prefix: Destination): boolean => covers(local.servicePrefixes, prefix);

const isLinkLocal = (address: string): boolean => /^fe[89ab]/.test(address);

/** How many attributes `recent` knows. */
const recentCount = 16;

/** As `memo`, for routes that come one after the other, as those of one UPDATE do, without keeping anything else alive. */
function remembered<Result>(apply: (attributes: PathAttributes) => Result): (attributes: PathAttributes) => Result {
  let last: { readonly attributes: PathAttributes; readonly result: Result } | undefined;
  return (attributes) => {
    if (last?.attributes !== attributes) last = { attributes, result: apply(attributes) };
    return last.result;
  };
}

/** The same for a few attributes, in whichever order: routes of some UPDATEs are told in one batch, and share what comes out. */
function recent<Result>(apply: (attributes: PathAttributes) => Result): (attributes: PathAttributes) => Result {
  const known: { readonly attributes: PathAttributes; readonly result: Result }[] = [];
  let next = 0;
  let last: { readonly attributes: PathAttributes; readonly result: Result } | undefined;
  return (attributes) => {
    if (last?.attributes === attributes) return last.result;
    last = known.find((other) => other.attributes === attributes);
    if (!last) {
      last = { attributes, result: apply(attributes) };
      known[next] = last;
      next = (next + 1) % recentCount;
    }
    return last.result;
  };
}

export interface Imported {
  readonly attributes: PathAttributes;
  /** Why the route stays out of the Loc-RIB. */
  readonly rejected: string | undefined;
}

/** What one peer may bring in. `localAddress` is this router's end of the session. */
export function importer(local: LocalSpeaker, peer: PeerPolicy, localAddress: string): (prefix: Destination, nextHop: NextHop, attributes: PathAttributes) => Imported {
  const chain = peer.import instanceof PolicyChain ? peer.import : undefined;
  const fault = remembered((attributes) => attributeRejection(local, peer, attributes));
  // What a policy gives out is remembered by what it got, so that this must be the same value each time.
  const plain = (chain ? memo : remembered)((attributes) => received(peer, attributes));
  // An AS that hands a service route over has taken NO_EXPORT away for us; it holds again from here on, whatever a policy says.
  const service = (chain ? memo : remembered)((attributes) => withCommunity(attributes, NO_EXPORT));
  const source = { address: peer.address, kind: peer.kind };
  return (prefix, nextHop, attributes) => {
    const isService = isServiceRoute(local, prefix);
    const restored = (result: PathAttributes): PathAttributes => (isService && peer.kind === 'ebgp' ? service(result) : result);
    const rejected = fault(attributes) ?? prefixRejection(peer, prefix, isService) ?? nextHopRejection(nextHop, local, localAddress);
    if (!chain || rejected !== undefined) return { attributes: restored(plain(attributes)), rejected };
    const verdict = chain.evaluate({ prefix: ipPrefixOf(prefix), nextHop: nextHop.address, source, isService, nextHopCost: () => undefined }, plain(attributes));
    return { attributes: restored(verdict.attributes), rejected: verdict.accepted ? undefined : `import policy: ${verdict.by}` };
  };
}

/** A route before the operator's policy, which may decide otherwise. */
function received(peer: PeerPolicy, attributes: PathAttributes): PathAttributes {
  const { communities } = attributes;
  let result = attributes.localPref === undefined ? { ...attributes, localPref: defaultLocalPref } : attributes;
  if (peer.kind === 'ibgp') return result;
  // RFC 8326 section 4.2: the last choice, so that traffic leaves before the session does.
  if (communities.includes(GRACEFUL_SHUTDOWN)) result = { ...result, localPref: 0 };
  // RFC 7999 section 3.2: a blackhole does not go beyond the AS that was asked for it.
  return communities.includes(BLACKHOLE) ? withCommunity(result, NO_EXPORT) : result;
}

function attributeRejection(local: LocalSpeaker, peer: PeerPolicy, attributes: PathAttributes): string | undefined {
  if (countAs(attributes.asPath, local.as) > peer.allowAsIn) return 'own AS in AS_PATH';
  if (attributes.originatorId === local.identifier) return 'own ORIGINATOR_ID';
  if (attributes.clusterList.includes(local.clusterId)) return 'own cluster in CLUSTER_LIST';
  // RFC 4271 section 6.3.
  if (peer.kind === 'ebgp' && neighborAs(attributes) !== peer.as) return "leftmost AS is not the peer's";
  return undefined;
}

function prefixRejection(peer: PeerPolicy, prefix: Destination, isService: boolean): string | undefined {
  if (peer.kind === 'ibgp') return permits(peer.import, prefix) ? undefined : 'import policy';
  if (peer.import === 'none') return 'no import policy (RFC 8212)';
  if (!permits(peer.import, prefix)) return 'import policy';
  if (isService && !peer.cpn) return 'service route from a peer that is not marked cpn';
  if (isService && !covers(peer.cpnAccept, prefix)) return 'service route outside cpnAccept';
  return undefined;
}

function nextHopRejection(nextHop: NextHop, local: LocalSpeaker, localAddress: string): string | undefined {
  const own = nextHop.address === localAddress || nextHop.address === local.loopback;
  return own ? 'next hop is this router' : undefined;
}

/** Whether what goes out may change although no path does: a policy takes MED from the cost of next hops. */
export const dependsOnCost = (peer: PeerPolicy): boolean => peer.export instanceof PolicyChain && peer.export.usesNextHopCost;

export interface Exported {
  readonly nextHop: NextHop;
  readonly attributes: PathAttributes;
}

/** What goes out to one peer; a string says why a path does not. `resolve` gives the cost of next hops to policies that set MED from it. */
export function exporter(local: LocalSpeaker, peer: PeerPolicy, localAddress: string, resolve: NextHopResolver): (path: Path) => Exported | string {
  const self: NextHop = isLinkLocal(localAddress) ? { address: local.loopback, linkLocal: localAddress } : { address: localAddress.includes(':') ? localAddress : local.loopback, linkLocal: undefined };
  const chain = peer.export instanceof PolicyChain ? peer.export : undefined;
  // What a policy gives out is remembered by what it got, as on import.
  const kept = chain ? memo : recent;
  const learned = kept((attributes) => withoutMed(attributes, peer.kind));
  const originated = kept((attributes) => (attributes.localPref === undefined ? { ...attributes, localPref: defaultLocalPref } : attributes));
  const finish = recent((attributes) => (peer.kind === 'ebgp' ? toExternal(local, peer, attributes) : attributes));
  // Service routes carry NO_EXPORT, but where a marked peer of another AS adds it again.
  const finishService = recent((attributes) => (peer.kind === 'ebgp' ? withoutCommunity(finish(attributes), NO_EXPORT) : withCommunity(attributes, NO_EXPORT)));
  const begin = (path: Path): PathAttributes => {
    if (path.source.kind === 'local') return originated(path.attributes);
    return path.source.kind === 'ibgp' && peer.kind === 'ibgp' ? reflectedAttributes(path, local.clusterId) : learned(path.attributes);
  };
  return (path) => {
    const isService = isServiceRoute(local, path.prefix);
    const refused = exportRefusal(path, peer, isService);
    if (refused !== undefined) return refused;
    let attributes = begin(path);
    let setting: NextHopSetting | undefined;
    if (chain) {
      const { prefix, source, nextHop } = path;
      const verdict = chain.evaluate({ prefix: ipPrefixOf(prefix), nextHop: nextHop.address, source, isService, nextHopCost: () => (source.kind === 'local' ? 0 : resolve(nextHop.address)?.cost) }, attributes);
      if (!verdict.accepted) return `export policy: ${verdict.by}`;
      attributes = verdict.attributes;
      setting = verdict.nextHop;
    }
    const nextHop = exportNextHop(path, peer, self, setting);
    // RFC 8950 lets IPv4 routes have IPv6 next hops, nothing the other way round.
    if (ipPrefixOf(path.prefix).family === 6 && !nextHop.address.includes(':')) return `next hop ${nextHop.address} of another family`;
    return { nextHop, attributes: (isService ? finishService : finish)(attributes) };
  };
}

function exportRefusal(path: Path, peer: PeerPolicy, isService: boolean): string | undefined {
  const { communities } = path.attributes;
  if (path.source.kind === 'ibgp' && peer.kind === 'ibgp' && !mayReflect(path.source, peer.reflectorClient)) return 'from iBGP to iBGP';
  if (communities.includes(NO_ADVERTISE)) return 'NO_ADVERTISE';
  if (peer.export === 'none') return peer.kind === 'ebgp' ? 'no export policy (RFC 8212)' : 'export policy';
  if (!permits(peer.export, path.prefix)) return 'export policy';
  if (isService && !peer.cpn) return 'service route to a peer that is not marked cpn';
  if (peer.kind === 'ebgp') {
    if (communities.includes(NO_EXPORT) && !isService) return 'NO_EXPORT';
    if (communities.includes(NO_EXPORT_SUBCONFED)) return 'NO_EXPORT_SUBCONFED';
    // The peer would drop it by its own loop check.
    if (!peer.advertisePeerAs && containsAs(path.attributes.asPath, peer.as)) return "the peer's AS is in AS_PATH";
  }
  return undefined;
}

function exportNextHop(path: Path, peer: PeerPolicy, self: NextHop, setting: NextHopSetting | undefined): NextHop {
  const { address } = path.nextHop;
  const isOurs = path.source.kind === 'local' && address === '::';
  // A link-local address means nothing beyond its link (RFC 2545 section 3).
  const unchanged = isOurs || isLinkLocal(address) ? self : path.nextHop.linkLocal === undefined ? path.nextHop : { address, linkLocal: undefined };
  if (setting === 'self') return self;
  if (setting === 'unchanged') return unchanged;
  if (setting !== undefined) return { address: setting, linkLocal: undefined };
  if (peer.kind === 'ebgp') return self;
  // A reflected route keeps its next hop (RFC 4456 section 10).
  return peer.nextHopSelf && path.source.kind === 'ebgp' ? self : unchanged;
}

/** RFC 4271 section 5.1.4: a MED that came from a neighbouring AS does not go on to another one. */
function withoutMed(attributes: PathAttributes, kind: 'ibgp' | 'ebgp'): PathAttributes {
  return kind === 'ebgp' && attributes.med !== undefined ? { ...attributes, med: undefined } : attributes;
}

/**
 * RFC 4271 sections 5.1.2 and 5.1.5, RFC 4456 section 8, RFC 4360 section 6: what stays inside the AS is taken off, the own AS put in front.
 */
function toExternal(local: LocalSpeaker, peer: PeerPolicy, attributes: PathAttributes): PathAttributes {
  const { extendedCommunities } = attributes;
  return {
    ...attributes,
    asPath: prependAs(withoutPrivateAs(attributes.asPath, peer.removePrivateAs, local.as, peer.as), local.as),
    localPref: undefined,
    originatorId: undefined,
    clusterList: [],
    extendedCommunities: extendedCommunities.some(isNonTransitive) ? extendedCommunities.filter((community) => !isNonTransitive(community)) : extendedCommunities,
  };
}
