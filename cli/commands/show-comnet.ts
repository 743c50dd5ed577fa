import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandFailure, EXIT_NO } from '../exit.js';
import type { Session } from '../session.js';

export function showComnet(show: Command, session: Session): void {
  show
    .command('comnet')
    .description('the weighted graph of computing and network that this router knows')
    .option('--svg <file>', 'draw it into a file')
    .action(async ({ svg }: { svg?: string }) => {
      const graph = await session.call((methods) => methods.networkMethods.getComNet, {});
      if (svg !== undefined) {
        const [{ comnetSvg }, words] = await Promise.all([import('../plot/comnet.js'), import('../table.js')]);
        try {
          writeFileSync(svg, comnetSvg(graph, words));
        } catch (error) {
          throw new CommandFailure(EXIT_NO, `${svg} cannot be written: ${(error as Error).message}`);
        }
      }
      await session.answer(graph, async () => {
        const { colours, microseconds, scaled, table } = await import('../table.js');
        const bits = (rate: number | undefined): string | undefined => (rate === undefined ? undefined : `${scaled(BigInt(Math.round(rate)))}bit/s`);
        const percent = (share: number | undefined): string | undefined => (share === undefined ? undefined : `${Number((share * 100).toPrecision(3))}%`);
        const nodes = graph.nodes.flatMap(({ id, name, kind, computing }) => {
          const first = [name === undefined ? id : `${id} (${name})`, kind];
          if (computing.length === 0) return [[...first, undefined, undefined, undefined, undefined]];
          return computing.map((entry, index) => [
            ...(index === 0 ? first : [' ', ' ']),
            `${entry.service}#${entry.instance}${entry.draining ? ' (draining)' : ''}`,
            entry.grade,
            `${scaled(entry.residual)}/${scaled(entry.total)}`,
            percent(entry.utilisation),
          ]);
        });
        const edges = graph.edges.map((edge) => [
          edge.to,
          edge.kind === 'way' && edge.via.length > 0 ? `by ${edge.via.join(', ')}` : edge.kind,
          edge.interface,
          edge.up ? colours.green('up') : colours.red('down'),
          microseconds(edge.delayUs),
          microseconds(edge.variationUs),
          edge.lossPpm === undefined ? undefined : `${edge.lossPpm / 10_000}%`,
          bits(edge.bandwidth),
          bits(edge.sendRate),
          bits(edge.receiveRate),
          percent(edge.utilisation),
          microseconds(edge.weight),
        ]);
        return [
          table(['NODE', 'KIND', 'COMPUTING', 'GRADE', 'RESIDUAL', 'LOAD'], nodes, 'no nodes'),
          '',
          table(['TO', 'EDGE', 'INTERFACE', 'STATE', 'DELAY', 'VARIATION', 'LOSS', 'BANDWIDTH', 'SENT', 'RECEIVED', 'USED', 'WEIGHT'], edges, 'no edges'),
          '',
          `weight: ${graph.weight}`,
          `smoothing: ${graph.smoothing}`,
          ...(svg === undefined ? [] : [`drawn into ${svg}`]),
        ].join('\n');
      });
    });
}
