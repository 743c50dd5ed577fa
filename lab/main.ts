/** `npm run lab -- VERB FILE.clab.yml ...` */
import { Command, CommanderError } from 'commander';
import { inspect } from './commands/inspect.js';
import { Lab } from './lab.js';
import { exitStatus } from './runner/enter.js';
import { LabError } from './runner/state.js';
import { TopologyError } from './topology/document.js';
import type { Impairment } from './topology/topology.js';
import { expectedDelay, expectedLoss, expectedRate, parseDelay, parseLoss, parseRate } from './topology/units.js';

const program = new Command('lab')
  .description('Runs containerlab topology files on Linux network namespaces')
  .exitOverride()
  .enablePositionalOptions()
  .configureHelp({ sortSubcommands: true });

/** A command line that cannot be understood: exit status 2. */
class UsageError extends Error {}

/** A subcommand on one topology file. */
function verb(name: string, description: string): Command {
  return program.command(`${name} <file>`).description(description).option('--name <lab>', 'lab name, when it runs under another than the file gives');
}

interface Named {
  readonly name?: string;
}

verb('up', 'brings the lab up')
  .option('--reconfigure', 'takes a running lab of this name down first')
  .action(async (file: string, options: Named & { reconfigure?: boolean }) => {
    const lab = await Lab.up(file, options);
    process.stdout.write(await inspect(lab, false));
  });

verb('down', 'takes the lab down; leaves nothing behind').action(async (file: string, options: Named) => {
  if (!(await Lab.down(file, options.name))) process.stderr.write('the lab was not up\n');
});

program
  .command('exec <file> <node> <command...>')
  .description('runs a command in a node, with its input, output and exit status')
  .passThroughOptions()
  .option('--name <lab>', 'lab name, when it runs under another than the file gives')
  .action(async (file: string, node: string, command: string[], options: Named) => {
    const child = Lab.open(file, options.name).node(node).enter(command);
    // The terminal sends its signals to the command as well, which decides what they mean.
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => undefined);
    process.exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(exitStatus(code, signal)));
    });
  });

verb('inspect', 'shows nodes, processes and addresses')
  .option('--json', 'one JSON document')
  .action(async (file: string, options: Named & { json?: boolean }) => {
    process.stdout.write(await inspect(Lab.open(file, options.name), options.json === true));
  });

/** A verb that changes what happens to frames leaving `node:interface`. */
function impairmentVerb(name: string, value: string, field: keyof Impairment, parse: (text: string) => number | undefined, expected: string): void {
  verb(name, `sets the ${name} of what leaves a node through an interface, ${expected}`)
    .argument('<node:interface>')
    .argument(`<${value}>`)
    .action(async (file: string, endpoint: string, text: string, options: Named) => {
      const parsed = parse(text);
      if (parsed === undefined) throw new UsageError(`${name}: expected ${expected}, found "${text}"`);
      await Lab.open(file, options.name).impair(endpoint, { [field]: parsed });
    });
}

impairmentVerb('delay', 'delay', 'delayMs', parseDelay, expectedDelay);
impairmentVerb('loss', 'share', 'lossPercent', parseLoss, expectedLoss);
impairmentVerb('rate', 'rate', 'rateBps', parseRate, expectedRate);

verb('fail', 'takes a link down on both ends, or kills a node: its links go down, then its processes')
  .argument('<node[:interface]>')
  .action(async (file: string, target: string, options: Named) => Lab.open(file, options.name).fail(target));

verb('restore', 'undoes fail: links up, the programs of the node started again')
  .argument('<node[:interface]>')
  .action(async (file: string, target: string, options: Named) => Lab.open(file, options.name).restore(target));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  } else if (error instanceof LabError || error instanceof TopologyError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } else throw error;
}
