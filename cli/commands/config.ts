import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ConfigAnswer } from '../../daemon/northbound/facade.js';
import { CommandFailure, EXIT_NO } from '../exit.js';
import type { Session } from '../session.js';

const EFFECTS: Readonly<Record<string, string>> = { now: 'takes effect at once', session: 'resets the session', restart: 'needs a restart of cpnd' };

function describe(answer: ConfigAnswer, none: string): string {
  const lines = [
    ...answer.problems.map(({ file, line, column, field, expected, found }) => `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}expected ${expected}, found ${found}`),
    ...answer.warnings.map(({ file, line, column, field, text }) => `${file}:${line}:${column}: warning: ${field === '' ? '' : `${field}: `}${text}`),
    ...answer.changes.map(({ field, before, after, effect }) => `${field}: ${before ?? 'nothing'} -> ${after ?? 'nothing'} (${EFFECTS[effect] ?? effect})`),
  ];
  if (answer.ok && answer.changes.length === 0) lines.push(none);
  return lines.join('\n');
}

async function report(session: Session, answer: ConfigAnswer, none: string): Promise<void> {
  if (!answer.ok) session.exitStatus = EXIT_NO;
  await session.answer(answer, () => describe(answer, none));
}

export function config(root: Command, session: Session): void {
  const command = root.command('config').description('check, compare and reload configurations');
  command
    .command('check')
    .description('check a file, without the daemon')
    .argument('<file>', 'configuration file')
    .action(async (file: string) => {
      const { loadConfig } = await import('../../daemon/config/load.js');
      const result = loadConfig(file);
      await report(session, { ok: result.ok, problems: result.ok ? [] : result.errors, warnings: result.ok ? result.warnings : [], changes: [] }, `${file}: good`);
    });
  command
    .command('diff')
    .description('compare a file with the running configuration; changes nothing')
    .argument('<file>', 'configuration file')
    .action(async (file: string) => {
      let text: string;
      try {
        text = readFileSync(file, 'utf8');
      } catch (error) {
        throw new CommandFailure(EXIT_NO, error instanceof Error ? error.message : String(error));
      }
      await report(session, await session.call((methods) => methods.routerMethods.diffConfig, { text, file: resolve(file) }), 'no difference');
    });
  command
    .command('reload')
    .description("take over the daemon's own file again, when it is good")
    .action(async () => {
      await report(session, await session.call((methods) => methods.routerMethods.reloadConfig, {}), 'nothing changed');
    });
}
