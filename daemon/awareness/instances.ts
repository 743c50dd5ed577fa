/**
 * The exit's own instances: configuration, run-time updates, health and drain state become advertisements of the local source.
 *
 * What is announced when is announcement-control.ts. Services that are due together share sequence and time, so that their routes can be
 * packed (proto/WIRE.md section 1).
 */
import type { Clock, Timer } from '../clock.js';
import { CPN_MAX_SENT, cpnBlockSize, cpnInstanceSize } from '../computing/block.js';
import type { CatsParameters } from '../computing/model/cats.js';
import type { Instance } from '../computing/types.js';
import type { AnnounceConfig, AnnouncePolicy, HealthCheckConfig, InstanceConfig, RouterConfig } from '../config/types.js';
import type { EventLog } from '../events.js';
import type { Advertisement } from '../rib/candidate.js';
import { Refusal } from '../refusal.js';
import { AnnouncementControl, type Picture } from './announcement-control.js';
import { LocalInstance, type InstanceFacts, type InstanceUpdate } from './instance.js';
import { AnnouncementSequence } from './sequence.js';

export interface InstanceRef {
  /** Absent: the id alone, which must then be unambiguous. */
  readonly service: string | undefined;
  readonly id: number;
}

export interface InstanceState {
  readonly service: string;
  readonly instance: number;
  readonly draining: boolean;
  readonly health: 'up' | 'down' | 'unchecked';
  readonly sequence: bigint; // of the last announcement
}

export interface LocalInstancesConfig {
  readonly router: Pick<RouterConfig, 'loopback' | 'sidStructure'>;
  readonly instances: readonly InstanceConfig[];
  readonly announce: AnnounceConfig;
  /** How CATS metrics are normalised; undefined: none are announced. */
  readonly cats?: CatsParameters | undefined;
}

/** What a running health check tells: 'up' or 'down', and why. */
export type HealthListener = (status: 'up' | 'down', reason: string) => void;

/** Starts a health check; the answer stops it. */
export type StartHealthCheck = (config: HealthCheckConfig, listener: HealthListener) => { stop(): void };

interface Entry {
  readonly local: LocalInstance;
  check: { stop(): void } | undefined;
  /** Made known at run time by `put`: a configuration that lacks it does not take it away. */
  readonly registered: boolean;
}

export class LocalInstances {
  private readonly instances = new Map<string, Entry>();
  /** The same by service: announcing a service looks at its own instances only. */
  private readonly byService = new Map<string, Map<number, Entry>>();
  private readonly control: AnnouncementControl;
  /** What is announced now, by service. */
  private readonly records = new Map<string, Advertisement>();
  /** Services to look at when the present run of code is over. */
  private readonly touched = new Set<string>();
  /** IDs of instances that found no room in the block of their service, for one event a change. */
  private readonly leftOut = new Map<string, string>();
  /** Grace times that run, by instance. */
  private readonly drains = new Map<string, Timer>();
  private soon: Timer | undefined;
  private later: Timer | undefined;
  private laterAt = Infinity;
  private firstVerdicts: (() => void) | undefined;

  constructor(
    private config: LocalInstancesConfig,
    private readonly clock: Clock,
    private readonly startHealthCheck: StartHealthCheck,
    private readonly events: EventLog,
    /** New content of services; an advertisement without instances withdraws its service. */
    private readonly announce: (advertisements: readonly Advertisement[]) => void,
    private readonly sequence = new AnnouncementSequence(clock),
  ) {
    this.control = new AnnouncementControl(config.announce.budget);
  }

  /** Announcements sent, urgent ones among them, and how often the budget held one up. */
  get announceCounters(): AnnouncementControl['counters'] {
    return this.control.counters;
  }

  /** Starts health checks and announces what can be announced. */
  start(): void {
    for (const config of this.config.instances) this.add(config, false);
    this.schedule();
  }

  /** Calls back once, when every health check has had its first verdict and what is healthy is announced. */
  onFirstVerdicts(listener: () => void): void {
    this.firstVerdicts = listener;
  }

  private tellFirstVerdicts(): void {
    const { firstVerdicts } = this;
    if (!firstVerdicts || [...this.instances.values()].some(({ local }) => local.checked === 'unknown')) return;
    this.firstVerdicts = undefined;
    firstVerdicts();
  }

  stop(): void {
    for (const { check } of this.instances.values()) check?.stop();
    this.instances.clear();
    this.byService.clear();
    for (const timer of this.drains.values()) timer.cancel();
    this.drains.clear();
    this.soon?.cancel();
    this.later?.cancel();
  }

  /** Takes over a changed configuration: instances that stay keep their health, drain state and run-time values. */
  configure(config: LocalInstancesConfig): void {
    this.config = config;
    this.control.setBudget(config.announce.budget);
    for (const { local } of this.instances.values()) local.cats = config.cats;
    for (const service of this.records.keys()) this.touch(service);
    const wanted = new Map(config.instances.map((entry) => [`${entry.service}#${entry.id}`, entry]));
    for (const [key, { local, check, registered }] of this.instances) {
      const entry = wanted.get(key);
      if (registered && !entry) continue;
      if (entry && sameCheck(entry.healthCheck, local.config.healthCheck)) continue;
      if (entry) check?.stop();
      else this.drop(key);
    }
    for (const [key, entry] of wanted) {
      const known = this.instances.get(key);
      if (known) this.reconfigure(known, entry);
      else this.add(entry, false);
    }
  }

  /** An instance that a computing node made known, or what changed of it; it keeps its health, drain state and run-time values. */
  put(config: InstanceConfig, facts: InstanceFacts): void {
    const known = this.instances.get(`${config.service}#${config.id}`);
    if (known) {
      if (!sameCheck(config.healthCheck, known.local.config.healthCheck)) known.check?.stop();
      this.reconfigure(known, config);
      known.local.facts = facts;
    } else this.add(config, true).local.facts = facts;
  }

  /** Withdraws an instance that was put; unknown ones are nothing to withdraw. */
  remove(service: string, id: number): void {
    if (this.instances.get(`${service}#${id}`)?.registered) this.drop(`${service}#${id}`);
  }

  private reconfigure(known: Entry, config: InstanceConfig): void {
    const checkChanged = !sameCheck(config.healthCheck, known.local.config.healthCheck);
    known.local.reconfigure(config, this.config.router);
    if (checkChanged) {
      // The old verdict stands until the new check has one of its own.
      if (!config.healthCheck) {
        known.local.checked = 'unchecked';
        known.local.reason = '';
      }
      known.check = this.check(known.local);
    }
    this.touch(config.service);
  }

  private drop(key: string): void {
    const entry = this.instances.get(key);
    if (!entry) return;
    const { service, id } = entry.local.config;
    entry.check?.stop();
    this.instances.delete(key);
    const others = this.byService.get(service);
    others?.delete(id);
    if (others?.size === 0) this.byService.delete(service);
    this.drains.get(key)?.cancel();
    this.drains.delete(key);
    this.touch(service);
  }

  private add(config: InstanceConfig, registered: boolean): Entry {
    const local = new LocalInstance(config, this.config.router, this.config.cats);
    const entry: Entry = { local, check: undefined, registered };
    this.instances.set(local.key, entry);
    const others = this.byService.get(config.service) ?? new Map<number, Entry>();
    this.byService.set(config.service, others.set(config.id, entry));
    entry.check = this.check(local);
    this.touch(config.service);
    return entry;
  }

  private check(local: LocalInstance): { stop(): void } | undefined {
    const { healthCheck } = local.config;
    if (!healthCheck) return undefined;
    return this.startHealthCheck(healthCheck, (status, reason) => {
      const before = local.checked;
      local.checked = status;
      local.reason = reason;
      if (before === status) return;
      this.events.emit('awareness', `instance.${status}`, status === 'up' ? 'info' : 'warning', `instance ${local.key} is ${status}${reason === '' ? '' : `: ${reason}`}`, {
        service: local.config.service,
        instance: local.config.id,
      });
      this.touch(local.config.service);
    });
  }

  /** The instance meant; throws Refusal when there is none, or more than one. */
  private resolve(reference: InstanceRef): LocalInstance {
    const exact = reference.service === undefined ? undefined : this.instances.get(`${reference.service}#${reference.id}`);
    if (exact) return exact.local;
    const found = reference.service === undefined ? [...this.instances.values()].map(({ local }) => local).filter(({ config }) => config.id === reference.id) : [];
    if (found.length === 1) return found[0]!;
    const name = reference.service === undefined ? `${reference.id}` : `${reference.service}#${reference.id}`;
    if (found.length === 0) throw new Refusal('notFound', `no local instance ${name}`);
    throw new Refusal('invalid', `instance ${name} is ambiguous: ${found.map(({ key }) => key).join(', ')}`);
  }

  /**
   * Draining: announced with the draining flag, so that entries give it no new flows; after `graceMs` withdrawn, so that they move the
   * flows that are left. A second drain sets the grace time anew.
   */
  drain(reference: InstanceRef, draining: boolean, graceMs: number): InstanceState {
    const local = this.resolve(reference);
    this.drains.get(local.key)?.cancel();
    this.drains.delete(local.key);
    if (draining) this.drains.set(local.key, this.clock.setTimeout(() => this.drained(local), graceMs));
    else local.drained = false;
    if (local.draining !== draining) {
      local.draining = draining;
      this.events.emit('awareness', draining ? 'instance.drain' : 'instance.undrain', 'info', `instance ${local.key} ${draining ? 'drains' : 'takes flows again'}`, {
        service: local.config.service,
        instance: local.config.id,
      });
      this.touch(local.config.service);
    }
    return this.state(local);
  }

  private drained(local: LocalInstance): void {
    this.drains.delete(local.key);
    if (local.drained) return;
    local.drained = true;
    this.events.emit('awareness', 'instance.drained', 'info', `instance ${local.key} is withdrawn: its grace time is over`, { service: local.config.service, instance: local.config.id });
    this.touch(local.config.service);
  }

  update(reference: InstanceRef, update: InstanceUpdate): InstanceState {
    const local = this.resolve(reference);
    local.update(update);
    this.touch(local.config.service);
    return this.state(local);
  }

  private state(local: LocalInstance): InstanceState {
    const { service, id } = local.config;
    // What was changed just now goes out with the next sequence; the answer should name that one.
    this.flush();
    return { service, instance: id, draining: local.draining, health: local.health, sequence: this.records.get(service)?.sequence ?? this.sequence.value };
  }

  /** Somebody holds this sequence of ours: one from an earlier run with a faster clock must not win over what we say now. True when it does. */
  seen(sequence: bigint): boolean {
    if (!this.sequence.seen(sequence)) return false;
    this.control.renewAll();
    this.schedule();
    return true;
  }

  /** All local instances, for display. */
  list(): readonly { readonly local: LocalInstance; readonly announced: boolean }[] {
    return [...this.instances.values()].map(({ local }) => ({ local, announced: this.control.announced(local.config.service)?.has(local.config.id) ?? false }));
  }

  /** What is announced now, one a service. */
  advertisements(): Advertisement[] {
    return [...this.records.values()];
  }

  private touch(service: string): void {
    this.touched.add(service);
    this.schedule();
  }

  private schedule(): void {
    this.soon ??= this.clock.setTimeout(() => this.flush(), 0);
  }

  /** Looks at the services that were touched, announces what is due, and sets the timer for what has to wait. */
  private flush(): void {
    this.soon?.cancel();
    this.soon = undefined;
    for (const service of this.touched) this.control.offer(service, this.picture(service), announcePolicy(this.config.announce, service));
    this.touched.clear();
    this.announceDue();
    this.wake();
    this.tellFirstVerdicts();
  }

  private picture(service: string): Picture {
    const healthy = [...(this.byService.get(service)?.values() ?? [])].map(({ local }) => local).filter((local) => local.healthy);
    const capacities = new Map(healthy.map(({ config }) => [config.id, config.queueCapacity]));
    const instances = this.fitting(service, healthy.map(({ instance }) => instance));
    return { instances, queueCapacities: instances.map(({ id }) => capacities.get(id) ?? 0) };
  }

  private announceDue(): void {
    const due = this.control.take(this.clock.now());
    if (due.length === 0) return;
    const sequence = this.sequence.next();
    const originatedAt = BigInt(this.clock.unixMs());
    const advertisements = due.map(({ service, instances }): Advertisement => {
      const { validityMs } = announcePolicy(this.config.announce, service);
      return { service, exit: this.config.router.loopback, source: 'local', peer: '', pathId: 0, sequence, originatedAt, validityMs, instances, stale: false };
    });
    for (const advertisement of advertisements) {
      if (advertisement.instances.length > 0) this.records.set(advertisement.service, advertisement);
      else this.records.delete(advertisement.service);
    }
    this.announce(advertisements);
  }

  /** Those that the block of a service has room for, in the order of the configuration (proto/WIRE.md section 1). */
  private fitting(service: string, instances: readonly Instance[]): Instance[] {
    const origin = { exit: this.config.router.loopback, sequence: 0n, originatedAt: 0n, validity: 0 };
    let room = CPN_MAX_SENT - cpnBlockSize({ service: undefined, origin, instances: [] });
    const fitting = instances.filter((instance) => {
      const size = cpnInstanceSize(instance);
      if (size > room) return false;
      room -= size;
      return true;
    });
    const left = instances.filter((instance) => !fitting.includes(instance)).map(({ id }) => id);
    this.tellLeftOut(service, left.join(', '));
    return fitting;
  }

  private tellLeftOut(service: string, ids: string): void {
    if ((this.leftOut.get(service) ?? '') === ids) return;
    if (ids === '') this.leftOut.delete(service);
    else this.leftOut.set(service, ids);
    const text = ids === '' ? `all instances of ${service} are announced` : `instances ${ids} of ${service} are not announced: one announcement has room for ${CPN_MAX_SENT} octets`;
    this.events.emit('awareness', 'instance.left-out', ids === '' ? 'info' : 'warning', text, { service });
  }

  private wake(): void {
    const at = this.control.wakeAt;
    if (this.later && this.laterAt <= at) return;
    this.later?.cancel();
    this.later = undefined;
    this.laterAt = at;
    if (at === Infinity) return;
    this.later = this.clock.setTimeout(() => {
      this.later = undefined;
      this.laterAt = Infinity;
      this.flush();
    }, Math.max(0, at - this.clock.now()));
  }
}

/** The policy of a service: what it names itself, else what holds for all. */
function announcePolicy({ services, threshold, minIntervalMs, maxIntervalMs, validityMs }: AnnounceConfig, service: string): AnnouncePolicy {
  return services[service] ?? { threshold, minIntervalMs, maxIntervalMs, validityMs };
}

const sameCheck = (a: HealthCheckConfig | undefined, b: HealthCheckConfig | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);
