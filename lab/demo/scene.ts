/** The running demonstration network: short ways to ask its routers, its nodes and the kernel. */
import { join } from 'node:path';
import { checkout } from '../runner/checkout.js';
import type { Lab, NodeProcess } from '../index.js';
import { waitFor } from '../index.js';
import type { Report as ClientReport } from '../tools/report.js';

export const SERVICE = '2001:db8:5e::1';
export const PORT = 8080;
export const topologyFile = join(checkout, 'containerlab/demo/demo.clab.yml');

export interface CandidateJson {
  readonly exit: string;
  readonly instance: number;
  readonly sid: string;
  readonly source: string;
  readonly serviceDelayUs: number | null;
  readonly pathDelayUs: number | null;
  readonly feasible: boolean;
  readonly best: boolean;
  readonly weight: number;
}

export interface FlowJson {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly exit: string;
  readonly policy: number;
  readonly packets: string | number;
}

const tool = (name: string): string => join(checkout, `dist/lab/tools/${name}.js`);
const cpnctlFile = join(checkout, 'dist/cli/cpnctl.js');

export class Scene {
  readonly servers = new Map<string, NodeProcess>();

  constructor(readonly lab: Lab) {}

  /** Text of a cpnctl command on a router. */
  cpnctl(node: string, ...argv: string[]): Promise<string> {
    return this.lab.node(node).run([process.execPath, cpnctlFile, ...argv]);
  }

  async json<T>(node: string, ...argv: string[]): Promise<T> {
    return JSON.parse(await this.cpnctl(node, '--json', ...argv)) as T;
  }

  /** Candidates of the demo's service as the entry router sees them. */
  async candidates(): Promise<readonly CandidateJson[]> {
    const [entry] = await this.json<{ candidates: CandidateJson[] }[]>('entry', 'show', 'computing', 'rib', SERVICE);
    return entry?.candidates ?? [];
  }

  async flows(): Promise<readonly FlowJson[]> {
    return this.json<FlowJson[]>('entry', 'show', 'flows', '--limit', '0');
  }

  /** A counter of the entry router's dataplane. */
  async counter(name: string): Promise<number> {
    const { counters } = await this.json<{ counters: Record<string, string | number> }>('entry', 'show', 'status');
    const value = counters[name];
    if (value === undefined) throw new Error(`show status has no counter ${name}: ${Object.keys(counters).join(', ')}`);
    return Number(value);
  }

  /** Starts the service of the three computing nodes; each logs what it answers. */
  async startServers(): Promise<void> {
    for (const name of ['node1', 'node2', 'node3']) {
      const server = await this.lab.node(name).spawn([process.execPath, tool('server'), '--address', '::', '--port', String(PORT), '--name', name, '--log', 'requests']);
      this.servers.set(name, server);
      await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 10_000, what: `the service on ${name}` });
    }
  }

  /** Source ports whose requests a node's own log has, health checks left out. */
  answeredBy(node: string, protocol: 'tcp' | 'udp'): Set<number> {
    const ports = new Set<number>();
    for (const line of this.servers.get(node)!.stdout.split('\n')) {
      if (!line.includes('"request"')) continue;
      const entry = JSON.parse(line) as { protocol: string; source: string; sourcePort: number };
      if (entry.protocol === protocol && entry.source === '2001:db8:c::2') ports.add(entry.sourcePort);
    }
    return ports;
  }

  startClient(...argv: string[]): Promise<NodeProcess> {
    return this.lab.node('client').spawn([process.execPath, tool('client'), '--to', SERVICE, '--port', String(PORT), ...argv]);
  }

  /** Runs the client tool to its end; a run in which nothing is answered reports so too. */
  async client(...argv: string[]): Promise<ClientReport> {
    const { stdout, stderr } = await this.lab.node('client').exec([process.execPath, tool('client'), '--to', SERVICE, '--port', String(PORT), ...argv]);
    if (stdout === '') throw new Error(`the client failed: ${stderr}`);
    return JSON.parse(stdout) as ClientReport;
  }
}
