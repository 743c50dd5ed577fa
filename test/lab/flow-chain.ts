/**
 * Four network namespaces in a chain, made with plain `ip` commands, with a dataplane in the second one:
 *
 *     client fd10::2 -- fd10::1 ENTRY fd20::1 -- fd20::2 EXIT fd30::1 -- fd30::2 server, service ID fd5e::1 on its loopback
 *
 * SIDs at the exit: fc00:bb:2:1:: (End.DX6 to the server), fc00:bb:2:4:: (End.DX4), fc00:bb:2:e:: (End).
 * Client and server have IPv4 addresses too, 10.10.0.2 and 10.30.0.2 with the service ID 198.51.100.1; the core has none.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PolicyWrite } from '../../dataplane/dataplane.js';

export const SERVICE = 'fd5e::1';
export const SERVICE_PREFIX = 'fd5e::/64';
export const CLIENT = 'fd10::2';
export const ENTRY_LOOPBACK = 'fc00:bb:1::1';
export const SID_DX6 = 'fc00:bb:2:1::';
export const SERVICE_IPV4 = '198.51.100.1';
export const SERVICE_PREFIX_IPV4 = '198.51.100.0/24';
export const CLIENT_IPV4 = '10.10.0.2';
export const SID_DX4 = 'fc00:bb:2:4::';
export const SID_AGGREGATE = 'fc00:bb:1:3::';
export const SID_END = 'fc00:bb:2:e::';
export const SID_BLOCK = 'fc00:bb::/32';

export type Node = 'client' | 'entry' | 'exit' | 'server';
const NODES: readonly Node[] = ['client', 'entry', 'exit', 'server'];

/** Answers of the router process (flow-router.ts). */
export interface RouterFlow {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly policy: number;
  readonly packets: number;
  readonly bytes: number;
}

/** What the router process is started with; all optional. */
export interface RouterOptions {
  readonly reduced?: boolean;
  readonly flowIdleMs?: number;
  readonly maxFlows?: number;
  readonly maxNewFlows?: number;
  readonly sourceRate?: number;
  readonly sourceBurst?: number;
  readonly interfaceRate?: number;
  readonly interfaceBurst?: number;
  /** The router is a border: its interface to the client is a core one, and packets to SID_AGGREGATE are rewritten. */
  readonly border?: boolean;
}

/** A process with a KernelDataplane in the entry namespace, spoken to in lines of JSON. */
export class Router {
  private constructor(
    readonly process: ChildProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  static async start(namespace: string, bpffs: string, options: RouterOptions): Promise<Router> {
    const program = fileURLToPath(new URL('./flow-router.js', import.meta.url));
    const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, program, JSON.stringify({ bpffs, ...options })], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const router = new Router(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    await router.receive();
    return router;
  }

  private async receive(): Promise<unknown> {
    const next = await this.answers.next();
    if (next.done === true) throw new Error(`the router process ended with status ${String(this.process.exitCode)}`);
    return JSON.parse(next.value) as unknown;
  }

  async call(command: Record<string, unknown>): Promise<unknown> {
    this.process.stdin?.write(`${JSON.stringify(command)}\n`);
    return this.receive();
  }

  setPolicies(writes: readonly PolicyWrite[]): Promise<unknown> {
    return this.call({ op: 'policies', writes });
  }

  /** First packets get this policy; with `spread`, one of so many from there on by source port. */
  steer(policy: number, spread = 1): Promise<unknown> {
    return this.call({ op: 'steer', policy, spread });
  }

  async counters(): Promise<Record<string, number>> {
    return (await this.call({ op: 'counters' })) as Record<string, number>;
  }

  async flows(): Promise<RouterFlow[]> {
    return (await this.call({ op: 'flows' })) as RouterFlow[];
  }

  /** Ends the process: `close` leaves all forwarding, `remove` takes it away, `kill` is a crash. */
  async end(how: 'close' | 'remove' | 'kill'): Promise<void> {
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    if (how === 'kill') this.process.kill('SIGKILL');
    else await this.call({ op: how });
    await exited;
  }
}

const PYTHON = '/usr/bin/python3';
const HOST_TOOL = fileURLToPath(new URL('../../../test/lab/flow-host.py', import.meta.url));

export interface SendRequest {
  /** The IPv6 service by default. */
  readonly destination?: string;
  readonly port: number;
  readonly sourcePort?: number;
  readonly count?: number;
  /** Octets of UDP payload. */
  readonly size?: number;
  /** Datagrams that the host hands down as one, to be cut on the way out (UDP GSO); each is answered. */
  readonly segments?: number;
  readonly hops?: number;
  readonly trafficClass?: number;
  /** A Destination Options header in hex, its first two octets zero and length. */
  readonly destinationOptions?: string;
  /** Let the host fragment. */
  readonly fragment?: boolean;
  /** How long to wait for each answer. */
  readonly waitMs?: number;
}

export interface SendResult {
  readonly replies: number;
  /** ICMP errors the host was told of. */
  readonly errors: readonly { readonly type: number; readonly code: number; readonly mtu: number }[];
}

/** A running tcpdump; tshark reads what it got. */
export class Capture {
  constructor(
    private readonly child: ChildProcess,
    private readonly file: string,
  ) {}

  /** Waits until so many packets are there, ends the capture and returns the fields of each, as tshark decodes them; all occurrences of a field. */
  async read<F extends string>(count: number, fields: readonly F[]): Promise<Record<F, string[]>[]> {
    let lines: string[] = [];
    await until(`${count} packets in ${this.file}`, 5000, () => {
      const text = execFileSync('tshark', ['-r', this.file, '-o', 'ip.check_checksum:TRUE', '-T', 'fields', '-E', 'occurrence=a', '-E', 'separator=;', ...fields.flatMap((field) => ['-e', field])], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      lines = text.split('\n').filter((line) => line !== '');
      return lines.length >= count;
    });
    this.child.kill('SIGINT');
    return lines.map((line) => {
      const values = line.split(';');
      return Object.fromEntries(fields.map((field, i) => [field, (values[i] ?? '').split(',')])) as Record<F, string[]>;
    });
  }
}

/** Waits until `condition` holds. Throws after `limitMs`. */
export async function until(what: string, limitMs: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The namespaces; names carry a prefix and the process id so that several runs do not collide. */
export class FlowChain {
  readonly directory = mkdtempSync('/tmp/flow-lab-');
  readonly bpffs = `${this.directory}/bpf`;
  private readonly prefix: string;
  private captures = 0;
  private readonly children: ChildProcess[] = [];

  constructor(prefix = 'flow') {
    this.prefix = `${prefix}${process.pid}`;
  }

  namespace(node: Node): string {
    return `${this.prefix}-${node}`;
  }

  /** Runs a command in a namespace and returns what it printed. Throws when it fails. */
  exec(node: Node, ...command: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.namespace(node), ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  }

  /** Starts a command in a namespace. */
  spawn(node: Node, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.namespace(node), ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.children.push(child);
    return child;
  }

  private ip(node: Node, line: string): void {
    execFileSync('ip', ['-n', this.namespace(node), ...line.split(' ')], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  up(): void {
    mkdirSync(this.bpffs);
    execFileSync('mount', ['-t', 'bpf', 'bpf', this.bpffs]);
    for (const node of NODES) execFileSync('ip', ['netns', 'add', this.namespace(node)]);
    for (const node of NODES) {
      if (node !== 'entry') this.ip(node, 'link set lo up');
      for (const scope of ['all', 'default']) {
        for (const setting of ['accept_dad=0', 'dad_transmits=0', 'accept_ra=0', 'seg6_enabled=1', `forwarding=${node === 'entry' || node === 'exit' ? 1 : 0}`]) {
          this.exec(node, 'sysctl', '-qw', `net.ipv6.conf.${scope}.${setting}`);
        }
      }
    }
    this.link('client', 'c0', CLIENT, 'entry', 'e0', 'fd10::1');
    this.link('entry', 'e1', 'fd20::1', 'exit', 'x0', 'fd20::2');
    this.link('exit', 'x1', 'fd30::1', 'server', 's0', 'fd30::2');
    this.ip('client', '-6 route add default via fd10::1');
    this.ip('server', '-6 route add default via fd30::1');
    this.ip('server', `addr add ${SERVICE}/128 dev lo`);
    this.ip('entry', '-6 route add fc00:bb:2::/48 via fd20::2');
    this.ip('entry', '-6 route add fd30::/64 via fd20::2');
    this.ip('exit', '-6 route add fd10::/64 via fd20::1');
    this.ip('exit', '-6 route add fc00:bb:1::/48 via fd20::1');
    this.ip('exit', `-6 route add ${SID_DX6}/128 encap seg6local action End.DX6 nh6 fd30::2 dev x1`);
    this.ip('exit', `-6 route add ${SID_END}/128 encap seg6local action End dev x1`);
    this.upIpv4();
  }

  private upIpv4(): void {
    this.exec('exit', 'sysctl', '-qw', 'net.ipv4.conf.all.forwarding=1');
    for (const [node, device, address] of [['client', 'c0', CLIENT_IPV4], ['entry', 'e0', '10.10.0.1'], ['exit', 'x1', '10.30.0.1'], ['server', 's0', '10.30.0.2']] as const) {
      this.ip(node, `addr add ${address}/24 dev ${device}`);
    }
    this.ip('client', 'route add default via 10.10.0.1');
    this.ip('server', 'route add default via 10.30.0.1');
    this.ip('server', `addr add ${SERVICE_IPV4}/32 dev lo`);
    this.ip('exit', 'route add 10.10.0.0/24 via inet6 fd20::1 dev x0');
    this.ip('exit', `-6 route add ${SID_DX4}/128 encap seg6local action End.DX4 nh4 10.30.0.2 dev x1`);
  }

  private link(left: Node, leftName: string, leftAddress: string, right: Node, rightName: string, rightAddress: string): void {
    execFileSync('ip', [
      ...['link', 'add', leftName, 'netns', this.namespace(left), 'type', 'veth'],
      ...['peer', 'name', rightName, 'netns', this.namespace(right)],
    ]);
    for (const [node, name, address] of [[left, leftName, leftAddress], [right, rightName, rightAddress]] as const) {
      this.ip(node, `addr add ${address}/64 dev ${name} nodad`);
      this.ip(node, `link set ${name} up`);
    }
  }

  /** Makes the neighbours on the chain known for good, so that nothing but the traffic of a measurement is on the links. */
  settleNeighbours(): void {
    const links = [['client', 'c0', CLIENT, 'entry', 'e0', 'fd10::1'], ['entry', 'e1', 'fd20::1', 'exit', 'x0', 'fd20::2'], ['exit', 'x1', 'fd30::1', 'server', 's0', 'fd30::2']] as const;
    for (const [left, leftName, leftAddress, right, rightName, rightAddress] of links) {
      this.ip(left, `-6 neigh replace ${rightAddress} lladdr ${this.macOf(right, rightName)} dev ${leftName} nud permanent`);
      this.ip(right, `-6 neigh replace ${leftAddress} lladdr ${this.macOf(left, leftName)} dev ${rightName} nud permanent`);
    }
  }

  /** Address of an interface's link layer. */
  macOf(node: Node, interfaceName: string): string {
    return (JSON.parse(this.exec(node, 'ip', '-j', 'link', 'show', 'dev', interfaceName)) as { address: string }[])[0]!.address;
  }

  /** A UDP echo server on a service ID. */
  async startEcho(port: number, service = SERVICE): Promise<ChildProcess> {
    const child = this.spawn('server', [PYTHON, HOST_TOOL, 'echo', service, String(port)]);
    await once(child.stdout!, 'data');
    return child;
  }

  /** Sends UDP datagrams from the client, each after the answer to the one before. */
  async send(request: SendRequest): Promise<SendResult> {
    const child = this.spawn('client', [PYTHON, HOST_TOOL, 'send', JSON.stringify({ destination: SERVICE, ...request })]);
    let text = '';
    for await (const chunk of child.stdout!) text += String(chunk);
    return JSON.parse(text) as SendResult;
  }

  /** Sends whole packets out of an interface. */
  sendRaw(node: Node, interfaceName: string, gateway: string, packets: readonly Uint8Array[]): void {
    this.exec(node, PYTHON, HOST_TOOL, 'raw', interfaceName, gateway, ...packets.map((packet) => Buffer.from(packet).toString('hex')));
  }

  /** Starts a capture of IPv6 packets that an interface receives (`in`) or of all. */
  async capture(node: Node, interfaceName: string, filter: string): Promise<Capture> {
    const file = `${this.directory}/${node}-${interfaceName}-${(this.captures += 1)}.pcap`;
    const child = spawn('ip', ['netns', 'exec', this.namespace(node), 'tcpdump', '--immediate-mode', '-i', interfaceName, '-Q', 'in', '-U', '-w', file, filter], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.children.push(child);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('tcpdump listens', 5000, () => said.includes('listening on'));
    return new Capture(child, file);
  }

  startRouter(options: RouterOptions = {}): Promise<Router> {
    return Router.start(this.namespace('entry'), this.bpffs, options);
  }

  /** Ends what was spawned and takes the namespaces away. */
  down(): void {
    for (const child of this.children) child.kill('SIGKILL');
    for (const node of NODES) {
      try {
        execFileSync('ip', ['netns', 'del', this.namespace(node)], { stdio: 'ignore' });
      } catch {
        // Not there: up() failed half way.
      }
    }
    try {
      execFileSync('umount', [this.bpffs], { stdio: 'ignore' });
    } catch {
      // Not mounted.
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
