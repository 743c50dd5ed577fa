/** The effective section `registration`: its types, and how it comes from the fields of a file. Durations are ms. */
import type { z } from 'zod';
import { Prefix } from '../../dataplane/packet/ip.js';
import type { Finding } from './check.js';
import type { registration } from './schema/registration.js';
import { resolveHealthCheck } from './resolve-health.js';
import type { Config, HealthCheckConfig } from './types.js';

/** The most that a node is believed, operations per second; undefined: what its chips can bear. */
export interface RegistrationLimits {
  readonly logical: bigint | undefined;
  readonly parallel: bigint | undefined;
  readonly neural: bigint | undefined;
  /** A stated capacity counts up to so many times what the node's benchmark measured; 0: whatever it measured. */
  readonly measuredFactor: number;
  readonly maxServices: number;
}

export interface RegistrationNodeConfig {
  /** Node id, or `default` for every authenticated node without an entry of its own. */
  readonly id: string;
  /** Prefixes of the services it may announce. */
  readonly services: readonly string[];
  /** Prefixes that its instance addresses come from; none: any on a link of a node interface. */
  readonly addresses: readonly string[];
  /** Interface it is behind; undefined: the one whose link has the address. */
  readonly interface: string | undefined;
  readonly limits: RegistrationLimits;
}

export interface RegistrationConfig {
  /** unix:///path or [address]:port. */
  readonly listen: readonly string[];
  /** Files. With `clientCa` nodes need a certificate, whose common name is their id. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly clientCa: string | undefined } | undefined;
  /** File of a YAML mapping from node id to token, or to `sha256:` and 64 hexadecimal digits. */
  readonly tokens: string | undefined;
  /** Where registrations are kept over a restart. */
  readonly stateFile: string;
  readonly leaseMs: number;
  readonly updateIntervalMs: number;
  /** Changes that nodes are to report, as a share of the total. */
  readonly threshold: number;
  /** How long nodes known from before a restart may take to come back. */
  readonly restartWaitMs: number;
  readonly activationTimeoutMs: number;
  /** An active service without flows for so long may make room for another. */
  readonly idleMs: number;
  readonly maxNodes: number;
  /** Of one node; what is above is gathered. */
  readonly updatesPerSecond: number;
  /** Checks of the registered services by the router; kind, address and port follow from the service. Undefined: none. */
  readonly healthCheck: HealthCheckConfig | undefined;
  readonly nodes: readonly RegistrationNodeConfig[];
}

export function resolveRegistration(file: z.output<typeof registration>): RegistrationConfig {
  const check = file.healthCheck;
  return {
    listen: file.listen,
    tls: file.tls && { certificate: file.tls.certificate, key: file.tls.key, clientCa: file.tls.clientCa },
    tokens: file.tokens,
    stateFile: file.stateFile,
    leaseMs: file.lease,
    updateIntervalMs: file.updateInterval,
    threshold: file.threshold,
    restartWaitMs: file.restartWait,
    activationTimeoutMs: file.activationTimeout,
    idleMs: file.idleTime,
    maxNodes: file.maxNodes,
    updatesPerSecond: file.updatesPerSecond,
    healthCheck: check && resolveHealthCheck({ ...check, kind: 'icmp', path: '/', status: [], service: '' }, ''),
    nodes: file.nodes.map(({ id, services, addresses, interface: interfaceName, maxServices, limits }) => ({
      id,
      services,
      addresses,
      interface: interfaceName,
      limits: { logical: limits.logical, parallel: limits.parallel, neural: limits.neural, measuredFactor: limits.measuredFactor, maxServices },
    })),
  };
}

export function checkRegistration({ registration: section, cpn, interfaces }: Config): Finding[] {
  if (!section) return [];
  const findings: Finding[] = [];
  const overTcp = section.listen.find((target) => !target.startsWith('unix:'));
  if (overTcp !== undefined && !section.tls) findings.push({ path: ['registration', 'tls'], expected: `certificate and key, since ${overTcp} is reached by TCP`, found: 'nothing' });
  if (overTcp !== undefined && section.tls && section.tls.clientCa === undefined && section.tokens === undefined) {
    findings.push({ path: ['registration', 'tokens'], expected: 'a file of tokens, or tls.clientCa: nodes that come by TCP have to show who they are', found: 'neither' });
  }
  if (section.leaseMs < 2 * section.updateIntervalMs) findings.push({ path: ['registration', 'lease'], expected: `at least two update intervals of ${section.updateIntervalMs} ms`, found: `${section.leaseMs} ms` });
  const prefixes = cpn.servicePrefixes.map((text) => Prefix.from(text));
  const seen = new Set<string>();
  section.nodes.forEach((node, index) => {
    const path = ['registration', 'nodes', index];
    if (seen.has(node.id)) findings.push({ path: [...path, 'id'], expected: 'an id that no other entry has', found: `a second ${node.id}` });
    seen.add(node.id);
    node.services.forEach((text, position) => {
      if (!prefixes.some((prefix) => prefix.contains(Prefix.from(text)))) findings.push({ path: [...path, 'services', position], expected: 'a prefix inside cpn.servicePrefixes', found: text });
    });
    if (node.interface !== undefined && interfaces[node.interface]?.role !== 'node') {
      findings.push({ path: [...path, 'interface'], expected: 'an interface with role node', found: `${node.interface} with role ${interfaces[node.interface]?.role ?? 'core'}` });
    }
  });
  return findings;
}
