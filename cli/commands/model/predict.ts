import { Option, type Command } from 'commander';
import { address, quantity } from '../../arguments.js';
import type { Session } from '../../session.js';

interface Options {
  readonly work: bigint;
  readonly data: bigint;
  readonly class?: string;
}

export function modelPredict(parent: Command, session: Session): void {
  parent
    .command('predict')
    .description('how long a task would take at each candidate of a service now')
    .argument('<service>', 'service ID', address)
    .option('--work <quantity>', 'W, operations of the task (2e9, 2G)', quantity, 0n)
    .option('--data <quantity>', 'D, octets of the task', quantity, 0n)
    .addOption(new Option('--class <class>', 'computing class').choices(['logical', 'parallel', 'neural']))
    .action(async (service: string, { work, data, class: className }: Options) => {
      const forecast = await session.call((methods) => methods.modelMethods.predictDemand, { service, workload: work, dataSize: data, class: className });
      await session.answer(forecast, async () => {
        const { microseconds, scaled, table } = await import('../../table.js');
        const rows = forecast.candidates.map(({ exit, instance, capacity, computingUsed, estimate, statedUs }) => [
          `${exit}#${instance}`,
          scaled(BigInt(Math.round(capacity))),
          `${(computingUsed * 100).toFixed(1)}%`,
          microseconds(estimate?.latencyUs),
          estimate && `${microseconds(estimate.lowUs)!} to ${microseconds(estimate.highUs)!} (${(estimate.level * 100).toFixed(0)}%)`,
          estimate?.form,
          estimate && `${estimate.runs}${estimate.scope === '' ? ' of the service' : ' of this instance'}`,
          microseconds(statedUs),
          estimate ? (estimate.beyond.length > 0 ? `beyond what was observed: ${estimate.beyond.join(', ')}` : '') : 'no model',
        ]);
        return table(['EXIT#INSTANCE', 'CAPACITY', 'IN USE', 'PREDICTED', 'INTERVAL', 'FORM', 'RUNS', 'AS STATED', 'NOTE'], rows, 'no candidates');
      });
    });
}
