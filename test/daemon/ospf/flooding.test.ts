import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Network, pair } from './network.js';

describe('Flooding (RFC 2328 section 13)', () => {
  test('two routers on a point-to-point link become fully adjacent and hold the same database', () => {
    const { network, a, b } = pair();
    network.seconds(15);
    assert.equal(a.stateOf(b), 'Full', JSON.stringify(a.events));
    assert.equal(b.stateOf(a), 'Full');
    assert.deepEqual(a.database(), b.database());
    assert.deepEqual(a.full.map(({ routerId }) => routerId), ['0.0.0.2']);
  });

  test('on a broadcast network an LSA goes to the designated router and by it to all, acknowledged without being sent again', () => {
    const network = new Network();
    const routers = Array.from({ length: 6 }, () => network.router());
    const lan = network.lan(routers);
    network.start();
    network.seconds(90);
    const retransmitted = (): (number | undefined)[] => routers.map((router) => router.engine.interfaceViews()[0]!.counters['retransmitted LSAs']);
    const before = retransmitted();
    const updates: string[] = [];
    const acknowledgments: string[] = [];
    lan.tap = (bytes, source, destination) => {
      const sender = Number.parseInt(source.split(':')[2]!, 16);
      if (bytes[1] === 4) updates.push(`${sender} ${destination}`);
      if (bytes[1] === 5) acknowledgments.push(`${sender} ${destination}`);
    };
    routers[0]!.engine.originate(0xbff0, 1, Buffer.from('from DROther'));
    network.seconds(30);
    assert.deepEqual(updates, ['1 ff02::6', '6 ff02::5']);
    // What the designated router floods is the acknowledgment of the one it has it from.
    assert.deepEqual(acknowledgments.sort(), ['2 ff02::6', '3 ff02::6', '4 ff02::6', '5 ff02::5']);
    updates.length = acknowledgments.length = 0;
    routers[4]!.engine.originate(0xbff0, 1, Buffer.from('from the backup'));
    network.seconds(30);
    assert.deepEqual(updates, ['5 ff02::5'], 'all have it from the backup itself');
    assert.deepEqual(retransmitted(), before);
    for (const router of routers) assert.deepEqual(router.database(), routers[0]!.database());
  });

  test('what a neighbor does not acknowledge is sent again every interval; of an LSA that changed meanwhile only the last', () => {
    const { network, a, b, wire } = pair();
    network.seconds(30);
    wire.cut = true;
    let updates = 0;
    wire.tap = (bytes, source) => {
      if (source === a.linkLocal('eth0') && bytes[1] === 4) updates++;
    };
    for (let i = 0; i < 3; i++) {
      a.engine.originate(0xbff0, 1, Buffer.from(`value ${i}`));
      network.seconds(6);
    }
    assert.equal(a.engine.neighborViews()[0]!.retransmissions, 1);
    assert.ok(updates >= 5 && updates <= 6, String(updates));
    wire.cut = false;
    network.seconds(6);
    assert.equal(a.engine.neighborViews()[0]!.retransmissions, 0);
    assert.equal(Buffer.from(b.engine.get({ type: 0xbff0, id: 1, router: 1 })!.raw.subarray(20)).toString(), 'value 2');
  });

  test('ten thousand LSAs leave in bursts, and listeners hear of them in slices', () => {
    const { network, a, b, wire } = pair();
    network.seconds(30);
    const bursts = new Map<number, number>();
    wire.tap = (bytes, source) => {
      if (source === a.linkLocal('eth0') && bytes[1] === 4) bursts.set(network.clock.now(), (bursts.get(network.clock.now()) ?? 0) + 1);
    };
    const batches: number[] = [];
    b.engine.onLsdbChange((changes) => batches.push(changes.length));
    for (let id = 1; id <= 10_000; id++) a.engine.originate(0xbff0, id, Buffer.alloc(100, id));
    network.seconds(10);
    assert.equal([...b.engine.lsas({ type: 0xbff0 })].length, 10_000);
    assert.equal(batches.reduce((sum, count) => sum + count, 0), 10_000);
    assert.ok(Math.max(...batches) <= 500, String(Math.max(...batches)));
    assert.ok(Math.max(...bursts.values()) <= 32, String(Math.max(...bursts.values())));
    // A router that comes late reads them in a database exchange.
    b.engine.stop({ keepForwarding: true });
    network.seconds(60);
    b.start();
    network.seconds(30);
    assert.deepEqual(b.database(), a.database());
  });

  test('fifty routers with lossy links of both kinds agree on every octet', () => {
    const network = new Network(7);
    const routers = Array.from({ length: 50 }, () => network.router());
    for (let i = 1; i < 50; i++) network.connect(routers[i]!, routers[Math.floor(network.random() * i)]!, {}, { loss: 0.1, delayMs: 2 });
    for (let i = 0; i < 30; i++) {
      const [x, y] = [Math.floor(network.random() * 50), Math.floor(network.random() * 50)];
      if (x !== y) network.connect(routers[x]!, routers[y]!, {}, { loss: 0.1, delayMs: 1 });
    }
    for (let i = 0; i < 5; i++) network.lan(routers.slice(10 * i, 10 * i + 6), {}, { loss: 0.1 });
    network.start();
    network.seconds(30);
    for (const router of routers) router.engine.originate(0xbff0, router.number, Buffer.from(`state of ${router.number}`));
    network.seconds(300);
    // What was lost last is not missing any more when it was sent again.
    for (const wire of network.wires) wire.loss = 0;
    network.seconds(60);
    const reference = routers[0]!.database();
    assert.ok(reference.length >= 150, String(reference.length));
    for (const router of routers) assert.deepEqual(router.database(), reference, router.routerId);
  });
});
