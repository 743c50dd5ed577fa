import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bashScript, completionNodes, fishScript, zshScript } from '../../cli/completion-scripts.js';
import { buildProgram } from '../../cli/program.js';

const { program } = buildProgram();
const folder = mkdtempSync(join(tmpdir(), 'completion-'));
after(() => rmSync(folder, { recursive: true }));

/** What bash offers for a line; the last word is the one under the cursor. */
function complete(...words: string[]): string[] {
  const script = `${bashScript(program)}
COMP_WORDS=(cpnctl ${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length}
compopt() { :; }
_cpnctl
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: folder });
  assert.equal(run.stderr, '');
  return run.stdout.split('\n').filter(Boolean).sort();
}

describe('bash completion', () => {
  it('offers the commands at each level', () => {
    assert.deepEqual(complete('sh'), ['show']);
    assert.deepEqual(complete('show', 'bgp', ''), ['neighbors', 'policy', 'routes', 'summary']);
    assert.deepEqual(complete('show', 'computing', 'r'), ['rib']);
    assert.deepEqual(complete('monitor', ''), ['bgp', 'flows', 'ospf', 'rib']);
  });

  it('skips global options and their values on the way', () => {
    assert.deepEqual(complete('--json', '--target', 'show', 'show', 'f'), ['fib', 'flows']);
  });

  it('offers options after a dash, those of the program too', () => {
    assert.deepEqual(complete('show', 'flows', '--'), ['--exit', '--json', '--limit', '--service', '--source', '--target']);
  });

  it('offers the choices of an option, and nothing for a free value', () => {
    assert.deepEqual(complete('explain', '2001:db8::1', '--class', ''), ['logical', 'neural', 'parallel']);
    assert.deepEqual(complete('show', 'flows', '--limit', ''), []);
  });

  it('offers words of arguments, and files where a file is wanted', () => {
    assert.deepEqual(complete('completion', ''), ['bash', 'fish', 'zsh']);
    assert.deepEqual(complete('clear', 'bgp', 'fc00::1', 's'), ['soft']);
    writeFileSync(join(folder, 'new.yaml'), '');
    assert.deepEqual(complete('config', 'check', 'n'), ['new.yaml']);
  });
});

describe('zsh and fish completion', () => {
  it('know every command path', () => {
    for (const { path } of completionNodes(program)) {
      assert.ok(zshScript(program).includes(`'${path}'`), path);
      assert.ok(fishScript(program).includes(`'${path}'`) || fishScript(program).includes(`\\''${path}'\\''`), path);
    }
  });

  for (const [shell, script] of [['zsh', zshScript(program)], ['fish', fishScript(program)]] as const) {
    it(`${shell} reads its script`, { skip: spawnSync(shell, ['--version']).status !== 0 && `${shell} is not installed` }, () => {
      const file = join(folder, `script.${shell}`);
      writeFileSync(file, script);
      const run = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
      assert.deepEqual([run.status, run.stderr], [0, '']);
    });
  }
});
