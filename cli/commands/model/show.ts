import type { Command } from 'commander';
import { address } from '../../arguments.js';
import type { Session } from '../../session.js';

export function modelShow(parent: Command, session: Session): void {
  parent
    .command('show')
    .description('demand models of every service, or of one: how they were chosen, and how far they are off')
    .argument('[service]', 'service ID', address)
    .action(async (service: string | undefined) => {
      const { models } = await session.call((methods) => methods.modelMethods.listDemandModels, { service });
      await session.answer(models, async () => {
        const { duration, microseconds, table } = await import('../../table.js');
        const percent = (share: number | undefined): string | undefined => (share === undefined ? undefined : `${(share * 100).toFixed(1)}%`);
        const rows = models.map((entry) => {
          const errors = entry.chosen === 'forest' ? entry.forest : entry.queueing;
          return [
            entry.service,
            entry.scope === '' ? 'service' : entry.scope,
            entry.runs,
            entry.chosen,
            microseconds(entry.queueing?.maeUs),
            microseconds(entry.forest?.maeUs),
            microseconds(entry.mean?.maeUs),
            percent(errors?.mape),
            errors && Number(errors.r2.toFixed(3)),
            entry.low === undefined || entry.high === undefined ? undefined : `x${entry.low.toFixed(2)} to x${entry.high.toFixed(2)} (${percent(entry.level) ?? ''})`,
            entry.fittedMs === undefined ? undefined : duration(entry.fittedMs),
            entry.reason,
          ];
        });
        return table(['SERVICE', 'OF', 'RUNS', 'FORM', 'MAE QUEUEING', 'MAE FOREST', 'MAE MEAN', 'MAPE', 'R2', 'INTERVAL', 'FITTED', 'NOTE'], rows, 'no observed runs');
      });
    });
}
