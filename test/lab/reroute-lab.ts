/**
 * Six network namespaces around a point of local repair, whose route table is run by the caller; the other routers have routes of their own making:
 *
 *     source -- POINT -------- far -- sink        the way, and the link that is cut
 *                 \            /
 *                  p -------- q                   p sends what is for the sink back to POINT: no loop-free alternate, a repair list is needed
 *
 * Destinations are /64s behind the sink. SIDs: End.X at p towards q, End.DT6 at q, End and End.DX6 (to the sink) at far.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../daemon/clock.js';
import type { KernelRoute, RouteBackup } from '../../dataplane/dataplane.js';
import { native } from '../../dataplane/native/index.js';
import { NetlinkClient } from '../../dataplane/netlink/client.js';
import { LINK_GROUPS, LinkMonitor } from '../../dataplane/netlink/links.js';
import { KernelRouteTable, ROUTE_GROUPS } from '../../dataplane/netlink/route-table.js';
import { openNetlinkSocket } from '../../dataplane/netlink/socket.js';
import type { SenderSettings } from './flow-sender.js';

const NODES = ['source', 'point', 'far', 'sink', 'p', 'q'] as const;
export type RerouteNode = (typeof NODES)[number];

const LINKS = [
  ['source', 'point'],
  ['far', 'sink'],
  ['point', 'far'],
  ['point', 'p'],
  ['p', 'q'],
  ['q', 'far'],
] as const;

/** Octets that the repair list adds: an IPv6 header, an SRH and two SIDs. */
export const REPAIR_OCTETS = 40 + 8 + 2 * 16;
export const CORE_MTU = 1600;
export const PRIMARY = { gateway: 'fe80::3', interface: 'far' };
export const REPAIR: RouteBackup = { protects: ['far'], nextHop: { gateway: 'fe80::5', interface: 'p' }, segments: ['fcbb:0:5:100::', 'fcbb:0:6:2::'] };
export const FAR_LOCATOR = 'fcbb:0:3::/48';
export const SINK = '2001:db8:2::2';
/** An address of the sink that the source sends to by SIDs at far. */
export const SERVICE = '2001:db8:5e::1';
const FAR_ADDRESS = '02:00:00:00:00:03';
const MAX_ROUTES = 65_536;

const linkLocal = (node: RerouteNode): string => `fe80::${NODES.indexOf(node) + 1}`;
export const destination = (i: number): string => `2001:db8:1000:${i.toString(16)}::/64`;
export const protectedRoute = (prefix: string): KernelRoute => ({ prefix, target: { kind: 'unicast', nextHops: [PRIMARY], backups: [REPAIR] } });

export interface PointRouter {
  readonly routes: KernelRouteTable;
  /** Ends it as a crash does: everything stays in the kernel. */
  close(): void;
}

export class RerouteLab {
  private readonly senders = new Set<ChildProcess>();

  namespace(node: RerouteNode): string {
    return `reroute-${node}-${process.pid}`;
  }

  exec(node: RerouteNode, ...command: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.namespace(node), ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });
  }

  ip(node: RerouteNode, command: string): string {
    return execFileSync('ip', ['-n', this.namespace(node), ...command.split(' ')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 });
  }

  up(): void {
    for (const node of NODES) {
      execFileSync('ip', ['netns', 'add', this.namespace(node)]);
      this.ip(node, 'link set lo up');
      for (const name of ['forwarding', 'seg6_enabled']) for (const scope of ['all', 'default']) this.exec(node, 'sysctl', '-qw', `net.ipv6.conf.${scope}.${name}=1`);
    }
    for (const [i, [a, b]] of LINKS.entries()) {
      const isEdge = a === 'source' || b === 'sink';
      // Linux takes ends of the same index for a physical port, and reports changes of those at most once a second (net/core/link_watch.c).
      this.ip(a, `link add name ${b} index ${100 + 2 * i} type veth peer name ${a} index ${101 + 2 * i} netns ${this.namespace(b)}`);
      for (const [node, name] of [[a, b], [b, a]] as const) {
        this.ip(node, `link set dev ${name} addrgenmode none mtu ${isEdge ? 1500 : CORE_MTU} up`);
        this.ip(node, `addr add ${linkLocal(node)}/64 dev ${name} nodad`);
      }
    }
    this.ip('source', 'addr add 2001:db8:1::2/64 dev point nodad');
    this.ip('point', 'addr add 2001:db8:1::1/64 dev source nodad');
    this.ip('far', 'addr add 2001:db8:2::1/64 dev sink nodad');
    this.ip('sink', `addr add ${SINK}/64 dev far nodad`);
    this.ip('sink', `addr add ${SERVICE}/128 dev lo nodad`);
    this.ip('sink', 'route add local 2001:db8:1000::/48 dev lo');
    const route = (node: RerouteNode, prefixes: readonly string[], via: RerouteNode): void => {
      for (const prefix of prefixes) this.ip(node, `-6 route add ${prefix} via ${linkLocal(via)} dev ${via}`);
    };
    const sinks = ['2001:db8:1000::/48', '2001:db8:2::/64', FAR_LOCATOR];
    const sources = ['2001:db8:1::/64', 'fc00:0:2::/48'];
    route('source', ['default'], 'point');
    route('sink', ['default'], 'far');
    route('far', ['2001:db8:1000::/48'], 'sink');
    route('p', sinks, 'point');
    route('q', sinks, 'far');
    route('far', sources, 'q');
    route('q', sources, 'p');
    route('p', sources, 'point');
    route('point', ['fcbb:0:5::/48', 'fcbb:0:6::/48'], 'p');
    this.ip('p', 'addr add 2001:db8:56::5/64 dev q nodad');
    this.ip('q', 'addr add 2001:db8:56::6/64 dev p nodad');
    this.ip('p', '-6 route add fcbb:0:5:100::/128 encap seg6local action End.X nh6 2001:db8:56::6 dev q');
    this.ip('q', '-6 route add fcbb:0:6:2::/128 encap seg6local action End.DT6 table 254 dev p');
    this.ip('far', '-6 route add fcbb:0:3:1::/128 encap seg6local action End dev q');
    this.ip('far', `-6 route add fcbb:0:3:e::/128 encap seg6local action End.DX6 nh6 ${SINK} dev sink`);
    this.setNeighbour(true);
    // Or a neighbour that vanished would be found again under its new address.
    this.ip('point', `neigh replace ${PRIMARY.gateway} lladdr ${FAR_ADDRESS} nud permanent dev far`);
    this.ip('point', 'addr add fc00:0:2::1/128 dev lo nodad');
    this.exec('point', 'ip', 'sr', 'tunsrc', 'set', 'fc00:0:2::1');
    this.ip('source', '-6 route add 2001:db8:5e::/64 encap seg6 mode encap segs fcbb:0:3:1::,fcbb:0:3:e:: via 2001:db8:1::1 dev point');
  }

  down(): void {
    for (const child of this.senders) child.kill();
    for (const node of NODES) execFileSync('ip', ['netns', 'del', this.namespace(node)]);
  }

  async openRouter(): Promise<PointRouter> {
    const [client, links, transport] = native.inNetworkNamespace(`/run/netns/${this.namespace('point')}`, () => {
      const requests = new NetlinkClient(openNetlinkSocket());
      return [requests, new LinkMonitor(requests, openNetlinkSocket(LINK_GROUPS), systemClock), openNetlinkSocket(ROUTE_GROUPS)] as const;
    });
    await links.start();
    const routes = new KernelRouteTable(client, transport, links, systemClock);
    await routes.start();
    const close = (): void => {
      routes.close();
      links.close();
      client.close();
    };
    return { routes, close };
  }

  /** Sends to the first `destinations` /64s in turn; resolves when the process is ready, to what starts it and resolves to the packets sent. */
  async sender(destinations: number, rate: number, count: number): Promise<() => Promise<number>> {
    if (destinations > MAX_ROUTES) throw new RangeError(`at most ${MAX_ROUTES} destinations`);
    const gateway = (JSON.parse(this.ip('point', '-j link show dev source')) as { address: string }[])[0]!.address;
    const settings: SenderSettings = { interface: 'point', gateway, source: '2001:db8:1::2', destination: '2001:db8:1000::1', flows: destinations, spoofed: false, spread: true, octets: 100 };
    const program = fileURLToPath(new URL('./flow-sender.js', import.meta.url));
    const child = spawn('ip', ['netns', 'exec', this.namespace('source'), process.execPath, program, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.senders.add(child);
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await answers.next();
    return async () => {
      child.stdin.write(`${JSON.stringify({ count, first: 0, span: destinations, rate })}\n`);
      const answer = await answers.next();
      child.stdin.end();
      this.senders.delete(child);
      if (answer.done === true) throw new Error('the sender ended');
      return (JSON.parse(answer.value) as { sent: number }).sent;
    };
  }

  /** UDP datagrams that reached the sink so far; nobody listens there. */
  received(): number {
    const counters = this.exec('sink', 'cat', '/proc/net/snmp6');
    return Number(/^Udp6NoPorts\s+(\d+)/m.exec(counters)?.[1] ?? NaN);
  }

  /** The far end of the link goes down: POINT's loses its carrier. */
  setCarrier(carrier: boolean): void {
    this.ip('far', `link set dev point ${carrier ? 'up' : 'down'}`);
    // The kernel forgets addresses and routes of an interface that goes down.
    if (carrier) this.ip('far', `addr replace ${linkLocal('far')}/64 dev point nodad`);
  }

  /** The neighbour vanishes while the link stays up: it has another link-layer address, that nobody knows. */
  setNeighbour(present: boolean): void {
    this.ip('far', `link set dev point address ${present ? FAR_ADDRESS : '02:00:00:00:00:99'}`);
  }

  /** The route that POINT takes to an address, as iproute2 shows it. */
  way(address: string): string {
    return this.ip('point', `-6 route get ${address}`);
  }
}
