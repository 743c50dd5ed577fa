import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Network, pair } from './network.js';

describe('Adjacencies', () => {
  test('on a broadcast network only the designated router and its backup are adjacent to all', () => {
    const network = new Network();
    const routers = Array.from({ length: 5 }, () => network.router());
    network.lan(routers);
    network.start();
    network.seconds(60);
    const views = routers.map((router) => router.engine.interfaceViews()[0]!);
    assert.deepEqual(views.map(({ state }) => state), ['DROther', 'DROther', 'DROther', 'Backup', 'DR']);
    assert.deepEqual(views.map(({ adjacencies }) => adjacencies), [2, 2, 2, 4, 4]);
    assert.equal(routers[0]!.stateOf(routers[1]!), '2-Way');
    const networkLsas = [...routers[0]!.engine.lsas({ type: 0x2002 })];
    assert.deepEqual(networkLsas.map(({ body }) => body.kind === 'network' && body.routers), [[5, 1, 2, 3, 4]]);
    // The prefix of the network comes with the Network-LSA and with no router.
    const prefixes = [...routers[0]!.engine.lsas({ type: 0x2009 })];
    assert.deepEqual(prefixes.map(({ body }) => body.kind === 'intraAreaPrefix' && [body.referenced, body.prefixes.map(String)].length), [2]);
    for (const router of routers) assert.deepEqual(router.database(), routers[0]!.database());
  });

  test('a router of higher priority that comes later changes no office; the backup follows when the designated router is gone', () => {
    const network = new Network();
    const [a, b, c] = [network.router(), network.router(), network.router()];
    const lan = network.lan([a, b]);
    c.attach(lan, 'broadcast', { priority: 200 });
    a.start();
    b.start();
    network.seconds(60);
    c.start();
    network.seconds(60);
    const states = (): unknown[] => [a, b, c].map((router) => router.engine.interfaceViews()[0]!.state);
    assert.deepEqual(states(), ['Backup', 'DR', 'DROther']);
    b.engine.stop({ keepForwarding: false });
    network.seconds(1);
    assert.deepEqual(states(), ['DR', 'Down', 'Backup']);
    network.seconds(20);
    assert.equal(a.stateOf(c), 'Full');
    assert.deepEqual([...c.engine.lsas({ type: 0x2002 })].map(({ header }) => header.router), [1]);
  });

  test('a partition that heals leaves one designated router and one database', () => {
    const network = new Network();
    const routers = Array.from({ length: 6 }, () => network.router());
    const lan = network.lan(routers);
    const spine = network.connect(routers[0]!, routers[5]!);
    network.start();
    network.seconds(60);
    lan.cut = spine.cut = true;
    network.seconds(60);
    for (const router of routers) assert.equal(router.engine.neighborViews().length, 0);
    for (const router of routers) router.engine.originate(0xbff0, 7, Buffer.from(`alone ${router.number}`));
    network.seconds(1);
    assert.equal([...routers[0]!.engine.lsas({ type: 0xbff0 })].length, 1);
    lan.cut = spine.cut = false;
    network.seconds(90);
    assert.equal(routers.filter((router) => router.engine.interfaceViews()[0]!.state === 'DR').length, 1);
    for (const router of routers) {
      assert.deepEqual(router.database(), routers[0]!.database());
      assert.equal([...router.engine.lsas({ type: 0xbff0 })].length, 6);
    }
  });

  test('the interface MTU must not exceed ours unless mtu-ignore says so', () => {
    const { network, a, b } = pair();
    a.setLink('eth0', true, { mtu: 1400 });
    network.seconds(30);
    assert.equal(a.stateOf(b), 'ExStart');
    assert.ok(a.engine.interfaceViews()[0]!.counters['dropped mtu']! > 0);
    assert.ok(a.events.some((event) => event.kind === 'packet-dropped' && event.counter === 'mtu' && event.reason.includes('1500')));
    a.setLink('eth0', true, { mtu: 1500 });
    network.seconds(30);
    assert.equal(a.stateOf(b), 'Full');
  });

  for (const [what, options, counter] of [
    ['instance ID', { instanceId: 3 }, 'dropped instance'],
    ['hello interval', { helloIntervalMs: 5000 }, 'dropped hello'],
    ['dead interval', { deadIntervalMs: 50_000 }, 'dropped dead'],
  ] as const) {
    test(`another ${what} makes no neighbor, and is counted`, () => {
      const network = new Network();
      const [a, b] = [network.router(), network.router()];
      const wire = network.wire();
      a.attach(wire, 'point-to-point');
      b.attach(wire, 'point-to-point', options);
      network.start();
      network.seconds(60);
      assert.equal(a.engine.neighborViews().length, 0);
      assert.ok(a.engine.interfaceViews()[0]!.counters[counter]! > 0);
      // Another instance on a link is nothing to tell of.
      assert.equal(a.events.some(({ kind }) => kind === 'packet-dropped'), what !== 'instance ID');
    });
  }

  test('packets of another area and of our own router ID are dropped and counted', () => {
    const network = new Network();
    const [a, b] = [network.router(), network.router({ area: '0.0.0.9' })];
    network.connect(a, b);
    network.start();
    network.seconds(30);
    assert.equal(a.engine.neighborViews().length, 0);
    assert.ok(a.engine.interfaceViews()[0]!.counters['dropped area']! > 0);

    const twins = new Network();
    const [c, d] = [twins.router({ routerId: '9.9.9.9' }), twins.router({ routerId: '9.9.9.9' })];
    twins.connect(c, d);
    twins.start();
    twins.seconds(30);
    assert.ok(c.engine.interfaceViews()[0]!.counters['dropped router id']! > 0);
    assert.equal(c.engine.neighborViews().length, 0);
  });

  test('whoever watches a neighbor hears of its loss before anything is changed', () => {
    const { network, a, b } = pair();
    network.seconds(20);
    let seen: string | undefined;
    a.engine.onNeighbor({ full: () => undefined, lost: (neighbor, reason) => (seen = `${neighbor.interface} ${neighbor.routerId} ${neighbor.address} ${reason} ${a.stateOf(b)} ${a.events.at(-1)?.kind === 'neighbor-state' && a.stateOf(b) !== 'Full'}`) });
    assert.equal(a.engine.neighborDown('eth0', '0.0.0.2', 'BFD'), true);
    assert.equal(seen, 'eth0 0.0.0.2 fe80::2:1 BFD Full false');
    assert.equal(a.engine.neighborDown('eth0', '0.0.0.99', 'BFD'), false);
    network.seconds(60);
    assert.equal(a.stateOf(b), 'Full');
    assert.deepEqual([a.lost.length, a.full.length], [1, 2]);
  });

  test('a stop that keeps forwarding reports no neighbor lost, an orderly one does, on both sides', () => {
    for (const keepForwarding of [true, false]) {
      const { network, a, b } = pair();
      network.seconds(20);
      a.engine.stop({ keepForwarding });
      network.seconds(1);
      assert.deepEqual([a.lost.length, b.lost.length], keepForwarding ? [0, 0] : [1, 1]);
    }
  });

  test('an interface that goes down takes its neighbors and its link LSAs along, and comes back', () => {
    const { network, a, b } = pair();
    network.seconds(20);
    assert.equal([...a.engine.lsas({ scope: 'link' })].length, 2);
    a.setLink('eth0', false);
    assert.equal([...a.engine.lsas({ scope: 'link' })].length, 0);
    network.seconds(6);
    assert.deepEqual([...a.engine.lsas({ type: 0x2001, router: 1 })].map(({ body }) => body.kind === 'router' && body.links.length), [0]);
    a.setLink('eth0', true);
    network.seconds(60);
    assert.equal(b.stateOf(a), 'Full');
    assert.deepEqual(a.database(), b.database());
    // Another address of the link: neighbors learn it at once, whatever they had from before.
    a.setLink('eth0', true, { linkLocal: 'fe80::aaaa' });
    network.seconds(30);
    assert.equal(b.engine.neighborViews()[0]?.address, 'fe80::aaaa');
    assert.deepEqual([...b.engine.lsas({ type: 0x0008, router: 1 })].map(({ body }) => body.kind === 'link' && body.linkLocal), ['fe80::aaaa']);
  });

  test('a reconfiguration touches what changed and nothing else', () => {
    const network = new Network();
    const [a, b, c] = [network.router(), network.router(), network.router()];
    network.connect(a, b);
    network.connect(a, c);
    network.start();
    network.seconds(20);
    const { config } = a;
    const changes = a.events.length;
    a.engine.reconfigure({ ...config, interfaces: config.interfaces.map((entry, index) => (index === 0 ? { ...entry, cost: 77 } : entry)) });
    network.seconds(10);
    assert.equal(a.events.length, changes, 'no state changed');
    const links = [...c.engine.lsas({ type: 0x2001, router: 1 })].flatMap(({ body }) => (body.kind === 'router' ? body.links : []));
    assert.deepEqual(links.map(({ metric }) => metric), [77, 10]);
    a.engine.reconfigure({ ...config, interfaces: config.interfaces.slice(1) });
    network.seconds(10);
    assert.equal(a.stateOf(b), undefined);
    assert.equal(a.stateOf(c), 'Full');
    assert.equal(c.events.filter((event) => event.kind === 'neighbor-state' && event.from === 'Full').length, 0);
    assert.throws(() => a.engine.reconfigure({ ...config, area: '0.0.0.5' }), /another area/);
  });

  test('a passive interface announces its prefix and sends nothing', () => {
    const network = new Network();
    const [a, b] = [network.router(), network.router()];
    network.connect(a, b);
    const silent = network.wire();
    a.attach(silent, 'broadcast', { passive: true });
    let packets = 0;
    silent.tap = () => packets++;
    network.start();
    network.seconds(30);
    assert.equal(packets, 0);
    const prefixes = [...b.engine.lsas({ type: 0x2009, router: 1 })].flatMap(({ body }) => (body.kind === 'intraAreaPrefix' ? body.prefixes.map(({ prefix }) => prefix.toString()) : []));
    assert.deepEqual(prefixes, ['2001:db8::/64', '2001:db8:1::/64']);
  });
});
