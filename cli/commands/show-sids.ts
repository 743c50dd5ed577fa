import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showSids(show: Command, session: Session): void {
  show
    .command('sids')
    .description('SRv6 SIDs of this router and whether the kernel has them')
    .action(async () => {
      const { sids } = await session.call((methods) => methods.routerMethods.listSids, {});
      await session.answer(sids, async () => {
        const { installed, table } = await import('../table.js');
        const rows = sids.map((sid) => [
          sid.sid,
          sid.behaviour,
          sid.table === undefined ? [sid.nextHop, sid.interface && `dev ${sid.interface}`].filter(Boolean).join(' ') : `table ${sid.table}`,
          sid.service && `${sid.service}#${sid.instance ?? ''}`,
          installed(sid),
        ]);
        return table(['SID', 'BEHAVIOUR', 'TO', 'INSTANCE', 'INSTALLED'], rows, 'no SIDs');
      });
    });
}
