import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeCpnBlock } from '../../../daemon/computing/block.js';
import type { CpnBlock, Instance } from '../../../daemon/computing/types.js';
import { NO_EXPORT } from '../../../daemon/bgp/wire/types.js';
import { Network, type Node, type NodeOptions } from './network.js';
import { RawPeer } from './raw-peer.js';

const servicePrefixes = ['2001:db8:5e::/48'];
const service = '2001:db8:5e::1/128';
const router = (as: number): NodeOptions => ({ as, servicePrefixes });

const instance: Instance = {
  id: 1,
  aggregate: false,
  draining: false,
  sid: { sid: 'fcbb:bb00:11:e001::', behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
  computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
  load: undefined,
  serviceDelay: undefined,
  storage: [],
  interface: undefined,
  location: undefined,
  energy: undefined,
  price: undefined,
  algorithms: [],
  cats: [],
  grade: undefined,
  address: undefined,
};

const blockOf = (exit: string, sequence = 1n): CpnBlock => ({
  service: undefined,
  origin: { exit, sequence, originatedAt: 1n, validity: 0 },
  instances: [instance],
});

const hex = (block: CpnBlock): string => Buffer.from(encodeCpnBlock(block)).toString('hex');

/** The exit in its AS, a border router of the next AS, and a router behind it. */
function acrossAses(border: Parameters<Network['connect']>[2], exitSide: Parameters<Network['connect']>[2] = { cpn: true }): { network: Network; exit: Node; entry: Node; inner: Node } {
  const network = new Network();
  const [exit, entry, inner] = [network.node(router(65001)), network.node(router(65002)), network.node(router(65002))];
  network.connect(exit, entry, exitSide, border);
  network.connect(entry, inner, { cpn: true }, { cpn: true });
  network.start(exit, entry, inner);
  network.settle();
  exit.speaker.announce({ prefix: service, cpn: blockOf(exit.address) });
  network.settle();
  return { network, exit, entry, inner };
}

describe('A service route', () => {
  test('arrives at a CPN peer with its block, feeds no unicast route, and goes when withdrawn', () => {
    const { network, a, b } = Network.pair(router(65000), router(65000), { cpn: true }, { cpn: true });
    const block = blockOf(a.address);
    a.speaker.announce({ prefix: service, cpn: block });
    network.settle();
    assert.equal(b.unicast.size, 0);
    const [path] = b.service.values();
    assert.deepEqual(path?.block, block);
    assert.equal(Buffer.from(path.raw!).toString('hex'), hex(block));
    assert.deepEqual([path.peer, path.nextHop, path.ebgp, path.stale], [a.address, a.address, false, false]);
    const shown = b.best(service)!;
    assert.ok(shown.service);
    assert.deepEqual(shown.communities, ['no-export']);
    assert.equal(shown.prefixSid, 'fcbb:bb00:11:e001::');
    a.speaker.withdraw(service);
    network.settle();
    assert.equal(b.service.size, 0);
  });

  test('is not sent to a peer that is not marked', () => {
    const { network, a, b } = Network.pair(router(65000), router(65000), {}, { cpn: true });
    a.speaker.announceBatch([{ prefix: service, cpn: blockOf(a.address) }, { prefix: '2001:db8:a::/48' }]);
    network.settle();
    assert.deepEqual(b.speaker.routes().map((route) => route.prefix), ['2001:db8:a::/48']);
  });

  test('is announced with its new block when that changes, and not again when it does not', () => {
    const { network, a, b } = Network.pair(router(65000), router(65000), { cpn: true }, { cpn: true });
    a.speaker.announce({ prefix: service, cpn: blockOf(a.address) });
    network.settle();
    const sent = a.view(b).messages.sent.update;
    a.speaker.announce({ prefix: service, cpn: blockOf(a.address) });
    network.settle();
    assert.equal(a.view(b).messages.sent.update, sent);
    a.speaker.announce({ prefix: service, cpn: blockOf(a.address, 2n) });
    network.settle();
    assert.equal([...b.service.values()][0]?.block?.origin?.sequence, 2n);
  });

  test('without a block is a path without candidates', () => {
    const { network, a, b } = Network.pair(router(65000), router(65000), { cpn: true }, { cpn: true });
    a.speaker.announce({ prefix: service });
    network.settle();
    const [path] = b.service.values();
    assert.ok(path && path.block === undefined && path.raw === undefined);
  });

  test('crosses to another AS only where the peer is marked and the prefix accepted, and carries NO_EXPORT again there', () => {
    const { exit, entry, inner } = acrossAses({ cpn: true, cpnAccept: servicePrefixes });
    for (const node of [entry, inner]) {
      const path = node.best(service);
      assert.deepEqual([path?.communities, path?.asPath, path?.cpn], [['no-export'], '65001', hex(blockOf(exit.address))]);
      assert.equal(node.service.size, 1);
    }
    assert.deepEqual(exit.best(service)?.communities, ['no-export']);
  });

  for (const [as, communities] of [
    [65000, [NO_EXPORT]],
    [65001, []],
  ] as const) {
    test(`leaves for a marked peer of ${as === 65000 ? 'the own AS with' : 'another AS without'} NO_EXPORT`, () => {
      const network = new Network();
      const exit = network.node(router(65000));
      const peer = RawPeer.established(network, exit, as, undefined, { cpn: true });
      exit.speaker.announce({ prefix: service, cpn: blockOf(exit.address) });
      network.settle();
      const update = peer.received.find((message) => message.type === 'update' && message.announced.length > 0);
      assert.ok(update?.type === 'update');
      assert.deepEqual(update.attributes?.communities, communities);
      assert.equal(Buffer.from(update.attributes.cpn?.value ?? []).toString('hex'), hex(blockOf(exit.address)));
    });
  }

  const refusals: readonly [string, Parameters<Network['connect']>[2], string][] = [
    ['from an eBGP peer that is not marked', { cpn: false, cpnAccept: servicePrefixes }, 'service route from a peer that is not marked cpn'],
    ['outside what the peer may announce', { cpn: true, cpnAccept: ['2001:db8:5e:1::/64'] }, 'service route outside cpnAccept'],
    ['without an import policy', { cpn: true, cpnAccept: servicePrefixes, import: 'none' }, 'no import policy (RFC 8212)'],
    ['outside the import policy', { cpn: true, cpnAccept: servicePrefixes, import: ['2001:db8:a::/48'] }, 'import policy'],
  ];
  for (const [what, border, reason] of refusals) {
    test(`${what} is refused`, () => {
      const { entry, inner } = acrossAses(border);
      assert.equal(entry.service.size, 0);
      assert.equal(inner.speaker.routes().length, 0);
      assert.deepEqual(entry.speaker.routes(service).map((route) => route.reason), [reason]);
    });
  }

  test('is withdrawn where a changed configuration does not accept it any more', () => {
    const { network, entry, inner } = acrossAses({ cpn: true, cpnAccept: servicePrefixes });
    assert.equal(inner.service.size, 1);
    entry.neighbors = entry.neighbors.map((config) => ({ ...config, cpnAccept: [] }));
    entry.speaker.reconfigure(entry.config());
    network.settle();
    assert.equal(entry.service.size, 0);
    assert.equal(inner.service.size, 0);
  });

  test('becomes one, and stops being one, when the service prefixes change', () => {
    const { network, a, b } = Network.pair(router(65000), router(65000), { cpn: true }, { cpn: true });
    const other = '2001:db8:77::1/128';
    a.speaker.announceBatch([{ prefix: service, cpn: blockOf(a.address) }, { prefix: other, cpn: blockOf(a.address) }]);
    network.settle();
    assert.deepEqual([[...b.service.keys()].length, [...b.unicast.keys()]], [1, [other]]);
    for (const node of [a, b]) node.speaker.reconfigure(node.config(), ['2001:db8:77::/48']);
    network.settle();
    assert.deepEqual([...b.unicast.keys()], [service]);
    assert.deepEqual([...b.service.keys()], [`${other} ${a.address} 0`]);
    assert.deepEqual([b.best(other)?.communities, b.best(service)?.communities], [['no-export'], []]);
    assert.equal(a.view(b).establishedCount, 1);
  });

  test('goes with the session that brought it', () => {
    const { network, exit, entry } = acrossAses({ cpn: true, cpnAccept: servicePrefixes });
    exit.speaker.stop();
    network.settle();
    assert.equal(entry.service.size, 0);
  });
});

describe('The CPN attribute outside service prefixes', () => {
  test('is ignored and passed on', () => {
    const network = new Network();
    // The first router takes the prefix for a service, the others do not.
    const [a, b, c] = [network.node(router(65001)), network.node({ as: 65002 }), network.node({ as: 65003 })];
    network.connect(a, b, { cpn: true });
    network.connect(b, c);
    network.start(a, b, c);
    network.settle();
    const block = blockOf(a.address);
    a.speaker.announce({ prefix: service, cpn: block });
    network.settle();
    for (const node of [b, c]) {
      assert.equal(node.service.size, 0);
      assert.equal(node.unicast.size, 1);
      assert.equal(node.best(service)?.cpn, hex(block));
    }
    assert.deepEqual(b.best(service)?.communities, []);
  });
});

describe('An IPv4 service', () => {
  test('is announced with an IPv6 next hop (RFC 8950)', () => {
    const options: NodeOptions = { servicePrefixes: ['192.0.2.0/24'] };
    const { network, a, b } = Network.pair(options, options, { cpn: true }, { cpn: true });
    const block = blockOf(a.address);
    a.speaker.announce({ prefix: '192.0.2.1/32', cpn: block });
    network.settle();
    const [path] = b.service.values();
    assert.deepEqual(path?.block, block);
    assert.equal(path.nextHop, a.address);
    assert.deepEqual([...b.view(a).endOfRib].sort(), ['ipv4-unicast', 'ipv6-unicast']);
    a.speaker.withdraw('192.0.2.1/32');
    network.settle();
    assert.equal(b.service.size, 0);
  });
});
