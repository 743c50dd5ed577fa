import { InvalidArgumentError, type Command } from 'commander';
import type { DemandModel } from '../../../daemon/computing/model/demand.js';
import type { History } from '../../../daemon/computing/model/history.js';
import type { FittedQueue } from '../../../daemon/computing/model/queue-fit.js';
import { CommandFailure, EXIT_NO } from '../../exit.js';
import type { Session } from '../../session.js';
import { readHistory } from './files.js';

const rate = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0 && value < Infinity)) throw new InvalidArgumentError('Expected requests per second, 0 or more.');
  return value;
};

/** Shares of what a pool serves at which its waits are shown where no rate is asked for. */
const SHARES = [0.5, 0.7, 0.8, 0.9, 0.95];

export function modelFit(parent: Command, session: Session): void {
  parent
    .command('fit')
    .description('fit a model to a file of runs, of single requests or of rates and latencies (CSV or JSON lines)')
    .argument('<file>', 'history')
    .option('--rate <number>', 'requests per second, for requests and rates', rate)
    .action(async (file: string, options: { rate?: number }) => {
      const history = await readHistory(file);
      if (history.kind === 'runs') await fitRuns(file, history, session);
      else await fitQueue(file, history, options.rate, session);
    });
}

async function fitRuns(file: string, { runs }: History & { readonly kind: 'runs' }, session: Session): Promise<void> {
  const { fitDemandModelNow } = await import('../../../daemon/computing/model/demand.js');
  const fitted = fitDemandModelNow(runs);
  if (!fitted.ok) throw new CommandFailure(EXIT_NO, `${file}: ${fitted.reason}`);
  const { chosen, errors, interval, range, queueing } = fitted.value;
  await session.answer({ runs: runs.length, chosen, errors, interval, range, queueing }, () => describeDemand(fitted.value));
}

async function describeDemand({ runs, chosen, errors, interval, queueing }: DemandModel): Promise<string> {
  const { microseconds, table } = await import('../../table.js');
  const names = { queueing: 'queueing form', forest: 'random forest', mean: 'mean of the runs' } as const;
  const rows = (['queueing', 'forest', 'mean'] as const).map((name) => {
    const { maeUs, rmseUs, mape, r2 } = errors[name];
    return [name === chosen ? '*' : ' ', names[name], microseconds(maeUs), microseconds(rmseUs), `${(mape * 100).toFixed(1)}%`, Number(r2.toFixed(4))];
  });
  const terms = Object.entries(queueing.coefficients).filter(([, value]) => value > 0);
  return [
    `${runs} runs, each predicted by a model that had not seen it:`,
    table(['', 'MODEL', 'MAE', 'RMSE', 'MAPE', 'R2'], rows),
    '',
    `tau (us) = ${terms.map(([term, value]) => `${Number(value.toPrecision(4))} ${TERM_WORDS[term] ?? term}`).join(' + ')}`,
    `interval: ${interval.low.toFixed(3)} to ${interval.high.toFixed(3)} times the prediction for ${(interval.level * 100).toFixed(0)} % of runs`,
  ].join('\n');
}

const TERM_WORDS: Readonly<Record<string, string>> = { work: 's', sharing: 's r', waiting: 'r', data: 'D', storage: 'D C0/(1-C0)', io: 'D/E0', constant: '(s = W/Fw, r = F0/(1-F0))' };

async function fitQueue(file: string, history: Exclude<History, { kind: 'runs' }>, wanted: number | undefined, session: Session): Promise<void> {
  const [{ fitRateLatency, fitServedRequests }, { predictQueue }] = await Promise.all([import('../../../daemon/computing/model/queue-fit.js'), import('../../../daemon/computing/model/queue.js')]);
  const fitted = history.kind === 'requests' ? fitServedRequests(history.requests) : fitRateLatency(history.rates);
  if (!fitted.ok) throw new CommandFailure(EXIT_NO, `${file}: ${fitted.reason}`);
  const full = (fitted.value.servers * 1e6) / fitted.value.meanUs;
  const rates = wanted === undefined ? SHARES.map((share) => share * full) : [wanted];
  const predictions = rates.map((perSecond) => {
    const predicted = predictQueue(fitted.value, perSecond);
    if (!predicted.ok) throw new CommandFailure(EXIT_NO, predicted.reason);
    return { rate: perSecond, ...predicted.value };
  });
  const { servers, serversKnown, meanUs, serviceScv, arrivalScv, samples } = fitted.value;
  await session.answer({ queue: { servers, serversKnown, meanUs, serviceScv, arrivalScv, samples }, predictions }, () => describeQueue(fitted.value, predictions));
}

async function describeQueue({ servers, serversKnown, meanUs, serviceScv, arrivalScv, samples }: FittedQueue, predictions: readonly { readonly rate: number; readonly utilisation: number; readonly waitUs: number; readonly responseUs: number; readonly responseP99Us: number }[]): Promise<string> {
  const { microseconds, table } = await import('../../table.js');
  const rows = predictions.map(({ rate: perSecond, utilisation, waitUs, responseUs, responseP99Us }) => [Number(perSecond.toPrecision(4)), `${(utilisation * 100).toFixed(1)}%`, microseconds(waitUs), microseconds(responseUs), microseconds(responseP99Us)]);
  return [
    `from ${samples} samples: ${servers} servers${serversKnown ? '' : ' (or more: none was ever waited for)'}, service ${microseconds(meanUs)!}, squared coefficient of variation ${serviceScv.toFixed(2)} of service and ${arrivalScv.toFixed(2)} of arrivals`,
    table(['RATE', 'BUSY', 'WAIT', 'RESPONSE', 'P99'], rows),
  ].join('\n');
}
