/** A router without a kernel for the bench of registration: runs the configuration it is given, and prints a line of figures for each line on its standard input. */
import { createInterface } from 'node:readline';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../daemon/clock.js';
import { loadConfig } from '../../daemon/config/load.js';
import { silentLogger } from '../../daemon/log.js';
import { Router } from '../../daemon/router.js';
import { FakeDataplane } from '../../dataplane/fake.js';

const file = process.argv[2]!;
const loaded = loadConfig(file);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
const dataplane = new FakeDataplane();
const router = await Router.start({ config: loaded.config, configFile: file, dataplane, clock: systemClock, log: silentLogger, nowNs: () => process.hrtime.bigint() });
let announced = 0;
router.computingRib.onChange((services) => (announced += services.size));
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let before = process.cpuUsage();
let at = performance.now();
process.stdout.write('{"ready":true}\n');
createInterface({ input: process.stdin }).on('line', () => {
  const used = process.cpuUsage(before);
  const ms = performance.now() - at;
  const nodes = router.registration!.registry.list();
  process.stdout.write(
    `${JSON.stringify({
      cpuPercent: (used.user + used.system) / 10 / ms,
      memoryMiB: process.memoryUsage().rss / 1024 / 1024,
      stallMs: delay.max / 1e6,
      stall99Ms: delay.percentile(99) / 1e6,
      announcementsPerS: (announced * 1000) / ms,
      nodes: nodes.filter(({ state }) => state === 'attached').length,
      instances: router.instances.list().filter((instance) => instance.announced).length,
      updates: Number(nodes.reduce((sum, { counters }) => sum + counters['updates']!, 0n)),
    })}\n`,
  );
  before = process.cpuUsage();
  at = performance.now();
  announced = 0;
  delay.reset();
});
