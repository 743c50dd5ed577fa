/**
 * Router-, Network-, Link- and Intra-Area-Prefix-LSAs: what this router says of itself, made anew from interfaces and neighbours whenever
 * something about them changed (RFC 5340 section 4.4.3). What turns out the same is not originated again.
 */
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { Timer } from '../../clock.js';
import { LSA_SIZE } from '../constants.js';
import type { OspfEnvironment } from '../environment.js';
import type { OspfInterface } from '../interface.js';
import { encodeIntraAreaPrefixBody } from '../wire/lsa/intra-area-prefix.js';
import { encodeLinkBody } from '../wire/lsa/link.js';
import { encodeNetworkBody } from '../wire/lsa/network.js';
import { encodeRouterBody } from '../wire/lsa/router.js';
import { type LinkLsa, LSA_HEADER_LENGTH, type LsaPrefix, LsType, OptionBit, PrefixOptionBit, type RouterLink } from '../wire/types.js';
import { Fragments } from './fragments.js';
import type { OwnLsaName, OwnLsas } from './own-lsas.js';

const OPTIONS = OptionBit.v6 | OptionBit.e | OptionBit.r;
const ROUTER_HEADER = 4;
const ROUTER_LINK = 16;
const PREFIX_LSA_HEADER = 12;
/** Intra-Area-Prefix-LSAs about networks have IDs of their own above those about the router. */
const NETWORK_PREFIXES = 0x80000000;
const LINK_LOCAL = Prefix.from('fe80::/10');

const prefixSize = ({ prefix }: LsaPrefix): number => 4 + 4 * Math.ceil(prefix.length / 32);

export class TopologyOriginator {
  private readonly links = new Fragments<RouterLink>(
    LSA_SIZE - LSA_HEADER_LENGTH - ROUTER_HEADER,
    (link) => `${link.interfaceId} ${link.neighborRouterId}`,
    () => ROUTER_LINK,
  );
  private readonly prefixes = new Fragments<LsaPrefix>(LSA_SIZE - LSA_HEADER_LENGTH - PREFIX_LSA_HEADER, ({ prefix }) => prefix.toString(), prefixSize);
  private announced = new Map<string, OwnLsaName>();
  private timer: Timer | undefined;
  private stopped = false;
  /** Prefixes that belong to the router and to no interface: loopback, locators. */
  private stubs: readonly LsaPrefix[] = [];
  /** Bit E of the Router-LSA: this router brings routes from outside. */
  private isBorder = false;

  constructor(
    private readonly environment: OspfEnvironment,
    private readonly own: OwnLsas,
  ) {}

  setStubs(stubs: readonly LsaPrefix[]): void {
    this.stubs = stubs;
    this.schedule();
  }

  setBorder(isBorder: boolean): void {
    if (isBorder === this.isBorder) return;
    this.isBorder = isBorder;
    this.schedule();
  }

  /** Looks at everything once, when this turn is over. */
  schedule(): void {
    if (this.stopped) return;
    this.timer ??= this.environment.clock.setTimeout(() => {
      this.timer = undefined;
      this.originate();
    }, 0);
  }

  /** Looks at everything now. */
  originateNow(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (!this.stopped) this.originate();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private originate(): void {
    const announced = new Map<string, OwnLsaName>();
    const announce = (name: OwnLsaName, body: Uint8Array): void => {
      announced.set(`${name.type} ${name.id} ${name.interface ?? ''}`, name);
      this.own.originate(name, body);
    };
    const interfaces = [...this.environment.interfaces()].filter(({ state }) => state !== 'Down');
    // First what the others refer to.
    for (const owner of interfaces) if (owner.port) announce({ type: LsType.link, id: owner.interfaceId, interface: owner.name }, this.linkBody(owner));
    const flags = { nt: false, v: false, e: this.isBorder, b: false };
    const fragments = this.links.divide(interfaces.flatMap((owner) => [...this.routerLinks(owner)]));
    // The first one is there without links too: it says that there is this router.
    for (const id of new Set([0, ...fragments.keys()])) announce({ type: LsType.router, id }, encodeRouterBody({ flags, options: OPTIONS, links: fragments.get(id) ?? [] }));
    for (const owner of interfaces) {
      const routers = this.networkRouters(owner);
      if (routers.length === 0) continue;
      announce({ type: LsType.network, id: owner.interfaceId }, encodeNetworkBody({ options: this.networkOptions(owner, routers), routers }));
      const prefixes = this.networkPrefixes(owner, routers);
      if (prefixes.length === 0) continue;
      const referenced = { type: LsType.network, id: owner.interfaceId, router: this.environment.routerId };
      announce({ type: LsType.intraAreaPrefix, id: (NETWORK_PREFIXES | owner.interfaceId) >>> 0 }, encodeIntraAreaPrefixBody({ referenced, prefixes }));
    }
    const referenced = { type: LsType.router, id: 0, router: this.environment.routerId };
    for (const [id, prefixes] of this.prefixes.divide(this.routerPrefixes(interfaces))) {
      announce({ type: LsType.intraAreaPrefix, id }, encodeIntraAreaPrefixBody({ referenced, prefixes }));
    }
    for (const [key, name] of this.announced) if (!announced.has(key)) this.own.flush(name);
    this.announced = announced;
  }

  private linkBody(owner: OspfInterface): Uint8Array {
    const prefixes = owner.prefixes.map((prefix) => ({ prefix, options: 0, metric: 0 }));
    return encodeLinkBody({ priority: owner.config.priority, options: OPTIONS, linkLocal: owner.linkLocal!, prefixes });
  }

  /** Whether others are reached over the network: this router is adjacent to its Designated Router, or is it and has neighbours. */
  private isTransit({ state, designated, neighbors }: OspfInterface): boolean {
    if (state === 'DR') return [...neighbors.values()].some(({ isAdvertised }) => isAdvertised);
    return (state === 'Backup' || state === 'DROther') && neighbors.get(designated)?.isAdvertised === true;
  }

  private *routerLinks(owner: OspfInterface): Generator<RouterLink> {
    const { interfaceId } = owner;
    const metric = owner.config.cost;
    if (owner.state === 'Point-to-point') {
      for (const neighbor of owner.neighbors.values()) {
        if (neighbor.isAdvertised) yield { type: 1, metric, interfaceId, neighborInterfaceId: neighbor.interfaceId, neighborRouterId: neighbor.routerId };
      }
    } else if (this.isTransit(owner)) {
      const designated = owner.neighbors.get(owner.designated);
      yield { type: 2, metric, interfaceId, neighborInterfaceId: designated?.interfaceId ?? interfaceId, neighborRouterId: owner.designated };
    }
  }

  /** The routers of a network whose Designated Router this one is; none: it originates no Network-LSA. */
  private networkRouters(owner: OspfInterface): readonly number[] {
    if (owner.state !== 'DR' || !this.isTransit(owner)) return [];
    const adjacent = [...owner.neighbors.values()].filter(({ isAdvertised }) => isAdvertised).map(({ routerId }) => routerId);
    return [this.environment.routerId, ...adjacent.sort((a, b) => a - b)];
  }

  private *linkLsas(owner: OspfInterface, routers: readonly number[]): Generator<LinkLsa> {
    for (const lsa of this.environment.lsdb.all({ scope: 'link', interface: owner.name, type: LsType.link })) {
      if (lsa.isMaxAge || !routers.includes(lsa.header.router)) continue;
      // That of a router's other interface to the same link does not count.
      const interfaceId = lsa.self ? owner.interfaceId : owner.neighbors.get(lsa.header.router)?.interfaceId;
      if (lsa.body.kind === 'link' && lsa.header.id === interfaceId) yield lsa.body;
    }
  }

  /** RFC 5340 section 4.4.3.3: what any of the routers can. */
  private networkOptions(owner: OspfInterface, routers: readonly number[]): number {
    let options = OPTIONS;
    for (const body of this.linkLsas(owner, routers)) options |= body.options;
    return options;
  }

  /** RFC 5340 section 4.4.3.9: the prefixes of all routers that are adjacent, once each, their options united. */
  private networkPrefixes(owner: OspfInterface, routers: readonly number[]): readonly LsaPrefix[] {
    const prefixes = new Map<string, LsaPrefix>();
    for (const body of this.linkLsas(owner, routers)) {
      for (const { prefix, options } of body.prefixes) {
        if ((options & (PrefixOptionBit.nu | PrefixOptionBit.la)) !== 0 || LINK_LOCAL.contains(prefix)) continue;
        const key = prefix.toString();
        prefixes.set(key, { prefix, options: options | (prefixes.get(key)?.options ?? 0), metric: 0 });
      }
    }
    return [...prefixes.values()].sort((a, b) => (a.prefix.toString() < b.prefix.toString() ? -1 : 1));
  }

  private routerPrefixes(interfaces: readonly OspfInterface[]): readonly LsaPrefix[] {
    const prefixes = new Map<string, LsaPrefix>();
    const add = (entry: LsaPrefix): void => {
      const key = entry.prefix.toString();
      const known = prefixes.get(key);
      if (!known || entry.metric < known.metric) prefixes.set(key, entry);
    };
    for (const stub of this.stubs) add(stub);
    for (const owner of interfaces) {
      // Those of a transit network come with its Network-LSA.
      if (this.isTransit(owner)) continue;
      for (const prefix of owner.prefixes) {
        if (owner.state === 'Loopback') add({ prefix, options: PrefixOptionBit.la, metric: 0 });
        else add({ prefix, options: 0, metric: owner.config.cost });
      }
    }
    return [...prefixes.values()];
  }
}
