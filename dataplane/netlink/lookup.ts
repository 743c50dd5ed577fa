/** How the kernel would send a packet to an address. */
import type { RouteTable } from '../dataplane.js';
import type { NetlinkClient } from './client.js';
import { RTM_GETROUTE, RTM_NEWROUTE, RTNH_F_DEAD, RTN_LOCAL, RTN_UNICAST } from './constants.js';
import { NetlinkError } from './error.js';
import type { LinkMonitor } from './links.js';
import { decodeRoute, encodeRouteLookup, type RouteMessage } from './route.js';
import { formatIp } from '../packet/ip.js';

const EINVAL = 22;
/** Answers of a lookup that mean "no way": ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), ESRCH, and EINVAL (blackhole). */
const NO_WAY = new Set([101, 113, 13, 3, EINVAL]);

async function ask(client: NetlinkClient, address: Uint8Array, matchingEntry: boolean): Promise<RouteMessage | undefined> {
  let found: RouteMessage | undefined;
  try {
    await client.request(
      { type: RTM_GETROUTE, encode: (writer) => encodeRouteLookup(writer, address, matchingEntry), describe: () => `lookup of ${formatIp(address)}` },
      (message) => {
        if (message.type === RTM_NEWROUTE) found = decodeRoute(message.payload).value;
      },
    );
  } catch (error) {
    if (error instanceof NetlinkError && NO_WAY.has(error.errno)) return undefined;
    throw error;
  }
  return found;
}

/**
 * Asks for the entry that matches and for the way of a packet (which knows the path MTU). Undefined when there is no way.
 * Rejects with NetlinkError.
 */
export async function lookupRoute(client: NetlinkClient, links: LinkMonitor, address: Uint8Array): ReturnType<RouteTable['lookup']> {
  const [entry, way] = await Promise.all([ask(client, address, true), ask(client, address, false)]);
  if (!entry || !way || (way.type !== RTN_UNICAST && way.type !== RTN_LOCAL)) return undefined;
  const hop = way.nextHops[0] ?? entry.nextHops.find((candidate) => (candidate.flags & RTNH_F_DEAD) === 0);
  const name = hop?.interfaceIndex === undefined ? undefined : links.nameOf(hop.interfaceIndex);
  if (hop === undefined || name === undefined) return undefined;
  return {
    prefix: entry.destination.toString(),
    isDefault: entry.destination.length === 0,
    interface: name,
    ...(hop.gateway !== undefined && { gateway: hop.gateway }),
    mtu: way.mtu ?? entry.mtu ?? links.find(name)?.mtu ?? 0,
    local: way.type === RTN_LOCAL,
  };
}
