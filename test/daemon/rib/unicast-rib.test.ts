import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UnicastRib, type UnicastRoute } from '../../../daemon/rib/unicast-rib.js';

const SERVICE = '2001:db8:5e::/48';

function rib(...routes: UnicastRoute[]): UnicastRib {
  const table = new UnicastRib({ servicePrefixes: [SERVICE] });
  for (const route of routes) table.set(route);
  return table;
}

const connected = (prefix: string, name: string): UnicastRoute => ({ prefix, source: 'connected', nextHops: [{ interface: name }] });
const via = (prefix: string, source: UnicastRoute['source'], ...gateways: string[]): UnicastRoute => ({ prefix, source, nextHops: gateways.map((gateway) => ({ gateway })) });

/** Applies changes to a kernel in memory. */
function kernel(table: UnicastRib, into = new Map<string, unknown>()): Map<string, unknown> {
  for (const { prefix, target } of table.flush()) {
    if (target) into.set(prefix, target);
    else into.delete(prefix);
  }
  return into;
}

const hop = (gateway: string, name: string, weight?: number) => (weight === undefined ? { gateway, interface: name } : { gateway, interface: name, weight });

describe('unicast RIB', () => {
  it('leaves connected routes to the kernel and resolves through them', () => {
    const table = rib(connected('2001:db8:1::/64', 'eth0'), via('2001:db8:9::/48', 'static', '2001:db8:1::1'));
    assert.deepEqual(kernel(table), new Map([['2001:db8:9::/48', { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0')] }]]));
    assert.deepEqual(table.resolve('2001:db8:1::7')?.nextHops, [{ interface: 'eth0' }]);
  });

  it('prefers connected, static, eBGP, OSPF, iBGP in this order and falls back as they go', () => {
    const prefix = '2001:db8:9::/48';
    const table = rib(connected('2001:db8:1::/64', 'eth0'));
    const kernelTable = new Map<string, unknown>();
    const sources = ['ibgp', 'ospf', 'ebgp', 'static'] as const;
    sources.forEach((source, index) => {
      table.set(via(prefix, source, `2001:db8:1::${index + 1}`));
      assert.deepEqual(kernel(table, kernelTable).get(prefix), { kind: 'unicast', nextHops: [hop(`2001:db8:1::${index + 1}`, 'eth0')] }, source);
    });
    table.set(connected(prefix, 'eth1'));
    assert.equal(kernel(table, kernelTable).has(prefix), false, 'the kernel has its own connected route');
    table.remove(prefix, 'connected');
    for (const [index, source] of [...sources.entries()].reverse()) {
      assert.deepEqual(kernel(table, kernelTable).get(prefix), { kind: 'unicast', nextHops: [hop(`2001:db8:1::${index + 1}`, 'eth0')] }, source);
      assert.ok(table.remove(prefix, source));
    }
    assert.equal(kernel(table, kernelTable).size, 0);
  });

  it('takes the floating static route when the first one no longer resolves', () => {
    const table = rib(
      connected('2001:db8:1::/64', 'eth0'),
      connected('2001:db8:2::/64', 'eth1'),
      { ...via('2001:db8:9::/48', 'static', '2001:db8:1::1'), tag: '1' },
      { ...via('2001:db8:9::/48', 'static', '2001:db8:2::1'), tag: '250', distance: 250 },
    );
    const state = kernel(table);
    assert.deepEqual(state.get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0')] });
    table.setLink('eth0', false);
    assert.deepEqual(kernel(table, state).get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:2::1', 'eth1')] });
    table.setLink('eth0', true);
    assert.deepEqual(kernel(table, state).get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0')] });
  });

  it('resolves BGP next hops recursively and follows when what they lean on changes', () => {
    const table = rib(
      connected('2001:db8:1::/64', 'eth0'),
      connected('2001:db8:2::/64', 'eth1'),
      via('fc00:0:11::1/128', 'static', '2001:db8:1::1'),
      via('fcbb:bb00:11::/48', 'ibgp', 'fc00:0:11::1'),
    );
    const state = kernel(table);
    assert.deepEqual(state.get('fcbb:bb00:11::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0')] });
    table.set(via('fc00:0:11::1/128', 'static', '2001:db8:2::1'));
    const changes = table.flush();
    assert.deepEqual(changes.map(({ prefix }) => prefix).sort(), ['fc00:0:11::1/128', 'fcbb:bb00:11::/48']);
    table.remove('fc00:0:11::1/128', 'static');
    assert.deepEqual(table.flush(), [
      { prefix: 'fc00:0:11::1/128', target: undefined },
      { prefix: 'fcbb:bb00:11::/48', target: undefined },
    ]);
    assert.equal(table.resolve('fcbb:bb00:11:e001::'), undefined);
  });

  it('keeps the static way to a loopback that BGP announces with itself as next hop', () => {
    const table = rib(connected('2001:db8:1::/64', 'eth0'), via('fc00:0:11::1/128', 'static', '2001:db8:1::1'), via('fc00:0:11::1/128', 'ibgp', 'fc00:0:11::1'));
    const state = kernel(table);
    assert.deepEqual(state.get('fc00:0:11::1/128'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0')] });
    table.remove('fc00:0:11::1/128', 'static');
    assert.equal(kernel(table, state).size, 0, 'a route through itself is no route');
  });

  it('does not resolve routes that lean on each other, whichever came first', () => {
    const a = via('2001:db8:a::/48', 'ibgp', '2001:db8:b::1');
    const b = via('2001:db8:b::/48', 'ibgp', '2001:db8:a::1');
    const shorter = via('2001:db8::/32', 'static', '2001:db8:1::1');
    for (const order of [[a, b], [b, a]]) {
      const state = kernel(rib(connected('2001:db8:1::/64', 'eth0'), shorter, ...order));
      assert.deepEqual([...state.keys()], ['2001:db8::/32']);
    }
  });

  it('does not resolve a next hop through the default route unless told to', () => {
    const routes = [connected('2001:db8:1::/64', 'eth0'), via('::/0', 'static', '2001:db8:1::1'), via('fcbb:bb00:11::/48', 'ibgp', 'fc00:0:11::1')];
    assert.equal(kernel(rib(...routes)).has('fcbb:bb00:11::/48'), false);
    const lenient = new UnicastRib({ servicePrefixes: [], resolveViaDefault: true });
    for (const route of routes) lenient.set(route);
    assert.equal(kernel(lenient).has('fcbb:bb00:11::/48'), true);
    assert.equal(rib(...routes).resolve('fc00:0:11::1'), undefined, 'before the first flush nothing is known');
    const table = rib(...routes);
    table.flush();
    assert.equal(table.resolve('fc00:0:11::1')?.viaDefault, true);
  });

  it('needs an interface beside a link-local next hop', () => {
    const table = rib(via('2001:db8:9::/48', 'static', 'fe80::1'), connected('fe80::/64', 'eth0'), {
      prefix: '2001:db8:a::/48',
      source: 'static',
      nextHops: [{ gateway: 'fe80::1', interface: 'eth0' }],
    });
    assert.deepEqual([...kernel(table)], [['2001:db8:a::/48', { kind: 'unicast', nextHops: [hop('fe80::1', 'eth0')] }]]);
  });

  it('spreads over equal next hops and carries unequal weights through recursion', () => {
    const table = rib(
      connected('2001:db8:1::/64', 'eth0'),
      connected('2001:db8:2::/64', 'eth1'),
      via('2001:db8:8::/48', 'ospf', '2001:db8:1::1', '2001:db8:2::1'),
      { prefix: '2001:db8:9::/48', source: 'static', nextHops: [{ gateway: '2001:db8:8::1', weight: 1 }, { gateway: '2001:db8:2::1', weight: 1 }] },
    );
    const state = kernel(table);
    assert.deepEqual(state.get('2001:db8:8::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0'), hop('2001:db8:2::1', 'eth1')] });
    assert.deepEqual(state.get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0', 1), hop('2001:db8:2::1', 'eth1', 3)] });
  });

  it('uses the next hops that resolve when others do not', () => {
    const state = kernel(rib(connected('2001:db8:1::/64', 'eth0'), via('2001:db8:9::/48', 'static', '2001:db8:1::1', '2001:db8:77::1')));
    assert.deepEqual(state.get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('2001:db8:1::1', 'eth0')] });
  });

  it('never hands the kernel a route inside a service prefix, nor resolves through one', () => {
    const table = rib(
      connected('2001:db8:1::/64', 'eth0'),
      via('2001:db8:5e::1/128', 'ibgp', '2001:db8:1::1'),
      via('2001:db8:5e::/48', 'static', '2001:db8:1::1'),
      via('2001:db8:9::/48', 'ibgp', '2001:db8:5e::1'),
      via('2001:db8::/32', 'static', '2001:db8:1::1'),
    );
    assert.deepEqual([...kernel(table).keys()], ['2001:db8::/32']);
    assert.equal(table.resolve('2001:db8:5e::1'), undefined);
  });

  it('does not resolve through an unreachable route', () => {
    const table = rib(connected('2001:db8:1::/64', 'eth0'), via('2001:db8::/32', 'static', '2001:db8:1::1'), { prefix: '2001:db8:7::/48', source: 'static', nextHops: [] }, via('2001:db8:9::/48', 'ibgp', '2001:db8:7::1'));
    const state = kernel(table);
    assert.deepEqual(state.get('2001:db8:7::/48'), { kind: 'unreachable' });
    assert.equal(state.has('2001:db8:9::/48'), false);
    assert.equal(table.resolve('2001:db8:7::1'), undefined);
  });

  const lfa = { protects: ['eth0'], nextHop: { gateway: 'fe80::b', interface: 'eth1' }, segments: [] };
  const repair = { protects: ['eth0'], nextHop: { gateway: 'fe80::c', interface: 'eth2' }, segments: ['fcbb:bb00:3:1::', 'fcbb:bb00:4:2::'] };
  const ospf = (prefix: string, ...backups: NonNullable<UnicastRoute['backups']>): UnicastRoute => ({ prefix, source: 'ospf', nextHops: [{ gateway: 'fe80::a', interface: 'eth0' }], backups });

  it('hands the backups of a route and its link-local gateways to the kernel, and to what resolves through it', () => {
    const table = rib(ospf('fc00:0:11::1/128', lfa, repair), via('2001:db8:9::/48', 'ibgp', 'fc00:0:11::1'), { ...via('2001:db8:a::/48', 'ibgp', 'fc00:0:11::1'), segments: ['fc00:0:11::1'] });
    const state = kernel(table);
    const target = { kind: 'unicast', nextHops: [hop('fe80::a', 'eth0')], backups: [lfa, repair] };
    assert.deepEqual(state.get('fc00:0:11::1/128'), target);
    assert.deepEqual(state.get('2001:db8:9::/48'), target);
    // The outer packet takes the route to the SID, whatever that is.
    assert.deepEqual(state.get('2001:db8:a::/48'), { kind: 'seg6', segments: ['fc00:0:11::1'], nextHops: [hop('fe80::a', 'eth0')] });
    assert.deepEqual(table.resolve('fc00:0:11::1')?.nextHops, [hop('fe80::a', 'eth0')]);
    assert.deepEqual([...table.routes()].find(({ route }) => route.source === 'ospf')?.backups, [lfa, repair]);
  });

  it('leaves a route in use whose link is down while a backup protects it, and drops it when that goes too', () => {
    const table = rib(ospf('fc00:0:11::1/128', lfa), via('2001:db8:9::/48', 'ibgp', 'fc00:0:11::1'), ospf('fc00:0:12::1/128'));
    const state = kernel(table);
    table.setLink('eth0', false);
    assert.deepEqual([...kernel(table, state).keys()], ['fc00:0:11::1/128', '2001:db8:9::/48']);
    table.setLink('eth1', false);
    assert.deepEqual(kernel(table, state), new Map());
    table.setLink('eth0', true);
    // The backup is no use while its own link is down, but the route is still one that can fail fast.
    assert.deepEqual(kernel(table, state).get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('fe80::a', 'eth0')], backups: [] });
    table.setLink('eth1', true);
    assert.deepEqual(kernel(table, state).get('2001:db8:9::/48'), { kind: 'unicast', nextHops: [hop('fe80::a', 'eth0')], backups: [lfa] });
  });

  it('leaves a dead link out of several next hops at once, backups or not', () => {
    const table = rib({ ...ospf('fc00:0:11::1/128', lfa), nextHops: [{ gateway: 'fe80::a', interface: 'eth0' }, { gateway: 'fe80::b', interface: 'eth1' }] });
    kernel(table);
    table.setLink('eth0', false);
    assert.deepEqual(kernel(table).get('fc00:0:11::1/128'), { kind: 'unicast', nextHops: [hop('fe80::b', 'eth1')], backups: [lfa] });
  });

  it('adds up the metrics on the way to a next hop', () => {
    const table = rib(connected('2001:db8:1::/64', 'eth0'), { ...via('fc00:0:11::1/128', 'ospf', '2001:db8:1::1'), metric: 30 }, via('fcbb:bb00:11::/48', 'ibgp', 'fc00:0:11::1'));
    table.flush();
    assert.equal(table.resolve('fcbb:bb00:11:e001::')?.cost, 30);
  });

  it('ends in the same kernel routes whatever the order of additions, removals and flushes', () => {
    const prefixes = ['2001:db8:1::/64', '2001:db8:2::/64', '2001:db8:3::/48', '2001:db8:3:1::/64', '2001:db8:4::/48', '2001:db8::/32', '::/0', '2001:db8:5e:1::/64'];
    const gateways = ['2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1', '2001:db8:3:1::1', '2001:db8:4::1', 'fe80::1', '2001:db8:5e:1::1', '2001:db9::1'];
    const route = fc.record({
      prefix: fc.constantFrom(...prefixes),
      source: fc.constantFrom('connected', 'static', 'ebgp', 'ospf', 'ibgp'),
      nextHops: fc.array(fc.oneof(fc.record({ gateway: fc.constantFrom(...gateways) }), fc.record({ interface: fc.constantFrom('eth0', 'eth1') })), { maxLength: 3 }),
      backups: fc.option(fc.constantFrom([], [lfa], [{ ...lfa, protects: ['eth1'] }, repair]), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(route, fc.boolean(), fc.boolean()), { maxLength: 25 }), (steps) => {
        const table = rib();
        const state = new Map<string, unknown>();
        const final = new Map<string, UnicastRoute>();
        for (const [item, remove, flush] of steps) {
          const key = `${item.prefix} ${item.source}`;
          if (remove) {
            assert.equal(table.remove(item.prefix, item.source), final.delete(key));
          } else {
            table.set(item);
            final.set(key, item);
          }
          if (flush) kernel(table, state);
        }
        kernel(table, state);
        const sorted = (map: Map<string, unknown>): unknown[] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(sorted(state), sorted(kernel(rib(...final.values()))));
        assert.deepEqual(sorted(state), sorted(kernel(rib(...[...final.values()].reverse()))));
        assert.ok([...state.keys()].every((prefix) => !prefix.startsWith('2001:db8:5e')));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes 20,000 routes over few next hops and moves them when a next hop moves, in bounded time', () => {
    const table = rib(connected('2001:db8:1::/64', 'eth0'), connected('2001:db8:2::/64', 'eth1'), via('fc00::1/128', 'ospf', '2001:db8:1::1'));
    for (let i = 0; i < 20_000; i++) table.set(via(`2001:${(0x1000 + (i >> 8)).toString(16)}:${(i & 255).toString(16)}::/48`, 'ibgp', 'fc00::1'));
    assert.equal(table.flush().length, 20_001);
    table.set(via('fc00::1/128', 'ospf', '2001:db8:2::1'));
    const start = performance.now();
    assert.equal(table.flush().length, 20_001);
    assert.ok(performance.now() - start < 2000);
  });
});
