import type { Command } from 'commander';
import { address } from '../../arguments.js';
import { CommandFailure, EXIT_NO } from '../../exit.js';
import type { Session } from '../../session.js';
import { readRuns } from './files.js';

/** Runs of one request. */
const BATCH = 500;

export function modelImport(parent: Command, session: Session): void {
  parent
    .command('import')
    .description('give the router observed runs out of a file (CSV or JSON lines)')
    .argument('<file>', 'runs')
    .option('--service <service>', 'service of runs that name none', address)
    .action(async (file: string, { service }: { service?: string }) => {
      const runs = (await readRuns(file)).map(({ state, ...run }) => ({ ...run, ...state, service: run.service === '' ? (service ?? '') : run.service }));
      if (runs.some((run) => run.service === '')) throw new CommandFailure(EXIT_NO, `${file}: some runs name no service: say which by --service`);
      const total = { taken: 0, refused: 0, faults: [] as string[] };
      for (let at = 0; at < runs.length; at += BATCH) {
        const answer = await session.call((methods) => methods.modelMethods.addTaskRuns, { runs: runs.slice(at, at + BATCH) });
        total.taken += answer.taken;
        total.refused += answer.refused;
        total.faults.push(...answer.faults);
      }
      if (total.taken === 0) session.exitStatus = EXIT_NO;
      await session.answer(total, ({ taken, refused, faults }) => [`${taken} runs taken, ${refused} refused`, ...faults].join('\n'));
    });
}
