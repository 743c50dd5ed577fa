/** The agent's own configuration file: its shape, and what `cpnd agent` makes of it. Durations are ms. */
import { z } from 'zod';
import { parseIp } from '../../dataplane/packet/ip.js';
import { SERVICE_MODES } from '../awareness/registration/types.js';
import { readDocument, readText } from '../config/document.js';
import type { ConfigError } from '../config/errors.js';
import { CLASSES, U32, bandwidth, byKey, duration, flag, integer, interfaceName, ip, list, mapping, microseconds, name, octets, oneOf, operations, port, text } from '../config/schema/common.js';
import { parseField } from './fields.js';

const path = text('an absolute path', (value) => (/^\/[^\0]{0,4000}$/.test(value) ? value : undefined));
const target = text('unix:///absolute/path, [address]:port or name:port', (value) => (/^(unix:\/\/\/[^\0]{1,100}|\[[0-9a-fA-F:.]+\]:\d{1,5}|[\w.-]+:\d{1,5})$/.test(value) ? value : undefined));
const url = text('an http:// or https:// URL', (value) => (/^https?:\/\/[^\s]+$/.test(value) && URL.canParse(value) ? value.replace(/\/+$/, '') : undefined));
const field = text('a field such as cpu.utilisation, memory.free or service.2001:db8::1.queueLength (daemon/agent/fields.ts)', parseField);
const fieldName = z.string().refine((value) => parseField(value) !== undefined, { error: 'a field such as cpu.utilisation, memory.free or service.2001:db8::1.queueLength' });
const command = list(z.string().min(1), 'words').min(1, { error: 'a command as a list of words' });
const degrees = (most: number) => z.number({ error: `degrees from -${most} to ${most}` }).min(-most, { error: `degrees from -${most} to ${most}` }).max(most, { error: `degrees from -${most} to ${most}` });
const milliwatts = integer(0, U32, 'milliwatts');
const timeout = duration(10, 60_000, '10ms to 1m').default(1000);

const perCycle = z.number({ error: 'operations a core does in a cycle' }).positive({ error: 'operations a core does in a cycle' }).max(1e5, { error: 'at most 100000 operations a core does in a cycle' }).optional();
const measured = operations.transform(Number).optional();

const chip = mapping({
  kind: oneOf('cpu', 'gpu', 'dpu', 'npu', 'tpu', 'fpga'),
  model: z.string().max(128).default(''),
  count: integer(1, 1024, 'a number of chips').default(1),
  cores: integer(1, 1_000_000, 'a number of cores'),
  clock: operations.transform(Number),
  operationsPerCycle: mapping({ logical: perCycle, parallel: perCycle, neural: perCycle }).optional(),
  measuredPeak: mapping({ logical: measured, parallel: measured, neural: measured }).optional(),
});

const serviceEntry = mapping({
  service: ip,
  address: ip,
  mode: oneOf(...SERVICE_MODES).default('always'),
  priority: integer(0, 65_535, 'a priority').default(0),
  demand: mapping({ logical: operations.optional(), parallel: operations.optional(), neural: operations.optional(), memory: octets.default(0n) }).prefault({}),
  run: command.optional(),
  unit: text('a systemd unit', (value) => (/^[\w.@:-]{1,255}$/.test(value) ? value : undefined)).optional(),
  activate: command.optional(),
  deactivate: command.optional(),
  check: mapping({ command: command.optional(), port: port.optional(), interval: duration(50, 600_000, '50ms to 10m').default(1000), timeout }).optional(),
  healthPort: port.optional(),
  queueCapacity: integer(0, U32, 'a number of requests').default(0),
  serviceRate: integer(0, U32, 'requests per second').default(0),
  serviceDelay: mapping({ mean: microseconds(), p99: microseconds().optional() }).optional(),
})
  .refine((entry) => [entry.run, entry.unit, entry.activate].filter((way) => way !== undefined).length <= 1, { error: 'one of run, unit and activate at most' })
  .refine((entry) => (entry.activate === undefined) === (entry.deactivate === undefined), { path: ['deactivate'], error: 'activate and deactivate together' })
  .refine((entry) => entry.mode === 'always' || entry.run !== undefined || entry.unit !== undefined || entry.activate !== undefined, { path: ['mode'], error: 'a way to run it (run, unit or activate) for a service that is not always there' });

const schema = mapping({
  node: mapping({
    id: name,
    name: text('a text of at most 128 letters, digits, blanks and . : / @ _ -', (value) => (/^[\w.:/@ -]{0,128}$/.test(value) ? value : undefined)).optional(),
    location: mapping({ latitude: degrees(90), longitude: degrees(180) }).optional(),
    energy: mapping({ idle: milliwatts, full: milliwatts }).optional(),
    price: mapping({ microUnits: integer(0, Number.MAX_SAFE_INTEGER, 'millionths of a unit per 1e12 operations'), currency: text('an ISO 4217 currency such as EUR', (value) => (/^[A-Z]{3}$/.test(value) ? value : undefined)) }).optional(),
    algorithms: list(integer(0, 65_535, 'an algorithm number'), 'algorithm numbers').default([]),
  }),
  router: mapping({
    target,
    tokenFile: path.optional(),
    tls: mapping({ ca: path, certificate: path.optional(), key: path.optional(), serverName: name.optional() }).optional(),
  }).refine(({ target: at, tls }) => at.startsWith('unix:') || tls !== undefined, { path: ['tls'], error: 'ca, since the router is reached by TCP' }),
  interval: duration(100, 600_000, '100ms to 10m').optional(),
  sources: mapping({
    linux: mapping({
      enabled: flag.default(true),
      interfaces: list(interfaceName, 'interface names').optional(),
      capacities: byKey(interfaceName, bandwidth, 'bandwidths by interface').default({}),
      filesystems: list(mapping({ path, ability: oneOf('block', 'file', 'object').default('file'), quality: oneOf('unknown', 'hdd', 'ssd', 'nvme', 'memory').default('unknown') }), 'file systems').default([]),
    }).prefault({}),
    nvidia: mapping({ enabled: flag.default(true), command: z.string().min(1).default('nvidia-smi'), timeout, cores: byKey(z.string(), integer(1, 1_000_000, 'cores'), 'cores by model').default({}) }).prefault({}),
    dcgm: list(mapping({ url, timeout, cores: byKey(z.string(), integer(1, 1_000_000, 'cores'), 'cores by model').default({}) }), 'exporters').default([]),
    prometheus: list(mapping({ url, timeout, queries: byKey(fieldName, z.string().min(1), 'queries by field') }), 'servers').default([]),
    scrape: list(mapping({ url, timeout, metrics: list(mapping({ field, metric: z.string().min(1), labels: byKey(z.string(), z.string(), 'label values').default({}), scale: z.number().default(1) }), 'metrics') }), 'exporters').default([]),
    files: list(path, 'absolute paths').default([]),
    runs: list(path, 'absolute paths').default([]),
  }).prefault({}),
  chips: list(chip, 'chips').default([]),
  capacity: byKey(
    z.string().refine((value) => /^(logical|parallel|neural) (mixed|cpu|gpu|dpu|npu|tpu|fpga)$/.test(value), { error: 'a class and a chip such as "parallel gpu"' }),
    operations,
    'operations per second by class and chip',
  ).default({}),
  services: list(serviceEntry, 'services').default([]),
  benchmark: mapping({ at: oneOf('start', 'never').default('never'), every: duration(60_000, 30 * 86_400_000, '1m to 720h').optional() }).prefault({}),
  log: mapping({ level: oneOf('trace', 'debug', 'info', 'warn', 'error').default('info') }).prefault({}),
});

export type AgentConfig = z.output<typeof schema>;
export type AgentService = AgentConfig['services'][number];

export type AgentConfigResult = { readonly ok: true; readonly config: AgentConfig } | { readonly ok: false; readonly errors: readonly ConfigError[] };

/** Checks the text of an agent's configuration; `file` is its name in messages. Never throws. */
export function parseAgentConfig(text: string, file = 'agent.yaml'): AgentConfigResult {
  const document = readDocument(schema, text, file);
  if (!document.ok) return document;
  const { value } = document;
  const errors: ConfigError[] = [];
  const seen = new Set<string>();
  value.services.forEach(({ service: id, address, serviceDelay }, index) => {
    if (seen.has(id)) errors.push(document.error(['services', index, 'service'], 'a service that no other entry has', `a second ${id}`));
    seen.add(id);
    if (id === address) errors.push(document.error(['services', index, 'address'], 'an address of the node itself, not the service ID'));
    if (parseIp(id)!.length !== parseIp(address)!.length) errors.push(document.error(['services', index, 'address'], `an address of the family of ${id}`));
    if (serviceDelay?.p99 !== undefined && serviceDelay.p99 < serviceDelay.mean) errors.push(document.error(['services', index, 'serviceDelay', 'p99'], 'at least the mean'));
  });
  return errors.length > 0 ? { ok: false, errors } : { ok: true, config: value };
}

/** Reads and checks a file. */
export function loadAgentConfig(file: string): AgentConfigResult {
  const read = readText(file);
  return read.ok ? parseAgentConfig(read.text, file) : read;
}

/** The classes that a demand may name. */
export const DEMAND_CLASSES = CLASSES.options;
