import { InvalidArgumentError, type Command } from 'commander';
import { address } from '../arguments.js';
import type { Session } from '../session.js';

/** RFC 9003 section 2. */
const LONGEST_MESSAGE = 255;

/** The operator's words for the neighbor, in a NOTIFICATION. */
export function shutdownMessage(text: string): string {
  const octets = Buffer.byteLength(text);
  if (octets > LONGEST_MESSAGE) throw new InvalidArgumentError(`Expected at most ${LONGEST_MESSAGE} octets of UTF-8, not ${octets}.`);
  return text;
}

export function bgpShutdown(bgp: Command, session: Session): void {
  bgp
    .command('shutdown')
    .description('end a session until it is enabled again, or cpnd restarts')
    .argument('<neighbor>', 'neighbor', address)
    .option('--message <text>', 'words for the operator of the neighbor (RFC 9003)', shutdownMessage, '')
    .action(async (neighbor: string, { message }: { readonly message: string }) => {
      await session.call((methods) => methods.bgpMethods.shutdownNeighbor, { address: neighbor, message });
      await session.answer({ neighbor, shutdown: true }, () => `session to ${neighbor} shut down`);
    });
  bgp
    .command('enable')
    .description('let a session that was shut down come up again')
    .argument('<neighbor>', 'neighbor', address)
    .action(async (neighbor: string) => {
      await session.call((methods) => methods.bgpMethods.enableNeighbor, { address: neighbor });
      await session.answer({ neighbor, shutdown: false }, () => `session to ${neighbor} enabled`);
    });
}
