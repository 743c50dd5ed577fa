/**
 * The bridge between local instances, computing RIB and BGP of one router: own instances go into the computing RIB and out as service
 * routes, service routes of others come in, and the networks of the configuration are announced while the unicast RIB has them. A
 * service ID is one address of either family; its route is the host prefix of that address.
 */
import { Prefix } from '../dataplane/packet/ip.js';
import type { ServiceRouteChange } from './bgp/change-feed.js';
import type { LocalRoute } from './bgp/local-routes.js';
import type { Advertisement } from './rib/candidate.js';
import type { ComputingRib } from './rib/computing-rib.js';

/** What is announced through: the BGP speaker, or a stand-in. */
interface Announcer {
  announceBatch(routes: readonly LocalRoute[]): void;
  withdraw(prefix: Prefix | string): void;
}

const isHost = (prefix: Prefix): boolean => prefix.length === prefix.bytes.length * 8;

export class ComputingExchange {
  /** Networks of the configuration that are announced now. */
  private readonly announcedNetworks = new Set<string>();

  constructor(
    private readonly computingRib: ComputingRib,
    private readonly bgp: Announcer | undefined,
    /** Whether the unicast RIB has a usable route to a prefix. */
    private readonly hasRoute: (prefix: string) => boolean,
  ) {}

  /** Network statements: announced while the unicast RIB has the prefix. */
  announceNetworks(networks: readonly string[]): void {
    const { bgp } = this;
    if (!bgp) return;
    const wanted = new Set(networks.filter((network) => this.hasRoute(network)));
    for (const network of this.announcedNetworks) {
      if (wanted.has(network)) continue;
      bgp.withdraw(network);
      this.announcedNetworks.delete(network);
    }
    for (const network of wanted) {
      if (this.announcedNetworks.has(network)) continue;
      bgp.announceBatch([{ prefix: network }]);
      this.announcedNetworks.add(network);
    }
  }

  /** New content of own services; an advertisement without instances withdraws its service. */
  announceInstances(advertisements: readonly Advertisement[]): void {
    const { computingRib, bgp } = this;
    const announced = advertisements.filter(({ instances }) => instances.length > 0);
    const gone = advertisements.filter(({ instances }) => instances.length === 0);
    for (const { service, source, peer, pathId } of gone) computingRib.withdraw(source, peer, pathId, service);
    for (const advertisement of announced) computingRib.advertise(advertisement);
    computingRib.flush();
    for (const { service } of gone) bgp?.withdraw(Prefix.host(service));
    bgp?.announceBatch(
      announced.map(({ service, exit, sequence, originatedAt, validityMs, instances }) => ({
        prefix: Prefix.host(service),
        cpn: { service: undefined, origin: { exit, sequence, originatedAt, validity: Math.ceil(validityMs / 1000) }, instances },
      })),
    );
  }

  /** Service routes that neighbours announced, changed or withdrew. */
  serviceRoutesChanged(changes: readonly ServiceRouteChange[]): void {
    const { computingRib } = this;
    for (const { prefix, rd, peer, pathId, path } of changes) {
      const service = prefix.address;
      const origin = path?.block?.origin;
      // A wider route inside a service prefix, or one without our block, makes no candidate.
      if (!path?.block || !origin || !isHost(prefix)) {
        computingRib.withdraw('bgp', peer, pathId, service, rd);
        continue;
      }
      computingRib.advertise({
        service,
        exit: origin.exit,
        source: 'bgp',
        peer,
        pathId,
        rd,
        sequence: origin.sequence,
        originatedAt: origin.originatedAt,
        validityMs: origin.validity * 1000,
        instances: path.block.instances,
        stale: path.stale,
      });
    }
    // The speaker hands over batches already; a withdrawn exit is not to wait for another.
    computingRib.flush();
  }
}
