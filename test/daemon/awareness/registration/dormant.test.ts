import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DormantServices } from '../../../../daemon/awareness/registration/dormant.js';
import type { Instance, SidInfo } from '../../../../daemon/computing/types.js';
import type { Advertisement } from '../../../../daemon/rib/candidate.js';
import { makeAdvertisement, makeInstance } from '../../rib/instances.js';
import { offer, OTHER, Scene, SERVICE } from './support.js';

const SID: SidInfo = { sid: 'fcbb:bb00:11:3::', behaviour: 0xffff, structure: { block: 32, node: 16, function: 16, argument: 0 } };
const EXIT = 'fc00:0:11::1';

const dormant = (id: number, changes: Partial<Instance> = {}): Instance => makeInstance(1, id, { aggregate: true, sid: SID, load: undefined, serviceDelay: undefined, ...changes });

function make(): { services: DormantServices; said: Advertisement[] } {
  const said: Advertisement[] = [];
  let sequence = 100n;
  return { said, services: new DormantServices({ clock: { unixMs: () => 1_700_000_000_000 }, nextSequence: () => ++sequence, exit: EXIT, announce: (advertisements) => void said.push(...advertisements) }) };
}

describe('services that do not run', () => {
  it('are announced once, and withdrawn when nothing could run them any more', () => {
    const { services, said } = make();
    services.set(new Map([[SERVICE, dormant(7)]]));
    services.set(new Map([[SERVICE, dormant(7)]]));
    assert.deepEqual(said.map(({ service, exit, sequence, instances }) => [service, exit, sequence, instances.length]), [[SERVICE, EXIT, 101n, 1]]);
    services.set(new Map());
    assert.deepEqual(said.slice(1).map(({ sequence, instances }) => [sequence, instances.length]), [[102n, 0]]);
  });

  it('are not announced anew because of what is free on the node, but for what they would have', () => {
    const { services, said } = make();
    services.set(new Map([[SERVICE, dormant(7)]]));
    services.set(new Map([[SERVICE, dormant(7, { interface: { capacity: 10n, available: 3n }, storage: [{ ability: 2, quality: 2, total: 9n, residual: 1n, readRate: 0n, writeRate: 0n }] })]]));
    assert.equal(said.length, 1);
    services.set(new Map([[SERVICE, dormant(7, { computing: [] })]]));
    assert.equal(said.length, 2);
  });

  it('make room for instances that run, and take their place in the announcement that would withdraw them', () => {
    const { services, said } = make();
    services.set(new Map([[SERVICE, dormant(7)], [OTHER, dormant(8)]]));
    const running = makeAdvertisement(1, 200, { service: SERVICE });
    assert.deepEqual(services.withDormant([running]), [running]);
    services.set(new Map([[OTHER, dormant(8)]]));
    assert.equal(said.filter(({ instances }) => instances.length === 0).length, 0, 'what runs is not withdrawn');
    services.set(new Map([[SERVICE, dormant(7)], [OTHER, dormant(8)]]));
    assert.equal(said.length, 2, 'nor replaced');
    const [put] = services.withDormant([{ ...running, sequence: 201n, instances: [] }]);
    assert.deepEqual([put!.sequence, put!.instances[0]!.id, put!.instances[0]!.aggregate], [201n, 7, true]);
    const [gone] = services.withDormant([makeAdvertisement(1, 202, { service: '2001:db8:5e::3', instances: [] })]);
    assert.deepEqual(gone!.instances, []);
  });

  it('are all announced again after a higher sequence was seen', () => {
    const { services, said } = make();
    services.set(new Map([[SERVICE, dormant(7)], [OTHER, dormant(8)]]));
    services.withDormant([makeAdvertisement(1, 200, { service: OTHER })]);
    services.renewAll();
    assert.deepEqual(said.slice(2).map(({ service }) => service), [SERVICE]);
  });
});

describe('what a registry could run on demand', () => {
  const onDemand = (values: Parameters<typeof offer>[0] = {}) => offer({ mode: 'on-demand', active: false, demand: [{ class: 'parallel', operations: 2_000_000_000_000n }], ...values });

  it('is a service of an attached node that fits, with what it would have, under the number that it will run by', () => {
    const scene = new Scene();
    const channel = scene.attach({ services: [onDemand()] });
    const { instance } = channel.parameters.services[0]!;
    const found = scene.registry.activation.dormant(SID).get(SERVICE)!;
    assert.deepEqual(
      { id: found.id, aggregate: found.aggregate, sid: found.sid, computing: found.computing, load: found.load, serviceDelay: found.serviceDelay },
      { id: instance, aggregate: true, sid: SID, computing: [{ class: 2, chip: 0, total: 2_000_000_000_000n, residual: 2_000_000_000_000n }], load: undefined, serviceDelay: undefined },
    );
  });

  it('is none that is always there, by hand, held by an operator, too large, or of a node that is gone', () => {
    const none = (scene: Scene): void => assert.equal(scene.registry.activation.dormant(SID).size, 0);
    const scene = new Scene();
    for (const mode of ['always', 'manual'] as const) {
      scene.attach({ services: [onDemand({ mode })] });
      none(scene);
    }
    scene.attach({ services: [onDemand({ demand: [{ class: 'parallel', operations: 1n << 50n }] })] });
    none(scene);
    const channel = scene.attach({ services: [onDemand()] });
    assert.equal(scene.registry.activation.dormant(SID).size, 1);
    scene.registry.setService('node1', SERVICE, false);
    none(scene);
    const other = scene.attach({ services: [onDemand({ service: OTHER })] });
    assert.deepEqual([...scene.registry.activation.dormant(SID).keys()], [OTHER]);
    scene.registry.detached(other);
    none(scene);
    assert.ok(channel.closed);
  });

  it('stays so while it is activated, and is no more for a while when that failed', () => {
    const scene = new Scene();
    scene.attach({ services: [onDemand()] });
    scene.registry.activation.demand(SERVICE);
    assert.equal(scene.node().services[0]!.state, 'activating');
    assert.equal(scene.registry.activation.dormant(SID).size, 1);
    scene.clock.advance(6000);
    assert.equal(scene.node().services[0]!.state, 'failed');
    assert.equal(scene.registry.activation.dormant(SID).size, 0);
    scene.clock.advance(1500);
    assert.equal(scene.registry.activation.dormant(SID).size, 1);
  });
});
