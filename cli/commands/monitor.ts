import type { Command } from 'commander';
import type { BgpChange, FlowChange, OspfChange, RibChange } from '../../proto/methods.js';
import type { BgpUpdateView } from '../../daemon/northbound/telemetry.js';
import { address, prefix, whole } from '../arguments.js';
import { CommandFailure, EXIT_USAGE } from '../exit.js';
import { toJson } from '../json.js';
import type { Session } from '../session.js';
import { endpoint, protocolName } from './show-flows.js';

/** Prints one line a change until interrupted; with --json the change itself, one JSON object a line. */
async function lines<T>(session: Session, run: (each: (change: T) => void, signal: AbortSignal) => Promise<void>, text: (change: T) => string): Promise<void> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    await run((change) => session.print(session.json ? toJson(change) : `${new Date().toISOString()} ${text(change)}`), abort.signal);
  } finally {
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  }
}

function monitorRib(monitor: Command, session: Session): void {
  monitor
    .command('rib')
    .description('candidates as they come, change and go')
    .argument('[service]', 'service ID', address)
    .action((service: string | undefined) =>
      lines<RibChange>(
        session,
        (each, signal) => session.watch((methods) => methods.watchMethods.watchRib, { service }, each, signal),
        ({ change, service: entry }) => {
          if (!entry) return change;
          const candidates = entry.candidates.map((candidate) => {
            const marks = `${candidate.best ? '*' : ''}${candidate.feasible ? '' : '!'}${candidate.stale ? 'S' : ''}`;
            const path = candidate.pathDelayUs === undefined ? '?' : Math.round(candidate.pathDelayUs);
            const service = candidate.serviceDelayUs === undefined ? '?' : Math.round(candidate.serviceDelayUs);
            return `${marks}${candidate.exit}#${candidate.instance} path ${path}us service ${service}us weight ${Number(candidate.weight.toFixed(3))}`;
          });
          return `${change} ${entry.service} ${candidates.join(' | ')}`.trimEnd();
        },
      ),
    );
}

function monitorFlows(monitor: Command, session: Session): void {
  monitor
    .command('flows')
    .description('flows as they are pinned, counted and gone')
    .option('--service <address>', 'only flows of this service', address)
    .option('--interval <ms>', 'how often they are read', whole(100), 1000)
    .option('--limit <number>', 'at most so many, 0: all', whole(0), 1000)
    .action((options: { service?: string; interval: number; limit: number }) =>
      lines<FlowChange>(
        session,
        (each, signal) => {
          const filter = { service: options.service, source: undefined, exit: undefined, limit: options.limit };
          return session.watch((methods) => methods.watchMethods.watchFlows, { filter, intervalMs: options.interval }, each, signal);
        },
        ({ change, flow }) =>
          flow
            ? `${change} ${protocolName(flow.protocol)} ${endpoint(flow.source, flow.sourcePort)} > ${endpoint(flow.destination, flow.destinationPort)} exit ${flow.exit} policy ${flow.policy} packets ${flow.packets.toString()} bytes ${flow.bytes.toString()}`
            : change,
      ),
    );
}

interface UpdateOptions {
  readonly updates?: boolean;
  readonly neighbor?: string;
  readonly prefix?: string;
}

/** One line a route; what the terminal was too slow for is counted. */
function monitorUpdates(session: Session, { neighbor, prefix: within }: UpdateOptions): Promise<void> {
  return lines<BgpUpdateView & { readonly missed: number }>(
    session,
    (each, signal) => session.watch((methods) => methods.telemetryMethods.watchUpdates, { neighbor, prefix: within }, each, signal),
    (update) => {
      const { direction, kind, family, pathId, nextHop, asPath, origin, med, localPref, communities, cpn, disposition, missed } = update;
      const attributes = [
        nextHop === undefined ? '' : `next hop ${nextHop}`,
        asPath === undefined ? '' : `AS path [${asPath}] ${origin ?? ''}`.trimEnd(),
        med === undefined ? '' : `MED ${med}`,
        localPref === undefined ? '' : `local preference ${localPref}`,
        communities.length === 0 ? '' : `communities ${communities.join(' ')}`,
        cpn === undefined ? '' : `CPN ${cpn.length / 2} octets`,
        disposition === 'accept' ? '' : disposition,
        missed === 0 ? '' : `(${missed} missed before)`,
      ];
      const what = `${update.prefix || family}${pathId === 0 ? '' : ` path ${pathId}`}`;
      return [`${direction === 'received' ? 'from' : 'to'} ${update.neighbor} ${kind} ${what}`, ...attributes.filter((text) => text !== '')].join(', ');
    },
  );
}

function monitorBgp(monitor: Command, session: Session): void {
  monitor
    .command('bgp')
    .description('neighbor states and BGP events; with --updates every route of every UPDATE instead')
    .option('--updates', 'routes as they are announced and withdrawn')
    .option('--neighbor <address>', 'only UPDATEs from and to this neighbor', address)
    .option('--prefix <prefix>', 'only this prefix and what is inside it', prefix)
    .action((options: UpdateOptions) => {
      if (options.updates === true) return monitorUpdates(session, options);
      if (options.neighbor !== undefined || options.prefix !== undefined) throw new CommandFailure(EXIT_USAGE, '--neighbor and --prefix choose among UPDATEs: give --updates too');
      return lines<BgpChange>(
        session,
        (each, signal) => session.watch((methods) => methods.watchMethods.watchBgp, {}, each, signal),
        ({ change, neighbor, event }) => {
          if (event) return `${event.severity} ${event.type} ${event.text}`;
          if (!neighbor) return change;
          return `${change} ${neighbor.address} AS ${neighbor.as} ${neighbor.state} received ${neighbor.prefixesReceived} sent ${neighbor.prefixesSent}`;
        },
      );
    });
}

function monitorOspf(monitor: Command, session: Session): void {
  monitor
    .command('ospf')
    .description('neighbor states and OSPFv3 events')
    .action(() =>
      lines<OspfChange>(
        session,
        (each, signal) => session.watch((methods) => methods.ospfMethods.watchOspf, {}, each, signal),
        ({ change, neighbor, event }) => {
          if (event) return `${event.severity} ${event.type} ${event.text}`;
          return neighbor ? `${change} ${neighbor.routerId} ${neighbor.interface} ${neighbor.state}` : change;
        },
      ),
    );
}

export function monitor(root: Command, session: Session): void {
  const command = root.command('monitor').description('print changes as they happen, until interrupted');
  monitorRib(command, session);
  monitorFlows(command, session);
  monitorBgp(command, session);
  monitorOspf(command, session);
}
