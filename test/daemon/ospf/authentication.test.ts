import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OspfAuthentication } from '../../../daemon/ospf/types.js';
import { Network, pair, type Router } from './network.js';

const first: OspfAuthentication = { keyId: 1, algorithm: 'hmac-sha-256', password: 'first' };
const second: OspfAuthentication = { keyId: 2, algorithm: 'hmac-sha-512', password: 'second' };

const withKeys = (router: Router, authentication: readonly OspfAuthentication[]): void => {
  const { config } = router;
  router.engine.reconfigure({ ...config, interfaces: config.interfaces.map((entry) => ({ ...entry, authentication })) });
};

describe('Authentication Trailer (RFC 7166)', () => {
  test('routers with the same key become adjacent; one without, or with another, does not', () => {
    const network = new Network();
    const [a, b, c, d] = [network.router(), network.router(), network.router(), network.router()];
    const wire = network.wire();
    a.attach(wire, 'broadcast', { authentication: [first] });
    b.attach(wire, 'broadcast', { authentication: [first] });
    c.attach(wire, 'broadcast');
    d.attach(wire, 'broadcast', { authentication: [{ ...first, password: 'other' }] });
    network.start();
    network.seconds(60);
    assert.equal(a.stateOf(b), 'Full');
    assert.equal(a.engine.neighborViews().length, 1);
    for (const router of [c, d]) assert.equal(router.engine.neighborViews().length, 0);
    assert.ok(a.engine.interfaceViews()[0]!.counters['dropped authentication']! > 5);
  });

  test('keys roll over without the loss of an adjacency: all are accepted, the first is sent with', () => {
    const { network, a, b } = pair({}, { authentication: [first] });
    network.seconds(30);
    withKeys(a, [first, second]);
    withKeys(b, [first, second]);
    network.seconds(60);
    withKeys(a, [second, first]);
    network.seconds(60);
    withKeys(b, [second]);
    network.seconds(60);
    withKeys(a, [second]);
    network.seconds(60);
    assert.deepEqual([a.lost.length, b.lost.length, a.stateOf(b)], [0, 0, 'Full']);
    withKeys(a, [{ ...second, password: 'wrong' }]);
    network.seconds(60);
    assert.equal(a.stateOf(b), undefined);
  });

  test('a packet that comes a second time is dropped and counted', () => {
    const { network, a, b, wire } = pair({}, { authentication: [first] });
    const recorded: [Uint8Array, string, string][] = [];
    wire.tap = (bytes, source, destination) => {
      if (source === b.linkLocal('eth0')) recorded.push([Uint8Array.from(bytes), source, destination]);
    };
    network.seconds(30);
    const events = a.events.length;
    for (const [bytes, source, destination] of recorded) wire.injectAt(a.linkLocal('eth0'), bytes, source, destination);
    assert.equal(a.engine.interfaceViews()[0]!.counters['dropped replay'], recorded.length);
    assert.ok(a.events.slice(events).every(({ kind }) => kind === 'packet-dropped'));
    assert.equal(a.stateOf(b), 'Full');
  });

  test('a router that restarts is believed: its sequence numbers go on above those of its earlier life', () => {
    const { network, a, b } = pair({}, { authentication: [first] });
    network.seconds(30);
    b.engine.stop({ keepForwarding: true });
    network.seconds(2);
    b.start();
    network.seconds(30);
    assert.equal(a.engine.interfaceViews()[0]!.counters['dropped replay'], undefined);
    assert.equal(a.stateOf(b), 'Full');
  });
});
