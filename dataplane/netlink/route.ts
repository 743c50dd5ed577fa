/** Routes (RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE; linux/rtnetlink.h), IPv4 and IPv6. */
import { Prefix, addressLength, formatIp, type Family } from '../packet/ip.js';
import { Attributes, readI32, readU16, readU32, type Decoded } from './attributes.js';
import {
  AF_INET,
  AF_INET6,
  RTAX_MTU,
  RTA_DST,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_NH_ID,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTA_VIA,
  RTM_F_FIB_MATCH,
  RTNH_F_ONLINK,
  RTN_UNICAST,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_COMPAT,
  RT_TABLE_UNSPEC,
} from './constants.js';
import { addressOctets, decodeEncapsulation, encodeEncapsulation, type Encapsulation } from './encapsulation.js';
import type { MessageWriter } from './writer.js';

export const addressFamily = (family: Family): number => (family === 4 ? AF_INET : AF_INET6);

export interface RouteNextHop {
  /** Absent where the kernel tells none (a blackhole of IPv4). */
  readonly interfaceIndex?: number;
  readonly gateway?: string;
  /** Share of a multipath route, 1..256. */
  readonly weight: number;
  /** RTNH_F_*: as told by the kernel, which is told RTNH_F_ONLINK. */
  readonly flags: number;
  readonly encapsulation?: Encapsulation;
}

export interface RouteMessage {
  readonly destination: Prefix;
  readonly table: number;
  /** Who installed it (RTPROT_*). */
  readonly protocol: number;
  readonly scope: number;
  /** RTN_*. */
  readonly type: number;
  /** RTM_F_* and RTNH_F_*. */
  readonly flags: number;
  readonly metric?: number;
  readonly mtu?: number;
  readonly preferredSource?: string;
  /** Next hop object that holds the next hops; told to the kernel, it stands alone. */
  readonly nextHopId?: number;
  /** More than one: multipath. */
  readonly nextHops: readonly RouteNextHop[];
}

function encodeHeader(writer: MessageWriter, family: number, length: number, table: number, protocol: number, scope: number, type: number, flags: number): void {
  writer.u8(family).u8(length).u8(0).u8(0);
  // Tables past 255 stand in RTA_TABLE alone.
  writer.u8(table > 255 ? RT_TABLE_UNSPEC : table).u8(protocol).u8(scope).u8(type).u32(flags);
}

function encodeGateway(writer: MessageWriter, family: Family, gateway: string): void {
  const octets = addressOctets(gateway);
  if (octets.length === addressLength(family)) {
    writer.attribute(RTA_GATEWAY, octets);
    return;
  }
  // An IPv4 route over an IPv6 gateway (RFC 8950).
  const via = writer.open(RTA_VIA);
  writer.u16(octets.length === 4 ? AF_INET : AF_INET6).octets(octets).close(via);
}

function encodeNextHops(writer: MessageWriter, family: Family, nextHops: readonly RouteNextHop[]): void {
  const multipath = writer.open(RTA_MULTIPATH);
  for (const hop of nextHops) {
    // struct rtnexthop: length, flags, weight - 1, interface. The length is filled in as an attribute's.
    const mark = writer.length;
    writer.u16(0).u8(hop.flags & RTNH_F_ONLINK).u8(hop.weight - 1).u32(hop.interfaceIndex ?? 0);
    if (hop.encapsulation) encodeEncapsulation(writer, hop.encapsulation);
    if (hop.gateway !== undefined) encodeGateway(writer, family, hop.gateway);
    writer.close(mark);
  }
  writer.close(multipath);
}

/** Writes the payload of a message that adds, replaces or (by key: destination, table, metric, protocol) deletes a route. */
export function encodeRoute(writer: MessageWriter, route: RouteMessage): void {
  const { destination, table } = route;
  const [first, ...others] = route.nextHops;
  const single = others.length === 0 ? first : undefined;
  encodeHeader(writer, addressFamily(destination.family), destination.length, table, route.protocol, route.scope, route.type, (single?.flags ?? 0) & RTNH_F_ONLINK);
  if (destination.length > 0) writer.attribute(RTA_DST, destination.bytes);
  if (single?.gateway !== undefined) encodeGateway(writer, destination.family, single.gateway);
  if (single?.encapsulation) encodeEncapsulation(writer, single.encapsulation);
  if (route.nextHopId !== undefined) writer.attributeU32(RTA_NH_ID, route.nextHopId);
  if (route.metric !== undefined) writer.attributeU32(RTA_PRIORITY, route.metric);
  if (table > 255) writer.attributeU32(RTA_TABLE, table);
  if (others.length > 0) encodeNextHops(writer, destination.family, route.nextHops);
  if (single?.interfaceIndex !== undefined) writer.attributeU32(RTA_OIF, single.interfaceIndex);
  if (route.preferredSource !== undefined) writer.attribute(RTA_PREFSRC, addressOctets(route.preferredSource));
  if (route.mtu !== undefined) {
    const metrics = writer.open(RTA_METRICS);
    writer.attributeU32(RTAX_MTU, route.mtu).close(metrics);
  }
}

/** Filters the kernel applies to a dump (it needs NETLINK_GET_STRICT_CHK; without, everything comes). */
export interface RouteFilter {
  readonly family: Family;
  readonly table?: number;
  readonly protocol?: number;
}

export function encodeRouteDump(writer: MessageWriter, filter: RouteFilter): void {
  const table = filter.table ?? RT_TABLE_UNSPEC;
  encodeHeader(writer, addressFamily(filter.family), 0, table, filter.protocol ?? 0, RT_SCOPE_UNIVERSE, 0, 0);
  if (table > 255) writer.attributeU32(RTA_TABLE, table);
}

/** Writes a lookup of an address (4 or 16 octets): the way a packet takes, or the entry that matches. */
export function encodeRouteLookup(writer: MessageWriter, address: Uint8Array, matchingEntry: boolean): void {
  const family = address.length === 4 ? AF_INET : AF_INET6;
  encodeHeader(writer, family, address.length * 8, 0, 0, RT_SCOPE_UNIVERSE, 0, matchingEntry ? RTM_F_FIB_MATCH : 0);
  writer.attribute(RTA_DST, address);
}

function decodeGateway(attributes: Attributes): string | undefined {
  const gateway = attributes.address(RTA_GATEWAY);
  if (gateway !== undefined) return gateway;
  // RTA_VIA: family, then the address.
  const via = attributes.octets(RTA_VIA);
  if (via?.length === 6 || via?.length === 18) return formatIp(via, 2, via.length - 2);
  return undefined;
}

function decodeNextHop(attributes: Attributes, interfaceIndex: number | undefined, weight: number, flags: number): Decoded<RouteNextHop> {
  const gateway = decodeGateway(attributes);
  const encapsulation = decodeEncapsulation(attributes);
  if (encapsulation?.fault !== undefined) return { fault: encapsulation.fault };
  if (!attributes.ok) return { fault: 'malformed next hop' };
  return {
    value: {
      weight,
      flags,
      ...(interfaceIndex !== undefined && { interfaceIndex }),
      ...(gateway !== undefined && { gateway }),
      ...(encapsulation && { encapsulation: encapsulation.value }),
    },
  };
}

function decodeMultipath(octets: Uint8Array): Decoded<RouteNextHop[]> {
  const nextHops: RouteNextHop[] = [];
  let at = 0;
  while (at < octets.length) {
    const length = octets.length - at < 8 ? 0 : readU16(octets, at);
    if (length < 8 || length > octets.length - at) return { fault: 'malformed multipath next hop' };
    const attributes = new Attributes(octets.subarray(at + 8, at + length));
    const hop = decodeNextHop(attributes, readI32(octets, at + 4), octets[at + 3]! + 1, octets[at + 2]!);
    if (hop.fault !== undefined) return hop;
    nextHops.push(hop.value);
    at += (length + 3) & ~3;
  }
  return { value: nextHops };
}

export function decodeRoute(payload: Uint8Array): Decoded<RouteMessage> {
  if (payload.length < 12) return { fault: 'a route message shorter than its header' };
  const family = payload[0]!;
  const length = payload[1]!;
  if (family !== AF_INET && family !== AF_INET6) return { fault: `a route of address family ${family}` };
  const octets = family === AF_INET ? 4 : 16;
  if (length > octets * 8) return { fault: `a prefix of ${length} bits` };
  const attributes = new Attributes(payload, 12);
  const destination = attributes.octets(RTA_DST);
  if (destination && destination.length !== octets) return { fault: 'a destination of the wrong length' };
  const metric = attributes.u32(RTA_PRIORITY);
  const preferredSource = attributes.address(RTA_PREFSRC);
  const mtu = attributes.nested(RTA_METRICS)?.u32(RTAX_MTU);
  const nextHopId = attributes.u32(RTA_NH_ID);
  const flags = readU32(payload, 8);
  const table = attributes.u32(RTA_TABLE) ?? (payload[4] === RT_TABLE_COMPAT ? RT_TABLE_UNSPEC : payload[4]!);

  let nextHops: readonly RouteNextHop[] = [];
  const multipath = attributes.octets(RTA_MULTIPATH);
  const interfaceIndex = attributes.u32(RTA_OIF);
  if (multipath) {
    const decoded = decodeMultipath(multipath);
    if (decoded.fault !== undefined) return decoded;
    nextHops = decoded.value;
  } else if (interfaceIndex !== undefined || attributes.has(RTA_GATEWAY) || attributes.has(RTA_VIA)) {
    const decoded = decodeNextHop(attributes, interfaceIndex, 1, flags & 0xff);
    if (decoded.fault !== undefined) return decoded;
    nextHops = [decoded.value];
  }
  if (!attributes.ok) return { fault: 'malformed route attributes' };
  return {
    value: {
      destination: Prefix.of(destination ?? new Uint8Array(octets), length),
      table,
      protocol: payload[5]!,
      scope: payload[6]!,
      type: payload[7]!,
      flags,
      nextHops,
      ...(nextHopId !== undefined && { nextHopId }),
      ...(metric !== undefined && { metric }),
      ...(mtu !== undefined && { mtu }),
      ...(preferredSource !== undefined && { preferredSource }),
    },
  };
}

/** A plain unicast route over one or more next hops, with the fields that are usually the same filled in. */
export function unicastRoute(fields: Pick<RouteMessage, 'destination' | 'nextHops' | 'protocol' | 'table'> & Partial<RouteMessage>): RouteMessage {
  return { scope: RT_SCOPE_UNIVERSE, type: RTN_UNICAST, flags: 0, ...fields };
}
