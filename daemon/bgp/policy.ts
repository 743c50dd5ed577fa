/**
 * Which routes come in from a peer and go out to it, and how they change on the way: RFC 4271 sections 5 and 9.2, RFC 4456 section 8,
 * RFC 8212, the well-known communities of RFC 1997, and the rules for service routes of proto/WIRE.md section 2.
 */
import type { Prefix } from '../../dataplane/packet/ip.js';
import { containsAs, prependAs, withCommunity, withoutCommunity } from './attributes.js';
import { defaultLocalPref, neighborAs } from './best-path.js';
import type { Path } from './path.js';
import { type Destination, ipPrefixOf } from './wire/families.js';
import { NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, type NextHop, type PathAttributes } from './wire/types.js';

/** Prefixes with everything inside them, or all, or nothing. */
export type PrefixPolicy = readonly Prefix[] | 'any' | 'none';

export interface LocalSpeaker {
  readonly as: number;
  /** BGP identifier, dotted; the cluster ID too. */
  readonly identifier: string;
  /** Next hop where the session's own address cannot be one. */
  readonly loopback: string;
  readonly servicePrefixes: readonly Prefix[];
}

export interface PeerPolicy {
  readonly kind: 'ibgp' | 'ebgp';
  readonly as: number;
  /** May carry service routes. */
  readonly cpn: boolean;
  /** Service prefixes an eBGP peer may announce. */
  readonly cpnAccept: readonly Prefix[];
  readonly nextHopSelf: boolean;
  readonly import: PrefixPolicy;
  readonly export: PrefixPolicy;
}

function covers(prefixes: readonly Prefix[], destination: Destination): boolean {
  const prefix = ipPrefixOf(destination);
  return prefixes.some((other) => other.contains(prefix));
}

const permits = (policy: PrefixPolicy, prefix: Destination): boolean => policy === 'any' || (policy !== 'none' && covers(policy, prefix));

/** Whether a prefix lies inside a configured service prefix: such routes feed the computing RIB only. */
export const isServiceRoute = (local: Pick<LocalSpeaker, 'servicePrefixes'>, prefix: Destination): boolean => covers(local.servicePrefixes, prefix);

const isLinkLocal = (address: string): boolean => /^fe[89ab]/.test(address);

/** Applies a function to attributes once for all routes that share them. */
function cached<Result>(apply: (attributes: PathAttributes) => Result): (attributes: PathAttributes) => Result {
  const results = new WeakMap<PathAttributes, { readonly result: Result }>();
  return (attributes) => {
    let entry = results.get(attributes);
    if (!entry) results.set(attributes, (entry = { result: apply(attributes) }));
    return entry.result;
  };
}

/** The same for routes that come one after the other, as those of one UPDATE do, without keeping anything else alive. */
function remembered<Result>(apply: (attributes: PathAttributes) => Result): (attributes: PathAttributes) => Result {
  let last: { readonly attributes: PathAttributes; readonly result: Result } | undefined;
  return (attributes) => {
    if (last?.attributes !== attributes) last = { attributes, result: apply(attributes) };
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
  const fault = remembered((attributes) => attributeRejection(local, peer, attributes));
  const plain = remembered((attributes) => (attributes.localPref === undefined ? { ...attributes, localPref: defaultLocalPref } : attributes));
  // An AS that hands a service route over has taken NO_EXPORT away for us; it holds again from here on.
  const service = remembered((attributes) => withCommunity(plain(attributes), NO_EXPORT));
  return (prefix, nextHop, attributes) => {
    const isService = isServiceRoute(local, prefix);
    const rejected = fault(attributes) ?? prefixRejection(peer, prefix, isService) ?? nextHopRejection(nextHop, local, localAddress);
    return { attributes: isService && peer.kind === 'ebgp' ? service(attributes) : plain(attributes), rejected };
  };
}

function attributeRejection(local: LocalSpeaker, peer: PeerPolicy, attributes: PathAttributes): string | undefined {
  if (containsAs(attributes.asPath, local.as)) return 'own AS in AS_PATH';
  if (attributes.originatorId === local.identifier) return 'own ORIGINATOR_ID';
  if (attributes.clusterList.includes(local.identifier)) return 'own cluster in CLUSTER_LIST';
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

export interface Exported {
  readonly nextHop: NextHop;
  readonly attributes: PathAttributes;
}

/** What goes out to one peer; a string says why a path does not. */
export function exporter(local: LocalSpeaker, peer: PeerPolicy, localAddress: string): (path: Path) => Exported | string {
  const self: NextHop = isLinkLocal(localAddress) ? { address: local.loopback, linkLocal: localAddress } : { address: localAddress.includes(':') ? localAddress : local.loopback, linkLocal: undefined };
  const shorten = (attributes: PathAttributes): PathAttributes => (peer.kind === 'ebgp' ? toExternal(local, attributes) : attributes);
  const learned = cached((attributes) => shorten(withoutMed(attributes, peer.kind)));
  const originated = cached((attributes) => shorten({ ...attributes, localPref: attributes.localPref ?? defaultLocalPref }));
  const service = cached((attributes) => withoutCommunity(learned(attributes), NO_EXPORT));
  const originatedService = cached((attributes) => withoutCommunity(originated(attributes), NO_EXPORT));
  return (path) => {
    const isService = isServiceRoute(local, path.prefix);
    const refused = exportRefusal(path, peer, isService);
    if (refused !== undefined) return refused;
    const isLocal = path.source.kind === 'local';
    const handOver = isService && peer.kind === 'ebgp';
    const transform = isLocal ? (handOver ? originatedService : originated) : handOver ? service : learned;
    return { nextHop: exportNextHop(path, peer, self), attributes: transform(path.attributes) };
  };
}

function exportRefusal(path: Path, peer: PeerPolicy, isService: boolean): string | undefined {
  const { communities } = path.attributes;
  if (path.source.kind === 'ibgp' && peer.kind === 'ibgp') return 'from iBGP to iBGP';
  if (communities.includes(NO_ADVERTISE)) return 'NO_ADVERTISE';
  if (peer.export === 'none') return peer.kind === 'ebgp' ? 'no export policy (RFC 8212)' : 'export policy';
  if (!permits(peer.export, path.prefix)) return 'export policy';
  if (isService && !peer.cpn) return 'service route to a peer that is not marked cpn';
  if (peer.kind === 'ebgp') {
    if (communities.includes(NO_EXPORT) && !isService) return 'NO_EXPORT';
    if (communities.includes(NO_EXPORT_SUBCONFED)) return 'NO_EXPORT_SUBCONFED';
    // The peer would drop it by its own loop check.
    if (containsAs(path.attributes.asPath, peer.as)) return "the peer's AS is in AS_PATH";
  }
  return undefined;
}

function exportNextHop(path: Path, peer: PeerPolicy, self: NextHop): NextHop {
  if (peer.kind === 'ebgp') return self;
  if (path.source.kind === 'local') return path.nextHop.address === '::' ? self : path.nextHop;
  // A link-local address means nothing beyond its link (RFC 2545 section 3).
  if (peer.nextHopSelf || isLinkLocal(path.nextHop.address)) return self;
  return path.nextHop.linkLocal === undefined ? path.nextHop : { address: path.nextHop.address, linkLocal: undefined };
}

/** RFC 4271 section 5.1.4: a MED that came from a neighbouring AS does not go on to another one. */
function withoutMed(attributes: PathAttributes, kind: 'ibgp' | 'ebgp'): PathAttributes {
  return kind === 'ebgp' && attributes.med !== undefined ? { ...attributes, med: undefined } : attributes;
}

/** RFC 4271 sections 5.1.2 and 5.1.5, RFC 4456 section 8: what stays inside the AS is taken off, the own AS put in front. */
function toExternal(local: LocalSpeaker, attributes: PathAttributes): PathAttributes {
  return { ...attributes, asPath: prependAs(attributes.asPath, local.as), localPref: undefined, originatorId: undefined, clusterList: [] };
}
