import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Orchestration, type OfferedService } from '../../../../daemon/awareness/registration/orchestration.js';
import { SERVICE_STATES } from '../../../../daemon/awareness/registration/types.js';

const times = { activationTimeoutMs: 1000, idleMs: 100 };
const capacity = { operations: new Map([['parallel', 100n]]), memory: 100n };
const service = (name: string, priority: number, operations: bigint, values: Partial<OfferedService & { active: boolean }> = {}): OfferedService & { active: boolean } => ({
  service: name,
  mode: 'on-demand',
  priority,
  demand: [{ class: 'parallel', operations }],
  memory: 0n,
  active: false,
  ...values,
});

describe('orchestration of the services of a node', () => {
  it('activates what fits beside what runs', () => {
    const node = new Orchestration(times);
    node.offer([service('a', 1, 40n, { active: true }), service('b', 1, 60n)], capacity, 0);
    assert.deepEqual(node.demand('b', 0).map(({ active }) => active), [true]);
  });

  it('stops as few as need be, of the lowest priority and longest idle', () => {
    const node = new Orchestration(times);
    node.offer([service('low', 1, 40n, { active: true }), service('middle', 2, 30n, { active: true }), service('high', 9, 50n)], capacity, 0);
    assert.deepEqual(node.demand('high', 200).map((command) => command.service), ['low']);
    assert.deepEqual(node.report('low', 'inactive', '', 210).map((command) => [command.service, command.active]), [['high', true]]);
  });

  it('waits for room without asking twice, and starts when a service ends by itself', () => {
    const node = new Orchestration(times);
    node.offer([service('low', 1, 80n, { active: true }), service('high', 9, 50n)], capacity, 0);
    node.load('low', true, 90);
    assert.deepEqual(node.demand('high', 100), []);
    assert.deepEqual(node.demand('high', 120), []);
    assert.deepEqual(node.report('low', 'inactive', '', 130).map((command) => command.service), ['high']);
  });

  it('counts memory as it counts operations, and never displaces a service that is always there', () => {
    const node = new Orchestration(times);
    node.offer([service('always', 1, 0n, { active: true, mode: 'always', memory: 70n }), service('b', 9, 0n, { memory: 40n })], capacity, 0);
    assert.deepEqual(node.demand('b', 500), []);
    assert.match(node.set('b', true, 500).refusal!, /do not hold b beside always/);
  });

  it('holds back what an operator stopped, whatever the demand', () => {
    const node = new Orchestration(times);
    node.offer([service('a', 1, 1n, { active: true })], capacity, 0);
    assert.deepEqual(node.set('a', false, 0).commands.map(({ active }) => active), [false]);
    node.report('a', 'inactive', '', 1);
    assert.deepEqual(node.demand('a', 2), []);
    assert.deepEqual(node.set('a', true, 3).commands.map(({ active }) => active), [true]);
  });

  it('never has more running than the node holds, whatever happens in whatever order', () => {
    const names = ['a', 'b', 'c', 'd'];
    const event = fc.oneof(
      fc.record({ kind: fc.constant('demand' as const), name: fc.constantFrom(...names) }),
      fc.record({ kind: fc.constant('operator' as const), name: fc.constantFrom(...names), active: fc.boolean() }),
      fc.record({ kind: fc.constant('report' as const), name: fc.constantFrom(...names), state: fc.constantFrom(...SERVICE_STATES) }),
      fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 3000 }) }),
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 4, maxLength: 4 }), fc.array(event, { maxLength: 60 }), (sizes, events) => {
        const node = new Orchestration(times);
        node.offer(names.map((name, i) => service(name, i, BigInt(sizes[i]!))), capacity, 0);
        let now = 0;
        const running = new Set<string>();
        const obey = (commands: readonly { service: string; active: boolean }[]): void => {
          for (const { service: name, active } of commands) {
            if (active) running.add(name);
            else running.delete(name);
          }
          const used = [...running].reduce((sum, name) => sum + sizes[names.indexOf(name)]!, 0);
          assert.ok(used <= 100, `${[...running].join()} use ${used}`);
        };
        for (const happening of events) {
          now += 10;
          if (happening.kind === 'demand') obey(node.demand(happening.name, now));
          else if (happening.kind === 'operator') obey(node.set(happening.name, happening.active, now).commands);
          else if (happening.kind === 'time') obey(node.tick((now += happening.ms)));
          else {
            // A node tells the truth: it becomes active only when it was asked to, and ends only what ran.
            const state = node.machines.get(happening.name)!.state;
            const honest = happening.state === 'active' ? state === 'activating' : happening.state === 'inactive' ? state === 'deactivating' : happening.state === 'failed' && state === 'active';
            if (!honest) continue;
            if (happening.state === 'failed') running.delete(happening.name);
            obey(node.report(happening.name, happening.state, '', now));
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
