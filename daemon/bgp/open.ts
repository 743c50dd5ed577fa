/** OPEN messages: what this speaker offers, what is wrong with the peer's, and what both together mean for the session. */
import { familyOf } from './wire/nlri.js';
import type { Notification, OpenMessage, AfiSafi, Capability } from './wire/types.js';
import { IPV4_UNICAST, IPV6_UNICAST, AS_TRANS } from './wire/types.js';

export interface OpenOptions {
  readonly localAs: number;
  readonly peerAs: number;
  readonly identifier: string;
  readonly holdTimeMs: number;
  /** IP families to exchange routes of. */
  readonly families: readonly (4 | 6)[];
  readonly addPath: { readonly receive: boolean; readonly send: boolean };
  readonly gracefulRestart: { readonly timeMs: number; readonly restarting: boolean };
}

/** What a session may do after both OPEN messages. */
export interface Negotiated {
  readonly holdMs: number;
  readonly identifier: string;
  readonly fourOctetAs: boolean;
  readonly extendedMessage: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  readonly families: readonly (4 | 6)[];
  /** Families whose NLRI arrive and leave with path identifiers. */
  readonly addPathReceive: readonly (4 | 6)[];
  readonly addPathSend: readonly (4 | 6)[];
  /** The peer's graceful restart capability (RFC 4724). */
  readonly gracefulRestart: { readonly timeMs: number; readonly restarting: boolean; readonly notification: boolean; readonly preserved: readonly (4 | 6)[] } | undefined;
}

const afiSafi = (family: 4 | 6): AfiSafi => (family === 4 ? IPV4_UNICAST : IPV6_UNICAST);

export function buildOpen(options: OpenOptions): OpenMessage {
  const families = options.families.map(afiSafi);
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
      notification: false,
      timeSeconds: Math.min(4095, Math.round(options.gracefulRestart.timeMs / 1000)),
      families: families.map((family) => ({ ...family, forwardingPreserved: true })),
    },
  ];
  if (options.families.includes(4)) capabilities.push({ kind: 'extendedNextHop', entries: [{ ...IPV4_UNICAST, nextHopAfi: IPV6_UNICAST.afi }] });
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

/** Checks a decoded OPEN against the configuration (RFC 4271 section 6.2, RFC 6286 section 2.2, RFC 5492 section 3). */
export function openFault(options: OpenOptions, open: OpenMessage): Notification | undefined {
  if (open.as !== options.peerAs) return openError(2);
  const internal = options.localAs === options.peerAs;
  if (open.identifier === '0.0.0.0' || (internal && open.identifier === options.identifier)) return openError(3);
  if (negotiate(options, open).families.length === 0) {
    // The data is the capability that is missing, in the form of the optional parameter's content.
    return openError(7, Uint8Array.from(options.families.flatMap((family) => [1, 4, 0, afiSafi(family).afi, 0, 1])));
  }
  return undefined;
}

/** What holds after our OPEN and the peer's. */
export function negotiate(options: OpenOptions, open: OpenMessage): Negotiated {
  const announced = open.capabilities.filter((capability) => capability.kind === 'multiprotocol').map((capability) => familyOf(capability.family));
  // RFC 4760 section 8: a speaker that says nothing speaks IPv4 unicast only.
  const peerFamilies = announced.length === 0 ? [4] : announced;
  const families = options.families.filter((family) => peerFamilies.includes(family));
  const has = (kind: Capability['kind']): boolean => open.capabilities.some((capability) => capability.kind === kind);
  const addPath = open.capabilities.filter((capability) => capability.kind === 'addPath').flatMap((capability) => capability.families);
  const peerAddPath = (direction: 'receive' | 'send'): (4 | 6)[] => families.filter((family) => addPath.some((entry) => familyOf(entry) === family && entry[direction]));
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
    gracefulRestart: restart && {
      timeMs: restart.timeSeconds * 1000,
      restarting: restart.restarting,
      notification: restart.notification,
      preserved: restart.families.filter((entry) => entry.forwardingPreserved).flatMap((entry) => familyOf(entry) ?? []),
    },
  };
}
