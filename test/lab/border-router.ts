/**
 * A border router for the lab tests: a whole router with the configuration of a file, that hears of instances inside its edge network in lines of JSON on its
 * input instead of by OSPFv3 sessions: `{"exit": E, "service": S, "instances": [{"id": 1, "sid": "..."}]}`; without instances they are withdrawn.
 *
 *     node border-router.js FILE
 */
import { createInterface } from 'node:readline';
import { systemClock } from '../../daemon/clock.js';
import type { Instance } from '../../daemon/computing/types.js';
import { loadConfig } from '../../daemon/config/load.js';
import { createLogger } from '../../daemon/log.js';
import { Router } from '../../daemon/router.js';
import { KernelDataplane } from '../../dataplane/kernel.js';
import { native } from '../../dataplane/native/index.js';

export interface Heard {
  readonly exit: string;
  readonly service: string;
  readonly instances: readonly { readonly id: number; readonly sid: string }[];
}

const END_DX6 = 0x0010;
const END_DX4 = 0x0011;

function instanceOf({ service }: Heard, { id, sid }: Heard['instances'][number]): Instance {
  return {
    id,
    aggregate: false,
    draining: false,
    sid: { sid, behaviour: service.includes(':') ? END_DX6 : END_DX4, structure: { block: 32, node: 16, function: 16, argument: 0 } },
    computing: [{ class: 2, chip: 2, total: 1_000_000_000_000n, residual: 500_000_000_000n }],
    load: undefined,
    serviceDelay: { meanUs: 50_000, p99Us: 100_000, serviceRate: 5000 },
    storage: [],
    interface: undefined,
    location: undefined,
    energy: undefined,
    price: undefined,
    algorithms: [],
    cats: [],
    grade: undefined,
    address: undefined,
  };
}

const file = process.argv[2]!;
const loaded = loadConfig(file);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
const { config } = loaded;
const log = createLogger(config.router.name, config.log.level);
const dataplane = new KernelDataplane({ clock: systemClock, log: (text) => log.warn(text) });
const router = await Router.start({ config, configFile: file, dataplane, clock: systemClock, log, nowNs: () => native.monotonicNs() });

let sequence = BigInt(systemClock.unixMs());
createInterface({ input: process.stdin }).on('line', (line) => {
  const heard = JSON.parse(line) as Heard;
  const { exit, service, instances } = heard;
  const { computingRib } = router;
  if (instances.length === 0) computingRib.withdraw('ospf', exit, 0, service);
  else {
    computingRib.advertise({
      service,
      exit,
      source: 'ospf',
      peer: exit,
      pathId: 0,
      sequence: ++sequence,
      originatedAt: 0n,
      validityMs: 0,
      instances: instances.map((each) => instanceOf(heard, each)),
      stale: false,
    });
  }
  computingRib.flush();
});
process.on('SIGTERM', () => void router.stop(false).then(() => process.exit(0)));
process.stdout.write('started\n');
