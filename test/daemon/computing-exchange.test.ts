import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LocalRoute } from '../../daemon/bgp/local-routes.js';
import { ManualClock } from '../../daemon/clock.js';
import { ComputingExchange } from '../../daemon/computing-exchange.js';
import { silentLogger } from '../../daemon/log.js';
import { ComputingRib } from '../../daemon/rib/computing-rib.js';
import { Prefix } from '../../dataplane/packet/ip.js';
import { makeAdvertisement, makeInstance } from './rib/instances.js';

const OWN = 'fc00:0:1::1';

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

describe('exchange between instances, computing RIB and BGP', () => {
  for (const [service, route] of [
    ['2001:db8:5e::1', '2001:db8:5e::1/128'],
    ['192.0.2.7', '192.0.2.7/32'],
  ] as const) {
    it(`announces the service ID ${service} as the host route ${route} and withdraws it with its last instance`, () => {
      const { exchange, rib, log, announced } = setup();
      const own = makeAdvertisement(1, 5, { service, exit: OWN, source: 'local', peer: '', validityMs: 1500 });
      exchange.announceInstances([own]);
      assert.deepEqual(announced[0]?.cpn?.origin, { exit: OWN, sequence: 5n, originatedAt: own.originatedAt, validity: 2 });
      assert.equal(rib.candidates(service).length, own.instances.length);
      exchange.announceInstances([{ ...own, instances: [] }]);
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
    exchange.announceNetworks(['2001:db8:1::/48']);
    usable.add('2001:db8:1::/48');
    exchange.announceNetworks(['2001:db8:1::/48']);
    exchange.announceNetworks(['2001:db8:1::/48']);
    usable.clear();
    exchange.announceNetworks(['2001:db8:1::/48']);
    assert.deepEqual(log, ['announce 2001:db8:1::/48', 'withdraw 2001:db8:1::/48']);
  });
});
