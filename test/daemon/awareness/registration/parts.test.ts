import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Allocator } from '../../../../daemon/awareness/registration/allocation.js';
import { Tokens } from '../../../../daemon/awareness/registration/credentials.js';
import { UpdatePace } from '../../../../daemon/awareness/registration/pace.js';
import { judgeDescription, judgeUpdate } from '../../../../daemon/awareness/registration/plausibility.js';
import { cpn } from '../../../../proto/gen/cpn.js';
import { toValues } from '../../../../proto/values.js';
import { ManualClock } from '../../../../daemon/clock.js';
import type { NodeDescription, NodeUpdate } from '../../../../daemon/awareness/registration/types.js';
import { description, registration, update } from './support.js';

const router = { locator: 'fcbb:bb00:11::/48', sidStructure: { block: 32, node: 16, function: 12, argument: 0 } };
const { limits } = registration.nodes[0]!;

describe('instance numbers and SIDs', () => {
  it('are all different until the eighth of the function space is given out, and then there are none', () => {
    const allocator = new Allocator(router, () => false);
    const given = Array.from({ length: 512 }, (_, i) => allocator.allocate(`node${i}`, '2001:db8::1')!);
    assert.equal(new Set(given.map(({ sid }) => sid)).size, 512);
    assert.equal(allocator.allocate('one more', '2001:db8::1'), undefined);
    allocator.release('node7', '2001:db8::1');
    assert.deepEqual(allocator.allocate('one more', '2001:db8::1'), given[7]);
  });

  it('pass over those that the configuration took', () => {
    const free = new Allocator(router, () => false).allocate('node', '2001:db8::1')!;
    const other = new Allocator(router, (_service, { sid }) => sid === free.sid).allocate('node', '2001:db8::1')!;
    assert.notEqual(other.sid, free.sid);
  });

  it('are taken up again from an earlier run, unless the locator changed', () => {
    const given = new Allocator(router, () => false).allocate('node', '2001:db8::1')!;
    assert.equal(new Allocator(router, () => false).restore('node', '2001:db8::1', given), true);
    assert.equal(new Allocator({ ...router, locator: 'fcbb:bb00:12::/48' }, () => false).restore('node', '2001:db8::1', given), false);
    assert.equal(new Allocator(router, () => false).restore('node', '2001:db8::1', { instance: 5, sid: given.sid }), false);
  });
});

describe('tokens', () => {
  const hashed = createHash('sha256').update('a long enough token').digest('hex');

  it('are known by themselves or by their digest, each for its own node', () => {
    const tokens = Tokens.parse(`node1: "a long enough token"\nnode2: "sha256:${hashed}"\n`, 'tokens.yaml');
    for (const node of ['node1', 'node2']) assert.equal(tokens.verify(node, 'a long enough token'), true);
    assert.equal(tokens.verify('node1', 'another long token'), false);
    assert.equal(tokens.verify('node3', 'a long enough token'), false);
  });

  it('stand in no message about a file that is wrong', () => {
    for (const text of ['node1: short-secret', 'node1: [secret]', '- secret', 'node1: "secret\n  - :', 'node1: *secret']) {
      assert.throws(
        () => Tokens.parse(text, 'tokens.yaml'),
        (error: Error) => /^tokens\.yaml: /.test(error.message) && !error.message.includes('secret'),
        text,
      );
    }
  });
});

describe('the pace of updates', () => {
  it('lets the rate through on average and no more', () => {
    const pace = new UpdatePace(20, 0);
    let applied = 0;
    for (let now = 0; now < 10_000; now += 10) if (pace.judge(now) === 'apply') applied++;
    assert.ok(applied >= 200 && applied <= 221, String(applied));
    assert.ok(pace.wait(10_000) <= 50);
  });
});

describe('plausibility', () => {
  it('takes what an honest node says unchanged', () => {
    const honest = description(new ManualClock());
    const judged = judgeDescription(honest, limits);
    assert.ok(judged.ok);
    assert.deepEqual(judged.limited, []);
    assert.deepEqual(judged.value, honest);
  });

  it('limits a stated capacity to a multiple of what the benchmark of the node measured', () => {
    const clock = new ManualClock();
    const cpu = { kind: 'cpu', model: 'EPYC', count: 1, cores: 8, clockHz: 3e9 };
    const benchmark = (operations: bigint, chip = 'cpu') => [{ class: 'parallel', chip, operations, spread: 0.01, unixMs: clock.unixMs() }];
    const claim = (chip: string) => [{ class: 'parallel', chip, total: 1_000_000_000_000n, residual: 900_000_000_000n }];
    const stated = (chip: string, measured: NodeDescription['measured']) => judgeDescription(description(clock, { chips: [cpu], computing: claim(chip), measured }), limits);
    for (const chip of ['cpu', 'mixed']) {
      const judged = stated(chip, benchmark(100_000_000_000n));
      assert.ok(judged.ok);
      assert.deepEqual(judged.value.computing, [{ class: 'parallel', chip, total: 400_000_000_000n, residual: 400_000_000_000n }]);
      assert.match(judged.limited[0]!, /limited to 400000000000: more than 4 times the 100000000000 that its benchmark measured/);
    }
    const honest = stated('cpu', benchmark(300_000_000_000n));
    assert.ok(honest.ok && honest.limited.length === 0);
    const off = judgeDescription(description(clock, { chips: [cpu], computing: claim('cpu'), measured: benchmark(1n) }), { ...limits, measuredFactor: 0 });
    assert.ok(off.ok && off.limited.length === 0);
    // A graphics card beside the processor is not what was measured.
    const other = judgeDescription(description(clock, { measured: benchmark(1_000_000_000n) }), limits);
    assert.ok(other.ok && other.limited.length === 0);
  });

  it('judges what was stated before by what an update says was measured', () => {
    const clock = new ManualClock();
    const known = description(clock, { chips: [{ kind: 'cpu', model: '', count: 1, cores: 8, clockHz: 3e9 }], computing: [{ class: 'logical', chip: 'cpu', total: 96_000_000_000n, residual: 1n }] });
    const judged = judgeUpdate(update(clock, { measured: [{ class: 'logical', chip: 'cpu', operations: 1_000_000_000n, spread: 0, unixMs: clock.unixMs() }] }), known, limits);
    assert.ok(judged.ok);
    assert.equal(judged.value.computing[0]!.total, 4_000_000_000n);
  });

  it('believes no benchmark beyond what the chips can bear, and no nonsense', () => {
    const clock = new ManualClock();
    const stated = (entry: Partial<NodeDescription['measured'][number]>) => judgeDescription(description(clock, { measured: [{ class: 'parallel', chip: 'cpu', operations: 1n, spread: 0, unixMs: clock.unixMs(), ...entry }] }), limits);
    const bold = stated({ operations: 1n << 60n });
    assert.ok(bold.ok);
    assert.equal(bold.value.measured[0]!.operations, BigInt(8 * 3e9 * 128));
    assert.equal(bold.limited.length, 1);
    for (const wrong of [{ class: 'magic' }, { chip: 'mixed' }, { operations: (1n << 64n) - 1n }, { spread: NaN }, { spread: -1 }, { unixMs: NaN }]) assert.equal(stated(wrong).ok, false, Object.keys(wrong)[0]);
  });

  it('never throws and never believes too much, whatever octets a node sends', () => {
    const known = description(new ManualClock());
    const check = (octets: Uint8Array): void => {
      let stated: NodeDescription;
      let update: NodeUpdate;
      try {
        stated = toValues(cpn.v1.RegisterNode.decode(octets)) as NodeDescription;
        update = toValues(cpn.v1.NodeUpdate.decode(octets)) as NodeUpdate;
      } catch {
        return; // no protobuf: the transport refuses it
      }
      const judged = judgeDescription(stated, limits);
      if (judged.ok) for (const { total, residual } of judged.value.computing) assert.ok(residual <= total && total < 1n << 62n);
      judgeUpdate(update, known, limits);
    };
    const { v1 } = cpn;
    const valid = v1.RegisterNode.encode(v1.RegisterNode.fromObject(known)).finish();
    for (let length = 0; length <= valid.length; length++) check(valid.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 500 });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
        const bent = Uint8Array.from(valid);
        for (const [at, value] of changes) bent[at] = value;
        check(bent);
      }),
      { numRuns: 1000 },
    );
  });
});
