/**
 * A random area around a device under test, as the LSAs of its routers: point-to-point links with a cost each way, LANs, links that only one side announces,
 * routers that nobody reaches or that carry nothing through, prefixes of one and of several routers, what area border routers and AS boundary routers bring in.
 * From one seed always the same area.
 */
import { Prefix } from '../../../dataplane/packet/ip.js';
import { encodeExternalBody } from '../../../daemon/ospf/wire/lsa/external.js';
import { encodeInterAreaPrefixBody } from '../../../daemon/ospf/wire/lsa/inter-area-prefix.js';
import { encodeInterAreaRouterBody } from '../../../daemon/ospf/wire/lsa/inter-area-router.js';
import { encodeIntraAreaPrefixBody } from '../../../daemon/ospf/wire/lsa/intra-area-prefix.js';
import { encodeNetworkBody } from '../../../daemon/ospf/wire/lsa/network.js';
import { encodeRouterBody } from '../../../daemon/ospf/wire/lsa/router.js';
import { type LsaPrefix, LsType, OptionBit, PrefixOptionBit, type RouterLink } from '../../../daemon/ospf/wire/types.js';
import { randomFrom } from '../../daemon/bgp/network.js';

export interface AreaLsa {
  readonly type: number;
  readonly id: number;
  readonly router: number;
  readonly body: Uint8Array;
}

/** A router of the emulator that is really there; its links to others of the area go into a further Router-LSA of its own. */
export interface Anchor {
  readonly router: number;
  readonly links: readonly RouterLink[];
}

interface Link {
  readonly a: number;
  readonly b: number;
  readonly aInterface: number;
  readonly bInterface: number;
  aCost: number;
  bCost: number;
  /** Whether either side announces it. */
  aUp: boolean;
  bUp: boolean;
}

interface Lan {
  /** The first is the Designated Router. */
  readonly members: { readonly router: number; readonly interfaceId: number; cost: number; announced: boolean }[];
  up: boolean;
}

interface AreaRouter {
  readonly id: number;
  readonly prefixes: LsaPrefix[];
  options: number;
  border: boolean;
  boundary: boolean;
  present: boolean;
}

const BASE = 0x0a010000; // 10.1.0.0
const ELSEWHERE = 0x0a090000; // 10.9.0.0: AS boundary routers of other areas
const OPTIONS = OptionBit.v6 | OptionBit.e | OptionBit.r;
const INFINITY = 0xffffff;
/** Routers that are really there: the device and its neighbours. */
const REAL = 5;
const ANCHOR_LINKS = 4;
const MARKERS = 2;

const markerOf = (index: number): { readonly near: number; readonly far: number; readonly prefix: string } => ({
  near: BASE + 0x200 + index,
  far: BASE + 0x300 + index,
  prefix: `2001:db8:5e:${index}::1/128`,
});

/** Router IDs and costs of the anchors' links: the same for all areas of a run, since a real router may say another thing only every five seconds. */
export function anchors(seed: number, routers: readonly number[]): readonly Anchor[] {
  const random = randomFrom(seed);
  return routers.map((router, index) => ({
    router,
    links: [
      ...Array.from({ length: ANCHOR_LINKS }, (_, n): RouterLink => ({
        type: 1,
        metric: 10 * (1 + Math.floor(random() * 3)),
        interfaceId: 1000 + n,
        neighborInterfaceId: 1,
        neighborRouterId: BASE + 1 + index * ANCHOR_LINKS + n,
      })),
      ...(index === 0 ? Array.from({ length: MARKERS }, (_, n): RouterLink => ({ type: 1, metric: 1, interfaceId: 2000 + n, neighborInterfaceId: 1, neighborRouterId: markerOf(n).near })) : []),
    ],
  }));
}

export class RandomArea {
  private readonly random: () => number;
  private readonly routers: AreaRouter[] = [];
  private readonly links: Link[] = [];
  private readonly lans: Lan[] = [];
  private readonly inter: { readonly router: number; readonly prefix: string; metric: number; readonly options: number }[] = [];
  private readonly ways: { readonly router: number; readonly destination: number; metric: number }[] = [];
  private readonly externals: { readonly router: number; readonly prefix: string; metric: number; readonly type2: boolean; readonly forwarding: string | undefined; readonly options: number }[] = [];
  private readonly interfaceIds = new Map<number, number>();
  private marker = 0;
  private count = 0;
  /** The prefixes of an area are not those of another: what a device keeps of one is not taken for a route of the next. */
  private readonly number: string;

  /** `size`: routers in all; `onLink`: an address on a link of the device, for a forwarding address; undefined: none. */
  constructor(seed: number, size: number, private readonly anchors: readonly Anchor[], onLink: string | undefined) {
    this.random = randomFrom(seed);
    this.number = (seed & 0xffff).toString(16);
    const fabricated = size - REAL - 2 * MARKERS;
    for (let n = 1; n <= fabricated; n++) this.routers.push({ id: BASE + n, prefixes: [], options: OPTIONS, border: false, boundary: false, present: true });
    this.connect(fabricated);
    this.attachPrefixes();
    this.connectOthers(onLink);
    this.spoil();
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private chance(share: number): boolean {
    return this.random() < share;
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** Few different costs, so that many paths are equally good. */
  private cost(): number {
    return 10 * (1 + this.below(4));
  }

  private interfaceOf(router: number): number {
    // 1 leads to the anchor.
    const id = (this.interfaceIds.get(router) ?? 1) + 1;
    this.interfaceIds.set(router, id);
    return id;
  }

  private link(a: number, b: number): void {
    const aCost = this.cost();
    this.links.push({ a, b, aInterface: this.interfaceOf(a), bInterface: this.interfaceOf(b), aCost, bCost: this.chance(0.7) ? aCost : this.cost(), aUp: true, bUp: true });
  }

  private connect(fabricated: number): void {
    for (const { router, links } of this.anchors) {
      for (const { neighborRouterId, neighborInterfaceId, interfaceId, metric } of links) {
        if (neighborRouterId > BASE + fabricated) continue;
        this.links.push({ a: router, b: neighborRouterId, aInterface: interfaceId, bInterface: neighborInterfaceId, aCost: metric, bCost: this.cost(), aUp: true, bUp: this.chance(0.7) });
      }
    }
    const edge = this.anchors.length * ANCHOR_LINKS;
    for (let n = edge + 1; n <= fabricated; n++) this.link(BASE + n, BASE + 1 + this.below(n - 1));
    for (let n = 0; n < fabricated * 0.6; n++) {
      const [a, b] = [BASE + 1 + this.below(fabricated), BASE + 1 + this.below(fabricated)];
      // Some of them are parallel to others.
      if (a !== b) this.link(a, b);
    }
    for (let n = 0; n < 5; n++) {
      const members = new Set(Array.from({ length: 2 + this.below(4) }, () => this.pick(this.routers).id));
      this.lans.push({ members: [...members].map((router) => ({ router, interfaceId: this.interfaceOf(router), cost: this.cost(), announced: this.chance(0.95) })), up: this.chance(0.9) });
    }
  }

  private attachPrefixes(): void {
    this.routers.forEach((router, index) => {
      const add = (prefix: string, metric: number, options = 0): void => void router.prefixes.push({ prefix: Prefix.from(prefix), options, metric });
      const hex = index.toString(16);
      add(`2001:db8:${this.number}:1:${hex}::1/128`, 0, PrefixOptionBit.la);
      if (this.chance(0.5)) add(`2001:db8:${this.number}:2:${hex}::/80`, this.below(3) * 10);
      // Several routers announce one of these.
      if (this.chance(0.4)) add(`2001:db8:${this.number}:3:${this.below(6)}::/80`, this.below(3) * 10);
      if (this.chance(0.05)) add(`2001:db8:${this.number}:4:${hex}::/80`, 10, PrefixOptionBit.nu);
    });
  }

  private connectOthers(onLink: string | undefined): void {
    for (let n = 0; n < 3; n++) {
      const router = this.pick(this.routers.filter(({ border }) => !border));
      router.border = true;
      for (let p = 0; p < 8; p++) if (this.chance(0.6)) this.inter.push({ router: router.id, prefix: `2001:db8:${this.number}:5:${p}::/80`, metric: this.chance(0.1) ? INFINITY : this.cost(), options: this.chance(0.05) ? PrefixOptionBit.nu : 0 });
      // What is in the area too.
      this.inter.push({ router: router.id, prefix: `2001:db8:${this.number}:3:${this.below(6)}::/80`, metric: 1, options: 0 });
      for (let b = 1; b <= 2; b++) if (this.chance(0.8)) this.ways.push({ router: router.id, destination: ELSEWHERE + b, metric: this.cost() });
    }
    // Says it, and is no area border router.
    const none = this.pick(this.routers.filter(({ border }) => !border));
    this.inter.push({ router: none.id, prefix: `2001:db8:${this.number}:5:f::/80`, metric: 10, options: 0 });
    const boundaries = [ELSEWHERE + 1, ELSEWHERE + 2];
    for (let n = 0; n < 4; n++) {
      const router = this.pick(this.routers);
      router.boundary = true;
      boundaries.push(router.id);
    }
    boundaries.push(this.pick(this.routers.filter(({ boundary }) => !boundary)).id);
    const addresses = [
      ...this.routers.map((_, index) => `2001:db8:${this.number}:1:${index.toString(16)}::1`),
      ...this.lans.map((_, index) => `2001:db8:${this.number}:6:${index}::7`),
      `2001:db8:${this.number}:5:1::9`,
      `2001:db8:${this.number}:5:2::9`,
      `2001:db8:${this.number}:7:1::9`,
      '2001:db8:ffff::9',
      ...(onLink === undefined ? [] : [onLink, onLink]),
    ];
    for (const router of new Set(boundaries)) {
      const own = router & 0xff;
      for (let p = 0; p < 4; p++) {
        const shared = this.chance(0.5);
        const prefix = shared ? `2001:db8:${this.number}:7:${p}::/80` : `2001:db8:${this.number}:8:${(own * 16 + p + (router >= ELSEWHERE ? 0x1000 : 0)).toString(16)}::/80`;
        if (this.externals.some((other) => other.router === router && other.prefix === prefix)) continue;
        this.externals.push({
          router,
          prefix,
          metric: this.chance(0.05) ? INFINITY : 10 * (1 + this.below(3)),
          type2: this.chance(0.5),
          forwarding: this.chance(0.4) ? this.pick(addresses) : undefined,
          options: this.chance(0.04) ? PrefixOptionBit.nu : 0,
        });
      }
      // In the area or in another one too.
      if (this.chance(0.5)) this.externals.push({ router, prefix: this.pick([`2001:db8:${this.number}:3:1::/80`, `2001:db8:${this.number}:5:1::/80`]), metric: 1, type2: this.chance(0.5), forwarding: undefined, options: 0 });
    }
  }

  /** What is not as it should be. */
  private spoil(): void {
    for (const link of this.links) {
      if (this.isAnchor(link.a)) continue;
      if (this.chance(0.06)) link.aUp = false;
      if (this.chance(0.06)) link.bUp = false;
    }
    for (const router of this.routers) {
      const state = this.random();
      if (state < 0.03) router.present = false;
      else if (state < 0.06) router.options &= ~OptionBit.v6;
      else if (state < 0.1) router.options &= ~OptionBit.r;
    }
  }

  private isAnchor(router: number): boolean {
    return this.anchors.some((anchor) => anchor.router === router);
  }

  /** Makes a change as networks have them and says which: links cut, restored, with another cost, LANs and routers lost and back, prefixes with another metric. */
  change(): string {
    const kind = this.below(8);
    const free = this.links.filter(({ a }) => !this.isAnchor(a));
    const name = (router: number): string => `10.${(router >> 16) & 0xff}.${(router >> 8) & 0xff}.${router & 0xff}`;
    if (kind <= 1) {
      const link = this.pick(this.links);
      link.bUp = !link.bUp;
      if (!this.isAnchor(link.a)) link.aUp = link.bUp;
      return `link ${name(link.a)} - ${name(link.b)} ${link.bUp ? 'restored' : 'cut'}`;
    }
    if (kind === 2) {
      const link = this.pick(free);
      link.aUp = !link.aUp;
      return `${name(link.a)} announces its link to ${name(link.b)}: ${link.aUp}`;
    }
    if (kind === 3) {
      const link = this.pick(free);
      link.aCost = this.cost();
      return `link ${name(link.a)} - ${name(link.b)} costs ${link.aCost}`;
    }
    if (kind === 4) {
      const lan = this.pick(this.lans);
      lan.up = !lan.up;
      return `LAN of ${name(lan.members[0]!.router)} ${lan.up ? 'restored' : 'lost'}`;
    }
    if (kind === 5) {
      const router = this.pick(this.routers);
      router.present = !router.present;
      return `router ${name(router.id)} ${router.present ? 'is back' : 'is lost'}`;
    }
    if (kind === 6) {
      const entry = this.pick(this.externals);
      entry.metric = 10 * (1 + this.below(3));
      return `external ${entry.prefix} of ${name(entry.router)} costs ${entry.metric}`;
    }
    const entry = this.pick(this.inter);
    entry.metric = this.cost();
    return `${entry.prefix} in another area costs ${entry.metric} from ${name(entry.router)}`;
  }

  /** Cuts a link between a neighbor of the device and the area, or restores it; false: there is no such link. */
  setAnchorLink(index: number, up: boolean): boolean {
    const link = this.links.filter(({ a }) => this.isAnchor(a))[index];
    if (link) link.bUp = up;
    return link !== undefined;
  }

  /**
   * Changes the cost of a far prefix to one that it never had: a device whose route to `prefix` has the cost that comes of it has worked out its routes since
   * it got this LSA. It is to be sent after all others.
   */
  mark(): { readonly prefix: string; readonly lsa: AreaLsa } {
    this.marker = (this.marker + 1) % MARKERS;
    this.count++;
    return { prefix: markerOf(this.marker).prefix, lsa: this.markerLsa(this.marker) };
  }

  private markerLsa(index: number): AreaLsa {
    const { near, far } = markerOf(index);
    const links: RouterLink[] = [
      { type: 1, metric: 1, interfaceId: 1, neighborInterfaceId: 2000 + index, neighborRouterId: this.anchors[0]!.router },
      { type: 1, metric: 1000 + this.count, interfaceId: 2, neighborInterfaceId: 1, neighborRouterId: far },
    ];
    return this.routerLsa(near, links, OPTIONS);
  }

  private routerLsa(router: number, links: readonly RouterLink[], options: number, flags: { readonly e: boolean; readonly b: boolean } = { e: false, b: false }): AreaLsa {
    return { type: LsType.router, id: 0, router, body: encodeRouterBody({ flags: { nt: false, v: false, ...flags }, options, links }) };
  }

  /** What all its routers announce, those excepted that are there. */
  *lsas(): Generator<AreaLsa> {
    for (let index = 0; index < MARKERS; index++) {
      const { near, far, prefix } = markerOf(index);
      yield this.markerLsa(index);
      yield this.routerLsa(far, [{ type: 1, metric: 1, interfaceId: 1, neighborInterfaceId: 2, neighborRouterId: near }], OPTIONS);
      yield this.prefixLsa(far, 0, { type: LsType.router, id: 0, router: far }, [{ prefix: Prefix.from(prefix), options: PrefixOptionBit.la, metric: 0 }]);
    }
    for (const router of this.routers) {
      if (!router.present) continue;
      yield this.routerLsa(router.id, [...this.linksOf(router.id)], router.options, { e: router.boundary, b: router.border });
      if (router.prefixes.length > 0) yield this.prefixLsa(router.id, 0, { type: LsType.router, id: 0, router: router.id }, router.prefixes);
    }
    yield* this.lanLsas();
    yield* this.otherLsas();
  }

  private prefixLsa(router: number, id: number, referenced: { readonly type: number; readonly id: number; readonly router: number }, prefixes: readonly LsaPrefix[]): AreaLsa {
    return { type: LsType.intraAreaPrefix, id, router, body: encodeIntraAreaPrefixBody({ referenced, prefixes }) };
  }

  private *linksOf(router: number): Generator<RouterLink> {
    for (const { a, b, aInterface, bInterface, aCost, bCost, aUp, bUp } of this.links) {
      if (a === router && aUp) yield { type: 1, metric: aCost, interfaceId: aInterface, neighborInterfaceId: bInterface, neighborRouterId: b };
      if (b === router && bUp) yield { type: 1, metric: bCost, interfaceId: bInterface, neighborInterfaceId: aInterface, neighborRouterId: a };
    }
    for (const { members } of this.lans) {
      const own = members.find((member) => member.router === router);
      if (own?.announced) yield { type: 2, metric: own.cost, interfaceId: own.interfaceId, neighborInterfaceId: members[0]!.interfaceId, neighborRouterId: members[0]!.router };
    }
  }

  private *lanLsas(): Generator<AreaLsa> {
    for (const [index, { members, up }] of this.lans.entries()) {
      const { router, interfaceId } = members[0]!;
      if (!up || this.routers.some(({ id, present }) => id === router && !present)) continue;
      yield { type: LsType.network, id: interfaceId, router, body: encodeNetworkBody({ options: OPTIONS, routers: members.map((member) => member.router) }) };
      const prefixes = [{ prefix: Prefix.from(`2001:db8:${this.number}:6:${index}::/80`), options: 0, metric: 0 }];
      yield this.prefixLsa(router, 0x1000 + interfaceId, { type: LsType.network, id: interfaceId, router }, prefixes);
    }
  }

  private *otherLsas(): Generator<AreaLsa> {
    const isThere = (router: number): boolean => !this.routers.some(({ id, present }) => id === router && !present);
    for (const [index, { router, prefix, metric, options }] of this.inter.entries()) {
      if (isThere(router)) yield { type: LsType.interAreaPrefix, id: index + 1, router, body: encodeInterAreaPrefixBody({ prefix: Prefix.from(prefix), metric, options }) };
    }
    for (const [index, { router, destination, metric }] of this.ways.entries()) {
      if (isThere(router)) yield { type: LsType.interAreaRouter, id: index + 1, router, body: encodeInterAreaRouterBody({ options: OPTIONS, metric, destination }) };
    }
    for (const [index, { router, prefix, metric, type2, forwarding, options }] of this.externals.entries()) {
      if (!isThere(router)) continue;
      const body = encodeExternalBody({ prefix: Prefix.from(prefix), options, metric, type2, forwarding, tag: 1000 + index, referenced: undefined });
      yield { type: LsType.asExternal, id: index + 1, router, body };
    }
  }
}
