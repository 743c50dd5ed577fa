/**
 * Five routers with OSPFv3, BFD of 3 x 50 ms between them, and a stock FRR that hangs on the entry:
 *
 *   client--entry--a--exit--node      entry - a - exit costs 20; b is no loop-free alternate (its own way to exit costs 50, over the entry 30):
 *            | \       |              the way around is a repair list with the End.X SID of b towards c
 *           frr  b--40--c
 *
 * A service behind the exit, and a network beside it that is plain routing.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { stringify } from 'yaml';
import { Lab, waitFor, type NodeProcess } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { enter, nodeEnvironment } from '../../lab/runner/enter.js';
import type { Report } from '../../lab/tools/report.js';
import { RouterApi } from './router-lab/router-api.js';
import type { SenderSettings } from './flow-sender.js';

const ROUTERS = { entry: 1, a: 2, exit: 3, b: 4, c: 5 } as const;
export type CutRouter = keyof typeof ROUTERS;
/** Interface -> [neighbour, cost]. */
const LINKS: Readonly<Record<CutRouter, Readonly<Record<string, readonly [CutRouter | 'frr', number]>>>> = {
  entry: { eth2: ['a', 10], eth3: ['b', 10], eth4: ['frr', 10] },
  a: { eth1: ['entry', 10], eth2: ['exit', 10] },
  exit: { eth1: ['a', 10], eth2: ['c', 10] },
  b: { eth1: ['entry', 10], eth2: ['c', 40] },
  c: { eth1: ['b', 40], eth2: ['exit', 10] },
};
export const SERVICE = '2001:db8:5e::1';
/** In the next /64 of the service's: reached by routes alone. */
export const PLAIN = '2001:db8:5e:1::1';
export const CLIENT_LINK = '2001:db8:c::/64';
const CLIENT = '2001:db8:c::2';
const PORT = 8080;
/** MinLSInterval, and a second for each hop that ages LSAs, s. */
const CALM_S = 5 + 3;
/** Source port of the first flow with answers. */
const FIRST_PORT = 20_000;
const FLOWS = [SERVICE, PLAIN] as const;

export interface EntryOptions {
  readonly fastReroute: 'ti-lfa' | 'none';
  readonly bfd: boolean;
}

function configuration(name: CutRouter, { fastReroute, bfd }: EntryOptions): object {
  const number = ROUTERS[name];
  const links = Object.entries(LINKS[name]).map(([eth, [other, cost]]): [string, object] => [eth, { network: 'point-to-point', cost, hello: '1s', dead: '10s', ...(bfd && other !== 'frr' ? { bfd: 'fast' } : {}) }]);
  const edge = name === 'entry' ? { eth1: { role: 'client', addresses: ['2001:db8:c::1/64'] } } : name === 'exit' ? { eth3: { role: 'node', addresses: ['2001:db8:5e:1::ffff/64'] } } : {};
  return {
    router: { name, id: `10.0.0.${number}`, loopback: `fc00:0:${number}::1`, locator: `fcbb:bb00:${number}::/48`, sidBlocks: ['fcbb:bb00::/32'], domainSources: ['fc00::/32'] },
    interfaces: edge,
    // Tests come one after another: the network does not have to be calm for ten seconds in between.
    ospf: { fastReroute, spf: { longDelay: '500ms', holdDown: '2s' }, interfaces: { ...Object.fromEntries(links), ...Object.fromEntries(Object.keys(edge).map((eth) => [eth, { passive: true }])) } },
    cpn: {
      servicePrefixes: ['2001:db8:5e::/64'],
      services: [],
      instances: name === 'exit' ? [{ service: SERVICE, id: 1, node: { address: PLAIN, interface: 'eth3' }, serviceRate: 5000, serviceDelay: { mean: '5ms', p99: '9ms' } }] : [],
    },
  };
}

const FRR = `frr defaults traditional
hostname frr
ipv6 forwarding
interface eth1
 ipv6 ospf6 area 0.0.0.0
 ipv6 ospf6 network point-to-point
 ipv6 ospf6 hello-interval 1
 ipv6 ospf6 dead-interval 10
router ospf6
 ospf6 router-id 10.0.0.9
 graceful-restart helper enable
`;

function topology(name: string): string {
  const nodes: Record<string, object> = {
    client: { exec: [`ip -6 address add ${CLIENT}/64 dev eth1 nodad`, 'ip -6 route add default via 2001:db8:c::1'] },
    node: { exec: [`ip -6 address add ${PLAIN}/64 dev eth1 nodad`, 'ip -6 route add default via 2001:db8:5e:1::ffff', `ip -6 address add ${SERVICE}/128 dev lo nodad`] },
    frr: { image: 'frrouting/frr:v8.4.4', binds: ['daemons:/etc/frr/daemons:ro', 'frr.conf:/etc/frr/frr.conf:ro'] },
  };
  for (const router of Object.keys(ROUTERS)) nodes[router] = { image: 'cpn/router:latest', binds: [`${router}.yaml:/etc/cpn/cpnd.yaml:ro`] };
  const links = [['client:eth1', 'entry:eth1'], ['entry:eth2', 'a:eth1'], ['entry:eth3', 'b:eth1'], ['entry:eth4', 'frr:eth1'], ['a:eth2', 'exit:eth1'], ['b:eth2', 'c:eth1'], ['c:eth2', 'exit:eth2'], ['exit:eth3', 'node:eth1']];
  return stringify({ name, topology: { defaults: { kind: 'linux', image: 'cpn/node:latest' }, nodes, links: links.map((endpoints) => ({ endpoints, mtu: 2000 })) } });
}

export interface LoggedEvent {
  /** Unix time, ms. */
  readonly at: number;
  readonly event: string;
  readonly msg: string;
}

/** What a flow lost, and the longest time in which nothing of it arrived, as Unix times in ms. */
export interface Loss {
  readonly lost: number;
  readonly from: number;
  readonly until: number;
}

export class CutLab {
  private constructor(
    readonly lab: Lab,
    private readonly folder: string,
  ) {}

  static async up(name: string): Promise<CutLab> {
    const folder = mkdtempSync(join(tmpdir(), 'cutlab-'));
    const file = join(folder, 'cut.clab.yml');
    writeFileSync(file, topology(`${name}-${process.pid}`));
    writeFileSync(join(folder, 'daemons'), 'zebra=yes\nospf6d=yes\nvtysh_enable=yes\n');
    writeFileSync(join(folder, 'frr.conf'), FRR);
    for (const router of Object.keys(ROUTERS) as CutRouter[]) writeFileSync(join(folder, `${router}.yaml`), stringify(configuration(router, { fastReroute: 'ti-lfa', bfd: true })));
    const network = new CutLab(await Lab.up(file, { log: (line) => assert.ok(!line.startsWith('ERROR'), line) }), folder);
    try {
      const server = await network.lab.node('node').spawn([process.execPath, join(checkout, 'dist/lab/tools/server.js'), '--address', '::', '--port', String(PORT), '--name', 'node', '--log', 'none']);
      await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 10_000, what: 'the service' });
      await network.ready();
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

  /** Output of a command in a node. */
  run(node: string, ...command: string[]): Promise<string> {
    return this.lab.node(node).run(command);
  }

  private async lines(node: string, command: string): Promise<string[]> {
    return (await this.run(node, ...command.split(' '))).split('\n').map((line) => line.trim()).filter((line) => line !== '');
  }

  /** Routes and next hop objects of ours in the kernel. */
  async ours(router: CutRouter): Promise<string[]> {
    const found = [...(await this.lines(router, 'ip -6 route show table all proto 210')), ...(await this.lines(router, 'ip nexthop show proto 210'))];
    return found.map((line) => line.replace(/ (linkdown|dead)\b/g, '')).sort();
  }

  /** Waits until the entry routes and sends over a, protected or not, and knows the service. */
  async ready(isProtected = true): Promise<void> {
    await waitFor(
      async () => {
        const routes = (await this.lines('entry', 'ip -6 route show proto 210')).filter((line) => line.startsWith('2001:db8:5e:1::/64'));
        const ways = [routes.some((line) => line.includes('dev eth2')), routes.some((line) => line.includes('encap seg6') && line.includes('dev eth3'))];
        const api = this.api('entry');
        const policies = await api.fib(SERVICE);
        const { sessions } = await api.bfd();
        api.close();
        const back = await this.lines('frr', `ip -6 route show ${CLIENT_LINK}`);
        assert.deepEqual([...ways, policies.some(({ installed }) => installed), back.length > 0, sessions.map(({ state }) => state)], [true, isProtected, true, true, sessions.map(() => 'up')], routes.join('\n'));
        return true;
      },
      { timeoutMs: 45_000, what: 'protected routes and policies at the entry', intervalMs: 200 },
    );
  }

  /** Waits until no router has to wait for MinLSInterval (RFC 2328 appendix B) before it may tell of a change, as in a network that has been up for a while. */
  async calm(): Promise<void> {
    const api = this.api('entry');
    await waitFor(async () => (await api.ospfLsas('router')).every(({ age }) => age >= CALM_S), { timeoutMs: 20_000, what: 'Router-LSAs to be of some age', intervalMs: 100 });
    api.close();
  }

  private api(router: CutRouter): RouterApi {
    return new RouterApi(this.lab, router);
  }

  /** Another configuration of the entry, which it takes over by a restart that keeps forwarding. */
  async reconfigureEntry(options: EntryOptions): Promise<void> {
    writeFileSync(join(this.folder, 'entry.yaml'), stringify(configuration('entry', options)));
    await this.restart('SIGUSR2');
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    const { daemon } = this.lab.node('entry');
    await daemon.stop(signal);
    const logged = daemon.log.length;
    await daemon.start();
    await waitFor(() => daemon.log.slice(logged).includes('"event":"ospf.restart-over"'), { timeoutMs: 20_000, what: 'the end of the restart', intervalMs: 20 });
  }

  /** Events in a router's log from a moment on, oldest first. */
  events(router: CutRouter, type: string, since: number): LoggedEvent[] {
    const lines = this.lab.node(router).daemon.log.split('\n').filter((line) => line.startsWith('{') && line.includes(`"event":"${type}"`));
    return lines.map((line) => JSON.parse(line) as { time: string; event: string; msg: string }).map(({ time, event, msg }) => ({ at: Date.parse(time), event, msg })).filter(({ at }) => at >= since);
  }

  /** Nothing passes between entry and a, and the link stays up. */
  async silence(on: boolean): Promise<void> {
    for (const end of ['entry:eth2', 'a:eth1']) await this.lab.setLoss(end, on ? 100 : 0);
  }

  /** Sends `rate` packets a second to the service and as many to the plain network for `seconds`, and cuts after a third of them. */
  async lossOf(rate: number, seconds: number, cut: () => Promise<void>): Promise<readonly [service: Loss, plain: Loss]> {
    const path = join(this.folder, 'arrived.pcap');
    const send = await this.sender(rate * FLOWS.length);
    const arrived = (): Promise<number> => this.arrived();
    // The first packet of the service's flow goes by the daemon, and whoever is sent to is looked for.
    await waitFor(
      async () => {
        const idle = await arrived();
        await send(FLOWS.length);
        return (await arrived()) === idle + FLOWS.length;
      },
      { timeoutMs: 10_000, what: 'packets of both flows', intervalMs: 100 },
    );
    const capture = this.enter('node', ['tcpdump', '-Z', 'root', '-n', '-i', 'eth1', '-s', '80', '-B', '65536', '--immediate-mode', '-w', '-', 'udp and dst port 9000'], 'pipe');
    const file = createWriteStream(path);
    capture.stdout!.pipe(file);
    let said = '';
    capture.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
    await waitFor(() => said.includes('listening on'), { timeoutMs: 10_000, what: 'tcpdump', intervalMs: 5 });
    const count = rate * seconds * FLOWS.length;
    const sending = send(count);
    const before = await arrived();
    await waitFor(async () => (await arrived()) >= before + count / 3, { timeoutMs: seconds * 1000, what: 'packets to arrive', intervalMs: 5 });
    await cut();
    await sending;
    let last = -1;
    await waitFor(async () => last === (last = await arrived()), { timeoutMs: 5000, what: 'the last packets', intervalMs: 50 });
    send.end();
    // What tcpdump has not read when it is interrupted is lost; what it has, it writes by the block, and the rest when it ends.
    let size = -1;
    await waitFor(() => size === (size = statSync(path).size), { timeoutMs: 10_000, what: 'tcpdump to have read everything', intervalMs: 250 });
    await this.run('node', 'sh', '-c', 'kill -INT $(cat /proc/[0-9]*/stat | sed -n "s/^\\([0-9]*\\) (tcpdump).*/\\1/p")');
    await finished(file);
    const [, captured, received] = /(\d+) packets captured\n(\d+) packets received by filter\n0 packets dropped by kernel/.exec(said) ?? [];
    assert.ok(captured !== undefined && captured === received, said);
    return FLOWS.map((address) => lossIn(path, address, count / FLOWS.length)) as unknown as [Loss, Loss];
  }

  /** What sends a number of packets, to both in turn. */
  private async sender(rate: number): Promise<((count: number) => Promise<void>) & { end: () => void }> {
    const gateway = (JSON.parse(await this.run('entry', 'ip', '-j', 'link', 'show', 'dev', 'eth1')) as { address: string }[])[0]!.address;
    const settings: SenderSettings = { interface: 'eth1', gateway, source: CLIENT, destination: SERVICE, flows: FLOWS.length, spoofed: false, spread: true, octets: 100 };
    const child = this.enter('client', [process.execPath, join(checkout, 'dist/test/lab/flow-sender.js'), JSON.stringify(settings)], 'inherit');
    const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    await answers.next();
    const send = async (count: number): Promise<void> => {
      child.stdin!.write(`${JSON.stringify({ count, first: 0, span: FLOWS.length, rate })}\n`);
      const answer = await answers.next();
      assert.equal((JSON.parse(String(answer.value)) as { sent: number }).sent, count);
    };
    return Object.assign(send, { end: () => child.stdin!.end() });
  }

  /** UDP datagrams at the node that nobody there takes. */
  private async arrived(): Promise<number> {
    return Number(/^Udp6NoPorts\s+(\d+)/m.exec(await this.run('node', 'cat', '/proc/net/snmp6'))![1]);
  }

  private enter(node: string, argv: readonly string[], errors: 'pipe' | 'inherit'): ChildProcess {
    return enter(this.lab.node(node).init, argv, { env: nodeEnvironment({}), stdio: ['pipe', 'pipe', errors] });
  }

  /** Requests of pinned flows with answers, at a steady pace, until stopped. */
  async traffic(flows: number, perSecond: number): Promise<() => Promise<Report>> {
    const argv = ['--to', SERVICE, '--port', String(PORT), '--timeout-ms', '1000', '--source-port', String(FIRST_PORT), '--flows', String(flows), '--rate', String(perSecond), '--duration-s', '60'];
    const client: NodeProcess = await this.lab.node('client').spawn([process.execPath, join(checkout, 'dist/lab/tools/client.js'), ...argv]);
    const api = this.api('entry');
    await waitFor(async () => (await api.flows()).filter(({ sourcePort }) => sourcePort >= FIRST_PORT && sourcePort < FIRST_PORT + flows).length === flows, { timeoutMs: 10_000, what: 'pinned flows', intervalMs: 100 });
    api.close();
    return async () => {
      client.kill('SIGINT');
      await client.exited;
      assert.notEqual(client.stdout, '', client.stderr);
      return JSON.parse(client.stdout) as Report;
    };
  }

  /** Changes of the routes to the clients in a node's kernel, until stopped. */
  async watchClientRoute(node: string): Promise<() => Promise<string[]>> {
    const monitor = await this.lab.node(node).spawn(['ip', '-6', 'monitor', 'route']);
    return async () => {
      monitor.kill('SIGINT');
      await monitor.exited;
      return monitor.stdout.split('\n').filter((line) => line.includes(CLIENT_LINK));
    };
  }
}

const PCAP_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET_HEADER = 14;
const DESTINATION = ETHERNET_HEADER + 24;

/** Of `sent` packets to an address: how many are not in a capture, and the longest gap between two that are. */
function lossIn(path: string, address: string, sent: number): Loss {
  const bytes = readFileSync(path);
  const [head = '', tail = ''] = address.split('::');
  const groups = [...head.split(':'), ...Array<string>(8 - head.split(':').length - tail.split(':').length).fill('0'), ...tail.split(':')];
  const wanted = Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
  let [count, last, from, until] = [0, NaN, 0, 0];
  for (let at = PCAP_HEADER; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    const packet = at + RECORD_HEADER;
    if (bytes.subarray(packet + DESTINATION, packet + DESTINATION + 16).equals(wanted)) {
      const time = bytes.readUInt32LE(at) * 1000 + bytes.readUInt32LE(at + 4) / 1000;
      count++;
      if (count > 1 && time - last > until - from) [from, until] = [last, time];
      last = time;
    }
    at = packet + length;
  }
  return { lost: sent - count, from, until };
}
