import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServiceRouteChange } from '../../daemon/bgp/change-feed.js';
import type { LocalRoute } from '../../daemon/bgp/local-routes.js';
import { ManualClock } from '../../daemon/clock.js';
import { ComputingExchange } from '../../daemon/computing-exchange.js';
import { silentLogger } from '../../daemon/log.js';
import type { Advertisement } from '../../daemon/rib/candidate.js';
import { ComputingRib } from '../../daemon/rib/computing-rib.js';
import { Prefix } from '../../dataplane/packet/ip.js';
import type { BgpConfig, Config } from '../../daemon/config/types.js';
import { neighbor } from './bgp/network.js';
import { makeAdvertisement, makeInstance } from './rib/instances.js';

const OWN = 'fc00:0:1::1';

const VPN = { rd: '10.0.0.1:1', exportTargets: ['65000:1'], importTargets: ['65000:1'], transposition: false, networks: ['2001:db8:1::/48'] };

const configOf = (bgp: Partial<BgpConfig>): Pick<Config, 'bgp' | 'router'> => ({
  bgp: { as: 65000, listen: { addresses: [], port: 179 }, networks: [], neighbors: [], ...bgp },
  router: {
    name: 'r1',
    id: '10.0.0.1',
    loopback: OWN,
    locator: 'fcbb:bb00:1::/48',
    sidStructure: { block: 32, node: 16, function: 16, argument: 0 },
    sidBlocks: ['fcbb:bb00::/32'],
    domainSources: ['fc00::/16'],
  },
});

function setup(): { exchange: ComputingExchange; rib: ComputingRib; log: string[]; announced: LocalRoute[]; usable: Set<string> } {
  const rib = new ComputingRib({ clock: new ManualClock(), log: silentLogger, ownExit: OWN });
  const log: string[] = [];
  const announced: LocalRoute[] = [];
  const usable = new Set<string>();
  const bgp = {
    announceBatch: (routes: readonly LocalRoute[]): void => {
      announced.push(...routes);
      log.push(...routes.map(({ prefix }) => `announce ${String(prefix)}`));
    },
    withdraw: (prefix: Prefix | string): void => void log.push(`withdraw ${String(prefix)}`),
  };
  return { exchange: new ComputingExchange(rib, bgp, (prefix) => usable.has(prefix)), rib, log, announced, usable };
}

function announceOwn(exchange: ComputingExchange, advertisements: readonly Advertisement[]): void {
  exchange.ownInstancesChanged(advertisements);
  exchange.announceServices(advertisements);
}

describe('exchange between instances, computing RIB and BGP', () => {
  for (const [service, route] of [
    ['2001:db8:5e::1', '2001:db8:5e::1/128'],
    ['192.0.2.7', '192.0.2.7/32'],
  ] as const) {
    it(`announces the service ID ${service} as the host route ${route} and withdraws it with its last instance`, () => {
      const { exchange, rib, log, announced } = setup();
      const own = makeAdvertisement(1, 5, { service, exit: OWN, source: 'local', peer: '', validityMs: 1500 });
      announceOwn(exchange, [own]);
      assert.deepEqual(announced[0]?.cpn?.origin, { exit: OWN, sequence: 5n, originatedAt: own.originatedAt, validity: 2 });
      assert.equal(rib.candidates(service).length, own.instances.length);
      announceOwn(exchange, [{ ...own, instances: [] }]);
      assert.deepEqual(log, [`announce ${route}`, `withdraw ${route}`]);
      assert.equal(rib.candidates(service).length, 0);
    });

    it(`makes candidates of ${service} of a service route with a block, and none of one without or of a wider route`, () => {
      const { exchange, rib } = setup();
      const { exit, sequence, originatedAt } = makeAdvertisement(2, 9);
      const block = { service: undefined, origin: { exit, sequence, originatedAt, validity: 0 }, instances: [makeInstance(2, 1)] };
      const path = { block, raw: undefined, nextHop: exit, peer: exit, ebgp: false, stale: false, receivedAt: 0 };
      const host = Prefix.host(service);
      exchange.serviceRoutesChanged([{ prefix: host, rd: undefined, peer: exit, pathId: 0, path }]);
      assert.deepEqual(rib.candidates(service).map((candidate) => candidate.exit), [exit]);
      exchange.serviceRoutesChanged([{ prefix: host, rd: undefined, peer: exit, pathId: 0, path: { ...path, block: undefined } }]);
      assert.equal(rib.candidates(service).length, 0);
      const wider = Prefix.of(host.bytes, host.bytes.length * 8 - 1);
      exchange.serviceRoutesChanged([{ prefix: wider, rd: undefined, peer: exit, pathId: 0, path }]);
      assert.equal(rib.size, 0);
    });
  }

  it('announces networks while the unicast RIB has them', () => {
    const { exchange, log, usable } = setup();
    exchange.configure(configOf({ networks: ['2001:db8:1::/48'] }));
    usable.add('2001:db8:1::/48');
    exchange.announceNetworks(configOf({ networks: ['2001:db8:1::/48'] }));
    exchange.announceNetworks(configOf({ networks: ['2001:db8:1::/48'] }));
    usable.clear();
    exchange.announceNetworks(configOf({ networks: ['2001:db8:1::/48'] }));
    assert.deepEqual(log, ['announce 2001:db8:1::/48', 'withdraw 2001:db8:1::/48']);
  });

  it('announces services and networks in the VPN too, with route targets and a Prefix-SID, and again under another route distinguisher', () => {
    const { exchange, log, announced, usable } = setup();
    usable.add('2001:db8:1::/48');
    exchange.configure(configOf({ vpn: VPN }));
    announceOwn(exchange, [makeAdvertisement(1, 5, { service: '2001:db8:5e::1', exit: OWN, source: 'local', peer: '' })]);
    const [network, , service] = announced;
    assert.deepEqual(log, ['announce 10.0.0.1:1 2001:db8:1::/48', 'announce 2001:db8:5e::1/128', 'announce 10.0.0.1:1 2001:db8:5e::1/128']);
    for (const route of [network!, service!]) assert.deepEqual(route.extendedCommunities, [0x0002_fde8_0000_0001n]);
    const { sid, behaviour } = network!.prefixSid!.sid!;
    assert.deepEqual([sid, behaviour], ['fcbb:bb00:1:2::', 0x12]);
    assert.equal(service!.prefixSid?.sid?.sid, service!.cpn!.instances[0]!.sid!.sid);
    log.length = 0;
    exchange.configure(configOf({ vpn: { ...VPN, rd: '65000:9' } }));
    assert.deepEqual(log, [
      'withdraw 10.0.0.1:1 2001:db8:5e::1/128',
      'announce 65000:9 2001:db8:5e::1/128',
      'withdraw 10.0.0.1:1 2001:db8:1::/48',
      'announce 65000:9 2001:db8:1::/48',
    ]);
    log.length = 0;
    exchange.configure(configOf({ vpn: { ...VPN, rd: '65000:9', exportTargets: ['65000:2'] } }));
    assert.deepEqual(log, ['announce 65000:9 2001:db8:5e::1/128', 'announce 65000:9 2001:db8:1::/48']);
    exchange.configure(configOf({}));
    assert.deepEqual(log.slice(2), ['withdraw 65000:9 2001:db8:5e::1/128', 'withdraw 65000:9 2001:db8:1::/48']);
  });

  it('puts the End.DT6 SID on networks for neighbors in the SR domain, but not on the locator and the loopback it lies behind', () => {
    const { exchange, announced, usable } = setup();
    const networks = [`${OWN}/128`, 'fcbb:bb00:1::/48', '2001:db8:1::/48'];
    for (const network of networks) usable.add(network);
    exchange.configure(configOf({ networks, neighbors: [{ ...neighbor('2001:db8::2', '2001:db8::1', 65000), srv6: true }] }));
    assert.deepEqual(announced.map(({ prefix, prefixSid }) => [String(prefix), prefixSid?.sid?.sid]), [[networks[0], undefined], [networks[1], undefined], [networks[2], 'fcbb:bb00:1:2::']]);
  });

  it('keeps the advertisements of one exit under two route distinguishers apart', () => {
    const { exchange, rib } = setup();
    const change = (exit: string, rd: string, sequence: bigint): ServiceRouteChange => {
      const block = { service: undefined, origin: { exit, sequence, originatedAt: 0n, validity: 0 }, instances: [makeInstance(2, 1)] };
      return { prefix: Prefix.host('2001:db8:5e::1'), rd, peer: 'fc00::9', pathId: 0, path: { block, raw: undefined, nextHop: exit, peer: 'fc00::9', ebgp: false, stale: false, receivedAt: 0 } };
    };
    exchange.serviceRoutesChanged([change('fc00:0:2::1', '10.0.0.2:1', 1n), change('fc00:0:3::1', '10.0.0.3:1', 1n)]);
    const exits = (): string[] => rib.candidates('2001:db8:5e::1').map(({ exit }) => exit);
    assert.deepEqual(exits(), ['fc00:0:2::1', 'fc00:0:3::1']);
    exchange.serviceRoutesChanged([{ ...change('fc00:0:2::1', '10.0.0.2:1', 1n), path: undefined }]);
    assert.deepEqual(exits(), ['fc00:0:3::1']);
  });
});
