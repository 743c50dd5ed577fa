/**
 * Compares the routes of our calculation with those of FRR and BIRD on random areas of 50 routers and after changes to them, one by one, and fails on a
 * difference that no known deviation of the device explains.
 *
 *     node dist/test/lab/ospf-compare/main.js [--topologies 20] [--changes 4] [--seed 1] [--device FRR|BIRD] [--verbose]
 */
import { parseArgs } from 'node:util';
import { type Comparison, compareWithDevice, describeLsas, describeRoute } from './compare.js';
import { DEVIATIONS } from './deviations.js';
import { bird, type Device, frr } from './devices.js';

const { values } = parseArgs({
  options: {
    topologies: { type: 'string', default: '20' },
    changes: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    device: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const [topologies, changes, seed] = [Number(values.topologies), Number(values.changes), Number(values.seed)];

function print(device: Device, topology: number, { step, routes, database, differences, kernel, waitedMs }: Comparison): void {
  const open = differences.filter(({ deviation }) => deviation === undefined);
  if (values.verbose || open.length + kernel.length > 0) {
    console.log(`${device.name}, area ${topology}, ${step}: ${routes} routes, ${differences.length} differ, ${open.length} of them unexplained, ${kernel.length} otherwise in its kernel; ${waitedMs} ms`);
  }
  for (const { prefix, ours, theirs } of open) console.log(`  ${prefix}\n    ours: ${describeRoute(ours)}\n    ${device.name}: ${describeRoute(theirs)}\n    ${describeLsas(database, prefix)}`);
  for (const line of kernel) console.log(`  kernel: ${line}`);
}

async function compareWith(device: Device): Promise<boolean> {
  const start = Date.now();
  const comparisons = await compareWithDevice(device, { topologies, changes, seed, onComparison: (topology, comparison) => print(device, topology, comparison) });
  const differences = comparisons.flatMap((comparison) => comparison.differences);
  const unexplained = differences.filter(({ deviation }) => deviation === undefined).length;
  const kernel = comparisons.reduce((sum, comparison) => sum + comparison.kernel.length, 0);
  const routes = comparisons.reduce((sum, comparison) => sum + comparison.routes, 0);
  console.log(`${device.name}: ${topologies} areas of 50 routers with ${changes} changes each, ${routes} routes compared in ${comparisons.length} states, ${unexplained} differences unexplained, ${kernel} otherwise in its kernel; ${Math.round((Date.now() - start) / 1000)} s`);
  for (const { name, reason } of DEVIATIONS.filter((deviation) => deviation.device === device.name)) {
    console.log(`  ${differences.filter(({ deviation }) => deviation === name).length} times: ${name}\n    ${reason}`);
  }
  // What FRR's zebra makes of its routes is its own.
  return unexplained === 0 && (device.remembers || kernel === 0);
}

const devices = [frr, bird].filter(({ name, available }) => available && (values.device === undefined || values.device === name));
if (devices.length === 0) throw new Error('there is neither FRR nor BIRD here');
const results = await Promise.all(devices.map(compareWith));
if (results.includes(false)) process.exitCode = 1;
