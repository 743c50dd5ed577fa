/**
 * A network as a model: routers, point-to-point links and LANs, and the LSAs they would announce. What the tests compare with is worked out from
 * the model alone, by other algorithms than the daemon's.
 */
import fc from 'fast-check';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { LsType, OptionBit, type ExtendedRouterLink, type Lsa, type LsaBody, type LsaKey, type LsaPrefix, type RouterLink } from '../../../../daemon/ospf/wire/types.js';
import type { LsaChange, SpfInterface } from '../../../../daemon/ospf/spf/types.js';

export interface ModelRouter {
  readonly id: number;
  v6: boolean;
  transit: boolean;
  border: boolean;
  asBoundary: boolean;
  srv6: boolean;
  prefixes: { prefix: string; metric: number }[];
}

export interface ModelLink {
  readonly a: number;
  readonly b: number;
  readonly aInterface: number;
  readonly bInterface: number;
  aCost: number;
  bCost: number;
  up: boolean;
  aDelay?: number;
  bDelay?: number;
}

export interface ModelLan {
  /** The first member is the Designated Router. */
  readonly members: { readonly router: number; readonly interfaceId: number; cost: number }[];
  up: boolean;
}

const OPTIONS = OptionBit.v6 | OptionBit.e | OptionBit.r;
const NO_RAW = new Uint8Array(0);

export function lsa(key: LsaKey, body: LsaBody, age = 1): Lsa {
  return { header: { ...key, age, sequence: 1, checksum: 0, length: 20 }, raw: NO_RAW, body };
}

export const plain = (prefix: string, metric: number, options = 0): LsaPrefix => ({ prefix: Prefix.from(prefix), options, metric });

export const locatorOf = (router: number): string => `fcbb:bb00:${router.toString(16)}::/48`;
const sid = (router: number, value: number): string => `fcbb:bb00:${router.toString(16)}:${value.toString(16)}::`;
export const endSid = (router: number): string => sid(router, 1);
export const decapSid = (router: number): string => sid(router, 2);
export const endXSid = (router: number, interfaceId: number, neighbor: number): string =>
  `fcbb:bb00:${router.toString(16)}:e:${(interfaceId >> 16).toString(16)}:${(interfaceId & 0xffff).toString(16)}:${neighbor.toString(16)}:0`;

export class Model {
  readonly routers = new Map<number, ModelRouter>();
  readonly links: ModelLink[] = [];
  readonly lans: ModelLan[] = [];
  private nextInterface = 1;
  private announced = new Map<string, Lsa>();

  router(id: number, srv6 = true): ModelRouter {
    let router = this.routers.get(id);
    if (!router) this.routers.set(id, (router = { id, v6: true, transit: true, border: false, asBoundary: false, srv6, prefixes: [{ prefix: `2001:db8:${id.toString(16)}::/64`, metric: 0 }] }));
    return router;
  }

  link(a: number, b: number, aCost: number, bCost = aCost): ModelLink {
    this.router(a);
    this.router(b);
    const link: ModelLink = { a, b, aInterface: this.nextInterface++, bInterface: this.nextInterface++, aCost, bCost, up: true };
    this.links.push(link);
    return link;
  }

  lan(...members: readonly (readonly [router: number, cost: number])[]): ModelLan {
    const lan: ModelLan = { members: members.map(([router, cost]) => ({ router: this.router(router).id, interfaceId: this.nextInterface++, cost })), up: true };
    this.lans.push(lan);
    return lan;
  }

  /** All LSAs, or those of some routers, by key text. */
  lsas(routers: readonly ModelRouter[] = [...this.routers.values()]): Map<string, Lsa> {
    const all = new Map<string, Lsa>();
    const add = (type: number, id: number, router: number, body: LsaBody): void => void all.set(`${type}/${router}/${id}`, lsa({ type, id, router }, body));
    const linksOf = new Map<number, ModelLink[]>([...routers].map(({ id }) => [id, []]));
    for (const link of this.links) {
      if (!link.up) continue;
      linksOf.get(link.a)?.push(link);
      if (link.b !== link.a) linksOf.get(link.b)?.push(link);
    }
    for (const router of routers) {
      const links: RouterLink[] = [];
      const extended: ExtendedRouterLink[] = [];
      const end = (from: number, interfaceId: number): void => add(LsType.link, interfaceId, from, { kind: 'link', priority: 1, options: OPTIONS, linkLocal: linkLocal(from, interfaceId), prefixes: [] });
      for (const link of linksOf.get(router.id)!) {
        const [interfaceId, neighborInterfaceId, neighborRouterId, metric] = link.a === router.id ? [link.aInterface, link.bInterface, link.b, link.aCost] : [link.bInterface, link.aInterface, link.a, link.bCost];
        const entry: RouterLink = { type: 1, metric, interfaceId, neighborInterfaceId, neighborRouterId };
        links.push(entry);
        extended.push({ ...entry, endX: [{ behaviour: 5, flags: 0, algorithm: 0, weight: 0, neighborRouterId: undefined, sid: endXSid(router.id, interfaceId, neighborRouterId), structure: undefined }] });
        end(router.id, interfaceId);
        const delay = link.a === router.id ? link.aDelay : link.bDelay;
        if (delay !== undefined) add(LsType.intraAreaTe, interfaceId, router.id, teLink(1, neighborRouterId, neighborInterfaceId, delay));
      }
      for (const lan of this.lans) {
        if (!lan.up) continue;
        const own = lan.members.find((member) => member.router === router.id);
        if (!own) continue;
        const dr = lan.members[0]!;
        const entry: RouterLink = { type: 2, metric: own.cost, interfaceId: own.interfaceId, neighborInterfaceId: dr.interfaceId, neighborRouterId: dr.router };
        links.push(entry);
        const others = lan.members.filter((member) => member !== own);
        extended.push({
          ...entry,
          endX: others.map((other) => ({ behaviour: 5, flags: 0, algorithm: 0, weight: 0, neighborRouterId: other === dr ? undefined : other.router, sid: endXSid(router.id, own.interfaceId, other.router), structure: undefined })),
        });
        end(router.id, own.interfaceId);
      }
      const options = OptionBit.e | (router.v6 ? OptionBit.v6 : 0) | (router.transit ? OptionBit.r : 0);
      add(LsType.router, 0, router.id, { kind: 'router', flags: { nt: false, v: false, e: router.asBoundary, b: router.border }, options, links });
      const prefixes = router.prefixes.map(({ prefix, metric }) => plain(prefix, metric));
      if (router.srv6) {
        add(LsType.srv6Locator, 1, router.id, {
          kind: 'srv6Locator',
          locators: [
            {
              routeType: 1,
              algorithm: 0,
              prefixOptions: 0,
              metric: 0,
              prefix: Prefix.from(locatorOf(router.id)),
              endSids: [
                { flags: 0, behaviour: 1, sid: endSid(router.id), structure: undefined },
                { flags: 0, behaviour: 0x12, sid: decapSid(router.id), structure: undefined },
              ],
            },
          ],
        });
        prefixes.push(plain(locatorOf(router.id), 0));
        add(LsType.extendedRouter, 0, router.id, { kind: 'extendedRouter', flags: { nt: false, v: false, e: false, b: false }, options, links: extended });
      }
      add(LsType.intraAreaPrefix, 0, router.id, { kind: 'intraAreaPrefix', referenced: { type: LsType.router, id: 0, router: router.id }, prefixes });
    }
    this.lans.forEach((lan, index) => {
      if (!lan.up) return;
      const dr = lan.members[0]!;
      add(LsType.network, dr.interfaceId, dr.router, { kind: 'network', options: OPTIONS, routers: lan.members.map(({ router }) => router) });
      add(LsType.intraAreaPrefix, dr.interfaceId, dr.router, { kind: 'intraAreaPrefix', referenced: { type: LsType.network, id: dr.interfaceId, router: dr.router }, prefixes: [plain(`2001:db8:ffff:${index.toString(16)}::/64`, 0)] });
    });
    return all;
  }

  /** What changed since the last call. */
  changes(): LsaChange[] {
    const next = this.lsas();
    const changes: LsaChange[] = [];
    for (const [text, before] of this.announced) if (!next.has(text)) changes.push({ key: before.header, before, after: undefined });
    for (const [text, after] of next) {
      const before = this.announced.get(text);
      if (!before || JSON.stringify(before.body) !== JSON.stringify(after.body)) changes.push({ key: after.header, before, after });
      else next.set(text, before);
    }
    this.announced = next;
    return changes;
  }

  interfacesOf(router: number): SpfInterface[] {
    const interfaces: SpfInterface[] = [];
    for (const { a, b, aInterface, bInterface } of this.links) {
      if (a === router) interfaces.push({ name: `eth${aInterface}`, interfaceId: aInterface, neighbors: [{ routerId: b, interfaceId: bInterface, address: linkLocal(b, bInterface) }] });
      if (b === router) interfaces.push({ name: `eth${bInterface}`, interfaceId: bInterface, neighbors: [{ routerId: a, interfaceId: aInterface, address: linkLocal(a, aInterface) }] });
    }
    for (const { members } of this.lans) {
      const own = members.find((member) => member.router === router);
      if (own) {
        const neighbors = members.filter((member) => member !== own).map((member) => ({ routerId: member.router, interfaceId: member.interfaceId, address: linkLocal(member.router, member.interfaceId) }));
        interfaces.push({ name: `eth${own.interfaceId}`, interfaceId: own.interfaceId, neighbors });
      }
    }
    return interfaces;
  }
}

export const linkLocal = (router: number, interfaceId: number): string => `fe80::${router.toString(16)}:${interfaceId.toString(16)}`;

export function teLink(linkType: 1 | 2, routerId: number, interfaceId: number, delayUs: number): LsaBody {
  return {
    kind: 'intraAreaTe',
    routerAddress: undefined,
    link: {
      linkType,
      neighbor: { interfaceId, routerId },
      local: [],
      remote: [],
      teMetric: undefined,
      maximumBandwidth: undefined,
      maximumReservable: undefined,
      delay: { us: delayUs, anomalous: false },
      delayRange: undefined,
      delayVariationUs: undefined,
      loss: undefined,
      residualBandwidth: undefined,
      availableBandwidth: undefined,
      utilizedBandwidth: undefined,
    },
  };
}

/** An edge of the reference graph; vertices are router IDs and `lan N`. */
export interface ModelEdge {
  readonly from: string;
  readonly to: string;
  readonly cost: number;
  readonly interfaceId: number;
  readonly delay: number | undefined;
}

export function edgesOf(model: Model): ModelEdge[] {
  const edges: ModelEdge[] = [];
  const usable = (router: number): boolean => model.routers.get(router)!.v6;
  for (const { a, b, aCost, bCost, up, aInterface, bInterface, aDelay, bDelay } of model.links) {
    if (!up || !usable(a) || !usable(b)) continue;
    edges.push({ from: String(a), to: String(b), cost: aCost, interfaceId: aInterface, delay: aDelay }, { from: String(b), to: String(a), cost: bCost, interfaceId: bInterface, delay: bDelay });
  }
  model.lans.forEach(({ members, up }, index) => {
    for (const { router, cost, interfaceId } of members) {
      if (!up || !usable(router)) continue;
      edges.push({ from: String(router), to: `lan ${index}`, cost, interfaceId, delay: undefined }, { from: `lan ${index}`, to: String(router), cost: 0, interfaceId: 0, delay: undefined });
    }
  });
  return edges;
}

/** Floyd-Warshall; only transit vertices are passed through. */
export function allDistances(model: Model, weight: (edge: ModelEdge) => number = ({ cost }) => cost): (from: string, to: string) => number {
  const edges = edgesOf(model);
  const names = [...new Set([...[...model.routers.keys()].map(String), ...edges.flatMap(({ from, to }) => [from, to])])];
  const number = new Map(names.map((name, index) => [name, index]));
  const distance = names.map((_, i) => names.map((__, j) => (i === j ? 0 : Infinity)));
  for (const edge of edges) {
    const row = distance[number.get(edge.from)!]!;
    const to = number.get(edge.to)!;
    row[to] = Math.min(row[to]!, weight(edge));
  }
  names.forEach((name, k) => {
    if (model.routers.get(Number(name))?.transit === false) return;
    for (const row of distance) for (let j = 0; j < names.length; j++) row[j] = Math.min(row[j]!, row[k]! + distance[k]![j]!);
  });
  return (from, to) => distance[number.get(from) ?? -1]?.[number.get(to) ?? -1] ?? (from === to ? 0 : Infinity);
}

const differentDelays = fc.uniqueArray(fc.integer({ min: 10, max: 3000 }), { minLength: 48, maxLength: 48 });

/** A random connected-ish network with routers 1 to n: mixed costs, parallel links, LANs. */
export function arbitraryModel(maxRouters: number, options: { readonly lans?: boolean; readonly asymmetric?: boolean; readonly srv6Share?: number; readonly delays?: boolean } = {}): fc.Arbitrary<Model> {
  const cost = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 30 }));
  return fc
    .integer({ min: 2, max: maxRouters })
    .chain((count) =>
      fc.record({
        count: fc.constant(count),
        tree: fc.array(fc.tuple(fc.nat(), cost, cost), { minLength: count - 1, maxLength: count - 1 }),
        extra: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1), cost, cost), { maxLength: count * 2 }),
        lans: options.lans === false ? fc.constant([]) : fc.array(fc.uniqueArray(fc.tuple(fc.nat(count - 1), cost), { minLength: 2, maxLength: 5, selector: ([router]) => router }), { maxLength: 3 }),
        plain: fc.array(fc.nat(99), { minLength: count, maxLength: count }),
        // No two alike in one direction: parallel links are told apart by them.
        delays: fc.tuple(differentDelays, differentDelays),
      }),
    )
    .map(({ count, tree, extra, lans, plain: draws, delays }) => {
      const model = new Model();
      const back = (there: number, other: number): number => (options.asymmetric === false ? there : other);
      for (let id = 1; id <= count; id++) model.router(id, draws[id - 1]! < (options.srv6Share ?? 1) * 100);
      tree.forEach(([parent, there, other], index) => model.link(1 + (parent % (index + 1)), index + 2, there, back(there, other)));
      for (const [a, b, there, other] of extra) if (a !== b) model.link(a + 1, b + 1, there, back(there, other));
      for (const members of lans) model.lan(...members.map(([router, price]) => [router + 1, price] as const));
      if (options.delays) model.links.forEach((link, index) => ([link.aDelay, link.bDelay] = [delays[0][index]!, delays[1][index]!]));
      return model;
    });
}
