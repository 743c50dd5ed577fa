import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCgroupPaths, readCgroupV1, readCgroupV2 } from '../../../../daemon/agent/sources/cgroup.js';
import { parseExposition, parseValue } from '../../../../daemon/agent/sources/exposition.js';
import { parseValues } from '../../../../daemon/agent/sources/file.js';
import { cpuShares } from '../../../../daemon/agent/sources/linux.js';
import { busyShare, parseCpuinfo, parseDiskstats, parseLoadavg, parseMeminfo, parseNetDev, parseStat } from '../../../../daemon/agent/sources/linux-proc.js';
import { chipsOf, gpusOfDcgm, parseNvidiaSmi } from '../../../../daemon/agent/sources/nvidia.js';
import { parseQueryAnswer } from '../../../../daemon/agent/sources/prometheus.js';
import { pick } from '../../../../daemon/agent/sources/scrape.js';

const vector = (name: string): string => readFileSync(new URL(`../../../../../test/vectors/agent/${name}`, import.meta.url), 'utf8');

describe('/proc', () => {
  it('tells the busy share between two readings', () => {
    const [before, after] = [parseStat(vector('stat-1.txt'))!, parseStat(vector('stat-2.txt'))!];
    assert.equal(before.processors, 2);
    const share = busyShare(before, after)!;
    assert.ok(share >= 0 && share <= 1);
    assert.equal(busyShare(after, before), undefined, 'counters that go back tell nothing');
    assert.equal(busyShare({ busy: 10, total: 100, processors: 1 }, { busy: 60, total: 200, processors: 1 }), 0.5);
  });

  it('counts stolen time as busy and waiting for disks as free', () => {
    assert.deepEqual(parseStat('cpu  10 1 5 100 50 2 3 4 9 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n'), { busy: 25, total: 175, processors: 1 });
  });

  it('tells model, cores, clock and instruction sets of the processors', () => {
    const info = parseCpuinfo(vector('cpuinfo-epyc.txt'));
    assert.equal(info.model, 'AMD EPYC');
    assert.deepEqual([info.processors, info.packages], [2, 1]);
    assert.ok(info.clockHz > 1e9 && info.clockHz < 6e9);
    assert.ok(info.flags.has('avx2'));
  });

  it('counts two threads of a core as one core', () => {
    const thread = (processor: number, core: number): string => `processor\t: ${processor}\nmodel name\t: X\nphysical id\t: 0\ncore id\t\t: ${core}\ncpu MHz\t\t: 2000.0\nflags\t\t: avx2 fma\n`;
    const info = parseCpuinfo([thread(0, 0), thread(1, 0), thread(2, 1), thread(3, 1)].join('\n'));
    assert.deepEqual([info.processors, info.cores, info.clockHz], [4, 2, 2e9]);
  });

  it('tells memory, traffic and load', () => {
    const memory = parseMeminfo(vector('meminfo.txt'))!;
    assert.ok(memory.total > memory.available && memory.available > 0);
    assert.ok(parseNetDev(vector('net-dev.txt')).has('lo'));
    assert.ok(parseDiskstats(vector('diskstats.txt')).size > 0);
    assert.equal(parseLoadavg('0.50 0.40 0.30 1/200 1234\n'), 0.5);
  });

  it('is read without a throw whatever stands there', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
        parseStat(`cpu ${text}`);
        parseCpuinfo(text);
        parseMeminfo(text);
        parseNetDev(text);
        parseDiskstats(text);
        parseLoadavg(text);
        parseCgroupPaths(text);
        parseNvidiaSmi(text);
        gpusOfDcgm(parseExposition(text).metrics);
        parseQueryAnswer(text);
        parseValues(text, []);
      }),
      { numRuns: 500 },
    );
  });
});

describe('control groups', () => {
  const files = (entries: Record<string, string>) => (path: string) => entries[path];

  it('of version 2 limit by the least of all groups around', () => {
    const read = files({
      '/a/b/cpu.max': 'max 100000\n',
      '/a/cpu.max': '150000 100000\n',
      '/a/b/memory.max': '2147483648\n',
      '/a/memory.max': 'max\n',
      '/a/b/memory.current': '1073741824\n',
      '/a/b/memory.stat': 'anon 5\ninactive_file 73741824\n',
      '/a/b/cpu.stat': 'usage_usec 2500000\nuser_usec 1\n',
    });
    assert.deepEqual(readCgroupV2(read, '/a/b'), { processors: 1.5, usedNs: 2_500_000_000, memoryMax: 2_147_483_648, memoryUsed: 1_000_000_000 });
  });

  it('of version 1 limit by quota and period, and say "no limit" with a huge number', () => {
    const paths = parseCgroupPaths(vector('cgroup-v1.txt'));
    const read = files({
      '/cpu/cpu.cfs_quota_us': '50000\n',
      '/cpu/cpu.cfs_period_us': '100000\n',
      '/cpuacct/cpuacct.usage': '77\n',
      '/memory/process/group/memory.limit_in_bytes': '9223372036854771712\n',
      '/memory/process/group/memory.usage_in_bytes': '1000\n',
      '/memory/process/group/memory.stat': 'cache 1\ntotal_inactive_file 400\n',
    });
    assert.deepEqual(readCgroupV1(read, paths, (controller) => `/${controller}`), { processors: 0.5, usedNs: 77, memoryMax: undefined, memoryUsed: 600 });
    assert.equal(readCgroupV1(files({ '/cpu/cpu.cfs_quota_us': '-1\n', '/cpu/cpu.cfs_period_us': '100000\n' }), paths, (controller) => `/${controller}`).processors, undefined);
  });

  it('leave free what the group may still use, as far as the machine has it', () => {
    assert.deepEqual(cpuShares(8, 0.25, { processors: undefined, used: undefined }), { usable: 1, free: 0.75 });
    assert.deepEqual(cpuShares(8, 0.25, { processors: 2, used: 0.5 }), { usable: 0.25, free: 1.5 / 8 });
    assert.deepEqual(cpuShares(8, 0.95, { processors: 2, used: 0.5 }).free.toFixed(3), '0.050');
    assert.deepEqual(cpuShares(8, 0.5, { processors: 2, used: 3 }).free, 0);
  });
});

describe('NVIDIA GPUs', () => {
  it('are grouped by model, with cores from the table and the free share on average', () => {
    const chips = chipsOf(parseNvidiaSmi(vector('nvidia-smi.csv')), { 'NVIDIA GeForce GTX 680': 1500 });
    assert.deepEqual(chips.get('gpu NVIDIA A100-SXM4-80GB'), { kind: 'gpu', model: 'NVIDIA A100-SXM4-80GB', count: 2, cores: 6912, clockHz: 1.41e9, usable: 1, free: 0.5 });
    assert.equal(chips.get('gpu Tesla T4')!.free, 1);
    assert.equal(chips.get('gpu NVIDIA GeForce GTX 680')!.cores, 1500);
    assert.equal(chips.get('gpu NVIDIA GeForce GTX 680')!.free, 0.75, 'busy as its memory is full, where it does not tell');
    assert.equal(chips.get('gpu NVIDIA GeForce RTX 4090')!.clockHz, 0);
  });

  it('come from the DCGM exporter just as well', () => {
    const gpus = gpusOfDcgm(parseExposition(vector('dcgm.txt')).metrics);
    assert.deepEqual(gpus.map(({ busy }) => busy), [0.2, 0.4]);
    assert.equal(gpus[0]!.memoryTotal, 80_000 * 1024 * 1024);
    assert.equal(chipsOf(gpus, {}).get('gpu NVIDIA A100-SXM4-80GB')!.free.toFixed(2), '0.70');
  });
});

describe('the exposition format', () => {
  it('has labels with escapes, time stamps, special values and comments', () => {
    const { metrics, malformed } = parseExposition('# HELP x y\nx 1\ny{a="b\\"c\\\\d\\n",e="}{,"} 2.5e3 1700000000000\nz{} NaN\nw{a="1",} +Inf\n  v\t-Inf\n');
    assert.equal(malformed, 0);
    assert.deepEqual(metrics.map(({ name, labels, value }) => [name, { ...labels }, value]), [['x', {}, 1], ['y', { a: 'b"c\\d\n', e: '}{,' }, 2500], ['z', {}, NaN], ['w', { a: '1' }, Infinity], ['v', {}, -Infinity]]);
  });

  it('counts lines that make no sense and keeps the others', () => {
    const { metrics, malformed } = parseExposition('good 1\n{a="b"} 1\nx{a="b} 1\nx{a=b} 1\nx one\nx\nx{a="b" c="d"} 1\n9x 1\nfine 2\n');
    assert.deepEqual(metrics.map(({ name }) => name), ['good', 'fine']);
    assert.equal(malformed, 7);
  });

  it('keeps a line of any labels and values as they are', () => {
    const quote = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    fc.assert(
      fc.property(fc.string().filter((text) => !/[\r\u2028\u2029]/.test(text)), fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)), (label, value) => {
        const [metric] = parseExposition(`m{l="${quote(label)}"} ${value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value)}`).metrics;
        assert.deepEqual([metric!.labels['l'], metric!.value], [label, value]);
      }),
    );
  });

  it('gives the sum of the metrics that match', () => {
    const { metrics } = parseExposition('q{s="a",p="1"} 3\nq{s="a",p="2"} 4\nq{s="b"} 50\n');
    const field = { kind: 'memory', of: '', value: 'free' } as const;
    assert.equal(pick(metrics, { field, metric: 'q', labels: { s: 'a' }, scale: 2 }), 14);
    assert.equal(pick(metrics, { field, metric: 'none', labels: {}, scale: 1 }), undefined);
  });

  it('has no numbers in other texts', () => {
    for (const text of ['', 'x', '0x10 ', ' ', 'true', '1e', '--1']) assert.equal(parseValue(text), undefined, text);
  });
});

describe('answers of Prometheus', () => {
  const answer = (data: unknown): string => JSON.stringify({ status: 'success', data });

  it('are a scalar, or the sum of a vector; nothing where nothing matched', () => {
    assert.deepEqual(parseQueryAnswer(answer({ resultType: 'scalar', result: [1.5, '42'] })), { ok: true, value: 42 });
    assert.deepEqual(parseQueryAnswer(answer({ resultType: 'vector', result: [{ metric: {}, value: [1, '2'] }, { metric: {}, value: [1, '3.5'] }] })), { ok: true, value: 5.5 });
    assert.deepEqual(parseQueryAnswer(answer({ resultType: 'vector', result: [] })), { ok: true, value: undefined });
  });

  it('are refused with the reason when they are something else', () => {
    for (const text of ['', '[]', 'null', '{}', answer(undefined), answer({ resultType: 'matrix', result: [] }), answer({ resultType: 'vector', result: [{ value: [1] }] })]) assert.equal(parseQueryAnswer(text).ok, false, text);
    assert.deepEqual(parseQueryAnswer('{"status":"error","errorType":"bad_data","error":"parse error"}'), { ok: false, reason: 'parse error' });
  });
});

describe('values of a file', () => {
  it('are nested or with dots', () => {
    const faults: string[] = [];
    const values = parseValues('memory: {free: 5}\n"service.2001:db8::1.queueLength": 3\nservice: {"2001:db8::2": {meanUs: 7}}\nnonsense: 1\ncpu.utilisation: high\n', faults);
    assert.deepEqual(values.map(([field, value]) => [field.kind, field.of, field.value, value]), [['memory', '', 'free', 5], ['service', '2001:db8::1', 'queueLength', 3], ['service', '2001:db8::2', 'meanUs', 7]]);
    assert.deepEqual(faults, ['nonsense is no field', 'cpu.utilisation: expected a number']);
  });
});
