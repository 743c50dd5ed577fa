import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { decodePacket } from '../../../daemon/ospf/wire/packet.js';
import { LsType } from '../../../daemon/ospf/wire/types.js';
import { Network, type Router } from './network.js';

const CPN = 0xbff0;
const interfaces = { helloIntervalMs: 1000, deadIntervalMs: 10_000 };
const stubs = (router: Router): void => router.engine.setStubPrefixes([{ prefix: Prefix.from(`2001:db8:ff:${router.number}::/64`), options: 0, metric: 0 }]);

/** Links a - b, b - c and c - a; a LAN of b, d and e. State is announced by b, whose restarts are graceful. */
function scene(lan = false): { network: Network; a: Router; b: Router; c: Router } {
  const network = new Network();
  const a = network.router();
  const b = network.router();
  const c = network.router();
  b.restart = { periodSeconds: 120, resuming: false };
  network.connect(a, b, interfaces);
  network.connect(b, c, interfaces);
  network.connect(c, a, interfaces);
  if (lan) network.lan([b, network.router({}), network.router({})], { ...interfaces, priority: 1 });
  network.start();
  for (const router of network.routers) stubs(router);
  b.engine.originate(CPN, 1, Buffer.from('state'));
  network.seconds(60);
  return { network, a, b, c };
}

/** b is gone and back; `crash`: without a word before. */
function comeBack(network: Network, b: Router, { crash, awayMs = 3000 }: { readonly crash: boolean; readonly awayMs?: number }): void {
  if (crash) b.crash();
  else b.engine.stop({ keepForwarding: true });
  network.clock.advance(awayMs);
  b.restart = { periodSeconds: 120, resuming: true };
  b.events.length = 0;
  b.start();
  stubs(b);
}

/** Instances (type, id, sequence number, octets) of b's LSAs as a router has them. */
const lsasOf = (b: Router, at: Router): string[] =>
  [...at.engine.lsas({ router: b.number })].filter(({ scope }) => scope !== 'link').map(({ header, raw }) => `${header.type} ${header.id} ${header.sequence} ${Buffer.from(raw.subarray(20)).toString('hex')}`).sort();
const over = (b: Router): string[] => b.events.flatMap((event) => (event.kind === 'restart-over' ? [event.reason] : []));

describe('A restart with grace (RFC 3623 section 2, RFC 5187)', () => {
  for (const crash of [false, true]) {
    test(`after ${crash ? 'a crash' : 'a stop that was planned'} nobody loses the router, and its LSAs are the ones of before until it knows better`, () => {
      const { network, a, b, c } = scene();
      const before = lsasOf(b, a);
      assert.equal(before.length, 3);
      comeBack(network, b, { crash });
      for (let step = 0; step < 100 && over(b).length === 0; step++) {
        network.clock.advance(100);
        assert.deepEqual([lsasOf(b, a), lsasOf(b, c)], [before, before]);
      }
      assert.deepEqual(over(b), ['all neighbors are back']);
      b.engine.originate(CPN, 1, Buffer.from('state'));
      network.seconds(30);
      // What is the same is not originated again.
      assert.deepEqual(lsasOf(b, a).map((line) => line.replace(/^(\S+ \S+) \S+/, '$1')), before.map((line) => line.replace(/^(\S+ \S+) \S+/, '$1')));
      assert.deepEqual([a.lost.length, c.lost.length], [0, 0]);
      assert.deepEqual([a, c].map((router) => router.engine.neighborViews().map(({ state, restarting }) => `${state} ${restarting}`)), [['Full false', 'Full false'], ['Full false', 'Full false']]);
      assert.deepEqual([...a.engine.lsas({ type: LsType.grace })], []);
      assert.deepEqual(a.database(), b.database());
    });
  }

  test('the designated router of a network keeps its office, and its Network-LSA stays', () => {
    const { network, a, b } = scene(true);
    const designated = (): string[] => network.routers.slice(3).map((router) => router.engine.interfaceViews()[0]!.designated);
    // Whoever was there first has the office: the others restart, so that it is b.
    for (const router of network.routers.slice(3)) router.engine.stop({ keepForwarding: false });
    network.seconds(20);
    for (const router of network.routers.slice(3)) router.start();
    network.seconds(30);
    assert.deepEqual(designated(), ['0.0.0.2', '0.0.0.2']);
    const lost = (): number[] => network.routers.slice(3).map((router) => router.lost.length);
    const before = lost();
    const networks = lsasOf(b, a).filter((line) => line.startsWith(`${LsType.network} `));
    assert.equal(networks.length, 1);
    comeBack(network, b, { crash: true });
    network.seconds(40);
    assert.deepEqual(over(b), ['all neighbors are back']);
    assert.deepEqual(designated(), ['0.0.0.2', '0.0.0.2']);
    assert.deepEqual(lsasOf(b, a).filter((line) => line.startsWith(`${LsType.network} `)).map((line) => line.split(' ')[3]!.length), networks.map((line) => line.split(' ')[3]!.length));
    assert.deepEqual(lost(), before);
  });

  test('a Grace-LSA stands in no Database Description: whoever would ask for it might ask when it is gone', () => {
    const network = new Network();
    const [a, b] = [network.router(), network.router()];
    b.restart = { periodSeconds: 120, resuming: false };
    const wire = network.connect(a, b, interfaces);
    network.start();
    for (const router of network.routers) stubs(router);
    network.seconds(30);
    const [described, others]: [number[], number[]] = [[], []];
    wire.tap = (bytes, source, destination) => {
      const decoded = decodePacket(Uint8Array.from(bytes), { source, destination });
      if (decoded.ok && decoded.packet.kind === 'databaseDescription') (source === b.linkLocal('eth0') ? described : others).push(...decoded.packet.headers.map(({ type }) => type));
    };
    comeBack(network, b, { crash: true });
    network.seconds(40);
    assert.ok(others.includes(LsType.router), 'the exchange took place');
    assert.equal(described.includes(LsType.grace), false);
    assert.deepEqual(over(b), ['all neighbors are back']);
  });

  test('own state that is not announced anew goes after a while', () => {
    const { network, a, b } = scene();
    comeBack(network, b, { crash: true });
    network.seconds(12);
    assert.equal([...a.engine.lsas({ type: CPN })].length, 1);
    network.seconds(15);
    assert.equal([...a.engine.lsas({ type: CPN })].length, 0);
  });

  test('it goes on without a neighbor that does not announce the adjacency any more', () => {
    const { network, b, a, c } = scene();
    b.crash();
    c.setLink('eth0', false);
    network.seconds(2);
    b.restart = { periodSeconds: 120, resuming: true };
    b.events.length = 0;
    b.start();
    stubs(b);
    network.seconds(15);
    // Its neighbor ends its help when the topology changes: both say so.
    assert.equal(over(b).length, 1);
    assert.match(over(b)[0]!, /^0\.0\.0\.[13] does not announce the adjacency any more$/);
    assert.equal(a.stateOf(b), 'Full');
    assert.deepEqual(a.database(), b.database());
  });

  test('it waits for a neighbor that stays away no longer than the grace period', () => {
    const { network, b, c } = scene();
    b.crash();
    c.crash();
    network.seconds(2);
    b.restart = { periodSeconds: 20, resuming: true };
    b.events.length = 0;
    b.start();
    network.seconds(15);
    assert.equal(b.engine.isRestarting, true);
    network.seconds(10);
    assert.deepEqual([over(b), b.engine.isRestarting], [['the grace period is over'], false]);
  });

  test('it is over at once where nobody has links of an earlier life', () => {
    const network = new Network();
    const [a, b] = [network.router(), network.router()];
    network.connect(a, b, interfaces);
    b.restart = { periodSeconds: 120, resuming: true };
    network.start();
    network.seconds(20);
    assert.deepEqual(over(b), ['no neighbor has links of an earlier life']);
    assert.equal(a.stateOf(b), 'Full');
  });
});
