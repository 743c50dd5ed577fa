import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../daemon/config/load.js';
import { SidRoutes } from '../../daemon/sid-routes.js';
import { localSids, makeSid } from '../../daemon/sids.js';
import { FakeDataplane } from '../../dataplane/fake.js';
import { Prefix } from '../../dataplane/packet/ip.js';

test('a SID is the locator with the function behind it, whatever the length of the function', () => {
  const sid = (locator: string, bits: number, code: number): string => makeSid(Prefix.from(locator), bits, code);
  assert.equal(sid('fcbb:bb00:1::/48', 16, 0xe001), 'fcbb:bb00:1:e001::');
  assert.equal(sid('fcbb:bb00:1::/48', 12, 0xe01), 'fcbb:bb00:1:e010::');
  assert.equal(sid('fcbb:bb00::/40', 16, 0x0100), 'fcbb:bb00:1::');
  // Functions of more than 32 bits: the code stands in the last of them.
  assert.equal(sid('fcbb:bb00:1::/48', 48, 0x0001), 'fcbb:bb00:1::1:0:0');
  assert.equal(sid('fcbb:bb00:1::/48', 80, 0xe001), 'fcbb:bb00:1::e001');
  assert.throws(() => sid('fcbb:bb00:1::/48', 12, 0x1000), RangeError);
});

test('a router that speaks OSPF decapsulates for its main table: repair lists of others end there', () => {
  const base = { router: { id: '10.0.0.1', loopback: 'fc00:0:1::1', locator: 'fcbb:bb00:1::/48', domainSources: ['fc00::/16'] }, interfaces: { eth1: { role: 'core' } } };
  const kinds = (extra: object): string[] => {
    const result = parseConfig(JSON.stringify({ ...base, ...extra }));
    assert.ok(result.ok);
    return localSids(result.config).map(({ sid, behaviour }) => `${behaviour.kind} ${sid}`);
  };
  assert.deepEqual(kinds({}), ['End fcbb:bb00:1:1::']);
  assert.deepEqual(kinds({ ospf: { interfaces: { eth1: {} } } }), ['End fcbb:bb00:1:1::', 'End.DT6 fcbb:bb00:1:2::']);
});

test('an instance has End.DX6 or, for an IPv4 service, End.DX4, whose node gets a route by itself once', () => {
  const instance = (service: string, id: number, address: string): object => ({ service, id, node: { address, interface: 'eth2' } });
  const result = parseConfig(
    JSON.stringify({
      router: { id: '10.0.0.1', loopback: 'fc00:0:1::1', locator: 'fcbb:bb00:1::/48', domainSources: ['fc00::/16'] },
      interfaces: { eth2: { role: 'node' } },
      cpn: {
        servicePrefixes: ['2001:db8:5e::/48', '198.51.100.0/24'],
        instances: [instance('2001:db8:5e::1', 1, '2001:db8:b::2'), instance('198.51.100.1', 2, '10.1.1.2'), instance('198.51.100.2', 3, '10.1.1.2')],
      },
    }),
  );
  assert.ok(result.ok);
  const sids = localSids(result.config);
  assert.deepEqual(sids.map(({ behaviour }) => behaviour.kind), ['End', 'End.DX6', 'End.DX4', 'End.DX4']);
  const { routes } = new FakeDataplane();
  const sidRoutes = new SidRoutes(routes);
  for (const sid of sids) sidRoutes.set(sid);
  const ofNodes = (): unknown[] => routes.list().map(({ route }) => route).filter(({ prefix }) => prefix.includes('.'));
  const node = (address: string): object => ({ prefix: `${address}/32`, metric: 1023, target: { kind: 'unicast', nextHops: [{ gateway: address, interface: 'eth2', onLink: true }] } });
  assert.equal(routes.list().length, sids.length + 1);
  assert.deepEqual(ofNodes(), [node('10.1.1.2')]);
  const [first, second] = sids.slice(2);
  sidRoutes.remove(first!.sid);
  sidRoutes.remove(first!.sid);
  assert.deepEqual(ofNodes(), [node('10.1.1.2')], 'still wanted by the other');
  sidRoutes.set({ ...second!, behaviour: { kind: 'End.DX4', nextHop: '10.1.1.3', interface: 'eth2' } });
  assert.deepEqual(ofNodes(), [node('10.1.1.3')]);
  sidRoutes.remove(second!.sid);
  assert.equal(routes.list().length, 2);
});
