import type { Command } from 'commander';
import { address } from '../arguments.js';
import { CommandFailure, EXIT_USAGE } from '../exit.js';
import { shutdownMessage } from './bgp-shutdown.js';
import type { Session } from '../session.js';

interface FlowOptions {
  readonly service?: string;
  readonly source?: string;
  readonly exit?: string;
  readonly all?: boolean;
}

export function clear(root: Command, session: Session): void {
  const command = root.command('clear').description('forget pinned flows, reset sessions');
  command
    .command('flow')
    .alias('flows')
    .description('forget pinned flows; their next packet is steered anew')
    .option('--service <address>', 'flows of this service', address)
    .option('--source <address>', 'flows of this client', address)
    .option('--exit <address>', 'flows to this exit', address)
    .option('--all', 'all flows')
    .action(async (options: FlowOptions) => {
      const filtered = options.service !== undefined || options.source !== undefined || options.exit !== undefined;
      if (filtered === (options.all === true)) throw new CommandFailure(EXIT_USAGE, 'say which flows: --service, --source and --exit (together: all must match), or --all');
      const filter = { service: options.service, source: options.source, exit: options.exit, limit: 0 };
      const answer = await session.call((methods) => methods.computingMethods.clearFlows, filter);
      await session.answer(answer, ({ cleared }) => `${cleared} flows cleared`);
    });
  command
    .command('bgp')
    .description('reset a session; soft: refresh routes both ways, the session stays')
    .argument('<neighbor>', 'neighbor', address)
    .argument('[soft]', 'soft')
    .option('--message <text>', 'words for the operator of the neighbor (RFC 9003)', shutdownMessage, '')
    .action(async (neighbor: string, soft: string | undefined, { message }: { readonly message: string }) => {
      if (soft !== undefined && soft !== 'soft') throw new CommandFailure(EXIT_USAGE, `expected "soft" after the neighbor, not ${JSON.stringify(soft)}`);
      await session.call((methods) => methods.bgpMethods.clearNeighbor, { address: neighbor, soft: soft === 'soft', message });
      await session.answer({ neighbor, soft: soft === 'soft' }, () => (soft ? `routes of ${neighbor} refreshed` : `session to ${neighbor} reset`));
    });
}
