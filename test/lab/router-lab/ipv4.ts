/**
 * IPv4 on the network of the router tests: clients and nodes have IPv4 addresses, the links between routers have none. Services of IPv4 addresses at
 * exit1 (instance 41), exit2 (42) and exit3 (43), and at the entry itself (49).
 */
import type { Configurations, RouterName } from './network.js';

export const CLIENT_IPV4 = '10.0.0.2';
export const ENTRY_IPV4 = '10.0.0.1';
export const CLIENT_NETWORK = '10.0.0.0/24';
export const SERVICE_PREFIX_IPV4 = '198.51.100.0/24';
export const SERVICE_IPV4 = { main: '198.51.100.1', local: '198.51.100.9' } as const;

export const nodeNetwork = (number: number): string => `10.1.${number}.0/24`;
export const nodeAddress = (number: number): string => `10.1.${number}.2`;

const EXITS: readonly (readonly [router: RouterName, node: number, instance: number, service: string, interfaceName: string])[] = [
  ['entry', 0, 49, SERVICE_IPV4.local, 'eth4'],
  ['exit1', 1, 41, SERVICE_IPV4.main, 'eth2'],
  ['exit2', 2, 42, SERVICE_IPV4.main, 'eth2'],
  ['exit3', 3, 43, SERVICE_IPV4.main, 'eth2'],
];

const timing = { interval: '100ms', timeout: '100ms', fall: 2, rise: 2 };

export function addIpv4(all: Configurations): void {
  for (const { cpn } of Object.values(all)) cpn.servicePrefixes.push(SERVICE_PREFIX_IPV4);
  all.entry.interfaces['eth1']!.addresses.push(`${ENTRY_IPV4}/24`);
  all.entry.bgp.networks.push(CLIENT_NETWORK);
  for (const [router, node, id, service, interfaceName] of EXITS) {
    const { interfaces, bgp, cpn } = all[router];
    interfaces[interfaceName]!.addresses.push(`10.1.${node}.1/24`);
    bgp.networks.push(nodeNetwork(node));
    cpn.instances.push({
      service,
      id,
      node: { address: nodeAddress(node), interface: interfaceName },
      serviceRate: 5000,
      serviceDelay: { mean: '50ms', p99: '100ms' },
      queueCapacity: 100,
      healthCheck: node === 2 ? { kind: 'icmp', ...timing } : { kind: 'tcp', port: 8080, ...timing },
    });
  }
}

/** Commands of the client and of a computing node when they come up. */
export const clientCommands: readonly string[] = [`ip address add ${CLIENT_IPV4}/24 dev eth1`, `ip route add default via ${ENTRY_IPV4}`];
export const nodeCommands = (number: number): string[] => [
  `ip address add ${nodeAddress(number)}/24 dev eth1`,
  `ip route add default via 10.1.${number}.1`,
  ...Object.values(SERVICE_IPV4).map((service) => `ip address add ${service}/32 dev lo`),
];

/** Lines of the reflector's BGP: IPv4 with IPv6 next hops (RFC 8950). */
export const frrLines: readonly string[] = [
  ' neighbor cpn capability extended-nexthop',
  ' address-family ipv4 unicast',
  '  neighbor cpn activate',
  '  neighbor cpn route-reflector-client',
  '  neighbor cpn addpath-tx-all-paths',
  ' exit-address-family',
];
