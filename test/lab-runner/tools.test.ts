import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeRequirementOption } from '../../daemon/steering/requirement-option.js';
import { destinationOptions, parseRequirements, requestHeader } from '../../lab/tools/option.js';
import { Ledger, quantiles } from '../../lab/tools/report.js';
import { ServiceQueue } from '../../lab/tools/service-queue.js';

describe('the emulated server', () => {
  test('serves one request after the other, each taking the service time', () => {
    let now = 0;
    const timers: { at: number; action: () => void }[] = [];
    const queue = new ServiceQueue(10, () => now, (milliseconds, action) => timers.push({ at: now + milliseconds, action }));
    const spent: number[] = [];
    for (let i = 0; i < 3; i++) queue.accept((milliseconds) => spent.push(milliseconds));
    assert.equal(queue.length, 3);
    for (const timer of timers.sort((a, b) => a.at - b.at)) {
      now = timer.at;
      timer.action();
    }
    assert.deepEqual(spent, [10, 20, 30]);
    assert.equal(queue.length, 0);
    queue.serviceTimeMs = 0;
    queue.accept((milliseconds) => spent.push(milliseconds));
    assert.deepEqual(spent, [10, 20, 30, 0]);
  });
});

describe('the report of the traffic client', () => {
  test('counts answers by node, losses, duplicates and the gap of a flow that moved', () => {
    const ledger = new Ledger();
    for (let i = 0; i < 6; i++) ledger.send(i % 2, i * 10);
    ledger.answer(0, 'n1', 5);
    ledger.answer(0, 'n1', 6);
    ledger.answer(1, 'n1', 15);
    ledger.answer(3, 'n1', 35);
    ledger.answer(4, 'n2', 47);
    ledger.answer(5, 'n1', 55);
    ledger.answer(99, 'n1', 56);
    const report = ledger.report([1000, 1001], new Map());
    assert.deepEqual({ ...report, flows: [], rttUs: null, moveGapMs: null }, {
      sent: 6, answered: 5, lost: 1, duplicates: 1, reordered: 0, nodes: { n1: 4, n2: 1 }, rttUs: null, moved: 1, moveGapMs: null, flows: [],
    });
    assert.deepEqual(report.moveGapMs, { min: 42, median: 42, p99: 42, max: 42 });
    assert.deepEqual(report.flows[0], { sourcePort: 1000, sent: 3, answered: 2, nodes: ['n1', 'n2'], firstRttUs: 5000, longestGapMs: 22, error: null });
    assert.equal(report.rttUs!.max, 7000);
  });

  test('an answer behind that of a later request of its flow is reordered', () => {
    const ledger = new Ledger();
    for (let i = 0; i < 3; i++) ledger.send(0, i);
    ledger.answer(1, 'n', 5);
    ledger.answer(0, 'n', 6);
    ledger.answer(2, 'n', 7);
    assert.equal(ledger.report([1], new Map()).reordered, 1);
  });

  test('a flow that was never opened says why', () => {
    const report = new Ledger().report([0], new Map([[0, 'connect: timed out']]));
    assert.equal(report.flows[0]!.error, 'connect: timed out');
    assert.equal(report.rttUs, null);
  });

  test('quantiles of one value are that value', () => assert.deepEqual(quantiles([3]), { min: 3, median: 3, p99: 3, max: 3 }));
});

describe('the requirement option of a request', () => {
  test('lies in a Destination Options header of whole 8 octets, padded as RFC 8200 says', () => {
    for (let length = 0; length < 40; length++) {
      const header = destinationOptions(0x1e, new Uint8Array(length).fill(0xaa));
      assert.equal(header.length % 8, 0);
      assert.equal(header.length, (header[1]! + 1) * 8);
      let at = 2;
      const options: number[] = [];
      while (at < header.length) {
        options.push(header[at]!);
        at += header[at] === 0 ? 1 : 2 + header[at + 1]!;
      }
      assert.equal(at, header.length, `padding of ${length} octets`);
      assert.deepEqual(options.filter((type) => type > 1), [0x1e]);
    }
  });

  test('carries what the JSON asks for', () => {
    const header = requestHeader('{"latencyUs": 20000, "computing": {"class": 2, "minResidual": "1000000000000"}}', undefined, 0x1e)!;
    const option = decodeRequirementOption(header.subarray(4, 4 + header[3]!));
    assert.ok(option.kind === 'requirements');
    assert.deepEqual([option.requirements.latencyUs, option.requirements.computing], [20000, { class: 2, minResidual: 1_000_000_000_000n }]);
  });

  test('what the JSON cannot mean is refused', () => {
    assert.throws(() => parseRequirements('{"latency": 1}'), /unknown latency; expected splittable, latencyUs/);
    assert.throws(() => parseRequirements('[1'), /--requirements/);
    assert.throws(() => parseRequirements('3'), /expected a JSON object/);
    assert.throws(() => requestHeader(undefined, '123', 0x1e), /--option-hex/);
  });
});
