/** The OSPFv3 part of a file: defaults that depend on other fields. */
import type { OspfConfig, OspfInterfaceConfig, RedistributeConfig } from '../ospf/types.js';
import { bfdProfileName } from './resolve-bfd.js';
import type { FileConfig } from './schema.js';

type FileOspf = NonNullable<FileConfig['ospf']>;
type FileInterface = FileOspf['interfaces'][string];

/** What a cost of 1 stands for, bit/s. */
const REFERENCE_BANDWIDTH = 100_000_000_000n;
const DEFAULT_COST = 10;

export function resolveOspf(ospf: FileOspf, file: FileConfig): OspfConfig {
  const { initialDelay, shortDelay, longDelay, timeToLearn, holdDown } = ospf.spf;
  const { enabled, maxGrace, strictLsaChecking } = ospf.gracefulRestartHelper;
  const { trafficEngineering: te } = ospf;
  return {
    routerId: ospf.routerId ?? file.router.id,
    area: ospf.area,
    interfaces: Object.entries(ospf.interfaces).map(([name, options]) => resolveInterface(name, options, ospf, file.interfaces[name]?.bandwidth)),
    redistribute: (['connected', 'static', 'bgp'] as const).flatMap((source): RedistributeConfig[] => {
      const options = ospf.redistribute[source];
      return options ? [{ source, metric: options.metric, type: options.type as 1 | 2, tag: options.tag, prefixes: options.prefixes }] : [];
    }),
    spf: { initialDelayMs: initialDelay, shortDelayMs: shortDelay, longDelayMs: longDelay, timeToLearnMs: timeToLearn, holdDownMs: holdDown },
    maxLsas: ospf.maxLsas,
    maxPaths: ospf.maxPaths,
    fastReroute: ospf.fastReroute,
    gracefulRestartHelper: { enabled, maxGraceSeconds: Math.floor(maxGrace / 1000), strictLsaChecking },
    trafficEngineering: { enabled: te.enabled, minIntervalMs: te.minInterval, maxIntervalMs: te.maxInterval, threshold: te.threshold / 100 },
    delayPaths: { enabled: ospf.delayPaths.enabled, gain: ospf.delayPaths.gain / 100 },
    computing: ospf.computing,
    cpnLsType: ospf.cpnLsType,
  };
}

function resolveInterface(name: string, options: FileInterface, ospf: FileOspf, bandwidth: bigint | undefined): OspfInterfaceConfig {
  return {
    name,
    network: options.network,
    cost: options.cost ?? (bandwidth === undefined ? DEFAULT_COST : costOf(bandwidth)),
    priority: options.priority,
    helloIntervalMs: options.hello,
    deadIntervalMs: options.dead ?? 4 * options.hello,
    retransmitIntervalMs: options.retransmit,
    transmitDelay: options.transmitDelay,
    instanceId: options.instanceId ?? ospf.instanceId,
    mtuIgnore: options.mtuIgnore,
    passive: options.passive,
    bfd: bfdProfileName(options.bfd),
    authentication: options.authentication.map(({ protocolId, ...key }) => ({ ...key, ...(protocolId !== undefined && { protocolId }) })),
  };
}

function costOf(bandwidth: bigint): number {
  const cost = bandwidth === 0n ? 65535n : REFERENCE_BANDWIDTH / bandwidth;
  return Number(cost < 1n ? 1n : cost > 65535n ? 65535n : cost);
}
