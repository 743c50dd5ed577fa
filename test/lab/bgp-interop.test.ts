import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { BgpNeighborConfig } from '../../daemon/config/types.js';
import type { CpnBlock, Instance } from '../../daemon/computing/types.js';
import { encodeCpnBlock } from '../../daemon/computing/block.js';
import { neighbor } from '../daemon/bgp/network.js';
import { type BgpLab, type Driver, eventually, has, isRoot, startFrr, withLab } from './bgp-lab.js';

const us = '2001:db8:ff::1';
const them = '2001:db8:ff::2';
const serviceId = '2001:db8:5e::1/128';

const instance = (id: number, sid: string): Instance => ({
  id,
  aggregate: false,
  draining: false,
  sid: { sid, behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
  computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
  load: { utilisation: 2000, queueLength: 1, activeFlows: 3 },
  serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 200 },
  storage: [],
  interface: undefined,
  location: undefined,
  energy: undefined,
  price: undefined,
  algorithms: [1, 2],
  cats: [],
  grade: undefined,
  address: undefined,
});

const block = (exit: string, sid: string): CpnBlock => ({
  service: undefined,
  origin: { exit, sequence: 1_700_000_000_000n, originatedAt: 1_700_000_000_000n, validity: 0 },
  instances: [instance(1, sid)],
});

const options = (address: string, neighbors: BgpNeighborConfig[], as = 65000): Parameters<BgpLab['speaker']>[1] => ({
  config: { as, listen: { addresses: [], port: 179 }, networks: [], neighbors },
  router: { id: `10.0.0.${Number.parseInt(address.split(':').at(-1)!, 16)}`, loopback: address },
  servicePrefixes: ['2001:db8:5e::/48'],
});

const sees = async (driver: Driver, prefix: string): Promise<boolean> => (await driver.show()).routes.some((route) => route.prefix === prefix && route.best);

describe('With FRR', { skip: !isRoot || !has('/usr/lib/frr/bgpd') }, () => {
  test('an eBGP session comes up, carries routes both ways, withdrawals, refreshes and a restart', () =>
    withLab('frr', async (lab) => {
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      const vtysh = startFrr(
        lab,
        'them',
        `hostname them
router bgp 65002
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor ${us} remote-as 65001
 neighbor ${us} timers connect 1
 address-family ipv6 unicast
  network 2001:db8:f::/48
  network 2001:db8:f1::/48
  neighbor ${us} activate
 exit-address-family
`,
      );
      const driver = lab.speaker('us', options(us, [neighbor(them, us, 65002, { connectRetryMs: 1000 })], 65001));
      const view = await driver.established(them);
      assert.ok(view.capabilities.received.includes('4-octet AS 65002'), view.capabilities.received.join('; '));
      await driver.run({ do: 'announce', routes: [{ prefix: '2001:db8:a::/48', med: 7 }, { prefix: '2001:db8:a1::/48' }] });

      await eventually('FRR routes here', () => sees(driver, '2001:db8:f::/48'));
      const frrRoute = await eventually('our route at FRR', () => {
        const { paths } = JSON.parse(vtysh('show bgp ipv6 unicast 2001:db8:a::/48 json')) as { paths?: { aspath: { string: string }; metric: number; nexthops: { ip: string }[] }[] };
        return paths?.[0];
      });
      assert.equal(frrRoute.aspath.string, '65001');
      assert.equal(frrRoute.metric, 7);
      assert.equal(frrRoute.nexthops[0]?.ip, us);
      await eventually('End-of-RIB from FRR', async () => (await driver.neighbor(them)).endOfRib.length > 0);
      const neighborJson = (JSON.parse(vtysh(`show bgp neighbors ${us} json`)) as Record<string, { gracefulRestartInfo?: { endOfRibRecv?: Record<string, boolean> } }>)[us];
      assert.equal(neighborJson?.gracefulRestartInfo?.endOfRibRecv?.['ipv6Unicast'], true, JSON.stringify(neighborJson?.gracefulRestartInfo));

      await driver.run({ do: 'withdraw', prefixes: ['2001:db8:a::/48'] });
      await eventually('the withdrawal at FRR', () => !vtysh('show bgp ipv6 unicast').includes('2001:db8:a::/48'));
      assert.ok(vtysh('show bgp ipv6 unicast').includes('2001:db8:a1::/48'));
      vtysh('configure terminal\nrouter bgp 65002\naddress-family ipv6 unicast\nno network 2001:db8:f::/48');
      await eventually('the withdrawal here', async () => !(await sees(driver, '2001:db8:f::/48')));

      const before = await driver.neighbor(them);
      await driver.run({ do: 'clear', address: them, soft: true });
      await eventually('FRR answers our refresh', async () => (await driver.neighbor(them)).messages.received.update > before.messages.received.update);
      vtysh(`clear bgp ipv6 unicast ${us} soft in`);
      await eventually('FRR asks for a refresh', async () => (await driver.neighbor(them)).messages.received.routeRefresh > 0);

      vtysh(`clear bgp ${us}`);
      await eventually('the NOTIFICATION of FRR', async () => (await driver.show()).events.some((event) => event.kind === 'notification' && event.text.startsWith('received Cease')));
      const again = await eventually('the session again', async () => {
        const now = await driver.neighbor(them);
        return now.state === 'Established' && now.establishedCount === 2 ? now : undefined;
      });
      assert.equal(again.lastError?.code, 6);
      await eventually('FRR routes here again', () => sees(driver, '2001:db8:f1::/48'));

      await driver.run({ do: 'stop', graceful: false });
      await eventually('FRR sees our shutdown', () => vtysh(`show bgp neighbors ${us}`).includes('Administrative Shutdown'));
    }));

  test('keeps our routes while our process is gone without a word, until it is back', () =>
    withLab('frr-gr', async (lab) => {
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      const vtysh = startFrr(
        lab,
        'them',
        `hostname them
router bgp 65000
 bgp router-id 10.0.0.2
 no bgp default ipv4-unicast
 neighbor ${us} remote-as 65000
 neighbor ${us} timers connect 1
 address-family ipv6 unicast
  neighbor ${us} activate
 exit-address-family
`,
      );
      const settings = options(us, [neighbor(them, us, 65000, { connectRetryMs: 1000 })]);
      const first = lab.speaker('us', settings);
      await first.established(them);
      await first.run({ do: 'announce', routes: [{ prefix: '2001:db8:a::/48' }, { prefix: '2001:db8:b::/48' }] });
      await eventually('our routes at FRR', () => vtysh('show bgp ipv6 unicast').includes('2001:db8:b::/48'));
      first.process.kill('SIGKILL');
      await eventually('FRR notices', () => !vtysh(`show bgp neighbors ${us}`).includes('BGP state = Established'));
      assert.match(vtysh('show bgp ipv6 unicast'), /S>?i? *2001:db8:a::\/48/, vtysh('show bgp ipv6 unicast'));
      const second = lab.speaker('us', settings);
      await second.run({ do: 'announce', routes: [{ prefix: '2001:db8:a::/48' }] });
      await second.established(them);
      await eventually('FRR drops what is not announced again', () => !vtysh('show bgp ipv6 unicast').includes('2001:db8:b::/48'));
      assert.match(vtysh('show bgp ipv6 unicast'), /\*>i *2001:db8:a::\/48/);
    }));

  test('takes twenty thousand routes, hands them to a third speaker, and takes them back', () =>
    withLab('frr-many', async (lab) => {
      for (const node of ['us', 'them', 'third']) lab.node(node);
      lab.link('us', us, 'them', them);
      lab.link('third', '2001:db8:fe::3', 'them', '2001:db8:fe::2');
      startFrr(
        lab,
        'them',
        `hostname them
router bgp 65002
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor ${us} remote-as 65001
 neighbor ${us} timers connect 1
 neighbor 2001:db8:fe::3 remote-as 65003
 neighbor 2001:db8:fe::3 timers connect 1
 neighbor 2001:db8:fe::3 advertisement-interval 0
 address-family ipv6 unicast
  neighbor ${us} activate
  neighbor 2001:db8:fe::3 activate
 exit-address-family
`,
      );
      const first = lab.speaker('us', options(us, [neighbor(them, us, 65002, { connectRetryMs: 1000 })], 65001));
      const third = lab.speaker('third', options('2001:db8:fe::3', [neighbor('2001:db8:fe::2', '2001:db8:fe::3', 65002, { connectRetryMs: 1000 })], 65003));
      await first.established(them);
      await third.established('2001:db8:fe::2');
      const prefixes = Array.from({ length: 20_000 }, (_, i) => `2001:db8:${(0x1000 + (i >> 8)).toString(16)}:${(i & 255).toString(16)}::/64`);
      await first.run({ do: 'announce', routes: prefixes.map((prefix, i) => ({ prefix, communities: [i >> 6] })) });
      const held = async (): Promise<number> => (await third.neighbor('2001:db8:fe::2')).prefixes.accepted;
      await eventually('all routes at the third speaker', async () => (await held()) === prefixes.length, 60);
      await first.run({ do: 'withdraw', prefixes });
      await eventually('no route at the third speaker', async () => (await held()) === 0, 60);
      assert.equal((await third.neighbor('2001:db8:fe::2')).establishedCount, 1);
    }));

  test('a route reflector with ADD-PATH brings the CPN attributes of two exits unchanged, and takes one away', () =>
    withLab('frr-rr', async (lab) => {
      const clients = ['entry', 'exit1', 'exit2'];
      lab.node('rr');
      clients.forEach((name, index) => {
        lab.node(name);
        lab.link(name, `2001:db8:${index + 1}::${index + 1}`, 'rr', `2001:db8:${index + 1}::ff`);
      });
      const address = (index: number): string => `2001:db8:${index + 1}::${index + 1}`;
      startFrr(
        lab,
        'rr',
        `hostname rr
router bgp 65000
 bgp router-id 10.0.0.255
 no bgp default ipv4-unicast
${clients.map((_, i) => ` neighbor ${address(i)} remote-as 65000\n neighbor ${address(i)} timers connect 1`).join('\n')}
 address-family ipv6 unicast
${clients.map((_, i) => `  neighbor ${address(i)} activate\n  neighbor ${address(i)} route-reflector-client\n  neighbor ${address(i)} addpath-tx-all-paths`).join('\n')}
 exit-address-family
`,
      );
      const pcap = `${lab.directory}/exit1.pcap`;
      const capture = lab.start('exit1', ['tcpdump', '--immediate-mode', '-i', 'to-rr', '-U', '-w', pcap, 'tcp port 179']);
      await eventually('the capture', () => existsSync(pcap));
      const drivers = clients.map((name, i) =>
        lab.speaker(name, options(address(i), [neighbor(`2001:db8:${i + 1}::ff`, address(i), 65000, { cpn: true, connectRetryMs: 1000, addPath: { receive: true, send: true } })])),
      );
      const [entry, exit1] = drivers as [Driver, Driver, Driver];
      for (const [i, driver] of drivers.entries()) await driver.established(`2001:db8:${i + 1}::ff`);
      const blocks = [1, 2].map((i) => block(address(i), `fcbb:bb00:1${i}:e001::`));
      for (const [i, driver] of drivers.slice(1).entries()) await driver.run({ do: 'announce', routes: [{ prefix: serviceId, cpn: blocks[i]! }] });

      const expected = blocks.map((value) => Buffer.from(encodeCpnBlock(value)).toString('hex')).sort();
      const raws = async (): Promise<string[]> => Object.values((await entry.show()).service).map((path) => path.raw ?? '');
      const arrived = await eventually('both exits at the entry', async () => {
        const found = await raws();
        return found.length === 2 ? found : undefined;
      });
      assert.deepEqual(arrived.sort(), expected);
      const routes = (await entry.show()).routes.filter((route) => route.prefix === serviceId);
      assert.deepEqual(routes.map((route) => route.originatorId).sort(), ['10.0.0.2', '10.0.0.3']);
      for (const route of routes) {
        assert.ok(route.service && route.pathId > 0);
        assert.deepEqual(route.communities, ['no-export']);
      }
      const changed = block(address(1), 'fcbb:bb00:11:e002::');
      await exit1.run({ do: 'announce', routes: [{ prefix: serviceId, cpn: changed }] });
      const changedHex = Buffer.from(encodeCpnBlock(changed)).toString('hex');
      await eventually('the changed block', async () => (await raws()).includes(changedHex));
      assert.equal((await raws()).length, 2);
      await exit1.run({ do: 'withdraw', prefixes: [serviceId] });
      await eventually('the withdrawal of one exit', async () => (await raws()).length === 1);
      assert.deepEqual(await raws(), [Buffer.from(encodeCpnBlock(blocks[1]!)).toString('hex')]);
      const faults = (await entry.show()).events.filter((event) => event.kind === 'fault');
      assert.deepEqual(faults, []);

      // An independent reader finds nothing wrong with what we sent.
      capture.kill('SIGINT');
      await eventually('the end of the capture', () => capture.exitCode !== null || capture.signalCode !== null);
      const tshark = (filter: string, ...fields: string[]): string =>
        lab.exec('exit1', 'tshark', '-r', pcap, '-Y', `ipv6.src == ${address(1)} && ${filter}`, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])).trim();
      assert.equal(tshark('(_ws.malformed || _ws.expert.severity == error)', 'frame.number', '_ws.expert.message'), '');
      const attributes = tshark('bgp.update.path_attribute.type_code == 255', 'bgp.update.path_attribute.type_code').split('\n');
      assert.equal(attributes.length, 2, attributes.join(' | '));
      assert.match(attributes[0]!, /^14,1,2,5,8,40,255$/);
    }));
});

describe('With BIRD', { skip: !isRoot || !has('/usr/sbin/bird') }, () => {
  test('an iBGP session with ADD-PATH comes up, carries routes and the CPN attribute both ways, and restarts', () =>
    withLab('bird', async (lab) => {
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      const configuration = lab.file(
        'bird.conf',
        `router id 10.0.0.2;
log stderr all;
protocol device {}
protocol static { ipv6; route 2001:db8:b1::/48 unreachable; route 2001:db8:b2::/48 unreachable; }
protocol bgp peer1 {
  local ${them} as 65000;
  neighbor ${us} as 65000;
  connect retry time 1;
  error wait time 1, 2;
  ipv6 { import all; export all; add paths on; import table on; };
}
`,
      );
      lab.start('them', ['/usr/sbin/bird', '-f', '-c', configuration, '-s', `${lab.directory}/bird.ctl`]);
      const birdc = (...command: string[]): string => lab.exec('them', 'birdc', '-s', `${lab.directory}/bird.ctl`, ...command);
      const driver = lab.speaker('us', options(us, [neighbor(them, us, 65000, { cpn: true, connectRetryMs: 1000, addPath: { receive: true, send: true } })]));
      const view = await driver.established(them);
      assert.ok(view.capabilities.received.includes('ADD-PATH ipv6-unicast both'), view.capabilities.received.join('; '));
      const value = block(us, 'fcbb:bb00:11:e001::');
      await driver.run({ do: 'announce', routes: [{ prefix: '2001:db8:a::/48' }, { prefix: serviceId, cpn: value }] });
      await eventually('routes of BIRD here', async () => (await sees(driver, '2001:db8:b1::/48')) && (await sees(driver, '2001:db8:b2::/48')));
      assert.ok((await driver.show()).routes.filter((route) => route.peer === them).every((route) => route.pathId > 0));
      const hex = Buffer.from(encodeCpnBlock(value)).toString('hex');
      const shown = await eventually('the service route at BIRD', () => {
        const text = birdc('show', 'route', 'all', serviceId);
        return text.includes('BGP.ff') ? text : undefined;
      });
      assert.ok(shown.replaceAll(/\s/g, '').includes(hex.slice(0, 60)), shown);
      assert.ok(birdc('show', 'route').includes('2001:db8:a::/48'));
      await eventually('End-of-RIB from BIRD', async () => (await driver.neighbor(them)).endOfRib.length > 0);

      birdc('restart', 'peer1');
      await eventually('the session again', async () => (await driver.neighbor(them)).establishedCount === 2);
      await eventually('routes of BIRD again', () => sees(driver, '2001:db8:b1::/48'));
      await driver.run({ do: 'withdraw', prefixes: ['2001:db8:a::/48'] });
      await eventually('the withdrawal at BIRD', () => !birdc('show', 'route').includes('2001:db8:a::/48'));
      assert.deepEqual((await driver.show()).events.filter((event) => event.kind === 'fault'), []);
    }));
});

describe('With GoBGP', { skip: !isRoot || !has('/usr/bin/gobgpd') }, () => {
  test('an eBGP session comes up, carries routes both ways and the CPN attribute through it, and comes back after a shutdown', () =>
    withLab('gobgp', async (lab) => {
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      const configuration = lab.file(
        'gobgp.toml',
        `[global.config]
  as = 65002
  router-id = "10.0.0.2"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${us}"
    peer-as = 65001
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
`,
      );
      lab.start('them', ['/usr/bin/gobgpd', '-f', configuration, '--pprof-disable']);
      const gobgp = (...command: string[]): string => lab.exec('them', 'gobgp', ...command);
      const driver = lab.speaker('us', options(us, [neighbor(them, us, 65002, { cpn: true, connectRetryMs: 1000 })], 65001));
      await driver.established(them);
      gobgp('global', 'rib', 'add', '2001:db8:90::/48', '-a', 'ipv6');
      await eventually('the route of GoBGP here', () => sees(driver, '2001:db8:90::/48'));
      const value = block(us, 'fcbb:bb00:11:e001::');
      await driver.run({ do: 'announce', routes: [{ prefix: '2001:db8:a::/48' }, { prefix: serviceId, cpn: value }] });
      const shown = await eventually('the service route at GoBGP', () => {
        const text = gobgp('global', 'rib', serviceId, '-a', 'ipv6', '-j');
        return text.includes('"type":255') ? text : undefined;
      });
      assert.ok(shown.includes(Buffer.from(encodeCpnBlock(value)).toString('base64')), shown);
      await driver.run({ do: 'withdraw', prefixes: ['2001:db8:a::/48'] });
      await eventually('the withdrawal at GoBGP', () => !gobgp('global', 'rib', '-a', 'ipv6').includes('2001:db8:a::/48'));
      gobgp('global', 'rib', 'del', '2001:db8:90::/48', '-a', 'ipv6');
      await eventually('the withdrawal here', async () => !(await sees(driver, '2001:db8:90::/48')));
      gobgp('neighbor', us, 'disable');
      await eventually('the NOTIFICATION of GoBGP', async () => (await driver.show()).events.some((event) => event.text.includes('received Cease')));
      gobgp('neighbor', us, 'enable');
      await eventually('the session again', async () => (await driver.neighbor(them)).establishedCount === 2);
      assert.deepEqual((await driver.show()).events.filter((event) => event.kind === 'fault'), []);
    }));
});

describe('With ExaBGP', { skip: !isRoot || !has('/usr/sbin/exabgp') }, () => {
  test('an unknown attribute goes on with Partial set, and a malformed UPDATE withdraws its routes without a reset', () =>
    withLab('exabgp', async (lab) => {
      for (const node of ['us', 'them', 'third']) lab.node(node);
      lab.link('us', us, 'them', them);
      lab.link('us', '2001:db8:fe::1', 'third', '2001:db8:fe::3');
      const configuration = lab.file(
        'exabgp.conf',
        `neighbor ${us} {
  router-id 10.0.0.2;
  local-address ${them};
  local-as 65002;
  peer-as 65001;
  family { ipv6 unicast; }
  capability { route-refresh enable; }
  static {
    route 2001:db8:e1::/48 next-hop ${them} attribute [0x99 0xc0 0x01020304] med 5 community [65002:7];
    route 2001:db8:e2::/48 next-hop ${them} attribute [0x20 0xc0 0x0102];
    route 2001:db8:e3::/48 next-hop ${them} attribute [0xff 0xc0 0x43504e0100020010];
  }
}
`,
      );
      lab.start('them', ['/usr/sbin/exabgp', configuration], { env: { exabgp_daemon_user: 'root', exabgp_api_cli: 'false', exabgp_log_level: 'ERR' } });
      const middle = lab.speaker('us', options(us, [neighbor(them, us, 65002, { connectRetryMs: 1000 }), neighbor('2001:db8:fe::3', '2001:db8:fe::1', 65003, { connectRetryMs: 1000 })], 65001));
      const third = lab.speaker('third', options('2001:db8:fe::3', [neighbor('2001:db8:fe::1', '2001:db8:fe::3', 65001, { connectRetryMs: 1000 })], 65003));
      await middle.established(them);
      await third.established('2001:db8:fe::1');
      await eventually('the route at the third router', () => sees(third, '2001:db8:e1::/48'));
      const route = (await third.show()).routes.find((other) => other.prefix === '2001:db8:e1::/48')!;
      assert.deepEqual(route.unknown, [{ type: 0x99, flags: 0xe0, value: '01020304' }]);
      assert.deepEqual([route.asPath, route.communities, route.med], ['65001 65002', ['65002:7'], undefined]);

      const faults = await eventually('the malformed UPDATEs', async () => {
        const view = await middle.neighbor(them);
        return view.updateErrors.treatAsWithdraw === 2 ? (await middle.show()).events.filter((event) => event.kind === 'fault') : undefined;
      });
      // A large community of 2 octets (RFC 8092 section 5), and a CPN block whose TLV is longer than the attribute.
      assert.deepEqual(faults.map((fault) => fault.text.split(':')[0]).sort(), ['attribute 255', 'attribute 32']);
      assert.ok(faults.every((fault) => fault.raw !== undefined && fault.raw.length > 4));
      const routes = (await middle.show()).routes.map((other) => other.prefix);
      assert.deepEqual(routes, ['2001:db8:e1::/48']);
      assert.equal((await middle.neighbor(them)).establishedCount, 1);
      assert.equal((await middle.neighbor(them)).state, 'Established');
    }));
});
