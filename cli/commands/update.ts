import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ComputingView, InstanceRef } from '../../daemon/northbound/facade.js';
import { instance, percent, quantity, whole } from '../arguments.js';
import { CommandFailure, EXIT_USAGE } from '../exit.js';
import type { Session } from '../session.js';
import { describeState } from './drain.js';

interface Options {
  readonly utilisation?: number;
  readonly queueLength?: number;
  readonly activeFlows?: number;
  readonly meanUs?: number;
  readonly p99Us?: number;
  readonly serviceRate?: number;
  readonly computing?: ComputingView[];
  readonly health?: 'up' | 'down' | 'auto';
}

const CLASSES = ['logical', 'parallel', 'neural'];
const CHIPS = ['mixed', 'cpu', 'gpu', 'dpu', 'npu', 'tpu', 'fpga'];

/** class:chip:residual[:total], such as parallel:gpu:4e12:1e13. Repeats. */
function computing(text: string, earlier: ComputingView[] | undefined): ComputingView[] {
  const [name = '', chip = '', residual = '', total, ...more] = text.split(':');
  if (!CLASSES.includes(name) || !CHIPS.includes(chip) || residual === '' || more.length > 0) {
    throw new InvalidArgumentError(`Expected CLASS:CHIP:RESIDUAL[:TOTAL] with class ${CLASSES.join('|')} and chip ${CHIPS.join('|')}.`);
  }
  // A total of 0 means: as it was.
  return [...(earlier ?? []), { class: name, chip, residual: quantity(residual), total: total === undefined ? 0n : quantity(total) }];
}

export function update(root: Command, session: Session): void {
  root
    .command('update')
    .description('tell the router the present state of a local instance')
    .argument('<instance>', 'SERVICE#ID, or ID when only one local instance has it', instance)
    .option('--utilisation <percent>', '0 to 100', percent)
    .option('--queue-length <number>', 'requests that wait', whole(0))
    .option('--active-flows <number>', 'flows in work', whole(0))
    .option('--mean-us <us>', 'mean time of a request without queueing', whole(0))
    .option('--p99-us <us>', '99th percentile of it', whole(0))
    .option('--service-rate <number>', 'requests per second, 0: unknown', whole(0))
    .option('--computing <class:chip:residual[:total]>', 'operations per second (4e12, 4T); repeats', computing)
    .addOption(new Option('--health <state>', 'overrides the health check until auto').choices(['up', 'down', 'auto']))
    .action(async (reference: InstanceRef, options: Options) => {
      if (Object.keys(options).length === 0) throw new CommandFailure(EXIT_USAGE, 'say what to update: --utilisation, --queue-length, --mean-us, --computing, --health ...');
      const { utilisation, queueLength, activeFlows, meanUs, p99Us, serviceRate } = options;
      const some = (...values: unknown[]): boolean => values.some((value) => value !== undefined);
      const state = await session.call((methods) => methods.computingMethods.updateInstance, {
        instance: reference,
        computing: options.computing ?? [],
        load: some(utilisation, queueLength, activeFlows) ? { utilisation, queueLength, activeFlows } : undefined,
        serviceDelay: some(meanUs, p99Us, serviceRate) ? { meanUs, p99Us, serviceRate } : undefined,
        health: options.health,
      });
      await session.answer(state, describeState);
    });
}
