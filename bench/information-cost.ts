/**
 * What computing information costs on the session of a border: 1,000 instances whose loads and residual power change every second, told one by one (flat) by a
 * naive speaker and under announcement control with its defaults, against the aggregates that a border tells of them when they are 1, 10 or 100 services inside
 * its edge network (daemon/hierarchy with its defaults; each instance at an exit of its own, heard by OSPFv3 at every report, or as its exit damps it). The
 * session is iBGP, both routers run in this process without sockets; CPU is that of everything: exits, border, receiver. The error is that of the residual power of
 * a service, summed over its instances, as the receiver believes it, in percent of the total.
 *
 *     node dist/bench/information-cost.js [--instances 1000] [--seconds 60]
 */
import { parseArgs } from 'node:util';
import { LocalInstances } from '../daemon/awareness/instances.js';
import { AnnouncementSequence } from '../daemon/awareness/sequence.js';
import { ComputingExchange } from '../daemon/computing-exchange.js';
import type { AggregationConfig, AnnounceConfig, InstanceConfig } from '../daemon/config/types.js';
import { EventLog } from '../daemon/events.js';
import { Hierarchy } from '../daemon/hierarchy/hierarchy.js';
import { silentLogger } from '../daemon/log.js';
import type { Advertisement } from '../daemon/rib/candidate.js';
import { ComputingRib } from '../daemon/rib/computing-rib.js';
import { Network } from '../test/daemon/bgp/network.js';
import { loadTrace } from './support/load-trace.js';
import { printJson, printTable, round } from './support/report.js';

const { values } = parseArgs({ options: { instances: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '60' } } });
const count = Number(values.instances);
const seconds = Number(values.seconds);
const SERVICE_RATE = 200;
const TOTAL = 10n ** 13n;
const WARM_UP_S = 30;
const GROUPS = [1, 10, 100] as const;
const SERVICES = '2001:db8:5e::/48';
const STRUCTURE = { block: 32, node: 16, function: 16, argument: 0 };
/** Each instance has a service ID of its own where it is told flat: ten of one service would be ten paths of one prefix, four octets more each. */
const flatServiceOf = (index: number): string => `2001:db8:5e:1::${(index + 1).toString(16)}`;
const serviceOf = (index: number, services: number): string => `2001:db8:5e::${((index % services) + 1).toString(16)}`;
const exitOf = (index: number): string => `fc00:0:${(index + 256).toString(16)}::1`;
const traces = Array.from({ length: count }, (_, seed) => loadTrace({ seed: seed + 1, samples: WARM_UP_S + seconds, intervalS: 1, serviceRate: SERVICE_RATE }));
const residualOf = (index: number, second: number): bigint => (TOTAL * BigInt(Math.round((1 - traces[index]![second]!.utilisation) * 10_000))) / 10_000n;
const configs = traces.map((_, index): InstanceConfig => ({
  service: flatServiceOf(index),
  id: 1,
  node: { address: '2001:db8:b:1::2', interface: 'eth2' },
  sid: `fcbb:bb00:${(index + 256).toString(16)}:e001::`,
  computing: [{ class: 'parallel', chip: 'gpu', total: TOTAL, residual: TOTAL }],
  serviceRate: SERVICE_RATE,
  serviceDelay: { meanUs: 1e6 / SERVICE_RATE, p99Us: 0 },
  queueCapacity: 100,
  healthCheck: undefined,
}));

interface Case {
  readonly name: string;
  /** Of each instance: as told by BGP where there is no hierarchy, else by OSPFv3 inside. */
  readonly announce: AnnounceConfig;
  readonly hierarchy?: { readonly services: number; readonly outward: AggregationConfig };
}

function run({ announce, hierarchy }: Case) {
  const prefixes = { servicePrefixes: [SERVICES] };
  const { network, a: border, b: entry } = Network.pair(prefixes, prefixes, { cpn: true }, { cpn: true });
  const { clock } = network;
  const [own, learned] = [border, entry].map((node) => new ComputingRib({ clock, log: silentLogger, ownExit: node.address })) as [ComputingRib, ComputingRib];
  const bridge = new ComputingExchange(own, border.speaker, () => true);
  const receiver = new ComputingExchange(learned, undefined, () => true);
  entry.speaker.onServiceRoutes((changes) => receiver.serviceRoutesChanged(changes));
  const tell = (advertisements: readonly Advertisement[]): void => {
    if (!hierarchy) {
      bridge.ownInstancesChanged(advertisements);
      bridge.announceServices(advertisements);
      return;
    }
    for (const advertisement of advertisements) {
      const index = Number.parseInt(advertisement.service.slice(advertisement.service.lastIndexOf(':') + 1), 16) - 1;
      own.advertise({ ...advertisement, service: serviceOf(index, hierarchy.services), exit: exitOf(index), source: 'ospf', peer: exitOf(index) });
    }
  };
  const aggregates = hierarchy && new Hierarchy(
    { clock, sequence: new AnnouncementSequence(clock), exit: border.address, rib: own, bgp: (advertisements) => bridge.announceServices(advertisements), ospf: () => undefined },
    {
      config: { inside: [], outward: hierarchy.outward, inward: undefined },
      budget: DEFAULTS.budget,
      sids: { outward: { sid: 'fcbb:bb00:1:3::', behaviour: 0xffff, structure: STRUCTURE }, inward: { sid: 'fcbb:bb00:1:4::', behaviour: 0xffff, structure: STRUCTURE } },
    },
  );
  if (aggregates) own.onChange((services) => aggregates.servicesChanged(services));
  const local = new LocalInstances({ router: { loopback: border.address, sidStructure: STRUCTURE }, instances: configs, announce }, clock, () => ({ stop: () => undefined }), new EventLog(clock), tell);
  local.start();
  network.settle(2000);
  // Instances report one after another, not at one moment.
  const report = (second: number): void =>
    traces.forEach((trace, index) => {
      const { utilisation, queueLength } = trace[second]!;
      const computing = [{ class: 'parallel' as const, chip: 'gpu' as const, total: TOTAL, residual: residualOf(index, second) }];
      local.update({ service: flatServiceOf(index), id: 1 }, { computing, load: { utilisation: Math.round(utilisation * 10_000), queueLength, activeFlows: 0 }, serviceDelay: undefined, health: undefined });
      if ((index + 1) % Math.ceil(count / 100) === 0) clock.advance(10);
    });
  const told = (service: string): number => learned.candidates(service).reduce((sum, { instance }) => sum + Number(instance.computing[0]?.residual ?? 0n), 0);
  /** Mean error over the services, percent of the total of each, if the instances are so many services. */
  const errorOf = (second: number, services: number): number => {
    const believed = new Array<number>(services).fill(0);
    const truth = new Array<number>(services).fill(0);
    for (let index = 0; index < count; index++) {
      truth[index % services]! += Number(residualOf(index, second));
      if (!hierarchy) believed[index % services]! += told(flatServiceOf(index));
    }
    if (hierarchy) for (let index = 0; index < services; index++) believed[index] = told(serviceOf(index, services));
    const total = (Number(TOTAL) * count) / services;
    return (truth.reduce((sum, value, index) => sum + Math.abs(value - believed[index]!) / total, 0) / services) * 100;
  };
  const sent = (): { updates: number; octets: number } => {
    const { sent: messages, octetsSent } = border.view(entry).messages;
    return { updates: messages.update, octets: octetsSent };
  };
  for (let second = 0; second < WARM_UP_S; second++) report(second);
  const before = sent();
  let cpuUs = 0;
  const groups = GROUPS.filter((services) => !hierarchy || hierarchy.services === services);
  const errors = new Map<number, number>(groups.map((services) => [services, 0]));
  for (let second = WARM_UP_S; second < WARM_UP_S + seconds; second++) {
    const start = process.cpuUsage();
    report(second);
    const { user, system } = process.cpuUsage(start);
    cpuUs += user + system;
    for (const services of groups) errors.set(services, errors.get(services)! + errorOf(second, services));
  }
  const after = sent();
  local.stop();
  aggregates?.stop();
  own.close();
  learned.close();
  return {
    updatesPerSecond: round((after.updates - before.updates) / seconds, 2),
    octetsPerSecond: round((after.octets - before.octets) / seconds),
    cpuPercent: round((cpuUs / 1e6 / seconds) * 100, 1),
    errorPercent: Object.fromEntries([...errors].map(([services, sum]) => [services, round(sum / seconds, 2)])),
  };
}

const DEFAULTS: AnnounceConfig = { threshold: 0.1, minIntervalMs: 1000, maxIntervalMs: 60_000, validityMs: 0, budget: { rate: 500, burst: 2000 }, services: {} };
const NAIVE: AnnounceConfig = { ...DEFAULTS, threshold: 0, minIntervalMs: 0, budget: { rate: 0, burst: 1 } };
const OUTWARD: AggregationConfig = { services: [SERVICES], threshold: 0.2, minIntervalMs: 5000, maxIntervalMs: 120_000, validityMs: 0 };
const cases: readonly Case[] = [
  { name: 'flat, naive: every report', announce: NAIVE },
  { name: 'flat, the defaults', announce: DEFAULTS },
  ...GROUPS.map((services) => ({ name: `hierarchy, ${services} service${services === 1 ? '' : 's'}`, announce: NAIVE, hierarchy: { services, outward: OUTWARD } })),
  { name: 'hierarchy, 10 services, exits damp inside', announce: DEFAULTS, hierarchy: { services: 10, outward: OUTWARD } },
  { name: 'hierarchy, 10 services, damped as flat ones', announce: NAIVE, hierarchy: { services: 10, outward: { ...OUTWARD, threshold: DEFAULTS.threshold, minIntervalMs: DEFAULTS.minIntervalMs, maxIntervalMs: DEFAULTS.maxIntervalMs } } },
];
const results = cases.map((each) => ({ name: each.name, services: each.hierarchy?.services, ...run(each) }));
const [, flat] = results;
printTable(
  ['told', 'UPDATEs/s', 'octets/s', 'of flat with defaults', 'CPU of all, % of a core', ...GROUPS.map((services) => `error of the sum, %, ${services} service${services === 1 ? '' : 's'}`)],
  results.map(({ name, updatesPerSecond, octetsPerSecond, cpuPercent, errorPercent }) => [name, updatesPerSecond, octetsPerSecond, round(octetsPerSecond / flat!.octetsPerSecond, 5), cpuPercent, ...GROUPS.map((services) => errorPercent[services] ?? '-')]),
);
printJson('information-cost', { instances: count, seconds, results });
