import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseId } from '../../daemon/ospf/ids.js';
import { LsType } from '../../daemon/ospf/wire/types.js';
import { instanceConfig, interfaceConfig } from '../daemon/ospf/network.js';
import type { OspfInterfaceConfig, OspfNetworkType } from '../../daemon/ospf/types.js';
import { eventually, has, isRoot } from './bgp-lab.js';
import type { ShownLsa } from './ospf-driver.js';
import { type OspfDriver, withOspfLab } from './ospf-lab.js';

const quick = { helloIntervalMs: 1000, deadIntervalMs: 4000, retransmitIntervalMs: 2000 };

const engineConfig = (routerId: string, interfaces: readonly OspfInterfaceConfig[]): ReturnType<typeof instanceConfig> => instanceConfig(routerId, { interfaces });
const port = (name: string, network: OspfNetworkType, options: Partial<OspfInterfaceConfig> = {}): OspfInterfaceConfig => interfaceConfig(name, network, { ...quick, ...options });

const frrInterface = (name: string, lines: readonly string[]): string =>
  [`interface ${name}`, ...['ipv6 ospf6 area 0.0.0.0', 'ipv6 ospf6 hello-interval 1', 'ipv6 ospf6 dead-interval 4', 'ipv6 ospf6 retransmit-interval 2', ...lines].map((line) => ` ${line}`), 'exit', ''].join('\n');

const birdInterface = (name: string, lines: readonly string[]): string => `interface "${name}" { hello 1; dead 4; retransmit 2; ${lines.join(' ')} };`;

const bird = (routerId: string, interfaces: readonly string[], options = ''): string => `
router id ${routerId};
log stderr all;
protocol device { }
protocol static { ipv6; route 2001:db8:b::/48 blackhole; }
protocol ospf v3 core { ${options} ipv6 { import all; export where source = RTS_STATIC; }; area 0 { ${interfaces.join(' ')} }; }
`;

const found = async (driver: OspfDriver, key: Pick<ShownLsa, 'type' | 'id' | 'router'>): Promise<ShownLsa | undefined> =>
  (await driver.show()).lsas.find(({ type, id, router }) => type === key.type && id === key.id && router === key.router);

const external = async (driver: OspfDriver, prefix: string): Promise<boolean> => (await driver.show()).lsas.some((lsa) => lsa.kind === 'asExternal' && lsa.prefix === prefix);

describe('OSPFv3 with FRR and BIRD', { skip: !isRoot || !has('/usr/lib/frr/ospf6d') || !has('/usr/sbin/bird') }, () => {
  test('point-to-point adjacencies, externals both ways, and LSAs of a type they do not know pass FRR and BIRD octet for octet', () =>
    withOspfLab('p2p', async (lab) => {
      // us - FRR - BIRD - them (ours)
      for (const name of ['us', 'bird', 'them']) lab.router(name);
      lab.router('frr', '2001:db8:f::1/128');
      lab.wire('us', 'frr');
      lab.wire('frr', 'bird');
      lab.wire('bird', 'them');
      const p2p = ['ipv6 ospf6 network point-to-point'];
      const vtysh = await lab.frr('frr', `${frrInterface('to-us', p2p)}${frrInterface('to-bird', p2p)}router ospf6\n ospf6 router-id 10.0.0.2\n redistribute connected\nexit\n`);
      const birdc = lab.bird('bird', bird('10.0.0.3', [birdInterface('to-frr', ['type ptp;']), birdInterface('to-them', ['type ptp;'])]));
      const us = lab.engine('us', engineConfig('10.0.0.1', [port('to-frr', 'point-to-point')]));
      const them = lab.engine('them', engineConfig('10.0.0.4', [port('to-bird', 'point-to-point')]));
      await us.run({ do: 'externals', prefixes: ['2001:db8:a::/48'] });
      await us.run({ do: 'stubs', prefixes: ['2001:db8:1::1/128'] });
      for (const [type, id] of [[0xbff0, 1], [0xa123, 2], [0xc123, 3]] as const) {
        await us.run({ do: 'originate', type, id, body: Buffer.from(`LSA that nobody knows: ${type}`).toString('hex') });
      }
      await us.full('10.0.0.2');
      await them.full('10.0.0.3');
      await eventually('FRR sees us', () => vtysh('show ipv6 ospf6 neighbor').split('\n').some((line) => line.includes('10.0.0.1') && line.includes('Full')));
      await eventually('BIRD sees us', () => birdc('show ospf neighbors').split('\n').some((line) => line.includes('10.0.0.4') && line.includes('Full')));
      for (const [type, id] of [[0xbff0, 1], [0xa123, 2], [0xc123, 3]] as const) {
        const key = { type, id, router: parseId('10.0.0.1') };
        const arrived = await eventually(`LSA 0x${type.toString(16)} behind FRR and BIRD`, () => found(them, key));
        // All but the age.
        assert.equal(arrived.raw.slice(4), (await found(us, key))!.raw.slice(4));
      }
      await eventually('the external of FRR', () => external(us, '2001:db8:f::1/128'));
      await eventually('the external of BIRD', () => external(us, '2001:db8:b::/48'));
      await eventually('our external and prefix at FRR', () => {
        const routes = vtysh('show ipv6 ospf6 route');
        return routes.includes('2001:db8:a::/48') && routes.includes('2001:db8:1::1/128');
      });
      await eventually('our external and prefix at BIRD', () => {
        const routes = birdc('show route');
        return routes.includes('2001:db8:a::/48') && routes.includes('2001:db8:1::1/128');
      });
      await us.run({ do: 'flush', type: 0xbff0, id: 1 });
      await eventually('the flush behind FRR and BIRD', async () => !(await found(them, { type: 0xbff0, id: 1, router: parseId('10.0.0.1') })));

      // An orderly stop takes everything back at once, not after the dead interval.
      await us.run({ do: 'stop', keepForwarding: false });
      await eventually('our external is gone at BIRD', () => !birdc('show route').includes('2001:db8:a::/48'), 3);
    }));

  test('every LSA of a whole cpnd passes FRR and BIRD octet for octet: computing state, locator, links with delays, SIDs of adjacencies, router information', () =>
    withOspfLab('whole', async (lab) => {
      // cpnd - FRR - BIRD - them (the engine alone)
      for (const name of ['us', 'frr', 'bird', 'them']) lab.router(name);
      lab.wire('us', 'frr');
      lab.wire('frr', 'bird');
      lab.wire('bird', 'them');
      const p2p = ['ipv6 ospf6 network point-to-point'];
      await lab.frr('frr', `${frrInterface('to-us', p2p)}${frrInterface('to-bird', p2p)}router ospf6\n ospf6 router-id 10.0.0.2\nexit\n`);
      lab.bird('bird', bird('10.0.0.3', [birdInterface('to-frr', ['type ptp;']), birdInterface('to-them', ['type ptp;'])]));
      const them = lab.engine('them', engineConfig('10.0.0.4', [port('to-bird', 'point-to-point')]));
      lab.router('node');
      lab.wire('us', 'node', { left: 'node0', right: 'eth0' });
      const cpnctl = await lab.cpnd('us', {
        router: { name: 'us', id: '10.0.0.1', loopback: 'fc00:0:1::1', locator: 'fcbb:bb00:1::/48', sidBlocks: ['fcbb:bb00::/32'], domainSources: ['fc00::/32'] },
        interfaces: { node0: { role: 'node', addresses: ['2001:db8:b:1::1/64'] } },
        ospf: { interfaces: { 'to-frr': { network: 'point-to-point', hello: '1s', dead: '4s' } } },
        cpn: {
          servicePrefixes: ['2001:db8:5e::/48'],
          instances: [
            {
              service: '2001:db8:5e::1',
              id: 1,
              node: { address: '2001:db8:b:1::2', interface: 'node0' },
              sid: 'fcbb:bb00:1:e001::',
              computing: [{ class: 'logical', chip: 'cpu', total: 4e11, residual: 4e11 }],
              serviceRate: 2000,
            },
          ],
        },
      });
      const types = [LsType.router, LsType.intraAreaPrefix, LsType.cpn, LsType.srv6Locator, LsType.intraAreaTe, LsType.extendedRouter, LsType.routerInformation];
      await them.full('10.0.0.3');
      for (const type of types) {
        await eventually(`LSAs of type 0x${type.toString(16)} of cpnd behind FRR and BIRD`, async () => {
          const sent = (JSON.parse(cpnctl('show', 'ospf', 'database')) as readonly { readonly type: number; readonly router: string; readonly raw: string }[])
            .filter((lsa) => lsa.router === '10.0.0.1' && lsa.type === type)
            .map(({ raw }) => raw.slice(4));
          const arrived = (await them.show()).lsas.filter((lsa) => lsa.router === parseId('10.0.0.1') && lsa.type === type).map(({ raw }) => raw.slice(4));
          return sent.length > 0 && arrived.sort().join() === sent.sort().join();
        });
      }
    }));

  for (const [role, ours, frrs, expected] of [
    ['DR', 200, 100, { us: 'DR', frr: 'BDR', them: 'DROther' }],
    ['Backup', 100, 200, { us: 'Backup', frr: 'DR', them: 'DROther' }],
  ] as const) {
    test(`a broadcast network with us as ${role} and another of us as DROther, FRR and BIRD between`, () =>
      withOspfLab(role.toLowerCase(), async (lab) => {
        for (const [name, prefix] of [['us', 1], ['frr', 2], ['bird', 3], ['them', 4]] as const) lab.router(name, `2001:db8:${prefix}::1/128`);
        lab.bridge('lan', ['us', 'frr', 'bird', 'them']);
        for (const [name, number] of [['us', 1], ['frr', 2], ['bird', 3], ['them', 4]] as const) lab.exec(name, 'ip', 'addr', 'add', `2001:db8:99::${number}/64`, 'dev', 'lan0', 'nodad');
        const vtysh = await lab.frr('frr', `${frrInterface('lan0', ['ipv6 ospf6 network broadcast', `ipv6 ospf6 priority ${frrs}`])}router ospf6\n ospf6 router-id 10.0.0.2\nexit\n`);
        const birdc = lab.bird('bird', bird('10.0.0.3', [birdInterface('lan0', ['type broadcast;', 'priority 1;'])]));
        const us = lab.engine('us', engineConfig('10.0.0.1', [port('lan0', 'broadcast', { priority: ours })]));
        const them = lab.engine('them', engineConfig('10.0.0.4', [port('lan0', 'broadcast', { priority: 0 })]));
        await us.run({ do: 'originate', type: 0xbff0, id: 1, body: '01020304' });
        await them.run({ do: 'originate', type: 0xbff0, id: 1, body: '05060708' });
        for (const neighbor of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) await us.full(neighbor);
        await them.full('10.0.0.1');
        await them.full('10.0.0.2');
        const stateOf = async (driver: OspfDriver): Promise<string | undefined> => (await driver.show()).interfaces[0]?.state;
        assert.equal(await stateOf(us), expected.us);
        assert.equal(await stateOf(them), expected.them);
        const withBird = (await them.show()).neighbors.find(({ routerId }) => routerId === '10.0.0.3');
        assert.equal(withBird?.state, '2-Way');
        await eventually('FRR sees both of us', () => {
          const lines = vtysh('show ipv6 ospf6 neighbor').split('\n');
          return ['10.0.0.1', '10.0.0.4'].every((id) => lines.some((line) => line.includes(id) && line.includes('Full')));
        });
        assert.match(vtysh('show ipv6 ospf6 interface lan0'), new RegExp(`State ${expected.frr}`));
        await eventually('BIRD sees us', () => birdc('show ospf neighbors').split('\n').some((line) => line.includes('10.0.0.1') && line.includes('Full')));
        // The Network-LSA of the designated router names all four; so do the prefixes of the link.
        for (const driver of [us, them]) {
          await eventually('one database', async () => {
            const areaOf = async (of: OspfDriver): Promise<string> =>
              JSON.stringify((await of.show()).lsas.filter(({ type }) => (type & 0x6000) === 0x2000).map(({ raw }) => raw.slice(4)).sort());
            const shown = await driver.show();
            const isNamed = shown.lsas.some(({ type, raw }) => type === 0x2002 && ['0a000001', '0a000002', '0a000003', '0a000004'].every((id) => raw.slice(48).includes(id)));
            return isNamed && (await areaOf(us)) === (await areaOf(them));
          });
        }
        await eventually('the prefix of the link at FRR', () => vtysh('show ipv6 ospf6 route').includes('2001:db8:99::/64'));
        await eventually('both of our LSAs on the other side', async () => Boolean((await found(us, { type: 0xbff0, id: 1, router: parseId('10.0.0.4') })) && (await found(them, { type: 0xbff0, id: 1, router: parseId('10.0.0.1') }))));
      }));
  }

  test('an MTU mismatch keeps FRR in ExStart until mtu-ignore', () =>
    withOspfLab('mtu', async (lab) => {
      lab.router('us');
      lab.router('frr');
      lab.wire('us', 'frr');
      lab.exec('us', 'ip', 'link', 'set', 'to-frr', 'mtu', '1400');
      const vtysh = await lab.frr('frr', `${frrInterface('to-us', ['ipv6 ospf6 network point-to-point'])}router ospf6\n ospf6 router-id 10.0.0.2\nexit\n`);
      const us = lab.engine('us', engineConfig('10.0.0.1', [port('to-frr', 'point-to-point')]));
      await eventually('ExStart without an end', async () => {
        const { interfaces, neighbors } = await us.show();
        return (interfaces[0]?.counters['dropped mtu'] ?? 0) >= 3 && neighbors[0]?.state === 'ExStart';
      });
      await us.run({ do: 'reconfigure', config: engineConfig('10.0.0.1', [port('to-frr', 'point-to-point', { mtuIgnore: true })]) });
      // FRR takes no smaller one either.
      vtysh('configure terminal\ninterface to-us\nipv6 ospf6 mtu-ignore');
      await us.full('10.0.0.2');
      await eventually('FRR sees us', () => vtysh('show ipv6 ospf6 neighbor').includes('Full'));
    }));

  test('an Authentication Trailer is verified both ways with FRR', () =>
    withOspfLab('frr-auth', async (lab) => {
      lab.router('us');
      lab.router('frr');
      lab.wire('us', 'frr');
      // Before version 9.1 in the order of its own octets.
      const [, major, minor] = /version (\d+)\.(\d+)/.exec(lab.exec('frr', '/usr/lib/frr/ospf6d', '-v')) ?? [];
      const isSwapped = Number(major) < 9 || (major === '9' && minor === '0');
      const vtysh = await lab.frr(
        'frr',
        `${frrInterface('to-us', ['ipv6 ospf6 network point-to-point', 'ipv6 ospf6 authentication key-id 7 hash-algo hmac-sha-256 key between_us'])}router ospf6\n ospf6 router-id 10.0.0.2\nexit\n`,
      );
      const authentication = [{ keyId: 7, algorithm: 'hmac-sha-256', password: 'between_us', ...(isSwapped ? { protocolId: 0x0100 } : {}) }] as const;
      const us = lab.engine('us', engineConfig('10.0.0.1', [port('to-frr', 'point-to-point', { authentication })]));
      await us.full('10.0.0.2');
      await eventually('FRR sees us', () => vtysh('show ipv6 ospf6 neighbor').includes('Full'));
      // It goes on: sequence numbers of both sides grow.
      const heard = async (): Promise<number> => (await us.show()).interfaces[0]?.counters['received hello'] ?? 0;
      const before = await heard();
      await eventually('more Hellos', async () => (await heard()) > before + 4);
      assert.equal((await us.show()).interfaces[0]?.counters['dropped replay'], undefined);
      assert.equal((await us.show()).neighbors[0]?.state, 'Full');
    }));

  test('an Authentication Trailer is verified both ways with BIRD, and another key ends the adjacency', () =>
    withOspfLab('auth', async (lab) => {
      lab.router('us');
      lab.router('bird');
      lab.wire('us', 'bird');
      const secret = 'between us';
      const birdc = lab.bird('bird', bird('10.0.0.3', [birdInterface('to-us', ['type ptp;', 'authentication cryptographic;', `password "${secret}" { id 7; algorithm hmac sha256; };`])]));
      const withKey = (password: string): ReturnType<typeof engineConfig> =>
        engineConfig('10.0.0.1', [port('to-bird', 'point-to-point', { authentication: [{ keyId: 7, algorithm: 'hmac-sha-256', password }] })]);
      const us = lab.engine('us', withKey(secret));
      await us.full('10.0.0.3');
      await eventually('BIRD sees us', () => birdc('show ospf neighbors').includes('Full'));
      await eventually('the external of BIRD', () => external(us, '2001:db8:b::/48'));
      await us.run({ do: 'reconfigure', config: withKey('another') });
      await eventually('the neighbor is lost', async () => (await us.show()).neighbors.length === 0);
      await eventually('BIRD lost us', () => !birdc('show ospf neighbors').includes('10.0.0.1'));
      assert.ok(((await us.show()).interfaces[0]?.counters['dropped authentication'] ?? 0) > 0);
    }));
});
