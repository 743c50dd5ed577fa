/**
 * The bridge between local instances, computing RIB and BGP of one router: own instances go into the computing RIB and out as service
 * routes, service routes of others come in, and the networks of the configuration are announced while the unicast RIB has them. A
 * service ID is one address of either family; its route is the host prefix of that address. With `bgp.vpn` each service route is a route
 * of the VPN too, under this exit's route distinguisher, and networks are announced with the router's End.DT6 SID.
 */
import { Prefix } from '../dataplane/packet/ip.js';
import type { ServiceRouteChange } from './bgp/change-feed.js';
import type { LocalRoute } from './bgp/local-routes.js';
import { prefixSidOf, type VpnSid, vpnSidOf } from './bgp/wire/attributes/prefix-sid.js';
import type { Destination } from './bgp/wire/families.js';
import { parseRouteDistinguisher, parseRouteTarget } from './bgp/wire/route-distinguisher.js';
import { IMPLICIT_NULL_LABEL, VpnPrefix } from './bgp/wire/vpn-prefix.js';
import type { SidInfo } from './computing/types.js';
import type { BgpConfig, Config } from './config/types.js';
import type { Advertisement } from './rib/candidate.js';
import type { ComputingRib } from './rib/computing-rib.js';
import { endDt6Sid } from './sids.js';

/** What is announced through: the BGP speaker, or a stand-in. */
interface Announcer {
  announceBatch(routes: readonly LocalRoute[]): void;
  withdraw(prefix: Destination | string): void;
}

/** What a route of the VPN carries besides its prefix. */
interface Vpn {
  readonly rd: bigint;
  readonly targets: readonly bigint[];
  readonly transposition: boolean;
}

/** IANA SRv6 Endpoint Behaviors (RFC 8986 section 10.2). */
const END_DT6 = 0x0012;

const isHost = (prefix: Prefix): boolean => prefix.length === prefix.bytes.length * 8;

function vpnOf({ vpn }: BgpConfig): Vpn | undefined {
  // The configuration has checked their text.
  return vpn && { rd: parseRouteDistinguisher(vpn.rd)!, targets: vpn.exportTargets.map((text) => parseRouteTarget(text)!), transposition: vpn.transposition };
}

export class ComputingExchange {
  /** Networks of the configuration that are announced now, by destination. */
  private readonly announcedNetworks = new Map<string, { readonly destination: Destination; readonly content: string }>();
  /** Service routes that are announced now, without VPN. */
  private readonly announcedServices = new Map<string, LocalRoute>();
  private vpn: Vpn | undefined;
  private vpnText = '';

  constructor(
    private readonly computingRib: ComputingRib,
    private readonly bgp: Announcer | undefined,
    /** Whether the unicast RIB has a usable route to a prefix. */
    private readonly hasRoute: (prefix: string) => boolean,
  ) {}

  /** Takes the BGP part of a configuration: announces networks, and services under another route distinguisher or other route targets. */
  configure(config: Pick<Config, 'bgp' | 'router'>): void {
    this.configureVpn(config.bgp);
    this.announceNetworks(config);
  }

  /** Networks, in the unicast families and the VPN, while the unicast RIB has them. */
  announceNetworks({ bgp: config, router }: Pick<Config, 'bgp' | 'router'>): void {
    const { bgp } = this;
    if (!bgp || !config) return;
    const sid = endDt6Sid({ bgp: config, router });
    const info: SidInfo | undefined = sid === undefined ? undefined : { sid, behaviour: END_DT6, structure: router.sidStructure };
    const wanted = new Map([...this.unicastNetworks(config, router, info), ...this.vpnNetworks(config, info)].map((route) => [String(route.prefix), route]));
    for (const [key, { destination }] of this.announcedNetworks) {
      if (wanted.has(key)) continue;
      bgp.withdraw(destination);
      this.announcedNetworks.delete(key);
    }
    const changed: LocalRoute[] = [];
    for (const [key, route] of wanted) {
      const content = contentOf(route);
      if (this.announcedNetworks.get(key)?.content === content) continue;
      this.announcedNetworks.set(key, { destination: route.prefix as Destination, content });
      changed.push(route);
    }
    if (changed.length > 0) bgp.announceBatch(changed);
  }

  /** New content of own services for the computing RIB; an advertisement without instances withdraws its service. */
  ownInstancesChanged(advertisements: readonly Advertisement[]): void {
    const { computingRib } = this;
    for (const advertisement of advertisements) {
      const { service, source, peer, pathId, instances } = advertisement;
      if (instances.length > 0) computingRib.advertise(advertisement);
      else computingRib.withdraw(source, peer, pathId, service);
    }
    computingRib.flush();
  }

  /** Service routes to announce; an advertisement without instances withdraws its service. */
  announceServices(advertisements: readonly Advertisement[]): void {
    const { bgp } = this;
    const announced = advertisements.filter(({ instances }) => instances.length > 0);
    const gone = advertisements.filter(({ instances }) => instances.length === 0);
    for (const { service } of gone) {
      this.announcedServices.delete(service);
      bgp?.withdraw(Prefix.host(service));
      if (this.vpn) bgp?.withdraw(new VpnPrefix(this.vpn.rd, Prefix.host(service), IMPLICIT_NULL_LABEL));
    }
    const routes = announced.map(({ service, exit, sequence, originatedAt, validityMs, instances }): LocalRoute => {
      const route = {
        prefix: Prefix.host(service),
        cpn: { service: undefined, origin: { exit, sequence, originatedAt, validity: Math.ceil(validityMs / 1000) }, instances },
      };
      this.announcedServices.set(service, route);
      return route;
    });
    bgp?.announceBatch(routes);
    if (this.vpn) bgp?.announceBatch(routes.map((route) => serviceInVpn(route, this.vpn!)));
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

  private configureVpn(config: BgpConfig | undefined): void {
    const text = JSON.stringify(config?.vpn);
    if (text === this.vpnText) return;
    const before = this.vpn;
    const now = config && vpnOf(config);
    this.vpn = now;
    this.vpnText = text;
    const services = [...this.announcedServices.values()];
    if (before && before.rd !== now?.rd) for (const { prefix } of services) this.bgp?.withdraw(new VpnPrefix(before.rd, prefix as Prefix, IMPLICIT_NULL_LABEL));
    if (now) this.bgp?.announceBatch(services.map((route) => serviceInVpn(route, now)));
  }

  /** The locator and the loopback go without a SID, which lies behind them. */
  private unicastNetworks({ networks }: BgpConfig, { locator, loopback }: Config['router'], info: SidInfo | undefined): LocalRoute[] {
    const behindSid = (network: string): boolean => [locator, `${loopback}/128`].every((text) => !Prefix.from(text).overlaps(Prefix.from(network))) && network.includes(':');
    return networks
      .filter((network) => this.hasRoute(network))
      .map((network) => ({ prefix: Prefix.from(network), ...(info && behindSid(network) ? { prefixSid: prefixSidOf(info) } : {}) }));
  }

  private vpnNetworks({ vpn: config }: BgpConfig, info: SidInfo | undefined): LocalRoute[] {
    const { vpn } = this;
    if (!config || !vpn || !info) return [];
    return config.networks.filter((network) => this.hasRoute(network)).map((network) => inVpn(Prefix.from(network), vpn, vpnSidOf(info, vpn.transposition)));
  }
}

function inVpn(prefix: Prefix, { rd, targets }: Vpn, sid: VpnSid | undefined): LocalRoute {
  return { prefix: new VpnPrefix(rd, prefix, sid?.label ?? IMPLICIT_NULL_LABEL), extendedCommunities: targets, ...(sid && { prefixSid: sid.prefixSid }) };
}

/** A service route as one of the VPN: the first Instance's SID stands in its Prefix-SID, as without VPN (proto/WIRE.md section 2). */
function serviceInVpn({ prefix, cpn }: LocalRoute, vpn: Vpn): LocalRoute {
  const sid = cpn?.instances[0]?.sid;
  return { ...inVpn(prefix as Prefix, vpn, sid && vpnSidOf(sid, vpn.transposition)), ...(cpn && { cpn }) };
}

/** What tells an announced network from the same with another SID, label or targets. */
function contentOf({ prefix, prefixSid, extendedCommunities = [] }: LocalRoute): string {
  const label = prefix instanceof VpnPrefix ? prefix.label : '';
  return [label, prefixSid ? Buffer.from(prefixSid.value).toString('hex') : '', extendedCommunities.join(' ')].join('|');
}
