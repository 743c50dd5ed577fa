/** What this router announces besides its links and prefixes: what it can do, its locator, SIDs and measured links. */
import type { LinkReport } from '../awareness/link/links.js';
import type { Config } from '../config/types.js';
import type { LocalSid } from '../sids.js';
import type { LsaOriginator } from './computing.js';
import { type Adjacency, extendedRouterBody, locatorBody, routerInformationBody } from './srv6.js';
import { TeDamping, teMetricsOf, type TeMetrics } from './te-metrics.js';
import { encodeExtendedRouterBody } from './wire/lsa/extended-router.js';
import { encodeIntraAreaTeBody } from './wire/lsa/intra-area-te.js';
import { encodeRouterInformationBody } from './wire/lsa/router-information.js';
import { encodeSrv6LocatorBody } from './wire/lsa/srv6-locator.js';
import { LsType, type TeLink } from './wire/types.js';

/** Link State ID of LSAs of which a router has one. */
const ONLY = 0;

const linkKey = ({ interface: name, address }: Adjacency): string => `${name} ${address}`;

export class OspfAdvertiser {
  private readonly damping: TeDamping;
  /** Link State IDs (interface IDs) of TE LSAs. */
  private measured = new Set<number>();

  constructor(
    private readonly config: () => Config,
    private readonly originator: LsaOriginator,
  ) {
    this.damping = new TeDamping(() => this.ospf.trafficEngineering);
  }

  private get ospf(): NonNullable<Config['ospf']> {
    return this.config().ospf!;
  }

  /** Capabilities and locator. */
  announceRouter(): void {
    this.originator.originate(LsType.routerInformation, ONLY, encodeRouterInformationBody(routerInformationBody(this.ospf)));
    this.originator.originate(LsType.srv6Locator, ONLY, encodeSrv6LocatorBody(locatorBody(this.config())));
  }

  /** SIDs of the adjacencies, one each. */
  announceAdjacencies(adjacencies: readonly Adjacency[], sids: readonly (LocalSid | undefined)[]): void {
    const body = extendedRouterBody(adjacencies, sids, this.config().router);
    if (body.links.length > 0) this.originator.originate(LsType.extendedRouter, ONLY, encodeExtendedRouterBody(body));
    else this.originator.flush(LsType.extendedRouter, ONLY);
  }

  /** Measured links; what does not matter yet is held back. */
  announceLinks(adjacencies: readonly Adjacency[], reports: readonly LinkReport[], now: number): void {
    const enabled = this.ospf.trafficEngineering.enabled ? adjacencies : [];
    this.damping.keep(new Set(enabled.map(linkKey)));
    const links = new Map<number, TeLink>();
    for (const adjacency of enabled) {
      const report = reports.find((one) => one.interface === adjacency.interface && one.neighbour === adjacency.address);
      if (!report) continue;
      const metrics = this.damping.take(linkKey(adjacency), teMetricsOf(report), now);
      const before = links.get(adjacency.interfaceId);
      links.set(adjacency.interfaceId, teLink(adjacency, before ? slower(before, metrics) : metrics));
    }
    if (enabled.length > 0) this.originator.originate(LsType.intraAreaTe, ONLY, encodeIntraAreaTeBody({ routerAddress: this.config().router.loopback, link: undefined }));
    else this.originator.flush(LsType.intraAreaTe, ONLY);
    for (const [id, link] of links) this.originator.originate(LsType.intraAreaTe, id, encodeIntraAreaTeBody({ routerAddress: undefined, link }));
    for (const id of this.measured) if (!links.has(id)) this.originator.flush(LsType.intraAreaTe, id);
    this.measured = new Set(links.keys());
  }
}

/** One announcement stands for all neighbours on a network: the slowest decides. */
const slower = (before: TeMetrics, after: TeMetrics): TeMetrics => ((before.delay?.us ?? 0) > (after.delay?.us ?? 0) ? before : after);

function teLink(adjacency: Adjacency, metrics: TeMetrics): TeLink {
  const { designated, neighborInterfaceId, neighborRouterId } = adjacency;
  return {
    linkType: designated ? 2 : 1,
    neighbor: designated ?? { interfaceId: neighborInterfaceId, routerId: neighborRouterId },
    local: [],
    remote: [],
    teMetric: undefined,
    maximumReservable: undefined,
    delay: metrics.delay,
    delayRange: metrics.delayRange,
    delayVariationUs: metrics.delayVariationUs,
    loss: metrics.loss,
    maximumBandwidth: metrics.maximumBandwidth,
    residualBandwidth: metrics.residualBandwidth,
    availableBandwidth: metrics.availableBandwidth,
    utilizedBandwidth: metrics.utilizedBandwidth,
  };
}
