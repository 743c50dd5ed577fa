/** What this kernel can do, found by asking it. */
import type { DataplaneCapabilities } from '../dataplane.js';
import { Prefix } from '../packet/ip.js';
import type { NetlinkClient } from './client.js';
import { AF_UNSPEC, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, NLM_F_CREATE, NLM_F_EXCL, RTM_DELROUTE, RTM_NEWLINK, RTM_NEWROUTE } from './constants.js';
import { SEG6_LOCAL_ACTIONS, type Encapsulation } from './encapsulation.js';
import { NetlinkError } from './error.js';
import { ROUTE_PROTOCOL } from './kernel-route.js';
import { encodeRoute, unicastRoute } from './route.js';

/** A table nobody looks into, and an address of the discard-only block (RFC 6666): the probe routes carry no packet. */
const PROBE_TABLE = 0x63706e70;
const PROBE_PREFIX = Prefix.from('100::6370:6e70/128');
const LOOPBACK_INDEX = 1;
const EOPNOTSUPP = 95;

/** Adds a route with this encapsulation where no packet finds it, and deletes it. Undefined when that works, else why not. */
async function probeEncapsulation(client: NetlinkClient, encapsulation: Encapsulation): Promise<string | undefined> {
  const route = unicastRoute({
    destination: PROBE_PREFIX,
    table: PROBE_TABLE,
    metric: 1,
    protocol: ROUTE_PROTOCOL,
    nextHops: [{ interfaceIndex: LOOPBACK_INDEX, weight: 1, flags: 0, encapsulation }],
  });
  const encode = (writer: Parameters<typeof encodeRoute>[0]): void => encodeRoute(writer, route);
  const describe = (): string => `probe route (${encapsulation.kind})`;
  try {
    await client.request({ type: RTM_NEWROUTE, flags: NLM_F_CREATE, encode, describe });
    await client.request({ type: RTM_DELROUTE, encode, describe });
    return undefined;
  } catch (error) {
    if (error instanceof NetlinkError) return error.message;
    throw error;
  }
}

/** Asks for a VRF without its table: a kernel that knows VRFs misses the table (EINVAL), another does not know the kind. Nothing is made. */
async function probeVrf(client: NetlinkClient): Promise<boolean> {
  try {
    await client.request({
      type: RTM_NEWLINK,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      encode: (writer) => {
        writer.u8(AF_UNSPEC).zeros(15).attributeText(IFLA_IFNAME, 'cpn-probe');
        const info = writer.openNested(IFLA_LINKINFO);
        writer.attributeText(IFLA_INFO_KIND, 'vrf');
        writer.close(writer.openNested(IFLA_INFO_DATA)).close(info);
      },
      describe: () => 'probe for VRF',
    });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError) return error.errno !== EOPNOTSUPP;
    throw error;
  }
}

/** Probes for what rtnetlink offers. Needs CAP_NET_ADMIN; rejects only when the socket fails. */
export async function probeRouting(client: NetlinkClient): Promise<Omit<DataplaneCapabilities, 'bpf' | 'nextHopObjects'>> {
  const notes: string[] = [];
  const seg6 = await probeEncapsulation(client, { kind: 'seg6', mode: 'encap', segments: ['100::1'] });
  if (seg6 !== undefined) notes.push(`no SRv6 encapsulation (${seg6}): routes over segment lists cannot be installed; needs CONFIG_IPV6_SEG6_LWTUNNEL`);
  const seg6local = await probeEncapsulation(client, { kind: 'seg6local', action: SEG6_LOCAL_ACTIONS.End });
  if (seg6local !== undefined) notes.push(`no SRv6 endpoint behaviours (${seg6local}): this router can have no SIDs; needs CONFIG_IPV6_SEG6_LWTUNNEL`);
  const vrf = await probeVrf(client);
  if (!vrf) notes.push('no VRF: End.DT6 decapsulates into routing tables without a VRF device');
  return { seg6: seg6 === undefined, seg6local: seg6local === undefined, vrf, notes };
}
