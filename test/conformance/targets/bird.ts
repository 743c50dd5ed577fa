/** BIRD: one protocol with a neighbour range a kind of neighbour. It refuses a configuration without eBGP policies, so nothing is to be tried there (RFC 8212). */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../target.js';
import { collectorAs, type Daemon, password, prefixLimit, targetAs, targetIdentifier, testerAs } from './daemon.js';
import { addressesOf, rangeOf, targetAddress } from './network.js';

interface Template {
  readonly as: number;
  readonly lines?: readonly string[];
  readonly channel?: readonly string[];
  /** One protocol a neighbour: it connects of its own accord, which a range never does. */
  readonly listed?: boolean;
}

const templates: Partial<Record<Profile, Template>> = {
  external: { as: testerAs, channel: ['add paths rx'] },
  collector: { as: collectorAs, channel: ['add paths tx'] },
  internal: { as: targetAs },
  client: { as: targetAs, lines: ['rr client'] },
  active: { as: testerAs, lines: ['connect delay time 1', 'connect retry time 1'], listed: true },
  gtsm: { as: testerAs, lines: ['ttl security on'] },
  md5: { as: testerAs, lines: [`password "${password}"`], listed: true },
  customer: { as: testerAs, lines: ['local role provider'] },
  provider: { as: testerAs, lines: ['local role customer'] },
  lateral: { as: testerAs, lines: ['local role peer'] },
  limited: { as: testerAs, channel: [`import limit ${prefixLimit} action restart`] },
};

const entries = Object.entries(templates) as [Profile, Template][];

function protocols([name, { as, lines = [], channel = [], listed = false }]: [Profile, Template]): string {
  const rules = ['import all', 'export where source = RTS_BGP'];
  const families = ['ipv4', 'ipv6'].map((family) => `  ${family} { ${[...rules, ...channel, ...(family === 'ipv4' ? ['extended next hop on'] : [])].map((line) => `${line};`).join(' ')} };`);
  const body = ['error wait time 1, 1', 'error forget time 1', 'enable extended messages on', 'graceful restart aware', ...(as === targetAs ? ['direct'] : []), ...lines].map((line) => `  ${line};`);
  const protocol = (title: string, neighbor: string, passive: boolean): string =>
    [`protocol bgp kind_${title} {`, `  local ${targetAddress} as ${targetAs};`, `  ${neighbor};`, ...(passive ? ['  passive on;'] : []), ...body, ...families, '}'].join('\n');
  if (!listed) return protocol(name, `neighbor range ${rangeOf(name)} as ${as}`, true);
  return addressesOf(name).map((address, index) => protocol(`${name}${index}`, `neighbor ${address} as ${as}`, name !== 'active')).join('\n');
}

export const bird: Daemon = {
  name: 'bird',
  profiles: entries.map(([name]) => name),
  version: () => {
    const { stdout, stderr, error } = spawnSync('bird', ['--version'], { encoding: 'utf8' });
    if (error) throw error;
    return /BIRD version \S+/.exec(stdout + stderr)?.[0].replace('version ', '') ?? 'BIRD';
  },
  prepare(directory) {
    const file = join(directory, 'bird.conf');
    writeFileSync(file, [`router id ${targetIdentifier};`, 'log stderr all;', 'protocol device { }', 'protocol direct { ipv4; ipv6; }', ...entries.map(protocols), ''].join('\n'));
    return [['bird', '-f', '-c', file, '-s', join(directory, 'bird.ctl')]];
  },
};
