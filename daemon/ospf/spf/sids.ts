/**
 * SRv6 SIDs as routers announce them: locators and End SIDs in Locator LSAs, End.X SIDs in E-Router-LSAs (RFC 9513). Only algorithm 0 serves to
 * pin and repair paths: its SIDs follow the paths of least cost.
 */
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import { LsType } from '../wire/types.js';
import { current, lsaKeyText } from './topology.js';
import type { LsaChange, RouterSids } from './types.js';

/** Endpoint behaviours (RFC 8986 section 10.2.2, RFC 9800 section 9), all flavours. */
const between = (value: number, ...ranges: readonly (readonly [number, number])[]): boolean => ranges.some(([low, high]) => value >= low && value <= high);
const isEnd = (behaviour: number): boolean => between(behaviour, [1, 4], [28, 31], [43, 50]);
const isEndX = (behaviour: number): boolean => between(behaviour, [5, 8], [32, 35], [52, 59]);
const END_DT6 = 0x12;

interface Announced {
  readonly locators: RouterSids['locators'];
  readonly end: RouterSids['end'];
  readonly endX: RouterSids['endX'];
}

export class SidTable {
  private readonly byRouter = new Map<number, Map<string, Announced>>();
  /** How many LSAs announce a locator. */
  private readonly locators = new Map<string, number>();
  private readonly united = new Map<number, RouterSids>();

  /** Takes the Locator and E-Router-LSAs among the changes; true when a SID or locator changed. */
  update(changes: readonly LsaChange[]): boolean {
    let changed = false;
    for (const { key, after } of changes) {
      if (key.type !== LsType.srv6Locator && key.type !== LsType.extendedRouter) continue;
      const announced = announcedBy(current(after)?.body);
      const lsas = this.byRouter.get(key.router) ?? new Map<string, Announced>();
      const text = lsaKeyText(key);
      if (JSON.stringify(announced) === JSON.stringify(lsas.get(text))) continue;
      this.countLocators(lsas.get(text), -1);
      this.countLocators(announced, 1);
      if (announced) lsas.set(text, announced);
      else lsas.delete(text);
      if (lsas.size > 0) this.byRouter.set(key.router, lsas);
      else this.byRouter.delete(key.router);
      this.united.delete(key.router);
      changed = true;
    }
    return changed;
  }

  private countLocators(announced: Announced | undefined, step: 1 | -1): void {
    for (const { prefix, algorithm } of announced?.locators ?? []) {
      if (algorithm !== 0) continue;
      const count = (this.locators.get(prefix) ?? 0) + step;
      if (count > 0) this.locators.set(prefix, count);
      else this.locators.delete(prefix);
    }
  }

  of(router: number): RouterSids | undefined {
    const lsas = this.byRouter.get(router);
    if (!lsas) return undefined;
    let sids = this.united.get(router);
    if (!sids) {
      const all = [...lsas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, announced]) => announced);
      const locators = all.flatMap((one) => one.locators);
      const prefixes = locators.filter(({ algorithm }) => algorithm === 0).map(({ prefix }) => Prefix.from(prefix));
      // A SID outside its router's locators leads nowhere (RFC 9513 section 8).
      const routed = ({ sid }: { readonly sid: string }): boolean => {
        const bytes = parseIp(sid);
        return bytes !== undefined && prefixes.some((prefix) => prefix.contains(bytes));
      };
      sids = { routerId: router, locators, end: all.flatMap(({ end }) => end.filter(routed)), endX: all.flatMap(({ endX }) => endX.filter(routed)) };
      this.united.set(router, sids);
    }
    return sids;
  }

  /** Whether a prefix is a locator whose SIDs serve to pin and repair paths. */
  isLocator(prefix: string): boolean {
    return this.locators.has(prefix);
  }

  owns(router: number, sid: string): boolean {
    const sids = this.of(router);
    return sids !== undefined && (sids.end.some((one) => one.sid === sid) || sids.endX.some((one) => one.sid === sid));
  }

  /** A SID that leads to the router and on by the next segment. */
  end(router: number): string | undefined {
    return this.of(router)?.end.find(({ behaviour }) => isEnd(behaviour))?.sid;
  }

  /** A SID that leads to the router, which decapsulates and forwards what is inside (End.DT6). */
  decapsulating(router: number): string | undefined {
    return this.of(router)?.end.find(({ behaviour }) => behaviour === END_DT6)?.sid;
  }

  /** A SID that leads to the router and from there over one of its interfaces to a neighbour. */
  endX(router: number, interfaceId: number, neighbor: number): string | undefined {
    return this.of(router)?.endX.find((one) => one.interfaceId === interfaceId && one.neighbor === neighbor && isEndX(one.behaviour))?.sid;
  }
}

function announcedBy(body: NonNullable<LsaChange['after']>['body'] | undefined): Announced | undefined {
  if (body?.kind === 'srv6Locator') {
    return {
      locators: body.locators.map(({ prefix, algorithm, metric }) => ({ prefix: prefix.toString(), algorithm, metric })),
      end: body.locators.filter(({ algorithm }) => algorithm === 0).flatMap(({ endSids }) => endSids.map(({ sid, behaviour }) => ({ sid, behaviour }))),
      endX: [],
    };
  }
  if (body?.kind !== 'extendedRouter') return undefined;
  const endX = body.links.flatMap((link) =>
    link.endX
      .filter(({ algorithm }) => algorithm === 0)
      .map(({ sid, behaviour, neighborRouterId }) => ({ sid, behaviour, interfaceId: link.interfaceId, neighbor: neighborRouterId ?? link.neighborRouterId })),
  );
  return { locators: [], end: [], endX };
}
