import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showBgpSummary(bgp: Command, session: Session): void {
  bgp
    .command('summary')
    .description('one line a neighbor')
    .action(async () => {
      const summary = await session.call((methods) => methods.bgpMethods.getSummary, {});
      await session.answer(summary, async () => {
        const { duration, table, yes } = await import('../table.js');
        const rows = summary.neighbors.map((neighbor) => [
          neighbor.address,
          neighbor.as,
          neighbor.state,
          duration(neighbor.stateMs),
          neighbor.prefixesReceived,
          neighbor.prefixesSent,
          yes(neighbor.cpn),
          neighbor.flaps,
          neighbor.description,
        ]);
        return [
          `AS ${summary.as}, router id ${summary.routerId}, ${summary.routes} routes, ${summary.paths} paths`,
          table(['NEIGHBOR', 'AS', 'STATE', 'FOR', 'RECEIVED', 'SENT', 'CPN', 'FLAPS', 'DESCRIPTION'], rows, 'no neighbors'),
        ].join('\n');
      });
    });
}
