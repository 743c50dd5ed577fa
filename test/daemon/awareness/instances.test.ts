import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { gradeOf } from '../../../daemon/computing/model/grade.js';
import { LocalInstances, type HealthListener, type LocalInstancesConfig } from '../../../daemon/awareness/instances.js';
import type { InstanceUpdate } from '../../../daemon/awareness/instance.js';
import { CPN_MAX_SENT, cpnBlockSize, encodeCpnBlock } from '../../../daemon/computing/block.js';
import { ManualClock } from '../../../daemon/clock.js';
import type { HealthCheckConfig, InstanceConfig } from '../../../daemon/config/types.js';
import { EventLog } from '../../../daemon/events.js';
import type { Advertisement } from '../../../daemon/rib/candidate.js';
import { Refusal } from '../../../daemon/refusal.js';

const GRACE_MS = 60_000;

const A = '2001:db8:5e::1';
const B = '2001:db8:5e::2';
const EXIT = 'fc00:0:11::1';

const instance = (service: string, id: number, changes: Partial<InstanceConfig> = {}): InstanceConfig => ({
  service,
  id,
  node: { address: '2001:db8:b:1::2', interface: 'eth2' },
  sid: `fcbb:bb00:11:e00${id}::`,
  computing: [{ class: 'parallel', chip: 'gpu', total: 10_000_000_000_000n, residual: 8_000_000_000_000n }],
  serviceRate: 200,
  serviceDelay: { meanUs: 5000, p99Us: 9000 },
  queueCapacity: 100,
  healthCheck: undefined,
  ...changes,
});

const checked: HealthCheckConfig = {
  kind: 'tcp',
  address: '2001:db8:b:1::2',
  port: 80,
  http: { path: '/', host: undefined, status: [], body: undefined },
  grpcService: '',
  intervalMs: 100,
  timeoutMs: 100,
  fall: 2,
  rise: 2,
  holdDownMs: 0,
  damping: undefined,
};
const nothing: InstanceUpdate = { computing: [], load: undefined, serviceDelay: undefined, health: undefined };
const load = (utilisation: number): InstanceUpdate => ({ ...nothing, load: { utilisation, queueLength: undefined, activeFlows: undefined } });

class Bench {
  readonly clock = new ManualClock(1_000_000);
  readonly events = new EventLog(this.clock);
  readonly announced: { at: number; advertisements: readonly Advertisement[] }[] = [];
  readonly checks: { listener: HealthListener; stopped: boolean }[] = [];
  readonly local: LocalInstances;

  constructor(instances: readonly InstanceConfig[]) {
    this.local = new LocalInstances(
      this.config(instances),
      this.clock,
      (_config, listener) => {
        const check = { listener, stopped: false };
        this.checks.push(check);
        return { stop: () => (check.stopped = true) };
      },
      this.events,
      (advertisements) => this.announced.push({ at: this.clock.now(), advertisements }),
    );
    this.local.start();
    this.clock.advance(0);
  }

  config(instances: readonly InstanceConfig[]): LocalInstancesConfig {
    return { router: { loopback: EXIT, sidStructure: { block: 32, node: 16, function: 16, argument: 0 } }, instances, announce: { minIntervalMs: 1000, maxIntervalMs: 60_000, threshold: 0.1, validityMs: 0, budget: { rate: 0, burst: 1 }, services: {} } };
  }

  get last(): readonly Advertisement[] {
    return this.announced.at(-1)!.advertisements;
  }
}

describe('local instances', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench([instance(A, 1), instance(A, 2), instance(B, 1)]);
  });

  it('are announced as far as one block has room, and the others are named once', () => {
    const many = new Bench(Array.from({ length: 60 }, (_, index) => instance(A, index + 1, { sid: `fcbb:bb00:11:e${(index + 1).toString(16).padStart(3, '0')}::` })));
    const [advertisement] = many.last;
    const { exit, sequence, originatedAt } = advertisement!;
    const block = { service: undefined, origin: { exit, sequence, originatedAt, validity: 0 }, instances: advertisement!.instances };
    assert.ok(encodeCpnBlock(block).length <= CPN_MAX_SENT);
    assert.ok(cpnBlockSize({ ...block, instances: [...block.instances, block.instances[0]!] }) > CPN_MAX_SENT);
    many.local.drain({ service: A, id: 1 }, true, GRACE_MS);
    const told = () => many.events.since().filter(({ type }) => type === 'instance.left-out').map(({ text }) => text);
    assert.equal(told().length, 1);
    assert.match(told()[0]!, / 60 of 2001:db8:5e::1 are not announced/);
    many.local.configure(many.config([instance(A, 1), instance(A, 2)]));
    many.clock.advance(2000);
    assert.match(told()[1]!, /all instances .* are announced/);
  });

  it('are announced at the start, all services with one sequence and time', () => {
    assert.equal(bench.announced.length, 1);
    assert.deepEqual(bench.last.map(({ service, instances }) => [service, instances.map(({ id }) => id)]), [[A, [1, 2]], [B, [1]]]);
    for (const advertisement of bench.last) {
      assert.deepEqual(
        { ...advertisement, service: '', instances: [] },
        { service: '', exit: EXIT, source: 'local', peer: '', pathId: 0, sequence: 1_000_001n, originatedAt: 1_000_000n, validityMs: 0, instances: [], stale: false },
      );
    }
    assert.deepEqual(bench.local.advertisements(), bench.last);
  });

  it('carry SID, computing power, service delay and grade of the configuration', () => {
    assert.deepEqual(bench.last[0]!.instances[0], {
      id: 1,
      aggregate: false,
      draining: false,
      sid: { sid: 'fcbb:bb00:11:e001::', behaviour: 0x0010, structure: { block: 32, node: 16, function: 16, argument: 0 } },
      computing: [{ class: 2, chip: 2, total: 10_000_000_000_000n, residual: 8_000_000_000_000n }],
      load: undefined,
      serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 200 },
      storage: [],
      interface: undefined,
      location: undefined,
      energy: undefined,
      price: undefined,
      algorithms: [],
      cats: [],
      grade: 2,
      address: undefined,
    });
  });

  it('a change beyond the threshold waits for the interval of its service, and takes the newest value', () => {
    bench.clock.advance(1000);
    bench.local.update({ service: A, id: 1 }, load(5000));
    assert.equal(bench.announced.length, 2);
    assert.deepEqual(bench.last.map(({ service }) => service), [A], 'only the service that changed');
    bench.clock.advance(300);
    bench.local.update({ service: A, id: 1 }, load(7000));
    bench.clock.advance(100);
    bench.local.update({ service: A, id: 1 }, load(9000));
    assert.equal(bench.announced.length, 2);
    bench.clock.advance(600);
    assert.equal(bench.announced.length, 3);
    assert.equal(bench.announced[2]!.at, 2000);
    assert.equal(bench.last[0]!.instances[0]!.load!.utilisation, 9000);
    assert.deepEqual(bench.announced.map(({ advertisements }) => advertisements[0]!.sequence), [1_000_001n, 1_000_002n, 1_000_003n]);
  });

  it('small changes are not announced, but add up', () => {
    bench.local.update({ service: B, id: 1 }, load(0));
    bench.clock.advance(2000);
    const before = bench.announced.length;
    for (const utilisation of [300, 600, 900, 1000]) {
      bench.local.update({ service: B, id: 1 }, load(utilisation));
      bench.clock.advance(2000);
    }
    assert.equal(bench.announced.length, before);
    bench.local.update({ service: B, id: 1 }, load(1100));
    assert.equal(bench.announced.length, before + 1);
  });

  it('a change that is taken back before its turn is not announced', () => {
    bench.clock.advance(1000);
    bench.local.update({ service: B, id: 1 }, load(1000));
    const before = bench.announced.length;
    bench.clock.advance(100);
    bench.local.update({ service: B, id: 1 }, load(9000));
    bench.local.update({ service: B, id: 1 }, load(1000));
    bench.clock.advance(5000);
    assert.equal(bench.announced.length, before);
  });

  it('an instance is withdrawn when the grace time of its drain is over, unless it was taken back', () => {
    bench.local.drain({ service: A, id: 2 }, true, 1000);
    bench.clock.advance(999);
    assert.deepEqual(bench.last[0]!.instances.map(({ id }) => id), [1, 2]);
    bench.clock.advance(2);
    assert.deepEqual(bench.last[0]!.instances.map(({ id }) => id), [1]);
    bench.local.drain({ service: A, id: 2 }, false, 0);
    assert.deepEqual(bench.last[0]!.instances.map(({ id, draining }) => [id, draining]), [[1, false], [2, false]]);
    bench.local.drain({ service: A, id: 2 }, true, 1000);
    bench.local.drain({ service: A, id: 2 }, false, 0);
    const announced = bench.announced.length;
    bench.clock.advance(5000);
    assert.equal(bench.announced.length, announced);
  });

  it('drain and undrain go at once, inside the interval too', () => {
    const state = bench.local.drain({ service: A, id: 2 }, true, GRACE_MS);
    assert.deepEqual(state, { service: A, instance: 2, draining: true, health: 'unchecked', sequence: 1_000_002n });
    assert.deepEqual(bench.last.map(({ service, instances }) => [service, instances.map(({ id, draining }) => [id, draining])]), [[A, [[1, false], [2, true]]]]);
    bench.local.drain({ service: A, id: 2 }, true, GRACE_MS);
    assert.equal(bench.announced.length, 2, 'nothing new');
    bench.local.drain({ service: A, id: 2 }, false, GRACE_MS);
    assert.equal(bench.announced.length, 3);
    assert.deepEqual(bench.events.since().map(({ type }) => type), ['instance.drain', 'instance.undrain']);
  });

  it('an instance may be named by its id alone when only one service has it', () => {
    assert.equal(bench.local.drain({ service: undefined, id: 2 }, true, GRACE_MS).service, A);
    assert.throws(() => bench.local.drain({ service: undefined, id: 1 }, true, GRACE_MS), (error) => error instanceof Refusal && error.code === 'invalid' && error.message.includes(`${A}#1, ${B}#1`));
    assert.throws(() => bench.local.drain({ service: B, id: 2 }, true, GRACE_MS), (error) => error instanceof Refusal && error.code === 'notFound');
  });

  it('an operator can take an instance down and leave it to the check again', () => {
    bench.local.update({ service: B, id: 1 }, { ...nothing, health: 'down' });
    assert.deepEqual(bench.last.map(({ service, instances }) => [service, instances.length]), [[B, 0]]);
    assert.deepEqual(bench.local.advertisements().map(({ service }) => service), [A]);
    bench.local.update({ service: B, id: 1 }, { ...nothing, health: 'auto' });
    assert.deepEqual(bench.last.map(({ service, instances }) => [service, instances.length]), [[B, 1]]);
  });

  it('computing updates keep what they do not name, and refuse what makes no sense without changing anything', () => {
    const update = (chip: string, total: bigint, residual: bigint): InstanceUpdate => ({ ...nothing, computing: [{ class: 'parallel', chip, total, residual }] });
    bench.clock.advance(1000);
    bench.local.update({ service: B, id: 1 }, update('gpu', 0n, 1_000_000_000_000n));
    assert.deepEqual(bench.last[0]!.instances[0]!.computing, [{ class: 2, chip: 2, total: 10_000_000_000_000n, residual: 1_000_000_000_000n }]);
    assert.throws(() => bench.local.update({ service: B, id: 1 }, { ...update('abacus', 5n, 5n), ...{ load: load(1).load } }), Refusal);
    assert.throws(() => bench.local.update({ service: B, id: 1 }, update('npu', 0n, 5n)), Refusal);
    bench.clock.advance(1000);
    bench.local.update({ service: B, id: 1 }, update('npu', 2_000_000_000_000_000n, 5n));
    assert.equal(bench.last[0]!.instances[0]!.computing.length, 2);
    assert.equal(bench.last[0]!.instances[0]!.grade, 1);
    assert.equal(bench.last[0]!.instances[0]!.load, undefined);
  });

  it('jumps above a higher sequence of its own that somebody holds, and announces everything again', () => {
    bench.local.seen(1_000_000n);
    bench.clock.advance(10);
    assert.equal(bench.announced.length, 1);
    bench.local.seen(2_000_000n);
    bench.clock.advance(10);
    assert.deepEqual(bench.last.map(({ service, sequence }) => [service, sequence]), [[A, 2_000_001n], [B, 2_000_001n]]);
  });

  it('takes over a new configuration: what stays keeps its state, what goes is withdrawn', () => {
    bench.local.drain({ service: A, id: 1 }, true, GRACE_MS);
    bench.local.update({ service: A, id: 1 }, { ...nothing, serviceDelay: { meanUs: 7000, p99Us: undefined, serviceRate: undefined } });
    bench.local.configure(bench.config([instance(A, 1, { computing: [] }), instance(A, 3)]));
    bench.clock.advance(0);
    assert.deepEqual(
      bench.last.map(({ service, instances }) => [service, instances.map(({ id, draining, computing, serviceDelay }) => [id, draining, computing.length, serviceDelay!.meanUs])]),
      [[A, [[1, true, 0, 7000], [3, false, 1, 5000]]], [B, []]],
    );
    bench.local.stop();
  });
});

describe('local instances with a health check', () => {
  it('are announced when the first check succeeds, withdrawn when it fails, at once', () => {
    const bench = new Bench([instance(A, 1, { healthCheck: checked }), instance(A, 2)]);
    assert.deepEqual(bench.last[0]!.instances.map(({ id }) => id), [2]);
    bench.checks[0]!.listener('up', '');
    bench.clock.advance(0);
    assert.deepEqual(bench.last[0]!.instances.map(({ id }) => id), [1, 2]);
    bench.checks[0]!.listener('down', 'connection refused');
    bench.clock.advance(0);
    assert.deepEqual(bench.last[0]!.instances.map(({ id }) => id), [2]);
    assert.equal(bench.announced.at(-1)!.at, 0, 'no waiting for the interval');
    assert.deepEqual(bench.events.since().map(({ type, text }) => [type, text]), [['instance.up', `instance ${A}#1 is up`], ['instance.down', `instance ${A}#1 is down: connection refused`]]);
    const [first] = bench.local.list();
    assert.deepEqual([first!.local.health, first!.local.reason, first!.announced], ['down', 'connection refused', false]);
  });

  it('a changed check replaces the old one; the verdict stands until the new one speaks', () => {
    const bench = new Bench([instance(A, 1, { healthCheck: checked })]);
    bench.checks[0]!.listener('up', '');
    bench.clock.advance(0);
    bench.local.configure(bench.config([instance(A, 1, { healthCheck: { ...checked, port: 81 } })]));
    bench.clock.advance(0);
    assert.deepEqual(bench.checks.map(({ stopped }) => stopped), [true, false]);
    assert.equal(bench.announced.length, 1);
    bench.local.stop();
    assert.deepEqual(bench.checks.map(({ stopped }) => stopped), [true, true]);
  });
});

describe('grades (survey section 3.4)', () => {
  const flops = (total: bigint): ReturnType<typeof gradeOf> => gradeOf([{ class: 2, chip: 0, total, residual: 0n }]);
  it('lie between 500 GFLOPS, 10 TFLOPS and 1 PFLOPS', () => {
    assert.deepEqual([499_999_999_999n, 500_000_000_000n, 9_999_999_999_999n, 10_000_000_000_000n, 1_000_000_000_000_000n, 1_000_000_000_000_001n].map(flops), [4, 3, 3, 2, 2, 1]);
  });
  it('count parallel and neural classes together, and logical ones not at all', () => {
    assert.equal(gradeOf([{ class: 1, chip: 1, total: 10n ** 18n, residual: 0n }]), undefined);
    assert.equal(gradeOf([{ class: 2, chip: 1, total: 6n * 10n ** 12n, residual: 0n }, { class: 3, chip: 4, total: 6n * 10n ** 12n, residual: 0n }]), 2);
  });
});
