/** OPEN messages: what this speaker offers, what is wrong with the peer's, and what both together mean for the session. */
import { roleFault, roleValue, type Role } from './role.js';
import { afiSafiOf, type FamilyName, familyOf, ipVersionOf } from './wire/families.js';
import { AFI_IPV6, AS_TRANS, type Capability, type Notification, type OpenMessage } from './wire/types.js';

export interface OpenOptions {
  readonly localAs: number;
  readonly peerAs: number;
  readonly identifier: string;
  readonly holdTimeMs: number;
  /** Families to exchange routes of. */
  readonly families: readonly FamilyName[];
  readonly addPath: { readonly receive: boolean; readonly send: boolean };
  /**
   * RFC 4724 section 3, R and F bits. `restarting`: this process took over from an earlier run. `preserved`: what forwarded when the last
   * session ended still does, be it of the earlier run or, where only the session ended (RFC 8538), of this one.
   */
  readonly gracefulRestart: { readonly timeMs: number; readonly restarting: boolean; readonly preserved: boolean };
  /** BGP role of this side (RFC 9234 section 4); undefined says nothing. */
  readonly role: Role | undefined;
  /** The peer must say its role too. */
  readonly strictRole: boolean;
}

/** What a session may do after both OPEN messages. */
export interface Negotiated {
  readonly holdMs: number;
  readonly identifier: string;
  readonly fourOctetAs: boolean;
  readonly extendedMessage: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  readonly families: readonly FamilyName[];
  /** Families whose NLRI arrive and leave with path identifiers. */
  readonly addPathReceive: readonly FamilyName[];
  readonly addPathSend: readonly FamilyName[];
  /** Families of IPv4 whose routes may have IPv6 next hops (RFC 8950 section 4: both sides have said so). */
  readonly extendedNextHop: readonly FamilyName[];
  /** The peer's graceful restart capability (RFC 4724). */
  readonly gracefulRestart: PeerRestart | undefined;
}

export interface PeerRestart {
  readonly timeMs: number;
  /** The session is the peer's first after a restart. */
  readonly restarting: boolean;
  /** NOTIFICATIONs other than a Hard Reset leave routes in place too (RFC 8538 section 2; this side always says so). */
  readonly notification: boolean;
  /** Families whose routes stay while the peer restarts. */
  readonly families: readonly FamilyName[];
  /** Those of them for which the peer went on forwarding through its last restart. */
  readonly preserved: readonly FamilyName[];
}

export function buildOpen(options: OpenOptions): OpenMessage {
  const families = options.families.map(afiSafiOf);
  const { receive, send } = options.addPath;
  const capabilities: Capability[] = [
    ...families.map((family): Capability => ({ kind: 'multiprotocol', family })),
    { kind: 'routeRefresh' },
    { kind: 'enhancedRouteRefresh' },
    { kind: 'fourOctetAs', as: options.localAs },
    { kind: 'extendedMessage' },
    {
      kind: 'gracefulRestart',
      restarting: options.gracefulRestart.restarting,
      notification: true,
      timeSeconds: Math.min(4095, Math.round(options.gracefulRestart.timeMs / 1000)),
      families: families.map((family) => ({ ...family, forwardingPreserved: options.gracefulRestart.preserved })),
    },
  ];
  // RFC 8950 section 4: families of IPv4 whose routes may have IPv6 next hops.
  const overIpv6 = options.families.filter((family) => ipVersionOf(family) === 4);
  if (overIpv6.length > 0) capabilities.push({ kind: 'extendedNextHop', entries: overIpv6.map((family) => ({ ...afiSafiOf(family), nextHopAfi: AFI_IPV6 })) });
  if (options.role !== undefined) capabilities.push({ kind: 'role', role: roleValue(options.role) });
  if (receive || send) capabilities.push({ kind: 'addPath', families: families.map((family) => ({ ...family, receive, send })) });
  return {
    type: 'open',
    as: options.localAs,
    myAutonomousSystem: options.localAs > 0xffff ? AS_TRANS : options.localAs,
    holdTime: Math.round(options.holdTimeMs / 1000),
    identifier: options.identifier,
    capabilities,
  };
}

const openError = (subcode: number, data = new Uint8Array(0)): Notification => ({ code: 2, subcode, data });

/** Checks a decoded OPEN against the configuration (RFC 4271 section 6.2, RFC 6286 section 2.2, RFC 9234 section 4.2, RFC 5492 section 3). */
export function openFault(options: OpenOptions, open: OpenMessage): Notification | undefined {
  if (open.as !== options.peerAs) return openError(2);
  const internal = options.localAs === options.peerAs;
  if (open.identifier === '0.0.0.0' || (internal && open.identifier === options.identifier)) return openError(3);
  const roleProblem = roleFault(options.role, options.strictRole, open);
  if (roleProblem) return roleProblem;
  if (negotiate(options, open).families.length === 0) {
    // The data is the capability that is missing, in the form of the optional parameter's content.
    return openError(7, Uint8Array.from(options.families.flatMap((family) => [1, 4, 0, afiSafiOf(family).afi, 0, afiSafiOf(family).safi])));
  }
  return undefined;
}

/** What holds after our OPEN and the peer's. */
export function negotiate(options: OpenOptions, open: OpenMessage): Negotiated {
  const announced = open.capabilities.filter((capability) => capability.kind === 'multiprotocol').map((capability) => familyOf(capability.family));
  // RFC 4760 section 8: a speaker that says nothing speaks IPv4 unicast only.
  const peerFamilies = announced.length === 0 ? ['ipv4-unicast' as const] : announced;
  const families = options.families.filter((family) => peerFamilies.includes(family));
  const has = (kind: Capability['kind']): boolean => open.capabilities.some((capability) => capability.kind === kind);
  const addPath = open.capabilities.filter((capability) => capability.kind === 'addPath').flatMap((capability) => capability.families);
  const peerAddPath = (direction: 'receive' | 'send'): FamilyName[] => families.filter((family) => addPath.some((entry) => familyOf(entry) === family && entry[direction]));
  const extended = open.capabilities.filter((capability) => capability.kind === 'extendedNextHop').flatMap((capability) => capability.entries);
  const restart = open.capabilities.find((capability) => capability.kind === 'gracefulRestart');
  return {
    holdMs: Math.min(options.holdTimeMs, open.holdTime * 1000),
    identifier: open.identifier,
    fourOctetAs: has('fourOctetAs'),
    extendedMessage: has('extendedMessage'),
    routeRefresh: has('routeRefresh'),
    enhancedRouteRefresh: has('enhancedRouteRefresh'),
    families,
    addPathReceive: options.addPath.receive ? peerAddPath('send') : [],
    addPathSend: options.addPath.send ? peerAddPath('receive') : [],
    extendedNextHop: families.filter((family) => ipVersionOf(family) === 4 && extended.some((entry) => familyOf(entry) === family && entry.nextHopAfi === AFI_IPV6)),
    gracefulRestart: restart && {
      timeMs: restart.timeSeconds * 1000,
      restarting: restart.restarting,
      notification: restart.notification,
      families: restart.families.flatMap((entry) => familyOf(entry) ?? []),
      preserved: restart.families.filter((entry) => entry.forwardingPreserved).flatMap((entry) => familyOf(entry) ?? []),
    },
  };
}
