import type { Command } from 'commander';
import type { FlowView } from '../../daemon/northbound/facade.js';
import { address, whole } from '../arguments.js';
import type { Session } from '../session.js';

interface Options {
  readonly service?: string;
  readonly source?: string;
  readonly exit?: string;
  readonly limit?: number;
}

/** A table of more lines is of no use to a person; JSON is complete unless told otherwise. */
const TABLE_LIMIT = 1000;

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' };

export const protocolName = (protocol: number): string => PROTOCOLS[protocol] ?? String(protocol);

/** [2001:db8::1]:443; without ports the address alone. */
export const endpoint = (text: string, port: number): string => (port === 0 ? text : text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`);

export function showFlows(show: Command, session: Session): void {
  show
    .command('flows')
    .description('pinned flows with their counters')
    .option('--service <address>', 'only flows of this service', address)
    .option('--source <address>', 'only flows of this client', address)
    .option('--exit <address>', 'only flows to this exit', address)
    .option('--limit <number>', `at most so many, 0: all (default: all in JSON, ${TABLE_LIMIT} in a table)`, whole(0))
    .action(async (options: Options) => {
      const limit = options.limit ?? (session.json ? 0 : TABLE_LIMIT);
      const filter = { service: options.service, source: options.source, exit: options.exit, limit };
      const flows: FlowView[] = await session.list((methods) => methods.computingMethods.listFlows, filter, (batch) => batch.flows);
      await session.answer(flows, async () => {
        const { duration, table } = await import('../table.js');
        const rows = flows.map((flow) => [
          protocolName(flow.protocol),
          endpoint(flow.source, flow.sourcePort),
          endpoint(flow.destination, flow.destinationPort),
          flow.policy,
          flow.side ?? flow.kind,
          flow.exit,
          flow.packets,
          flow.bytes,
          duration(flow.ageMs),
          duration(flow.idleMs),
        ]);
        const text = table(['PROTOCOL', 'SOURCE', 'DESTINATION', 'POLICY', 'AS', 'EXIT', 'PACKETS', 'BYTES', 'AGE', 'IDLE'], rows, 'no flows');
        return limit > 0 && flows.length === limit ? `${text}\n(the first ${limit}; --limit 0 shows all)` : text;
      });
    });
}
