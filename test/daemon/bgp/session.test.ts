import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Network, type Node } from './network.js';

const up = (a: Node, b: Node): boolean => a.state(b) === 'Established' && b.state(a) === 'Established';

describe('A session', () => {
  test('comes up between two speakers that start together, and exchanges routes both ways', () => {
    const { network, a, b } = Network.pair();
    assert.ok(up(a, b));
    a.speaker.announce({ prefix: '2001:db8:a::/48' });
    b.speaker.announce({ prefix: '2001:db8:b::/48' });
    network.settle();
    assert.equal(b.unicast.get('2001:db8:a::/48')?.nextHop, a.address);
    assert.equal(a.unicast.get('2001:db8:b::/48')?.nextHop, b.address);
    a.speaker.withdraw('2001:db8:a::/48');
    network.settle();
    assert.equal(b.unicast.has('2001:db8:a::/48'), false);
    assert.equal(a.unicast.size, 1);
  });

  test('comes up when one side is passive', () => {
    const { a, b } = Network.pair({}, {}, { passive: true });
    assert.ok(up(a, b));
    assert.equal(a.view(b).connection?.openedBy, 'peer');
  });

  test('comes up when the other speaker starts later', () => {
    const network = new Network();
    const a = network.node();
    const b = network.node();
    network.connect(a, b);
    network.start(a);
    network.settle(30_000);
    assert.notEqual(a.state(b), 'Established');
    network.start(b);
    network.settle();
    assert.ok(up(a, b));
  });

  test('has one connection left after both have opened one, the one of the higher identifier', () => {
    for (const [left, right] of [
      ['10.0.0.1', '10.0.0.2'],
      ['10.0.0.2', '10.0.0.1'],
      ['10.0.0.9', '10.0.0.10'],
    ] as const) {
      const { a, b } = Network.pair({ identifier: left }, { identifier: right });
      assert.ok(up(a, b));
      const aIsHigher = left === '10.0.0.2';
      assert.equal(a.view(b).connection?.openedBy, aIsHigher ? 'us' : 'peer');
      assert.equal(b.view(a).connection?.openedBy, aIsHigher ? 'peer' : 'us');
      assert.equal(a.view(b).connection?.local, b.view(a).connection?.remote);
      assert.equal(a.view(b).establishedCount, 1);
    }
  });

  test('between equal identifiers of two ASes keeps the connection of the higher AS', () => {
    const { a, b } = Network.pair({ as: 65001, identifier: '10.0.0.1' }, { as: 65002, identifier: '10.0.0.1' });
    assert.ok(up(a, b));
    assert.equal(b.view(a).connection?.openedBy, 'us');
  });

  test('is refused with Bad BGP Identifier when an internal peer has the same one', () => {
    const { a, b } = Network.pair({ identifier: '10.0.0.1' }, { identifier: '10.0.0.1' });
    assert.equal(up(a, b), false);
    assert.ok(a.events.some((event) => event.kind === 'notification' && event.text.includes('2/3')), JSON.stringify(a.events));
  });

  test('is refused with Bad Peer AS when the peer says another one', () => {
    const network = new Network();
    const a = network.node({ as: 65001 });
    const b = network.node({ as: 65002 });
    network.connect(a, b, { as: 65009 });
    network.start(a, b);
    network.settle();
    assert.equal(up(a, b), false);
    const error = b.view(a).lastError;
    assert.equal(error?.direction, 'received');
    assert.deepEqual([error.code, error.subcode], [2, 2]);
  });

  test('takes the lower hold time of both sides', () => {
    const { a, b } = Network.pair({}, {}, { holdTimeMs: 30_000 });
    assert.equal(a.view(b).holdTimeMs, 30_000);
    assert.equal(b.view(a).holdTimeMs, 30_000);
    assert.equal(b.view(a).keepaliveMs, 10_000);
  });

  test('stays up by keepalives alone', () => {
    const { network, a, b } = Network.pair();
    network.settle(3_600_000);
    assert.ok(up(a, b));
    assert.equal(a.view(b).establishedCount, 1);
    assert.ok(a.view(b).messages.received.keepalive > 100);
  });

  test('with hold time 0 sends no keepalives and never expires', () => {
    const { network, a, b } = Network.pair({}, {}, { holdTimeMs: 0 }, { passive: true });
    network.links.setSilent(a.address, b.address, true);
    network.settle(3_600_000);
    assert.ok(up(a, b));
    assert.equal(a.view(b).messages.sent.keepalive, 1);
  });

  test('ends with Hold Timer Expired when the peer falls silent, and takes its routes along', () => {
    const { network, a, b } = Network.pair();
    b.speaker.announce({ prefix: '2001:db8:b::/48' });
    network.settle();
    assert.equal(a.unicast.size, 1);
    network.links.setSilent(a.address, b.address, true);
    network.settle(89_000);
    assert.equal(a.unicast.size, 1);
    network.settle(2000);
    assert.deepEqual([a.view(b).lastError?.code, a.view(b).lastError?.direction], [4, 'sent']);
    assert.equal(a.unicast.get('2001:db8:b::/48')?.stale, true, 'for the restart time (RFC 8538 section 4)');
    network.settle(120_000);
    assert.equal(a.unicast.size, 0);
    network.links.setSilent(a.address, b.address, false);
    network.settle(60_000);
    assert.ok(up(a, b));
    assert.equal(a.unicast.size, 1);
  });

  test('ends with Administrative Shutdown when a speaker stops', () => {
    const { network, a, b } = Network.pair();
    a.speaker.announce({ prefix: '2001:db8:a::/48' });
    network.settle();
    a.speaker.stop();
    network.settle();
    assert.equal(b.unicast.size, 0);
    assert.deepEqual([b.view(a).lastError?.direction, b.view(a).lastError?.text], ['received', 'Cease: Hard Reset (Cease: Administrative Shutdown) (6/9)']);
    assert.notEqual(b.state(a), 'Established');
  });

  test('comes back after an administrative reset', () => {
    const { network, a, b } = Network.pair();
    b.speaker.announce({ prefix: '2001:db8:b::/48' });
    network.settle();
    assert.equal(a.speaker.clearNeighbor(b.address), true);
    network.settle(10);
    assert.equal(a.unicast.size, 0);
    network.settle(5000);
    assert.ok(up(a, b));
    assert.equal(a.view(b).establishedCount, 2);
    assert.equal(a.unicast.size, 1);
    assert.equal(a.speaker.clearNeighbor('2001:db8::99'), false);
  });

  test('reports every change of state', () => {
    const { a } = Network.pair({}, {}, {}, { passive: true });
    assert.deepEqual(
      a.events.filter((event) => event.kind === 'state').map((event) => event.text),
      ['Idle -> Connect', 'Connect -> OpenSent', 'OpenSent -> OpenConfirm', 'OpenConfirm -> Established', 'End-of-RIB of ipv6-unicast received'],
    );
  });

  test('that breaks without a NOTIFICATION says so, and comes back', () => {
    const { network, a, b } = Network.pair();
    a.speaker.clearNeighbor(b.address);
    network.settle(5000);
    assert.ok(up(a, b));
    network.links.reset(a.address, b.address);
    for (const node of [a, b]) assert.equal(node.speaker.neighbors()[0]?.lastError?.text, 'connection reset');
    network.settle(5000);
    assert.ok(up(a, b));
    assert.equal(a.events.filter((event) => event.text.startsWith('End-of-RIB')).length, 3);
  });

  test('is not accepted from an address that is no neighbour', () => {
    const network = new Network();
    const a = network.node();
    const b = network.node();
    network.connect(a, b);
    a.neighbors = [];
    network.start(a, b);
    network.settle();
    assert.notEqual(b.state(a), 'Established');
    assert.ok(a.events.some((event) => event.peer === b.address && event.text.includes('no neighbour')));
  });

  test('tells capabilities of both sides', () => {
    const { a, b } = Network.pair({}, {}, { addPath: { receive: true, send: false } }, { addPath: { receive: false, send: true } });
    const { advertised, received } = a.view(b).capabilities;
    for (const capability of ['multiprotocol ipv6-unicast', 'route refresh', '4-octet AS 65000', 'extended messages']) {
      assert.ok(advertised.includes(capability), capability);
      assert.ok(received.includes(capability), capability);
    }
    assert.ok(advertised.includes('ADD-PATH ipv6-unicast receive'));
    assert.ok(received.includes('ADD-PATH ipv6-unicast send'));
    assert.deepEqual(a.view(b).endOfRib, ['ipv6-unicast']);
  });
});

describe('Reconfiguration', () => {
  test('leaves unchanged neighbours alone and resets changed ones', () => {
    const network = new Network();
    const [a, b, c] = [network.node(), network.node(), network.node()];
    network.connect(a, b);
    network.connect(a, c);
    network.start(a, b, c);
    network.settle();
    a.neighbors = a.neighbors.map((config) => (config.address === c.address ? { ...config, holdTimeMs: 30_000 } : config));
    a.speaker.reconfigure(a.config());
    network.settle(10_000);
    assert.ok(up(a, b) && up(a, c));
    assert.equal(b.view(a).establishedCount, 1);
    assert.equal(c.view(a).establishedCount, 2);
    assert.equal(c.view(a).holdTimeMs, 30_000);
  });

  test('closes a removed neighbour with Peer De-configured and opens an added one', () => {
    const network = new Network();
    const [a, b, c] = [network.node(), network.node(), network.node()];
    network.connect(a, b);
    network.connect(a, c);
    const [toB, toC] = a.neighbors;
    a.neighbors = [toB!];
    network.start(a, b, c);
    network.settle();
    assert.ok(up(a, b));
    a.neighbors = [toC!];
    a.speaker.reconfigure(a.config());
    network.settle(10_000);
    assert.ok(up(a, c));
    assert.deepEqual([b.view(a).lastError?.code], [6]);
    assert.ok(b.events.some((event) => event.text.includes('Cease: Peer De-configured')));
    assert.equal(a.speaker.neighbors().length, 1);
  });

  test('of the local AS resets every neighbour', () => {
    const network = new Network();
    const a = network.node({ as: 65001 });
    const b = network.node({ as: 65002 });
    network.connect(a, b);
    network.start(a, b);
    a.speaker.announce({ prefix: '2001:db8:a::/48' });
    network.settle();
    b.neighbors = b.neighbors.map((config) => ({ ...config, as: 65009 }));
    b.speaker.reconfigure(b.config());
    a.speaker.reconfigure({ ...a.config(), as: 65009 });
    network.settle(10_000);
    assert.ok(up(a, b));
    assert.equal(b.unicast.get('2001:db8:a::/48')?.asPath, '65009');
  });

  test('applies a new import policy to the routes that are there, without a reset', () => {
    const { network, a, b } = Network.pair({ as: 65001 }, { as: 65002 });
    b.speaker.announceBatch([{ prefix: '2001:db8:b::/48' }, { prefix: '2001:db8:c::/48' }]);
    network.settle();
    assert.equal(a.unicast.size, 2);
    a.neighbors = a.neighbors.map((config) => ({ ...config, import: ['2001:db8:c::/48'] }));
    a.speaker.reconfigure(a.config());
    network.settle();
    assert.deepEqual([...a.unicast.keys()], ['2001:db8:c::/48']);
    assert.deepEqual(a.view(b).prefixes, { received: 2, accepted: 1, stale: 0, sent: 0 });
    a.neighbors = a.neighbors.map((config) => ({ ...config, import: 'any' }));
    a.speaker.reconfigure(a.config());
    network.settle();
    assert.equal(a.unicast.size, 2);
    assert.equal(b.view(a).establishedCount, 1);
  });
});
