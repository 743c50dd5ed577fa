/**
 * The computing nodes that registered with this router (survey section 5.1): takes their registrations, grants instance numbers and SIDs, hands active services
 * to the local instances (which damp and announce), keeps leases, and decides which services run. Pure: streams, kernel and disk are behind interfaces.
 */
import { canonicalIp, parseIp, Prefix } from '../../../dataplane/packet/ip.js';
import type { Clock, Timer } from '../../clock.js';
import { chipFault, type Coefficients } from '../../computing/model/chips.js';
import type { LabelledRun } from '../../computing/model/history.js';
import { nodeStateOf } from '../../computing/model/node-state.js';
import { refused, type Modelled } from '../../computing/model/result.js';
import type { RegistrationConfig, RegistrationNodeConfig } from '../../config/registration.js';
import type { InstanceConfig, RouterConfig } from '../../config/types.js';
import type { Instance, SidInfo } from '../../computing/types.js';
import type { EventLog, Severity } from '../../events.js';
import { Refusal } from '../../refusal.js';
import { labelledRun, type FlatRun } from '../demand/run-view.js';
import type { InstanceFacts, InstanceUpdate } from '../instance.js';
import { Allocator, type Allocation } from './allocation.js';
import { modelledComputing, NodePeaks, type ModelledComputing } from './capacity.js';
import { mergeUpdates } from './merge.js';
import { NodeRecord, type Authentication, type GrantedService, type NodeChannel, type NodeIdentity } from './node.js';
import { judgeDescription, judgeUpdate } from './plausibility.js';
import type { NodeDescription, NodeUpdate, RegisteredNodeView, RegisteredServiceView, ServiceCommand, ServiceGrant, ServiceOffer } from './types.js';

/** `LocalInstances` fits. */
export interface InstanceSink {
  put(config: InstanceConfig, facts: InstanceFacts): void;
  remove(service: string, id: number): void;
  update(reference: { readonly service: string; readonly id: number }, update: InstanceUpdate): unknown;
}

/** A SID that delivers to a registered node. */
export interface RegisteredSid {
  readonly sid: string;
  readonly service: string;
  readonly instance: number;
  readonly node: string;
  readonly address: string;
  readonly interface: string;
}

export interface SidSink {
  set(sid: RegisteredSid): void;
  remove(sid: string): void;
}

export interface RegistryConfig {
  readonly registration: RegistrationConfig;
  readonly router: Pick<RouterConfig, 'name' | 'loopback' | 'locator' | 'sidStructure'>;
  readonly servicePrefixes: readonly string[];
  /** Instances of the configuration: their numbers, SIDs and services are not for nodes. */
  readonly instances: readonly InstanceConfig[];
  /** Of the pool model, by kind of chip. */
  readonly coefficients?: Coefficients;
}

export interface RegistryParts {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly instances: InstanceSink;
  readonly sids: SidSink;
  /** The node interface whose link an address is on. */
  readonly interfaceOf: (address: string) => string | undefined;
  /** Takes in a run that a node observed; without it runs are not kept. */
  readonly addRun?: (run: LabelledRun) => Modelled<LabelledRun>;
  /** Something that is to outlive a restart changed. */
  readonly onChange: () => void;
}

/** What is kept of a node over a restart of the router. */
export interface SavedNode {
  readonly description: NodeDescription;
  readonly authenticated: Authentication;
  readonly services: readonly (Allocation & { readonly service: string; readonly active: boolean })[];
}

const TICK_MS = 500;
/** A SID stays so long after its instance is withdrawn: packets are under way until all entries know. */
const SID_LINGER_MS = 5000;
/** The same notice about a node is given once in this time. */
const NOTICE_MS = 10_000;
const CLOCK_JUMP_MS = 5000;
/** First packets of one service ask for activation once in this time. */
const DEMAND_MS = 200;

const NOTHING_MODELLED: ModelledComputing = { computing: [], limited: [] };

const REPORT = ['computing', 'memory', 'storage', 'interfaces', 'load'];

export class NodeRegistry {
  readonly counters = { refusedNodes: 0n, replacedStreams: 0n };
  /** Counters of nodes that are forgotten. */
  private readonly former: Record<string, bigint> = {};
  private readonly nodes = new Map<string, NodeRecord>();
  private readonly channels = new Map<NodeChannel, NodeRecord>();
  /** Nodes that offer a service. */
  private readonly offering = new Map<string, Set<NodeRecord>>();
  /** Instance address -> node. */
  private readonly addresses = new Map<string, string>();
  private readonly lingering = new Map<string, Timer>();
  private readonly demanded = new Map<string, number>();
  private allocator: Allocator;
  private prefixes: readonly Prefix[];
  private timer: Timer | undefined;

  constructor(
    private config: RegistryConfig,
    private readonly parts: RegistryParts,
  ) {
    this.allocator = this.makeAllocator();
    this.prefixes = config.servicePrefixes.map((text) => Prefix.from(text));
  }

  private makeAllocator(): Allocator {
    return new Allocator(this.config.router, (service, { instance, sid }) => this.config.instances.some((entry) => entry.sid === sid || (entry.service === service && entry.id === instance)));
  }

  start(saved: readonly SavedNode[]): void {
    for (const node of saved) this.restore(node);
    const tick = (): void => {
      this.tick();
      this.timer = this.parts.clock.setTimeout(tick, TICK_MS);
    };
    this.timer = this.parts.clock.setTimeout(tick, TICK_MS);
  }

  /** Ends all streams; what is announced stays as it is. */
  stop(): void {
    this.timer?.cancel();
    for (const timer of this.lingering.values()) timer.cancel();
    for (const channel of [...this.channels.keys()]) channel.close('unavailable', 'the router stops');
    this.channels.clear();
  }

  /** To be called before the local instances take the same configuration: numbers that it gives to others are freed here. */
  configure(config: RegistryConfig): void {
    this.config = config;
    this.prefixes = config.servicePrefixes.map((text) => Prefix.from(text));
    for (const record of [...this.nodes.values()]) {
      const policy = this.policyOf(record.id);
      if (!policy) {
        record.channel?.close('denied', 'the configuration no longer has this node');
        this.forget(record, 'node.removed', 'warning', 'the configuration no longer has it');
        continue;
      }
      record.policy = policy;
      record.orchestration.times = config.registration;
      record.pace.setRate(config.registration.updatesPerSecond);
      this.grant(record, record.description.services, true);
    }
  }

  private policyOf(node: string): RegistrationNodeConfig | undefined {
    const { nodes } = this.config.registration;
    return nodes.find(({ id }) => id === node) ?? nodes.find(({ id }) => id === 'default');
  }

  /** Step 1 and 2. Throws Refusal with the reason for the node. */
  attach(identity: NodeIdentity, stated: NodeDescription, channel: NodeChannel): NodeRecord {
    try {
      return this.admit(identity, stated, channel);
    } catch (error) {
      if (error instanceof Refusal) this.refusedNode(identity.node ?? stated.node, error.message);
      throw error;
    }
  }

  private admit(identity: NodeIdentity, stated: NodeDescription, channel: NodeChannel): NodeRecord {
    const { clock } = this.parts;
    const now = clock.now();
    const id = identity.node ?? stated.node;
    if (stated.node !== id) throw new Refusal('denied', `the credentials are those of ${id}, not of ${stated.node}`);
    const policy = this.policyOf(id);
    if (!policy) throw new Refusal('denied', `node ${id} is not known to this router`);
    const known = this.nodes.get(id);
    const barred = known?.pace.barred(now) ?? 0;
    if (barred > 0) throw new Refusal('exhausted', `node ${id} sent too much: it may come back in ${Math.ceil(barred)} ms`);
    if (!known && this.nodes.size >= this.config.registration.maxNodes) throw new Refusal('exhausted', `${this.nodes.size} nodes are registered, which is the limit`);
    const peaks = known?.peaks ?? new NodePeaks();
    if (!stated.chips.some((chip) => chipFault(chip) !== undefined)) peaks.observeChips(stated.chips, now);
    peaks.observeBenchmarks(stated.measured, now);
    // A node that states a number knows better what of it is to be shared.
    const silent = stated.chips.length > 0 && !stated.computing.some(({ total }) => total > 0n);
    const model = silent ? modelledComputing(stated.chips, peaks, now, this.config.coefficients ?? {}) : NOTHING_MODELLED;
    const judged = judgeDescription(silent ? { ...stated, computing: model.computing } : stated, policy.limits);
    if (!judged.ok) {
      if (known) known.counters.refused++;
      throw new Refusal('invalid', judged.reason);
    }
    const record = known ?? new NodeRecord(judged.value, identity.by, policy, this.config.registration, now);
    if (record.channel) {
      this.counters.replacedStreams++;
      const old = record.channel;
      this.channels.delete(old);
      old.close('unavailable', 'another stream of this node took its place');
    }
    this.nodes.set(id, record);
    record.channel = channel;
    this.channels.set(channel, record);
    record.restored = false;
    record.policy = policy;
    record.authenticated = identity.by;
    record.description = judged.value;
    record.peaks = peaks;
    record.modelled = new Set(model.computing.map((entry) => `${entry.class} ${entry.chip}`));
    record.pending = undefined;
    record.heardAt = now;
    record.leaseMs = this.config.registration.leaseMs;
    if (!known) record.registeredAt = now;
    record.clockOffsetMs = stated.unixMs - clock.unixMs();
    record.counters.registrations++;
    this.noteLimited(record, [...model.limited, ...judged.limited]);
    const services = this.grant(record, judged.value.services, false);
    this.notice(record, known ? 'node.resumed' : 'node.registered', 'info', known ? 'is back' : 'registered', 0);
    const { leaseMs, updateIntervalMs, threshold, activationTimeoutMs, healthCheck } = this.config.registration;
    channel.send({
      parameters: {
        router: this.config.router.name,
        resumed: known !== undefined,
        leaseMs,
        updateIntervalMs,
        threshold,
        report: REPORT,
        activationTimeoutMs,
        healthCheck: healthCheck ?? { intervalMs: 0, timeoutMs: 0, fall: 0, rise: 0 },
        services,
      },
    });
    this.command(record, record.orchestration.offer(this.granted(record), record.capacity, now));
    this.sync(record);
    return record;
  }

  private granted(record: NodeRecord): ServiceOffer[] {
    return [...record.services.values()].map(({ offer }) => offer);
  }

  /** Grants or refuses each service; services that are no longer offered are taken away. `again`: what ran goes on. */
  private grant(record: NodeRecord, offers: readonly ServiceOffer[], again: boolean): ServiceGrant[] {
    const kept = new Set<string>();
    const grants = offers.map((offer): ServiceGrant => {
      const known = record.services.get(offer.service);
      const error = this.refusalOf(record, offer);
      const interfaceName = record.policy.interface ?? this.parts.interfaceOf(offer.address);
      const allocation = error === undefined ? this.allocator.allocate(record.id, offer.service) : undefined;
      if (!allocation || interfaceName === undefined) {
        const reason = error ?? (interfaceName === undefined ? `${offer.address} is on no link of a node interface` : 'all instance numbers are given out');
        record.counters.refused++;
        this.notice(record, 'node.service-refused', 'warning', `service ${offer.service} is refused: ${reason}`, NOTICE_MS);
        return { service: offer.service, instance: 0, sid: '', error: reason };
      }
      kept.add(offer.service);
      if (known && known.sid !== allocation.sid) this.withdraw(record, known);
      record.services.set(offer.service, { offer, ...allocation, interface: interfaceName, load: known?.load, serviceDelay: known?.serviceDelay });
      this.addresses.set(offer.address, record.id);
      const others = this.offering.get(offer.service) ?? new Set();
      this.offering.set(offer.service, others.add(record));
      this.lingering.get(allocation.sid)?.cancel();
      this.lingering.delete(allocation.sid);
      this.parts.sids.set({ ...allocation, service: offer.service, node: record.id, address: offer.address, interface: interfaceName });
      return { service: offer.service, ...allocation, error: '' };
    });
    for (const granted of [...record.services.values()]) if (!kept.has(granted.offer.service)) this.drop(record, granted);
    const used = new Set(this.granted(record).map(({ address }) => address));
    for (const [address, owner] of this.addresses) if (owner === record.id && !used.has(address)) this.addresses.delete(address);
    if (again) this.sync(record);
    this.parts.onChange();
    return grants;
  }

  /** Why a node may not offer this. */
  private refusalOf(record: NodeRecord, { service, address }: ServiceOffer): string | undefined {
    const bytes = parseIp(service)!;
    const inside = (prefixes: readonly string[], octets: Uint8Array): boolean => prefixes.some((text) => Prefix.from(text).contains(octets));
    if (!this.prefixes.some((prefix) => prefix.contains(bytes))) return `${service} is in no service prefix of this router`;
    if (!inside(record.policy.services, bytes)) return `node ${record.id} may not announce ${service}`;
    const at = parseIp(address)!;
    if (at.length !== bytes.length) return `the instance address ${address} is of another IP version than ${service}: no SID delivers packets of one to the other`;
    if (this.prefixes.some((prefix) => prefix.contains(at))) return `the instance address ${address} is inside a service prefix`;
    if (record.policy.addresses.length > 0 && !inside(record.policy.addresses, at)) return `node ${record.id} may not use the address ${address}`;
    if (address === this.config.router.loopback) return `${address} is the router's own address`;
    const owner = this.addresses.get(address);
    if (owner !== undefined && owner !== record.id) return `${address} is the address of node ${owner}`;
    return undefined;
  }

  /** Step 4: an update, or a sign of life. */
  update(channel: NodeChannel, update: NodeUpdate): void {
    const record = this.channels.get(channel);
    if (!record) return;
    const now = this.parts.clock.now();
    record.heardAt = now;
    const verdict = record.pace.judge(now);
    if (verdict === 'flood') {
      record.counters.floods++;
      const reason = `more than ${this.config.registration.updatesPerSecond} updates a second are gathered, and this was far more`;
      this.notice(record, 'node.flood', 'warning', `its stream is ended: ${reason}`, NOTICE_MS);
      this.detached(channel);
      channel.close('exhausted', reason);
      return;
    }
    if (verdict === 'apply' && !record.pending) {
      this.apply(record, update);
      return;
    }
    if (!record.pending) this.parts.clock.setTimeout(() => this.applyPending(record), record.pace.wait(now));
    record.pending = mergeUpdates(record.pending, update);
    record.counters.gathered++;
  }

  /** Runs of services that were granted to the node, under its own name and within its own capacity: a node teaches nothing about others. */
  private takeRuns(record: NodeRecord, runs: readonly FlatRun[]): void {
    for (const flat of runs) {
      const service = canonicalIp(flat.service);
      const granted = service === undefined ? undefined : record.services.get(service);
      const known = nodeStateOf(record.description.computing, record.description.storage);
      const stated = flat.capacity === 0 ? { ...flat, ...known } : { ...flat, capacity: Math.min(flat.capacity, known.capacity) };
      const run = labelledRun({ ...stated, service: service ?? '', instance: `${this.config.router.loopback}#${granted?.instance ?? 0}` });
      const added = granted ? this.parts.addRun?.(run) : refused(`it offers no service ${flat.service.slice(0, 64)}`);
      if (!added || added.ok) continue;
      record.counters.refused++;
      this.notice(record, 'node.run-refused', 'warning', `an observed run is refused: ${added.reason}`, NOTICE_MS);
    }
  }

  private applyPending(record: NodeRecord): void {
    const update = record.pending;
    record.pending = undefined;
    if (update && this.nodes.get(record.id) === record) this.apply(record, update);
  }

  private apply(record: NodeRecord, stated: NodeUpdate): void {
    const { clock } = this.parts;
    const now = clock.now();
    record.counters.updates++;
    const judged = judgeUpdate(stated, record.description, record.policy.limits);
    if (!judged.ok) {
      record.counters.refused++;
      if (this.notice(record, 'node.update-refused', 'warning', `an update is refused: ${judged.reason}`, NOTICE_MS)) record.channel?.send({ limited: { reason: judged.reason } });
      return;
    }
    this.noteLimited(record, judged.limited);
    const update = judged.value;
    const offset = update.unixMs - clock.unixMs();
    if (Math.abs(offset - record.clockOffsetMs) > CLOCK_JUMP_MS) {
      record.counters.clockJumps++;
      this.notice(record, 'node.clock-jump', 'warning', `its clock jumped by ${Math.round(offset - record.clockOffsetMs)} ms; times are taken from this router's clock`, NOTICE_MS);
    }
    record.clockOffsetMs = offset;
    const factsChanged = record.merge(update);
    if (update.measured.length > 0) this.noteLimited(record, record.remodel(update.measured, now, this.config.coefficients ?? {}));
    const commands: ServiceCommand[] = [];
    let statesChanged = false;
    const touched = new Set<string>();
    for (const report of update.services) {
      const granted = record.services.get(report.service);
      if (!granted) continue;
      if (report.load) {
        granted.load = { utilisation: report.load.utilisation ?? granted.load?.utilisation, queueLength: report.load.queueLength ?? granted.load?.queueLength, activeFlows: report.load.activeFlows ?? granted.load?.activeFlows };
        record.orchestration.load(report.service, (granted.load.queueLength ?? 0) > 0 || (granted.load.activeFlows ?? 0) > 0, now);
      }
      if (report.serviceDelay) granted.serviceDelay = report.serviceDelay;
      if (report.load || report.serviceDelay) touched.add(report.service);
      if (report.state === undefined || report.state === record.orchestration.machines.get(report.service)?.state) continue;
      statesChanged = true;
      commands.push(...record.orchestration.report(report.service, report.state, report.reason ?? '', now));
      this.notice(record, `service.${report.state}`, report.state === 'failed' ? 'warning' : 'info', `service ${report.service} is ${report.state}${report.reason ? `: ${report.reason}` : ''}`, 0);
    }
    this.takeRuns(record, update.runs ?? []);
    this.command(record, commands);
    if (statesChanged || commands.length > 0 || factsChanged) this.sync(record);
    else for (const granted of record.services.values()) if (update.computing.length > 0 || touched.has(granted.offer.service)) this.refresh(record, granted);
  }

  /** The stream of a node ended without a log-out: its lease runs on. */
  detached(channel: NodeChannel): void {
    const record = this.channels.get(channel);
    if (!record) return;
    this.channels.delete(channel);
    record.channel = undefined;
    this.notice(record, 'node.lost', 'warning', `its stream ended; the lease runs for another ${Math.round(Math.max(0, record.heardAt + record.leaseMs - this.parts.clock.now()))} ms`, 0);
  }

  /** Step 5. */
  logOut(channel: NodeChannel, reason: string): void {
    const record = this.channels.get(channel);
    if (record) this.forget(record, 'node.logged-out', 'info', `logged out${reason === '' ? '' : `: ${reason.replace(/[^\x20-\x7e]/g, ' ').slice(0, 256)}`}`);
  }

  /** First packets came for a service that has no candidate. */
  demand(service: string): void {
    const offering = this.offering.get(service);
    if (!offering) return;
    const now = this.parts.clock.now();
    if (now - (this.demanded.get(service) ?? -Infinity) < DEMAND_MS) return;
    this.demanded.set(service, now);
    const attached = [...offering].filter(({ channel }) => channel);
    // One node is enough; a node where it is on its way will do.
    if (attached.some((record) => ['activating', 'active'].includes(record.orchestration.machines.get(service)?.state ?? ''))) return;
    for (const record of attached) {
      const commands = record.orchestration.demand(service, now);
      if (commands.length === 0) continue;
      this.command(record, commands);
      this.sync(record);
      return;
    }
  }

  /** Whether a node offers to run a service when it is asked for. */
  offersOnDemand(service: string): boolean {
    for (const record of this.offering.get(service) ?? []) if (record.services.get(service)?.offer.mode === 'on-demand') return true;
    return false;
  }

  /** Services on demand that do not run and would be activated by first packets, as they are announced: each by its first node that could run it. */
  dormant(sid: SidInfo): ReadonlyMap<string, Instance> {
    const now = this.parts.clock.now();
    const found = new Map<string, Instance>();
    for (const [service, records] of this.offering) {
      for (const record of records) {
        const granted = record.services.get(service);
        if (!record.channel || !granted || !record.orchestration.couldRun(service, now)) continue;
        found.set(service, record.dormantInstance(granted, sid));
        break;
      }
    }
    return found;
  }

  /** An operator runs or stops a service. Throws Refusal when that cannot be. */
  setService(node: string, service: string, active: boolean): RegisteredServiceView {
    const record = this.nodes.get(node);
    if (!record) throw new Refusal('notFound', `no registered node ${node}`);
    if (!record.services.has(service)) throw new Refusal('notFound', `node ${node} offers no service ${service}`);
    if (!record.channel) throw new Refusal('unavailable', `node ${node} is not attached`);
    const { commands, refusal } = record.orchestration.set(service, active, this.parts.clock.now());
    if (refusal !== undefined) throw new Refusal('unavailable', refusal);
    this.command(record, commands);
    this.sync(record);
    return record.view(this.parts.clock.now()).services.find((view) => view.service === service)!;
  }

  private command(record: NodeRecord, commands: readonly ServiceCommand[]): void {
    for (const command of commands) {
      this.notice(record, command.active ? 'service.activate' : 'service.deactivate', 'info', `is asked to ${command.active ? 'activate' : 'deactivate'} ${command.service}: ${command.reason}`, 0);
      record.channel?.send({ command });
    }
  }

  /** Puts active services among the local instances and takes the others out. */
  private sync(record: NodeRecord): void {
    for (const granted of record.services.values()) {
      if (record.isActive(granted.offer.service)) {
        this.parts.instances.put(record.instanceConfig(granted, this.config.registration.healthCheck), record.facts(granted));
        this.refresh(record, granted);
      } else this.parts.instances.remove(granted.offer.service, granted.instance);
    }
    this.parts.onChange();
  }

  private refresh(record: NodeRecord, granted: GrantedService): void {
    if (!record.isActive(granted.offer.service)) return;
    this.parts.instances.update(
      { service: granted.offer.service, id: granted.instance },
      { computing: record.computingUnder(granted.load?.utilisation), load: granted.load, serviceDelay: granted.serviceDelay, health: undefined },
    );
  }

  /** Withdraws a service now; its SID goes when no packet can be under way any more. */
  private withdraw(record: NodeRecord, { offer, instance, sid }: GrantedService): void {
    this.parts.instances.remove(offer.service, instance);
    this.offering.get(offer.service)?.delete(record);
    if (this.offering.get(offer.service)?.size === 0) this.offering.delete(offer.service);
    this.lingering.get(sid)?.cancel();
    this.lingering.set(
      sid,
      this.parts.clock.setTimeout(() => {
        this.lingering.delete(sid);
        this.parts.sids.remove(sid);
      }, SID_LINGER_MS),
    );
  }

  private drop(record: NodeRecord, granted: GrantedService): void {
    record.services.delete(granted.offer.service);
    this.allocator.release(record.id, granted.offer.service);
    this.withdraw(record, granted);
  }

  private forget(record: NodeRecord, type: string, severity: Severity, text: string): void {
    for (const granted of [...record.services.values()]) this.drop(record, granted);
    for (const { address } of record.description.services) if (this.addresses.get(address) === record.id) this.addresses.delete(address);
    if (record.channel) this.channels.delete(record.channel);
    record.channel = undefined;
    this.nodes.delete(record.id);
    addTo(this.former, record.counters);
    this.notice(record, type, severity, text, 0);
    this.parts.onChange();
  }

  private tick(): void {
    const now = this.parts.clock.now();
    for (const record of [...this.nodes.values()]) {
      if (now > record.heardAt + record.leaseMs) {
        record.counters.leasesExpired++;
        record.channel?.close('unavailable', 'nothing was heard for the time of the lease');
        this.forget(record, 'node.expired', 'warning', `nothing was heard for ${record.leaseMs} ms: withdrawn`);
        continue;
      }
      const commands = record.channel ? record.orchestration.tick(now) : [];
      if (commands.length === 0) continue;
      this.command(record, commands);
      this.sync(record);
    }
  }

  private restore({ description, authenticated, services }: SavedNode): void {
    const policy = this.policyOf(description.node);
    const { registration } = this.config;
    if (!policy || this.nodes.has(description.node)) return;
    const judged = judgeDescription(description, policy.limits);
    if (!judged.ok) return;
    const now = this.parts.clock.now();
    const record = new NodeRecord(judged.value, authenticated, policy, registration, now);
    record.restored = true;
    record.leaseMs = registration.restartWaitMs;
    this.nodes.set(record.id, record);
    for (const saved of services) this.allocator.restore(record.id, saved.service, saved);
    this.grant(record, judged.value.services, false);
    const active = new Set(services.filter((saved) => saved.active).map(({ service }) => service));
    record.orchestration.offer(this.granted(record).map((offer) => ({ ...offer, active: active.has(offer.service) })), record.capacity, now);
    this.sync(record);
  }

  /** What is to be kept over a restart. */
  snapshot(): SavedNode[] {
    return [...this.nodes.values()].map((record) => ({
      description: record.description,
      authenticated: record.authenticated,
      services: [...record.services.values()].map(({ offer, instance, sid }) => ({ service: offer.service, instance, sid, active: record.isActive(offer.service) })),
    }));
  }

  /** Nodes by state; their counters together with those of former nodes and those that concern no known node. */
  totals(): { readonly nodes: Readonly<Record<RegisteredNodeView['state'], number>>; readonly counters: Readonly<Record<string, bigint>> } {
    const nodes = { attached: 0, lost: 0, restored: 0 };
    const counters: Record<string, bigint> = { ...this.counters, ...this.former };
    for (const record of this.nodes.values()) {
      nodes[record.state]++;
      addTo(counters, record.counters);
    }
    return { nodes, counters };
  }

  list(): RegisteredNodeView[] {
    const now = this.parts.clock.now();
    return [...this.nodes.values()].map((record) => record.view(now));
  }

  private noteLimited(record: NodeRecord, reasons: readonly string[]): void {
    for (const reason of reasons) {
      record.counters.limited++;
      if (this.notice(record, 'node.limited', 'warning', reason, NOTICE_MS)) record.channel?.send({ limited: { reason } });
    }
  }

  /** A node that was not let in; anybody can cause this, so the log hears of it seldom. */
  refusedNode(node: string, reason: string): void {
    this.counters.refusedNodes++;
    const now = this.parts.clock.now();
    if (now - this.refusalNoticedAt < NOTICE_MS / 10) return;
    this.refusalNoticedAt = now;
    this.parts.events.emit('awareness', 'node.refused', 'warning', `node ${node.replace(/[^\w.-]/g, '?').slice(0, 63)} is refused: ${reason}`, {});
  }

  private refusalNoticedAt = -Infinity;

  /** Emits an event about a node; false when the same kind was told within `everyMs`. */
  private notice(record: NodeRecord, type: string, severity: Severity, text: string, everyMs: number): boolean {
    const now = this.parts.clock.now();
    if (everyMs > 0 && now - (record.noticed.get(type) ?? -Infinity) < everyMs) return false;
    record.noticed.set(type, now);
    this.parts.events.emit('awareness', type, severity, `node ${record.id}: ${text}`, { node: record.id });
    return true;
  }
}

function addTo(sums: Record<string, bigint>, counters: object): void {
  for (const [name, value] of Object.entries(counters) as [string, bigint][]) sums[name] = (sums[name] ?? 0n) + value;
}
