import type { Command } from 'commander';
import { prefix } from '../arguments.js';
import type { Session } from '../session.js';

export function showBgpRoutes(bgp: Command, session: Session): void {
  bgp
    .command('routes')
    .description('every path of every prefix, or of one')
    .argument('[prefix]', 'prefix', prefix)
    .action(async (only: string | undefined) => {
      const routes = await session.list((methods) => methods.bgpMethods.listBgpRoutes, { prefix: only }, (batch) => batch.routes);
      await session.answer(routes, async () => {
        const { table } = await import('../table.js');
        const rows = routes.flatMap((route) =>
          route.paths.map((path, index) => [
            index === 0 ? route.prefix : ' ',
            `${path.best ? '*' : ' '}${path.stale ? 'S' : ' '}`,
            path.peer,
            path.pathId,
            path.nextHop,
            path.localPref,
            path.med,
            path.asPath,
            [...path.communities, ...path.extendedCommunities, ...path.largeCommunities].join(' '),
            path.cpn && `${path.cpn.exit} #${path.cpn.instances.join(',#')}`,
            path.rejected ? `rejected: ${path.reason}` : path.reason,
          ]),
        );
        return table(['PREFIX', '', 'PEER', 'PATH', 'NEXT HOP', 'PREF', 'MED', 'AS PATH', 'COMMUNITIES', 'COMPUTING', 'REASON'], rows, 'no routes');
      });
    });
}
