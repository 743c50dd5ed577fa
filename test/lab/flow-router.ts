/** A process that holds a KernelDataplane for the lab tests and benches: commands and answers are lines of JSON. */
import { createInterface } from 'node:readline';
import type { DataplaneOptions, PolicyBlockOwner, PolicyWrite } from '../../dataplane/dataplane.js';
import { KernelDataplane } from '../../dataplane/kernel.js';
import { decodeFlowKey } from '../../dataplane/packet/flow-key.js';
import { ENTRY_LOOPBACK, SERVICE_PREFIX, SERVICE_PREFIX_IPV4, SID_AGGREGATE, SID_BLOCK, type RouterOptions } from './flow-chain.js';

interface Command {
  readonly op: 'policies' | 'steer' | 'counters' | 'flows' | 'owner' | 'adopted' | 'status' | 'events' | 'reconfigure' | 'capabilities' | 'links' | 'clear' | 'busy' | 'close' | 'remove';
  readonly writes?: readonly PolicyWrite[];
  readonly policy?: number;
  readonly spread?: number;
  readonly block?: number;
  readonly owner?: PolicyBlockOwner;
  readonly options?: Partial<DataplaneOptions>;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as RouterOptions & { bpffs: string };

const options: DataplaneOptions = {
  sourceAddress: ENTRY_LOOPBACK,
  sidBlocks: [SID_BLOCK],
  domainSources: ['fd20::/64', SID_BLOCK],
  servicePrefixes: [SERVICE_PREFIX, SERVICE_PREFIX_IPV4],
  interfaces: { e0: settings.border ? 'core' : 'client', e1: 'core' },
  aggregateSids: settings.border ? [{ sid: SID_AGGREGATE, space: 'outward' }] : [],
  reduced: settings.reduced ?? false,
  requirementOption: 0x1e,
  flowIdleMs: settings.flowIdleMs ?? 60_000,
  maxFlows: settings.maxFlows ?? 131_072,
  maxNewFlows: settings.maxNewFlows ?? 65_536,
  puntLimits: {
    interfaceRate: settings.interfaceRate ?? 0,
    interfaceBurst: settings.interfaceBurst ?? 0,
    sourceRate: settings.sourceRate ?? 0,
    sourceBurst: settings.sourceBurst ?? 0,
  },
};

const dataplane = new KernelDataplane({ bpffs: settings.bpffs, log: (message) => process.stderr.write(`${message}\n`) });
const table = dataplane.flows;
let policy = -1;
let spread = 1;
let requirement: string | undefined;
let expired = 0;
const pathMtus: { policies: readonly number[]; mtu: number }[] = [];

table.onPunt((packet) => {
  if (packet.requirement) requirement = Buffer.from(packet.requirement).toString('hex');
  return spread > 1 ? policy + (((packet.key[32]! << 8) | packet.key[33]!) % spread) : policy;
});
table.onExpired((keys) => (expired += keys.length));
table.onPathMtu((policies, mtu) => pathMtus.push({ policies, mtu }));
await dataplane.open(options);

function flows(): unknown {
  const found: unknown[] = [];
  for (const batch of table.scanFlows()) {
    for (const { key, policy: pinned, packets, bytes } of batch) found.push({ ...decodeFlowKey(key), policy: pinned, packets: Number(packets), bytes: Number(bytes) });
  }
  return found;
}

function clear(): void {
  const keys: Uint8Array[] = [];
  for (const batch of table.scanFlows()) for (const { key } of batch) keys.push(key.slice());
  table.deleteFlows(keys);
}

async function handle(command: Command): Promise<unknown> {
  switch (command.op) {
    case 'policies':
      table.setPolicies(command.writes ?? []);
      return true;
    case 'steer':
      policy = command.policy ?? -1;
      spread = command.spread ?? 1;
      return true;
    case 'counters':
      return Object.fromEntries(Object.entries(table.counters()).map(([name, value]) => [name, Number(value)]));
    case 'flows':
      return flows();
    case 'owner':
      table.setBlockOwner(command.block ?? 0, command.owner);
      return true;
    case 'adopted':
      return table.adoptedBlocks();
    case 'status':
      return table.policyStatus(command.policy ?? 0) ?? null;
    case 'events':
      return { requirement, expired, pathMtus };
    case 'reconfigure':
      await dataplane.reconfigure({ ...options, ...command.options });
      return true;
    case 'capabilities':
      return dataplane.capabilities();
    case 'links':
      return dataplane.links();
    case 'clear':
      clear();
      return true;
    case 'busy':
      return process.cpuUsage();
    case 'close':
      await dataplane.close();
      return true;
    case 'remove':
      await dataplane.remove();
      return true;
  }
}

const say = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
say(true);
const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const command = JSON.parse(line) as Command;
  void handle(command).then((answer) => {
    say(answer);
    if (command.op === 'close' || command.op === 'remove') input.close();
  });
});
// Without its test it has no reason to be; what it programmed stays, as after a crash.
input.on('close', () => process.exit(0));
