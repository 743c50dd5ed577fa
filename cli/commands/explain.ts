import { Option, type Command } from 'commander';
import type { RequirementDefaults } from '../../daemon/config/types.js';
import type { LoadForecastView } from '../../daemon/northbound/facade.js';
import { address, objective, quantity, whole, type Weights } from '../arguments.js';
import { CommandFailure, EXIT_NO, EXIT_USAGE } from '../exit.js';
import type { Session } from '../session.js';

interface Options {
  readonly from?: string;
  readonly maxLatencyUs?: number;
  readonly class?: 'logical' | 'parallel' | 'neural';
  readonly minOps?: bigint;
  readonly stickiness?: 'none' | 'flow' | 'client';
  readonly stickinessSeconds?: number;
  readonly storage?: 'block' | 'file' | 'object';
  readonly minOctets?: bigint;
  readonly minBandwidth?: bigint;
  readonly maxPdvUs?: number;
  readonly maxLossPpm?: number;
  readonly algorithm?: number;
  readonly workload?: bigint;
  readonly dataSize?: bigint;
  readonly objective?: Weights;
}

const ANY = 0xffff_ffff;

const percent = (hundredths: number): string => `${(hundredths / 100).toFixed(1)}%`;

/** 40.0% -> 36.1% +-3.2 (4.1), queue 3 -> 2. */
function expectation({ announced, predicted, error, lastValueError }: LoadForecastView): string {
  const known = error === undefined || lastValueError === undefined ? '' : ` +-${(error / 100).toFixed(1)} (${(lastValueError / 100).toFixed(1)})`;
  return `${percent(announced.utilisation)} -> ${percent(predicted.utilisation)}${known}, queue ${announced.queueLength} -> ${predicted.queueLength}`;
}

function requirements(options: Options): RequirementDefaults {
  if (options.minOps !== undefined && options.class === undefined) throw new CommandFailure(EXIT_USAGE, '--min-ops needs --class');
  if (options.minOctets !== undefined && options.storage === undefined) throw new CommandFailure(EXIT_USAGE, '--min-octets needs --storage');
  const network = options.minBandwidth !== undefined || options.maxPdvUs !== undefined || options.maxLossPpm !== undefined;
  return {
    maxLatencyUs: options.maxLatencyUs,
    computing: options.class && { class: options.class, minOps: options.minOps ?? 0n },
    stickiness: options.stickiness && { mode: options.stickiness, seconds: options.stickinessSeconds ?? 0 },
    storage: options.storage && { ability: options.storage, minOctets: options.minOctets ?? 0n },
    network: network ? { minBandwidth: options.minBandwidth ?? 0n, maxPdvUs: options.maxPdvUs ?? ANY, maxLossPpm: options.maxLossPpm ?? ANY } : undefined,
    algorithm: options.algorithm,
    objective: options.objective,
  };
}

export function explain(root: Command, session: Session): void {
  root
    .command('explain')
    .description('what a first packet to a service would get, and why')
    .argument('<service>', 'service ID', address)
    .option('--from <address>', 'client address', address)
    .option('--max-latency-us <us>', 'maximum round trip with processing', whole(1))
    .addOption(new Option('--class <class>', 'computing class').choices(['logical', 'parallel', 'neural']))
    .option('--min-ops <quantity>', 'residual computing at least, operations per second (8e12, 8T)', quantity)
    .addOption(new Option('--stickiness <mode>', 'what stays at one instance').choices(['none', 'flow', 'client']))
    .option('--stickiness-seconds <seconds>', 'for how long', whole(0, 0xffff))
    .addOption(new Option('--storage <ability>', 'storage').choices(['block', 'file', 'object']))
    .option('--min-octets <quantity>', 'residual storage at least', quantity)
    .option('--min-bandwidth <quantity>', 'bit/s', quantity)
    .option('--max-pdv-us <us>', 'packet delay variation', whole(0))
    .option('--max-loss-ppm <ppm>', 'loss', whole(0, 1_000_000))
    .option('--algorithm <id>', 'algorithm ID', whole(0, 0xffff))
    .option('--workload <quantity>', 'operations of the task', quantity)
    .option('--data-size <quantity>', 'octets of the task', quantity)
    .option('--objective <weights>', 'latency=3,energy=1,utilisation=0,price=0', objective)
    .action(async (service: string, options: Options) => {
      const request = {
        service,
        from: options.from,
        requirements: requirements(options),
        workload: options.workload,
        dataSize: options.dataSize,
      };
      const answer = await session.call((methods) => methods.computingMethods.explain, request);
      if (!answer.chosen) session.exitStatus = EXIT_NO;
      await session.answer(answer, async () => {
        const { colours, duration, microseconds, table } = await import('../table.js');
        const rows = answer.candidates.map((candidate) => [
          candidate.best ? '*' : candidate.feasible ? ' ' : '!',
          `${candidate.exit}#${candidate.instance}`,
          microseconds(candidate.pathDelayUs),
          microseconds(candidate.serviceDelayUs),
          microseconds(candidate.latencyUs),
          candidate.forecast && expectation(candidate.forecast),
          candidate.score === undefined ? undefined : Number(candidate.score.toPrecision(4)),
          Number(candidate.weight.toFixed(3)),
          candidate.reasons.join('; '),
        ]);
        const lines = [`service       ${answer.service}`, ...answer.requirements.map((line, index) => `${index === 0 ? 'requirements' : '            '}  ${line}`)];
        lines.push(table(['', 'EXIT#INSTANCE', 'PATH DELAY', 'SERVICE DELAY', 'LATENCY', 'LOAD', 'SCORE', 'WEIGHT', 'REASONS'], rows, 'no candidates'));
        const forecast = answer.candidates.find((candidate) => candidate.forecast)?.forecast;
        if (forecast) lines.push(`load          announced -> ${forecast.model === 'last' ? 'taken to hold' : `expected in ${duration(forecast.horizonMs)} (model ${forecast.model}; +- its mean error so far, and that of the last value)`}`);
        if (answer.strategy !== '') lines.push(`strategy      ${answer.strategy}`);
        if (answer.chosen) lines.push(`segments      ${answer.chosen.segments.join(' ')}`);
        lines.push(answer.chosen ? colours.green(answer.verdict) : colours.red(answer.verdict));
        return lines.join('\n');
      });
    });
}
