import type { Command } from 'commander';
import type { Session } from '../session.js';

export function bgpDump(bgp: Command, session: Session): void {
  bgp
    .command('dump')
    .description('write all BGP paths to a file of the router, in MRT format (RFC 6396)')
    .argument('<file>', 'absolute path; bgpdump and other readers of MRT take it')
    .action(async (path: string) => {
      const dump = await session.call((methods) => methods.telemetryMethods.dumpTable, { path });
      await session.answer({ path, ...dump }, () => `${dump.paths} paths of ${dump.prefixes} prefixes in ${path}`);
    });
}
