/** SRv6 in OSPFv3 (RFC 9513): the SIDs of this router for its adjacencies, and what it announces of its locator and SIDs. */
import { Prefix } from '../../dataplane/packet/ip.js';
import type { Config } from '../config/types.js';
import { localSids, makeSid, type LocalSid } from '../sids.js';
import { formatId } from './ids.js';
import { type EndSid, type EndXSid, type ExtendedRouterLink, type ExtendedRouterLsa, OptionBit, PrefixOptionBit, type RouterInformationLsa, type Srv6LocatorLsa } from './wire/types.js';

/** RFC 8986 section 10.2. */
const BEHAVIOUR = { End: 0x0001, 'End.X': 0x0005, 'End.DT6': 0x0012 } as const;

/** Function part of the SIDs of adjacencies that OSPF found, above those that the configuration names (daemon/sids.ts). */
const ADJACENCY_FUNCTION = 0x0200;
const MOST_ADJACENCIES = 0x0400;

/** Informational capabilities of RFC 7770 section 2.4: graceful restart helper, traffic engineering. Bit 0 is the highest. */
const CAPABILITY = { gracefulRestartHelper: 0x4000_0000, trafficEngineering: 0x0800_0000 } as const;

/** A neighbour in state Full. */
export interface Adjacency {
  readonly interface: string;
  readonly interfaceId: number;
  readonly neighborRouterId: number;
  readonly neighborInterfaceId: number;
  /** Link-local. */
  readonly address: string;
  readonly cost: number;
  /** Broadcast: the designated router and its Interface ID; undefined: point-to-point. */
  readonly designated: { readonly routerId: number; readonly interfaceId: number } | undefined;
}

const keyOf = ({ interface: name, neighborRouterId }: Adjacency): string => `${name} ${neighborRouterId}`;

/** End.X SIDs of adjacencies: each keeps its SID as long as this router runs. */
export class AdjacencySids {
  private readonly functions = new Map<string, number>();
  private readonly taken = new Set<number>();

  constructor(private readonly router: Config['router']) {}

  /** SIDs of these adjacencies, in their order; undefined past the last function. Those of others are free again. */
  assign(adjacencies: readonly Adjacency[]): (LocalSid | undefined)[] {
    const wanted = new Set(adjacencies.map(keyOf));
    for (const [key, code] of [...this.functions]) {
      if (wanted.has(key)) continue;
      this.functions.delete(key);
      this.taken.delete(code);
    }
    return adjacencies.map((adjacency) => this.sidOf(adjacency));
  }

  private sidOf(adjacency: Adjacency): LocalSid | undefined {
    const key = keyOf(adjacency);
    let code = this.functions.get(key);
    if (code === undefined) {
      if (this.taken.size === MOST_ADJACENCIES) return undefined;
      // By what a restart does not change, so that others' segment lists hold on.
      let place = adjacency.interfaceId + (adjacency.designated ? adjacency.neighborRouterId : 0);
      while (this.taken.has(ADJACENCY_FUNCTION + (place % MOST_ADJACENCIES))) place++;
      code = ADJACENCY_FUNCTION + (place % MOST_ADJACENCIES);
      this.functions.set(key, code);
      this.taken.add(code);
    }
    const { locator, sidStructure } = this.router;
    return {
      sid: makeSid(Prefix.from(locator), sidStructure.function, code),
      behaviour: { kind: 'End.X', nextHop: adjacency.address, interface: adjacency.interface },
      device: adjacency.interface,
      purpose: `OSPF adjacency to ${formatId(adjacency.neighborRouterId)} on ${adjacency.interface}`,
    };
  }
}

/** Locator of this router with its End and End.DT6 SIDs (RFC 9513 sections 7 and 8). */
export function locatorBody(config: Config): Srv6LocatorLsa {
  const { locator, sidStructure: structure } = config.router;
  const endSids = localSids(config).flatMap(({ sid, behaviour: { kind } }): EndSid[] =>
    kind === 'End' || kind === 'End.DT6' ? [{ flags: 0, behaviour: BEHAVIOUR[kind], sid, structure }] : [],
  );
  return { kind: 'srv6Locator', locators: [{ routeType: 1, algorithm: 0, prefixOptions: PrefixOptionBit.n, metric: 0, prefix: Prefix.from(locator), endSids }] };
}

/** Links with their End.X SIDs; none without a SID (RFC 8362 section 6.2: extended LSAs beside the others say only what those do not). */
export function extendedRouterBody(adjacencies: readonly Adjacency[], sids: readonly (LocalSid | undefined)[], { sidStructure: structure }: Config['router']): ExtendedRouterLsa {
  const links = new Map<string, ExtendedRouterLink>();
  adjacencies.forEach((adjacency, index) => {
    const local = sids[index];
    if (!local) return;
    const { designated, cost: metric, interfaceId } = adjacency;
    const endX: EndXSid = { behaviour: BEHAVIOUR['End.X'], flags: 0, algorithm: 0, weight: 0, neighborRouterId: designated && adjacency.neighborRouterId, sid: local.sid, structure };
    const key = designated ? adjacency.interface : keyOf(adjacency);
    const link = links.get(key);
    const neighbor = designated ?? { routerId: adjacency.neighborRouterId, interfaceId: adjacency.neighborInterfaceId };
    links.set(key, {
      type: designated ? 2 : 1,
      metric,
      interfaceId,
      neighborInterfaceId: neighbor.interfaceId,
      neighborRouterId: neighbor.routerId,
      endX: [...(link?.endX ?? []), endX],
    });
  });
  return { kind: 'extendedRouter', flags: { nt: false, v: false, e: false, b: false }, options: OptionBit.v6 | OptionBit.e | OptionBit.r, links: [...links.values()] };
}

/** What this router can do (RFC 7770, RFC 9513 sections 2 and 3): SRv6 without the O flag, algorithm 0. */
export function routerInformationBody({ gracefulRestartHelper, trafficEngineering }: NonNullable<Config['ospf']>): RouterInformationLsa {
  const informational = (gracefulRestartHelper.enabled ? CAPABILITY.gracefulRestartHelper : 0) | (trafficEngineering.enabled ? CAPABILITY.trafficEngineering : 0);
  return { kind: 'routerInformation', informational: informational >>> 0, srv6: { flags: 0 }, algorithms: [0], msd: [] };
}
