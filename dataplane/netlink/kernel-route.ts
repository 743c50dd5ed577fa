/** From a declared route to what the kernel is told, and the comparison of the two. Pure. */
import { Prefix } from '../packet/ip.js';
import { isProtected } from '../adjacencies.js';
import type { KernelRoute, LocalBehaviour, NextHop, RouteBackup, RouteTarget } from '../dataplane.js';
import { RTN_UNICAST, RTNH_F_ONLINK, RTN_UNREACHABLE, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN } from './constants.js';
import { SEG6_LOCAL_ACTIONS, addressOctets, type Encapsulation, type Seg6LocalEncapsulation } from './encapsulation.js';
import type { RouteMessage, RouteNextHop } from './route.js';

/**
 * Protocol number of the routes, rules and addresses that are ours. Free in linux/rtnetlink.h and in FRR (whose zebra deletes routes
 * of its own numbers, 186 to 198, when it starts).
 */
export const ROUTE_PROTOCOL = 210;

export const DEFAULT_METRIC = 1024;

/** What must be known of an interface to route over it. */
export interface RouteInterface {
  readonly index: number;
  /** Administratively up: the kernel refuses and forgets routes over an interface that is not. */
  readonly enabled: boolean;
  readonly loopback: boolean;
}

export type FindInterface = (name: string) => RouteInterface | undefined;

export interface RouteKey {
  readonly prefix: Prefix;
  readonly table: number;
  readonly metric: number;
}

/** The kernel's key of a declared route. Throws TypeError when the prefix is none (a caller's mistake). */
export function routeKey(prefix: string, table = RT_TABLE_MAIN, metric = DEFAULT_METRIC): RouteKey {
  const parsed = Prefix.from(prefix);
  // For IPv6 the kernel reads metric 0 as its default (IP6_RT_PRIO_USER).
  return { prefix: parsed, table, metric: parsed.family === 6 && metric === 0 ? DEFAULT_METRIC : metric };
}

export const keyText = ({ prefix, table, metric }: RouteKey): string => `${prefix.toString()} ${table} ${metric}`;

export const keyOfMessage = (message: RouteMessage): RouteKey => ({ prefix: message.destination, table: message.table, metric: message.metric ?? 0 });

const isLinkLocal = (address: string): boolean => /^fe[89ab]/.test(address);

/** A route for the kernel, or why there can be none now. */
export type Translated = { readonly message: RouteMessage; readonly reason?: undefined } | { readonly reason: string };

function translateNextHops(hops: readonly NextHop[], find: FindInterface, encapsulation?: Encapsulation): { readonly nextHops: RouteNextHop[]; readonly reasons: string[] } {
  const nextHops: RouteNextHop[] = [];
  const reasons: string[] = [];
  for (const hop of hops) {
    const link = find(hop.interface);
    if (!link?.enabled) {
      reasons.push(link ? `interface ${hop.interface} is down` : `no interface ${hop.interface}`);
      continue;
    }
    nextHops.push({
      interfaceIndex: link.index,
      weight: Math.min(256, Math.max(1, Math.round(hop.weight ?? 1))),
      flags: hop.onLink === true ? RTNH_F_ONLINK : 0,
      ...(hop.gateway !== undefined && { gateway: hop.gateway }),
      ...(encapsulation && { encapsulation }),
    });
  }
  return { nextHops, reasons };
}

function translateBehaviour(behaviour: LocalBehaviour, find: FindInterface): Seg6LocalEncapsulation | { readonly reason: string } {
  const action = SEG6_LOCAL_ACTIONS[behaviour.kind];
  switch (behaviour.kind) {
    case 'End':
      return { kind: 'seg6local', action };
    case 'End.DT6':
      return { kind: 'seg6local', action, table: behaviour.table };
    case 'End.DX4':
      return { kind: 'seg6local', action, nextHop4: behaviour.nextHop };
    case 'End.DX6':
      // The kernel looks the next hop up without an interface, so that it must be unique in the routing table.
      if (isLinkLocal(behaviour.nextHop)) return { reason: `End.DX6 needs a global next hop, ${behaviour.nextHop} is link-local` };
      return { kind: 'seg6local', action, nextHop6: behaviour.nextHop };
    case 'End.X': {
      if (!isLinkLocal(behaviour.nextHop)) return { kind: 'seg6local', action, nextHop6: behaviour.nextHop };
      // Only a link-local next hop is told its interface: kernels before 6.17 refuse the attribute.
      const link = find(behaviour.interface);
      if (!link) return { reason: `no interface ${behaviour.interface}` };
      return { kind: 'seg6local', action, nextHop6: behaviour.nextHop, outputInterface: link.index };
    }
  }
}

/** The route of lower preference that the kernel falls back to when those of the primary next hops are gone: at the next metric. Undefined: there is no backup. */
export function backupRoute(route: KernelRoute, key: RouteKey, isUsable: (hop: NextHop) => boolean): KernelRoute | undefined {
  const { target } = route;
  if (!isProtected(target)) return undefined;
  const backup = target.backups.find(({ nextHop }) => isUsable(nextHop)) ?? target.backups[0];
  return backup && { prefix: route.prefix, table: key.table, metric: key.metric + 1, target: targetOfBackup(backup) };
}

export function targetOfBackup({ segments, nextHop }: RouteBackup): RouteTarget {
  return segments.length > 0 ? { kind: 'seg6', segments, nextHops: [nextHop] } : { kind: 'unicast', nextHops: [nextHop] };
}

/** Leaves out backups whose packets would match the route again, and be encapsulated again without end. */
export function withoutLoops(route: KernelRoute, { prefix }: RouteKey): KernelRoute {
  const { target } = route;
  if (!isProtected(target)) return route;
  const loops = ({ segments }: RouteBackup): boolean => segments[0] !== undefined && prefix.contains(addressOctets(segments[0]));
  return target.backups.some(loops) ? { ...route, target: { ...target, backups: target.backups.filter((backup) => !loops(backup)) } } : route;
}

/** The message of a route that points to a next hop object. */
export function objectRoute(route: KernelRoute, key: RouteKey, nextHopId: number): RouteMessage {
  const onLink = key.prefix.family === 4 && 'nextHops' in route.target && route.target.nextHops.every((hop) => hop.gateway === undefined);
  const scope = onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return { destination: key.prefix, table: key.table, metric: key.metric, protocol: ROUTE_PROTOCOL, scope, type: RTN_UNICAST, flags: 0, nextHopId, nextHops: [] };
}

/** Translates a declared route with the interfaces as they are now. Next hops over interfaces that are down are left out of a multipath route. */
export function translateRoute(route: KernelRoute, key: RouteKey, find: FindInterface): Translated {
  const base = { destination: key.prefix, table: key.table, metric: key.metric, protocol: ROUTE_PROTOCOL, scope: RT_SCOPE_UNIVERSE, type: RTN_UNICAST, flags: 0 };
  const { target } = route;
  if (target.kind === 'unreachable') return { message: { ...base, type: RTN_UNREACHABLE, nextHops: [] } };
  if (target.kind === 'seg6local') {
    const link = find(target.interface);
    if (!link) return { reason: `no interface ${target.interface}` };
    // The kernel turns an IPv6 route over the loopback into one that rejects.
    if (link.loopback) return { reason: `a SID needs a device that is not the loopback, ${target.interface} is` };
    if (!link.enabled) return { reason: `interface ${target.interface} is down` };
    const encapsulation = translateBehaviour(target.behaviour, find);
    if ('reason' in encapsulation) return encapsulation;
    return { message: { ...base, nextHops: [{ interfaceIndex: link.index, weight: 1, flags: 0, encapsulation }] } };
  }
  if (target.kind === 'seg6' && target.segments.length === 0) return { reason: 'no segments' };
  const encapsulation: Encapsulation | undefined = target.kind === 'seg6' ? { kind: 'seg6', mode: 'encap', segments: target.segments } : undefined;
  const { nextHops, reasons } = translateNextHops(target.nextHops, find, encapsulation);
  if (nextHops.length === 0) return { reason: reasons.join('; ') || 'no next hops' };
  // IPv4: a destination without gateway is on the link (ip-route(8), SCOPE).
  const onLink = key.prefix.family === 4 && nextHops.every((hop) => hop.gateway === undefined);
  return { message: { ...base, scope: onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, nextHops } };
}

export function encapsulationText(encapsulation: Encapsulation | undefined): string {
  switch (encapsulation?.kind) {
    case undefined:
      return '';
    case 'seg6':
      return `seg6 ${encapsulation.mode} ${encapsulation.segments.join(',')}`;
    case 'seg6local': {
      const { action, nextHop4 = '', nextHop6 = '', outputInterface = '', table = '', vrfTable = '' } = encapsulation;
      return `seg6local ${action} ${nextHop4}${nextHop6} ${outputInterface} ${table} ${vrfTable}`;
    }
    case 'other':
      return `${encapsulation.type} ${Buffer.from(encapsulation.data).toString('hex')}`;
  }
}

/** Text that is the same for two routes that forward alike: what was written and what the kernel tells back. */
export function forwardingText(message: RouteMessage): string {
  if (message.nextHopId !== undefined) return `object ${message.nextHopId}`;
  // Types that reject come back with the loopback as next hop.
  if (message.type !== RTN_UNICAST) return `type ${message.type}`;
  const single = message.nextHops.length === 1;
  const hops = message.nextHops.map((hop) => `${hop.interfaceIndex ?? 0} ${hop.gateway ?? ''} ${single ? 1 : hop.weight} ${encapsulationText(hop.encapsulation)}`);
  return `${message.mtu ?? 0}: ${hops.sort().join(' + ')}`;
}

/** A declared route in words, for errors. */
export function describeRoute(route: KernelRoute): string {
  const via = (hops: readonly NextHop[]): string => hops.map((hop) => `${hop.gateway === undefined ? '' : `via ${hop.gateway} `}dev ${hop.interface}`).join(' + ');
  const { target } = route;
  switch (target.kind) {
    case 'unicast':
      return `route ${route.prefix} ${via(target.nextHops)}`;
    case 'seg6':
      return `route ${route.prefix} over segments ${target.segments.join(', ')} ${via(target.nextHops)}`;
    case 'seg6local':
      return `SID ${route.prefix} ${target.behaviour.kind} dev ${target.interface}`;
    case 'unreachable':
      return `unreachable route ${route.prefix}`;
  }
}
