/** `inspect`: what runs, as a table or as JSON. */
import Table from 'cli-table3';
import type { Lab } from '../lab.js';
import type { LabNode } from '../runner/node.js';
import { isRunning } from '../runner/processes.js';

interface InterfaceView {
  readonly name: string;
  readonly state: string;
  readonly mac: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
}

interface NodeView {
  readonly name: string;
  readonly kind: string;
  readonly image: string;
  readonly state: 'running' | 'exited';
  readonly pid: number;
  readonly daemons: readonly { readonly name: string; readonly pid: number; readonly state: 'running' | 'exited'; readonly log: string }[];
  readonly interfaces: readonly InterfaceView[];
}

interface IpAddress {
  readonly ifname: string;
  readonly operstate: string;
  readonly address?: string;
  readonly mtu: number;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

async function viewNode(node: LabNode): Promise<NodeView> {
  const running = isRunning(node.init);
  const links = running ? (JSON.parse(await node.run(['ip', '-json', 'address', 'show'])) as IpAddress[]) : [];
  return {
    name: node.name,
    kind: node.definition.kind,
    image: node.definition.image,
    state: running ? 'running' : 'exited',
    pid: node.init.pid,
    daemons: node.daemons.map((daemon) => ({
      name: daemon.name,
      pid: daemon.pid,
      state: daemon.running ? 'running' : 'exited',
      log: node.state.logFile(node.name, daemon.name),
    })),
    interfaces: links.map((link) => ({
      name: link.ifname,
      state: link.operstate.toLowerCase(),
      mac: link.address ?? '',
      mtu: link.mtu,
      addresses: (link.addr_info ?? []).flatMap((a) => (a.local === undefined ? [] : [`${a.local}/${a.prefixlen ?? 0}`])),
    })),
  };
}

export async function inspect(lab: Lab, json: boolean): Promise<string> {
  const nodes = await Promise.all(lab.nodeNames.map((name) => viewNode(lab.node(name))));
  // Nodes are worth a look also where the wire process died.
  const status = await lab.links().catch(() => undefined);
  const links = lab.topology.links.map((link, i) => ({
    endpoints: link.endpoints.map((e) => `${e.node}:${e.interface}`),
    mtu: link.mtu,
    state: status ? (status[i]!.up ? 'up' : 'down') : 'unknown',
    directions: status?.[i]!.directions,
  }));
  if (json) return `${JSON.stringify({ name: lab.name, file: lab.topology.file, nodes, links }, null, 2)}\n`;
  const table = new Table({ head: ['Name', 'Kind', 'Image', 'State', 'Pid', 'Daemons', 'Interfaces'], style: { head: [], border: [] } });
  for (const node of nodes) {
    table.push([
      node.name,
      node.kind,
      node.image,
      node.state,
      node.pid,
      node.daemons.map((d) => `${d.name} ${d.state}`).join('\n'),
      node.interfaces.map((i) => `${i.name} ${i.state === 'unknown' ? 'up' : i.state} ${i.addresses.filter((a) => !a.startsWith('fe80:')).join(' ')}`.trimEnd()).join('\n'),
    ]);
  }
  return `${table.toString()}\n`;
}
