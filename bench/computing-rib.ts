/**
 * The computing RIB and the policies at size: 10,000 services behind 3 exits. Prints the memory they take and the time from the first
 * advertisement to the last policy handed to the dataplane (which here only counts), and the time an exit's death takes.
 *
 *     node --expose-gc dist/bench/computing-rib.js [--json] [--services 10000] [--exits 3]
 */
import { parseArgs } from 'node:util';
import { advertisement, closeCore, createCore, exitAddress } from './steering-setup.js';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, services: { type: 'string', default: '10000' }, exits: { type: 'string', default: '3' } } });
const services = Number(values.services);
const exits = Number(values.exits);
const collect = (globalThis as { gc?: () => void }).gc;
if (!collect) throw new Error('run with --expose-gc');

const MIB = 1 << 20;
const heap = (): number => {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / MIB;
};

const before = heap();
const core = createCore(131_072);

let start = performance.now();
for (let exit = 2; exit < 2 + exits; exit++) for (let service = 0; service < services; service++) core.rib.advertise(advertisement(service, exit, 1n));
const fedMs = performance.now() - start;
core.rib.flush();
const installedMs = performance.now() - start;
const installedWrites = core.flows.writes;
const after = heap();

start = performance.now();
for (let service = 0; service < services; service++) core.rib.advertise(advertisement(service, 2, 2n));
core.rib.flush();
const updateMs = performance.now() - start;
const updateWrites = core.flows.writes - installedWrites;

core.dead.add(exitAddress(2));
start = performance.now();
const report = core.steering.onPathChange([exitAddress(2)]);
const failoverMs = performance.now() - start;
closeCore(core);

const result = {
  services,
  exits,
  candidates: core.rib.advertisementCount,
  memoryMiB: Number((after - before).toFixed(1)),
  octetsPerCandidate: Math.round(((after - before) * MIB) / (services * exits)),
  residentMiB: Math.round(process.memoryUsage().rss / MIB),
  advertisementsToRibMs: Math.round(fedMs),
  advertisementsToPoliciesMs: Math.round(installedMs),
  policiesWritten: installedWrites,
  updateOfOneExitMs: Math.round(updateMs),
  updateWrites,
  deathOfOneExitMs: Math.round(failoverMs),
  failoverWrites: report.writes,
};
if (values.json === true) {
  console.log(JSON.stringify(result));
} else {
  console.log(`${services} services x ${exits} exits: ${result.candidates} candidates, ${result.policiesWritten} policies`);
  console.log(`  memory            ${result.memoryMiB} MiB (${result.octetsPerCandidate} octets a candidate with its 16 policies), resident ${result.residentMiB} MiB in all`);
  console.log(`  to all policies   ${result.advertisementsToPoliciesMs} ms from the first advertisement (${result.advertisementsToRibMs} ms of it in the RIB)`);
  console.log(`  an exit's update  ${result.updateOfOneExitMs} ms for ${services} services, ${result.updateWrites} writes`);
  console.log(`  an exit's death   ${result.deathOfOneExitMs} ms to re-point all its policies, ${result.failoverWrites} writes`);
}
