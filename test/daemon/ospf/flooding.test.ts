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
