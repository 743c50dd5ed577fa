/** The methods of the API over the facade. */
import type { Clock } from '../clock.js';
import type { RequirementDefaults } from '../config/types.js';
import { bgpMethods, bgpPolicyMethods, computingMethods, networkMethods, routerMethods, watchMethods, type BgpChange, type FlowChange, type RibChange } from '../../proto/methods.js';
import { FacadeError, type BgpNeighborView, type ExplainRequest, type FlowFilter, type FlowView, type InstanceRef, type RouterFacade, type ServiceCandidates } from './facade.js';
import { canonicalIp, Prefix } from '../../dataplane/packet/ip.js';
import { eventView, fingerprintWithout, Watch, type WatchSource } from './watch.js';
import type { Transport } from './transport.js';

/** Canonical text of an address in a request; throws FacadeError when it is not one. */
function address(text: string, what: string): string {
  const canonical = canonicalIp(text);
  if (canonical === undefined) throw new FacadeError('invalid', `${what}: ${JSON.stringify(text)} is not an IP address`);
  return canonical;
}

const optionalAddress = (text: string | undefined, what: string): string | undefined => (text === undefined ? undefined : address(text, what));

function prefix(text: string): string {
  const parsed = Prefix.parse(text);
  if (!parsed) throw new FacadeError('invalid', `prefix: ${JSON.stringify(text)} is not a prefix`);
  return parsed.toString();
}

function instance(reference: InstanceRef | undefined): InstanceRef {
  if (!reference || reference.id === 0) throw new FacadeError('invalid', 'instance: an instance id from 1 to 4294967295 is needed');
  return { service: optionalAddress(reference.service, 'service'), id: reference.id };
}

const NO_FILTER: FlowFilter = { service: undefined, source: undefined, exit: undefined, limit: 0 };

function flowFilter(filter: FlowFilter | undefined): FlowFilter {
  if (!filter) return NO_FILTER;
  return {
    service: optionalAddress(filter.service, 'service'),
    source: optionalAddress(filter.source, 'source'),
    exit: optionalAddress(filter.exit, 'exit'),
    limit: filter.limit,
  };
}

export function routerService(transport: Transport, facade: RouterFacade): void {
  transport.unary(routerMethods.getStatus, () => facade.status());
  transport.unary(routerMethods.runDoctor, async () => ({ checks: await facade.doctor() }));
  transport.unary(routerMethods.listInterfaces, () => ({ interfaces: facade.interfaces() }));
  transport.list(routerMethods.listRoutes, () => facade.routes(), (routes) => ({ routes }));
  transport.unary(routerMethods.listSids, () => ({ sids: facade.sids() }));
  transport.unary(routerMethods.diffConfig, ({ text, file }) => facade.configDiff(text, file));
  transport.unary(routerMethods.reloadConfig, () => facade.configReload());
}

export function bgpService(transport: Transport, facade: RouterFacade): void {
  transport.unary(bgpMethods.getSummary, () => facade.bgpSummary());
  transport.unary(bgpMethods.listNeighbors, (request) => ({ neighbors: facade.bgpNeighbors(optionalAddress(request.address, 'neighbor')) }));
  transport.list(bgpMethods.listBgpRoutes, (request) => facade.bgpRoutes(request.prefix === undefined ? undefined : prefix(request.prefix)), (routes) => ({ routes }));
  transport.unary(bgpMethods.clearNeighbor, (request) => {
    facade.clearBgp(address(request.address, 'neighbor'), request.soft, request.message);
    return {};
  });
  transport.unary(bgpMethods.shutdownNeighbor, (request) => {
    facade.shutdownBgp(address(request.address, 'neighbor'), request.message);
    return {};
  });
  transport.unary(bgpMethods.enableNeighbor, (request) => {
    facade.enableBgp(address(request.address, 'neighbor'));
    return {};
  });
}

export function bgpPolicyService(transport: Transport, facade: RouterFacade): void {
  transport.unary(bgpPolicyMethods.listBgpPolicies, (request) => ({ policies: facade.bgpPolicies(request.name) }));
  transport.unary(bgpPolicyMethods.testBgpPolicy, (request) => facade.testBgpPolicy(request));
}

export function networkService(transport: Transport, facade: RouterFacade): void {
  transport.unary(networkMethods.getComNet, () => facade.comnet());
}

export function computingService(transport: Transport, facade: RouterFacade): void {
  transport.unary(computingMethods.listServices, () => ({ services: facade.services() }));
  transport.list(computingMethods.listCandidates, (request) => facade.computingRib(optionalAddress(request.service, 'service')), (services) => ({ services }));
  transport.unary(computingMethods.listNodes, () => ({ nodes: facade.computingNodes() }));
  transport.list(computingMethods.listPolicies, (request) => facade.fib(optionalAddress(request.service, 'service')), (services) => ({ services }));
  transport.list(computingMethods.listFlows, (request) => facade.flows(flowFilter(request)), (flows) => ({ flows }));
  transport.unary(computingMethods.clearFlows, async (request) => ({ cleared: await facade.clearFlows(flowFilter(request)) }));
  transport.unary(computingMethods.explain, (request) => facade.explain(explainRequest(request)));
  transport.unary(computingMethods.drain, (request) => facade.drain(instance(request.instance), request.draining, request.graceMs));
  transport.unary(computingMethods.updateInstance, (request) => facade.updateInstance(instance(request.instance), updateOf(request)));
}

/** Words and ranges that the types promise and the wire does not. */
function checkRequirements({ computing, stickiness, storage, algorithm, objective }: RequirementDefaults): void {
  const word = (what: string, value: string | undefined, words: readonly string[]): void => {
    if (value !== undefined && !words.includes(value)) throw new FacadeError('invalid', `${what}: ${JSON.stringify(value)} is not one of ${words.join(', ')}`);
  };
  word('computing class', computing?.class, ['logical', 'parallel', 'neural']);
  word('stickiness', stickiness?.mode, ['none', 'flow', 'client']);
  word('storage', storage?.ability, ['block', 'file', 'object']);
  if ((algorithm ?? 0) > 0xffff) throw new FacadeError('invalid', 'algorithm: at most 65535');
  if (objective && Object.values(objective).some((weight) => weight > 255)) throw new FacadeError('invalid', 'objective: weights are at most 255');
}

function explainRequest(request: Partial<ExplainRequest>): ExplainRequest {
  if (request.requirements) checkRequirements(request.requirements);
  return {
    service: address(request.service ?? '', 'service'),
    from: optionalAddress(request.from, 'from'),
    requirements: request.requirements ?? { maxLatencyUs: undefined, computing: undefined, stickiness: undefined, storage: undefined, network: undefined, algorithm: undefined, objective: undefined },
    workload: request.workload,
    dataSize: request.dataSize,
  };
}

function updateOf(request: Parameters<RouterFacade['updateInstance']>[1]): Parameters<RouterFacade['updateInstance']>[1] {
  const { computing, load, serviceDelay, health } = request;
  if (load?.utilisation !== undefined && load.utilisation > 10_000) throw new FacadeError('invalid', 'utilisation: at most 10000 (hundredths of a percent)');
  if (health !== undefined && !['up', 'down', 'auto'].includes(health)) throw new FacadeError('invalid', `health: ${JSON.stringify(health)} is not up, down or auto`);
  return { computing, load, serviceDelay, health };
}

/** How often watched flows are read, ms: default and least. */
const FLOW_INTERVAL = 1000;
const FLOW_INTERVAL_LEAST = 100;

export function watchService(transport: Transport, facade: RouterFacade, clock: Clock): void {
  transport.stream(watchMethods.watchRib, async (request, sink) => {
    const only = optionalAddress(request.service, 'service');
    const source: WatchSource<ServiceCandidates, RibChange> = {
      read: (key) => present(() => facade.computingRib(key ?? only)),
      key: (entry) => entry.service,
      fingerprint: fingerprintWithout('ageMs'),
      message: (change, service) => ({ change, service }),
      removed: (service) => ({ service, candidates: [] }),
    };
    const watch = new Watch(source, sink, clock);
    const stop = facade.onChange('rib', (key) => {
      if (only === undefined || key === undefined) watch.touch(only ?? key);
      else if (key === only) watch.touch(key);
    });
    await watch.run().finally(stop);
  });

  transport.stream(watchMethods.watchFlows, async (request, sink) => {
    const filter = flowFilter(request.filter);
    const source: WatchSource<FlowView, FlowChange> = {
      read: () => facade.flows(filter),
      key: (flow) => `${flow.side ?? flow.kind} ${flow.protocol} ${flow.source} ${flow.sourcePort} ${flow.destination} ${flow.destinationPort}`,
      fingerprint: fingerprintWithout('ageMs', 'idleMs'),
      message: (change, flow) => ({ change, flow }),
      removed: (_key, last) => last,
    };
    const interval = Math.max(FLOW_INTERVAL_LEAST, request.intervalMs === 0 ? FLOW_INTERVAL : request.intervalMs);
    const watch = new Watch(source, sink, clock, 0);
    const tick = (): void => {
      watch.touch(undefined);
      timer = clock.setTimeout(tick, interval);
    };
    let timer = clock.setTimeout(tick, interval);
    await watch.run().finally(() => timer.cancel());
  });

  transport.stream(watchMethods.watchBgp, async (_request, sink) => {
    const source: WatchSource<BgpNeighborView, BgpChange> = {
      read: (key) => present(() => facade.bgpNeighbors(key)),
      key: (neighbor) => neighbor.address,
      // Keepalives count messages all the time; what matters is the state and the routes.
      fingerprint: fingerprintWithout('stateMs', 'messagesReceived', 'messagesSent'),
      message: (change, neighbor) => ({ change, neighbor }),
      removed: (_key, last) => last,
    };
    facade.bgpSummary(); // answers "not configured" before the stream begins
    const watch = new Watch(source, sink, clock);
    const stopChanges = facade.onChange('bgp', (key) => watch.touch(key));
    const stopEvents = facade.onEvent((event) => {
      if (event.topic !== 'bgp') return;
      watch.push({ change: 'event', event: eventView(event) });
    });
    await watch.run().finally(() => {
      stopChanges();
      stopEvents();
    });
  });
}

/** What is there; nothing where the facade says that it does not know the key (any more). */
function* present<T>(read: () => Iterable<T>): Iterable<T> {
  try {
    yield* read();
  } catch (error) {
    if (!(error instanceof FacadeError) || error.code !== 'notFound') throw error;
  }
}
