import type { Command } from 'commander';
import { address } from '../arguments.js';
import type { Session } from '../session.js';

export function showBgpNeighbors(bgp: Command, session: Session): void {
  bgp
    .command('neighbors')
    .description('all that is known of each neighbor, or of one')
    .argument('[address]', 'neighbor', address)
    .action(async (only: string | undefined) => {
      const { neighbors } = await session.call((methods) => methods.bgpMethods.listNeighbors, { address: only });
      await session.answer(neighbors, async () => {
        const { duration, facts } = await import('../table.js');
        const blocks = neighbors.map((neighbor) =>
          facts([
            ['neighbor', neighbor.address],
            ['description', neighbor.description],
            ['AS', neighbor.as],
            ['router id', neighbor.routerId],
            ['local address', neighbor.localAddress],
            ['group', neighbor.dynamic ? `${neighbor.group ?? 'none'} (dynamic)` : neighbor.group],
            ['state', `${neighbor.state} for ${duration(neighbor.stateMs)}`],
            ['hold time', duration(neighbor.holdTimeMs)],
            ['passive', neighbor.passive ? 'yes' : 'no'],
            ['service routes', neighbor.cpn ? 'yes' : 'no'],
            ['reflector client', neighbor.routeReflectorClient ? 'yes' : 'no'],
            ['import', neighbor.importPolicy],
            ['export', neighbor.exportPolicy],
            ['add-path', [neighbor.addPathReceive ? 'receive' : '', neighbor.addPathSend ? 'send' : ''].filter(Boolean).join(' and ')],
            ['capabilities', neighbor.capabilities.join(', ')],
            ['prefixes', `${neighbor.prefixesReceived} received, ${neighbor.prefixesSent} sent`],
            ['messages', `${neighbor.messagesReceived} received, ${neighbor.messagesSent} sent`],
            ['updates', `${neighbor.updatesReceived} received, ${neighbor.updatesSent} sent`],
            ['flaps', neighbor.flaps],
            ['last error', neighbor.lastError],
            ['shut down', neighbor.shutdown === '' ? 'yes' : neighbor.shutdown],
            ['role', neighbor.role],
            ['hop limit', neighbor.minimumHopLimit === undefined ? undefined : `${neighbor.minimumHopLimit} at least (GTSM)`],
            ['BFD', neighbor.bfd],
            ['TCP MD5', neighbor.md5 ? 'yes' : 'no'],
            ['End-of-RIB', neighbor.endOfRib.join(', ')],
            ['stale', neighbor.prefixesStale],
          ]),
        );
        return blocks.length === 0 ? 'no neighbors' : blocks.join('\n\n');
      });
    });
}
