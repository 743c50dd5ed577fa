import assert from 'node:assert/strict';
import { ManualClock } from '../../../../daemon/clock.js';
import { SpfEngine } from '../../../../daemon/ospf/spf/engine.js';
import type { LsaChange, RouteDelta, SpfOptions, SpfRoute } from '../../../../daemon/ospf/spf/types.js';
import type { LsaBody } from '../../../../daemon/ospf/wire/types.js';
import { lsa, type Model } from './model.js';

export const OPTIONS: SpfOptions = {
  maxPaths: 16,
  fastReroute: 'none',
  maxRepairSegments: 4,
  delay: { missingUs: 10_000, deadBandUs: 0, deadBandRatio: 0, gainUs: 0, gainRatio: 0, maxSegments: 6 },
  timers: { initialDelayMs: 50, shortDelayMs: 200, longDelayMs: 5000, timeToLearnMs: 500, holdDownMs: 10_000 },
};

/** A router of a model, with what its listeners were told applied. */
export class Router {
  readonly engine: SpfEngine;
  readonly told = new Map<string, SpfRoute>();
  readonly reachable = new Set<number>();
  deltas: RouteDelta[] = [];

  constructor(readonly model: Model, readonly self = 1, options: Partial<SpfOptions> = {}, readonly clock: ManualClock = new ManualClock()) {
    this.engine = new SpfEngine({ routerId: self, clock: this.clock, options: { ...OPTIONS, ...options } });
    this.engine.onRoutes((delta) => {
      this.deltas.push(delta);
      for (const prefix of delta.removed) assert.ok(this.told.delete(prefix), `${prefix} was there`);
      for (const route of delta.changed) assert.ok(this.told.has(route.prefix), `${route.prefix} was there`);
      for (const route of delta.added) assert.ok(!this.told.has(route.prefix), `${route.prefix} was not there`);
      for (const route of [...delta.added, ...delta.changed]) this.told.set(route.prefix, route);
    });
    this.engine.onReachability((changes) => {
      for (const { routerId, reachable } of changes) if (reachable) this.reachable.add(routerId); else this.reachable.delete(routerId);
    });
    this.settle();
  }

  settle(): void {
    this.engine.setInterfaces(this.model.interfacesOf(this.self));
    this.engine.lsdbChanged(this.model.changes());
    this.clock.advance(6000);
  }

  put(type: number, router: number, id: number, body: LsaBody | undefined): void {
    const key = { type, router, id };
    const change: LsaChange = { key, before: undefined, after: body && lsa(key, body) };
    this.engine.lsdbChanged([change]);
    this.clock.advance(6000);
  }

  /** `type cost (type 2 metric): neighbours` */
  route(prefix: string): string | undefined {
    const route = this.told.get(prefix);
    return route && `${route.type} ${route.cost}${route.type2Metric === undefined ? '' : ` (${route.type2Metric})`}: ${route.nextHops.map(({ neighbor, gateway }) => neighbor ?? gateway ?? 'link').join(' ')}`;
  }
}
