/** `npm run lab -- VERB FILE.clab.yml ...` */
import { Command, CommanderError } from 'commander';
import { Capture, splitEndpoint } from './capture.js';
import { dot, mermaid } from './commands/graph.js';
import { inspect } from './commands/inspect.js';
import { verify } from './commands/verify.js';
import { Lab } from './lab.js';
import { exitStatus } from './runner/enter.js';
import { LabError } from './runner/state.js';
import { TopologyError } from './topology/document.js';
import { readTopology } from './topology/read.js';
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

program
  .command('capture <file> <node:interface> [filter...]')
  .description('shows the packets of an interface, or writes them to a pcap file, until interrupted')
  .option('--name <lab>', 'lab name, when it runs under another than the file gives')
  .option('-w, --write <pcap>', 'writes a pcap file; - is the standard output')
  .option('-c, --count <packets>', 'ends after this many packets', (text) => {
    if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`--count: expected a number of packets, found "${text}"`);
    return Number(text);
  })
  .action(async (file: string, endpoint: string, filter: string[], options: Named & { write?: string; count?: number }) => {
    const { node, interface: name } = splitEndpoint(endpoint);
    const capture = await Capture.start(Lab.open(file, options.name).node(node), name, {
      output: options.write === undefined || options.write === '-' ? process.stdout : options.write,
      text: options.write === undefined,
      filter: filter.join(' '),
      ...(options.count === undefined ? {} : { count: options.count }),
    });
    process.stderr.write(`capturing on ${endpoint}\n`);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void capture.stop());
    process.exitCode = await capture.ended;
  });

verb('graph', 'prints the topology as Mermaid text')
  .option('--mermaid', 'Mermaid (the default)')
  .option('--dot', 'Graphviz')
  .action((file: string, options: Named & { dot?: boolean }) => {
    const topology = readTopology(file, options);
    process.stdout.write(options.dot === true ? dot(topology) : mermaid(topology));
  });

verb('verify', "runs the scenario's check, the executable verify beside the file, and passes its exit status on")
  .argument('[arguments...]')
  .action(async (file: string, argv: string[], options: Named) => {
    process.exitCode = await verify(Lab.open(file, options.name), argv);
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
