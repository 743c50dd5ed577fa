import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { BgpNeighborConfig } from '../../daemon/config/types.js';
import type { CpnBlock, Instance } from '../../daemon/computing/types.js';
import { encodeCpnBlock } from '../../daemon/computing/block.js';
import { neighbor } from '../daemon/bgp/network.js';
import { BgpLab, type Driver, eventually, has, isRoot } from './bgp-lab.js';

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

/** Starts a stock bgpd that reads `configuration`; returns a function for `vtysh -c`. */
function startFrr(lab: BgpLab, node: string, configuration: string): (command: string) => string {
  chmodSync(lab.directory, 0o777);
  const file = lab.file(`${node}.conf`, configuration);
  lab.start(node, ['/usr/lib/frr/bgpd', '-f', file, '-i', `${lab.directory}/${node}.pid`, '--vty_socket', lab.directory, '-u', 'root', '-g', 'root', '-n', '-Z', '-P', '0', '-S', '--log', 'stdout']);
  return (command) => lab.exec(node, 'vtysh', '--vty_socket', lab.directory, '-c', command);
}

async function withLab(name: string, run: (lab: BgpLab) => Promise<void>): Promise<void> {
  const lab = new BgpLab(name);
  try {
    await run(lab);
  } catch (error) {
    console.error(lab.logs());
    throw error;
  } finally {
    await lab.close();
  }
}

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
    }));
});
