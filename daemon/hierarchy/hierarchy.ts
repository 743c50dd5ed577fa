/**
 * What a border router announces (survey section 4.4): into BGP one aggregate instance a service instead of the instances of its edge network, into OSPFv3 its own
 * instances and one aggregate of what is outside. Both are damped by the same announcement control as instances are. On a router without a hierarchy, what is said of
 * own instances passes to both protocols as it is.
 */
import { AnnouncementControl } from '../awareness/announcement-control.js';
import type { AnnouncementSequence } from '../awareness/sequence.js';
import type { Clock, Timer } from '../clock.js';
import type { Instance, SidInfo } from '../computing/types.js';
import type { AggregationConfig, AnnounceBudget, HierarchyConfig } from '../config/types.js';
import { Prefix } from '../../dataplane/packet/ip.js';
import type { Advertisement, Candidate } from '../rib/candidate.js';
import { AGGREGATE_ID, candidatesOf, SIDES, type EdgeView, type Side } from './sides.js';
import { summarise } from './summarise.js';

/** Takes what is to be announced of services; an advertisement without instances withdraws its service. */
export type AnnounceSink = (advertisements: readonly Advertisement[]) => void;

export interface HierarchySettings {
  readonly config: HierarchyConfig | undefined;
  readonly budget: AnnounceBudget;
  /** Of the aggregate of each side. */
  readonly sids: Readonly<Record<Side, SidInfo>>;
}

export interface HierarchyParts {
  readonly clock: Clock;
  readonly sequence: AnnouncementSequence;
  /** Loopback of this router. */
  readonly exit: string;
  readonly rib: EdgeView & { candidates(service: string): readonly Candidate[]; services(): Iterable<string> };
  readonly bgp: AnnounceSink;
  readonly ospf: AnnounceSink;
}

type Protocol = 'bgp' | 'ospf';
/** Which protocol tells of a side. */
const PROTOCOL_OF: Readonly<Record<Side, Protocol>> = { outward: 'bgp', inward: 'ospf' };

export class Hierarchy {
  private readonly controls: Readonly<Record<Side, AnnouncementControl>>;
  /** What is announced of own instances, by service. */
  private readonly local = new Map<string, Advertisement>();
  /** Services announced now. */
  private readonly announced: Readonly<Record<Protocol, Set<string>>> = { bgp: new Set(), ospf: new Set() };
  private prefixes: Readonly<Record<Side, readonly Prefix[]>> = { outward: [], inward: [] };
  private timer: Timer | undefined;
  private wakeAt = Infinity;

  constructor(
    private readonly parts: HierarchyParts,
    private settings: HierarchySettings,
  ) {
    this.controls = { outward: new AnnouncementControl(settings.budget), inward: new AnnouncementControl(settings.budget) };
    this.take(settings);
  }

  private take(settings: HierarchySettings): void {
    this.settings = settings;
    const prefixesOf = (side: Side): Prefix[] => (settings.config?.[side]?.services ?? []).map((text) => Prefix.from(text));
    this.prefixes = { outward: prefixesOf('outward'), inward: prefixesOf('inward') };
    for (const side of SIDES) this.controls[side].setBudget(settings.budget);
  }

  /** Takes over a configuration: announces what is to be announced otherwise from now on. */
  configure(settings: HierarchySettings): void {
    const before = this.prefixes.outward.join();
    this.take(settings);
    const services = [...new Set([...this.parts.rib.services(), ...this.local.keys(), ...this.announced.bgp, ...this.announced.ospf])];
    this.servicesChanged(services);
    // Those that are told one by one from now on, or no longer.
    if (before !== this.prefixes.outward.join()) this.announce('bgp', services.filter((service) => this.local.has(service)));
  }

  /** What the aggregate SID of a side chooses among; nothing where this router is no border for the service. */
  choices(side: Side, service: string): readonly Candidate[] {
    return this.covers(side, service) ? candidatesOf(side, this.parts.rib.candidates(service), this.parts.rib) : [];
  }

  /** The aggregate that is announced of a service. */
  aggregate(side: Side, service: string): Instance | undefined {
    return this.controls[side].announced(service)?.get(AGGREGATE_ID[side]);
  }

  /** What is announced of own instances changed; the computing RIB knows it already. */
  localAnnounced(advertisements: readonly Advertisement[]): void {
    for (const advertisement of advertisements) {
      if (advertisement.instances.length > 0) this.local.set(advertisement.service, advertisement);
      else this.local.delete(advertisement.service);
    }
    this.send('bgp', advertisements.filter(({ service }) => !this.covers('outward', service)));
    this.send('ospf', advertisements.map((advertisement) => this.withAggregate(advertisement)));
  }

  /** Candidates of these services changed. */
  servicesChanged(services: Iterable<string>): void {
    for (const service of services) {
      for (const side of SIDES) {
        const policy = this.settings.config?.[side] ?? NO_POLICY;
        const aggregate = summarise(this.choices(side, service), { id: AGGREGATE_ID[side], sid: this.settings.sids[side] });
        this.controls[side].offer(service, { instances: aggregate ? [aggregate] : [], queueCapacities: [0] }, policy);
      }
    }
    this.wake();
  }

  /** Everything is to be announced again: somebody held a higher sequence of this router. */
  renewAll(): void {
    for (const side of SIDES) this.controls[side].renewAll();
    this.wake();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.wakeAt = Infinity;
  }

  private covers(side: Side, service: string): boolean {
    const { [side]: prefixes } = this.prefixes;
    if (prefixes.length === 0) return false;
    const host = Prefix.host(service);
    return prefixes.some((prefix) => prefix.contains(host));
  }

  private wake(): void {
    const now = this.parts.clock.now();
    const at = Math.max(now, Math.min(...SIDES.map((side) => this.controls[side].wakeAt)));
    if (this.timer && this.wakeAt <= at) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.wakeAt = at;
    if (at === Infinity) return;
    this.timer = this.parts.clock.setTimeout(() => {
      this.timer = undefined;
      this.wakeAt = Infinity;
      this.flush();
    }, at - now);
  }

  /** Announces what is due now. */
  flush(): void {
    const now = this.parts.clock.now();
    for (const side of SIDES) {
      const due = this.controls[side].take(now);
      this.announce(PROTOCOL_OF[side], due.map(({ service }) => service));
    }
    this.wake();
  }

  /** Announces services anew, whatever of them is to be said by a protocol now. */
  private announce(protocol: Protocol, services: readonly string[]): void {
    if (services.length === 0) return;
    const sequence = this.parts.sequence.next();
    const originatedAt = BigInt(this.parts.clock.unixMs());
    this.send(
      protocol,
      services.map((service) => {
        const local = this.local.get(service) ?? { service, exit: this.parts.exit, source: 'local' as const, peer: '', pathId: 0, validityMs: 0, instances: [], stale: false };
        const own = { ...local, sequence, originatedAt };
        if (protocol === 'ospf') return this.withAggregate(own);
        return this.covers('outward', service) ? this.aggregateAlone(own) : own;
      }),
    );
  }

  private withAggregate(own: Advertisement): Advertisement {
    const aggregate = this.aggregate('inward', own.service);
    return aggregate ? { ...own, instances: [...own.instances, aggregate], validityMs: shorter(own.instances.length > 0 ? own.validityMs : 0, this.validityOf('inward')) } : own;
  }

  /** The aggregate stands for the own instances too. */
  private aggregateAlone(own: Advertisement): Advertisement {
    const aggregate = this.aggregate('outward', own.service);
    return { ...own, instances: aggregate ? [aggregate] : [], validityMs: this.validityOf('outward') };
  }

  private validityOf(side: Side): number {
    return this.settings.config?.[side]?.validityMs ?? 0;
  }

  /** A service that was not announced is not withdrawn either. */
  private send(protocol: Protocol, advertisements: readonly Advertisement[]): void {
    const announced = this.announced[protocol];
    const said = advertisements.filter(({ service, instances }) => instances.length > 0 || announced.has(service));
    for (const { service, instances } of said) {
      if (instances.length > 0) announced.add(service);
      else announced.delete(service);
    }
    if (said.length > 0) this.parts[protocol](said);
  }
}

/** Of a side that is not configured: it only withdraws. */
const NO_POLICY: AggregationConfig = { services: [], threshold: 0, minIntervalMs: 0, maxIntervalMs: 0, validityMs: 0 };

/** Of two validities the shorter one; 0 is endless. */
const shorter = (a: number, b: number): number => (a === 0 ? b : b === 0 ? a : Math.min(a, b));
