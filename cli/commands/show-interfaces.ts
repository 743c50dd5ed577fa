import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showInterfaces(show: Command, session: Session): void {
  show
    .command('interfaces')
    .description('interfaces, their role in the SR domain and their addresses')
    .action(async () => {
      const { interfaces } = await session.call((methods) => methods.routerMethods.listInterfaces, {});
      await session.answer(interfaces, async () => {
        const { colours, table } = await import('../table.js');
        const rows = interfaces.map((entry) => [entry.name, entry.index, entry.role, entry.up ? colours.green('up') : colours.red('down'), entry.mtu, entry.addresses.join(' ')]);
        return table(['INTERFACE', 'INDEX', 'ROLE', 'STATE', 'MTU', 'ADDRESSES'], rows, 'no interfaces');
      });
    });
}
