/**
 * The daemon's own part of first packets and of a failover, without kernel and sockets: how many first packets a second the steering
 * answers, and how long it takes from the detection that an exit is dead to the writes that move all its flows.
 *
 *     node dist/bench/failover-core.js [--json] [--flows 10000] [--runs 21]
 */
import { parseArgs } from 'node:util';
import { FLOW_KEY_LENGTH } from '../dataplane/packet/flow-key.js';
import { parseIp } from '../dataplane/packet/ip.js';
import { advertisement, closeCore, createCore, exitAddress, serviceAddress, type Core } from './steering-setup.js';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, flows: { type: 'string', default: '10000' }, runs: { type: 'string', default: '21' } } });
const flows = Number(values.flows);
const runs = Number(values.runs);
const EXITS = [2, 3, 4];

/** First packets of `count` different flows to one service. */
function pin(core: Core, count: number): { ms: number; perPolicy: Map<number, number> } {
  const arena = new Uint8Array(64);
  const key = new Uint8Array(FLOW_KEY_LENGTH);
  key.set(parseIp('2001:db8:c::1')!);
  key.set(parseIp(serviceAddress(0))!, 16);
  key[36] = 17;
  const packet = { arena, offset: 0, length: arena.length, key, requirement: undefined };
  const perPolicy = new Map<number, number>();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    key[15] = i >> 16;
    key[32] = i >> 8;
    key[33] = i;
    const policy = core.steering.steer(packet);
    if (policy < 0) throw new Error('not steered');
    perPolicy.set(policy, (perPolicy.get(policy) ?? 0) + 1);
  }
  return { ms: performance.now() - start, perPolicy };
}

function createWithFlows(count: number): { core: Core; ms: number; perPolicy: Map<number, number> } {
  const core = createCore(2 * Math.max(count, 1024));
  for (const exit of EXITS) core.rib.advertise(advertisement(0, exit, 1n));
  core.rib.flush();
  return { core, ...pin(core, count) };
}

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;
const rates: number[] = [];
const delays: number[] = [];
let moved = 0;
let writes = 0;
let shares: Record<string, number> = {};
for (let run = 0; run < runs; run++) {
  const { core, ms, perPolicy } = createWithFlows(flows);
  rates.push(flows / (ms / 1000));
  core.dead.add(exitAddress(2));
  const start = performance.now();
  const report = core.steering.onPathChange([exitAddress(2)]);
  delays.push(performance.now() - start);
  ({ movedFlows: moved, writes } = report);
  shares = {};
  for (const [policy, count] of perPolicy) {
    const { exit } = core.steering.policies.targetOf(policy)!;
    shares[exit] = (shares[exit] ?? 0) + count;
  }
  closeCore(core);
}
const million = createWithFlows(1_000_000);
const result = {
  flows,
  firstPacketsPerSecond: Math.round(median(rates)),
  firstPacketsPerSecondToAMillion: Math.round(1e6 / (million.ms / 1000)),
  octetsPerPin: Math.round(million.core.steering.pins.octets / 1e6),
  failoverMs: Number(median(delays).toFixed(3)),
  failoverWorstMs: Number(Math.max(...delays).toFixed(3)),
  movedFlows: moved,
  writes,
  flowsByExit: shares,
};
closeCore(million.core);
if (values.json === true) {
  console.log(JSON.stringify(result));
} else {
  console.log(`first packets    ${result.firstPacketsPerSecond} a second with up to ${flows} flows, ${result.firstPacketsPerSecondToAMillion} while the table grows to a million (${result.octetsPerPin} octets a pin)`);
  console.log(`an exit's death  ${result.failoverMs} ms (worst of ${runs}: ${result.failoverWorstMs} ms) from detection to the writes: ${moved} flows moved by ${writes} writes`);
  console.log(`flows by exit    ${Object.entries(shares).map(([exit, count]) => `${exit}: ${count}`).join(', ')}`);
}
