import { Option, type Command } from 'commander';
import type { Session } from '../session.js';

export function benchmark(root: Command, session: Session): void {
  root
    .command('benchmark')
    .description('measure what the processors of this machine do, a second a class (works without the daemon)')
    .addOption(new Option('--class <class>', 'one class only').choices(['logical', 'parallel', 'neural']))
    .action(async (options: { readonly class?: 'logical' | 'parallel' | 'neural' }) => {
      const { measure, measureAll } = await import('../../daemon/agent/benchmark/benchmark.js');
      const results = options.class === undefined ? await measureAll() : [await measure(options.class)];
      await session.answer(results, async () => {
        const { scaled, table } = await import('../table.js');
        const whole = (value: number): string => scaled(BigInt(Math.round(value)));
        const percent = (value: number): string => `${(100 * value).toFixed(1)}%`;
        const rows = results.map((result) => [result.class, result.processors, whole(result.operations), whole(result.obtained), percent(result.spread), percent(result.share)]);
        return table(['CLASS', 'PROCESSORS', 'OPERATIONS/S', 'OBTAINED', 'SPREAD', 'PROCESSOR TIME'], rows);
      });
    });
}
