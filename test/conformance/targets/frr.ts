/** FRR: zebra for the next hops, and bgpd with one peer group and listen range a kind of neighbour. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../target.js';
import { collectorAs, type Daemon, password, prefixLimit, targetAs, targetIdentifier, testerAs } from './daemon.js';
import { addressesOf, rangeOf, targetAddress } from './network.js';

interface Group {
  readonly as: number;
  /** Lines of the neighbour. */
  readonly lines?: readonly string[];
  /** Lines in each address family. */
  readonly family?: readonly string[];
  readonly policy?: boolean;
  /** Neighbours by address: ranges are passive, and keys and limits are set by address. */
  readonly listed?: boolean;
}

const groups: Partial<Record<Profile, Group>> = {
  external: { as: testerAs },
  collector: { as: collectorAs, family: ['addpath-tx-all-paths'] },
  internal: { as: targetAs },
  client: { as: targetAs, family: ['route-reflector-client'] },
  noPolicy: { as: testerAs, policy: false },
  active: { as: testerAs, listed: true },
  gtsm: { as: testerAs, lines: ['ttl-security hops 1'], listed: true },
  md5: { as: testerAs, lines: [`password ${password}`], listed: true },
  customer: { as: testerAs, lines: ['local-role provider'] },
  provider: { as: testerAs, lines: ['local-role customer'] },
  lateral: { as: testerAs, lines: ['local-role peer'] },
  limited: { as: testerAs, family: [`maximum-prefix ${prefixLimit}`] },
};

const entries = Object.entries(groups) as [Profile, Group][];

function configuration(): string {
  const lines = ['frr defaults traditional', 'hostname target', 'route-map all permit 10', 'exit', `router bgp ${targetAs}`];
  lines.push(`bgp router-id ${targetIdentifier}`, 'no bgp default ipv4-unicast', 'no bgp network import-check', 'coalesce-time 0', 'bgp listen limit 5000');
  for (const [name, { as, lines: extra = [], listed }] of entries) {
    lines.push(`neighbor ${name} peer-group`, `neighbor ${name} remote-as ${as}`, `neighbor ${name} timers connect 1`, `neighbor ${name} capability extended-nexthop`);
    lines.push(...extra.map((line) => `neighbor ${name} ${line}`));
    if (name !== 'active') lines.push(`neighbor ${name} passive`);
    if (listed === true) lines.push(...addressesOf(name).map((address) => `neighbor ${address} peer-group ${name}`));
    else lines.push(`bgp listen range ${rangeOf(name)} peer-group ${name}`);
  }
  for (const family of ['ipv4', 'ipv6']) {
    lines.push(`address-family ${family} unicast`);
    for (const [name, { as, family: extra = [], policy = true }] of entries) {
      lines.push(`neighbor ${name} activate`, ...extra.map((line) => `neighbor ${name} ${line}`));
      if (as !== targetAs && policy) lines.push(`neighbor ${name} route-map all in`, `neighbor ${name} route-map all out`);
    }
    lines.push('exit-address-family');
  }
  return `${lines.join('\n')}\n`;
}

export const frr: Daemon = {
  name: 'frr',
  profiles: entries.map(([name]) => name),
  version: () => /FRRouting version (\S+)|bgpd version (\S+)/.exec(execFileSync('/usr/lib/frr/bgpd', ['--version'], { encoding: 'utf8' }))?.slice(1).filter(Boolean).map((version) => `FRR ${version}`)[0] ?? 'FRR',
  prepare(directory) {
    chmodSync(directory, 0o777);
    const file = join(directory, 'bgpd.conf');
    writeFileSync(file, configuration());
    const empty = join(directory, 'zebra.conf');
    writeFileSync(empty, 'hostname target\n');
    const api = join(directory, 'zserv.api');
    const common = ['--vty_socket', directory, '-P', '0', '--log', 'stdout', '-z', api];
    return [
      ['/usr/lib/frr/zebra', '-f', empty, '-i', join(directory, 'zebra.pid'), ...common],
      ['/usr/lib/frr/bgpd', '-f', file, '-i', join(directory, 'bgpd.pid'), '-l', targetAddress, ...common],
    ];
  },
};
