/** GoBGP: one peer group with a dynamic range a kind of neighbour. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../target.js';
import { collectorAs, type Daemon, password, prefixLimit, targetAs, targetIdentifier, testerAs } from './daemon.js';
import { addressesOf, rangeOf, targetAddress } from './network.js';

interface Group {
  readonly as: number;
  readonly keys?: Readonly<Record<string, unknown>>;
  /** Keys of each address family. */
  readonly family?: Readonly<Record<string, unknown>>;
  /** Neighbours by address, for what the groups of ranges do not take over. */
  readonly listed?: boolean;
}

const groups: Partial<Record<Profile, Group>> = {
  external: { as: testerAs, family: { 'add-paths': { config: { receive: true } } } },
  collector: { as: collectorAs, family: { 'add-paths': { config: { 'send-max': 8 } } } },
  internal: { as: targetAs },
  client: { as: targetAs, keys: { 'route-reflector': { config: { 'route-reflector-client': true, 'route-reflector-cluster-id': targetIdentifier } } } },
  noPolicy: { as: testerAs },
  active: { as: testerAs, listed: true },
  gtsm: { as: testerAs, keys: { 'ttl-security': { config: { enabled: true, 'ttl-min': 255 } } }, listed: true },
  md5: { as: testerAs, listed: true },
  limited: { as: testerAs, family: { 'prefix-limit': { config: { 'max-prefixes': prefixLimit } } } },
};

const entries = Object.entries(groups) as [Profile, Group][];

function configuration(): unknown {
  const afiSafis = (extra: Readonly<Record<string, unknown>>): unknown =>
    ['ipv4-unicast', 'ipv6-unicast'].map((family) => ({ config: { 'afi-safi-name': family }, 'mp-graceful-restart': { config: { enabled: true } }, ...extra }));
  const body = (name: string, { keys = {}, family = {} }: Group): Record<string, unknown> => ({
    timers: { config: { 'connect-retry': 1, 'hold-time': 90, 'keepalive-interval': 30, 'idle-hold-time-after-reset': 1 } },
    transport: { config: { 'local-address': targetAddress, 'passive-mode': name !== 'active' } },
    'graceful-restart': { config: { enabled: true, 'restart-time': 20, 'notification-enabled': true } },
    'afi-safis': afiSafis(family),
    ...keys,
  });
  const ranges = entries.filter(([, { listed }]) => listed !== true);
  return {
    global: { config: { as: targetAs, 'router-id': targetIdentifier, port: 179, 'local-address-list': [targetAddress] } },
    'peer-groups': ranges.map(([name, group]) => ({ config: { 'peer-group-name': name, 'peer-as': group.as }, ...body(name, group) })),
    'dynamic-neighbors': ranges.map(([name]) => ({ config: { prefix: rangeOf(name), 'peer-group': name } })),
    neighbors: entries
      .filter(([, { listed }]) => listed === true)
      .flatMap(([name, group]) =>
        addressesOf(name).map((address) => ({ config: { 'neighbor-address': address, 'peer-as': group.as, ...(name === 'md5' ? { 'auth-password': password } : {}) }, ...body(name, group) })),
      ),
  };
}

export const gobgp: Daemon = {
  name: 'gobgp',
  profiles: entries.map(([name]) => name),
  version: () => `GoBGP ${/version (\S+)/.exec(execFileSync('gobgpd', ['--version'], { encoding: 'utf8' }))?.[1] ?? ''}`,
  prepare(directory) {
    const file = join(directory, 'gobgpd.json');
    writeFileSync(file, JSON.stringify(configuration(), undefined, 2));
    return [['gobgpd', '-f', file, '-t', 'json', '--api-hosts', '127.0.0.1:50051']];
  },
};
