/** Makes the links of a topology: per link two veth pairs that meet in the wire namespace, with the outer ends in the nodes. */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { isImpaired, type Topology } from '../topology/topology.js';
import { askWire } from '../wire/client.js';
import { wireEnd } from '../wire/protocol.js';
import type { LabNode } from './node.js';
import type { ProcessRef } from './processes.js';
import { LabError, type LabState } from './state.js';

const run = promisify(execFile);

/** Runs `ip -batch` in a network namespace. */
export async function ipBatch(namespace: ProcessRef, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const child = spawn('nsenter', ['-t', String(namespace.pid), '-n', '--', 'ip', '-batch', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${lines.join('\n')}\n`);
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status === 0) return;
  const failed = /-:(\d+)/.exec(errors)?.[1];
  throw new LabError(`ip ${failed === undefined ? '-batch' : (lines[Number(failed) - 1] ?? '')}: ${errors.trim()}`);
}


/**
 * Checksums and segmentation by the sender's stack (false) or left to the device (true). A delay line carries frames as they would be on a
 * wire: a checksum left to a device that never computes it would look wrong to receivers and captures.
 */
export async function setOffloads(namespace: ProcessRef, name: string, on: boolean): Promise<void> {
  try {
    await run('nsenter', ['-t', String(namespace.pid), '-n', '--', 'ethtool', '-K', name, 'tx', on ? 'on' : 'off']);
  } catch (error) {
    throw new LabError(`ethtool -K ${name}: ${error instanceof Error ? error.message : String(error)} (impaired links need the Debian package ethtool)`);
  }
}

/**
 * Interface indices of the wire's ends: none that a node's interface has. Linux takes ends of the same index for a physical port, and reports changes of its carrier at
 * most once a second (net/core/link_watch.c).
 */
const FIRST_INDEX = 1000;

export async function makeLinks(state: LabState, topology: Topology, wire: ProcessRef, nodes: ReadonlyMap<string, LabNode>): Promise<void> {
  const inner: string[] = [];
  const outer = new Map<string, string[]>([...nodes.keys()].map((name) => [name, []]));
  for (const [i, link] of topology.links.entries()) {
    for (const end of [0, 1] as const) {
      const endpoint = link.endpoints[end];
      const pid = nodes.get(endpoint.node)!.init.pid;
      inner.push(`link add name ${wireEnd(i, end)} index ${FIRST_INDEX + 2 * i + end} mtu ${link.mtu} type veth peer name ${endpoint.interface} mtu ${link.mtu} address ${endpoint.mac} netns ${pid}`);
      outer.get(endpoint.node)!.push(`link set ${endpoint.interface} up`, ...endpoint.addresses.map((address) => `address add ${address} dev ${endpoint.interface}`));
    }
  }
  await ipBatch(wire, inner);
  for (const link of topology.links.filter((l) => isImpaired(l.impairment))) {
    for (const endpoint of link.endpoints) await setOffloads(nodes.get(endpoint.node)!.init, endpoint.interface, false);
  }
  await askWire(state, { op: 'join', links: topology.links.map(({ impairment }) => ({ impairment })) });
  for (const [name, lines] of outer) {
    const { definition } = nodes.get(name)!;
    if (definition.kind !== 'bridge') continue;
    const ports = topology.links.flatMap((link) => link.endpoints.filter((e) => e.node === name).map((e) => e.interface));
    lines.unshift('link add br0 type bridge', ...ports.map((port) => `link set ${port} master br0`), 'link set br0 up');
  }
  await Promise.all([...outer].map(([name, lines]) => ipBatch(nodes.get(name)!.init, lines)));
  // Carrier last and on both ends of a link together, as when a cable is plugged in.
  await askWire(state, { op: 'carrier', links: [...topology.links.keys()], up: true });
}
