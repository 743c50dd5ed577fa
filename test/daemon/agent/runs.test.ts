import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { LineTail, parseRunLine, RunReports, StateHistory } from '../../../daemon/agent/runs.js';
import { parseAgentConfig } from '../../../daemon/agent/config.js';
import { nodeState } from '../../../daemon/agent/report.js';
import { combine } from '../../../daemon/agent/sample.js';

const folder = mkdtempSync(join(tmpdir(), 'cpn-runs-'));
after(() => rmSync(folder, { recursive: true }));

const computing = (residual: bigint) => ({ computing: [{ class: 'parallel', chip: 'cpu', total: 1_000_000n, residual }], storage: [] });
const line = (values: object = {}): string => JSON.stringify({ service: '2001:db8:5e::1', startMs: 2500, endMs: 3500, ...values });

describe('observed runs of a node', () => {
  it('get the state of the node at their start, and their work from what the node did meanwhile where nobody counted it', () => {
    const history = new StateHistory();
    history.note(computing(1_000_000n), 1000);
    history.note(computing(250_000n), 2000);
    history.note(computing(250_000n), 4000);
    const parsed = parseRunLine(line());
    assert.ok(parsed.ok);
    const run = history.run(parsed.value);
    assert.equal(run.latencyUs, 1_000_000);
    assert.equal(run.computingUsed, 0.75);
    assert.equal(run.capacity, 1_000_000);
    // Eq. (9): three quarters of a million a second, for one second.
    assert.ok(Math.abs(run.workload / 750_000 - 1) < 1e-9);
    const stated = parseRunLine(line({ workload: 5, dataSize: 7, computingUsed: 0.1 }));
    assert.ok(stated.ok);
    assert.deepEqual([history.run(stated.value).workload, history.run(stated.value).dataSize, history.run(stated.value).computingUsed], [5, 7, 0.1]);
  });

  it('are refused with a reason where a line makes no sense', () => {
    for (const [text, reason] of [['x', /JSON/], ['7', /object/], [line({ service: 'here' }), /service/], [line({ endMs: 1 }), /startMs < endMs/], [line({ workload: -1 }), /workload/], [line({ dataSize: 'big' }), /dataSize/]] as const) {
      const parsed = parseRunLine(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.reason, reason);
    }
  });

  it('are those appended since the agent started, whole lines only, also when the file is replaced', async () => {
    const path = join(folder, 'runs.jsonl');
    writeFileSync(path, 'old\n');
    const tail = new LineTail(path);
    assert.deepEqual(await tail.read(), []);
    appendFileSync(path, 'one\ntw');
    assert.deepEqual(await tail.read(), ['one']);
    appendFileSync(path, 'o\n\nthree\n');
    assert.deepEqual(await tail.read(), ['two', 'three']);
    writeFileSync(path, 'new\n');
    assert.deepEqual(await tail.read(), ['new']);
    const absent = join(folder, 'later.jsonl');
    const later = new LineTail(absent);
    assert.deepEqual(await later.read(), []);
    writeFileSync(absent, 'first\n');
    assert.deepEqual(await later.read(), ['first']);
  });

  it('wait until the router was told, and not without end', async () => {
    const path = join(folder, 'many.jsonl');
    const parsed = parseAgentConfig(`node: {id: node1}\nrouter: {target: "unix:///run/cpn/r.sock"}\nsources: {runs: [${path}]}\n`);
    assert.ok(parsed.ok);
    const faults: string[] = [];
    const reports = new RunReports(parsed.config.sources.runs, (_path, reason) => void faults.push(reason));
    const state = nodeState(parsed.config, combine([]), new Map());
    await reports.read(state, 1000);
    writeFileSync(path, `${Array.from({ length: 600 }, (_, i) => line({ workload: i })).join('\n')}\nnonsense\n`);
    for (let i = 0; i < 4; i++) await reports.read(state, 2000);
    assert.deepEqual(faults, ['expected a line of JSON']);
    assert.equal(reports.next(1000).length, 512);
    assert.equal(reports.next(1)[0]!.workload, 88);
    reports.told(500);
    assert.equal(reports.next(1000).length, 12);
  });
});
