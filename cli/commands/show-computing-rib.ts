import type { Command } from 'commander';
import { address } from '../arguments.js';
import type { Session } from '../session.js';

export function showComputingRib(computingCommand: Command, session: Session): void {
  computingCommand
    .command('rib')
    .description('candidates of every service, or of one')
    .argument('[service]', 'service ID', address)
    .action(async (only: string | undefined) => {
      const services = await session.list((methods) => methods.computingMethods.listCandidates, { service: only }, (batch) => batch.services);
      await session.answer(services, async () => {
        const { cats, computing, duration, load, microseconds, table } = await import('../table.js');
        const rows = services.flatMap((entry) =>
          entry.candidates.map((candidate, index) => [
            index === 0 ? entry.service : ' ',
            `${candidate.best ? '*' : ' '}${candidate.feasible ? ' ' : '!'}${candidate.stale ? 'S' : ' '}${candidate.aggregate ? 'A' : ' '}`,
            `${candidate.exit}#${candidate.instance}`,
            candidate.sid,
            candidate.source,
            computing(candidate.computing),
            load(candidate.load),
            microseconds(candidate.serviceDelayUs),
            microseconds(candidate.pathDelayUs),
            candidate.cost,
            Number(candidate.weight.toFixed(3)),
            candidate.grade,
            cats(candidate.cats),
            duration(candidate.ageMs),
            candidate.draining ? `draining ${candidate.reason}`.trim() : candidate.reason,
          ]),
        );
        const heading = ['SERVICE', '', 'EXIT#INSTANCE', 'SID', 'SOURCE', 'COMPUTING', 'LOAD', 'SERVICE DELAY', 'PATH DELAY', 'COST', 'WEIGHT', 'GRADE', 'CATS', 'AGE', 'NOTE'];
        return table(heading, rows, 'no candidates');
      });
    });
}
