import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Refusal } from '../../../../daemon/refusal.js';
import { registration, registryConfig, OTHER, Scene, SERVICE, offer, update } from './support.js';

const refused = (code: string, text: RegExp) => (error: unknown) => error instanceof Refusal && error.code === code && text.test(error.message);

describe('registration of a computing node', () => {
  it('answers with parameters, grants instance and SID, and hands the active service to the local instances', () => {
    const scene = new Scene();
    const channel = scene.attach();
    const { parameters } = channel;
    assert.equal(parameters.leaseMs, 10_000);
    assert.equal(parameters.resumed, false);
    const [grant] = parameters.services;
    assert.match(grant!.sid, /^fcbb:bb00:11:[cd][0-9a-f]{3}::$/);
    assert.deepEqual([...scene.sids.values()], [{ instance: grant!.instance, sid: grant!.sid, service: SERVICE, node: 'node1', address: '2001:db8:b:1::2', interface: 'eth1' }]);
    const entry = scene.instances.get(`${SERVICE}#${grant!.instance}`)!;
    assert.equal(entry.config.node.interface, 'eth1');
    assert.equal(entry.facts.address, '2001:db8:b:1::2');
    assert.deepEqual(entry.updates[0]!.computing, [{ class: 'parallel', chip: 'gpu', total: 3_090_432_000_000n, residual: 1_000_000_000_000n }]);
  });

  it('passes changed load and capacity on, and leaves what an update does not name', () => {
    const scene = new Scene();
    const channel = scene.attach();
    scene.registry.update(channel, update(scene.clock, { computing: [{ class: 'parallel', chip: 'gpu', total: 3_090_432_000_000n, residual: 5n }], services: [{ service: SERVICE, state: undefined, reason: undefined, load: { utilisation: 9000, queueLength: 7, activeFlows: undefined }, serviceDelay: undefined }] }));
    const last = [...scene.instances.values()][0]!.updates.at(-1)!;
    assert.equal(last.computing[0]!.residual, 5n);
    assert.deepEqual(last.load, { utilisation: 9000, queueLength: 7, activeFlows: undefined });
    scene.registry.update(channel, update(scene.clock, { services: [{ service: SERVICE, state: undefined, reason: undefined, load: { utilisation: undefined, queueLength: undefined, activeFlows: 3 }, serviceDelay: undefined }] }));
    assert.deepEqual([...scene.instances.values()][0]!.updates.at(-1)!.load, { utilisation: 9000, queueLength: 7, activeFlows: 3 });
  });

  it('keeps a service announced while the lease of a lost node runs, and withdraws it when it has run out', () => {
    const scene = new Scene();
    const channel = scene.attach();
    scene.clock.advance(3000);
    scene.registry.detached(channel);
    scene.clock.advance(6400);
    assert.deepEqual(scene.announced, [SERVICE]);
    assert.equal(scene.node().state, 'lost');
    scene.clock.advance(1200);
    assert.deepEqual(scene.announced, []);
    assert.ok(scene.eventTypes.includes('node.expired'));
  });

  it('renews the lease with empty updates', () => {
    const scene = new Scene();
    const channel = scene.attach();
    for (let i = 0; i < 10; i++) {
      scene.clock.advance(4000);
      scene.registry.update(channel, update(scene.clock));
    }
    assert.deepEqual(scene.announced, [SERVICE]);
  });

  it('gives a node that comes back within its lease the same instance and SID, without withdrawing it in between', () => {
    const scene = new Scene();
    const first = scene.attach();
    scene.registry.detached(first);
    scene.clock.advance(5000);
    const before = scene.instances.get([...scene.instances.keys()][0]!);
    const second = scene.attach();
    assert.equal(second.parameters.resumed, true);
    assert.deepEqual(second.parameters.services, first.parameters.services);
    assert.equal([...scene.instances.values()][0]!.updates, before!.updates, 'never removed');
    assert.ok(scene.eventTypes.includes('node.resumed'));
  });

  it('gives the same numbers again after a log-out, and without any memory of the node', () => {
    const scene = new Scene();
    const channel = scene.attach();
    scene.registry.logOut(channel, 'maintenance');
    assert.deepEqual(scene.attach().parameters.services, channel.parameters.services);
    assert.deepEqual(new Scene().attach().parameters.services, channel.parameters.services);
  });

  it('withdraws at once at log-out, and takes the SID out of the kernel when packets are no longer under way', () => {
    const scene = new Scene();
    const channel = scene.attach();
    scene.registry.logOut(channel, 'maintenance');
    assert.deepEqual(scene.announced, []);
    assert.equal(scene.sids.size, 1);
    scene.clock.advance(5000);
    assert.equal(scene.sids.size, 0);
    assert.deepEqual(scene.registry.list(), []);
  });

  it('lets a second stream of a node take the place of the first', () => {
    const scene = new Scene();
    const first = scene.attach();
    const second = scene.attach();
    assert.match(first.closed!, /another stream/);
    scene.registry.detached(first);
    assert.equal(scene.node().state, 'attached');
    scene.registry.detached(second);
    assert.equal(scene.node().state, 'lost');
  });

  it('withdraws what a node no longer offers when it registers anew', () => {
    const scene = new Scene();
    scene.attach({ services: [offer(), offer({ service: OTHER })] });
    assert.deepEqual(scene.announced, [SERVICE, OTHER]);
    scene.attach({ services: [offer({ service: OTHER })] });
    assert.deepEqual(scene.announced, [OTHER]);
  });

  it('has several services of a node and several nodes of a service, each with its own instance and SID', () => {
    const scene = new Scene();
    scene.attach({ services: [offer(), offer({ service: OTHER })] });
    scene.attach({ node: 'node2', services: [offer({ service: OTHER, address: '2001:db8:b:2::2' })] });
    assert.deepEqual(scene.announced, [SERVICE, OTHER, OTHER]);
    assert.equal(new Set([...scene.sids.keys()]).size, 3);
  });
});

describe('a restart of the router', () => {
  it('announces what ran before with the same numbers, and drops it when the node does not come back in time', () => {
    const before = new Scene();
    const channel = before.attach({ services: [offer(), offer({ service: OTHER, mode: 'manual', active: false })] });
    const after = new Scene({}, before.registry.snapshot());
    assert.deepEqual(after.announced, [SERVICE]);
    assert.deepEqual([...after.sids.keys()].sort(), [...before.sids.keys()].sort());
    assert.equal(after.node().state, 'restored');
    after.clock.advance(29_000);
    assert.deepEqual(after.announced, [SERVICE]);
    const back = after.attach();
    assert.equal(back.parameters.resumed, true);
    assert.equal(back.parameters.services[0]!.sid, channel.parameters.services[0]!.sid);
    const alone = new Scene({}, before.registry.snapshot());
    alone.clock.advance(31_000);
    assert.deepEqual(alone.announced, []);
    alone.clock.advance(6000);
    assert.equal(alone.sids.size, 0);
  });

  it('asks a node again to run what it was to run when the router went', () => {
    const before = new Scene();
    before.attach({ services: [offer({ active: false })] });
    const after = new Scene({}, before.registry.snapshot());
    assert.deepEqual(after.attach({ services: [offer({ active: false })] }).commands, [`+${SERVICE}`]);
  });

  it('gives a registered instance other numbers when the configuration now has them', () => {
    const scene = new Scene();
    const channel = scene.attach();
    const { instance, sid } = channel.parameters.services[0]!;
    const taken = { service: SERVICE, id: instance, sid: 'fcbb:bb00:11:e001::' } as (typeof registryConfig)['instances'][number];
    scene.registry.configure({ ...registryConfig, instances: [taken] });
    assert.deepEqual(scene.announced, [SERVICE]);
    assert.notEqual([...scene.instances.values()][0]!.config.sid, sid);
  });
});

describe('what a node may not do', () => {
  const grant = (scene: Scene, services: Parameters<typeof offer>[0], node = 'node1'): string => scene.attach({ node, services: [offer(services)] }).parameters.services[0]!.error;

  it('is refused a service that is not its own, with the reason, and keeps its others', () => {
    const scene = new Scene();
    const channel = scene.attach({ node: 'node2', services: [offer({ address: '2001:db8:b:2::2' }), offer({ service: OTHER, address: '2001:db8:b:2::2' })] });
    assert.deepEqual(channel.parameters.services.map(({ error }) => error), [`node node2 may not announce ${SERVICE}`, '']);
    assert.deepEqual(scene.announced, [OTHER]);
    assert.equal(scene.node('node2').counters['refused'], 1n);
  });

  it('is refused services outside the prefixes of the router, and addresses that are not its own', () => {
    assert.match(grant(new Scene(), { service: '2001:db8:77::1' }), /in no service prefix/);
    assert.match(grant(new Scene(), { address: '2001:db8:5e::9' }), /inside a service prefix/);
    assert.match(grant(new Scene(), { address: '2001:db8:b:2::2' }), /may not use the address/);
    assert.match(grant(new Scene(), { service: OTHER, address: '2001:db8:c::2' }, 'node2'), /on no link of a node interface/);
    assert.match(grant(new Scene(), { service: OTHER, address: 'fc00:0:11::1' }, 'node2'), /own address/);
    const scene = new Scene();
    scene.attach();
    assert.match(grant(scene, { service: OTHER, address: '2001:db8:b:1::2' }, 'node2'), /address of node node1/);
  });

  it('is not let in with credentials of another node, unknown, or as one too many', () => {
    const scene = new Scene({ registration: { ...registration, maxNodes: 1 } });
    assert.throws(() => scene.attach({ node: 'node1' }, 'node2'), refused('denied', /credentials are those of node2/));
    assert.throws(() => scene.attach({ node: 'stranger' }), refused('denied', /not known/));
    scene.attach();
    assert.throws(() => scene.attach({ node: 'node2' }), refused('exhausted', /limit/));
    assert.equal(scene.registry.counters.refusedNodes, 3n);
  });

  it('is limited to what its chips and the configuration bear, and told so', () => {
    const phone = { chips: [{ kind: 'cpu', model: 'phone', count: 1, cores: 8, clockHz: 3e9 }], computing: [{ class: 'parallel', chip: 'cpu', total: 10n ** 15n, residual: 10n ** 15n }] };
    const scene = new Scene();
    const channel = scene.attach(phone);
    assert.equal(scene.node().computing[0]!.total, BigInt(8 * 3e9 * 128));
    assert.match(channel.limits[0]!, /limited to 3072000000000: more than the stated chips can do/);
    assert.equal(scene.node().counters['limited'], 1n);
    const capped = scene.attach({ node: 'node2', services: [] });
    assert.equal(scene.node('node2').computing[0]!.total, 10n ** 12n);
    assert.match(capped.limits[0]!, /the limit of the configuration/);
  });

  it('is modelled by its chips where it states no number: the pool model, the load a service reports, and a history that is believed within bounds', () => {
    const scene = new Scene();
    const chips = [{ kind: 'gpu', model: 'GTX 680', count: 1, cores: 1536, clockHz: 1.006e9 }];
    const channel = scene.attach({ chips, computing: [] });
    const parallel = () => scene.node().computing.find((entry) => entry.class === 'parallel')!;
    assert.equal(parallel().total, 3_090_432_000_000n);
    scene.registry.update(channel, update(scene.clock, { services: [{ service: SERVICE, state: undefined, reason: undefined, load: { utilisation: 7500, queueLength: 0, activeFlows: 0 }, serviceDelay: undefined }] }));
    const [instance] = [...scene.instances.values()];
    assert.deepEqual(instance!.updates.at(-1)!.computing.find((entry) => entry.class === 'parallel'), { class: 'parallel', chip: 'gpu', total: 3_090_432_000_000n, residual: 772_608_000_000n });
    scene.attach({ chips: chips.map((chip) => ({ ...chip, measuredPeak: { parallel: 2e12 } })), computing: [] });
    assert.equal(parallel().total, 2_000_000_000_000n);
    const boaster = scene.attach({ chips: chips.map((chip) => ({ ...chip, measuredPeak: { parallel: 1e15 } })), computing: [] });
    assert.equal(parallel().total, 2n * 3_090_432_000_000n);
    assert.match(boaster.limits[0]!, /historical peak/);
  });

  it('teaches what its own services take, within its own capacity, and nothing about others', () => {
    const scene = new Scene();
    const channel = scene.attach();
    const run = { service: SERVICE, instance: 'somebody else', atMs: 1, workload: 1e9, dataSize: 10, latencyUs: 5000, capacity: 0, computingUsed: 0, storage: 0, storageUsed: 0, ioRate: 0 };
    scene.registry.update(channel, update(scene.clock, { runs: [run, { ...run, capacity: 1e18, computingUsed: 0.5 }, { ...run, service: '2001:db8:5e::99' }] }));
    const { instance } = scene.node().services[0]!;
    assert.deepEqual(scene.runs.map(({ service, instance: label, state }) => [service, label, state.capacity, state.computingUsed.toFixed(3)]), [
      [SERVICE, `${registryConfig.router.loopback}#${instance}`, 3_090_432_000_000, '0.676'],
      [SERVICE, `${registryConfig.router.loopback}#${instance}`, 3_090_432_000_000, '0.500'],
    ]);
    assert.equal(scene.node().counters['refused'], 1n);
  });

  it('has nonsense refused: negative, not a number, impossible words; what it said before stands', () => {
    const scene = new Scene();
    assert.throws(() => scene.attach({ unixMs: NaN }), refused('invalid', /clock/));
    assert.throws(() => scene.attach({ location: { latitude: NaN, longitude: 0 } }), refused('invalid', /latitude/));
    assert.throws(() => scene.attach({ chips: [{ kind: 'cpu', model: '', count: 1, cores: 8, clockHz: -3e9 }] }), refused('invalid', /clock of a cpu/));
    assert.throws(() => scene.attach({ memoryTotal: BigInt.asUintN(64, -5n) }), refused('invalid', /memory: -5/));
    assert.throws(() => scene.attach({ computing: [{ class: 'psychic', chip: 'cpu', total: 1n, residual: 1n }] }), refused('invalid', /computing class/));
    const channel = scene.attach();
    scene.registry.update(channel, update(scene.clock, { computing: [{ class: 'parallel', chip: 'gpu', total: BigInt.asUintN(64, -1n), residual: 0n }] }));
    scene.registry.update(channel, update(scene.clock, { unixMs: Infinity }));
    scene.registry.update(channel, update(scene.clock, { services: [{ service: SERVICE, state: undefined, reason: undefined, load: { utilisation: 20_000, queueLength: undefined, activeFlows: undefined }, serviceDelay: undefined }] }));
    assert.equal(scene.node().counters['refused'], 3n);
    assert.equal(scene.node().computing[0]!.residual, 1_000_000_000_000n);
    assert.equal(channel.limits.length, 1, 'told once in a while, not each time');
    assert.deepEqual(scene.announced, [SERVICE]);
  });

  it('may have a clock that jumps: it is counted, and no lease and no age depends on it', () => {
    const scene = new Scene();
    const channel = scene.attach();
    scene.registry.update(channel, update(scene.clock, { unixMs: scene.clock.unixMs() + 86_400_000 }));
    scene.registry.update(channel, update(scene.clock, { unixMs: 1000 }));
    assert.equal(scene.node().counters['clockJumps'], 2n);
    scene.clock.advance(9000);
    assert.deepEqual(scene.announced, [SERVICE]);
    scene.clock.advance(2000);
    assert.deepEqual(scene.announced, []);
  });

  it('may not send too often: updates are gathered, nothing of them is lost', () => {
    const scene = new Scene();
    const channel = scene.attach();
    for (let i = 1; i <= 300; i++) scene.registry.update(channel, update(scene.clock, { computing: [{ class: 'parallel', chip: 'gpu', total: 3_090_432_000_000n, residual: BigInt(i) }] }));
    const { counters } = scene.node();
    assert.equal(counters['updates'], 20n);
    assert.equal(counters['gathered'], 280n);
    scene.clock.advance(60);
    assert.equal(scene.node().computing[0]!.residual, 300n);
    assert.equal(scene.node().counters['updates'], 21n);
  });

  it('is sent away when it floods, for a while, and no other node feels it', () => {
    const scene = new Scene();
    const channel = scene.attach();
    const other = scene.attach({ node: 'node2', services: [offer({ service: OTHER, address: '2001:db8:b:2::2' })] });
    for (let i = 0; i < 10_000; i++) scene.registry.update(channel, update(scene.clock));
    assert.match(channel.closed!, /^exhausted/);
    assert.equal(scene.node().counters['floods'], 1n);
    assert.throws(() => scene.attach(), refused('exhausted', /may come back in/));
    scene.registry.update(other, update(scene.clock, { memoryFree: 5n }));
    assert.equal(scene.node('node2').memoryFree, 5n);
    scene.clock.advance(5001);
    assert.equal(scene.attach().parameters.resumed, true);
  });

  it('is forgotten when the configuration no longer has it', () => {
    const scene = new Scene();
    const channel = scene.attach();
    scene.registry.configure({ ...registryConfig, registration: { ...registration, nodes: [registration.nodes[1]!] } });
    assert.match(channel.closed!, /^denied/);
    assert.deepEqual(scene.announced, []);
  });
});

describe('services on demand', () => {
  const gpu = [{ class: 'parallel', operations: 2_000_000_000_000n }];
  const onDemand = offer({ mode: 'on-demand', active: false, priority: 10, demand: gpu });
  const lower = offer({ service: OTHER, mode: 'manual', active: true, priority: 1, demand: gpu });

  it('are activated by first packets, once, and announced when the node says that they run', () => {
    const scene = new Scene();
    const channel = scene.attach({ services: [onDemand] });
    assert.deepEqual(scene.announced, []);
    scene.registry.activation.demand('2001:db8:5e::99');
    for (let i = 0; i < 50; i++) scene.registry.activation.demand(SERVICE);
    assert.deepEqual(channel.commands, [`+${SERVICE}`]);
    scene.registry.update(channel, update(scene.clock, { services: [{ service: SERVICE, state: 'active', reason: '', load: undefined, serviceDelay: undefined }] }));
    assert.deepEqual(scene.announced, [SERVICE]);
  });

  it('displace an idle service of lower priority: it is withdrawn first, and the other starts when it is gone', () => {
    const scene = new Scene();
    const channel = scene.attach({ services: [onDemand, lower] });
    assert.deepEqual(scene.announced, [OTHER]);
    scene.clock.advance(1000);
    scene.registry.activation.demand(SERVICE);
    assert.deepEqual(channel.commands, [`-${OTHER}`]);
    assert.deepEqual(scene.announced, []);
    scene.registry.update(channel, update(scene.clock, { services: [{ service: OTHER, state: 'inactive', reason: '', load: undefined, serviceDelay: undefined }] }));
    assert.deepEqual(channel.commands, [`-${OTHER}`, `+${SERVICE}`]);
  });

  it('are refused to an operator with the reason when nothing may make room', () => {
    const scene = new Scene();
    const channel = scene.attach({ services: [onDemand, lower] });
    scene.clock.advance(1000);
    scene.registry.update(channel, update(scene.clock, { services: [{ service: OTHER, state: undefined, reason: undefined, load: { utilisation: 1, queueLength: 0, activeFlows: 4 }, serviceDelay: undefined }] }));
    assert.throws(() => scene.registry.setService('node1', SERVICE, true), refused('unavailable', /do not hold 2001:db8:5e::1 beside 2001:db8:5e::2 \(priority 1\)/));
    assert.throws(() => scene.registry.setService('node9', SERVICE, true), refused('notFound', /no registered node/));
    assert.equal(scene.registry.setService('node1', OTHER, false).state, 'deactivating');
    assert.deepEqual(scene.announced, []);
  });

  it('fail when they do not become active in time, and are tried again by later demand only after a pause', () => {
    const scene = new Scene();
    const channel = scene.attach({ services: [onDemand] });
    scene.registry.activation.demand(SERVICE);
    for (let i = 0; i < 12; i++) {
      scene.clock.advance(500);
      scene.registry.update(channel, update(scene.clock));
    }
    assert.equal(scene.node().services[0]!.state, 'failed');
    assert.deepEqual(channel.commands, [`+${SERVICE}`, `-${SERVICE}`]);
    scene.registry.activation.demand(SERVICE);
    assert.equal(channel.commands.length, 2);
    scene.clock.advance(1500);
    scene.registry.activation.demand(SERVICE);
    assert.deepEqual(channel.commands.at(-1), `+${SERVICE}`);
  });
});
