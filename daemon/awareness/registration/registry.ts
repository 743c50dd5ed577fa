/**
 * The computing nodes that registered with this router (survey section 5.1): takes their registrations, grants instance numbers and SIDs, hands active services
 * to the local instances (which damp and announce), keeps leases, and decides which services run. Pure: streams, kernel and disk are behind interfaces.
 */
import { canonicalIp } from '../../../dataplane/packet/ip.js';
import type { Timer } from '../../clock.js';
import { chipFault } from '../../computing/model/chips.js';
import { nodeStateOf } from '../../computing/model/node-state.js';
import { refused } from '../../computing/model/result.js';
import type { RegistrationNodeConfig } from '../../config/registration.js';
import type { Severity } from '../../events.js';
import { Refusal } from '../../refusal.js';
import { labelledRun, type FlatRun } from '../demand/run-view.js';
import { Activation } from './activation.js';
import { modelledComputing, NodePeaks, type ModelledComputing } from './capacity.js';
import { ServiceGrants } from './grants.js';
import { mergeUpdates } from './merge.js';
import { NodeRecord, type NodeChannel, type NodeIdentity } from './node.js';
import { NodeNotices, NOTICE_MS } from './notices.js';
import type { RegistryConfig, RegistryParts, SavedNode } from './parts.js';
import { judgeDescription, judgeUpdate } from './plausibility.js';
import type { NodeDescription, NodeUpdate, RegisteredNodeView, RegisteredServiceView, ServiceCommand, ServiceGrant, ServiceOffer } from './types.js';

const TICK_MS = 500;
const CLOCK_JUMP_MS = 5000;
const NOTHING_MODELLED: ModelledComputing = { computing: [], limited: [] };

const REPORT = ['computing', 'memory', 'storage', 'interfaces', 'load'];

export class NodeRegistry {
  readonly counters = { refusedNodes: 0n, replacedStreams: 0n };
  /** Counters of nodes that are forgotten. */
  private readonly former: Record<string, bigint> = {};
  private readonly nodes = new Map<string, NodeRecord>();
  private readonly channels = new Map<NodeChannel, NodeRecord>();
  readonly activation: Activation;
  private readonly grants: ServiceGrants;
  private readonly notices: NodeNotices;
  private timer: Timer | undefined;

  constructor(
    private config: RegistryConfig,
    private readonly parts: RegistryParts,
  ) {
    this.notices = new NodeNotices(parts.clock, parts.events);
    this.grants = new ServiceGrants(config, parts, this.notices);
    this.activation = new Activation(parts, this.grants, this.notices, () => this.config.registration.healthCheck);
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
    this.grants.stop();
    for (const channel of [...this.channels.keys()]) channel.close('unavailable', 'the router stops');
    this.channels.clear();
  }

  /** To be called before the local instances take the same configuration: numbers that it gives to others are freed here. */
  configure(config: RegistryConfig): void {
    this.config = config;
    this.grants.configure(config);
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
      this.grant(record, record.description.services);
      this.activation.sync(record);
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
    this.notices.limited(record, [...model.limited, ...judged.limited]);
    const services = this.grant(record, judged.value.services);
    this.notices.notice(record, known ? 'node.resumed' : 'node.registered', 'info', known ? 'is back' : 'registered', 0);
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
    this.activation.command(record, record.orchestration.offer(offersOf(record), record.capacity, now));
    this.activation.sync(record);
    return record;
  }

  private grant(record: NodeRecord, offers: readonly ServiceOffer[]): ServiceGrant[] {
    const grants = this.grants.grant(record, offers);
    this.parts.onChange();
    return grants;
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
      this.notices.notice(record, 'node.flood', 'warning', `its stream is ended: ${reason}`, NOTICE_MS);
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
      this.notices.notice(record, 'node.run-refused', 'warning', `an observed run is refused: ${added.reason}`, NOTICE_MS);
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
      if (this.notices.notice(record, 'node.update-refused', 'warning', `an update is refused: ${judged.reason}`, NOTICE_MS)) record.channel?.send({ limited: { reason: judged.reason } });
      return;
    }
    this.notices.limited(record, judged.limited);
    const update = judged.value;
    const offset = update.unixMs - clock.unixMs();
    if (Math.abs(offset - record.clockOffsetMs) > CLOCK_JUMP_MS) {
      record.counters.clockJumps++;
      this.notices.notice(record, 'node.clock-jump', 'warning', `its clock jumped by ${Math.round(offset - record.clockOffsetMs)} ms; times are taken from this router's clock`, NOTICE_MS);
    }
    record.clockOffsetMs = offset;
    const factsChanged = record.merge(update);
    if (update.measured.length > 0) this.notices.limited(record, record.remodel(update.measured, now, this.config.coefficients ?? {}));
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
      this.notices.notice(record, `service.${report.state}`, report.state === 'failed' ? 'warning' : 'info', `service ${report.service} is ${report.state}${report.reason ? `: ${report.reason}` : ''}`, 0);
    }
    this.takeRuns(record, update.runs ?? []);
    this.activation.command(record, commands);
    if (statesChanged || commands.length > 0 || factsChanged) this.activation.sync(record);
    else for (const granted of record.services.values()) if (update.computing.length > 0 || touched.has(granted.offer.service)) this.activation.refresh(record, granted);
  }

  /** The stream of a node ended without a log-out: its lease runs on. */
  detached(channel: NodeChannel): void {
    const record = this.channels.get(channel);
    if (!record) return;
    this.channels.delete(channel);
    record.channel = undefined;
    this.notices.notice(record, 'node.lost', 'warning', `its stream ended; the lease runs for another ${Math.round(Math.max(0, record.heardAt + record.leaseMs - this.parts.clock.now()))} ms`, 0);
  }

  /** Step 5. */
  logOut(channel: NodeChannel, reason: string): void {
    const record = this.channels.get(channel);
    if (record) this.forget(record, 'node.logged-out', 'info', `logged out${reason === '' ? '' : `: ${reason.replace(/[^\x20-\x7e]/g, ' ').slice(0, 256)}`}`);
  }

  /** An operator runs or stops a service. Throws Refusal when that cannot be. */
  setService(node: string, service: string, active: boolean): RegisteredServiceView {
    const record = this.nodes.get(node);
    if (!record) throw new Refusal('notFound', `no registered node ${node}`);
    this.activation.set(record, service, active);
    return record.view(this.parts.clock.now()).services.find((view) => view.service === service)!;
  }

  private forget(record: NodeRecord, type: string, severity: Severity, text: string): void {
    this.grants.forget(record);
    if (record.channel) this.channels.delete(record.channel);
    record.channel = undefined;
    this.nodes.delete(record.id);
    addTo(this.former, record.counters);
    this.notices.notice(record, type, severity, text, 0);
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
      this.activation.command(record, commands);
      this.activation.sync(record);
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
    this.grants.restore(record, services);
    this.grant(record, judged.value.services);
    const active = new Set(services.filter((saved) => saved.active).map(({ service }) => service));
    record.orchestration.offer(offersOf(record).map((offer) => ({ ...offer, active: active.has(offer.service) })), record.capacity, now);
    this.activation.sync(record);
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

  /** A node that was not let in. */
  refusedNode(node: string, reason: string): void {
    this.counters.refusedNodes++;
    this.notices.refused(node, reason);
  }
}

const offersOf = (record: NodeRecord): ServiceOffer[] => [...record.services.values()].map(({ offer }) => offer);

function addTo(sums: Record<string, bigint>, counters: object): void {
  for (const [name, value] of Object.entries(counters) as [string, bigint][]) sums[name] = (sums[name] ?? 0n) + value;
}
