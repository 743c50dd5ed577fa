import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatRuns, parseHistory, type History } from '../../../../daemon/computing/model/history.js';
import { nodeStateOf } from '../../../../daemon/computing/model/node-state.js';

function parsed(text: string): History {
  const history = parseHistory(text);
  assert.ok(history.ok, history.ok ? '' : history.reason);
  return history.value;
}

const reason = (text: string): string => {
  const history = parseHistory(text);
  return history.ok ? 'taken' : history.reason;
};

describe('histories as text', () => {
  it('runs are read from CSV with columns in any order, and from JSON lines', () => {
    const csv = parsed('latencyUs,workload,extra,dataSize,capacity,computingUsed,service\n1500,1e6,x,100,1e9,0.25,2001:db8::1\n');
    const json = parsed('{"latencyUs":1500,"workload":1e6,"dataSize":100,"capacity":1e9,"computingUsed":0.25,"service":"2001:db8::1"}\n');
    assert.deepEqual(csv, json);
    assert.deepEqual(csv.kind === 'runs' && csv.runs[0], {
      service: '2001:db8::1',
      instance: '',
      workload: 1e6,
      dataSize: 100,
      latencyUs: 1500,
      atMs: 0,
      state: { capacity: 1e9, computingUsed: 0.25, storage: 0, storageUsed: 0, ioRate: 0 },
    });
  });

  it('lines that cannot be are left out and named, the others stand', () => {
    const history = parsed('workload,dataSize,latencyUs,capacity,computingUsed\n1,1,1,1,0\nNaN,1,1,1,0\n1,1,-5,1,0\n1,1,1,1,7\n');
    assert.equal(history.kind === 'runs' && history.runs.length, 1);
    assert.equal(history.faults.length, 3);
    assert.match(history.faults[0]!, /^line 3: workload/);
    assert.match(history.faults[2]!, /^line 5: computing in use/);
  });

  it('requests and rates are told by their columns', () => {
    assert.equal(parsed('arrivalMs,startMs,endMs\n0,1,2\n').kind, 'requests');
    assert.equal(parsed('rate,latencyUs\n10,2000\n').kind, 'rates');
  });

  it('what is no history is refused with what was expected', () => {
    assert.match(reason(''), /empty/);
    assert.match(reason('\n\n'), /empty/);
    assert.match(reason('a,b\n1,2\n'), /expected those of runs/);
    assert.match(reason('workload,latencyUs\n'), /heading and nothing/);
    assert.match(reason('{"workload":1,"latencyUs":-1}'), /line 1: latency/);
    assert.match(reason('{nonsense'), /JSON object/);
  });

  it('runs that were written are read again', () => {
    const run = fc.record({
      service: fc.constantFrom('2001:db8::1', ''),
      instance: fc.constantFrom('fc00::1#7', ''),
      atMs: fc.integer({ min: 0, max: 2e12 }),
      workload: fc.double({ min: 0, max: 1e15, noNaN: true }),
      dataSize: fc.integer({ min: 0, max: 1e12 }),
      latencyUs: fc.double({ min: 1, max: 1e9, noNaN: true }),
      state: fc.record({ capacity: fc.double({ min: 1, max: 1e15, noNaN: true }), computingUsed: fc.double({ min: 0, max: 1, noNaN: true }), storage: fc.nat(), storageUsed: fc.double({ min: 0, max: 1, noNaN: true }), ioRate: fc.nat() }),
    });
    // Minus nothing is nothing in text.
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    fc.assert(fc.property(fc.array(run, { minLength: 1, maxLength: 5 }), (runs) => assert.deepEqual(plain(parsed(formatRuns(runs))), plain({ kind: 'runs', runs, faults: [] }))));
  });

  it('whatever the text, the answer is a history or a reason', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.array(fc.string()).map((lines) => `workload,latencyUs\n${lines.join('\n')}`)), (text) => typeof parseHistory(text).ok === 'boolean'));
  });
});

describe('the state of a node out of what it states', () => {
  const cpu = { class: 1, total: 100n, residual: 25n };
  const gpu = { class: 2, total: 1000n, residual: 500n };

  it('counts in the class that is asked for, else in the largest one, over all chips', () => {
    assert.deepEqual(nodeStateOf([cpu, gpu, gpu], []), { capacity: 2000, computingUsed: 0.5, storage: 0, storageUsed: 0, ioRate: 0 });
    assert.equal(nodeStateOf([cpu, gpu], [], 1).computingUsed, 0.75);
    assert.equal(nodeStateOf([cpu], [], 3).capacity, 100);
    assert.equal(nodeStateOf([], []).capacity, 0);
  });

  it('takes storage as a whole', () => {
    const volume = { total: 100n, residual: 40n, readRate: 3n, writeRate: 4n };
    assert.deepEqual(nodeStateOf([], [volume, volume]), { capacity: 0, computingUsed: 0, storage: 200, storageUsed: 0.6, ioRate: 14 });
  });
});
