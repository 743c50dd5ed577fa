/**
 * The network of the router tests: topology and configurations, made from a few tables.
 *
 *                       rr (stock FRR, reflector)
 *                       |
 *   client -- entry -- t1 -- t2 -- exit2 -- node2
 *              |  |     |
 *          node0  |     exit1 -- node1
 *                 exit3 -- node3
 *
 * exit1, exit2, t1, t2 and entry peer with the reflector; exit3 peers with the entry alone. node0 is an instance of the entry itself.
 */
import { stringify } from 'yaml';
import { clientCommands, frrLines, nodeCommands } from './ipv4.js';

export const LOOPBACK = {
  entry: 'fc00:0:1::1',
  exit1: 'fc00:0:11::1',
  exit2: 'fc00:0:12::1',
  exit3: 'fc00:0:13::1',
  t1: 'fc00:0:21::1',
  t2: 'fc00:0:22::1',
} as const;
export type RouterName = keyof typeof LOOPBACK;
export const ROUTERS = Object.keys(LOOPBACK) as RouterName[];
const NUMBER: Readonly<Record<RouterName, string>> = { entry: '1', exit1: '11', exit2: '12', exit3: '13', t1: '21', t2: '22' };
export const REFLECTOR = 'fc00:0:100::1';

export const CLIENT = '2001:db8:c::2';
/** A second client on the same host, for traffic that asks for it. */
export const CLIENT2 = '2001:db8:c::3';

export const END = { t1: 'fcbb:bb00:21:1::', t2: 'fcbb:bb00:22:1::' } as const;
/** The End.X SID of t1 towards t2. */
export const END_X = 'fcbb:bb00:21:100::';

/** Services, and where their instances are. */
export const SERVICE = {
  /** At exit1 (instance 1), exit2 (2) and exit3 (3). */
  main: '2001:db8:5e::1',
  /** At the entry itself (instance 9). */
  local: '2001:db8:5e::9',
  /** At exit1 alone, one SID. */
  one: '2001:db8:5e::11',
  /** At exit2 alone: by t2. */
  two: '2001:db8:5e::12',
  /** At exit2 alone: by t1 and t2. */
  three: '2001:db8:5e::13',
  /** At exit2 alone: by the End.X SID of t1. */
  endX: '2001:db8:5e::14',
  /** At no exit. */
  none: '2001:db8:5e::ff',
} as const;

export const sidOf = (router: RouterName, instance: number): string => `fcbb:bb00:${NUMBER[router]}:${(0xe000 + instance).toString(16)}::`;

/** A configuration file as a value, as far as the tests change it; whether it is good is for cpnd to say. */
export interface FileConfig {
  readonly router: object;
  readonly interfaces: Record<string, { role: string; addresses: string[]; endX?: string }>;
  static: { prefix: string; via?: string; unreachable?: boolean; distance?: number; nextHops?: readonly object[] }[];
  readonly bgp: { as: number; networks: string[]; readonly neighbors: object[] };
  readonly cpn: {
    readonly servicePrefixes: string[];
    readonly services: { readonly id: string; readonly requirements?: object; readonly via?: Record<string, readonly string[]> }[];
    readonly instances: object[];
    readonly announce: object;
  };
  dataplane?: { readonly reduced: boolean };
}
export type Configurations = Record<RouterName, FileConfig>;

/** Interface -> [role, address/length]. */
const INTERFACES: Readonly<Record<RouterName, Readonly<Record<string, readonly [role: string, address: string]>>>> = {
  entry: {
    eth1: ['client', '2001:db8:c::1/64'],
    eth2: ['core', '2001:db8:0:1::1/64'],
    eth3: ['core', '2001:db8:0:2::1/64'],
    eth4: ['node', '2001:db8:b::1/64'],
  },
  t1: { eth1: ['core', '2001:db8:0:1::2/64'], eth2: ['core', '2001:db8:0:3::1/64'], eth3: ['core', '2001:db8:0:4::1/64'], eth4: ['core', '2001:db8:0:7::1/64'] },
  t2: { eth1: ['core', '2001:db8:0:4::2/64'], eth2: ['core', '2001:db8:0:5::1/64'] },
  exit1: { eth1: ['core', '2001:db8:0:3::2/64'], eth2: ['node', '2001:db8:b:1::1/64'] },
  exit2: { eth1: ['core', '2001:db8:0:5::2/64'], eth2: ['node', '2001:db8:b:2::1/64'] },
  exit3: { eth1: ['core', '2001:db8:0:2::2/64'], eth2: ['node', '2001:db8:b:3::1/64'] },
};

/** Next hop of a router towards others; `*` towards all others. */
const ROUTES: Readonly<Record<RouterName, Readonly<Record<string, string>>>> = {
  entry: { exit3: '2001:db8:0:2::2', '*': '2001:db8:0:1::2' },
  t1: { entry: '2001:db8:0:1::1', exit3: '2001:db8:0:1::1', exit1: '2001:db8:0:3::2', rr: '2001:db8:0:7::2', '*': '2001:db8:0:4::2' },
  t2: { exit2: '2001:db8:0:5::2', '*': '2001:db8:0:4::1' },
  exit1: { '*': '2001:db8:0:3::1' },
  exit2: { '*': '2001:db8:0:5::1' },
  exit3: { '*': '2001:db8:0:2::1' },
};

function staticRoutes(router: RouterName): FileConfig['static'] {
  const routes: FileConfig['static'] = [];
  for (const other of [...ROUTERS, 'rr'] as const) {
    if (other === router) continue;
    const via = ROUTES[router][other] ?? ROUTES[router]['*']!;
    if (other === 'rr') routes.push({ prefix: `${REFLECTOR}/128`, via });
    else routes.push({ prefix: `${LOOPBACK[other]}/128`, via }, { prefix: `fcbb:bb00:${NUMBER[other]}::/48`, via });
  }
  return routes;
}

function instance(service: string, id: number, node: string, iface: string, more: object = {}): object {
  return {
    service,
    id,
    node: { address: node, interface: iface },
    computing: [{ class: 'logical', chip: 'cpu', total: '1e12' }],
    serviceRate: 5000,
    // Long against the paths of the lab, so that the load of the machine does not decide who is best.
    serviceDelay: { mean: '50ms', p99: '100ms' },
    queueCapacity: 100,
    ...more,
  };
}

const tcpCheck = { kind: 'tcp', port: 8080, interval: '100ms', timeout: '100ms', fall: 2, rise: 2 };

/** The configurations, before a test changes them. */
export function configurations(): Configurations {
  const all = {} as Configurations;
  for (const router of ROUTERS) {
    const number = NUMBER[router];
    const peers = router === 'exit3' ? [] : [{ address: REFLECTOR, as: 65000, description: 'reflector', cpn: true, addPath: 'receive', connectRetry: '1s' }];
    all[router] = {
      router: {
        name: router,
        id: `10.0.0.${number}`,
        loopback: LOOPBACK[router],
        locator: `fcbb:bb00:${number}::/48`,
        sidBlocks: ['fcbb:bb00::/32'],
        domainSources: ['fc00::/32'],
      },
      interfaces: Object.fromEntries(Object.entries(INTERFACES[router]).map(([name, [role, address]]) => [name, { role, addresses: [address] }])),
      static: staticRoutes(router),
      bgp: { as: 65000, networks: [], neighbors: peers },
      cpn: { servicePrefixes: ['2001:db8:5e::/48'], services: [], instances: [], announce: { minInterval: '500ms', threshold: 0.1 } },
    };
  }
  const { entry, exit1, exit2, exit3, t1 } = all;
  entry.bgp.networks = ['2001:db8:c::/64'];
  entry.bgp.neighbors.push({ address: LOOPBACK.exit3, as: 65000, description: 'exit3', cpn: true, connectRetry: '1s', holdTime: '3s' });
  exit3.bgp.neighbors.push({ address: LOOPBACK.entry, as: 65000, description: 'entry', cpn: true, connectRetry: '1s', holdTime: '3s' });
  t1.interfaces['eth3']!.endX = '2001:db8:0:4::2';
  for (const [exit, number] of [[exit1, 1], [exit2, 2], [exit3, 3]] as const) {
    exit.bgp.networks = [`2001:db8:b:${number}::/64`];
    // Computing power differs, so that a requirement can tell the exits apart; delays do not.
    exit.cpn.instances.push(
      instance(SERVICE.main, number, `2001:db8:b:${number}::2`, 'eth2', {
        computing: [{ class: 'parallel', chip: 'gpu', total: `${number}e12` }],
        healthCheck: number === 2 ? { kind: 'icmp', interval: '100ms', timeout: '100ms', fall: 2, rise: 2 } : tcpCheck,
      }),
    );
  }
  exit1.cpn.instances.push(instance(SERVICE.one, 11, '2001:db8:b:1::2', 'eth2'));
  for (const [service, id] of [[SERVICE.two, 12], [SERVICE.three, 13], [SERVICE.endX, 14]] as const) exit2.cpn.instances.push(instance(service, id, '2001:db8:b:2::2', 'eth2'));
  entry.cpn.instances.push(instance(SERVICE.local, 9, '2001:db8:b::2', 'eth4'));
  entry.cpn.services.push(
    { id: SERVICE.main, requirements: { maxLatency: '500ms' } },
    { id: SERVICE.two, via: { [LOOPBACK.exit2]: [END.t2] } },
    { id: SERVICE.three, via: { [LOOPBACK.exit2]: [END.t1, END.t2] } },
    { id: SERVICE.endX, via: { [LOOPBACK.exit2]: [END_X] } },
  );
  return all;
}

export const yamlOf = (config: FileConfig): string => stringify(config);

const address = (text: string, device: string): string => `ip -6 address add ${text} dev ${device} nodad`;

/** The topology file; configurations lie beside it as ROUTER.yaml. `ipv4`: hosts have IPv4 addresses too. */
export function topology(name: string, ipv4: boolean): string {
  const nodes: Record<string, object> = {
    client: { exec: [address(`${CLIENT}/64`, 'eth1'), `${address(`${CLIENT2}/64`, 'eth1')} preferred_lft 0`, 'ip -6 route add default via 2001:db8:c::1', ...(ipv4 ? clientCommands : [])] },
    rr: { image: 'frrouting/frr:v8.4.4', binds: ['daemons:/etc/frr/daemons:ro', 'frr.conf:/etc/frr/frr.conf:ro'] },
  };
  for (const router of ROUTERS) nodes[router] = { image: 'cpn/router:latest', binds: [`${router}.yaml:/etc/cpn/cpnd.yaml:ro`] };
  for (const number of [0, 1, 2, 3]) {
    const link = number === 0 ? '2001:db8:b:' : `2001:db8:b:${number}:`;
    nodes[`node${number}`] = {
      exec: [address(`${link}:2/64`, 'eth1'), `ip -6 route add default via ${link}:1`, ...Object.values(SERVICE).map((service) => address(`${service}/128`, 'lo')), ...(ipv4 ? nodeCommands(number) : [])],
    };
  }
  const links = [
    ['client:eth1', 'entry:eth1'],
    ['entry:eth2', 't1:eth1'],
    ['entry:eth3', 'exit3:eth1'],
    ['entry:eth4', 'node0:eth1'],
    ['t1:eth2', 'exit1:eth1'],
    ['t1:eth3', 't2:eth1'],
    ['t1:eth4', 'rr:eth1'],
    ['t2:eth2', 'exit2:eth1'],
    ['exit1:eth2', 'node1:eth1'],
    ['exit2:eth2', 'node2:eth1'],
    ['exit3:eth2', 'node3:eth1'],
  ].map((endpoints) => ({ endpoints, mtu: 1500 }));
  return stringify({ name, topology: { defaults: { kind: 'linux', image: 'cpn/node:latest' }, nodes, links } });
}

export const FRR_DAEMONS = 'zebra=yes\nbgpd=yes\nstaticd=yes\nvtysh_enable=yes\n';

/** The reflector: ADD-PATH to every client. */
export function frrConfiguration(ipv4: boolean): string {
  const clients = ROUTERS.filter((router) => router !== 'exit3').map((router) => LOOPBACK[router]);
  return [
    'frr defaults traditional',
    'hostname rr',
    'service integrated-vtysh-config',
    `interface lo\n ipv6 address ${REFLECTOR}/128`,
    'interface eth1\n ipv6 address 2001:db8:0:7::2/64',
    ...clients.map((client) => `ipv6 route ${client}/128 2001:db8:0:7::1`),
    'router bgp 65000',
    ' bgp router-id 10.0.0.100',
    ' no bgp default ipv4-unicast',
    ' neighbor cpn peer-group',
    ' neighbor cpn remote-as 65000',
    ' neighbor cpn update-source lo',
    ' neighbor cpn timers 3 9',
    ' neighbor cpn timers connect 1',
    ...clients.map((client) => ` neighbor ${client} peer-group cpn`),
    ...(ipv4 ? frrLines : []),
    ' address-family ipv6 unicast',
    '  neighbor cpn activate',
    '  neighbor cpn route-reflector-client',
    '  neighbor cpn addpath-tx-all-paths',
    ' exit-address-family',
    'exit',
    '',
  ].join('\n');
}
