/** VPN-IPv6 with SRv6 SIDs between our speakers and stock ones: through reflectors without ADD-PATH, and from a stock provider edge. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { BgpVpnConfig, Config } from '../../daemon/config/types.js';
import { encodeCpnBlock } from '../../daemon/computing/block.js';
import type { Advertisement } from '../../daemon/rib/candidate.js';
import { neighbor } from '../daemon/bgp/network.js';
import { makeAdvertisement, makeInstance } from '../daemon/rib/instances.js';
import { BgpLab, eventually, has, isRoot, startFrr, withLab, type Driver, type Shown } from './bgp-lab.js';

const CLIENTS = ['entry', 'exit1', 'exit2'] as const;
const SERVICE = '2001:db8:5e::1';
const address = (index: number): string => `2001:db8:${index + 1}::${index + 1}`;
const reflector = (index: number): string => `2001:db8:${index + 1}::ff`;
const network = (index: number): string => `2001:db8:b:${index}::/64`;

const vpn = (index: number): BgpVpnConfig => ({
  rd: `10.0.0.${index + 1}:1`,
  exportTargets: ['65000:1'],
  importTargets: ['65000:1'],
  // The second exit moves the function of its SIDs into the label: it has to pass the reflector unchanged too.
  transposition: index === 2,
  networks: index === 0 ? [] : [network(index)],
});

const bgpOf = (index: number): NonNullable<Config['bgp']> => ({
  as: 65000,
  listen: { addresses: [], port: 179 },
  networks: [],
  vpn: vpn(index),
  neighbors: [neighbor(reflector(index), address(index), 65000, { cpn: true, connectRetryMs: 1000, families: ['ipv6-vpn'] })],
});

const configOf = (index: number): Pick<Config, 'bgp' | 'router'> => ({
  bgp: bgpOf(index),
  router: {
    name: CLIENTS[index]!,
    id: `10.0.0.${index + 1}`,
    loopback: address(index),
    locator: `fcbb:bb00:${index}::/48`,
    sidStructure: { block: 32, node: 16, function: 16, argument: 0 },
    sidBlocks: ['fcbb:bb00::/32'],
    domainSources: ['2001:db8::/32'],
  },
});

const advertisementOf = (index: number): Advertisement =>
  makeAdvertisement(index, 7, { service: SERVICE, exit: address(index), source: 'local', peer: '', instances: [makeInstance(index, index)] });

const rawOf = ({ exit, sequence, originatedAt, validityMs, instances }: Advertisement): string =>
  Buffer.from(encodeCpnBlock({ service: undefined, origin: { exit, sequence, originatedAt, validity: validityMs / 1000 }, instances })).toString('hex');

interface Reflector {
  readonly name: string;
  readonly program: string;
  readonly start: (lab: BgpLab) => void;
}

const frr: Reflector = {
  name: 'FRR',
  program: '/usr/lib/frr/bgpd',
  start: (lab) => {
    const each = (line: (peer: string) => string): string => CLIENTS.map((_, i) => line(address(i))).join('\n');
    startFrr(
      lab,
      'rr',
      `hostname rr
router bgp 65000
 bgp router-id 10.0.0.255
 no bgp default ipv4-unicast
${each((peer) => ` neighbor ${peer} remote-as 65000\n neighbor ${peer} timers connect 1`)}
 address-family ipv6 vpn
${each((peer) => `  neighbor ${peer} activate\n  neighbor ${peer} route-reflector-client`)}
 exit-address-family
`,
    );
  },
};

const gobgp: Reflector = {
  name: 'GoBGP',
  program: '/usr/bin/gobgpd',
  start: (lab) => {
    const neighbors = CLIENTS.map(
      (_, i) => `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address(i)}"
    peer-as = 65000
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "10.0.0.255"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "l3vpn-ipv6-unicast"
`,
    );
    const file = lab.file('gobgp.toml', `[global.config]\n  as = 65000\n  router-id = "10.0.0.255"\n${neighbors.join('')}`);
    lab.start('rr', ['/usr/bin/gobgpd', '-f', file, '--pprof-disable']);
  },
};

describe('VPN-IPv6 through a reflector without ADD-PATH', { skip: !isRoot && 'needs root' }, () => {
  for (const { name, program, start } of [frr, gobgp]) {
    test(`${name}: both exits arrive with their CPN attribute unchanged, their networks with their SIDs, and one goes alone`, { skip: !has(program) }, () =>
      withLab(`vpn-${name.toLowerCase()}`, async (lab) => {
        lab.node('rr');
        CLIENTS.forEach((client, index) => {
          lab.node(client);
          lab.link(client, address(index), 'rr', reflector(index));
        });
        start(lab);
        const pcap = `${lab.directory}/exits.pcap`;
        const capture = lab.start('rr', ['tcpdump', '--immediate-mode', '-i', 'any', '-U', '-w', pcap, 'tcp port 179']);
        await eventually('the capture', () => existsSync(pcap));
        const drivers = CLIENTS.map((client, index) =>
          lab.speaker(client, { config: bgpOf(index), router: { id: `10.0.0.${index + 1}`, loopback: address(index) }, servicePrefixes: ['2001:db8:5e::/48'] }),
        );
        const [entry, ...exits] = drivers as [Driver, Driver, Driver];
        for (const [index, driver] of drivers.entries()) await driver.established(reflector(index));
        for (const [index, exit] of exits.entries()) await exit.run({ do: 'exchange', config: configOf(index + 1), advertisements: [advertisementOf(index + 1)] });

        const seen = async (what: string, check: (shown: Shown) => boolean): Promise<Shown> =>
          eventually(what, async () => {
            const shown = await entry.show();
            return check(shown) ? shown : undefined;
          });
        const both = await seen('both exits and their networks', ({ service, sids }) => Object.keys(service).length === 2 && Object.keys(sids).length === 2);
        assert.deepEqual(Object.keys(both.service).sort(), [1, 2].map((i) => `10.0.0.${i + 1}:1 ${SERVICE}/128 ${reflector(0)} 0`));
        assert.deepEqual(Object.values(both.service).map(({ raw }) => raw).sort(), [1, 2].map((i) => rawOf(advertisementOf(i))).sort());
        assert.deepEqual(both.sids, Object.fromEntries([1, 2].map((i) => [`vpn ${network(i)}`, `fcbb:bb00:${i}:2::`])));
        assert.deepEqual(both.routes.filter(({ service }) => service).map(({ communities }) => communities), [['no-export'], ['no-export']]);

        await exits[0].run({ do: 'exchange', config: configOf(1), advertisements: [{ ...advertisementOf(1), instances: [] }] });
        const one = await seen('the withdrawal of one exit', ({ service }) => Object.keys(service).length === 1);
        assert.deepEqual(Object.values(one.service).map(({ raw }) => raw), [rawOf(advertisementOf(2))]);
        assert.deepEqual(one.events.filter(({ kind }) => kind === 'fault'), []);

        // An independent reader finds nothing wrong with what we and the reflector said.
        capture.kill('SIGINT');
        await eventually('the end of the capture', () => capture.exitCode !== null || capture.signalCode !== null);
        const malformed = lab.exec('rr', 'tshark', '-r', pcap, '-Y', 'bgp && (_ws.malformed || _ws.expert.severity == error)', '-T', 'fields', '-e', 'frame.number', '-e', '_ws.expert.message').trim();
        assert.equal(malformed, '');
        const read = lab.exec('rr', 'tshark', '-r', pcap, '-Y', 'bgp.update.path_attribute.type_code == 14', '-V');
        assert.match(read, /Label Stack=3 \(bottom\) RD=10\.0\.0\.2:1, IPv6=2001:db8:b:1::\/64/);
        assert.match(read, /SRv6 SID Value: fcbb:bb00:1:2::\n/);
        // The function 0xe002 in the 16 most significant bits of 20.
        assert.match(read, /Label Stack=917536 \(bottom\) RD=10\.0\.0\.3:1, IPv6=2001:db8:5e::1\/128/);
      }));
  }
});

describe('VPN-IPv6 from ExaBGP as a provider edge', { skip: (!isRoot || !has('/usr/sbin/exabgp')) && 'needs root and ExaBGP' }, () => {
  test('routes are imported by route target and reached through their SIDs, transposed into the label or not', () =>
    withLab('vpn-exabgp', async (lab) => {
      const [us, them] = ['2001:db8:ff::1', '2001:db8:ff::2'];
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      // The Prefix-SID in octets: this ExaBGP has an early draft's form of its own.
      const route = (prefix: string, label: number, target: string, sid: string, structure: string): string =>
        `route ${prefix} next-hop ${them} rd 65000:1 label ${label} extended-community [target:${target}] attribute [0x28 0xc0 0x0500220001001e00${sid}00001200010006${structure}];`;
      const configuration = lab.file(
        'exabgp.conf',
        `neighbor ${us} {
  router-id 10.0.0.2;
  local-address ${them};
  local-as 65000;
  peer-as 65000;
  family { ipv6 mpls-vpn; }
  static {
    ${route('2001:db8:a1::/48', 3, '65000:1', 'fcbbbb000009e0010000000000000000', '201010000000')}
    ${route('2001:db8:a2::/48', 0xe0020, '65000:1', 'fcbbbb00000900000000000000000000', '201010001030')}
    ${route('2001:db8:a3::/48', 3, '65000:2', 'fcbbbb000009e0030000000000000000', '201010000000')}
  }
}
`,
      );
      lab.start('them', ['/usr/sbin/exabgp', configuration], { env: { exabgp_daemon_user: 'root', exabgp_api_cli: 'false', exabgp_log_level: 'ERR' } });
      const driver = lab.speaker('us', {
        config: { ...bgpOf(0), neighbors: [neighbor(them, us, 65000, { connectRetryMs: 1000, families: ['ipv6-vpn'] })] },
        router: { id: '10.0.0.1', loopback: us },
        servicePrefixes: [],
      });
      await driver.established(them);
      const shown = await eventually('three routes', async () => {
        const all = await driver.show();
        return all.routes.length === 3 ? all : undefined;
      });
      assert.deepEqual(shown.routes.map(({ prefix }) => prefix).sort(), ['a1', 'a2', 'a3'].map((part) => `65000:1 2001:db8:${part}::/48`));
      assert.deepEqual(shown.sids, { 'vpn 2001:db8:a1::/48': 'fcbb:bb00:9:e001::', 'vpn 2001:db8:a2::/48': 'fcbb:bb00:9:e002::' });
      assert.deepEqual(shown.events.filter(({ kind }) => kind === 'fault'), []);
    }));
});
