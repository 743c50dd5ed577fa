/**
 * The steering: answers first packets with a policy id, keeps the policies true to the computing RIB and the paths, and moves the flows of
 * an instance that is gone. Everything happens synchronously within one call; it does no I/O but through the flow table.
 */
import { DEFERRED, NO_CANDIDATE, NO_SERVICE, POLICIES_PER_BLOCK, type FlowTable, type PuntedPacket } from '../../dataplane/dataplane.js';
import { FLOW_KEY_LENGTH, flowKeyAddress, flowKeyAddressText } from '../../dataplane/packet/flow-key.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import type { Clock, Timer } from '../clock.js';
import type { ServiceConfig, TransitPath } from '../config/types.js';
import type { Logger } from '../log.js';
import type { Candidate, PathState } from '../rib/candidate.js';
import { isUsable } from './feasibility.js';
import type { BlockPool } from './flow-spaces.js';
import type { ForecastConfig } from './load/forecast.js';
import { Member } from './member.js';
import { OctetTable } from './octet-table.js';
import { PinTable } from './pins.js';
import { PolicyManager, type PolicyBlock, type Share } from './policies.js';
import { RequestWindow } from './request-window.js';
import { decodeRequirementOption, NO_REQUIREMENTS, type Requirements } from './requirement-option.js';
import { mergeRequirements, requirementsOfDefaults } from './requirements.js';
import type { Assessment, DemandEstimator } from './selector.js';
import { AdoptedTarget, PreparedChoice, ServiceState } from './service-state.js';
import { Sliced } from './sliced.js';
import { DEFAULT_STRATEGY, type StrategyConfig } from './strategies/strategy.js';
import { chooseWay, describeWays, type ChosenWay } from './way-choice.js';

export interface SteeringConfig {
  readonly services: readonly ServiceConfig[];
  readonly flowIdleMs: number;
  /** Pinned flows the kernel holds; the daemon keeps twice as many pins. */
  readonly maxFlows: number;
  /** How long policies of an earlier run stay as they are while their candidates have not come back. */
  readonly restartTimeMs: number;
  readonly prediction: ForecastConfig;
}

export interface SteeringOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly rib: { candidates(service: string): readonly Candidate[] };
  readonly flows: FlowTable;
  readonly config: SteeringConfig;
  /** State of the way to an exit by these transit SIDs. */
  pathState(exit: string, transit: readonly string[]): PathState;
  /** Whether a transit SID resolves by a route that is not the default route; asked where segment lists begin with one. */
  sidResolves?(sid: string): boolean;
  /** Ways to an exit that a routing protocol found, in order of preference, for exits that the configuration lists none for; the same list until it changes. */
  discoveredWays?(exit: string): readonly TransitPath[] | undefined;
  /** What demand models say of tasks whose workload or data size is known. */
  readonly estimateDemand?: DemandEstimator;
  /** Called with the service of a first packet that found no candidate. */
  onDemand?(service: string): void;
  /** Numbers of policy blocks, where several steerings share one dataplane. */
  readonly blocks?: BlockPool;
  /** Random 32 bits: clients must not be able to choose hash collisions. */
  readonly seed: number;
}

export interface SteeringCounters {
  /** First packets by outcome. */
  steered: number;
  /** Packets of flows that were pinned already: several were punted at once, or the kernel evicted the flow. */
  repeated: number;
  noService: number;
  noCandidate: number;
  malformedOption: number;
  /** Flows steered without a pin, because the table of pins is full. */
  unpinned: number;
  /** Flows that followed their client's earlier choice. */
  sticky: number;
  /** Policy ids and flows that were moved from an instance that was gone. */
  movedPolicies: number;
  movedFlows: number;
}

export interface MoveReport {
  readonly services: number;
  /** Policies written. */
  readonly writes: number;
  readonly movedPolicies: number;
  readonly movedFlows: number;
}

const SWEEP_MS = 1000;
/** Between two parts of a table that is looked through for what has expired, ms. */
const EXPIRY_PAUSE_MS = 5;
/** When the table of pins is half full, a pin that the kernel does not hold goes after this time instead of the idle time, ms. */
const PRESSED_EXPIRY_MS = 30_000;
/** RFC 8201 section 4: a larger path MTU is tried again after ten minutes. */
const MTU_AGE_MS = 600_000;
const MAX_OPTION_SETS = 4096;
const SERVICE_OFFSET = 16;
const STICKY_MODE_CLIENT = 2;

/** What the configuration says of a service. */
interface ServiceSettings {
  readonly defaults: Requirements;
  readonly via: ServiceConfig['via'];
  readonly configured: boolean;
  readonly strategy: StrategyConfig;
}

const NO_SETTINGS: ServiceSettings = { defaults: NO_REQUIREMENTS, via: {}, configured: false, strategy: DEFAULT_STRATEGY };

/** A pass of the dataplane over all flows. */
interface FlowPass {
  readonly begunAt: number;
  /** Blocks that had no use when it began, have had none since, and that no flow seen is on. */
  readonly unused: Map<PolicyBlock, ServiceState>;
}

export class Steering {
  readonly policies: PolicyManager;
  readonly pins: PinTable;
  readonly counters: SteeringCounters = { steered: 0, repeated: 0, noService: 0, noCandidate: 0, malformedOption: 0, unpinned: 0, sticky: 0, movedPolicies: 0, movedFlows: 0 };
  private config: SteeringConfig;
  /** By service, or `default`. */
  private readonly settings = new Map<string, ServiceSettings>();
  private readonly services = new Map<string, ServiceState>();
  /** Service address as in a flow key, 16 octets -> index of its state. */
  private readonly serviceTable: OctetTable;
  private readonly states: (ServiceState | undefined)[] = [];
  private readonly freeIndexes: number[] = [];
  private readonly byExit = new Map<string, Set<ServiceState>>();
  /** (client, service), 32 octets -> block of the instance its flows go to. */
  private readonly sticky: OctetTable;
  private readonly window = new RequestWindow();
  /** Decoded options by their data. */
  private readonly options = new Map<string, Requirements>();
  private optionSetCount = 0;
  /** Exits that lost an instance in this change, for the log. */
  private readonly lostExits = new Set<string>();
  private adopting = false;
  private adoptionTimer: Timer | undefined;
  private sweepTimer: Timer | undefined;
  /** Blocks that no member uses for new flows. */
  private readonly retired = new Map<PolicyBlock, ServiceState>();
  private pass: FlowPass | undefined;
  private readonly pinExpiry: Sliced;
  private readonly stickyExpiry: Sliced;

  constructor(private readonly parts: SteeringOptions) {
    this.config = parts.config;
    this.policies = new PolicyManager(parts.flows, parts.blocks);
    this.pins = new PinTable(2 * parts.config.maxFlows, parts.seed);
    this.serviceTable = new OctetTable(16, 1 << 24, parts.seed);
    this.sticky = new OctetTable(32, parts.config.maxFlows, parts.seed);
    this.pinExpiry = new Sliced(parts.clock, EXPIRY_PAUSE_MS);
    this.stickyExpiry = new Sliced(parts.clock, EXPIRY_PAUSE_MS);
    this.configure(parts.config);
  }

  /** Adopts what an earlier run left in the dataplane and begins to answer first packets. */
  start(): void {
    const { flows, clock } = this.parts;
    this.adopt();
    flows.onPunt((packet) => this.steer(packet), { windowMs: () => this.window.windowMs, decide: () => this.decideWindow() });
    flows.onExpired((keys) => this.onExpired(keys));
    flows.onPathMtu((policies, mtu) => this.onPathMtu(policies, mtu));
    flows.onPass({ begun: () => this.passBegun(), seen: (keys, policies, count) => this.passSeen(keys, policies, count), ended: () => this.passEnded() });
    const sweep = (): void => {
      this.sweep();
      this.sweepTimer = clock.setTimeout(sweep, SWEEP_MS);
    };
    this.sweepTimer = clock.setTimeout(sweep, SWEEP_MS);
  }

  /** Stops its timers; what stands in the dataplane stays. */
  stop(): void {
    this.sweepTimer?.cancel();
    this.pinExpiry.stop();
    this.stickyExpiry.stop();
    this.adoptionTimer?.cancel();
  }

  /** Takes over changed services, defaults and times. */
  reconfigure(config: SteeringConfig): void {
    this.configure(config);
    for (const state of [...this.services.values()]) this.reconcile(state);
    this.policies.commit();
  }

  // ----- first packets

  /** Policy id of a punted packet, NO_SERVICE or NO_CANDIDATE; the flow is pinned with the answer. DEFERRED: it waits for the end of its window. */
  steer(packet: PuntedPacket): number {
    const { key, requirement } = packet;
    const now = this.parts.clock.now();
    const expiry = now + (this.pins.fill > 0.5 ? Math.min(PRESSED_EXPIRY_MS, this.config.flowIdleMs) : this.config.flowIdleMs);
    const hash = this.pins.load(key);
    const pinned = this.pins.find(hash, expiry);
    if (pinned >= 0) {
      if (this.policies.targetOf(pinned)) {
        if (packet.held !== true) this.counters.repeated++;
        return pinned;
      }
      this.counters.noCandidate++;
      return NO_CANDIDATE;
    }
    const slot = this.serviceTable.find(this.serviceTable.load(key, SERVICE_OFFSET));
    const state = slot < 0 ? undefined : this.states[this.serviceTable.value(slot)];
    if (!state) {
      this.counters.noService++;
      this.parts.onDemand?.(flowKeyAddressText(key, SERVICE_OFFSET));
      return NO_SERVICE;
    }
    const stated = requirement === undefined ? undefined : this.decode(requirement);
    const set = stated === undefined ? this.defaultSet(state, now) : this.optionSet(state, requirement!, stated, now);
    if (set.isEmpty) {
      this.counters.noCandidate++;
      this.parts.onDemand?.(state.service);
      return NO_CANDIDATE;
    }
    const stickiness = stated?.stickiness ?? state.defaults.stickiness;
    const isSticky = stickiness?.mode === STICKY_MODE_CLIENT;
    if (set.windowMs !== undefined && !isSticky && packet.held !== true) {
      this.window.note(state, set, key, octetText(key), set.windowMs);
      return DEFERRED;
    }
    const member = isSticky ? this.stickyChoice(key, state, set, hash, now, stickiness.seconds) : set.choose(hash);
    const policy = policyFor(member, hash);
    if (!this.pins.add(hash, policy, now, expiry)) this.counters.unpinned++;
    this.placed(state, member, now);
    return policy;
  }

  private placed(state: ServiceState, member: Member, now: number): void {
    member.account();
    state.arrivals.arrived(now);
    this.counters.steered++;
  }

  /** Pins the flows that waited; a flow without a pin is answered by itself when it is asked about again. */
  private decideWindow(): void {
    const now = this.parts.clock.now();
    this.window.decide((state, key, member) => {
      const hash = this.pins.load(key);
      if (this.pins.find(hash, now + this.config.flowIdleMs) >= 0) return;
      if (this.pins.add(hash, policyFor(member, hash), now, now + this.config.flowIdleMs)) this.placed(state, member, now);
    });
  }

  private defaultSet(state: ServiceState, now: number): PreparedChoice {
    const set = state.defaultSet;
    if (set && !set.isDue(now)) return set;
    return (state.defaultSet = this.prepare(state, state.defaults, now));
  }

  private optionSet(state: ServiceState, data: Uint8Array, stated: Requirements, now: number): PreparedChoice {
    const text = octetText(data);
    const known = state.optionSets?.get(text);
    if (known && !known.isDue(now)) return known;
    if (!known && ++this.optionSetCount > MAX_OPTION_SETS) {
      for (const other of this.services.values()) other.optionSets = undefined;
      this.optionSetCount = 1;
    }
    const set = this.prepare(state, mergeRequirements(stated, state.defaults), now);
    (state.optionSets ??= new Map()).set(text, set);
    return set;
  }

  private prepare(state: ServiceState, requirements: Requirements, now: number): PreparedChoice {
    return new PreparedChoice(this.assess(state, requirements, now), state.strategy, state.arrivals.perSecond(now), now);
  }

  /** Assesses the candidates of a service with what is measured of their ways now; `explain`: with the reasons. */
  assess(state: ServiceState, requirements: Requirements, nowMs: number, explain = false): Assessment<Member>[] {
    for (const member of state.members) member.path = this.parts.pathState(member.exit, member.transit);
    const assessments = state.assess(requirements, nowMs, explain);
    return explain ? assessments.map((one) => this.withWays(one, state)) : assessments;
  }

  private withWays(assessment: Assessment<Member>, state: ServiceState): Assessment<Member> {
    const { exit, transit } = assessment.input;
    const text = describeWays(this.waysOf(exit, state), transit, (way) => this.look(exit, way));
    return text === undefined ? assessment : { ...assessment, reasons: [...assessment.reasons, { code: 'way', ok: true, text }] };
  }

  /** What the option asks for; undefined: nothing of ours, or malformed, so that the defaults hold. */
  private decode(data: Uint8Array): Requirements | undefined {
    const text = octetText(data);
    const known = this.options.get(text);
    if (known) return known;
    const option = decodeRequirementOption(data);
    if (option.kind === 'malformed') this.counters.malformedOption++;
    if (option.kind !== 'requirements') return undefined;
    if (this.options.size >= MAX_OPTION_SETS) this.options.clear();
    this.options.set(text, option.requirements);
    return option.requirements;
  }

  private stickyChoice(key: Uint8Array, state: ServiceState, set: PreparedChoice, hash: number, now: number, seconds: number): Member {
    const clientHash = this.sticky.load(key);
    const slot = this.sticky.find(clientHash);
    const earlier = this.earlierChoice(slot, state, set, now);
    if (earlier) {
      this.sticky.setExpiry(slot, now + seconds * 1000);
      this.counters.sticky++;
      return earlier;
    }
    const member = set.choose(hash);
    if (slot >= 0) {
      this.sticky.setValue(slot, member.block!.number);
      this.sticky.setExpiry(slot, now + seconds * 1000);
    } else {
      this.sticky.insert(clientHash, member.block!.number, now, now + seconds * 1000);
    }
    return member;
  }

  /** The member that a slot of the stickiness table names, while it may still serve. */
  private earlierChoice(slot: number, state: ServiceState, set: PreparedChoice, now: number): Member | undefined {
    if (slot < 0 || this.sticky.expiryMs(slot) <= now) return undefined;
    const block = this.policies.block(this.sticky.value(slot));
    const member = block && state.blocks.has(block) ? state.memberOf(block.owner) : undefined;
    return member && member.block === block && set.isFeasible(member) ? member : undefined;
  }

  // ----- what changes

  /** Candidates of these services changed. */
  onRibChange(services: Iterable<string>): MoveReport {
    return this.moving(() => {
      let count = 0;
      for (const service of services) {
        this.sync(service);
        count++;
      }
      return count;
    });
  }

  /** The ways to these exits changed: alive, resolved, MTU, or what was measured. */
  onPathChange(exits: Iterable<string>): MoveReport {
    return this.moving(() => {
      let count = 0;
      for (const exit of exits) {
        for (const state of this.byExit.get(exit) ?? []) {
          count++;
          // What was measured only changes choices: with thousands of services behind an exit nothing else may be gone through.
          if (this.movesMembers(state, exit)) this.reconcile(state);
          else state.invalidate();
        }
      }
      return count;
    });
  }

  /** Whether the state of the way to an exit makes its members other than they are. */
  private movesMembers(state: ServiceState, exit: string): boolean {
    const { transit, path, resolves } = this.wayTo(exit, state);
    for (const member of state.members) {
      if (member.exit !== exit) continue;
      if (transit !== member.transit || resolves !== member.firstSidResolves || mtuOf(member, path) !== member.mtu) return true;
      if ((member.present && isUsable(member.candidate, path, resolves)) !== member.usable) return true;
    }
    return false;
  }

  /** Flows the kernel removed because they were idle. */
  onExpired(keys: readonly Uint8Array[]): void {
    for (const key of keys) this.pins.remove(key);
  }

  private onPathMtu(policies: readonly number[], mtu: number): void {
    const touched = new Set<ServiceState>();
    const now = this.parts.clock.now();
    for (const policy of policies) {
      this.policies.noteMtu(policy, mtu);
      const target = this.policies.targetOf(policy);
      if (!(target instanceof Member)) continue;
      target.learnedMtu = target.learnedMtu === 0 ? mtu : Math.min(mtu, target.learnedMtu);
      target.learnedMtuAt = now;
      const state = this.services.get(target.service);
      if (state) touched.add(state);
    }
    for (const state of touched) this.reconcile(state);
    this.policies.commit();
  }

  private moving(work: () => number): MoveReport {
    const { movedPolicies, movedFlows } = this.counters;
    this.lostExits.clear();
    const services = work();
    const writes = this.policies.commit();
    const report = { services, writes, movedPolicies: this.counters.movedPolicies - movedPolicies, movedFlows: this.counters.movedFlows - movedFlows };
    if (report.movedPolicies > 0) this.parts.log.info('policies moved to other instances', { ...report, exits: [...this.lostExits] });
    return report;
  }

  private sync(service: string): void {
    const candidates = this.parts.rib.candidates(service);
    let state = this.services.get(service);
    if (!state) {
      if (candidates.length === 0) return;
      state = this.addService(service);
    }
    for (const member of state.members) member.present = false;
    for (const candidate of candidates) {
      const known = state.member(candidate.exit, candidate.instance.id);
      if (known) {
        known.update(candidate);
        continue;
      }
      state.members.push(new Member(candidate, this.wayTo(candidate.exit, state).path, this.config.prediction));
      let states = this.byExit.get(candidate.exit);
      if (!states) {
        states = new Set();
        this.byExit.set(candidate.exit, states);
      }
      states.add(state);
    }
    this.reconcile(state);
  }

  /** Makes members, blocks and policies of a service what candidates and paths say. */
  private reconcile(state: ServiceState): void {
    state.invalidate();
    for (const member of state.members) this.refresh(member, state);
    if (this.adopting) claimAdopted(state);
    this.repair(state);
    for (const member of state.members) if (member.usable && !member.block) this.giveBlock(state, member);
    this.dropMembers(state);
    if (state.members.length === 0 && state.blocks.size === 0 && !state.configured) this.removeService(state);
  }

  private refresh(member: Member, state: ServiceState): void {
    const { candidate } = member;
    const { transit, path, resolves } = this.wayTo(member.exit, state);
    member.path = path;
    member.transit = transit;
    const sid = candidate.instance.sid?.sid;
    const segments = sid === undefined ? [] : [...transit, sid];
    if (segments.length !== member.segments.length || segments.some((segment, i) => segment !== member.segments[i])) member.segments = segments;
    member.firstSidResolves = resolves;
    if (member.learnedMtu > 0 && this.parts.clock.now() - member.learnedMtuAt >= MTU_AGE_MS) member.learnedMtu = 0;
    member.mtu = mtuOf(member, path);
    const wasUsable = member.usable;
    member.usable = member.present && isUsable(candidate, path, member.firstSidResolves);
    if (member.usable) return;
    if (member.block) this.retired.set(member.block, state);
    member.block = undefined;
    if (wasUsable) this.lostExits.add(member.exit);
  }

  private wayTo(exit: string, state: ServiceState): ChosenWay {
    return chooseWay(this.waysOf(exit, state), (transit) => this.look(exit, transit));
  }

  private waysOf(exit: string, state: ServiceState): readonly TransitPath[] | undefined {
    return state.via[exit] ?? this.parts.discoveredWays?.(exit);
  }

  private look(exit: string, transit: readonly string[]): Omit<ChosenWay, 'transit'> {
    const path = this.parts.pathState(exit, transit);
    const first = transit[0];
    return { path, resolves: first !== undefined && this.parts.sidResolves ? this.parts.sidResolves(first) : path.resolved };
  }

  /** Points ids whose instance is gone at the others. */
  private repair(state: ServiceState): void {
    let shares: Share[] | undefined;
    for (const block of state.blocks) {
      const needsShares = block.targets.some((target) => !target?.usable);
      if (needsShares && !shares) {
        shares = state
          .assess(state.defaults, this.parts.clock.now())
          .filter(({ input, spreadWeight }) => input.usable && spreadWeight > 0)
          .map(({ input, spreadWeight }) => ({ target: input, weight: spreadWeight }));
      }
      for (const index of this.policies.repair(block, shares ?? [], state.memberOf(block.owner))) {
        this.counters.movedPolicies++;
        this.counters.movedFlows += this.pins.count(block.number * POLICIES_PER_BLOCK + index);
      }
    }
  }

  /** The block for new flows of a member: its own of earlier when no other instance's flows are on it, else a fresh one. */
  private giveBlock(state: ServiceState, member: Member): void {
    for (const block of state.blocks) {
      if (block.owner.exit !== member.exit || block.owner.instance !== member.instance) continue;
      const whole = block.targets.every((target) => target === member);
      if (!whole && this.pins.countRange(block.number * POLICIES_PER_BLOCK, POLICIES_PER_BLOCK) > 0) continue;
      for (let i = 0; i < POLICIES_PER_BLOCK; i++) this.policies.point(block, i, member);
      member.block = block;
      this.retired.delete(block);
      this.pass?.unused.delete(block);
      return;
    }
    const owner = { service: state.service, exit: member.exit, instance: member.instance };
    member.block = this.policies.allocate(owner, member);
    if (member.block) state.blocks.add(member.block);
    else this.parts.log.error('no block of policy ids left: the instance gets no flows', owner);
  }

  /** Forgets members that are gone and that no policy leads to. */
  private dropMembers(state: ServiceState): void {
    for (let i = state.members.length - 1; i >= 0; i--) {
      const member = state.members[i]!;
      if (member.present) continue;
      state.members.splice(i, 1);
      if (state.members.some(({ exit }) => exit === member.exit)) continue;
      const states = this.byExit.get(member.exit);
      states?.delete(state);
      if (states?.size === 0) this.byExit.delete(member.exit);
    }
  }

  // ----- services

  private configure(config: SteeringConfig): void {
    this.config = config;
    this.settings.clear();
    for (const { id, requirements, via, strategy } of config.services) this.settings.set(id, { defaults: requirementsOfDefaults(requirements), via, configured: id !== 'default', strategy });
    for (const state of this.services.values()) {
      const { defaults, via, configured, strategy } = this.settingsOf(state.service);
      Object.assign(state, { defaults, via, configured });
      state.setStrategy(strategy);
      for (const member of state.members) member.setForecasting(config.prediction);
    }
    for (const { id } of config.services) if (id !== 'default' && !this.services.has(id)) this.addService(id);
  }

  private settingsOf(service: string): ServiceSettings {
    const own = this.settings.get(service);
    if (own) return own;
    return { ...(this.settings.get('default') ?? NO_SETTINGS), configured: false };
  }

  private addService(service: string): ServiceState {
    const bytes = flowKeyAddress(service);
    const index = this.freeIndexes.pop() ?? this.states.length;
    const { defaults, via, configured, strategy } = this.settingsOf(service);
    const state = new ServiceState(service, index, defaults, via, configured, strategy, this.parts.estimateDemand);
    this.states[index] = state;
    this.services.set(service, state);
    this.serviceTable.insert(this.serviceTable.load(bytes), index, 0, 0);
    return state;
  }

  private removeService(state: ServiceState): void {
    const slot = this.serviceTable.find(this.serviceTable.load(flowKeyAddress(state.service)));
    if (slot >= 0) this.serviceTable.remove(slot);
    this.states[state.index] = undefined;
    this.freeIndexes.push(state.index);
    this.services.delete(state.service);
  }

  // ----- restart

  /** Takes over blocks and pins of an earlier run. Their policies stay as they are until candidates are back or the restart time is over. */
  private adopt(): void {
    const { flows, clock, log } = this.parts;
    const blocks = flows.adoptedBlocks();
    for (const { block: number, owner } of blocks) {
      if (!parseIp(owner.service)) continue;
      const state = this.services.get(owner.service) ?? this.addService(owner.service);
      const make = (segments: readonly string[], mtu: number): AdoptedTarget => new AdoptedTarget(owner.exit, owner.instance, segments, mtu);
      const block = this.policies.adopt(number, owner, make);
      state.blocks.add(block);
      this.retired.set(block, state);
    }
    const now = clock.now();
    const orphans: Uint8Array[] = [];
    // In one go: neither sessions nor probes are there yet that could be late, and counts of flows must be whole before the first candidate comes.
    for (const batch of flows.scanFlows()) {
      for (const { key, policy } of batch) {
        const hash = this.pins.load(key);
        if (!this.policies.blockOf(policy)) orphans.push(Uint8Array.from(key));
        else if (this.pins.find(hash, now + this.config.flowIdleMs) < 0) this.pins.add(hash, policy, now, now + this.config.flowIdleMs);
      }
    }
    // Nobody knows what their policy stands for: their next packet is a first packet.
    if (orphans.length > 0) flows.deleteFlows(orphans);
    if (blocks.length === 0) return;
    this.adopting = true;
    log.info('adopted what an earlier run left', { blocks: blocks.length, flows: this.pins.size, forgotten: orphans.length });
    this.adoptionTimer = clock.setTimeout(() => this.endAdoption(), this.config.restartTimeMs);
  }

  private endAdoption(): void {
    this.moving(() => {
      this.adopting = false;
      let touched = 0;
      for (const state of [...this.services.values()]) {
        let left = false;
        for (const block of state.blocks) {
          for (const target of block.targets) {
            if (!(target instanceof AdoptedTarget)) continue;
            target.usable = false;
            left = true;
          }
        }
        if (!left) continue;
        touched++;
        this.reconcile(state);
      }
      return touched;
    });
  }

  // ----- upkeep

  /** Ends stickiness and learned MTUs that are over. */
  private sweep(): void {
    const now = this.parts.clock.now();
    this.stickyExpiry.begin(() => this.sticky.removeWhere((slot) => this.sticky.expiryMs(slot) <= now));
    this.ageLearnedMtu(now);
  }

  // A pass over the kernel's flows gives back what nobody uses: pins of flows the kernel no longer has, blocks without flows. The kernel has the last word: its
  // LRU tells nobody whom it evicted, and flows may be there that had no room here.

  private passBegun(): void {
    const unused = new Map<PolicyBlock, ServiceState>();
    if (!this.adopting) {
      for (const [block, state] of this.retired) if (this.pins.countRange(block.number * POLICIES_PER_BLOCK, POLICIES_PER_BLOCK) === 0) unused.set(block, state);
    }
    this.pass = { begunAt: this.parts.clock.now(), unused };
  }

  private passSeen(keys: Uint8Array, policies: Uint32Array, count: number): void {
    const expiry = this.parts.clock.now() + this.config.flowIdleMs;
    const unused = this.pass?.unused;
    for (let i = 0; i < count; i++) {
      this.pins.renew(keys, i * FLOW_KEY_LENGTH, expiry);
      if (!unused?.size) continue;
      const block = this.policies.blockOf(policies[i]!);
      if (block) unused.delete(block);
    }
  }

  private passEnded(): void {
    const { pass } = this;
    if (!pass) return;
    this.pass = undefined;
    // A flow that is there was seen, and one pinned since the pass began has a later expiry.
    this.pinExpiry.begin(() => this.pins.removeExpired(pass.begunAt));
    // No flow came onto these blocks during the pass either: only giveBlock() makes new flows take a block.
    for (const [block, state] of pass.unused) {
      this.retired.delete(block);
      state.blocks.delete(block);
      this.policies.release(block);
      if (state.members.length === 0 && state.blocks.size === 0 && !state.configured) this.removeService(state);
    }
    this.policies.commit();
  }

  private ageLearnedMtu(now: number): void {
    let changed = false;
    for (const state of this.services.values()) {
      if (!state.members.some((member) => member.learnedMtu > 0 && now - member.learnedMtuAt >= MTU_AGE_MS)) continue;
      this.reconcile(state);
      changed = true;
    }
    if (changed) this.policies.commit();
  }

  // ----- queries

  /** Services with a candidate, a pinned flow or an entry in the configuration. */
  serviceStates(): IterableIterator<ServiceState> {
    return this.services.values();
  }

  serviceState(service: string): ServiceState | undefined {
    return this.services.get(service);
  }

  /** Effective requirements of a flow to a service that states these. */
  effectiveRequirements(service: string, stated: Requirements = NO_REQUIREMENTS): Requirements {
    return mergeRequirements(stated, this.services.get(service)?.defaults ?? this.settingsOf(service).defaults);
  }

  /** The strategy of a service and, of the adaptive one, what it picks and why. */
  strategyWords(state: ServiceState, requirements: Requirements): string {
    return this.prepare(state, requirements, this.parts.clock.now()).words ?? state.strategy.config.name;
  }

  /**
   * What a first packet would get now, without pinning it: the way of steer(). `from` is the client's address; without it the best
   * candidate is named.
   */
  preview(state: ServiceState, requirements: Requirements, from: string | undefined): Member | undefined {
    const now = this.parts.clock.now();
    const set = this.prepare(state, requirements, now);
    if (set.isEmpty) return undefined;
    const source = from === undefined ? undefined : parseIp(from);
    if (source?.length !== parseIp(state.service)!.length) return state.assess(requirements, now).filter(({ input, weight }) => weight > 0 && input.block).sort((a, b) => a.score! - b.score! || b.weight - a.weight)[0]?.input;
    const key = new Uint8Array(FLOW_KEY_LENGTH);
    key.set(flowKeyAddress(from!));
    key.set(flowKeyAddress(state.service), SERVICE_OFFSET);
    const sticky = requirements.stickiness?.mode === STICKY_MODE_CLIENT ? this.earlierChoice(this.sticky.find(this.sticky.load(key)), state, set, now) : undefined;
    return sticky ?? set.preview(this.pins.load(key));
  }

  /**
   * Forgets pinned flows; their next packet is a first packet again, and is not forgotten once more: flows pinned after `nowNs` (the clock of their stamps) stay.
   * Some flows each time that the next is asked for, which gives how many.
   */
  *clearFlows(matches: (key: Uint8Array, policy: number) => boolean, nowNs: bigint): Generator<number, void> {
    for (const batch of this.parts.flows.scanFlows()) {
      const keys: Uint8Array[] = [];
      for (const { key, policy, createdNs } of batch) if (createdNs <= nowNs && matches(key, policy)) keys.push(Uint8Array.from(key));
      if (keys.length > 0) this.parts.flows.deleteFlows(keys);
      for (const key of keys) this.pins.remove(key);
      yield keys.length;
    }
  }
}

const mtuOf = (member: Member, path: PathState): number => (member.learnedMtu > 0 ? Math.min(member.learnedMtu, path.mtu) : path.mtu);

const policyFor = (member: Member, hash: number): number => member.block!.number * POLICIES_PER_BLOCK + (hash & (POLICIES_PER_BLOCK - 1));

/** Octets as a text fit for `Map`. */
function octetText(data: Uint8Array): string {
  let text = '';
  for (let i = 0; i < data.length; i++) text += String.fromCharCode(data[i]!);
  return text;
}

/** Adopted policies whose instance is a candidate again lead to it; a block that is whole again serves its owner's new flows. */
function claimAdopted(state: ServiceState): void {
  const bySid = new Map<string, Member>();
  for (const member of state.members) if (member.usable) bySid.set(member.segments.at(-1)!, member);
  for (const block of state.blocks) {
    for (let i = 0; i < block.targets.length; i++) {
      const target = block.targets[i];
      if (target instanceof AdoptedTarget) block.targets[i] = bySid.get(target.segments.at(-1)!) ?? target;
    }
  }
}
