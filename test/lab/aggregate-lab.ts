/**
 * The network of the tests of border routers:
 *
 *   client -- entry -- border -- x1 -- node1
 *                      |  |  `-- x2 -- node2
 *                   node0
 *
 * Entry and border speak BGP; x1 and x2 are inside the edge network of the border, and the entry has no route to them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Lab, waitFor, type NodeProcess } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import type { Report } from '../../lab/tools/report.js';
import type { Heard } from './border-router.js';
import { RouterApi } from './router-lab/router-api.js';

export const LOOPBACK = { entry: 'fc00:0:1::1', border: 'fc00:0:2::1', x1: 'fc00:0:11::1', x2: 'fc00:0:12::1' } as const;
export type Name = keyof typeof LOOPBACK;
const NUMBER: Readonly<Record<Name, number>> = { entry: 1, border: 2, x1: 11, x2: 12 };
/** The SID that the outside is told. */
export const OUTWARD = 'fcbb:bb00:2:3::';
export const CLIENT = '2001:db8:c::2';
/** `inner` and `ipv4` have instances at x1 (1, 41) and x2 (2, 42), `local` at the border (9), `none` nowhere. */
export const SERVICE = { inner: '2001:db8:5e::1', local: '2001:db8:5e::9', none: '2001:db8:5e::ff', ipv4: '198.51.100.1' } as const;
export const sidOf = (router: Name, instance: number): string => `fcbb:bb00:${NUMBER[router]}:${(0xe000 + instance).toString(16)}::`;

const PORT = 8080;
const tool = (name: string): string => join(checkout, `dist/lab/tools/${name}.js`);

function configuration(name: Name, more: object, cpn: object, interfaces: Readonly<Record<string, readonly [role: string, ...addresses: string[]]>>, routes: Readonly<Record<string, string>>): object {
  const number = NUMBER[name];
  return {
    router: { name, id: `10.255.0.${number}`, loopback: LOOPBACK[name], locator: `fcbb:bb00:${number}::/48`, sidBlocks: ['fcbb:bb00::/32'], domainSources: ['fc00::/32'] },
    interfaces: Object.fromEntries(Object.entries(interfaces).map(([device, [role, ...addresses]]) => [device, { role, addresses }])),
    static: Object.entries(routes).map(([prefix, via]) => ({ prefix, via })),
    // Probes are answered by daemons, one of which is stopped to see what the kernel does alone.
    cpn: { servicePrefixes: ['2001:db8:5e::/48', '198.51.100.0/24'], stamp: { enabled: false }, announce: { minInterval: '100ms' }, ...cpn },
    ...more,
  };
}

const instance = (service: string, id: number, node: string, iface: string): object => ({ service, id, node: { address: node, interface: iface }, serviceRate: 5000, serviceDelay: { mean: '50ms', p99: '100ms' } });
const neighbor = (address: string): object => ({ bgp: { as: 65000, neighbors: [{ address, as: 65000, cpn: true, connectRetry: '1s' }] } });

function inner(name: 'x1' | 'x2', number: 1 | 2): object {
  const link = `2001:db8:0:${number + 1}:`;
  const cpn = { instances: [instance(SERVICE.inner, number, `2001:db8:b:${number}::2`, 'eth2'), instance(SERVICE.ipv4, 40 + number, `10.1.${number}.2`, 'eth2')] };
  const interfaces = { eth1: ['core', `${link}:2/64`], eth2: ['node', `2001:db8:b:${number}::1/64`, `10.1.${number}.1/24`] } as const;
  return configuration(name, {}, cpn, interfaces, { '2001:db8:c::/64': `${link}:1`, '10.0.0.0/24': `${link}:1`, [`${LOOPBACK.border}/128`]: `${link}:1` });
}

function configurations(): Record<Name, object> {
  const toEntry = '2001:db8:0:1::1';
  return {
    entry: configuration(
      'entry',
      neighbor(LOOPBACK.border),
      {},
      { eth1: ['client', '2001:db8:c::1/64', '10.0.0.1/24'], eth2: ['core', `${toEntry}/64`] },
      { [`${LOOPBACK.border}/128`]: '2001:db8:0:1::2', 'fcbb:bb00:2::/48': '2001:db8:0:1::2' },
    ),
    border: configuration(
      'border',
      { ...neighbor(LOOPBACK.entry), hierarchy: { outward: { threshold: 0.1, minInterval: '100ms' } } },
      { instances: [instance(SERVICE.local, 9, '2001:db8:b::2', 'eth4')] },
      { eth1: ['core', '2001:db8:0:1::2/64'], eth2: ['core', '2001:db8:0:2::1/64'], eth3: ['core', '2001:db8:0:3::1/64'], eth4: ['node', '2001:db8:b::1/64'] },
      {
        [`${LOOPBACK.entry}/128`]: toEntry,
        '2001:db8:c::/64': toEntry,
        '10.0.0.0/24': toEntry,
        [`${LOOPBACK.x1}/128`]: '2001:db8:0:2::2',
        'fcbb:bb00:11::/48': '2001:db8:0:2::2',
        [`${LOOPBACK.x2}/128`]: '2001:db8:0:3::2',
        'fcbb:bb00:12::/48': '2001:db8:0:3::2',
      },
    ),
    x1: inner('x1', 1),
    x2: inner('x2', 2),
  };
}

const address = (text: string, device: string): string => (text.includes(':') ? `ip -6 address add ${text} dev ${device} nodad` : `ip address add ${text} dev ${device}`);

function node(number: 0 | 1 | 2): string[] {
  const link = number === 0 ? '2001:db8:b:' : `2001:db8:b:${number}:`;
  const ipv4 = number === 0 ? [] : [address(`10.1.${number}.2/24`, 'eth1'), `ip route add default via 10.1.${number}.1`, address(`${SERVICE.ipv4}/32`, 'lo')];
  return [address(`${link}:2/64`, 'eth1'), `ip -6 route add default via ${link}:1`, address(`${SERVICE.inner}/128`, 'lo'), address(`${SERVICE.local}/128`, 'lo'), ...ipv4];
}

function topology(name: string): string {
  const nodes: Record<string, object> = {
    client: { exec: [address(`${CLIENT}/64`, 'eth1'), address('10.0.0.2/24', 'eth1'), 'ip -6 route add default via 2001:db8:c::1', 'ip route add default via 10.0.0.1'] },
    // Its router is started by the test.
    border: { binds: ['border.yaml:/etc/cpn/cpnd.yaml:ro'] },
  };
  for (const router of ['entry', 'x1', 'x2']) nodes[router] = { image: 'cpn/router:latest', binds: [`${router}.yaml:/etc/cpn/cpnd.yaml:ro`] };
  for (const number of [0, 1, 2] as const) nodes[`node${number}`] = { exec: node(number) };
  const links = ['client:eth1 entry:eth1', 'entry:eth2 border:eth1', 'border:eth2 x1:eth1', 'border:eth3 x2:eth1', 'border:eth4 node0:eth1', 'x1:eth2 node1:eth1', 'x2:eth2 node2:eth1'];
  return stringify({ name, topology: { defaults: { kind: 'linux', image: 'cpn/node:latest' }, nodes, links: links.map((text) => ({ endpoints: text.split(' '), mtu: 1500 })) } });
}

export class AggregateLab {
  lab!: Lab;
  private border!: NodeProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), 'aggregatelab-'));
  private readonly apis = new Map<Name, RouterApi>();
  private readonly files = configurations();
  private ports = 20_000;

  static async up(): Promise<AggregateLab> {
    const network = new AggregateLab();
    try {
      await network.start();
    } catch (error) {
      await network.down();
      throw error;
    }
    return network;
  }

  private async start(): Promise<void> {
    const file = join(this.folder, 'border.clab.yml');
    writeFileSync(file, topology(`aggregatelab-${process.pid}`));
    for (const [name, config] of Object.entries(this.files)) writeFileSync(join(this.folder, `${name}.yaml`), stringify(config));
    this.lab = await Lab.up(file, { log: (line) => assert.ok(!line.startsWith('ERROR'), line) });
    await this.startBorder();
    for (const name of ['node0', 'node1', 'node2']) {
      const server = await this.lab.node(name).spawn([process.execPath, tool('server'), '--address', '::', '--address', '0.0.0.0', '--port', String(PORT), '--name', name, '--log', 'none']);
      await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 10_000, what: `the service on ${name}` });
    }
    await this.settled();
  }

  /** The entry has a candidate of each service. */
  async settled(): Promise<void> {
    const services = [SERVICE.inner, SERVICE.ipv4, SERVICE.local];
    await waitFor(async () => (await Promise.all(services.map((service) => this.api('entry').feasible(service)))).every(({ length }) => length === 1), { timeoutMs: 20_000, what: 'candidates at the entry', intervalMs: 50 });
  }

  async down(): Promise<void> {
    for (const api of this.apis.values()) api.close();
    // Absent when it never came up.
    await (this.lab as Lab | undefined)?.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async startBorder(): Promise<void> {
    const { lab } = this;
    this.border = await lab.node('border').spawn([process.execPath, join(checkout, 'dist/test/lab/border-router.js'), '/etc/cpn/cpnd.yaml']);
    await waitFor(() => this.border.stdout.includes('started'), { timeoutMs: 10_000, what: `the border: ${this.border.stderr}` });
    for (const number of [1, 2] as const) this.hear(number);
  }

  /** What is inside an inner exit is told the border, or withdrawn. */
  hear(number: 1 | 2, present = true): void {
    const name = `x${number}` as const;
    for (const [service, id] of [[SERVICE.inner, number], [SERVICE.ipv4, 40 + number]] as const) {
      const heard: Heard = { exit: LOOPBACK[name], service, instances: present ? [{ id, sid: sidOf(name, id) }] : [] };
      this.border.write(`${JSON.stringify(heard)}\n`);
    }
  }

  signalBorder(signal: NodeJS.Signals): void {
    assert.ok(this.border.kill(signal));
  }

  stopBorder(signal: NodeJS.Signals): Promise<number> {
    return this.border.stop(signal);
  }

  api(name: Name): RouterApi {
    let api = this.apis.get(name);
    if (!api) {
      api = new RouterApi(this.lab, name);
      this.apis.set(name, api);
    }
    return api;
  }

  /** Rewrites a router's file and reloads it. */
  async reload(name: Name, change: object): Promise<void> {
    Object.assign(this.files[name], change);
    writeFileSync(join(this.folder, `${name}.yaml`), stringify(this.files[name]));
    assert.deepEqual((await this.api(name).reload()).problems, []);
  }

  freshPorts(flows = 1): number {
    const first = this.ports;
    this.ports += flows;
    return first;
  }

  startClient(service: string, ...argv: string[]): Promise<NodeProcess> {
    return this.lab.node('client').spawn([process.execPath, tool('client'), '--to', service, '--port', String(PORT), '--timeout-ms', '1000', ...argv]);
  }

  async send(service: string, ...argv: string[]): Promise<Report> {
    const client = await this.startClient(service, ...argv);
    await client.exited;
    assert.notEqual(client.stdout, '', `the client failed: ${client.stderr}`);
    return JSON.parse(client.stdout) as Report;
  }
}
