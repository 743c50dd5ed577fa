#!/usr/bin/env node
/**
 * `npm run conformance`: tries a BGP speaker from the outside, by RFC and case. Exit status: 0 when the target failed no MUST, 1 when it
 * did or could not be tested, 2 for a wrong command line.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readOptions, type Options, usage, UsageError } from './options.js';
import { isMet, printTable, type Report, markdown, type Row, summary, toRow } from './report.js';
import { runSuite } from './suite.js';
import type { Profile } from './target.js';
import { collectorAs, type Daemon, password, servicePrefix, targetAs, testerAs } from './targets/daemon.js';
import { addressesOf, targetAddress, targetAddress4, testerAddress4 } from './targets/network.js';
import { daemons, runBeside } from './targets/run.js';

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const note = (text: string): void => void process.stderr.write(`${text}\n`);

function versionOf(daemon: Daemon): string {
  try {
    return daemon.version();
  } catch (error) {
    throw new UsageError(`${daemon.name} is not installed on this machine (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Runs this program beside a daemon, as anyone would against a target of their own. */
async function tryDaemon(daemon: Daemon, options: Options): Promise<Report> {
  const name = versionOf(daemon);
  note(`${name}:`);
  const peers = daemon.profiles.flatMap((profile: Profile) => (profile === 'external' || profile === 'collector' ? [] : ['--peer', `${profile}=${addressesOf(profile).join(',')}`]));
  const own = [process.execPath, fileURLToPath(import.meta.url), '--json', '--name', name, '--target', targetAddress, '--as', String(targetAs), '--my-as', String(testerAs)];
  const addresses = ['--source', addressesOf('external').join(','), '--collector-address', addressesOf('collector').join(','), '--collector-as', String(collectorAs), ...peers];
  const further = ['--next-hop4', testerAddress4, '--target-address4', targetAddress4, '--password', password, '--service-prefix', servicePrefix, '--jobs', String(options.jobs)];
  const { stdout, crashes } = await runBeside(daemon, [...own, ...addresses, ...further, ...(options.only === undefined ? [] : ['--only', options.only])]);
  if (stdout === '') throw new Error(`the tester ended without a result${crashes.length === 0 ? '' : `; ${crashes[0]!}`}`);
  const [report] = JSON.parse(stdout) as [Report];
  return { ...report, crashes };
}

async function reportsOf(options: Options): Promise<Report[]> {
  const { mode } = options;
  if (mode.kind === 'target') {
    const started = performance.now();
    const rows: Row[] = (await runSuite(options.cases, mode.target, options.jobs, ({ case: { id }, result, seen, ms }) => {
      if (result !== 'pass') note(`  ${result}: ${id} (${ms} ms) ${seen.slice(0, 300)}`);
    })).map(toRow);
    return [{ target: mode.target.name, rows, seconds: (performance.now() - started) / 1000, crashes: [] }];
  }
  const reports: Report[] = [];
  if (mode.kind === 'daemon') for (const name of mode.names) reports.push(await tryDaemon(daemons.find((daemon) => daemon.name === name)!, options));
  return reports;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options.mode.kind === 'list') {
    for (const { id, level, section, title } of options.cases) print(`${id.padEnd(40)} ${level.padEnd(6)} ${section.padEnd(8)} ${title}`);
    print(`${options.cases.length} cases`);
    return 0;
  }
  const reports = await reportsOf(options);
  if (options.json) print(JSON.stringify(reports));
  else {
    for (const report of reports) print(printTable(report, process.stdout.columns || 140));
    for (const report of reports) print(summary(report));
  }
  if (options.markdown !== undefined) writeFileSync(options.markdown, markdown(reports, `npm run conformance -- ${process.argv.slice(2).join(' ')}`));
  return reports.length > 0 && reports.every(isMet) ? 0 : 1;
}

// Namespaces and daemons are taken down as the process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    const unparsed = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!(error instanceof UsageError) && !unparsed) {
      note(`conformance: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      process.exit(1);
    }
    note(`${error.message}\n${usage}`);
    process.exit(2);
  },
);
