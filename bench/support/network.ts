/**
 * A network for benches of the whole daemon, made on the lab: clients, an entry router, exit routers with a computing node each, all routers running
 * cpnd, iBGP between the entry and every exit, no delays.
 *
 *     client  2001:db8:c:1::2 --- eth1 ENTRY eth11 --- eth1 EXIT1 eth2 --- 2001:db8:b:1::2 node1, which owns the service address
 *     client2 2001:db8:c:2::2 --- eth2       eth12 --- eth1 EXIT2 eth2 --- 2001:db8:b:2::2 node2 ...
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Lab, waitFor, type NodeProcess } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { LineProcess } from './line-process.js';

export const SERVICE = '2001:db8:5e::1';
export const SERVICE_PREFIX = '2001:db8:5e::/48';
export const ENTRY = 'fc00:0:1::1';

/** Loopback of an exit, 1 for the first. */
export const exitAddress = (exit: number): string => `fc00:0:1${exit}::1`;
export const clientAddress = (client: number): string => `2001:db8:c:${client}::2`;
const SID_BLOCK = 'fcbb:bb00::/32';

export interface NetworkOptions {
  readonly clients?: number;
  /** Requests a second that the instance behind each exit states: flows are spread in proportion. */
  readonly serviceRates: readonly number[];
  /** Instances announced by every exit: so many services from SERVICE on. */
  readonly services?: number;
  /** Section `dataplane` of the entry's configuration. */
  readonly dataplane?: Readonly<Record<string, unknown>>;
  readonly holdTime?: string;
  /** Exits are plain hosts, on which the bench runs what it wants. */
  readonly plainExits?: boolean;
}

export interface Candidate {
  readonly exit: string;
  readonly pathDelayUs: number | null;
  readonly feasible: boolean;
  readonly weight: number;
}

export interface FibPolicy {
  readonly id: number;
  readonly exit: string;
  readonly segments: readonly string[];
  readonly weight: number;
}

export interface Flow {
  readonly source: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly exit: string;
  readonly policy: number;
  readonly packets: string | number;
}

/** Address of the i-th service, 0 for SERVICE. */
export const serviceAddress = (index: number): string => `2001:db8:5e::${(index + 1).toString(16)}`;

const routerConfig = (name: string, id: string, loopback: string, locator: string): object => ({
  name,
  id,
  loopback,
  locator,
  sidBlocks: [SID_BLOCK],
  domainSources: ['fc00::/32'],
});

function entryConfig(options: NetworkOptions): object {
  const exits = options.serviceRates.map((_, i) => i + 1);
  const clients = Array.from({ length: options.clients ?? 1 }, (_, i) => i + 1);
  return {
    router: routerConfig('entry', '10.0.0.1', ENTRY, 'fcbb:bb00:1::/48'),
    interfaces: {
      ...Object.fromEntries(clients.map((n) => [`eth${n}`, { role: 'client', addresses: [`2001:db8:c:${n}::1/64`] }])),
      ...Object.fromEntries(exits.map((n) => [`eth1${n}`, { role: 'core', addresses: [`2001:db8:0:${n}::1/64`] }])),
    },
    static: exits.flatMap((n) => [exitAddress(n) + '/128', `fcbb:bb00:1${n}::/48`].map((prefix) => ({ prefix, via: `2001:db8:0:${n}::2` }))),
    bgp: {
      as: 65000,
      networks: clients.map((n) => `2001:db8:c:${n}::/64`),
      neighbors: exits.map((n) => ({ address: exitAddress(n), as: 65000, cpn: true, ...(options.holdTime === undefined ? {} : { holdTime: options.holdTime }) })),
    },
    cpn: { servicePrefixes: [SERVICE_PREFIX] },
    dataplane: options.dataplane ?? {},
  };
}

function exitConfig(n: number, options: NetworkOptions): object {
  const via = `2001:db8:0:${n}::1`;
  const instances = Array.from({ length: options.services ?? 1 }, (_, i) => ({
    service: serviceAddress(i),
    id: i + 1,
    node: { address: `2001:db8:b:${n}::2`, interface: 'eth2' },
    computing: [{ class: 'parallel', chip: 'gpu', total: '1e13' }],
    serviceRate: options.serviceRates[n - 1],
    // Long against what the round trip varies by on a busy machine: the spread is to follow the rates.
    serviceDelay: { mean: '50ms', p99: '90ms' },
    queueCapacity: 100_000,
  }));
  return {
    router: routerConfig(`exit${n}`, `10.0.0.1${n}`, exitAddress(n), `fcbb:bb00:1${n}::/48`),
    interfaces: {
      eth1: { role: 'core', addresses: [`2001:db8:0:${n}::2/64`] },
      eth2: { role: 'node', addresses: [`2001:db8:b:${n}::1/64`] },
    },
    static: [`${ENTRY}/128`, 'fcbb:bb00:1::/48'].map((prefix) => ({ prefix, via })),
    bgp: {
      as: 65000,
      networks: [`2001:db8:b:${n}::/64`],
      neighbors: [{ address: ENTRY, as: 65000, cpn: true, ...(options.holdTime === undefined ? {} : { holdTime: options.holdTime }) }],
    },
    cpn: { servicePrefixes: [SERVICE_PREFIX], instances },
  };
}

function topology(name: string, options: NetworkOptions): object {
  const exits = options.serviceRates.map((_, i) => i + 1);
  const clients = Array.from({ length: options.clients ?? 1 }, (_, i) => i + 1);
  const router = (node: string): object => ({ kind: 'linux', image: 'cpn/router:latest', binds: [`${node}.yaml:/etc/cpn/cpnd.yaml:ro`] });
  const host = (exec: readonly string[]): object => ({ kind: 'linux', image: 'cpn/node:latest', exec });
  const clientName = (n: number): string => (n === 1 ? 'client' : `client${n}`);
  const plainExit = (n: number): object =>
    host([
      `ip -6 address add 2001:db8:0:${n}::2/64 dev eth1 nodad`,
      `ip -6 address add ${exitAddress(n)}/128 dev lo nodad`,
      `ip -6 route add default via 2001:db8:0:${n}::1`,
    ]);
  return {
    name,
    topology: {
      nodes: {
        entry: router('entry'),
        ...Object.fromEntries(
          clients.map((n) => [clientName(n), host([`ip -6 address add ${clientAddress(n)}/64 dev eth1 nodad`, `ip -6 route add default via 2001:db8:c:${n}::1`])]),
        ),
        ...Object.fromEntries(exits.map((n) => [`exit${n}`, options.plainExits === true ? plainExit(n) : router(`exit${n}`)])),
        ...(options.plainExits === true
          ? {}
          : Object.fromEntries(
              exits.map((n) => [
                `node${n}`,
                host([
                  `ip -6 address add 2001:db8:b:${n}::2/64 dev eth1 nodad`,
                  `ip -6 route add default via 2001:db8:b:${n}::1`,
                  `ip -6 address add ${SERVICE}/128 dev lo nodad`,
                ]),
              ]),
            )),
      },
      links: [
        ...clients.map((n) => ({ endpoints: [`${clientName(n)}:eth1`, `entry:eth${n}`] })),
        ...exits.map((n) => ({ endpoints: [`entry:eth1${n}`, `exit${n}:eth1`] })),
        ...(options.plainExits === true ? [] : exits.map((n) => ({ endpoints: [`exit${n}:eth2`, `node${n}:eth1`] }))),
      ],
    },
  };
}

export class BenchNetwork {
  private constructor(
    readonly lab: Lab,
    private readonly folder: string,
    private readonly exits: number,
  ) {}

  /** Brings the network up. The caller takes it down, whatever happens in between. */
  static async up(name: string, options: NetworkOptions): Promise<BenchNetwork> {
    const folder = mkdtempSync(join(tmpdir(), `cpn-bench-${name}-`));
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'bench.clab.yml');
    writeFileSync(file, stringify(topology(`bench-${name}-${process.pid}`, options)));
    writeFileSync(join(folder, 'entry.yaml'), stringify(entryConfig(options)));
    if (options.plainExits !== true) options.serviceRates.forEach((_, i) => writeFileSync(join(folder, `exit${i + 1}.yaml`), stringify(exitConfig(i + 1, options))));
    try {
      return new BenchNetwork(await Lab.up(file), folder, options.serviceRates.length);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async down(): Promise<void> {
    await this.lab.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A cpnctl command on the entry router, its answer as JSON. */
  async cpnctl<T>(...argv: string[]): Promise<T> {
    const text = await this.lab.node('entry').run([process.execPath, join(checkout, 'dist/cli/cpnctl.js'), '--json', ...argv]);
    return JSON.parse(text) as T;
  }

  /** Candidates of SERVICE, once every exit is feasible and measured. */
  async ready(): Promise<readonly Candidate[]> {
    return waitFor(
      async () => {
        const [rib] = await this.cpnctl<{ candidates: Candidate[] }[]>('show', 'computing', 'rib', SERVICE);
        const candidates = rib?.candidates ?? [];
        return candidates.length === this.exits && candidates.every(({ feasible, pathDelayUs }) => feasible && pathDelayUs !== null) && candidates;
      },
      { timeoutMs: 30_000, what: `${this.exits} feasible candidates`, intervalMs: 300 },
    );
  }

  async counters(): Promise<Record<string, number>> {
    const { counters } = await this.cpnctl<{ counters: Record<string, string | number> }>('show', 'status');
    return Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, Number(value)]));
  }

  async flows(): Promise<readonly Flow[]> {
    return this.cpnctl<Flow[]>('show', 'flows', '--limit', '0');
  }

  async policies(): Promise<readonly FibPolicy[]> {
    const [fib] = await this.cpnctl<{ policies: FibPolicy[] }[]>('show', 'fib', SERVICE);
    return fib?.policies ?? [];
  }

  /** Address of an interface's link layer. */
  async mac(node: string, name: string): Promise<string> {
    const links = JSON.parse(await this.lab.node(node).run(['ip', '-j', 'link', 'show', 'dev', name])) as { address: string }[];
    return links[0]!.address;
  }

  /** Packets the nodes behind the exits have received. */
  async arrived(): Promise<number> {
    let sum = 0;
    for (let n = 1; n <= this.exits; n++) {
      const links = JSON.parse(await this.lab.node(`node${n}`).run(['ip', '-j', '-s', 'link', 'show', 'dev', 'eth1'])) as { stats64: { rx: { packets: number } } }[];
      sum += links[0]!.stats64.rx.packets;
    }
    return sum;
  }

  spawn(node: string, argv: readonly string[]): Promise<NodeProcess> {
    return this.lab.node(node).spawn(argv);
  }

  /** Starts a program of this repository that speaks lines of JSON. */
  async start(node: string, program: string, settings: object): Promise<LineProcess> {
    return LineProcess.over(await this.spawn(node, [process.execPath, join(checkout, 'dist', program), JSON.stringify(settings)]));
  }

  /** The process of cpnd on the entry router. */
  get daemonPid(): number {
    return this.lab.node('entry').daemon.pid;
  }
}
