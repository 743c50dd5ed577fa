/**
 * Metric churn: 1,000 instances whose loads change every second, announced over one iBGP session to a router that keeps them in its
 * computing RIB. A naive speaker (every report an UPDATE) against the daemon's announcement control, on the same loads. Both routers run
 * in this process, without sockets; CPU is that of both. The error is that of the receiver's utilisation, in percentage points.
 *
 *     node dist/bench/churn.js [--instances 1000] [--seconds 120]
 */
import { parseArgs } from 'node:util';
import { LocalInstances } from '../daemon/awareness/instances.js';
import { ComputingExchange } from '../daemon/computing-exchange.js';
import type { AnnounceConfig, InstanceConfig } from '../daemon/config/types.js';
import { EventLog } from '../daemon/events.js';
import { ComputingRib } from '../daemon/rib/computing-rib.js';
import { Network } from '../test/daemon/bgp/network.js';
import { loadTrace } from './support/load-trace.js';
import { printJson, printTable, round } from './support/report.js';

const { values } = parseArgs({ options: { instances: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '120' } } });
const count = Number(values.instances);
const seconds = Number(values.seconds);
const SERVICE_RATE = 200;
const WARM_UP_S = 30;
const serviceOf = (index: number): string => `2001:db8:5e::${(index + 1).toString(16)}`;
const traces = Array.from({ length: count }, (_, seed) => loadTrace({ seed: seed + 1, samples: WARM_UP_S + seconds, intervalS: 1, serviceRate: SERVICE_RATE }));
const configs = traces.map((_, index): InstanceConfig => ({
  service: serviceOf(index),
  id: 1,
  node: { address: '2001:db8:b:1::2', interface: 'eth2' },
  sid: `fcbb:bb00:11:${(0xe000 + index).toString(16)}::`,
  computing: [{ class: 'parallel', chip: 'gpu', total: 10n ** 13n, residual: 10n ** 13n }],
  serviceRate: SERVICE_RATE,
  serviceDelay: { meanUs: 1e6 / SERVICE_RATE, p99Us: 0 },
  queueCapacity: 100,
  healthCheck: undefined,
}));
const logger = { trace: () => undefined, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function run(announce: AnnounceConfig) {
  const services = { servicePrefixes: ['2001:db8:5e::/48'] };
  const { network, a: exit, b: entry } = Network.pair(services, services, { cpn: true }, { cpn: true });
  const { clock } = network;
  const ribs = [exit, entry].map((node) => new ComputingRib({ clock, log: logger, ownExit: node.address }));
  const [own, learned] = [ribs[0]!, ribs[1]!];
  const bridge = new ComputingExchange(own, exit.speaker, () => true);
  const receiver = new ComputingExchange(learned, undefined, () => true);
  entry.speaker.onServiceRoutes((changes) => receiver.serviceRoutesChanged(changes));
  const local = new LocalInstances(
    { router: { loopback: exit.address, sidStructure: { block: 32, node: 16, function: 16, argument: 0 } }, instances: configs, announce },
    clock,
    () => ({ stop: () => undefined }),
    new EventLog(clock),
    (advertisements) => {
      bridge.ownInstancesChanged(advertisements);
      bridge.announceServices(advertisements);
    },
  );
  local.start();
  network.settle(2000);
  // The first reports of all instances are changes; they are not what is measured.
  const report = (second: number): void => {
    // Agents report one after another, not at one moment.
    traces.forEach((trace, index) => {
      const { utilisation, queueLength } = trace[second]!;
      local.update({ service: serviceOf(index), id: 1 }, { computing: [], load: { utilisation: Math.round(utilisation * 10_000), queueLength, activeFlows: 0 }, serviceDelay: undefined, health: undefined });
      if ((index + 1) % Math.ceil(count / 100) === 0) clock.advance(10);
    });
  };
  for (let second = 0; second < WARM_UP_S; second++) report(second);
  const sent = (): { updates: number; octets: number } => {
    const { sent: messages, octetsSent } = exit.view(entry).messages;
    return { updates: messages.update, octets: octetsSent };
  };
  const before = sent();
  const cpu = process.cpuUsage();
  let error = 0;
  for (let second = WARM_UP_S; second < WARM_UP_S + seconds; second++) {
    report(second);
    traces.forEach((trace, index) => {
      const told = learned.candidates(serviceOf(index))[0]?.instance.load?.utilisation ?? 0;
      error += Math.abs(told - Math.round(trace[second]!.utilisation * 10_000)) / 100;
    });
  }
  const used = process.cpuUsage(cpu);
  const after = sent();
  local.stop();
  for (const rib of ribs) rib.close();
  return {
    updatesPerSecond: round((after.updates - before.updates) / seconds, 1),
    octetsPerSecond: round((after.octets - before.octets) / seconds),
    cpuPercent: round(((used.user + used.system) / 1e6 / seconds) * 100, 1),
    meanErrorPoints: round(error / count / seconds, 2),
  };
}

const base = { threshold: 0.1, minIntervalMs: 1000, maxIntervalMs: 60_000, validityMs: 0, budget: { rate: 500, burst: 2000 }, services: {} };
const cases: readonly (readonly [name: string, announce: AnnounceConfig])[] = [
  ['naive: every report', { ...base, threshold: 0, minIntervalMs: 0, budget: { rate: 0, burst: 1 } }],
  ['the defaults', base],
  ['minimum interval 5 s', { ...base, minIntervalMs: 5000 }],
  ['budget of 100 a second', { ...base, budget: { rate: 100, burst: 100 } }],
  ['threshold 0.2', { ...base, threshold: 0.2 }],
];
const results = cases.map(([name, announce]) => ({ name, ...run(announce) }));
const naive = results[0]!;
printTable(
  ['speaker', 'UPDATEs/s', 'of naive', 'octets/s', 'of naive', 'CPU of both, % of a core', 'mean error, points'],
  results.map(({ name, updatesPerSecond, octetsPerSecond, cpuPercent, meanErrorPoints }) => [name, updatesPerSecond, round(updatesPerSecond / naive.updatesPerSecond, 3), octetsPerSecond, round(octetsPerSecond / naive.octetsPerSecond, 3), cpuPercent, meanErrorPoints]),
);
printJson('churn', { instances: count, seconds, results });
