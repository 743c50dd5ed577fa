import type { Command } from 'commander';
import { address } from '../arguments.js';
import type { Session } from '../session.js';

export function showFib(show: Command, session: Session): void {
  show
    .command('fib')
    .description('policies of every service, or of one: segment lists and whether they are programmed')
    .argument('[service]', 'service ID', address)
    .action(async (only: string | undefined) => {
      const services = await session.list((methods) => methods.computingMethods.listPolicies, { service: only }, (batch) => batch.services);
      await session.answer(services, async () => {
        const { installed, table } = await import('../table.js');
        const rows = services.flatMap((entry) =>
          entry.policies.map((policy, index) => [
            index === 0 ? entry.service : ' ',
            policy.id,
            policy.side ?? policy.kind,
            `${policy.exit}#${policy.instance}`,
            policy.segments.join(' '),
            Number(policy.weight.toFixed(3)),
            policy.mtu,
            policy.flows,
            installed(policy),
          ]),
        );
        return table(['SERVICE', 'POLICY', 'AS', 'EXIT#INSTANCE', 'SEGMENTS', 'WEIGHT', 'MTU', 'FLOWS', 'INSTALLED'], rows, 'no policies');
      });
    });
}
