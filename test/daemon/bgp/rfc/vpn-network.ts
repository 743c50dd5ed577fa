/** Provider edges in memory: nodes with VPN families, and the routes they exchange. */
import type { BgpVpnConfig } from '../../../../daemon/config/types.js';
import { prefixSidOf, vpnSidOf } from '../../../../daemon/bgp/wire/attributes/prefix-sid.js';
import { parseRouteDistinguisher, parseRouteTarget } from '../../../../daemon/bgp/wire/route-distinguisher.js';
import { VpnPrefix } from '../../../../daemon/bgp/wire/vpn-prefix.js';
import type { LocalRoute } from '../../../../daemon/bgp/local-routes.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { neighbor, Network, type Node, type NodeOptions } from '../network.js';

export const VPN_ONLY = { families: ['ipv6-vpn' as const] };
export const BOTH = { families: ['ipv6-unicast' as const, 'ipv6-vpn' as const] };

export const vpnConfig = (importTargets: readonly string[]): BgpVpnConfig => ({ rd: '10.0.0.1:1', exportTargets: ['65000:1'], importTargets, transposition: false, networks: [] });

export interface SidOptions {
  readonly behaviour?: number;
  readonly transposed?: boolean;
}

export const sidInfo = (sid: string, behaviour = 0x12) => ({ sid, behaviour, structure: { block: 32, node: 16, function: 16, argument: 0 } });

/** A VPN route with an SRv6 SID. */
export function vpnRoute(rd: string, prefix: string, sid: string, targets: readonly string[] = ['65000:1'], { behaviour, transposed = false }: SidOptions = {}): LocalRoute {
  const { prefixSid, label } = vpnSidOf(sidInfo(sid, behaviour), transposed);
  return { prefix: new VpnPrefix(parseRouteDistinguisher(rd)!, Prefix.from(prefix), label), prefixSid, extendedCommunities: targets.map((text) => parseRouteTarget(text)!) };
}

export const unicastRoute = (prefix: string, sid: string): LocalRoute => ({ prefix, prefixSid: prefixSidOf(sidInfo(sid)) });

/** Several routers with a session to the last one, `center`, which is configured as given. */
export function star(count: number, router: (index: number) => NodeOptions, session: Parameters<typeof neighbor>[3], center: NodeOptions = {}): { network: Network; routers: Node[]; center: Node } {
  const network = new Network();
  const routers = Array.from({ length: count }, (_, index) => network.node(router(index)));
  const middle = network.node(center);
  for (const each of routers) network.connect(each, middle, session, session);
  network.start(...routers, middle);
  network.settle();
  return { network, routers, center: middle };
}
