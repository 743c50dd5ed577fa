import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { LsType, PrefixOptionBit, type RouterLink } from '../../../../daemon/ospf/wire/types.js';
import { Network, pair, type Router } from '../network.js';

const links = (at: Router, of: number): { readonly id: number; readonly links: readonly RouterLink[] }[] =>
  [...at.engine.lsas({ type: LsType.router, router: of })].map(({ header, body }) => ({ id: header.id, links: body.kind === 'router' ? body.links : [] }));

describe('Own LSAs (RFC 5340 section 4.4.3)', () => {
  test('links that do not fit one Router-LSA are in several, and losing one changes one of them', () => {
    const network = new Network();
    const hub = network.router();
    const spokes = Array.from({ length: 100 }, () => network.router());
    const wires = spokes.map((spoke) => network.connect(hub, spoke));
    network.start();
    network.seconds(40);
    const before = links(spokes[99]!, 1);
    assert.deepEqual(before.map((lsa) => [lsa.id, lsa.links.length]), [[0, 79], [1, 21]]);
    const sequences = (): number[] => [...hub.engine.lsas({ type: LsType.router, router: 1 })].map(({ header }) => header.sequence);
    const old = sequences();
    wires[3]!.cut = true;
    network.seconds(60);
    assert.deepEqual(links(spokes[99]!, 1).map((lsa) => [lsa.id, lsa.links.length]), [[0, 78], [1, 21]]);
    assert.deepEqual([sequences()[0]! > old[0]!, sequences()[1] === old[1]], [true, true]);
    for (const raw of hub.engine.lsas({ type: LsType.router })) assert.ok(raw.raw.length <= 1300);
  });

  test('several links between the same routers are told apart by their interface IDs', () => {
    const network = new Network();
    const [a, b] = [network.router(), network.router()];
    network.connect(a, b, { cost: 5 });
    network.connect(a, b, { cost: 6 });
    network.start();
    network.seconds(30);
    assert.deepEqual(
      links(b, 1)[0]!.links.map(({ type, metric, interfaceId, neighborInterfaceId, neighborRouterId }) => [type, metric, interfaceId, neighborInterfaceId, neighborRouterId]),
      [[1, 5, 1, 1, 2], [1, 6, 2, 2, 2]],
    );
  });

  test('loopback and locator are prefixes of the router, with the LA bit where the caller sets it; many are in several LSAs', () => {
    const { network, a, b } = pair();
    const stubs = Array.from({ length: 200 }, (_, index) => ({ prefix: Prefix.from(`2001:db8:ff::${(index + 1).toString(16)}/128`), options: index === 0 ? PrefixOptionBit.la : 0, metric: 0 }));
    a.engine.setStubPrefixes(stubs);
    network.seconds(30);
    const lsas = [...b.engine.lsas({ type: LsType.intraAreaPrefix, router: 1 })];
    const prefixes = lsas.flatMap(({ body }) => (body.kind === 'intraAreaPrefix' ? body.prefixes : []));
    assert.equal(lsas.length, 4);
    assert.equal(prefixes.length, 201);
    assert.equal(prefixes.find(({ prefix }) => prefix.toString() === '2001:db8:ff::1/128')?.options, PrefixOptionBit.la);
    for (const { body } of lsas) assert.deepEqual(body.kind === 'intraAreaPrefix' && body.referenced, { type: LsType.router, id: 0, router: 1 });
    a.engine.setStubPrefixes([]);
    network.seconds(10);
    assert.equal([...b.engine.lsas({ type: LsType.intraAreaPrefix, router: 1 })].length, 1);
  });

  test('routes from elsewhere are AS-External-LSAs, and make the router a border router while there are some', () => {
    const { network, a, b } = pair();
    const route = (text: string, metric = 20): Parameters<Router['engine']['setExternals']>[0][number] => ({ prefix: Prefix.from(text), metric, type: 2, tag: 7, forwarding: undefined });
    a.engine.setExternals([route('2001:db8:a::/48'), route('2001:db8:b::/48'), route('::/0')]);
    network.seconds(30);
    const externals = (): unknown[] =>
      [...b.engine.lsas({ type: LsType.asExternal })].map(({ body }) => body.kind === 'asExternal' && [body.prefix.toString(), body.metric, body.type2, body.tag]).sort();
    assert.deepEqual(externals(), [['2001:db8:a::/48', 20, true, 7], ['2001:db8:b::/48', 20, true, 7], ['::/0', 20, true, 7]]);
    const isBorder = (): boolean => [...b.engine.lsas({ type: LsType.router, router: 1 })].every(({ body }) => body.kind === 'router' && body.flags.e);
    assert.ok(isBorder());
    const kept = b.engine.get([...b.engine.lsas({ type: LsType.asExternal })].find(({ body }) => body.kind === 'asExternal' && body.prefix.toString() === '::/0')!.header);
    a.engine.setExternals([route('2001:db8:a::/48', 30), route('::/0')]);
    network.seconds(10);
    assert.deepEqual(externals(), [['2001:db8:a::/48', 30, true, 7], ['::/0', 20, true, 7]]);
    assert.equal(b.engine.get(kept!.header), kept, 'what did not change is not sent again');
    a.engine.setExternals([]);
    network.seconds(10);
    assert.deepEqual(externals(), []);
    assert.ok(!isBorder());
  });

  test('an interface that begins anew with the same Link-LSA announces it again', () => {
    const { network, a, b } = pair();
    network.seconds(30);
    const known = (at: Router, of: number): number => [...at.engine.lsas({ type: LsType.link, router: of })].length;
    assert.deepEqual([known(a, 1), known(b, 1)], [1, 1]);
    for (const router of [a, b]) router.engine.reconfigure({ ...router.config, interfaces: router.config.interfaces.map((config) => ({ ...config, instanceId: 7 })) });
    network.seconds(30);
    assert.equal(a.stateOf(b), 'Full');
    assert.deepEqual([known(a, 1), known(b, 1), known(b, 2)], [1, 1, 1]);
  });

  test('the Designated Router announces a prefix of its own that its Link-LSA could tell of only after MinLSInterval', () => {
    const network = new Network();
    const [a, b] = [network.router(), network.router()];
    network.lan([a, b]);
    network.start();
    network.seconds(60);
    assert.equal(b.engine.interfaceViews()[0]!.state, 'DR');
    const add = (...more: string[]): void => {
      const prefixes = ['2001:db8::/64', ...more].map((text) => Prefix.from(text));
      b.engine.setLink('eth0', { name: 'eth0', index: 1, up: true, mtu: 1500, linkLocal: b.linkLocal('eth0'), prefixes, loopback: false });
    };
    add('2001:db8:1::/64');
    network.seconds(1);
    add('2001:db8:1::/64', '2001:db8:2::/64');
    network.seconds(20);
    const announced = [...a.engine.lsas({ type: LsType.intraAreaPrefix, router: 2 })].flatMap(({ body }) => (body.kind === 'intraAreaPrefix' ? body.prefixes : []));
    assert.deepEqual(announced.map(({ prefix }) => prefix.toString()), ['2001:db8:1::/64', '2001:db8:2::/64', '2001:db8::/64']);
  });

  test('an LSA larger than a packet goes alone and arrives', () => {
    const { network, a, b } = pair();
    network.seconds(20);
    const big = Buffer.alloc(8000, 'x');
    a.engine.originate(0xbff0, 1, Buffer.from('small'));
    a.engine.originate(0xbff0, 2, big);
    network.seconds(5);
    assert.ok(Buffer.from(b.engine.get({ type: 0xbff0, id: 2, router: 1 })!.raw.subarray(20)).equals(big));
    assert.ok(b.engine.get({ type: 0xbff0, id: 1, router: 1 }));
  });

  test('updates fill packets up to the MTU of the link and not beyond, also with a trailer', () => {
    const { network, a, b, wire } = pair({}, { authentication: [{ keyId: 1, algorithm: 'hmac-sha-512', password: 'p' }] });
    network.seconds(20);
    const sizes: number[] = [];
    wire.tap = (bytes, source) => {
      if (source === a.linkLocal('eth0') && bytes[1] === 4) sizes.push(bytes.length + 40);
    };
    for (let id = 0; id < 300; id++) a.engine.originate(0xbff0, id, Buffer.alloc(80));
    network.seconds(1);
    assert.equal([...b.engine.lsas({ type: 0xbff0 })].length, 300);
    // 100 octets an LSA: as many as fit 1500 without the headers and the trailer of 80 octets.
    assert.equal(Math.max(...sizes), 40 + 16 + 4 + 1300 + 80);
    assert.equal(sizes.length, Math.ceil(300 / 13));
  });
});
