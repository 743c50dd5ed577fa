/** Three whole routers with OSPFv3 on dataplanes in memory: a triangle of links, an instance behind the third. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { ManualClock } from '../../daemon/clock.js';
import { formatConfigErrors } from '../../daemon/config/errors.js';
import { parseConfig } from '../../daemon/config/load.js';
import { routerChecks } from '../../daemon/doctor.js';
import { silentLogger } from '../../daemon/log.js';
import { MemoryLink, MemoryTransport } from '../../daemon/ospf/memory-transport.js';
import { encodeIntraAreaTeBody } from '../../daemon/ospf/wire/lsa/intra-area-te.js';
import { LsType, type TeLink } from '../../daemon/ospf/wire/types.js';
import { Router } from '../../daemon/router.js';
import { FacadeOverRouter } from '../../daemon/router-facade.js';
import { ospfFacade } from '../../daemon/router-ospf.js';
import { FakeDataplane } from '../../dataplane/fake.js';
import type { LinkState } from '../../dataplane/dataplane.js';

const SERVICE = '2001:db8:5e::1';
const NO_FACTS = { storage: [], interface: undefined, location: undefined, energy: undefined, price: undefined, algorithms: [], address: undefined };
type Name = 'a' | 'b' | 'c';
const NUMBER: Readonly<Record<Name, number>> = { a: 1, b: 2, c: 3 };
/** Interface of each router towards each other. */
const TOWARDS: Readonly<Record<Name, Readonly<Record<string, Name>>>> = { a: { eth1: 'b', eth2: 'c' }, b: { eth1: 'a', eth2: 'c' }, c: { eth1: 'b', eth2: 'a' } };
const COST: Readonly<Record<string, number>> = { ab: 10, bc: 10, ac: 50 };
const pair = (one: string, other: string): string => [one, other].sort().join('');
const linkLocal = (router: Name, name: string): string => `fe80::${NUMBER[router]}:${name.slice(3)}`;

let folder = '';
let running: Router[] = [];
before(() => (folder = mkdtempSync(join(tmpdir(), 'cpnd-ospf-'))));
after(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const router of running) await router.stop(false);
  running = [];
});

function text(name: Name, extra = '', cost: Readonly<Record<string, number>> = COST): string {
  const number = NUMBER[name];
  const interfaces = Object.entries(TOWARDS[name]).map(([eth, other]) => `    ${eth}: {network: point-to-point, cost: ${cost[pair(name, other)]}, hello: 1s, dead: 4s}`);
  const instance = `  instances: [{service: "${SERVICE}", id: 1, node: {address: "2001:db8:b::2", interface: eth3}, sid: "fcbb:bb00:3:e001::", serviceRate: 100}]`;
  return `
router: {name: ${name}, id: 10.0.0.${number}, loopback: "fc00:0:${number}::1", locator: "fcbb:bb00:${number}::/48", sidBlocks: ["fcbb:bb00::/32"], domainSources: ["fc00::/16"]}
interfaces: {eth3: {role: node, addresses: ["2001:db8:${number}b::1/64"]}}
${extra}
ospf:
  interfaces:
${interfaces.join('\n')}
    eth3: {passive: true}
  redistribute: {static: {metric: 7, type: 1, tag: 5}}
cpn:
  servicePrefixes: ["2001:db8:5e::/48"]
  stamp: {enabled: false}
${name === 'c' ? instance : ''}
api: {listen: "unix://${folder}/${name}.sock"}
`;
}

interface Station {
  readonly router: Router;
  readonly dataplane: FakeDataplane;
}

class Triangle {
  readonly clock = new ManualClock();
  readonly wires = new Map(['ab', 'bc', 'ac'].map((key) => [key, new MemoryLink(this.clock)]));
  readonly stations = {} as Record<Name, Station>;

  static async start(extra: Partial<Record<Name, string>> = {}): Promise<Triangle> {
    const net = new Triangle();
    for (const name of ['a', 'b', 'c'] as const) await net.add(name, extra[name]);
    await net.run(30_000);
    return net;
  }

  private async add(name: Name, extra: string | undefined): Promise<void> {
    const { clock } = this;
    const parsed = parseConfig(text(name, extra), `${name}.yaml`);
    if (!parsed.ok) assert.fail(formatConfigErrors(parsed.errors));
    const wires = new Map(Object.entries(TOWARDS[name]).map(([eth, other]) => [eth, this.wires.get(pair(name, other))!]));
    const links: LinkState[] = [
      { name: 'lo', index: 1, up: true, mtu: 65_536, addresses: [] },
      ...Object.keys(TOWARDS[name]).map((eth, index): LinkState => ({ name: eth, index: 2 + index, up: true, mtu: 1500, addresses: [`${linkLocal(name, eth)}/64`] })),
      { name: 'eth3', index: 9, up: true, mtu: 1500, addresses: ['fe80::9/64'] },
    ];
    const dataplane = new FakeDataplane(links, () => clock.now());
    const router = await Router.start({
      config: parsed.config, configFile: `${name}.yaml`, dataplane, clock, log: silentLogger, nowNs: () => BigInt(Math.round(clock.now() * 1e6)), ospfTransport: new MemoryTransport(wires),
    });
    running.push(router);
    this.stations[name] = { router, dataplane };
  }

  /** Lets time pass, and what waits for the kernel have its turn in between. */
  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      this.clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  route(name: Name, prefix: string): { readonly via: string; readonly backups: readonly string[] } | undefined {
    const found = this.stations[name].dataplane.routes.list().find(({ route }) => route.prefix === prefix);
    if (found?.route.target.kind !== 'unicast') return undefined;
    const { nextHops, backups = [] } = found.route.target;
    return {
      via: nextHops.map(({ gateway, interface: eth }) => `${gateway ?? ''}%${eth}`).join(' '),
      backups: backups.map(({ nextHop, segments }) => `${nextHop.gateway ?? ''}%${nextHop.interface}${segments.length > 0 ? ` by ${segments.join(' ')}` : ''}`),
    };
  }

  candidates(name: Name): string[] {
    return this.stations[name].router.computingRib.candidates(SERVICE).map(({ source, peer, exit, instance }) => `${source} ${peer} ${exit}#${instance.id}`);
  }
}

const views = (router: Router) => ospfFacade(router);
const facadeOf = (router: Router) => new FacadeOverRouter(router, {} as never, {} as never, views(router));

describe('routers with OSPFv3', () => {
  it('find loopbacks and locators of each other, with backups in the kernel', async () => {
    const net = await Triangle.start();
    assert.equal(views(net.stations.a.router).neighbors(undefined).filter(({ state }) => state === 'Full').length, 2);
    for (const prefix of ['fcbb:bb00:3::/48', 'fc00:0:3::1/128']) {
      const route = net.route('a', prefix);
      assert.equal(route?.via, 'fe80::2:1%eth1');
      assert.equal(route.backups.length, 1);
      assert.match(route.backups[0]!, /^fe80::3:2%eth2/);
    }
    assert.equal(net.route('a', 'fc00:0:1::1/128'), undefined, 'the own loopback is no route');
  });

  it('make candidates of the instances of others, as long as their router can be reached', async () => {
    const net = await Triangle.start();
    assert.deepEqual(net.candidates('a'), ['ospf 10.0.0.3 fc00:0:3::1#1']);
    assert.deepEqual(net.candidates('c'), ['local  fc00:0:3::1#1']);
    net.wires.get('ac')!.cut = net.wires.get('bc')!.cut = true;
    await net.run(10_000);
    assert.deepEqual(net.candidates('a'), []);
    assert.ok(net.stations.a.router.events.since().some(({ type }) => type === 'ospf.router-lost'));
    net.wires.get('ac')!.cut = false;
    await net.run(20_000);
    assert.deepEqual(net.candidates('a'), ['ospf 10.0.0.3 fc00:0:3::1#1']);
    assert.equal(net.route('a', 'fcbb:bb00:3::/48')?.via, 'fe80::3:2%eth2');
  });

  it('hear at once of an instance that registers, drains or goes, and of its load within MinLSInterval', async () => {
    const net = await Triangle.start();
    const { instances, config } = net.stations.c.router;
    const [first] = config().cpn.instances;
    const heard = (): string[] =>
      net.stations.a.router.computingRib.candidates(SERVICE).map(({ instance: { id, draining, load } }) => `#${id}${draining ? ' draining' : ''}${load ? ` ${load.utilisation / 100}%` : ''}`);
    const told = async (change: () => unknown, ms = 250): Promise<string[]> => {
      change();
      await net.run(ms);
      return heard();
    };
    const load = (utilisation: number): unknown => instances.update({ service: SERVICE, id: 1 }, { computing: [], load: { utilisation, queueLength: undefined, activeFlows: undefined }, serviceDelay: undefined, health: undefined });
    assert.deepEqual(await told(() => load(5000)), ['#1 50%']);
    assert.deepEqual(await told(() => load(9000), 1500), ['#1 50%'], 'the LSA was changed just before');
    assert.deepEqual(await told(() => instances.put({ ...first!, id: 2, sid: 'fcbb:bb00:3:e002::' }, NO_FACTS)), ['#1 90%', '#2']);
    assert.deepEqual(await told(() => instances.drain({ service: SERVICE, id: 1 }, true, 60_000)), ['#1 draining 90%', '#2']);
    assert.deepEqual(await told(() => instances.remove(SERVICE, 2)), ['#1 draining 90%']);
    assert.deepEqual(await told(() => load(2000), 6000), ['#1 draining 20%']);
  });

  it('tell the dataplane of a lost neighbor at once', async () => {
    const net = await Triangle.start();
    const failed: string[] = [];
    const { routes } = net.stations.a.dataplane;
    const before = routes.failAdjacency.bind(routes);
    routes.failAdjacency = (name, gateway) => {
      failed.push(`${gateway ?? ''}%${name}`);
      return before(name, gateway);
    };
    net.wires.get('ab')!.cut = true;
    await net.run(6000);
    assert.deepEqual(failed, ['fe80::2:1%eth1']);
    assert.equal(net.route('a', 'fcbb:bb00:3::/48')?.via, 'fe80::3:2%eth2');
  });

  it('run an End.X SID for each adjacency and announce it', async () => {
    const net = await Triangle.start();
    const { router } = net.stations.a;
    const facade = facadeOf(router);
    const endX = facade.sids().filter(({ behaviour }) => behaviour === 'End.X');
    assert.deepEqual(endX.map(({ nextHop, interface: eth, installed }) => `${nextHop}%${eth} ${installed}`).sort(), ['fe80::2:1%eth1 true', 'fe80::3:2%eth2 true']);
    const told = net.stations.c.router.ospf!.spf.sidsOf(0x0a000001)!.endX.map(({ sid }) => sid);
    assert.deepEqual([...told].sort(), endX.map(({ sid }) => sid).sort());
  });

  it('announce static routes as external ones, and take them back', async () => {
    const net = await Triangle.start({ b: 'static: [{prefix: "2001:db8:77::/48", via: "2001:db8:2b::9"}]' });
    const external = [...views(net.stations.a.router).routes()].find(({ prefix }) => prefix === '2001:db8:77::/48');
    assert.deepEqual([external?.type, external?.cost], ['external-1', 17]);
    assert.equal((await net.stations.b.router.reload(text('b'))).ok, true);
    await net.run(5000);
    assert.equal(net.route('a', '2001:db8:77::/48'), undefined);
  });

  it('take over another cost without a change of any adjacency', async () => {
    const net = await Triangle.start();
    const states = () => views(net.stations.a.router).neighbors(undefined).map(({ routerId, stateChanges }) => `${routerId} ${stateChanges}`);
    const before = states();
    for (const name of ['a', 'b', 'c'] as const) assert.equal((await net.stations[name].router.reload(text(name, '', { ...COST, ac: 15 }))).ok, true);
    await net.run(10_000);
    assert.equal(net.route('a', 'fcbb:bb00:3::/48')?.via, 'fe80::3:2%eth2');
    assert.deepEqual(states(), before);
  });

  it('keep BFD of their neighbors over a reload; another profile is asked for before the old one is given up', async () => {
    const net = await Triangle.start();
    const { router } = net.stations.a;
    const asked: string[] = [];
    router.bfd.register = ({ interface: eth, profile }) => {
      asked.push(`${eth} ${profile}`);
      return { unregister: () => void asked.push(`${eth} not ${profile}`) };
    };
    const reload = async (profile: string, cost: number): Promise<string[]> => {
      const answer = await router.reload(text('a', '', { ...COST, ac: cost }).replaceAll('dead: 4s', `dead: 4s, bfd: ${profile}`));
      assert.equal(answer.ok, true);
      await net.run(1000);
      return asked.splice(0);
    };
    assert.deepEqual(await reload('fast', 50), ['eth1 fast', 'eth2 fast']);
    assert.deepEqual(await reload('fast', 40), []);
    assert.deepEqual(await reload('default', 40), ['eth1 default', 'eth1 not fast', 'eth2 default', 'eth2 not fast']);
    assert.deepEqual(await reload('false', 40), ['eth1 not default', 'eth2 not default']);
  });

  it('refuse another area while they run', async () => {
    const net = await Triangle.start();
    const answer = await net.stations.a.router.reload(text('a').replace('ospf:', 'ospf:\n  area: 0.0.0.1'));
    assert.deepEqual(answer.problems.map(({ field }) => field), ['ospf.area']);
  });

  it('pin flows to the path of least delay where it is another one', async () => {
    const net = await Triangle.start();
    const delayed = (name: Name, eth: string, other: Name, otherEth: string, us: number): void => {
      const index = (one: string): number => 1 + Number(one.slice(3));
      const link: TeLink = {
        linkType: 1, neighbor: { routerId: 0x0a000000 + NUMBER[other], interfaceId: index(otherEth) }, local: [], remote: [], teMetric: undefined, maximumBandwidth: undefined, maximumReservable: undefined,
        delay: { us, anomalous: false }, delayRange: undefined, delayVariationUs: undefined, loss: undefined, residualBandwidth: undefined, availableBandwidth: undefined, utilizedBandwidth: undefined,
      };
      // As a measuring router says it.
      net.stations[name].router.ospf!.engine.originate(LsType.intraAreaTe, 100 + index(eth), encodeIntraAreaTeBody({ routerAddress: undefined, link }));
    };
    for (const name of ['a', 'b', 'c'] as const) assert.equal((await net.stations[name].router.reload(text(name, '', { ab: 10, bc: 10, ac: 15 }))).ok, true);
    delayed('a', 'eth2', 'c', 'eth2', 40_000);
    delayed('a', 'eth1', 'b', 'eth1', 1000);
    delayed('b', 'eth2', 'c', 'eth1', 1000);
    await net.run(10_000);
    const [router] = [...views(net.stations.a.router).routers()].filter(({ routerId }) => routerId === '10.0.0.3');
    assert.deepEqual([router?.cost, router?.delayUs, router?.bestDelayUs], [15, 40_000, 2000]);
    assert.deepEqual(router?.delaySegments, ['fcbb:bb00:2:1::']);
    const segments = (): string[] => [...new Set([...facadeOf(net.stations.a.router).fib(SERVICE)].flatMap(({ policies }) => policies.map((policy) => policy.segments.join(' '))))];
    assert.deepEqual(segments(), ['fcbb:bb00:2:1:: fcbb:bb00:3:e001::']);
    delayed('a', 'eth1', 'b', 'eth1', 90_000);
    await net.run(10_000);
    assert.deepEqual(segments(), ['fcbb:bb00:3:e001::']);
  });

  it('show their database with what LSAs say', async () => {
    const net = await Triangle.start();
    const facade = views(net.stations.b.router);
    const cpn = [...facade.lsas('cpn')];
    assert.equal(cpn.length, 1);
    assert.equal(cpn[0]!.router, '10.0.0.3');
    assert.ok(cpn[0]!.content.includes(`service ${SERVICE}/128`));
    assert.throws(() => [...facade.lsas('nonsense')], /no LSA type: one of .*router, network/);
    const status = facade.status();
    assert.deepEqual([status.routers, status.fullNeighbors, status.lsasByType['router']], [3, 2, 3]);
    assert.equal([...facade.lsas('router')].length, 3);
  });

  it('know the links of the whole area in ComNet', async () => {
    const net = await Triangle.start();
    const edges = net.stations.a.router.comnet.graph().edges.map(({ from, to }) => `${from} ${to}`);
    assert.ok(edges.includes('fc00:0:2::1 fc00:0:3::1'), edges.join('\n'));
  });

  it('are looked at by doctor: who is silent, what has no address, and nothing where all is well', async () => {
    const net = await Triangle.start();
    const checkOf = (name: string) => routerChecks(net.stations.a.router).find((check) => check.name === name);
    assert.deepEqual([checkOf('ospf-interfaces')?.status, checkOf('ospf-neighbors')?.status], ['ok', 'ok']);
    assert.match(checkOf('ospf-neighbors')!.detail, /^2 neighbors are Full$/);
    net.wires.get('ab')!.cut = true;
    await net.run(10_000);
    assert.equal(checkOf('ospf-neighbors')?.status, 'warn');
    assert.match(checkOf('ospf-neighbors')!.detail, /no neighbor on eth1/);
    assert.match(checkOf('ospf-neighbors')!.mend, /hello and dead interval/);
    const { dataplane } = net.stations.a;
    dataplane.setLinks(dataplane.links().map((link) => (link.name === 'eth2' ? { ...link, addresses: [] } : link)));
    await net.run(1000);
    assert.equal(checkOf('ospf-interfaces')?.status, 'fail');
    assert.match(checkOf('ospf-interfaces')!.detail, /eth2 has no link-local address/);
  });

  it('leave at once when they stop', async () => {
    const net = await Triangle.start();
    await net.stations.c.router.stop(false);
    running = running.filter((one) => one !== net.stations.c.router);
    await net.run(2000);
    assert.deepEqual(net.candidates('a'), []);
    assert.equal(net.route('a', 'fcbb:bb00:3::/48'), undefined);
  });
});
