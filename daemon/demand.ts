/** Demand models as a part of the router: the files of runs that its configuration names, and the views of the API. */
import { readFileSync } from 'node:fs';
import { canonicalIp } from '../dataplane/packet/ip.js';
import { DemandModels } from './awareness/demand/demand-models.js';
import { type FlatRun, flatRun, labelledRun } from './awareness/demand/run-view.js';
import type { Clock } from './clock.js';
import { parseHistory } from './computing/model/history.js';
import { nodeStateOf } from './computing/model/node-state.js';
import { COMPUTING_CLASS_NAMES } from './computing/names.js';
import type { ComputingClass } from './computing/types.js';
import type { EventLog } from './events.js';
import { FacadeError } from './northbound/facade.js';
import type { AddTaskRunsAnswer, DemandForecast, DemandModelSummary, DemandRequest, ModelFacade } from './northbound/models.js';
import type { Candidate } from './rib/candidate.js';
import { predict } from './steering/prediction.js';
import { NO_REQUIREMENTS, type Requirements } from './steering/requirement-option.js';
import type { DemandEstimator } from './steering/selector.js';

/** Faults of single runs that are told in one answer. */
const MOST_FAULTS = 5;
const NO_PATH = { rttUs: 0, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 0, resolved: true };

const classCode = (name: string | undefined): ComputingClass | undefined => {
  const found = Object.entries(COMPUTING_CLASS_NAMES).find(([, text]) => text === name);
  return found && (Number(found[0]) as ComputingClass);
};

export class Demand implements ModelFacade {
  readonly store: DemandModels;
  private readonly filesRead = new Set<string>();

  constructor(
    clock: Clock,
    private readonly events: EventLog,
    private readonly candidates: (service: string) => readonly Candidate[],
    onChange: (service: string) => void,
  ) {
    this.store = new DemandModels(clock, onChange);
  }

  /**
   * Reads files of observed runs, each once: what was read of those that are named no longer stays until other runs take its place. One that cannot be read is told
   * of, and no more: a router works without.
   */
  readFiles(paths: readonly string[]): void {
    for (const path of paths) {
      if (this.filesRead.has(path)) continue;
      try {
        const history = parseHistory(readFileSync(path, 'utf8'));
        if (!history.ok) throw new Error(history.reason);
        if (history.value.kind !== 'runs') throw new Error(`expected runs, not ${history.value.kind}`);
        const answer = this.addRuns(history.value.runs.map(flatRun));
        this.filesRead.add(path);
        const faults = [...history.value.faults, ...answer.faults];
        this.events.emit('awareness', 'model.runs', faults.length > 0 ? 'warning' : 'info', `${path}: ${answer.taken} runs taken${faults.length > 0 ? `; ${faults.slice(0, MOST_FAULTS).join('; ')}` : ''}`);
      } catch (error) {
        this.events.emit('awareness', 'model.runs', 'warning', `runs cannot be read: ${path}: ${(error as Error).message}`);
      }
    }
  }

  /** For the steering. */
  readonly estimate: DemandEstimator = ({ service, exit, instance }, { workload = 0n, dataSize = 0n, computing }) =>
    this.store.estimate(service, exit, instance, { workload: Number(workload), dataSize: Number(dataSize) }, computing?.class);

  models(service: string | undefined): readonly DemandModelSummary[] {
    return this.store.views(service).map(({ service: name, scope, runs, model, reason, fittedMs }) => ({
      service: name,
      scope,
      runs,
      chosen: model?.chosen,
      reason,
      fittedMs,
      coefficients: { ...model?.queueing.coefficients },
      queueing: model?.errors.queueing,
      forest: model?.errors.forest,
      mean: model?.errors.mean,
      low: model?.interval.low,
      high: model?.interval.high,
      level: model?.interval.level,
    }));
  }

  predict({ service, workload, dataSize, class: className }: DemandRequest): DemandForecast {
    const candidates = this.candidates(service);
    if (candidates.length === 0) throw new FacadeError('notFound', `no candidate of service ${service}`);
    const wanted = classCode(className);
    const requirements: Requirements = { ...NO_REQUIREMENTS, workload, dataSize, computing: wanted && { class: wanted, minResidual: 0n } };
    return {
      service,
      candidates: candidates.map((candidate) => {
        const { exit, instance } = candidate;
        const { capacity, computingUsed } = nodeStateOf(instance.computing, instance.storage, wanted);
        const { serviceUs, waitUs, transferUs } = predict(instance, NO_PATH, requirements, 0);
        return { exit, instance: instance.id, capacity, computingUsed, estimate: this.estimate(candidate, requirements), statedUs: serviceUs + waitUs + transferUs };
      }),
    };
  }

  *runs(service: string | undefined): Generator<FlatRun> {
    for (const run of this.store.runs(service)) yield flatRun(run);
  }

  addRuns(runs: readonly FlatRun[]): AddTaskRunsAnswer {
    const faults: string[] = [];
    runs.forEach((run, index) => {
      const added = this.store.add(labelledRun({ ...run, service: canonicalIp(run.service) ?? '' }));
      if (!added.ok) faults.push(`run ${index + 1}: ${added.reason}`);
    });
    return { taken: runs.length - faults.length, refused: faults.length, faults: faults.slice(0, MOST_FAULTS) };
  }
}
