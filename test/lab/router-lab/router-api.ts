/** The API of a router of a lab, as the tests use it. */
import assert from 'node:assert/strict';
import { ApiClient } from '../../../cli/client.js';
import type { OspfLsaEntry } from '../../../daemon/northbound/ospf.js';
import type { BfdSessions } from '../../../daemon/northbound/bfd.js';
import type * as view from '../../../daemon/northbound/facade.js';
import type { Lab } from '../../../lab/index.js';
import { bfdMethods, bgpMethods, computingMethods, ospfMethods, routerMethods } from '../../../proto/methods.js';

/** The API of one router, asked from here: its socket is seen through /proc. */
export class RouterApi {
  private readonly client: ApiClient;

  constructor(lab: Lab, readonly name: string) {
    this.client = new ApiClient(`unix:///proc/${lab.node(name).init.pid}/root/run/cpn/cpnd.sock`);
  }

  close(): void {
    this.client.close();
  }

  status(): Promise<view.RouterStatus> {
    return this.client.call(routerMethods.getStatus, {});
  }

  /** A counter of `show status`. */
  async counter(name: string): Promise<number> {
    const { counters } = await this.status();
    assert.ok(name in counters, `no counter ${name} among ${Object.keys(counters).join(', ')}`);
    return Number(counters[name]);
  }

  private async all<A, T>(run: (each: (batch: A) => void) => Promise<void>, items: (batch: A) => readonly T[]): Promise<T[]> {
    const found: T[] = [];
    await run((batch) => found.push(...items(batch)));
    return found;
  }

  async candidates(service: string): Promise<readonly view.CandidateView[]> {
    const services = await this.all<{ services: readonly view.ServiceCandidates[] }, view.ServiceCandidates>(
      (each) => this.client.stream(computingMethods.listCandidates, { service }, each),
      (batch) => batch.services,
    );
    return services.flatMap(({ candidates }) => candidates);
  }

  /** Exits of the feasible candidates, sorted. */
  async feasible(service: string): Promise<string[]> {
    return (await this.candidates(service)).filter(({ feasible }) => feasible).map(({ exit }) => exit).sort();
  }

  routes(): Promise<view.RouteView[]> {
    return this.all<{ routes: readonly view.RouteView[] }, view.RouteView>((each) => this.client.stream(routerMethods.listRoutes, {}, each), ({ routes }) => routes);
  }

  flows(filter: Partial<view.FlowFilter> = {}): Promise<view.FlowView[]> {
    const whole = { service: undefined, source: undefined, exit: undefined, limit: 0, ...filter };
    return this.all<{ flows: readonly view.FlowView[] }, view.FlowView>((each) => this.client.stream(computingMethods.listFlows, whole, each), ({ flows }) => flows);
  }

  async fib(service: string): Promise<readonly view.PolicyView[]> {
    const services = await this.all<{ services: readonly view.FibView[] }, view.FibView>(
      (each) => this.client.stream(computingMethods.listPolicies, { service }, each),
      (batch) => batch.services,
    );
    return services.flatMap(({ policies }) => policies);
  }

  async neighbor(address: string): Promise<view.BgpNeighborView> {
    return (await this.client.call(bgpMethods.listNeighbors, { address })).neighbors[0]!;
  }

  ospfLsas(type: string): Promise<OspfLsaEntry[]> {
    return this.all<{ lsas: readonly OspfLsaEntry[] }, OspfLsaEntry>((each) => this.client.stream(ospfMethods.listOspfLsas, { type }, each), ({ lsas }) => lsas);
  }

  bfd(): Promise<BfdSessions> {
    return this.client.call(bfdMethods.listBfdSessions, { peer: undefined });
  }

  async sids(): Promise<readonly view.SidView[]> {
    return (await this.client.call(routerMethods.listSids, {})).sids;
  }

  async doctor(): Promise<readonly view.DoctorCheck[]> {
    return (await this.client.call(routerMethods.runDoctor, {})).checks;
  }

  async update(id: number, update: Partial<view.InstanceUpdate>): Promise<void> {
    const nothing = { computing: [], load: undefined, serviceDelay: undefined, health: undefined };
    await this.client.call(computingMethods.updateInstance, { instance: { service: undefined, id }, ...nothing, ...update });
  }

  reload(): Promise<view.ConfigAnswer> {
    return this.client.call(routerMethods.reloadConfig, {});
  }
}
