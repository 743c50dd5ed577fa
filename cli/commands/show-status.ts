import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showStatus(show: Command, session: Session): void {
  show
    .command('status')
    .description('what this router is and how much it holds')
    .action(async () => {
      const status = await session.call((methods) => methods.routerMethods.getStatus, {});
      await session.answer(status, async () => {
        const { duration, facts, table } = await import('../table.js');
        const text = facts([
          ['name', status.name],
          ['version', status.version],
          ['router id', status.id],
          ['AS', status.as],
          ['loopback', status.loopback],
          ['locator', status.locator],
          ['up', duration(status.uptimeMs)],
          ['configuration', status.configFile],
          ['dataplane', status.dataplane],
          ['BGP sessions', `${status.bgpEstablished} of ${status.bgpConfigured} established`],
          ['routes', status.routes],
          ['services', status.services],
          ['candidates', status.candidates],
          ['policies', status.policies],
          ['flows', status.flows],
          ...status.notes.map((note) => ['note', note] as const),
        ]);
        const counters = Object.entries(status.counters);
        return counters.length === 0 ? text : `${text}\n\n${table(['COUNTER', 'VALUE'], counters)}`;
      });
    });
}
