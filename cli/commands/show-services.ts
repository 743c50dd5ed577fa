import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showServices(show: Command, session: Session): void {
  show
    .command('services')
    .description('one line a service')
    .action(async () => {
      const { services } = await session.call((methods) => methods.computingMethods.listServices, {});
      await session.answer(services, async () => {
        const { table } = await import('../table.js');
        const rows = services.map((service) => [
          service.service,
          service.candidates,
          service.feasible,
          service.local,
          service.best && `${service.best.exit}#${service.best.instance}`,
          service.flows,
          service.strategy,
          service.requirements,
        ]);
        return table(['SERVICE', 'CANDIDATES', 'FEASIBLE', 'LOCAL', 'BEST', 'FLOWS', 'STRATEGY', 'DEFAULT REQUIREMENTS'], rows, 'no services');
      });
    });
}
