/** The dataplane and its limits. */
import { duration, flag, integer, mapping, oneOf } from './common.js';

const packetsPerSecond = (value: number) => integer(0, 100_000_000, 'packets per second').default(value);
const burst = (value: number) => integer(1, 100_000_000, 'packets').default(value);

export const dataplane = mapping({
  kind: oneOf('kernel', 'fake').default('kernel'),
  reduced: flag.default(false),
  flowIdle: duration(1000, 86_400_000, '1s to 24h').default(300_000),
  maxFlows: integer(1024, 4_194_304, 'a number of flows').default(131_072),
  maxNewFlows: integer(1024, 4_194_304, 'a number of flows').default(65_536),
  puntLimits: mapping({
    interfaceRate: packetsPerSecond(100_000),
    interfaceBurst: burst(5_000),
    sourceRate: packetsPerSecond(20_000),
    sourceBurst: burst(5_000),
  }).prefault({}),
});
