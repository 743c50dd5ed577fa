/** Brings a topology up: namespaces, links, sysctls, programs, exec lines. */
import { setTimeout as sleep } from 'node:timers/promises';
import { splitWords } from '../topology/words.js';
import { startWire } from '../wire/client.js';
import { checkout } from './checkout.js';
import { imageFor } from './images/index.js';
import { startInit } from './init.js';
import { makeLinks } from './links.js';
import { LabNode } from './node.js';
import { LabError, type LabRecord, type LabState } from './state.js';

export type Log = (line: string) => void;

/** Keys outside net. belong to the host, whose settings a lab leaves alone. */
async function setSysctls(node: LabNode, final: boolean, log: Log): Promise<void> {
  const settings = Object.entries(node.definition.sysctls);
  if (settings.length === 0) return;
  const input = settings.map(([key, value]) => `${key.replaceAll('/', '.')} ${value}`).join('\n');
  const script = 'while read -r key value; do path=/proc/sys/$(printf %s "$key" | tr . /); { printf %s "$value" > "$path"; } 2>/dev/null || echo "$key"; done';
  const refused = (await node.run(['sh', '-c', script], { input: `${input}\n` })).split('\n').filter((key) => key !== '');
  if (!final) return;
  for (const key of refused) {
    log(`ERROR node ${node.name}: sysctl ${key} cannot be set${key.startsWith('net.') ? '' : ': only net.* belongs to a node'}`);
  }
}

async function runExecLines(node: LabNode, log: Log): Promise<void> {
  for (const line of node.definition.exec) {
    const words = splitWords(line) ?? [];
    if (words.length === 0) continue;
    const result = await node.exec(words);
    // As containerlab: said, and no reason to stop.
    if (result.status !== 0) log(`ERROR node ${node.name}: exec "${line}": exit status ${result.status}: ${(result.stderr || result.stdout).trim()}`);
  }
}

/** Starts what the node's image stands for; again after its processes were killed. */
export async function startPrograms(node: LabNode): Promise<void> {
  const image = imageFor(node.definition.image);
  if (!image) return;
  if (node.definition.startupDelay > 0) await sleep(node.definition.startupDelay * 1000);
  await image.start(node);
}

/** First faults win; the others of a parallel step are still waited for, so that nothing is being made while the caller cleans up. */
async function all(tasks: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Makes everything; on a fault the caller takes down what is there. */
export async function bringUp(state: LabState, record: LabRecord, log: Log): Promise<void> {
  const { topology } = record;
  const nodes = new Map<string, LabNode>();
  await all([
    startWire(state),
    ...[...topology.nodes.values()].map(async (definition) => {
      const environment = { CLAB_INTFS: String(topology.links.flatMap((l) => l.endpoints).filter((e) => e.node === definition.name).length), ...definition.env };
      nodes.set(definition.name, new LabNode(state, { ...definition, env: environment }, await startInit(state, definition, checkout)));
    }),
  ]);
  const wire = state.readWire();
  if (!wire) throw new LabError('the wire process ended');
  await all([...nodes.values()].map((node) => setSysctls(node, false, log)));
  await makeLinks(state, topology, wire, nodes);
  await all([...nodes.values()].map((node) => setSysctls(node, true, log)));
  await all([...nodes.values()].map((node) => startPrograms(node)));
  await all([...nodes.values()].map((node) => runExecLines(node, log)));
  for (const node of nodes.values()) {
    for (const daemon of node.daemons) {
      if (!daemon.running) log(`ERROR node ${node.name}: ${daemon.name} ended: ${daemon.log.trim().split('\n').slice(-5).join('\n')}`);
    }
  }
  state.writeLab({ ...record, complete: true });
}
