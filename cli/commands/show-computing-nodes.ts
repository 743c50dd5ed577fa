import type { Command } from 'commander';
import type { RegisteredNodeView } from '../../daemon/northbound/facade.js';
import type { Session } from '../session.js';

type Table = typeof import('../table.js');

/** Registered nodes with their services, one line a service. */
function registeredTable(nodes: readonly RegisteredNodeView[], { colours, computing, duration, scaled, table }: Table): string {
  const rows = nodes.flatMap((node) => {
    const services = node.services.length > 0 ? node.services : [undefined];
    return services.map((service, index) => [
      index === 0 ? node.node : ' ',
      index === 0 ? `${node.state === 'attached' ? node.state : colours.yellow(node.state)}, heard ${duration(node.heardMs)} ago` : ' ',
      index === 0 ? node.chips.map(({ kind, count, cores, clockHz }) => `${count}x ${kind} ${cores} cores ${scaled(BigInt(Math.round(clockHz)))}Hz`).join(', ') : ' ',
      index === 0 ? computing(node.computing) : ' ',
      index === 0 ? node.measured.map((entry) => `${entry.class} ${entry.chip} ${scaled(entry.operations)}`).join(', ') : ' ',
      index === 0 ? `${scaled(node.memoryFree)}/${scaled(node.memoryTotal)}` : ' ',
      service && `${service.service}#${service.instance}`,
      service && `${service.state}${service.reason === '' ? '' : `: ${service.reason}`}`,
      service && `${service.mode} ${service.priority}`,
    ]);
  });
  return table(['REGISTERED', 'STATE', 'CHIPS', 'COMPUTING', 'MEASURED', 'MEMORY', 'SERVICE', 'STATE', 'MODE'], rows);
}

export function showComputingNodes(computingCommand: Command, session: Session): void {
  computingCommand
    .command('nodes')
    .description('computing nodes by exit, with the way to it and their health; those that registered here, with what they have')
    .action(async () => {
      const { nodes } = await session.call((methods) => methods.computingMethods.listNodes, {});
      const { nodes: registered } = await session.call((methods) => methods.nodeMethods.listRegisteredNodes, {});
      await session.answer(nodes.map((node) => ({ ...node, registered: node.local ? registered : [] })), async () => {
        const tables = await import('../table.js');
        const { colours, computing, load, microseconds, table } = tables;
        const rows = nodes.flatMap((node) =>
          node.instances.map((instance, index) => [
            index === 0 ? `${node.exit}${node.local ? ' (here)' : ''}` : ' ',
            index === 0 && node.path ? `${node.path.alive ? '' : colours.red('lost ')}${microseconds(node.path.rttUs) ?? 'no round trip'}, loss ${node.path.lossPpm / 10_000}%` : ' ',
            `${instance.service}#${instance.instance}`,
            instance.address,
            [instance.health, instance.healthReason].filter(Boolean).join(': '),
            [instance.draining ? 'draining' : '', instance.announced ? '' : 'not announced'].filter(Boolean).join(', '),
            instance.grade,
            computing(instance.computing),
            load(instance.load),
          ]),
        );
        const instances = table(['EXIT', 'PATH', 'INSTANCE', 'NODE', 'HEALTH', 'STATE', 'GRADE', 'COMPUTING', 'LOAD'], rows, 'no computing nodes');
        return registered.length === 0 ? instances : `${instances}\n\n${registeredTable(registered, tables)}`;
      });
    });
}
