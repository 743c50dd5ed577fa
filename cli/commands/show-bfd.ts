import type { Command } from 'commander';
import { address } from '../arguments.js';
import type { Session } from '../session.js';

export function showBfd(show: Command, session: Session): void {
  show
    .command('bfd')
    .description('BFD sessions, or all that is known of those with one peer')
    .argument('[peer]', 'peer', address)
    .action(async (peer: string | undefined) => {
      const { sessions } = await session.call((methods) => methods.bfdMethods.listBfdSessions, { peer });
      await session.answer(sessions, async () => {
        const { duration, facts, table } = await import('../table.js');
        if (peer === undefined) {
          const rows = sessions.map((entry) => [
            entry.peer,
            entry.interface,
            entry.local,
            entry.state,
            entry.remoteState,
            duration(entry.detectionTimeMs),
            `${duration(entry.transmitIntervalMs)}/${duration(entry.receiveIntervalMs)}`,
            entry.multiplier,
            entry.clients.join(', '),
            entry.flaps,
            entry.uptimeMs === undefined ? undefined : duration(entry.uptimeMs),
            entry.error ?? (entry.state === 'up' ? '' : entry.diagnostic),
          ]);
          return table(['PEER', 'INTERFACE', 'LOCAL', 'STATE', 'REMOTE', 'DETECTION', 'TX/RX', 'MULTIPLIER', 'CLIENTS', 'FLAPS', 'UPTIME', 'REASON'], rows, 'no BFD sessions');
        }
        const blocks = sessions.map((entry) =>
          facts([
            ['peer', entry.peer],
            ['interface', entry.interface],
            ['local address', entry.local],
            ['kind', entry.multihop ? 'multihop' : 'single hop'],
            ['state', `${entry.state} for ${duration(entry.stateMs)}`],
            ['diagnostic', entry.diagnostic],
            ['remote state', entry.remoteState],
            ['remote diagnostic', entry.remoteDiagnostic],
            ['discriminators', `${entry.discriminator} here, ${entry.remoteDiscriminator} there`],
            ['clients', entry.clients.join(', ')],
            ['profile', `${entry.profile}${entry.passive ? ' (passive)' : ''}`],
            ['authentication', entry.authentication],
            ['detection time', duration(entry.detectionTimeMs)],
            ['intervals', `${duration(entry.transmitIntervalMs)} sent, ${duration(entry.receiveIntervalMs)} received`],
            ['multipliers', `${entry.multiplier} here, ${entry.remoteMultiplier} there`],
            ['remote wants', `${duration(entry.remoteMinTxMs)} to send, ${duration(entry.remoteMinRxMs)} to receive`],
            ['remote flags', [entry.demand ? 'demand' : '', entry.controlPlaneIndependent ? 'control plane independent' : ''].filter(Boolean).join(', ')],
            ['flaps', entry.flaps],
            ['counters', Object.entries(entry.counters).map(([name, count]) => `${name} ${count.toString()}`).join(', ')],
            ['history', entry.history.map(({ unixMs, state, diagnostic }) => `${new Date(Number(unixMs)).toISOString()} ${state} (${diagnostic})`).join('; ')],
            ['error', entry.error],
          ]),
        );
        return blocks.join('\n\n');
      });
    });
}
