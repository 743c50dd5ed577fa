/** A running network of the router tests: ways to ask its routers, its hosts and the kernels, and traffic. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report as ClientReport } from '../../../lab/tools/report.js';
import { Lab, waitFor, type ExecResult, type NodeProcess } from '../../../lab/index.js';
import { checkout } from '../../../lab/runner/checkout.js';
import type * as view from '../../../daemon/northbound/facade.js';
import { addIpv4 } from './ipv4.js';
import { RouterApi } from './router-api.js';
import { configurations, FRR_DAEMONS, frrConfiguration, ROUTERS, SERVICE, topology, yamlOf, type FileConfig, type RouterName } from './network.js';

export { LOOPBACK, SERVICE, sidOf, CLIENT, CLIENT2, END, END_X, REFLECTOR } from './network.js';
export type { RouterName } from './network.js';

const tool = (name: string): string => join(checkout, `dist/lab/tools/${name}.js`);
export const PORT = 8080;

let count = 0;

export class Network {
  readonly configurations = configurations();
  private readonly routers = new Map<string, RouterApi>();
  private readonly servers = new Map<string, NodeProcess>();
  private readonly folder = mkdtempSync(join(tmpdir(), 'routerlab-'));
  lab!: Lab;
  private ports = 20_000;

  /** Whether hosts and services have IPv4 addresses too (ipv4.ts). */
  private constructor(private readonly ipv4: boolean) {}

  /** Brings the network up, with the service on every node; ready when the entry sees all candidates with measured paths. */
  static async up({ ipv4 = false } = {}): Promise<Network> {
    const network = new Network(ipv4);
    if (ipv4) addIpv4(network.configurations);
    try {
      await network.start();
    } catch (error) {
      await network.down();
      throw error;
    }
    return network;
  }

  private async start(): Promise<void> {
    const file = join(this.folder, 'routers.clab.yml');
    writeFileSync(file, topology(`routerlab-${process.pid}-${count++}`, this.ipv4));
    writeFileSync(join(this.folder, 'daemons'), FRR_DAEMONS);
    writeFileSync(join(this.folder, 'frr.conf'), frrConfiguration(this.ipv4));
    for (const router of ROUTERS) this.write(router);
    this.lab = await Lab.up(file, { log: (line) => assert.ok(!line.startsWith('ERROR'), line) });
    for (const number of [0, 1, 2, 3]) await this.startServer(`node${number}`);
    await this.ready();
  }

  async ready(): Promise<void> {
    await waitFor(
      async () => {
        const main = await this.router('entry').candidates(SERVICE.main);
        const rest = await Promise.all([SERVICE.one, SERVICE.two, SERVICE.three, SERVICE.endX].map((service) => this.router('entry').feasible(service)));
        const seen = `${main.map(({ exit, pathDelayUs, reason }) => `${exit} ${pathDelayUs ?? 'not measured'} ${reason}`).join('; ')}; others ${rest.map(({ length }) => length).join(' ')}`;
        assert.ok(main.length === 3 && main.every(({ feasible, pathDelayUs }) => feasible && pathDelayUs !== undefined) && rest.every(({ length }) => length === 1), seen);
        return true;
      },
      { timeoutMs: 40_000, what: 'all candidates at the entry, with measured paths', intervalMs: 100 },
    );
  }

  async down(): Promise<void> {
    for (const router of this.routers.values()) router.close();
    // Absent when it never came up.
    await (this.lab as Lab | undefined)?.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Folder for files of a test; goes with the network. */
  path(name: string): string {
    return join(this.folder, name);
  }

  // ----- routers

  router(name: RouterName): RouterApi {
    let router = this.routers.get(name);
    if (!router) {
      router = new RouterApi(this.lab, name);
      this.routers.set(name, router);
    }
    return router;
  }

  /** cpnctl in a router's node, as an operator runs it. */
  cpnctl(router: RouterName, ...argv: string[]): Promise<ExecResult> {
    return this.lab.node(router).exec([process.execPath, join(checkout, 'dist/cli/cpnctl.js'), ...argv]);
  }

  /** Output of a cpnctl command that must succeed, as JSON. */
  async json<T>(router: RouterName, ...argv: string[]): Promise<T> {
    const { status, stdout, stderr } = await this.cpnctl(router, '--json', ...argv);
    assert.equal(status, 0, `cpnctl ${argv.join(' ')}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  private write(router: RouterName, text = yamlOf(this.configurations[router])): void {
    // In place: the node sees this file by a bind mount.
    writeFileSync(join(this.folder, `${router}.yaml`), text);
  }

  /** Rewrites a router's file; nothing is reloaded. */
  configure(router: RouterName, change: (config: FileConfig) => void): void {
    change(this.configurations[router]);
    this.write(router);
  }

  /** Puts any text into a router's file; `configure` overwrites it. */
  writeText(router: RouterName, text: string): void {
    this.write(router, text);
  }

  text(router: RouterName): string {
    return yamlOf(this.configurations[router]);
  }

  /** Rewrites and reloads, which must succeed. */
  async reload(router: RouterName, change: (config: FileConfig) => void): Promise<view.ConfigAnswer> {
    this.configure(router, change);
    const answer = await this.router(router).reload();
    assert.deepEqual(answer.problems, []);
    return answer;
  }

  /** Output of `ip` in a node. */
  ip(node: string, ...argv: string[]): Promise<string> {
    return this.lab.node(node).run(['ip', ...argv]);
  }

  /** Kernel routes of ours in a node, local ones too. */
  ours(node: string): Promise<string> {
    return this.ip(node, '-6', 'route', 'show', 'table', 'all', 'proto', '210');
  }

  // ----- traffic

  async startServer(node: string): Promise<void> {
    const server = await this.lab.node(node).spawn([process.execPath, tool('server'), '--address', '::', ...(this.ipv4 ? ['--address', '0.0.0.0'] : []), '--port', String(PORT), '--name', node, '--log', 'none']);
    this.servers.set(node, server);
    await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 10_000, what: `the service on ${node}` });
  }

  async stopServer(node: string): Promise<void> {
    await this.servers.get(node)!.stop('SIGKILL');
  }

  /** Source ports that no earlier traffic used: the first of `flows`. */
  freshPorts(flows = 1): number {
    const first = this.ports;
    this.ports += flows;
    return first;
  }

  /** Traffic from the client host to a service, on fresh source ports unless told; runs to its end. */
  async send(service: string, ...argv: string[]): Promise<ClientReport> {
    const client = await this.startClient(service, ...argv);
    await client.exited;
    assert.notEqual(client.stdout, '', `the client failed: ${client.stderr}`);
    return JSON.parse(client.stdout) as ClientReport;
  }

  startClient(service: string, ...argv: string[]): Promise<NodeProcess> {
    const flows = Number(argv[argv.indexOf('--flows') + 1] ?? 1) || 1;
    const ports = argv.includes('--source-port') ? [] : ['--source-port', String(this.freshPorts(flows))];
    return this.lab.node('client').spawn([process.execPath, tool('client'), '--to', service, '--port', String(PORT), '--timeout-ms', '1000', ...ports, ...argv]);
  }

  /** A client that sends until told to stop, with all its flows pinned when this returns. */
  async steady(service: string, flows: number, perSecond: number, ...argv: string[]): Promise<SteadyTraffic> {
    const first = this.freshPorts(flows);
    const client = await this.startClient(service, '--source-port', String(first), '--flows', String(flows), '--rate', String(perSecond), '--duration-s', '60', ...argv);
    const traffic = new SteadyTraffic(this, client, first, flows);
    await waitFor(async () => (await traffic.pinned()).size === flows, { timeoutMs: 10_000, what: `${flows} pinned flows`, intervalMs: 50 });
    return traffic;
  }
}

export class SteadyTraffic {
  constructor(
    private readonly network: Network,
    private readonly client: NodeProcess,
    private readonly first: number,
    private readonly count: number,
  ) {}

  /** Exit of each flow of this traffic, by source port. */
  async pinned(): Promise<Map<number, string>> {
    const flows = await this.network.router('entry').flows();
    const mine = flows.filter(({ sourcePort }) => sourcePort >= this.first && sourcePort < this.first + this.count);
    return new Map(mine.map(({ sourcePort, exit }) => [sourcePort, exit]));
  }

  /** Waits until every flow has sent some more packets. */
  async flowing(packets = 3): Promise<void> {
    const counts = async (): Promise<Map<number, bigint>> => new Map((await this.network.router('entry').flows()).map(({ sourcePort, packets: count }) => [sourcePort, count]));
    const before = await counts();
    const goesOn = async (): Promise<boolean> => {
      const now = await counts();
      return Array.from({ length: this.count }, (_, i) => this.first + i).every((port) => (now.get(port) ?? 0n) >= (before.get(port) ?? 0n) + BigInt(packets));
    };
    await waitFor(goesOn, { timeoutMs: 10_000, what: 'packets of every flow', intervalMs: 20 });
  }

  /** Waits until flows satisfy a condition and returns their exits. */
  async until(what: string, condition: (exits: Map<number, string>) => boolean, timeoutMs = 5000): Promise<Map<number, string>> {
    return waitFor(
      async () => {
        const exits = await this.pinned();
        return condition(exits) && exits;
      },
      { timeoutMs, what, intervalMs: 20 },
    );
  }

  async stop(): Promise<ClientReport> {
    this.client.kill('SIGINT');
    await this.client.exited;
    assert.notEqual(this.client.stdout, '', `the client failed: ${this.client.stderr}`);
    return JSON.parse(this.client.stdout) as ClientReport;
  }
}

/** Load as `update` takes it. */
export const load = (utilisationPercent: number, queueLength = 0): Pick<view.InstanceUpdate, 'load'> => ({
  load: { utilisation: utilisationPercent * 100, queueLength, activeFlows: undefined },
});

export const onExit = (exits: ReadonlyMap<number, string>, exit: string): number[] => [...exits].filter(([, each]) => each === exit).map(([port]) => port);
