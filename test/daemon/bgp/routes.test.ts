import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NO_ADVERTISE, NO_EXPORT } from '../../../daemon/bgp/wire/types.js';
import { Network, type Node } from './network.js';

/** Three routers in a row, sessions up. */
function chain(asNumbers: readonly [number, number, number], options: Parameters<Network['connect']>[2] = {}): { network: Network; a: Node; b: Node; c: Node } {
  const network = new Network();
  const [a, b, c] = asNumbers.map((as) => network.node({ as })) as [Node, Node, Node];
  network.connect(a, b, options, options);
  network.connect(b, c, options, options);
  network.start(a, b, c);
  network.settle();
  return { network, a, b, c };
}

const prefix = '2001:db8:a::/48';

describe('Propagation', () => {
  test('from eBGP to eBGP prepends the own AS, sets the next hop and takes LOCAL_PREF off', () => {
    const { network, a, b, c } = chain([65001, 65002, 65003]);
    a.speaker.announce({ prefix, localPref: 300, med: 7 });
    network.settle();
    const atB = b.best(prefix)!;
    assert.deepEqual([atB.asPath, atB.nextHop, atB.localPref, atB.med], ['65001', a.address, 100, 7]);
    const atC = c.best(prefix)!;
    assert.deepEqual([atC.asPath, atC.nextHop, atC.localPref, atC.med], ['65002 65001', b.address, 100, undefined]);
  });

  test('from eBGP to iBGP keeps AS_PATH, MED and next hop, and adds LOCAL_PREF', () => {
    const { network, a, c } = chain([65001, 65002, 65002]);
    a.speaker.announce({ prefix, med: 7 });
    network.settle();
    const atC = c.best(prefix)!;
    assert.deepEqual([atC.asPath, atC.nextHop, atC.localPref, atC.med, atC.source], ['65001', a.address, 100, 7, 'ibgp']);
  });

  test('from eBGP to iBGP sets the next hop with nextHopSelf', () => {
    const { network, a, b, c } = chain([65001, 65002, 65002], { nextHopSelf: true });
    a.speaker.announce({ prefix });
    network.settle();
    assert.equal(c.best(prefix)?.nextHop, b.address);
  });

  test('from iBGP to iBGP does not happen', () => {
    const { network, a, b, c } = chain([65000, 65000, 65000]);
    a.speaker.announce({ prefix });
    network.settle();
    assert.equal(b.unicast.size, 1);
    assert.equal(c.unicast.size, 0);
    assert.equal(c.speaker.routes().length, 0);
  });

  test('is shown once a prefix, used and rejected paths together, and all are counted', () => {
    const network = new Network();
    const [a, b, c] = [65001, 65002, 65003].map((as) => network.node({ as })) as [Node, Node, Node];
    network.connect(a, c);
    network.connect(b, c, {}, { import: 'none' });
    network.start(a, b, c);
    network.settle();
    a.speaker.announce({ prefix });
    b.speaker.announce({ prefix });
    b.speaker.announce({ prefix: '2001:db8:bad::/48' });
    network.settle();
    const shown = [...c.speaker.prefixes()].map(({ prefix: text, routes }) => [text, routes.map(({ peer, rejected }) => [peer, rejected])]);
    assert.deepEqual(shown, [[prefix, [[a.address, false], [b.address, true]]], ['2001:db8:bad::/48', [[b.address, true]]]]);
    assert.equal(c.speaker.summary().paths, 3);
  });

  test('from iBGP to eBGP happens, and the way back ends at the own AS in AS_PATH', () => {
    const network = new Network();
    const [a, b, c, d] = [65000, 65000, 65001, 65000].map((as) => network.node({ as })) as [Node, Node, Node, Node];
    network.connect(a, b);
    network.connect(b, c);
    network.connect(c, d);
    network.start(a, b, c, d);
    network.settle();
    a.speaker.announce({ prefix, localPref: 200 });
    network.settle();
    assert.deepEqual([c.best(prefix)?.asPath, c.best(prefix)?.nextHop], ['65000', b.address]);
    // C does not send it into the AS it came from, which would refuse it.
    assert.equal(d.speaker.routes().length, 0);
  });

  test('stops at NO_ADVERTISE and, between ASes, at NO_EXPORT', () => {
    const { network, a, b, c } = chain([65001, 65001, 65002]);
    a.speaker.announceBatch([
      { prefix: '2001:db8:1::/48', communities: [NO_ADVERTISE] },
      { prefix: '2001:db8:2::/48', communities: [NO_EXPORT] },
      { prefix: '2001:db8:3::/48', communities: [0xfde80001] },
    ]);
    network.settle();
    assert.deepEqual([...b.unicast.keys()].sort(), ['2001:db8:2::/48', '2001:db8:3::/48']);
    assert.deepEqual([...c.unicast.keys()], ['2001:db8:3::/48']);
    assert.deepEqual(b.best('2001:db8:2::/48')?.communities, ['no-export']);
    assert.deepEqual(c.best('2001:db8:3::/48')?.communities, ['65000:1']);
  });

  test('needs a policy between ASes', () => {
    const { network, a, b } = Network.pair({ as: 65001 }, { as: 65002 }, { export: 'none' }, { import: 'none' });
    a.speaker.announce({ prefix });
    b.speaker.announce({ prefix: '2001:db8:b::/48' });
    network.settle();
    assert.equal(b.view(a).prefixes.received, 0);
    assert.equal(a.unicast.size, 1);
    a.neighbors = a.neighbors.map((config) => ({ ...config, export: 'any' }));
    a.speaker.reconfigure(a.config());
    network.settle();
    assert.deepEqual(b.view(a).prefixes, { received: 1, accepted: 0, stale: 0, sent: 1 });
    assert.deepEqual(
      b.speaker.routes(prefix).map((route) => [route.rejected, route.reason]),
      [[true, 'no import policy (RFC 8212)']],
    );
  });

  test('follows the lists of prefixes of both sides', () => {
    const { network, a, b } = Network.pair({ as: 65001 }, { as: 65002 }, { export: ['2001:db8:a::/47'] }, { import: ['2001:db8:b::/48'] });
    a.speaker.announceBatch([{ prefix: '2001:db8:a::/48' }, { prefix: '2001:db8:b:1::/64' }, { prefix: '2001:db8:c::/48' }]);
    network.settle();
    assert.deepEqual(b.view(a).prefixes, { received: 2, accepted: 1, stale: 0, sent: 0 });
    assert.deepEqual([...b.unicast.keys()], ['2001:db8:b:1::/64']);
  });

  test('of an equal announcement sends nothing', () => {
    const { network, a, b } = Network.pair();
    const route = { prefix, med: 5, communities: [1, 2] };
    a.speaker.announce(route);
    network.settle();
    const before = a.view(b).messages.sent.update;
    a.speaker.announce({ ...route });
    network.settle();
    assert.equal(a.view(b).messages.sent.update, before);
    a.speaker.announce({ ...route, med: 6 });
    network.settle();
    assert.equal(a.view(b).messages.sent.update, before + 1);
    assert.equal(b.best(prefix)?.med, 6);
  });

  test('packs routes with equal attributes into few messages', () => {
    const { network, a, b } = Network.pair();
    const before = a.view(b).messages.sent.update;
    a.speaker.announceBatch(Array.from({ length: 200 }, (_, i) => ({ prefix: `2001:db8:${(i + 1).toString(16)}::/48` })));
    network.settle();
    assert.equal(b.unicast.size, 200);
    assert.equal(a.view(b).messages.sent.update, before + 1);
  });

  test('carries twenty thousand routes and takes them all back', () => {
    const { network, a, c } = chain([65001, 65002, 65003]);
    const prefixes = Array.from({ length: 20_000 }, (_, i) => `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64`);
    a.speaker.announceBatch(prefixes.map((text) => ({ prefix: text })));
    network.settle();
    assert.equal(c.unicast.size, 20_000);
    for (const text of prefixes) a.speaker.withdraw(text);
    network.settle();
    assert.equal(c.unicast.size, 0);
    assert.equal(c.speaker.routes().length, 0);
  });
});

describe('The best path', () => {
  test('moves to another peer when the first withdraws', () => {
    const network = new Network();
    const [a, b, c] = [network.node({ as: 65001 }), network.node({ as: 65002 }), network.node({ as: 65003 })];
    network.connect(a, b);
    network.connect(a, c);
    network.start(a, b, c);
    network.settle();
    b.speaker.announce({ prefix });
    c.speaker.announce({ prefix, origin: 2 });
    network.settle();
    assert.equal(a.unicast.get(prefix)?.peer, b.address);
    assert.equal(a.best(prefix)?.reason, 'lower ORIGIN');
    b.speaker.withdraw(prefix);
    network.settle();
    assert.equal(a.unicast.get(prefix)?.peer, c.address);
  });

  test('is none while the next hop does not resolve, and comes when it does', () => {
    const unresolved = new Set<string>();
    const { network, a, b } = Network.pair({ unresolved });
    unresolved.add(b.address);
    b.speaker.announce({ prefix });
    network.settle();
    assert.equal(a.unicast.size, 0);
    assert.equal(a.paths(prefix)[0]?.reason, 'no path has a next hop that resolves');
    unresolved.clear();
    a.speaker.nextHopsChanged();
    network.settle();
    assert.equal(a.unicast.size, 1);
    unresolved.add(b.address);
    a.speaker.nextHopsChanged();
    network.settle();
    assert.equal(a.unicast.size, 0);
  });

  test('is no learned one where the route is announced here', () => {
    const { network, a, b } = Network.pair();
    b.speaker.announce({ prefix });
    network.settle();
    assert.equal(a.unicast.size, 1);
    a.speaker.announce({ prefix });
    network.settle();
    assert.equal(a.unicast.size, 0);
    assert.equal(a.best(prefix)?.source, 'local');
    a.speaker.withdraw(prefix);
    network.settle();
    assert.equal(a.unicast.size, 1);
  });
});

describe('ADD-PATH', () => {
  const both = { receive: true, send: true };

  test('brings all paths of a prefix with stable identifiers, and takes each away by itself', () => {
    const network = new Network();
    const [a, b, c, d] = [65001, 65002, 65003, 65003].map((as) => network.node({ as })) as [Node, Node, Node, Node];
    network.connect(a, c);
    network.connect(b, c);
    network.connect(c, d, { addPath: both }, { addPath: both });
    network.start(a, b, c, d);
    network.settle();
    a.speaker.announce({ prefix });
    b.speaker.announce({ prefix });
    network.settle();
    const ids = d.paths(prefix).map((path) => [path.asPath, path.pathId]);
    assert.deepEqual(ids.sort(), [['65001', 1], ['65002', 2]]);
    a.speaker.announce({ prefix, med: 9 });
    network.settle();
    assert.deepEqual(d.paths(prefix).map((path) => [path.asPath, path.pathId, path.med]).sort(), [['65001', 1, 9], ['65002', 2, undefined]]);
    a.speaker.withdraw(prefix);
    network.settle();
    assert.deepEqual(d.paths(prefix).map((path) => [path.asPath, path.pathId]), [['65002', 2]]);
  });

  test('in one direction only leaves the other with the best path', () => {
    const network = new Network();
    const [a, b, c, d] = [65001, 65002, 65003, 65003].map((as) => network.node({ as })) as [Node, Node, Node, Node];
    network.connect(a, c);
    network.connect(b, c);
    network.connect(c, d, { addPath: { receive: true, send: false } }, { addPath: both });
    network.start(a, b, c, d);
    network.settle();
    a.speaker.announce({ prefix });
    b.speaker.announce({ prefix });
    d.speaker.announce({ prefix: '2001:db8:d::/48' });
    network.settle();
    assert.deepEqual(d.paths(prefix).map((path) => path.pathId), [0]);
    assert.deepEqual(c.paths('2001:db8:d::/48').map((path) => path.pathId), [1]);
  });
});

describe('Route refresh', () => {
  test('sends everything again, and changes nothing where nothing has changed', () => {
    const { network, a, b } = Network.pair();
    b.speaker.announceBatch([{ prefix }, { prefix: '2001:db8:b::/48', med: 1 }]);
    network.settle();
    const changes = a.unicastChanges;
    const updates = a.view(b).messages.received.update;
    assert.equal(a.speaker.clearNeighbor(b.address, true), true);
    network.settle();
    assert.equal(b.view(a).messages.received.routeRefresh >= 1, true);
    assert.equal(a.view(b).messages.received.update, updates + 2);
    assert.equal(a.unicastChanges, changes);
    assert.equal(a.view(b).establishedCount, 1);
  });
});

describe('After any sequence of announcements and withdrawals', () => {
  const prefixes = Array.from({ length: 12 }, (_, i) => `2001:db8:${i + 1}::/48`);
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('announce' as const), prefix: fc.constantFrom(...prefixes), med: fc.integer({ min: 0, max: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), prefix: fc.constantFrom(...prefixes) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('refresh' as const) }) },
  );

  for (const addPath of [false, true]) {
    test(`the peer holds exactly what is announced, ADD-PATH ${addPath ? 'on' : 'off'}`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
          const option = { addPath: { receive: addPath, send: addPath } };
          const { network, a, b } = Network.pair({}, {}, option, option);
          const expected = new Map<string, number>();
          for (const action of steps) {
            if (action.kind === 'announce') {
              a.speaker.announce({ prefix: action.prefix, med: action.med });
              expected.set(action.prefix, action.med);
            } else if (action.kind === 'withdraw') {
              a.speaker.withdraw(action.prefix);
              expected.delete(action.prefix);
            } else if (action.kind === 'wait') network.settle(action.ms);
            else if (action.kind === 'reset') a.speaker.clearNeighbor(b.address);
            else b.speaker.clearNeighbor(a.address, true);
          }
          network.settle(120_000);
          assert.equal(b.state(a), 'Established');
          assert.deepEqual(new Map([...b.unicast].map(([text, best]) => [text, best.med]).sort() as [string, number][]), new Map([...expected].sort()));
        }),
        { numRuns: 60 },
      );
    });
  }
});
