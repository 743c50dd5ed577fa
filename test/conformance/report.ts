/** Findings as a table, as JSON, and side by side for several targets. */
import Table from 'cli-table3';
import type { Level } from './case.js';
import type { Finding } from './suite.js';
import type { Result } from './verdict.js';

/** One finding as it crosses from one process to another and stands in `--json`. */
export interface Row {
  readonly rfc: string;
  readonly id: string;
  readonly section: string;
  readonly level: Level;
  readonly title: string;
  readonly expects: string;
  readonly result: Result;
  readonly seen: string;
  readonly ms: number;
}

export interface Report {
  readonly target: string;
  readonly rows: readonly Row[];
  readonly seconds: number;
  /** What the daemon said each time it ended by itself. */
  readonly crashes: readonly string[];
}

export const toRow = ({ case: { rfc, id, section, level, title, expects }, result, seen, ms }: Finding): Row => ({ rfc, id, section, level, title, expects, result, seen, ms });

const results: readonly Result[] = ['pass', 'fail', 'not applicable', 'inconclusive'];

export const count = (rows: readonly Row[], result: Result, level?: Level): number => rows.filter((row) => row.result === result && (level === undefined || row.level === level)).length;

const crashText = (crashes: readonly string[]): string => `the speaker ended by itself ${crashes.length} times, first: ${crashes[0] ?? ''}`;

export const summary = ({ target, rows, seconds, crashes }: Report): string =>
  `${target}: ${rows.length} cases, ${results.map((result) => `${count(rows, result)} ${result}`).join(', ')}; ${count(rows, 'fail', 'MUST')} MUST failed; ${seconds.toFixed(0)} s${crashes.length === 0 ? '' : `; ${crashText(crashes)}`}`;

/** Met: it kept running, no MUST failed, and something was tested. What could not be decided is not held against the target, but it shows. */
export const isMet = ({ rows, crashes }: Report): boolean => crashes.length === 0 && count(rows, 'fail', 'MUST') === 0 && count(rows, 'pass') > 0;

export function printTable({ rows }: Report, width: number): string {
  const table = new Table({ head: ['RFC', 'section', 'level', 'case', 'what is done', 'result'], style: { head: [], border: [], compact: true }, wordWrap: true, colWidths: [6, 9, 8, 34, Math.max(30, width - 82), 16] });
  for (const { rfc, section, level, id, title, result } of rows) table.push([rfc, section, level, id.slice(rfc.length + 1), title, result]);
  const failures = rows.filter(({ result }) => result === 'fail' || result === 'inconclusive');
  const details = failures.map(({ id, section, level, expects, result, seen }) => `${result.toUpperCase()} ${id} (${level}, section ${section})\n  expected: ${expects}\n  seen: ${seen}`);
  return [table.toString(), ...details].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');

/** Results of several targets side by side, and what each fails. */
export function markdown(reports: readonly Report[], command: string): string {
  const first = reports[0];
  if (!first) return '';
  const lines = [
    '# Conformance results',
    '',
    `Written by \`${command}\`; what is tested and how: [README.md](README.md). n/a: the speaker does not offer it, or it cannot be configured.`,
    '',
    '| speaker | pass | fail MUST | fail SHOULD | n/a | inconclusive | time |',
    '|---|---|---|---|---|---|---|',
    ...reports.map(({ target, rows, seconds }) => `| ${target} | ${count(rows, 'pass')} | ${count(rows, 'fail', 'MUST')} | ${count(rows, 'fail', 'SHOULD')} | ${count(rows, 'not applicable')} | ${count(rows, 'inconclusive')} | ${seconds.toFixed(0)} s |`),
    ...reports.filter(({ crashes }) => crashes.length > 0).map(({ target, crashes }) => `\n${target}: ${cell(crashText(crashes))}. It was started again each time.`),
    '',
    '## All cases',
    '',
    `| RFC | section | level | case | what is done | ${reports.map(({ target }) => target).join(' | ')} |`,
    `|---|---|---|---|---|${reports.map(() => '---|').join('')}`,
  ];
  const byTarget = reports.map(({ rows }) => new Map(rows.map((row) => [row.id, row])));
  const words: Record<Result, string> = { pass: 'pass', fail: '**fail**', 'not applicable': 'n/a', inconclusive: 'inconclusive' };
  for (const { id, rfc, section, level, title } of first.rows) {
    const verdicts = byTarget.map((rows) => words[rows.get(id)?.result ?? 'inconclusive']);
    lines.push(`| ${rfc} | ${section} | ${level} | ${id.slice(rfc.length + 1)} | ${cell(title)} | ${verdicts.join(' | ')} |`);
  }
  for (const { target, rows } of reports) {
    const failed = rows.filter(({ result }) => result === 'fail' || result === 'inconclusive');
    lines.push('', `## ${target}: what failed or could not be decided`, '');
    if (failed.length === 0) lines.push('Nothing.');
    for (const { id, level, section, expects, result, seen } of failed) lines.push(`- **${id}** (${level}, section ${section}, ${result}). Expected: ${cell(expects)}. Seen: ${cell(seen.slice(0, 400))}`);
  }
  return `${lines.join('\n')}\n`;
}
