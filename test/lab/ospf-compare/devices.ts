/** Stock routers as devices under test: how each is set up between its neighbours, and its routes in one form. */
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { SpfRouteType } from '../../../daemon/ospf/spf/types.js';
import { has } from '../bgp-lab.js';
import type { OspfLab } from '../ospf-lab.js';

/** A route as it is compared. Next hops are `interface gateway`, or `interface` where the destination is on the link; in order. */
export interface ComparedRoute {
  readonly type: SpfRouteType;
  /** Of external type 2 that to the AS boundary router or forwarding address; undefined: the device does not tell. */
  readonly cost: number | undefined;
  readonly type2Metric: number | undefined;
  readonly nextHops: readonly string[];
}

export type ComparedRoutes = ReadonlyMap<string, ComparedRoute>;

export interface RunningDevice {
  routes(): ComparedRoutes;
  /** Next hops of the kernel's routes by OSPF, by prefix, in the same form. */
  kernelRoutes(): ReadonlyMap<string, readonly string[]>;
}

export interface Device {
  readonly name: string;
  readonly available: boolean;
  /** What it had before shows in its routes: every area gets a device of its own. */
  readonly remembers: boolean;
  start(lab: OspfLab, node: string, routerId: string): Promise<RunningDevice>;
}

export const POINT_TO_POINT = ['w0', 'w1', 'w2'] as const;
export const LAN = 'lan0';
export const COST = 10;

interface KernelRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly nexthops?: readonly { readonly gateway?: string; readonly dev: string }[];
}

const hop = (name: string, gateway: string | undefined): string => (gateway === undefined || gateway === '::' ? name : `${name} ${gateway}`);

const canonical = (text: string): string => (text.includes('/') ? Prefix.from(text) : Prefix.host(text)).toString();

function kernelRoutes(lab: OspfLab, node: string, protocol: string): ReadonlyMap<string, readonly string[]> {
  const routes = new Map<string, string[]>();
  for (const { dst, gateway, dev, nexthops } of JSON.parse(lab.exec(node, 'ip', '-6', '-j', 'route', 'show', 'proto', protocol) || '[]') as KernelRoute[]) {
    const hops = (nexthops ?? [{ gateway, dev: dev ?? '' }]).map((one) => hop(one.dev, one.gateway));
    // Several routes of one prefix are the ways of one route with several next hops.
    const prefix = canonical(dst);
    routes.set(prefix, [...(routes.get(prefix) ?? []), ...hops].sort());
  }
  return routes;
}

const FRR_TYPES: Readonly<Record<string, SpfRouteType>> = { 'Intra-Area': 'intra', 'Inter-Area': 'inter', 'External-1': 'external1', 'External-2': 'external2' };

/** `timers`: lines of its section router ospf6. */
export const frrWith = (timers: readonly string[]): Device => ({
  name: 'FRR',
  available: has('/usr/lib/frr/ospf6d') && has('/usr/lib/frr/zebra'),
  remembers: true,
  async start(lab, node, routerId) {
    const lines = (name: string, network: string, priority: number): string =>
      [`interface ${name}`, ...['area 0.0.0.0', `network ${network}`, `cost ${COST}`, `priority ${priority}`, 'hello-interval 1', 'dead-interval 4', 'retransmit-interval 2'].map((line) => ` ipv6 ospf6 ${line}`), 'exit', ''].join('\n');
    const vtysh = await lab.frr(
      node,
      `${POINT_TO_POINT.map((name) => lines(name, 'point-to-point', 1)).join('')}${lines(LAN, 'broadcast', 100)}interface lo\n ipv6 ospf6 area 0.0.0.0\nexit\nrouter ospf6\n ospf6 router-id ${routerId}\n${timers.map((line) => ` ${line}\n`).join('')}exit\n`,
    );
    return {
      // As JSON one route a prefix is printed, not always the best.
      routes: () => frrRoutes(vtysh('show ipv6 ospf6 route detail')),
      kernelRoutes: () => kernelRoutes(lab, node, 'ospf'),
    };
  },
});

/** Quick to compare with. */
export const frr = frrWith(['timers throttle spf 0 50 200', 'timers lsa min-arrival 100']);


function frrRoutes(text: string): ComparedRoutes {
  const routes = new Map<string, ComparedRoute>();
  for (const block of text.split('\n\n')) {
    const field = (pattern: RegExp): string | undefined => pattern.exec(block)?.[1];
    const prefix = field(/^Destination: (\S+)$/m);
    const type = FRR_TYPES[field(/^Path Type: (\S+)$/m) ?? ''];
    const metric = /^Metric: (\d+) \((\d+)\)$/m.exec(block);
    // B: the best of its prefix.
    if (prefix === undefined || !type || !metric || field(/Flags: (\S+)$/m)?.startsWith('B') !== true) continue;
    const nextHops = [...block.matchAll(/^ {2}(\S+) (\S+)\s*$/gm)].map(([, gateway, name]) => hop(name!, gateway)).sort();
    routes.set(canonical(prefix), { type, cost: Number(metric[1]), type2Metric: type === 'external2' ? Number(metric[2]) : undefined, nextHops });
  }
  return routes;
}

const BIRD_TYPES: Readonly<Record<string, SpfRouteType>> = { I: 'intra', IA: 'inter', E1: 'external1', E2: 'external2' };

export const bird: Device = {
  name: 'BIRD',
  available: has('/usr/sbin/bird'),
  remembers: false,
  start(lab, node, routerId) {
    const lines = (name: string, type: string, priority: number): string => `interface "${name}" { type ${type}; cost ${COST}; priority ${priority}; hello 1; dead 4; retransmit 2; };`;
    const birdc = lab.bird(
      node,
      `router id ${routerId};
log stderr all;
protocol device { }
protocol kernel { ipv6 { export all; }; merge paths yes limit 16; }
protocol ospf v3 core {
  tick 1; rfc1583compat yes; ecmp yes limit 16; merge external yes;
  ipv6 { import all; };
  area 0 { ${POINT_TO_POINT.map((name) => lines(name, 'ptp', 1)).join(' ')} ${lines(LAN, 'broadcast', 100)} interface "lo" { stub; }; };
}
`,
    );
    return Promise.resolve({
      routes: () => birdRoutes(birdc('show route all protocol core')),
      kernelRoutes: () => kernelRoutes(lab, node, 'bird'),
    });
  },
};

function birdRoutes(text: string): ComparedRoutes {
  const routes = new Map<string, ComparedRoute>();
  let prefix = '';
  let current: { type: SpfRouteType; cost: number | undefined; type2Metric: number | undefined; nextHops: string[] } | undefined;
  for (const line of text.split('\n')) {
    const head = /^(\S+\/\d+)?\s+(?:unicast|blackhole|unreachable) \[.*?\] (\* )?(I|IA|E1|E2) \((\d+)\/(\d+)(?:\/(\d+))?\)/.exec(line);
    if (head) {
      prefix = head[1] ?? prefix;
      const type = BIRD_TYPES[head[3]!]!;
      current = { type, cost: Number(head[5]), type2Metric: head[6] === undefined ? undefined : Number(head[6]), nextHops: [] };
      if (!routes.has(canonical(prefix))) routes.set(canonical(prefix), current);
      continue;
    }
    const via = /^\s+(?:via (\S+) on|dev) (\S+)/.exec(line);
    if (via && current) {
      current.nextHops.push(hop(via[2]!, via[1]));
      current.nextHops.sort();
    }
  }
  return routes;
}
