/** From the fields of a file to the effective configuration: defaults that depend on other fields. */
import { Prefix } from '../../dataplane/packet/ip.js';
import { resolveHealthCheck } from './resolve-health.js';
import { makeSid } from '../sids.js';
import { DEFAULT_STRATEGY, type StrategyConfig } from '../steering/strategies/strategy.js';
import { resolveModel } from './model.js';
import { resolveRegistration } from './registration.js';
import { resolveBfd } from './resolve-bfd.js';
import { resolveBgp } from './resolve-bgp.js';
import { resolveOspf } from './resolve-ospf.js';
import { resolveTelemetry } from './resolve-telemetry.js';
import type { FileConfig } from './schema.js';
import { MAX_WINDOW_MS, MIN_WINDOW_MS } from './schema/strategy.js';
import type { AggregationConfig, AnnounceConfig, AnnouncePolicy, Config, HierarchyConfig, InstanceConfig, RequirementDefaults, RouterConfig, ServiceConfig, StampConfig, StaticRouteConfig } from './types.js';

/** Room for End, End.X and the SIDs of instances (daemon/sids.ts). */
export const MIN_FUNCTION_BITS = 12;

type SidStructure = RouterConfig['sidStructure'];

export function resolveConfig(file: FileConfig): Config {
  const router = resolveRouter(file.router);
  return {
    router,
    interfaces: Object.fromEntries(
      Object.entries(file.interfaces).map(([name, { role, addresses, endX, bandwidth }]) => [name, { role, addresses, endX, bandwidth }]),
    ),
    static: file.static.map(resolveStatic),
    bfd: resolveBfd(file.bfd),
    bgp: file.bgp && resolveBgp(file.bgp, file),
    ospf: file.ospf && resolveOspf(file.ospf, file),
    cpn: {
      servicePrefixes: file.cpn.servicePrefixes,
      attributeType: file.cpn.attributeType,
      requirementOption: file.cpn.requirementOption,
      services: file.cpn.services.map(({ id, requirements, via, strategy }) => ({ id, requirements: resolveRequirements(requirements), via: resolveVia(via), strategy: resolveStrategy(strategy) })),
      instances: file.cpn.instances.map((instance) => resolveInstance(instance, router)),
      stamp: resolveStamp(file.cpn.stamp),
      announce: resolveAnnounce(file.cpn),
      model: resolveModel(file.cpn.model),
      prediction: { model: file.cpn.prediction.model, horizonMs: file.cpn.prediction.horizon },
      restartTimeMs: file.cpn.restartTime,
    },
    hierarchy: file.hierarchy && resolveHierarchy(file.hierarchy, file.cpn.servicePrefixes),
    registration: file.registration && resolveRegistration(file.registration),
    dataplane: {
      kind: file.dataplane.kind,
      reduced: file.dataplane.reduced,
      flowIdleMs: file.dataplane.flowIdle,
      maxFlows: file.dataplane.maxFlows,
      maxNewFlows: file.dataplane.maxNewFlows,
      puntLimits: file.dataplane.puntLimits,
    },
    telemetry: resolveTelemetry(file.telemetry),
    api: file.api,
    log: file.log,
  };
}

function resolveRouter(router: FileConfig['router']): RouterConfig {
  const locator = Prefix.from(router.locator);
  // Block 32 and function 16 as in uSID deployments (WIRE.md section 5) when the file does not say.
  const block = Math.min(32, locator.length - 1);
  const structure: SidStructure = router.sidStructure ?? { block, node: locator.length - block, function: Math.min(16, 128 - locator.length), argument: 0 };
  return {
    name: router.name ?? router.id,
    id: router.id,
    loopback: router.loopback,
    locator: router.locator,
    sidStructure: structure,
    sidBlocks: router.sidBlocks ?? [Prefix.of(locator.bytes, structure.block).toString()],
    domainSources: router.domainSources,
  };
}

function resolveStatic(route: FileConfig['static'][number]): StaticRouteConfig {
  const single = route.via !== undefined || route.interface !== undefined ? [{ via: route.via, interface: route.interface, weight: 1 }] : [];
  const several = (route.nextHops ?? []).map(({ via, interface: name, weight }) => ({ via, interface: name, weight }));
  return { prefix: route.prefix, nextHops: [...single, ...several], unreachable: route.unreachable, distance: route.distance };
}

function resolveAnnounce({ announce, services }: FileConfig['cpn']): AnnounceConfig {
  const { threshold, minInterval, maxInterval, validity, rate, burst } = announce;
  const all: AnnouncePolicy = { threshold, minIntervalMs: minInterval, maxIntervalMs: maxInterval, validityMs: validity };
  const base = { ...all, ...policyOf(services.find(({ id }) => id === 'default')?.announce) };
  const own = services.flatMap(({ id, announce: differs }) => (differs && id !== 'default' ? [[id, { ...base, ...policyOf(differs) }] as const] : []));
  return { ...base, budget: { rate, burst }, services: Object.fromEntries(own) };
}

function resolveHierarchy({ inside, outward, inward }: NonNullable<FileConfig['hierarchy']>, servicePrefixes: readonly string[]): HierarchyConfig {
  const resolve = (side: typeof outward): AggregationConfig | undefined =>
    side && { services: side.services ?? servicePrefixes, threshold: side.threshold, minIntervalMs: side.minInterval, maxIntervalMs: side.maxInterval, validityMs: side.validity };
  return { inside, outward: resolve(outward), inward: resolve(inward) };
}

/** What a service states itself. */
function policyOf(announce: FileConfig['cpn']['services'][number]['announce']): Partial<AnnouncePolicy> {
  const { threshold, minInterval, maxInterval, validity } = announce ?? {};
  return {
    ...(threshold === undefined ? {} : { threshold }),
    ...(minInterval === undefined ? {} : { minIntervalMs: minInterval }),
    ...(maxInterval === undefined ? {} : { maxIntervalMs: maxInterval }),
    ...(validity === undefined ? {} : { validityMs: validity }),
  };
}

function resolveRequirements(requirements: FileConfig['cpn']['services'][number]['requirements']): RequirementDefaults {
  const { maxLatency, computing, stickiness, storage, network, algorithm, objective } = requirements;
  return {
    maxLatencyUs: maxLatency,
    computing,
    stickiness: stickiness && { mode: stickiness.mode, seconds: Math.ceil(stickiness.duration / 1000) },
    storage,
    network: network && { minBandwidth: network.minBandwidth, maxPdvUs: network.maxPdv ?? 0xffffffff, maxLossPpm: network.maxLoss ?? 1_000_000 },
    algorithm,
    objective,
  };
}

function resolveStrategy(strategy: FileConfig['cpn']['services'][number]['strategy']): StrategyConfig {
  if (!strategy) return DEFAULT_STRATEGY;
  switch (strategy.name) {
    case 'greedy':
      return { name: 'greedy', ownAccount: strategy.ownAccount ?? true };
    case 'two-choices':
      return { name: 'two-choices', choices: strategy.choices ?? 2 };
    case 'matching':
      return { name: 'matching', minWindowMs: strategy.minWindow ?? MIN_WINDOW_MS, maxWindowMs: strategy.maxWindow ?? MAX_WINDOW_MS };
    case 'adaptive':
      return { name: 'adaptive', holdMs: strategy.hold ?? 1000 };
    default:
      return { name: strategy.name };
  }
}

function resolveVia(via: FileConfig['cpn']['services'][number]['via']): ServiceConfig['via'] {
  return Object.fromEntries(
    Object.entries(via).map(([exit, ways]) => [exit, ways.map(({ segments, return: back }) => ({ segments, back: back ?? [...segments].reverse() }))]),
  );
}

const STAMP_PROFILES = { default: { interval: 100, lost: 3, leastBoundMs: 50 }, fast: { interval: 20, lost: 4, leastBoundMs: 30 } } as const;

function resolveStamp(stamp: FileConfig['cpn']['stamp']): StampConfig {
  const { interval, lost, leastBoundMs } = STAMP_PROFILES[stamp.profile];
  return {
    enabled: stamp.enabled,
    port: stamp.port,
    profile: stamp.profile,
    intervalMs: stamp.interval ?? interval,
    lost: stamp.lost ?? lost,
    leastBoundMs,
    holdDownMs: stamp.holdDown,
    synchronised: stamp.synchronised,
    links: { enabled: stamp.links.enabled, intervalMs: stamp.links.interval },
  };
}

function resolveInstance(instance: FileConfig['cpn']['instances'][number], router: RouterConfig): InstanceConfig {
  const check = instance.healthCheck;
  return {
    service: instance.service,
    id: instance.id,
    node: instance.node,
    sid: instance.sid ?? defaultSid(router, instance.id),
    computing: instance.computing.map((computing) => ({ ...computing, residual: computing.residual ?? computing.total })),
    serviceRate: instance.serviceRate,
    serviceDelay: { meanUs: instance.serviceDelay?.mean ?? 0, p99Us: instance.serviceDelay?.p99 ?? 0 },
    queueCapacity: instance.queueCapacity,
    healthCheck: check && resolveHealthCheck(check, instance.node.address),
  };
}

/** The upper eighth of the function space holds instances, so that End and End.X (small numbers) never meet them. */
function defaultSid(router: RouterConfig, id: number): string {
  const bits = router.sidStructure.function;
  if (bits < MIN_FUNCTION_BITS) return Prefix.from(router.locator).address; // refused by check.ts
  const low = id % 2 ** (bits - 3);
  return makeSid(Prefix.from(router.locator), bits, 7 * 2 ** (bits - 3) + low);
}
