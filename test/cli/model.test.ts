/** `cpnctl model`, as a process: offline on files, and against a fake facade. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { formatRuns, type LabelledRun } from '../../daemon/computing/model/history.js';
import { NorthboundServer } from '../../daemon/northbound/server.js';
import { EXIT, FakeFacade, SERVICE } from '../daemon/northbound/fake-facade.js';
import { exponential, simulate } from '../daemon/computing/model/queue-simulation.js';
import { cpnctl, type Result } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'cpnctl-model-'));
const target = `unix://${join(folder, 'cpnd.sock')}`;
const facade = new FakeFacade();
let server: NorthboundServer;
before(async () => void (server = await NorthboundServer.start(facade, { listen: target })));
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
/** Nobody listens there: what works with it needs no daemon. */
const offline = (...args: string[]): Promise<Result> => cpnctl('--target', `unix://${folder}/nobody.sock`, ...args);
const online = (...args: string[]): Promise<Result> => cpnctl('--target', target, ...args);

const runs = Array.from({ length: 60 }, (_, i): LabelledRun => {
  const [workload, computingUsed] = [1e6 * (1 + (i % 13)), (i % 7) / 10];
  return { service: '', instance: '', workload, dataSize: 0, latencyUs: ((workload / 1e9) * 2e6) / (1 - computingUsed), state: { capacity: 1e9, computingUsed, storage: 0, storageUsed: 0, ioRate: 0 }, atMs: i };
});
const runsFile = file('runs.csv', formatRuns(runs));

describe('cpnctl model on files, without a daemon', () => {
  it('pool: the GTX 680 of the survey has 3.09 TFLOPS', async () => {
    const pool = file('gtx680.yaml', 'chips:\n  - {kind: gpu, model: GTX 680, cores: 1536, clock: 1006MHz}\n');
    const { stdout, status } = await offline('model', 'pool', pool);
    assert.equal(status, 0);
    assert.match(stdout, /parallel +1x gpu GTX 680 +3\.09T +1 +3\.09T/);
    assert.match(stdout, /parallel +3\.09T +- +0 +3\.09TFLOPS/);
    assert.match(stdout, /grade: medium/);
    const json = JSON.parse((await offline('--json', 'model', 'pool', pool)).stdout) as { class: string; total: number }[];
    assert.deepEqual(json.map(({ class: name, total }) => [name, total]), [['parallel', 3_090_432_000_000], ['neural', 3_090_432_000_000]]);
  });

  it('pool: peaks of the past give q, coefficients count', async () => {
    const pool = file('pool.json', JSON.stringify({ chips: [{ kind: 'gpu', model: 'x', count: 2, cores: 1000, clock: '1G' }], peaks: { parallel: ['3T', 3.4e12] }, alpha: { gpu: { neural: 8 } } }));
    const json = JSON.parse((await offline('--json', 'model', 'pool', pool)).stdout) as { class: string; total: number; redundancy: number }[];
    assert.deepEqual(json.map(({ class: name, total, redundancy }) => [name, total, redundancy]), [['parallel', 3.2e12, -0.8e12], ['neural', 32e12, 0]]);
  });

  it('pool: nonsense is refused with a reason', async () => {
    for (const [text, reason] of [['chips: [{kind: abacus}]', /"abacus" is not one of/], ['chips: [{kind: gpu, cores: many, clock: 1G}]', /cores of a gpu: NaN/], ['{}', /no chips and no history/], ['a: [', /pool-bad/]] as const) {
      const { stderr, status } = await offline('model', 'pool', file('pool-bad.yaml', text));
      assert.equal(status, 1, stderr);
      assert.match(stderr, reason);
    }
  });

  it('fit: compares the forms on runs held back', async () => {
    const { stdout, status } = await offline('model', 'fit', runsFile);
    assert.equal(status, 0);
    assert.match(stdout, /60 runs, each predicted by a model that had not seen it/);
    assert.match(stdout, /\* +queueing form/);
    const json = JSON.parse((await offline('--json', 'model', 'fit', runsFile)).stdout) as { chosen: string; errors: { queueing: { r2: number } } };
    assert.equal(json.chosen, 'queueing');
    assert.ok(json.errors.queueing.r2 > 0.999);
  });

  it('fit: single requests and rates become a queue', async () => {
    const requests = simulate({ servers: 2, rate: 150, service: exponential(10), requests: 2000, seed: 2 });
    const path = file('requests.csv', `arrivalMs,startMs,endMs\n${requests.map(({ arrivalMs, startMs, endMs }) => `${arrivalMs},${startMs},${endMs}`).join('\n')}\n`);
    assert.match((await offline('model', 'fit', path, '--rate', '160')).stdout, /from 2000 samples: 2 servers, service/);
    const full = await offline('model', 'fit', path, '--rate', '100000');
    assert.equal(full.status, 1);
    assert.match(full.stderr, /grows without end/);
    const rates = file('rates.csv', 'rate,latencyUs\n10,1010\n200,1250\n500,2000\n800,5000\n');
    assert.match((await offline('model', 'fit', rates)).stdout, /1 servers, service 1(000us|ms)/);
  });

  it('fit: says which line is wrong, and refuses what is no history', async () => {
    const half = file('half.csv', `${formatRuns(runs)},,0,-5,0,1,1,0,0,0,0\n`);
    const { stderr, status } = await offline('model', 'fit', half);
    assert.equal(status, 0);
    assert.match(stderr, /line 62: workload/);
    for (const [text, reason] of [['', /empty/], ['x,y\n1,2\n', /expected those of runs/], [formatRuns(runs.slice(0, 3)), /at least 10/]] as const) {
      const result = await offline('model', 'fit', file('bad.csv', text));
      assert.equal(result.status, 1);
      assert.match(result.stderr, reason);
    }
    assert.equal((await offline('model', 'fit', join(folder, 'none.csv'))).status, 1);
  });

  it('plot: draws fit and residuals', async () => {
    const svg = join(folder, 'out.svg');
    const { stdout, status } = await offline('model', 'plot', runsFile, '-o', svg);
    assert.equal(status, 0);
    assert.match(stdout, /60 runs drawn into/);
    assert.match(readFileSync(svg, 'utf8'), /^<svg [\s\S]*residuals of the queueing form[\s\S]*<\/svg>\n$/);
    assert.equal((await offline('model', 'plot', runsFile)).status, 2);
  });
});

describe('cpnctl model at a router', () => {
  it('show: models with their errors, and why there is none', async () => {
    const { stdout } = await online('model', 'show', SERVICE);
    assert.match(stdout, /queueing +351us +400us +9ms +4\.0% +0\.97 +x0\.90 to x1\.20 \(90\.0%\)/);
    assert.match(stdout, /5 runs: at least 10 are needed/);
    assert.deepEqual(facade.calls.at(-1), { models: SERVICE });
  });

  it('predict: every candidate with its interval, or that there is no model', async () => {
    const { stdout } = await online('model', 'predict', SERVICE, '--work', '2G', '--data', '4k');
    assert.match(stdout, new RegExp(`${EXIT}#1 +1T +25\\.0% +4\\.8ms +4ms to 6ms \\(90%\\) +queueing +120 of the service +5\\.2ms`));
    assert.match(stdout, /no model/);
    assert.deepEqual(facade.calls.at(-1), { predict: { service: SERVICE, workload: 2_000_000_000n, dataSize: 4000n, class: undefined } });
    const json = JSON.parse((await online('--json', 'model', 'predict', SERVICE, '--class', 'neural')).stdout) as { candidates: { estimate: { highUs: number } | null }[] };
    assert.equal(json.candidates[0]!.estimate!.highUs, 6000);
    assert.equal(json.candidates[1]!.estimate, null);
    assert.equal((await online('model', 'predict', '2001:db8::99')).status, 1);
    assert.equal((await online('model', 'predict', SERVICE, '--work', 'much')).status, 2);
  });

  it('import: gives runs to the router, in the name of a service', async () => {
    assert.match((await online('model', 'import', runsFile)).stderr, /say which by --service/);
    const { stdout, status } = await online('model', 'import', runsFile, '--service', SERVICE);
    assert.equal(status, 0);
    assert.match(stdout, /60 runs taken, 1 refused\nrun 3: latency/);
  });

  it('pool and plot take what the router knows', async () => {
    assert.match((await online('model', 'pool', 'node7')).stdout, /2x gpu GTX 680/);
    assert.equal((await online('model', 'pool', 'nobody')).status, 1);
    facade.taskRuns = runs.map(({ state, ...run }) => ({ ...run, ...state, service: SERVICE }));
    assert.match((await online('model', 'plot', SERVICE, '-o', join(folder, 'service.svg'))).stdout, /60 runs drawn/);
    facade.taskRuns = [];
    assert.match((await online('model', 'plot', SERVICE, '-o', join(folder, 'service.svg'))).stderr, /no runs of a service/);
  });
});
