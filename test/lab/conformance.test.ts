/** The conformance suite against cpnd: a fast part of it; `npm run conformance -- --daemon cpnd` runs all. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Report } from '../conformance/report.js';

const main = fileURLToPath(new URL('../conformance/main.js', import.meta.url));
const run = promisify(execFile);
const parts = '7606,7607,1997,2918,4360,4456,4760,5492,6286,6608,6793,7313,7911,8092,8212,8950,9003,9072,9234,CPN';

describe('Conformance of cpnd', { skip: process.getuid?.() !== 0 }, () => {
  it('fails no MUST of the suite', { timeout: 120_000 }, async () => {
    const { stdout } = await run(process.execPath, [main, '--daemon', 'cpnd', '--json', '--only', parts], { maxBuffer: 16 << 20, timeout: 110_000 }).catch((error: unknown) => error as { stdout: string });
    const [report] = JSON.parse(stdout) as [Report];
    assert.deepEqual(report.crashes, []);
    const failed = report.rows.filter(({ level, result }) => level === 'MUST' && (result === 'fail' || result === 'inconclusive'));
    assert.deepEqual(failed.map(({ id, seen }) => `${id}: ${seen}`), []);
    assert.ok(report.rows.filter(({ result }) => result === 'pass').length > 150, `${report.rows.length} cases`);
  });
});
