/** The model service of the API: what it needs of the router, and its methods. */
import { canonicalIp } from '../../dataplane/packet/ip.js';
import { modelMethods } from '../../proto/methods.js';
import type { FlatRun } from '../awareness/demand/run-view.js';
import type { DemandEstimate } from '../computing/model/demand.js';
import type { PredictionErrors } from '../computing/model/errors.js';
import { FacadeError } from './facade.js';
import type { Transport } from './transport.js';

export interface DemandModelSummary {
  readonly service: string;
  /** EXIT#INSTANCE; empty: the whole service. */
  readonly scope: string;
  readonly runs: number;
  readonly chosen: string | undefined;
  readonly reason: string;
  readonly fittedMs: number | undefined;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly queueing: PredictionErrors | undefined;
  readonly forest: PredictionErrors | undefined;
  readonly mean: PredictionErrors | undefined;
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly level: number | undefined;
}

export interface DemandRequest {
  readonly service: string;
  readonly workload: bigint; // operations
  readonly dataSize: bigint; // octets
  readonly class: string | undefined;
}

export interface DemandForecast {
  readonly service: string;
  readonly candidates: readonly {
    readonly exit: string;
    readonly instance: number;
    readonly capacity: number;
    readonly computingUsed: number;
    readonly estimate: DemandEstimate | undefined;
    /** What is predicted from what the instance states alone. */
    readonly statedUs: number;
  }[];
}

export interface AddTaskRunsAnswer {
  readonly taken: number;
  readonly refused: number;
  readonly faults: readonly string[];
}

export interface ModelFacade {
  models(service: string | undefined): readonly DemandModelSummary[];
  /** Throws FacadeError for a service without candidates. */
  predict(request: DemandRequest): DemandForecast;
  runs(service: string | undefined): Iterable<FlatRun>;
  addRuns(runs: readonly FlatRun[]): AddTaskRunsAnswer;
}

const CLASSES = ['logical', 'parallel', 'neural'];

function serviceOf(text: string): string {
  const canonical = canonicalIp(text);
  if (canonical === undefined) throw new FacadeError('invalid', `service: ${JSON.stringify(text)} is not an IP address`);
  return canonical;
}

const optionalService = (text: string | undefined): string | undefined => (text === undefined ? undefined : serviceOf(text));

export function modelService(transport: Transport, facade: ModelFacade): void {
  transport.unary(modelMethods.listDemandModels, ({ service }) => ({ models: facade.models(optionalService(service)) }));
  transport.unary(modelMethods.predictDemand, (request) => {
    if (request.class !== undefined && !CLASSES.includes(request.class)) throw new FacadeError('invalid', `class: ${JSON.stringify(request.class)} is not one of ${CLASSES.join(', ')}`);
    return facade.predict({ ...request, service: serviceOf(request.service) });
  });
  transport.list(modelMethods.listTaskRuns, ({ service }) => facade.runs(optionalService(service)), (runs) => ({ runs }));
  transport.unary(modelMethods.addTaskRuns, ({ runs }) => facade.addRuns(runs));
}
