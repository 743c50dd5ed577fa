import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { Agent } from '../../../../daemon/agent/agent.js';
import { BENCHMARK_CLASSES, measure, usableProcessors } from '../../../../daemon/agent/benchmark/benchmark.js';
import { benchmarkResult, type BenchmarkResult } from '../../../../daemon/agent/benchmark/result.js';
import { parseAgentConfig, type AgentConfig } from '../../../../daemon/agent/config.js';
import type { NodeMessage } from '../../../../daemon/awareness/registration/types.js';
import { ManualClock } from '../../../../daemon/clock.js';
import { createLogger } from '../../../../daemon/log.js';
import { native } from '../../../../dataplane/native/index.js';

/** Slices of one thread each: operations, wall ms, processor ms. */
const run = (...threads: (readonly (readonly [number, number, number])[])[]): Float64Array => Float64Array.from(threads.flat().flatMap(([operations, wall, processor]) => [operations, wall * 1e6, processor * 1e6]));

describe('the result of a benchmark', () => {
  it('is what the processors did in the time they gave, the warm-up left out', () => {
    const slices = [[1, 100, 100], [1e9, 100, 100], [1e9, 100, 100], [1e9, 100, 100]] as const;
    const result = benchmarkResult('logical', run(slices, slices), 2, 4, 2);
    assert.equal(result.operations, 20e9);
    assert.equal(result.obtained, 20e9);
    assert.equal(result.spread, 0);
    assert.equal(result.share, 1);
  });

  it('does not sink with a noisy neighbour, which shows in what was obtained, in the spread and in the share', () => {
    const quiet = [[0, 100, 100], [1e9, 100, 100], [1e9, 100, 100], [1e9, 100, 100], [1e9, 100, 100]] as const;
    const disturbed = [[0, 100, 100], [1e9, 100, 100], [0.2e9, 100, 20], [0.6e9, 100, 60], [0.2e9, 100, 20]] as const;
    const result = benchmarkResult('parallel', run(quiet, disturbed), 2, 5, 2);
    assert.ok(Math.abs(result.operations - 20e9) < 1);
    assert.ok(result.obtained < 15e9, String(result.obtained));
    assert.ok(result.spread > 0.1, String(result.spread));
    assert.ok(Math.abs(result.share - 0.75) < 1e-9, String(result.share));
  });

  it('counts a quota below the number of threads', () => {
    const throttled = [[0, 100, 75], [0.75e9, 100, 75], [0.75e9, 100, 75]] as const;
    const result = benchmarkResult('neural', run(throttled, throttled), 2, 3, 1.5);
    assert.equal(result.operations, 15e9);
    assert.equal(result.obtained, 15e9);
    assert.equal(result.share, 1);
  });

  it('is none where the threads got no time', () => {
    assert.throws(() => benchmarkResult('logical', run([[1, 100, 1], [1, 100, 2]]), 1, 2, 1), /too busy/);
  });
});

describe('the processors that may be used', () => {
  const files = (entries: Readonly<Record<string, string>>) => (path: string) => entries[path];

  it('are those of the affinity mask, or what the control groups grant', () => {
    assert.equal(usableProcessors(files({}), 8), 8);
    assert.equal(usableProcessors(files({ '/proc/self/cgroup': '0::/box\n', '/sys/fs/cgroup/cgroup.controllers': 'cpu\n', '/sys/fs/cgroup/box/cpu.max': '150000 100000\n' }), 8), 1.5);
    assert.equal(usableProcessors(files({ '/proc/self/cgroup': '3:cpu,cpuacct:/box\n', '/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '50000\n', '/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us': '100000\n' }), 8), 0.5);
    assert.equal(usableProcessors(files({ '/proc/self/cgroup': '0::/box\n', '/sys/fs/cgroup/cgroup.controllers': 'cpu\n', '/sys/fs/cgroup/box/cpu.max': '1600000 100000\n' }), 8), 8);
  });
});

describe('the benchmark of this machine', () => {
  it('ends within a second, says more than a figure of JavaScript, and says the same again', { timeout: 30_000 }, async () => {
    for (const name of BENCHMARK_CLASSES) {
      const begin = performance.now();
      const first = await measure(name);
      const elapsed = performance.now() - begin;
      assert.ok(elapsed < 1000, `${name}: ${elapsed} ms`);
      const second = await measure(name);
      const ratio = second.operations / first.operations;
      assert.ok(ratio > 0.7 && ratio < 1.43, `${name}: ${first.operations}, then ${second.operations}`);
      // 4,096 operations a cycle at 10 GHz are what no processor does; 10 million a second every one.
      assert.ok(first.operations > 1e7 * first.processors && first.operations < 4e13 * first.processors, `${name}: ${first.operations}`);
    }
  });

  it('leaves the event loop free', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await native.benchmark(0, 1, 2, 100_000);
    clearInterval(timer);
    assert.ok(ticks >= 5, String(ticks));
  });

  it('gives every thread its slices, and takes no more than the threads that are wanted', async () => {
    const threads = availableParallelism();
    const values = await native.benchmark(2, threads, 3, 20_000);
    assert.equal(values.length, threads * 3 * 3);
    for (let slice = 0; slice < threads * 3; slice++) {
      const [operations = 0, wall = 0, processor = 0] = values.subarray(3 * slice, 3 * slice + 3);
      if (wall === 0) continue; // a thread that was not let run for so long
      assert.ok(operations > 0 && processor <= 1.05 * wall, `slice ${slice}: ${operations} operations, ${processor} of ${wall} ns`);
    }
  });

  it('refuses what would take more than a second', () => {
    const wrongs: [number, number, number, number][] = [[3, 1, 1, 1000], [0, 0, 1, 1000], [0, 1, 11, 100_000], [0, 1, 1, 10], [0, 5000, 1, 1000]];
    for (const wrong of wrongs) assert.throws(() => native.benchmark(...wrong), RangeError, String(wrong));
  });
});

describe('an agent that measures', () => {
  const text = `
node: {id: node1}
router: {target: "unix:///run/cpn/registration.sock"}
sources: {linux: {enabled: false}, nvidia: {enabled: false}}
`;

  function config(more: string): AgentConfig {
    const parsed = parseAgentConfig(text + more);
    assert.ok(parsed.ok);
    return parsed.config;
  }

  async function scene(more: string, benchmark: () => Promise<readonly BenchmarkResult[]>): Promise<{ sent: NodeMessage[]; clock: ManualClock; agent: Agent }> {
    const sent: NodeMessage[] = [];
    const clock = new ManualClock();
    const agent = new Agent(config(more), { clock, log: createLogger('node1', 'fatal'), benchmark, dial: () => ({ send: (message) => void sent.push(message), close: () => undefined }) });
    await agent.start();
    return { sent, clock, agent };
  }

  const result = (operations: number): BenchmarkResult => ({ class: 'neural', operations, obtained: operations / 2, spread: 0.1, share: 0.5, processors: 2 });

  it('states what it measured beside what is stated, and takes it for the total where nothing is', async () => {
    const measured = await scene('benchmark: {at: start}\n', () => Promise.resolve([result(5e10)]));
    const { register } = measured.sent[0]!;
    assert.deepEqual(register!.measured, [{ class: 'neural', chip: 'cpu', operations: 50_000_000_000n, spread: 0.1, unixMs: measured.clock.unixMs() }]);
    assert.equal(register!.computing.find(({ class: name }) => name === 'neural')!.total, 50_000_000_000n);
    await measured.agent.stop('');
    const stated = await scene('benchmark: {at: start}\ncapacity: {"neural cpu": 1T}\n', () => Promise.resolve([result(5e10)]));
    assert.equal(stated.sent[0]!.register!.computing.find(({ class: name }) => name === 'neural')!.total, 1_000_000_000_000n);
    assert.equal(stated.sent[0]!.register!.measured.length, 1);
    await stated.agent.stop('');
  });

  it('registers without figures when it may not measure, or could not', async () => {
    let asked = 0;
    const never = await scene('', () => Promise.resolve([result(++asked)]));
    assert.equal(asked, 0);
    assert.deepEqual(never.sent[0]!.register!.measured, []);
    await never.agent.stop('');
    const failed = await scene('benchmark: {at: start}\n', () => Promise.reject(new Error('too busy')));
    assert.deepEqual(failed.sent[0]!.register!.measured, []);
    await failed.agent.stop('');
  });

  it('measures again as often as it is told to', async () => {
    let count = 0;
    const { clock, agent } = await scene('benchmark: {every: 10m}\n', () => Promise.resolve([result(++count)]));
    clock.advance(599_000);
    assert.equal(count, 0);
    clock.advance(1000);
    assert.equal(count, 1);
    await agent.stop('');
  });
});
