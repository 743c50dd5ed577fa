/** Turns the links of a topology file into pairs of endpoints: brief ("r1:eth1") and extended ({node, interface}) notation. */
import { createHash } from 'node:crypto';
import { Prefix } from '../../dataplane/packet/ip.js';
import type { FieldPath } from './document.js';
import type { LinkDefinition } from './schema.js';
import type { Impairment, LinkEndpoint, TopologyLink } from './topology.js';
import { expectedDelay, expectedLoss, expectedRate, parseDelay, parseLoss, parseRate } from './units.js';

export type Report = (path: FieldPath, message: string, atKey?: boolean) => void;

/** containerlab's default MTU of a link. */
const defaultMtu = 9500;

/** Names that containerlab gives a meaning as a node of a brief link. */
const specialNodes: ReadonlySet<string> = new Set(['host', 'mgmt-net', 'macvlan']);

/** Locally administered, in containerlab's range aa:c1:ab, and the same in every run. */
function macOf(lab: string, node: string, name: string): string {
  const digest = createHash('sha256').update(`${lab}/${node}/${name}`).digest();
  return `aa:c1:ab:${[0, 1, 2].map((i) => digest[i]!.toString(16).padStart(2, '0')).join(':')}`;
}

const impairmentLabels = {
  'cpn-delay': { parse: parseDelay, expected: expectedDelay },
  'cpn-jitter': { parse: parseDelay, expected: expectedDelay },
  'cpn-loss': { parse: parseLoss, expected: expectedLoss },
  'cpn-rate': { parse: parseRate, expected: expectedRate },
} as const;

type ImpairmentLabel = keyof typeof impairmentLabels;

/** Impairments from link labels or vars; containerlab accepts both on a link and does nothing with them. */
function impairmentOf(link: LinkDefinition, path: FieldPath, report: Report): Impairment {
  const values: Record<ImpairmentLabel, number> = { 'cpn-delay': 0, 'cpn-jitter': 0, 'cpn-loss': 0, 'cpn-rate': 0 };
  for (const section of ['labels', 'vars'] as const) {
    for (const [key, text] of Object.entries(link[section] ?? {})) {
      if (!key.startsWith('cpn-')) continue;
      if (!(key in impairmentLabels)) {
        report([...path, section, key], `unknown impairment; expected one of ${Object.keys(impairmentLabels).join(', ')}`, true);
        continue;
      }
      const { parse, expected } = impairmentLabels[key as ImpairmentLabel];
      const value = typeof text === 'string' || typeof text === 'number' ? parse(String(text)) : undefined;
      if (value === undefined) report([...path, section, key], `expected ${expected}, found ${JSON.stringify(text)}`);
      else values[key as ImpairmentLabel] = value;
    }
  }
  return { delayMs: values['cpn-delay'], jitterMs: values['cpn-jitter'], lossPercent: values['cpn-loss'], rateBps: values['cpn-rate'] };
}

function endpointOf(
  lab: string,
  link: LinkDefinition,
  index: 0 | 1,
  path: FieldPath,
  nodes: ReadonlySet<string>,
  report: Report,
): LinkEndpoint | undefined {
  const given = link.endpoints[index]!;
  const at = [...path, 'endpoints', index];
  let node: string;
  let name: string;
  let mac: string | undefined;
  const addresses: string[] = [];
  if (typeof given === 'string') {
    const match = /^([^:\s]+):(\S+)$/.exec(given);
    if (!match) {
      report(at, `expected "node:interface", found ${JSON.stringify(given)}`);
      return undefined;
    }
    [, node, name] = match as unknown as [string, string, string];
  } else {
    ({ node, interface: name, mac } = given);
    for (const family of ['ipv4', 'ipv6'] as const) if (given[family] !== undefined) addresses.push(given[family]);
  }
  for (const family of ['ipv4', 'ipv6'] as const) {
    const address = link[family]?.[index];
    if (address !== undefined && address !== '') addresses.push(address);
  }
  for (const address of addresses) {
    if (!address.includes('/') || !Prefix.parse(address)) report(at, `expected an address with prefix length such as 2001:db8::1/64, found "${address}"`);
  }
  if (!nodes.has(node)) {
    report(at, specialNodes.has(node) ? `endpoints of "${node}" have no meaning on namespaces; expected a node of this file` : `unknown node "${node}"; expected a node of this file`);
    return undefined;
  }
  // IFNAMSIZ is 16 with the closing zero; "lo" is in every namespace already.
  if (name.length > 15 || name === 'lo' || name === '.' || name === '..' || name.includes('/')) {
    report(at, `interface name "${name}" is not possible; expected 1 to 15 characters, not "lo" and without "/"`);
    return undefined;
  }
  return { node, interface: name, mac: mac?.toLowerCase().replaceAll('-', ':') ?? macOf(lab, node, name), addresses };
}

/** Resolves all links; faults go to `report`. */
export function resolveLinks(lab: string, links: readonly LinkDefinition[], nodes: ReadonlySet<string>, report: Report): TopologyLink[] {
  const resolved: TopologyLink[] = [];
  const taken = new Set<string>();
  for (const [i, link] of links.entries()) {
    const path = ['topology', 'links', i] as const;
    if (link.type !== undefined && !['veth', 'veth-stitch', 'brief'].includes(link.type)) {
      report([...path, 'type'], `link type "${link.type}" needs a container host; expected veth or no type`);
      continue;
    }
    const a = endpointOf(lab, link, 0, path, nodes, report);
    const b = endpointOf(lab, link, 1, path, nodes, report);
    const impairment = impairmentOf(link, path, report);
    for (const [index, endpoint] of [a, b].entries()) {
      if (!endpoint) continue;
      const key = `${endpoint.node}:${endpoint.interface}`;
      if (taken.has(key)) report([...path, 'endpoints', index], `${key} is used by another link already`);
      taken.add(key);
    }
    if (a && b) resolved.push({ endpoints: [a, b], mtu: link.mtu ?? defaultMtu, impairment });
  }
  return resolved;
}
