/**
 * A network with two ways from the entry to one exit, and a second exit:
 *
 *              ta
 *            /    \
 *   client--entry   exit1--node1
 *            \ \  /
 *             \ tb
 *              exit2--node2
 *
 * The entry peers with both exits from loopback to loopback; its routes to exit1 lead by ta.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Lab, waitFor, type NodeProcess } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import type { Report } from '../../lab/tools/report.js';

export const LOOPBACK = { entry: 'fc00:0:1::1', ta: 'fc00:0:21::1', tb: 'fc00:0:22::1', exit1: 'fc00:0:11::1', exit2: 'fc00:0:12::1' } as const;
type Router = keyof typeof LOOPBACK;
const NUMBER: Readonly<Record<Router, string>> = { entry: '1', ta: '21', tb: '22', exit1: '11', exit2: '12' };
export const END = { ta: 'fcbb:bb00:21:1::', tb: 'fcbb:bb00:22:1::' } as const;
/** At exit1 alone, by ta, else by tb; and at both exits. */
export const SERVICE = { single: '2001:db8:5e::1', both: '2001:db8:5e::2' } as const;
const PORT = 8080;

const INTERFACES: Readonly<Record<Router, Readonly<Record<string, readonly [role: string, address: string]>>>> = {
  entry: { eth1: ['client', '2001:db8:c::1/64'], eth2: ['core', '2001:db8:0:1::1/64'], eth3: ['core', '2001:db8:0:2::1/64'], eth4: ['core', '2001:db8:0:5::1/64'] },
  ta: { eth1: ['core', '2001:db8:0:1::2/64'], eth2: ['core', '2001:db8:0:3::1/64'] },
  tb: { eth1: ['core', '2001:db8:0:2::2/64'], eth2: ['core', '2001:db8:0:4::1/64'] },
  exit1: { eth1: ['core', '2001:db8:0:3::2/64'], eth2: ['core', '2001:db8:0:4::2/64'], eth3: ['node', '2001:db8:b:1::1/64'] },
  exit2: { eth1: ['core', '2001:db8:0:5::2/64'], eth2: ['node', '2001:db8:b:2::1/64'] },
};

/** Next hop of a router towards others; `*` towards all others. */
const ROUTES: Readonly<Record<Router, Readonly<Record<string, string>>>> = {
  entry: { tb: '2001:db8:0:2::2', exit2: '2001:db8:0:5::2', '*': '2001:db8:0:1::2' },
  ta: { exit1: '2001:db8:0:3::2', '*': '2001:db8:0:1::1' },
  tb: { exit1: '2001:db8:0:4::2', '*': '2001:db8:0:2::1' },
  exit1: { tb: '2001:db8:0:4::1', '*': '2001:db8:0:3::1' },
  exit2: { '*': '2001:db8:0:5::1' },
};

function configuration(router: Router, stamp: object): object {
  const others = (Object.keys(LOOPBACK) as Router[]).filter((other) => other !== router);
  const peers: readonly Router[] = router === 'entry' ? ['exit1', 'exit2'] : router === 'exit1' || router === 'exit2' ? ['entry'] : [];
  const instance = (service: string, id: number): object => ({
    service,
    id,
    node: { address: `2001:db8:b:${router === 'exit1' ? 1 : 2}::2`, interface: router === 'exit1' ? 'eth3' : 'eth2' },
    serviceRate: 5000,
    serviceDelay: { mean: '50ms', p99: '100ms' },
  });
  return {
    router: { name: router, id: `10.0.0.${NUMBER[router]}`, loopback: LOOPBACK[router], locator: `fcbb:bb00:${NUMBER[router]}::/48`, sidBlocks: ['fcbb:bb00::/32'], domainSources: ['fc00::/32'] },
    interfaces: Object.fromEntries(Object.entries(INTERFACES[router]).map(([name, [role, address]]) => [name, { role, addresses: [address] }])),
    static: [
      ...others.flatMap((other) => {
        const via = ROUTES[router][other] ?? ROUTES[router]['*']!;
        return [{ prefix: `${LOOPBACK[other]}/128`, via }, { prefix: `fcbb:bb00:${NUMBER[other]}::/48`, via }];
      }),
      ...(router === 'entry' ? [] : [{ prefix: '2001:db8:c::/64', via: ROUTES[router]['*']! }]),
    ],
    bgp: { as: 65000, neighbors: peers.map((peer) => ({ address: LOOPBACK[peer], as: 65000, cpn: true, connectRetry: '1s', holdTime: '30s' })) },
    cpn: {
      servicePrefixes: ['2001:db8:5e::/48'],
      services: router === 'entry' ? [{ id: 'default', via: { [LOOPBACK.exit1]: [[END.ta], { segments: [END.tb] }] } }] : [],
      instances: router === 'exit1' ? [instance(SERVICE.single, 1), instance(SERVICE.both, 2)] : router === 'exit2' ? [instance(SERVICE.both, 3)] : [],
      stamp: { synchronised: true, ...stamp },
    },
  };
}

function topology(name: string): string {
  const nodes: Record<string, object> = { client: { exec: ['ip -6 address add 2001:db8:c::2/64 dev eth1 nodad', 'ip -6 route add default via 2001:db8:c::1'] } };
  for (const router of Object.keys(LOOPBACK)) nodes[router] = { image: 'cpn/router:latest', binds: [`${router}.yaml:/etc/cpn/cpnd.yaml:ro`] };
  for (const number of [1, 2]) {
    nodes[`node${number}`] = {
      exec: [
        `ip -6 address add 2001:db8:b:${number}::2/64 dev eth1 nodad`,
        `ip -6 route add default via 2001:db8:b:${number}::1`,
        ...Object.values(SERVICE).map((service) => `ip -6 address add ${service}/128 dev lo nodad`),
      ],
    };
  }
  const links = [
    ['client:eth1', 'entry:eth1'], ['entry:eth2', 'ta:eth1'], ['entry:eth3', 'tb:eth1'], ['entry:eth4', 'exit2:eth1'], ['ta:eth2', 'exit1:eth1'],
    ['tb:eth2', 'exit1:eth2'], ['exit1:eth3', 'node1:eth1'], ['exit2:eth2', 'node2:eth1'],
  ].map((endpoints) => ({ endpoints, mtu: 1500 }));
  return stringify({ name, topology: { defaults: { kind: 'linux', image: 'cpn/node:latest' }, nodes, links } });
}

const tool = (name: string): string => join(checkout, `dist/lab/tools/${name}.js`);

export interface Candidate {
  readonly exit: string;
  readonly feasible: boolean;
  readonly pathDelayUs: number | null;
}

export interface LoggedEvent {
  readonly event?: string;
  readonly msg: string;
  readonly via: string;
  readonly elapsedMs: number;
  readonly replannedPolicies: number;
  readonly movedPolicies: number;
  readonly movedFlows: number;
}

export class WaysLab {
  private constructor(
    readonly lab: Lab,
    private readonly folder: string,
  ) {}

  /** Ready when the entry has every candidate with a measured path. `stamp`: settings of all routers. */
  static async up(name: string, stamp: object): Promise<WaysLab> {
    const folder = mkdtempSync(join(tmpdir(), 'wayslab-'));
    const file = join(folder, 'ways.clab.yml');
    writeFileSync(file, topology(`${name}-${process.pid}`));
    for (const router of Object.keys(LOOPBACK) as Router[]) writeFileSync(join(folder, `${router}.yaml`), stringify(configuration(router, stamp)));
    const network = new WaysLab(await Lab.up(file, { log: (line) => assert.ok(!line.startsWith('ERROR'), line) }), folder);
    try {
      for (const node of ['node1', 'node2']) await network.serve(node);
      for (const [service, count] of [[SERVICE.single, 1], [SERVICE.both, 2]] as const) {
        await waitFor(async () => (await network.candidates(service)).filter(({ feasible, pathDelayUs }) => feasible && pathDelayUs !== null).length === count, { timeoutMs: 20_000, what: `candidates of ${service}`, intervalMs: 100 });
      }
    } catch (error) {
      await network.down();
      throw error;
    }
    return network;
  }

  async down(): Promise<void> {
    await this.lab.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async serve(node: string): Promise<void> {
    const server = await this.lab.node(node).spawn([process.execPath, tool('server'), '--address', '::', '--port', String(PORT), '--name', node, '--log', 'none']);
    await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 10_000, what: `the service on ${node}` });
  }

  /** JSON of a cpnctl command at the entry. */
  async ask<T>(...argv: string[]): Promise<T> {
    return JSON.parse(await this.lab.node('entry').run([process.execPath, join(checkout, 'dist/cli/cpnctl.js'), '--json', ...argv])) as T;
  }

  async candidates(service: string): Promise<readonly Candidate[]> {
    return (await this.ask<{ candidates: readonly Candidate[] }[]>('show', 'computing', 'rib', service)).flatMap(({ candidates }) => candidates);
  }

  /** Segment lists of the policies of a service. */
  async segments(service: string): Promise<string[]> {
    const services = await this.ask<{ policies: readonly { segments: readonly string[] }[] }[]>('show', 'fib', service);
    return [...new Set(services.flatMap(({ policies }) => policies.map(({ segments }) => segments.join(' '))))];
  }

  /** UDP flows at a steady pace, until stopped. */
  traffic(service: string, flows: number, perSecond: number): Promise<NodeProcess> {
    return this.lab.node('client').spawn([process.execPath, tool('client'), '--to', service, '--port', String(PORT), '--timeout-ms', '1000', '--source-port', '20000', '--flows', String(flows), '--rate', String(perSecond), '--duration-s', '60']);
  }

  async report(client: NodeProcess): Promise<Report> {
    client.kill('SIGINT');
    await client.exited;
    assert.notEqual(client.stdout, '', client.stderr);
    return JSON.parse(client.stdout) as Report;
  }

  /** Events of a type in the entry's log, oldest first. */
  events(type: string): LoggedEvent[] {
    const lines = this.lab.node('entry').daemon.log.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as LoggedEvent).filter(({ event }) => event === type);
  }
}
