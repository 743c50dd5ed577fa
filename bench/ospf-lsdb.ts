/**
 * Flooding and database of OSPFv3 at size: a router originates 10,000 CPN LSAs, its neighbour gets them by flooding, a third one by database
 * exchange. Prints the times, the memory that one more database takes, and the longest time that the event loop was held, all routers in
 * one process.
 *
 *     node --expose-gc dist/bench/ospf-lsdb.js [--json] [--lsas 10000]
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type { CpnBlock } from '../daemon/computing/types.js';
import { systemClock } from '../daemon/clock.js';
import { OspfEngine } from '../daemon/ospf/engine.js';
import { MemoryLink, MemoryTransport } from '../daemon/ospf/memory-transport.js';
import { encodeCpnBody } from '../daemon/ospf/wire/lsa/cpn.js';
import { LsType } from '../daemon/ospf/wire/types.js';
import { Prefix } from '../dataplane/packet/ip.js';
import { instanceConfig, interfaceConfig } from '../test/daemon/ospf/network.js';
import { printJson, printTable, round } from './support/report.js';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, lsas: { type: 'string', default: '10000' } } });
const count = Number(values.lsas);
const collect = (globalThis as { gc?: () => void }).gc;
if (!collect) throw new Error('run with --expose-gc');

const MIB = 1 << 20;
const memory = (): number => {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / MIB;
};

/** What a service with two instances says. */
const block = (service: number): CpnBlock => ({
  service: Prefix.from(`2001:db8:5e::${service.toString(16)}/128`),
  origin: { exit: '2001:db8::1', sequence: 1_700_000_000_000n, originatedAt: 1_700_000_000_000n, validity: 0 },
  instances: [1, 2].map((id) => ({
    id,
    aggregate: false,
    draining: false,
    sid: { sid: `fc00:bb:1:${id}::`, behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
    computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
    load: { utilisation: 2000, queueLength: 1, activeFlows: 3 },
    serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 200 },
    storage: [],
    interface: undefined,
    location: undefined,
    energy: undefined,
    price: undefined,
    algorithms: [],
    cats: [],
    grade: undefined,
    address: undefined,
  })),
});

const ab = new MemoryLink(systemClock, { delayMs: 0 });
const bc = new MemoryLink(systemClock, { delayMs: 0 });

function router(number: number, wires: Readonly<Record<string, MemoryLink>>): OspfEngine {
  const names = Object.keys(wires);
  const config = instanceConfig(`0.0.0.${number}`, { interfaces: names.map((name) => interfaceConfig(name, 'point-to-point', { helloIntervalMs: 1000, deadIntervalMs: 10_000 })) });
  const engine = new OspfEngine({ config, clock: systemClock, transport: new MemoryTransport(new Map(Object.entries(wires))), random: Math.random });
  names.forEach((name, index) => engine.setLink(name, { name, index: index + 1, up: true, mtu: 1500, linkLocal: `fe80::${number}:${index + 1}`, prefixes: [], loopback: false }));
  return engine;
}

const full = (engine: OspfEngine): boolean => engine.neighborViews().every(({ state, retransmissions }) => state === 'Full' && retransmissions === 0) && engine.neighborViews().length > 0;
const cpnLsas = (engine: OspfEngine): number => engine.status().lsas;

/** Lets the routers work until it holds; ms. */
async function until(check: () => boolean): Promise<number> {
  const start = performance.now();
  while (!check()) {
    if (performance.now() - start > 120_000) throw new Error('not within two minutes');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - start;
}

const a = router(1, { b: ab });
const b = router(2, { a: ab, c: bc });
a.start();
b.start();
await until(() => full(a));

const delay = monitorEventLoopDelay({ resolution: 1 });
const start = performance.now();
for (let service = 1; service <= count; service++) a.originate(LsType.cpn, service, encodeCpnBody(block(service)));
const originatedMs = performance.now() - start;
delay.enable();
await until(() => cpnLsas(b) >= count && full(a));
const floodedMs = performance.now() - start;
delay.disable();
const floodingStallMs = delay.max / 1e6;

const before = memory();
const c = router(3, { b: bc });
delay.reset();
delay.enable();
c.start();
const exchangedMs = await until(() => cpnLsas(c) >= count && full(c) && full(b));
delay.disable();
const exchangeStallMs = delay.max / 1e6;
const after = memory();

const octets = a.get({ type: LsType.cpn, id: 1, router: 1 })!.raw.length;
const result = {
  lsas: count,
  octetsAnLsa: octets,
  originatedMs: round(originatedMs),
  floodedMs: round(floodedMs),
  exchangedMs: round(exchangedMs),
  databaseMiB: round(after - before, 1),
  octetsAnLsaInMemory: round(((after - before) * MIB) / count),
  longestStallMs: round(Math.max(floodingStallMs, exchangeStallMs)),
  residentMiB: round(process.memoryUsage().rss / MIB),
};
for (const engine of [a, b, c]) engine.stop({ keepForwarding: true });
printTable(['figure', 'value'], [
  ['CPN LSAs', `${count} of ${octets} octets`],
  ['originated by one router', `${result.originatedMs} ms`],
  ['flooded to its neighbor, acknowledged', `${result.floodedMs} ms`],
  ['read by a third router in a database exchange', `${result.exchangedMs} ms`],
  ['memory of one database', `${result.databaseMiB} MiB, ${result.octetsAnLsaInMemory} octets an LSA`],
  ['longest time the event loop was held', `${result.longestStallMs} ms`],
  ['resident memory, three routers', `${result.residentMiB} MiB`],
]);
if (values.json === true) printJson('ospf-lsdb', result);
process.exit(0);
