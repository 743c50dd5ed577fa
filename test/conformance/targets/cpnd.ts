/** Our own daemon. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Profile } from '../target.js';
import { collectorAs, type Daemon, password, prefixLimit, servicePrefix, targetAs, targetIdentifier, testerAs } from './daemon.js';
import { addressesOf, targetAddress, targetAddress4 } from './network.js';

const repository = new URL('../../../../', import.meta.url);
const both = { import: 'any', export: 'any' };
const families = ['ipv6-unicast', 'ipv4-unicast', 'ipv6-vpn'];

/** Keys of a neighbour by kind. */
const neighbors: Partial<Record<Profile, Readonly<Record<string, unknown>>>> = {
  external: { as: testerAs, passive: true, addPath: 'both', ...both },
  collector: { as: collectorAs, passive: true, addPath: 'both', ...both },
  internal: { as: targetAs, passive: true },
  client: { as: targetAs, passive: true, routeReflectorClient: true },
  noPolicy: { as: testerAs, passive: true },
  active: { as: testerAs, connectRetry: '1s', ...both },
  gtsm: { as: testerAs, passive: true, gtsm: true, ...both },
  md5: { as: testerAs, passive: true, password, ...both },
  customer: { as: testerAs, passive: true, role: 'provider', ...both },
  provider: { as: testerAs, passive: true, role: 'customer', ...both },
  lateral: { as: testerAs, passive: true, role: 'peer', ...both },
  limited: { as: testerAs, passive: true, maxPrefix: { 'ipv6-unicast': { limit: prefixLimit, action: 'restart', restartAfter: '1s' } }, ...both },
  cpn: { as: testerAs, passive: true, cpn: true, cpnAccept: [servicePrefix], ...both },
  cpnInternal: { as: targetAs, passive: true, cpn: true },
  cpnCollector: { as: collectorAs, passive: true, cpn: true, ...both },
};

export const cpnd: Daemon = {
  name: 'cpnd',
  profiles: Object.keys(neighbors) as Profile[],
  version: () => `cpnd ${(JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')) as { version: string }).version}`,
  prepare(directory) {
    const config = {
      router: { name: 'target', id: targetIdentifier, loopback: 'fc00:0:99::1', locator: 'fcbb:bb00:99::/48', sidBlocks: ['fcbb:bb00::/32'], domainSources: ['fc00::/16'] },
      interfaces: { eth1: { role: 'core', addresses: [`${targetAddress}/64`, `${targetAddress4}/16`] } },
      bgp: {
        as: targetAs,
        neighbors: Object.entries(neighbors).flatMap(([profile, keys]) => addressesOf(profile as Profile).map((address) => ({ address, localAddress: targetAddress, families, ...keys }))),
      },
      cpn: { servicePrefixes: [servicePrefix], stamp: { enabled: false } },
      api: { listen: `unix://${join(directory, 'cpnd.sock')}` },
    };
    const file = join(directory, 'cpnd.yaml');
    writeFileSync(file, stringify(config, { aliasDuplicateObjects: false }));
    return [[process.execPath, fileURLToPath(new URL('dist/daemon/cpnd.js', repository)), 'router', '--config', file]];
  },
};
