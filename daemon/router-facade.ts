/** The router as the northbound API sees it: views over the parts, in the shapes of northbound/facade.ts. */
import { readFileSync } from 'node:fs';
import { setImmediate as otherWork } from 'node:timers/promises';
import { Prefix } from '../dataplane/packet/ip.js';
import { FLOW_SPACES, type Dataplane, type FlowSpace } from '../dataplane/dataplane.js';
import { SMOOTHING } from './awareness/stamp/statistics.js';
import { BEHAVIOUR_NAMES } from './behaviours.js';
import type { NeighborView, RouteView as BgpRouteSource } from './bgp/views.js';
import { decodeCpnBlock } from './computing/block.js';
import { CATS_SOURCE_NAMES, CATS_STATISTIC_NAMES, CATS_TYPE_NAMES, CATS_UNIT_NAMES, CHIP_NAMES, COMPUTING_CLASS_NAMES, GRADE_NAMES, nameOf } from './computing/names.js';
import type { CatsMetric, Computing, Instance } from './computing/types.js';
import { diffConfig } from './config/diff.js';
import { parseConfig } from './config/load.js';
import { routerChecks } from './doctor.js';
import {
  FacadeError,
  type BgpNeighborView,
  type BgpPathView,
  type BgpRouteView,
  type BgpSummary,
  type CandidateView,
  type CatsView,
  type ChangeListener,
  type ComNetView,
  type ComputingNodeView,
  type ComputingView,
  type ConfigAnswer,
  type DoctorCheck,
  type ExplainAnswer,
  type ExplainRequest,
  type FibView,
  type FlowFilter,
  type FlowKind,
  type FlowView,
  type InstanceRef,
  type InstanceState,
  type InstanceUpdate,
  type InterfaceView,
  type NodeInstanceView,
  type PolicyView,
  type RouterFacade,
  type RouterStatus,
  type RouteView,
  type ServiceCandidates,
  type ServiceView,
  type SidView,
} from './northbound/facade.js';
import type { RouterEvent } from './events.js';
import type { BfdFacade } from './northbound/bfd.js';
import type { OspfFacade } from './northbound/ospf.js';
import type { ModelFacade } from './northbound/models.js';
import type { TelemetryFacade } from './northbound/telemetry.js';
import { DISTANCE } from './rib/unicast-rib.js';
import type { RouterParts } from './router-parts.js';
import { VERSION } from './version.js';
import { registeredSid } from './registration.js';
import { localSids, sidRoute } from './sids.js';
import { SIDES } from './hierarchy/sides.js';
import { requirementsOfDefaults, describeRequirements } from './steering/requirements.js';
import { NO_REQUIREMENTS } from './steering/requirement-option.js';
import type { Member } from './steering/member.js';
import type { Assessment } from './steering/selector.js';
import type { Steering } from './steering/steering.js';
import { assessCandidates, explain, fib, flowMatcher, pinnedFlows } from './steering/views.js';
import type { BgpPolicyTest, BgpPolicyVerdict, BgpPolicyView } from './northbound/policy-views.js';

/** How a space of flows is shown. */
const kindOf = (space: FlowSpace): FlowKind => (space === 'entry' ? { kind: 'entry', side: undefined } : { kind: 'border', side: space });

const ESTABLISHED = 'Established';
const UNPROTECTED = { backups: [], backupInstalled: false, backupActive: false } as const;

const computingView = ({ class: kind, chip, total, residual }: Computing): ComputingView => ({
  class: nameOf(COMPUTING_CLASS_NAMES, kind),
  chip: nameOf(CHIP_NAMES, chip),
  total,
  residual,
});

const catsView = ({ type, level, source, statistic, unit, value }: CatsMetric): CatsView => ({
  type: nameOf(CATS_TYPE_NAMES, type),
  level,
  source: nameOf(CATS_SOURCE_NAMES, source),
  statistic: nameOf(CATS_STATISTIC_NAMES, statistic),
  unit: nameOf(CATS_UNIT_NAMES, unit),
  value,
});

const gradeName = ({ grade }: Instance): string | undefined => (grade === undefined ? undefined : nameOf(GRADE_NAMES, grade));

const halfUs = (rttUs: number | undefined): number | undefined => (rttUs === undefined ? undefined : Math.round(rttUs / 2));

/** Counters of dataplane, steering and STAMP, by name. */
export function routerCounters({ dataplane, steering, borders, stamp: service }: RouterParts): Record<string, bigint> {
    const counters: Record<string, bigint> = { ...dataplane.flows.counters() };
    for (const [name, value] of Object.entries(steering.counters) as [string, number][]) counters[`steering_${snakeCase(name)}`] = BigInt(value);
    for (const side of SIDES) {
      for (const [name, value] of Object.entries(borders[side].counters) as [string, number][]) counters[`steering_${side}_${snakeCase(name)}`] = BigInt(value);
    }
    const stamp = service?.counters;
    const sides: readonly (readonly [string, object])[] = stamp ? [['sender', stamp.sender], ['reflector', stamp.reflector]] : [];
    for (const [side, values] of sides) {
      for (const [name, value] of Object.entries(values) as [string, number][]) counters[`stamp_${side}_${snakeCase(name)}`] = BigInt(value);
    }
    return counters;
}

export class FacadeOverRouter implements RouterFacade {
  constructor(
    private readonly parts: RouterParts,
    readonly telemetry: TelemetryFacade,
    readonly models: ModelFacade,
    readonly ospf: OspfFacade,
  ) {}

  get bfd(): BfdFacade {
    return this.parts.bfd;
  }

  private get dataplane(): Dataplane {
    return this.parts.dataplane;
  }

  status(): RouterStatus {
    const { config, clock, startedAt, configFile, bgp, unicast, computingRib } = this.parts;
    const neighbors = bgp?.summary().neighbors ?? [];
    let candidates = 0;
    for (const service of computingRib.services()) candidates += computingRib.candidates(service).length;
    return {
      name: config().router.name,
      id: config().router.id,
      version: VERSION,
      loopback: config().router.loopback,
      locator: config().router.locator,
      as: config().bgp?.as,
      uptimeMs: clock.now() - startedAt,
      configFile,
      dataplane: config().dataplane.kind,
      bgpEstablished: neighbors.filter(({ state }) => state === ESTABLISHED).length,
      bgpConfigured: neighbors.length,
      routes: unicast.rib.size,
      services: computingRib.size,
      candidates,
      policies: this.steerings().reduce((sum, { policies }) => sum + policies.size * 16, 0),
      flows: this.steerings().reduce((sum, { pins }) => sum + pins.size, 0),
      notes: this.dataplane.capabilities().notes,
      counters: routerCounters(this.parts),
    };
  }

  doctor(): Promise<readonly DoctorCheck[]> {
    return Promise.resolve(routerChecks(this.parts));
  }

  interfaces(): readonly InterfaceView[] {
    const roles = this.parts.config().interfaces;
    return this.dataplane.links().map(({ name, index, up, mtu, addresses }) => ({ name, index, role: roles[name]?.role ?? 'core', up, mtu, addresses }));
  }

  *routes(): Generator<RouteView> {
    const kernel = this.dataplane.routes;
    for (const { route, best, nextHops, backups } of this.parts.unicast.rib.routes()) {
      const owned = route.source === 'connected';
      const status = owned ? undefined : kernel.status(route.prefix);
      const hops = nextHops?.map(({ gateway, interface: name, weight }) => ({ via: gateway, interface: name, weight: weight ?? 1 }));
      yield {
        prefix: route.prefix,
        source: route.source,
        peer: '',
        distance: route.distance ?? DISTANCE[route.source],
        metric: route.metric ?? 0,
        best,
        nextHops: hops ?? route.nextHops.map(({ gateway, interface: name, weight }) => ({ via: gateway, interface: name, weight: weight ?? 1 })),
        installed: best && (owned || status?.installed === true),
        error: best ? status?.error : 'not the best usable route',
        backups: (backups ?? route.backups ?? []).map(({ protects, nextHop, segments }) => ({ protects, via: nextHop.gateway, interface: nextHop.interface, segments })),
        backupInstalled: best && status?.backup?.installed === true,
        backupActive: best && status?.backup?.active === true,
      };
    }
    for (const prefix of this.parts.config().cpn.servicePrefixes) {
      const status = kernel.status(prefix);
      yield { prefix, source: 'service', peer: '', distance: 0, metric: 0, best: true, nextHops: [], installed: status?.installed ?? false, error: status?.error, ...UNPROTECTED };
    }
  }

  sids(): readonly SidView[] {
    const registered = this.parts.registration?.sids;
    return [...localSids(this.parts.config()), ...(this.parts.ospf?.sids ?? []), ...[...(registered?.values() ?? [])].map(registeredSid)].map((local) => {
      const status = this.dataplane.routes.status(sidRoute(local).prefix);
      const { behaviour } = local;
      const own = registered?.get(local.sid);
      const instance = own ? { service: own.service, id: own.instance } : this.parts.config().cpn.instances.find(({ sid }) => sid === local.sid);
      return {
        sid: local.sid,
        behaviour: behaviour.kind,
        interface: local.device,
        nextHop: 'nextHop' in behaviour ? behaviour.nextHop : undefined,
        table: 'table' in behaviour ? behaviour.table : undefined,
        service: instance?.service,
        instance: instance?.id,
        installed: status?.installed ?? false,
        error: status ? status.error : 'not declared to the kernel',
      };
    });
  }

  configDiff(text: string, file: string): ConfigAnswer {
    const result = parseConfig(text, file);
    if (!result.ok) return { ok: false, problems: result.errors, warnings: [], changes: [] };
    return { ok: true, problems: [], warnings: result.warnings, changes: diffConfig(this.parts.config(), result.config) };
  }

  configReload(): Promise<ConfigAnswer> {
    let text: string;
    try {
      text = readFileSync(this.parts.configFile, 'utf8');
    } catch (error) {
      throw new FacadeError('unavailable', `${this.parts.configFile} cannot be read: ${(error as Error).message}`);
    }
    return this.parts.reload(text);
  }

  bgpSummary(): BgpSummary {
    const speaker = this.speaker();
    const { as, routerId, prefixes, paths } = speaker.summary();
    return { as, routerId, routes: prefixes, paths, neighbors: this.bgpNeighbors(undefined) };
  }

  bgpNeighbors(address: string | undefined): readonly BgpNeighborView[] {
    const all = this.speaker().neighbors();
    const wanted = address === undefined ? all : all.filter((neighbor) => neighbor.address === address);
    if (address !== undefined && wanted.length === 0) throw new FacadeError('notFound', `no neighbor ${address}`);
    return wanted.map((neighbor) => this.neighborView(neighbor));
  }

  private neighborView(neighbor: NeighborView): BgpNeighborView {
    const configured = this.parts.config().bgp?.neighbors.find(({ address }) => address === neighbor.address);
    const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, count) => total + count, 0);
    const { advertised, received } = neighbor.capabilities;
    return {
      address: neighbor.address,
      as: neighbor.as,
      localAddress: neighbor.localAddress,
      description: neighbor.description,
      routerId: neighbor.identifier,
      state: neighbor.state,
      stateMs: neighbor.sinceMs,
      cpn: neighbor.cpn,
      passive: configured?.passive ?? false,
      holdTimeMs: neighbor.state === ESTABLISHED ? neighbor.holdTimeMs : (configured?.holdTimeMs ?? 0),
      capabilities: received.filter((name) => advertised.includes(name) || !name.startsWith('code ')),
      addPathReceive: configured?.addPath.receive ?? false,
      addPathSend: configured?.addPath.send ?? false,
      prefixesReceived: neighbor.prefixes.received,
      prefixesSent: neighbor.prefixes.sent,
      messagesReceived: sum(neighbor.messages.received),
      messagesSent: sum(neighbor.messages.sent),
      updatesReceived: neighbor.messages.received.update,
      updatesSent: neighbor.messages.sent.update,
      flaps: Math.max(0, neighbor.establishedCount - 1),
      group: neighbor.group,
      dynamic: neighbor.dynamic,
      routeReflectorClient: neighbor.routeReflectorClient,
      importPolicy: neighbor.importPolicy,
      exportPolicy: neighbor.exportPolicy,
      lastError: neighbor.lastError && neighbor.lastError.text,
      role: configured?.role,
      shutdown: neighbor.shutdown,
      minimumHopLimit: configured?.minimumTtl,
      bfd: neighbor.bfd,
      md5: configured?.password !== undefined,
      endOfRib: neighbor.endOfRib,
      prefixesStale: neighbor.prefixes.stale,
    };
  }

  *bgpRoutes(prefix: string | undefined): Generator<BgpRouteView> {
    if (prefix !== undefined && !Prefix.parse(prefix)) throw new FacadeError('invalid', `${prefix} is not a prefix`);
    for (const { prefix: text, routes } of this.speaker().prefixes(prefix)) if (routes.length > 0) yield { prefix: text, paths: routes.map(bgpPath) };
  }

  clearBgp(address: string, soft: boolean, message: string): void {
    this.found(address, this.speaker().clearNeighbor(address, soft, message));
  }

  shutdownBgp(address: string, message: string): void {
    this.found(address, this.speaker().shutdownNeighbor(address, message));
  }

  enableBgp(address: string): void {
    this.found(address, this.speaker().enableNeighbor(address));
  }

  private found(address: string, isThere: boolean): void {
    if (!isThere) throw new FacadeError('notFound', `no neighbor ${address}`);
  }

  bgpPolicies(name: string | undefined): readonly BgpPolicyView[] {
    const policies = this.speaker().policies(name);
    if (!policies) throw new FacadeError('notFound', `no policy ${name ?? ''}`);
    return policies.map(({ name: policy, description, rules, default: defaultAction, hits }) => ({
      name: policy,
      description,
      rules: rules.map((rule) => ({ ...rule, hits: BigInt(rule.hits) })),
      defaultAction,
      defaultHits: BigInt(hits),
    }));
  }

  testBgpPolicy(request: BgpPolicyTest): BgpPolicyVerdict {
    const verdict = this.speaker().tryPolicy(request);
    if (verdict === undefined) throw new FacadeError('notFound', `no policy ${request.name}`);
    if (typeof verdict === 'string') throw new FacadeError('invalid', verdict);
    return verdict;
  }

  private speaker(): NonNullable<RouterParts['bgp']> {
    if (!this.parts.bgp) throw new FacadeError('notConfigured', 'BGP is not configured');
    return this.parts.bgp;
  }

  comnet(): ComNetView {
    return { ...this.parts.comnet.graph(), smoothing: SMOOTHING };
  }

  services(): readonly ServiceView[] {
    const { steering, clock, config } = this.parts;
    const views: ServiceView[] = [];
    for (const state of steering.serviceStates()) {
      let count = 0;
      for (const block of state.blocks) count += steering.pins.countRange(block.number * 16, 16);
      const assessments = state.assess(state.defaults, clock.now());
      const best = bestOf(assessments);
      const defaults = config().cpn.services.find(({ id }) => id === state.service) ?? config().cpn.services.find(({ id }) => id === 'default');
      views.push({
        service: state.service,
        candidates: assessments.length,
        feasible: assessments.filter(({ feasible }) => feasible).length,
        local: assessments.filter(({ input }) => input.candidate.source === 'local').length,
        best: best && { exit: best.input.exit, instance: best.input.instance },
        flows: count,
        strategy: steering.strategyWords(state, state.defaults),
        requirements: defaults ? describeRequirements(requirementsOfDefaults(defaults.requirements)).map(({ text }) => text).join('; ') : '',
      });
    }
    return views;
  }

  *computingRib(service: string | undefined): Generator<ServiceCandidates> {
    const { computingRib } = this.parts;
    for (const each of service === undefined ? computingRib.services() : [service]) {
      const candidates = this.candidatesOf(each);
      if (candidates.length > 0) yield { service: each, candidates };
    }
  }

  private candidatesOf(service: string): CandidateView[] {
    const { steering, clock } = this.parts;
    const assessments = assessCandidates(steering, service, clock.now());
    const best = bestOf(assessments);
    return assessments.map((assessment): CandidateView => {
      const { input, prediction, feasible, reasons, weight } = assessment;
      const { candidate, path } = input;
      const { instance } = candidate;
      return {
        exit: candidate.exit,
        instance: instance.id,
        sid: instance.sid?.sid ?? '',
        behaviour: instance.sid ? (BEHAVIOUR_NAMES[instance.sid.behaviour] ?? `0x${instance.sid.behaviour.toString(16)}`) : '',
        aggregate: instance.aggregate,
        source: candidate.source,
        peer: candidate.peer,
        computing: instance.computing.map(computingView),
        load: instance.load,
        serviceDelayUs: Math.round(prediction.serviceUs + prediction.waitUs),
        pathDelayUs: halfUs(path.rttUs),
        cost: path.cost,
        feasible,
        best: assessment === best,
        weight,
        ageMs: clock.now() - candidate.receivedAt,
        stale: candidate.stale,
        draining: instance.draining,
        sequence: candidate.sequence,
        reason: feasible ? '' : reasons.filter(({ ok }) => !ok).map(({ text }) => text).join('; '),
        grade: gradeName(instance),
        cats: instance.cats.map(catsView),
      };
    });
  }

  computingNodes(): readonly ComputingNodeView[] {
    const { computingRib, paths, instances } = this.parts;
    const own = this.parts.config().router.loopback;
    const byExit = new Map<string, NodeInstanceView[]>();
    // Nodes that registered here are told of under this exit, also while they run nothing.
    if (this.parts.registration) byExit.set(own, []);
    for (const { local, announced } of instances.list()) {
      const list = byExit.get(own) ?? [];
      byExit.set(own, list);
      const { config: configured, instance } = local;
      list.push({
        service: configured.service,
        instance: configured.id,
        address: configured.node.address,
        interface: configured.node.interface,
        health: local.health,
        healthReason: local.reason,
        draining: local.draining,
        announced,
        grade: gradeName(instance),
        computing: instance.computing.map(computingView),
        load: instance.load,
        serviceDelay: instance.serviceDelay,
      });
    }
    for (const service of computingRib.services()) {
      for (const { exit, instance, source } of computingRib.candidates(service)) {
        if (source === 'local') continue;
        const list = byExit.get(exit) ?? [];
        byExit.set(exit, list);
        list.push({
          service,
          instance: instance.id,
          address: instance.address,
          interface: undefined,
          health: undefined,
          healthReason: undefined,
          draining: instance.draining,
          announced: true,
          grade: gradeName(instance),
          computing: instance.computing.map(computingView),
          load: instance.load,
          serviceDelay: instance.serviceDelay,
        });
      }
    }
    return [...byExit].map(([exit, list]) => ({ exit, local: exit === own, path: paths.ofExit(exit), instances: list }));
  }

  *fib(service: string | undefined): Generator<FibView> {
    const now = this.parts.clock.now();
    const { flows } = this.dataplane;
    // Services with policies as border have them below those as entry.
    const borders = SIDES.map((side) => ({ side, policies: new Map([...fib(this.parts.borders[side], flows, now, service)].map((view) => [view.service, view.policies])) }));
    const ofBorders = (each: string): PolicyView[] => borders.flatMap(({ side, policies }) => (policies.get(each) ?? []).map((policy) => ({ ...policy, ...kindOf(side) })));
    const seen = new Set<string>();
    for (const { service: each, policies } of fib(this.parts.steering, flows, now, service)) {
      seen.add(each);
      yield { service: each, policies: [...policies.map((policy) => ({ ...policy, ...kindOf('entry') })), ...ofBorders(each)] };
    }
    for (const each of new Set(borders.flatMap(({ policies }) => [...policies.keys()]))) if (!seen.has(each)) yield { service: each, policies: ofBorders(each) };
  }

  async *flows(filter: FlowFilter): AsyncGenerator<FlowView> {
    for (const batch of pinnedFlows(this.steerings(), this.dataplane.flows, this.parts.nowNs(), filter)) {
      yield* batch.map((flow) => ({ ...flow, ...kindOf(flow.space) }));
      await otherWork();
    }
  }

  /** By the number of their space of flows. */
  private steerings(): Steering[] {
    const { steering, borders } = this.parts;
    return FLOW_SPACES.map((space) => (space === 'entry' ? steering : borders[space]));
  }

  explain(request: ExplainRequest): ExplainAnswer {
    const { steering, clock } = this.parts;
    const stated = { ...requirementsOfDefaults(request.requirements), workload: request.workload, dataSize: request.dataSize };
    const now = clock.now();
    const answer = explain(steering, request.service, now, { ...NO_REQUIREMENTS, ...stated }, request.from);
    const best = answer.chosen?.member;
    return {
      service: answer.service,
      requirements: answer.requirements.map(({ text, origin }) => `${text} (${origin === 'packet' ? 'asked for' : 'default of the service'})`),
      candidates: answer.candidates.map(({ input, feasible, prediction, score, weight, reasons }) => ({
        exit: input.exit,
        instance: input.instance,
        feasible,
        reasons: reasons.map(({ ok, text }) => `${ok ? '+' : '-'} ${text}`),
        pathDelayUs: halfUs(prediction.pathUs),
        serviceDelayUs: Math.round(prediction.serviceUs + prediction.waitUs + prediction.ownWaitUs),
        latencyUs: Math.round(prediction.totalUs),
        score,
        weight,
        best: input === best,
        forecast: input.forecast?.view(now),
        demand: prediction.demand,
      })),
      chosen: answer.chosen && {
        exit: answer.chosen.member.exit,
        instance: answer.chosen.member.instance,
        policy: answer.chosen.policy,
        segments: answer.chosen.member.segments,
      },
      verdict: answer.verdict,
      strategy: answer.strategy,
    };
  }

  drain(instance: InstanceRef, draining: boolean, graceMs: number): InstanceState {
    return this.parts.instances.drain(instance, draining, graceMs);
  }

  async clearFlows(filter: FlowFilter): Promise<number> {
    let cleared = 0;
    for (const steering of this.steerings()) {
      for (const count of steering.clearFlows(flowMatcher(steering, filter), this.parts.nowNs())) {
        cleared += count;
        await otherWork();
      }
    }
    return cleared;
  }

  registeredNodes(): ReturnType<RouterFacade['registeredNodes']> {
    const registry = this.parts.registration?.registry;
    return { nodes: registry?.list() ?? [], counters: { ...registry?.counters } };
  }

  setServiceActive(node: string, service: string, active: boolean): ReturnType<RouterFacade['setServiceActive']> {
    if (!this.parts.registration) throw new FacadeError('notConfigured', 'registration of computing nodes is not configured');
    return this.parts.registration.registry.setService(node, service, active);
  }

  updateInstance(instance: InstanceRef, update: InstanceUpdate): InstanceState {
    return this.parts.instances.update(instance, update);
  }

  onChange(topic: 'rib' | 'bgp', listener: ChangeListener): () => void {
    return this.parts.changes.subscribe(topic, listener);
  }

  onEvent(listener: (event: RouterEvent) => void): () => void {
    return this.parts.events.subscribe(listener);
  }
}

/** The feasible candidate with the lowest score; the greater weight decides between equals. */
function bestOf(assessments: readonly Assessment<Member>[]): Assessment<Member> | undefined {
  let best: Assessment<Member> | undefined;
  for (const assessment of assessments) {
    if (!assessment.feasible || assessment.score === undefined) continue;
    if (!best || assessment.score < best.score! || (assessment.score === best.score && assessment.weight > best.weight)) best = assessment;
  }
  return best;
}

function bgpPath(view: BgpRouteSource): BgpPathView {
  const decoded = view.cpn === undefined ? undefined : decodeCpnBlock(Buffer.from(view.cpn, 'hex'));
  const block = decoded?.kind === 'block' ? decoded.block : undefined;
  return {
    peer: view.peer === '' ? 'local' : view.peer,
    pathId: view.pathId,
    nextHop: view.nextHop,
    origin: view.origin,
    asPath: view.asPath,
    localPref: view.localPref,
    med: view.med,
    communities: view.communities,
    extendedCommunities: view.extendedCommunities,
    largeCommunities: view.largeCommunities,
    rejected: view.rejected,
    originatorId: view.originatorId,
    clusterList: view.clusterList,
    best: view.best,
    stale: view.stale,
    reason: view.reason,
    cpn: block?.origin && { exit: block.origin.exit, sequence: block.origin.sequence, instances: block.instances.map(({ id }) => id) },
  };
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
