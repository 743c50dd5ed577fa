import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showTelemetry(show: Command, session: Session): void {
  show
    .command('telemetry')
    .description('BMP stations, MRT files, metrics endpoint')
    .action(async () => {
      const collectors = await session.call((methods) => methods.telemetryMethods.getCollectors, {});
      await session.answer(collectors, async () => {
        const { table, yes } = await import('../table.js');
        const { bmp, mrt, metrics } = collectors;
        const rows = bmp.map(({ station, connected, connections, messages, octets, givenUp }) => [station, yes(connected), connections, messages.toString(), octets.toString(), givenUp]);
        return [
          `metrics: ${metrics ?? 'not served'}`,
          `MRT updates: ${mrt ? `${mrt.written} records written, ${mrt.dropped} dropped` : 'not written'}`,
          table(['BMP STATION', 'CONNECTED', 'CONNECTIONS', 'MESSAGES', 'OCTETS', 'GIVEN UP'], rows, 'no BMP stations'),
        ].join('\n');
      });
    });
}
