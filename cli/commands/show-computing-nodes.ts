import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showComputingNodes(computingCommand: Command, session: Session): void {
  computingCommand
    .command('nodes')
    .description('computing nodes by exit, with the way to it and their health')
    .action(async () => {
      const { nodes } = await session.call((methods) => methods.computingMethods.listNodes, {});
      await session.answer(nodes, async () => {
        const { colours, computing, load, microseconds, table } = await import('../table.js');
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
        return table(['EXIT', 'PATH', 'INSTANCE', 'NODE', 'HEALTH', 'STATE', 'GRADE', 'COMPUTING', 'LOAD'], rows, 'no computing nodes');
      });
    });
}
