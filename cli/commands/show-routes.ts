import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showRoutes(show: Command, session: Session): void {
  show
    .command('routes')
    .description('unicast routes and whether the kernel has them')
    .action(async () => {
      const routes = await session.list((methods) => methods.routerMethods.listRoutes, {}, (batch) => batch.routes);
      await session.answer(routes, async () => {
        const { installed, table } = await import('../table.js');
        const rows = routes.map((route) => [
          route.best ? '*' : ' ',
          route.prefix,
          route.source,
          route.nextHops.map((hop) => [hop.via, hop.interface && `dev ${hop.interface}`].filter(Boolean).join(' ')).join(', '),
          `${route.distance}/${route.metric}`,
          route.peer,
          route.best ? installed(route) : '',
          [
            route.backups.map(({ via, interface: name, segments }) => [via, `dev ${name}`, segments.length > 0 && `by ${segments.join(',')}`].filter(Boolean).join(' ')).join(', '),
            route.backupActive ? '(in use)' : route.best && route.backups.length > 0 && !route.backupInstalled ? '(not installed)' : '',
          ]
            .filter(Boolean)
            .join(' '),
        ]);
        return table(['', 'PREFIX', 'SOURCE', 'NEXT HOPS', 'DIST/METRIC', 'PEER', 'INSTALLED', 'BACKUP'], rows, 'no routes');
      });
    });
}
