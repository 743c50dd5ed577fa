import type { Command } from 'commander';
import type { OspfInterfaceEntry, OspfLsaEntry } from '../../daemon/northbound/ospf.js';
import type { Session } from '../session.js';

const NONE = '0.0.0.0';

export function showOspf(show: Command, session: Session): void {
  const ospf = show.command('ospf').description('OSPFv3: adjacencies, link-state database, what SPF made of it');
  status(ospf, session);
  interfaces(ospf, session);
  neighbors(ospf, session);
  database(ospf, session);
  routers(ospf, session);
  routes(ospf, session);
}

function status(ospf: Command, session: Session): void {
  ospf
    .command('status')
    .description('the instance as a whole: area, LSDB, SPF runs, counters')
    .action(async () => {
      const answer = await session.call((methods) => methods.ospfMethods.getOspf, {});
      await session.answer(answer, async () => {
        const { duration, facts } = await import('../table.js');
        const counted = (values: Readonly<Record<string, number | bigint>>): string =>
          Object.entries(values)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ');
        return facts([
          ['router id', answer.routerId],
          ['area', answer.area],
          ['interfaces', answer.interfaces],
          ['neighbors', `${answer.neighbors}, ${answer.fullNeighbors} Full`],
          ['LSAs', `${answer.lsas}${answer.overloaded ? ' (overloaded)' : ''}: ${counted(answer.lsasByType)}`],
          ['routers', answer.routers],
          ['routes', `${answer.routes}, ${answer.protectedRoutes} protected (${answer.fastReroute})`],
          ['SPF', `${answer.spfFull} full, ${answer.spfIncremental} incremental, ${answer.spfPartial} partial; ${answer.backoff}`],
          ['last SPF', answer.spfLastMs === undefined || answer.spfAgeMs === undefined ? undefined : `${duration(answer.spfLastMs)} long, ${duration(answer.spfAgeMs)} ago`],
          ['counters', counted(Object.fromEntries(Object.entries(answer.counters).filter(([, value]) => value > 0n)))],
        ]);
      });
    });
}

const timers = ({ helloIntervalMs, deadIntervalMs }: OspfInterfaceEntry): string => `${helloIntervalMs / 1000}/${deadIntervalMs / 1000}s`;

function interfaces(ospf: Command, session: Session): void {
  ospf
    .command('interfaces')
    .description('interfaces that run OSPFv3')
    .action(async () => {
      const answer = await session.call((methods) => methods.ospfMethods.listOspfInterfaces, {});
      await session.answer(answer.interfaces, async (list) => {
        const { table } = await import('../table.js');
        const rows = list.map((entry) => [
          entry.name,
          entry.network,
          entry.passive ? 'passive' : entry.state,
          entry.cost,
          entry.priority,
          entry.instanceId,
          timers(entry),
          entry.designated === NONE ? undefined : entry.designated,
          entry.backup === NONE ? undefined : entry.backup,
          `${entry.adjacencies}/${entry.neighbors}`,
          entry.authenticated ? 'yes' : undefined,
          entry.linkLocal,
        ]);
        return table(['INTERFACE', 'NETWORK', 'STATE', 'COST', 'PRIO', 'INSTANCE', 'HELLO/DEAD', 'DR', 'BDR', 'FULL/NBRS', 'AUTH', 'LINK-LOCAL'], rows, 'no interfaces');
      });
    });
}

function neighbors(ospf: Command, session: Session): void {
  ospf
    .command('neighbors')
    .description('OSPFv3 neighbors and their states')
    .action(async () => {
      const answer = await session.call((methods) => methods.ospfMethods.listOspfNeighbors, {});
      await session.answer(answer.neighbors, async (list) => {
        const { duration, table } = await import('../table.js');
        const rows = list.map((entry) => [
          entry.routerId,
          entry.interface,
          entry.address,
          `${entry.state}${entry.restarting ? ' (restarting)' : ''}`,
          entry.priority,
          entry.designated === entry.routerId ? 'DR' : entry.backup === entry.routerId ? 'BDR' : undefined,
          entry.deadInMs === undefined ? undefined : duration(entry.deadInMs),
          duration(entry.uptimeMs),
          entry.retransmissions,
          entry.stateChanges,
        ]);
        return table(['ROUTER ID', 'INTERFACE', 'ADDRESS', 'STATE', 'PRIO', 'ROLE', 'DEAD IN', 'UPTIME', 'RETRANSMIT', 'CHANGES'], rows, 'no neighbors');
      });
    });
}

interface DatabaseOptions {
  readonly type?: string;
  readonly detail?: boolean;
}

const lsaLine = (lsa: OspfLsaEntry): string => `${lsa.typeName} ${lsa.id} of ${lsa.router}${lsa.self ? ' (own)' : ''}${lsa.interface === undefined ? '' : ` on ${lsa.interface}`}`;

function database(ospf: Command, session: Session): void {
  ospf
    .command('database')
    .description('link-state database')
    .option('--type <type>', 'only LSAs of this type: a name such as router, link or cpn, or a number such as 0x2001')
    .option('--detail', 'what the LSAs say, too')
    .action(async ({ type, detail }: DatabaseOptions) => {
      const lsas = await session.list((methods) => methods.ospfMethods.listOspfLsas, { type }, (batch) => batch.lsas);
      await session.answer(lsas, async () => {
        const { table } = await import('../table.js');
        if (detail === true) {
          const blocks = lsas.map((lsa) => [lsaLine(lsa), `  sequence ${lsa.sequence}, age ${lsa.age}s, ${lsa.length} octets`, ...lsa.content.map((text) => `  ${text}`)].join('\n'));
          return blocks.length === 0 ? 'no LSAs' : blocks.join('\n\n');
        }
        const rows = lsas.map((lsa) => [lsa.typeName, lsa.scope, lsa.interface, lsa.id, lsa.router, lsa.age, lsa.sequence, `0x${lsa.checksum.toString(16).padStart(4, '0')}`, lsa.length, lsa.self ? 'own' : undefined]);
        return table(['TYPE', 'SCOPE', 'INTERFACE', 'ID', 'ROUTER', 'AGE', 'SEQUENCE', 'CHECKSUM', 'LENGTH', ''], rows, 'no LSAs');
      });
    });
}

function routers(ospf: Command, session: Session): void {
  ospf
    .command('routers')
    .description('reachable routers: cost, measured delay, and the path of least delay where it is another one')
    .action(async () => {
      const list = await session.list((methods) => methods.ospfMethods.listOspfRouters, {}, (batch) => batch.routers);
      await session.answer(list, async () => {
        const { microseconds, table } = await import('../table.js');
        const rows = list.map((entry) => [
          entry.routerId,
          [entry.areaBorder ? 'ABR' : '', entry.asBoundary ? 'ASBR' : ''].filter(Boolean).join(' '),
          entry.cost,
          entry.nextHops.join(', '),
          entry.locator,
          microseconds(entry.delayUs),
          microseconds(entry.bestDelayUs),
          entry.delaySegments.join(' '),
        ]);
        return table(['ROUTER ID', 'ROLE', 'COST', 'NEXT HOPS', 'LOCATOR', 'DELAY', 'LEAST DELAY', 'SEGMENTS'], rows, 'no routers');
      });
    });
}

function routes(ospf: Command, session: Session): void {
  ospf
    .command('routes')
    .description('routes that OSPFv3 found, with their backups')
    .action(async () => {
      const list = await session.list((methods) => methods.ospfMethods.listOspfRoutes, {}, (batch) => batch.routes);
      await session.answer(list, async () => {
        const { table } = await import('../table.js');
        const rows = list.map((entry) => [
          entry.prefix,
          entry.type,
          entry.cost,
          entry.nextHops.join(', '),
          entry.backups.map(({ protects, via, interface: name, segments }) => `${protects}: ${via}%${name}${segments.length === 0 ? '' : ` by ${segments.join(' ')}`}`).join('; '),
        ]);
        return table(['PREFIX', 'TYPE', 'COST', 'NEXT HOPS', 'BACKUPS'], rows, 'no routes');
      });
    });
}
