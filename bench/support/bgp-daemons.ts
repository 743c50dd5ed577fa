/** The BGP daemons that bgp-scale compares: the same neighbours, the same policy (everything passes), no route to any kernel but where the note says so. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { SpeakerSettings } from './bgp-speaker-process.js';

export interface Setting {
  /** Of the daemon, which is also its next hop. */
  readonly address: string;
  readonly as: number;
  readonly neighbors: readonly { readonly address: string; readonly as: number }[];
  /** The bare speaker measures how long its event loop is held up. */
  readonly watchesStalls: boolean;
  /** Private to this run: configuration, sockets. */
  readonly folder: string;
}

export interface Daemon {
  readonly name: string;
  /** What is left out of it, for the table. */
  readonly note: string;
  /** Writes the configuration; returns the command line, which stays in the foreground. */
  readonly prepare: (setting: Setting) => readonly string[];
}

const HOLD_S = 90;
const ROUTER_ID = '10.255.0.1';
const built = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

function write(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

const speaker: Daemon = {
  name: 'cpnd, BGP alone',
  note: 'BgpSpeaker in a process of its own: no RIB, no kernel',
  prepare({ address, as, neighbors, watchesStalls }) {
    const settings: SpeakerSettings = { address, as, neighbors, holdTimeMs: HOLD_S * 1000, identifier: ROUTER_ID, watchesStalls };
    return [process.execPath, ...process.execArgv, built('bgp-speaker-process.js'), JSON.stringify(settings)];
  },
};

function cpndConfig({ address, as, neighbors, folder }: Setting): object {
  return {
    router: { name: 'bench', id: ROUTER_ID, loopback: address, locator: 'fcbb:bb00:1::/48', sidBlocks: ['fcbb:bb00::/32'], domainSources: ['fc00::/32', `${address}/128`] },
    interfaces: { bench1: { role: 'core', addresses: [`${address}/64`] } },
    bgp: { as, neighbors: neighbors.map((neighbor) => ({ ...neighbor, localAddress: address, passive: true, import: 'any', export: 'any', holdTime: `${HOLD_S}s` })) },
    api: { listen: `unix://${folder}/cpnd.sock` },
    log: { level: 'error' },
  };
}

const cpnd: Daemon = {
  name: 'cpnd, whole',
  note: 'routes go to the kernel',
  prepare(setting) {
    const config = write(setting.folder, 'cpnd.yaml', stringify(cpndConfig(setting)));
    return [process.execPath, ...process.execArgv, built('../../daemon/cpnd.js'), 'router', '--config', config];
  },
};

const frr: Daemon = {
  name: 'FRR bgpd',
  note: 'bgpd -n -Z: no zebra, no kernel',
  prepare({ address, as, neighbors, folder }) {
    const config = [
      'frr defaults traditional',
      `router bgp ${as}`,
      ` bgp router-id ${ROUTER_ID}`,
      ' no bgp ebgp-requires-policy',
      ' no bgp default ipv4-unicast',
      ` timers bgp ${HOLD_S / 3} ${HOLD_S}`,
      ...neighbors.flatMap((neighbor) => [` neighbor ${neighbor.address} remote-as ${neighbor.as}`, ` neighbor ${neighbor.address} passive`, ` neighbor ${neighbor.address} advertisement-interval 0`]),
      ' address-family ipv6 unicast',
      ...neighbors.map((neighbor) => `  neighbor ${neighbor.address} activate`),
      ' exit-address-family',
      '',
    ].join('\n');
    const file = write(folder, 'bgpd.conf', config);
    const own = ['--vty_socket', folder, '-i', join(folder, 'bgpd.pid'), '-P', '0', '--log', 'file:/dev/null'];
    return ['/usr/lib/frr/bgpd', '-f', file, '-n', '-Z', '-l', address, ...own];
  },
};

const bird: Daemon = {
  name: 'BIRD',
  note: 'no kernel protocol',
  prepare({ address, as, neighbors, folder }) {
    const one = (neighbor: Setting['neighbors'][number], index: number): string =>
      `protocol bgp p${index} { local ${address} as ${as}; neighbor ${neighbor.address} as ${neighbor.as}; passive on; hold time ${HOLD_S}; ipv6 { import all; export all; }; }`;
    const config = [`router id ${ROUTER_ID};`, 'log "/dev/null" all;', 'protocol device {}', 'protocol direct { ipv6; }', ...neighbors.map(one), ''].join('\n');
    return ['bird', '-f', '-c', write(folder, 'bird.conf', config), '-s', join(folder, 'bird.ctl')];
  },
};

const gobgp: Daemon = {
  name: 'GoBGP',
  note: 'no kernel, as ever',
  prepare({ address, as, neighbors, folder }) {
    const one = (neighbor: Setting['neighbors'][number]): string =>
      [
        '[[neighbors]]',
        `[neighbors.config]\nneighbor-address = "${neighbor.address}"\npeer-as = ${neighbor.as}`,
        `[neighbors.transport.config]\npassive-mode = true\nlocal-address = "${address}"`,
        `[neighbors.timers.config]\nhold-time = ${HOLD_S}\nkeepalive-interval = ${HOLD_S / 3}`,
        '[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "ipv6-unicast"',
      ].join('\n');
    const config = [`[global.config]\nas = ${as}\nrouter-id = "${ROUTER_ID}"\nlocal-address-list = ["${address}"]`, ...neighbors.map(one), ''].join('\n');
    return ['gobgpd', '-f', write(folder, 'gobgpd.toml', config), '--api-hosts', `unix://${join(folder, 'gobgp.sock')}`, '-l', 'error'];
  },
};

export const DAEMONS: Readonly<Record<string, Daemon>> = { speaker, cpnd, frr, bird, gobgp };
