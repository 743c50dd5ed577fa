/**
 * The demand models of a router: observed runs by service, bounded, and the models fitted from them. A service has a model of all its runs, and each instance with enough
 * runs of its own another one, which is asked first. Fitting is done in small slices with pauses, one model at a time, and not before the runs changed by a share. Pure.
 */
import type { Clock, Timer } from '../../clock.js';
import { fitDemandModel, LEAST_RUNS, predictDemand, type DemandEstimate, type DemandModel } from '../../computing/model/demand.js';
import type { LabelledRun } from '../../computing/model/history.js';
import { nodeStateOf } from '../../computing/model/node-state.js';
import type { Demand } from '../../computing/model/queueing-form.js';
import { refused, modelled, type Modelled } from '../../computing/model/result.js';
import { checkRun } from '../../computing/model/run.js';
import type { Instance } from '../../computing/types.js';

/** Runs of one service; the oldest goes first. */
const MOST_RUNS = 512;
const MOST_SERVICES = 256;
/** An instance has a model of its own from here on. */
const LEAST_OWN_RUNS = 32;
/** A model is fitted anew when this share of its runs is new, and not more often than so, ms. */
const NEW_SHARE = 0.1;
const LEAST_PAUSE_MS = 10_000;
/** A slice of fitting, and the time for other work after it, ms. */
const SLICE_MS = 2;
const PAUSE_MS = 4;

interface Fitted {
  readonly model: DemandModel | undefined;
  /** Why there is none. */
  readonly reason: string;
  readonly atMs: number;
  /** Runs of the scope that there ever were when it was fitted. */
  readonly seen: number;
}

interface ServiceRuns {
  readonly runs: LabelledRun[];
  /** Runs that there ever were, by scope: the empty one is the whole service. */
  readonly seen: Map<string, number>;
  readonly fitted: Map<string, Fitted>;
}

export interface DemandModelView {
  readonly service: string;
  readonly scope: string;
  readonly runs: number;
  readonly model: DemandModel | undefined;
  readonly reason: string;
  readonly fittedMs: number | undefined; // ago
}

export class DemandModels {
  readonly counters = { runs: 0n, refused: 0n, fits: 0n };
  private readonly services = new Map<string, ServiceRuns>();
  private readonly queue: { readonly service: string; readonly scope: string }[] = [];
  private timer: Timer | undefined;
  private wakeTimer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    /** A model of the service is there, or another one. */
    private readonly onChange: (service: string) => void = () => undefined,
  ) {}

  stop(): void {
    this.timer?.cancel();
    this.wakeTimer?.cancel();
    this.services.clear();
    this.queue.length = 0;
  }

  /** Takes in an observed run. */
  add(run: LabelledRun): Modelled<LabelledRun> {
    const checked = this.check(run);
    if (!checked.ok) {
      this.counters.refused++;
      return checked;
    }
    this.counters.runs++;
    let entry = this.services.get(run.service);
    if (!entry) {
      entry = { runs: [], seen: new Map(), fitted: new Map() };
      this.services.set(run.service, entry);
    }
    entry.runs.push(run);
    if (entry.runs.length > MOST_RUNS) entry.runs.shift();
    for (const scope of new Set(['', run.instance])) {
      entry.seen.set(scope, (entry.seen.get(scope) ?? 0) + 1);
      this.consider(run.service, scope, entry);
    }
    return modelled(run);
  }

  private check(run: LabelledRun): Modelled<LabelledRun> {
    if (run.service === '') return refused('service: a run has to say whose it is');
    if (!this.services.has(run.service) && this.services.size >= MOST_SERVICES) return refused(`${this.services.size} services have runs, which is the limit`);
    const known = this.services.get(run.service)?.seen;
    if (known && !known.has(run.instance) && known.size > MOST_SERVICES) return refused(`${known.size - 1} instances of ${run.service} have runs, which is the limit`);
    const checked = checkRun(run);
    return checked.ok ? modelled(run) : checked;
  }

  private runsOf(entry: ServiceRuns, scope: string): readonly LabelledRun[] {
    return scope === '' ? entry.runs : entry.runs.filter(({ instance }) => instance === scope);
  }

  /** Puts a scope in the queue when its model is due; when it is too early, later. */
  private consider(service: string, scope: string, entry: ServiceRuns): void {
    const seen = entry.seen.get(scope) ?? 0;
    const fitted = entry.fitted.get(scope);
    if (seen < (scope === '' ? LEAST_RUNS : LEAST_OWN_RUNS)) return;
    if (fitted && seen - fitted.seen < Math.max(1, NEW_SHARE * Math.min(fitted.seen, MOST_RUNS))) return;
    if (fitted && this.clock.now() - fitted.atMs < LEAST_PAUSE_MS) {
      this.wakeTimer ??= this.clock.setTimeout(() => this.wake(), LEAST_PAUSE_MS);
      return;
    }
    if (this.queue.some((waiting) => waiting.service === service && waiting.scope === scope)) return;
    this.queue.push({ service, scope });
    this.timer ??= this.clock.setTimeout(() => this.next(), 0);
  }

  private wake(): void {
    this.wakeTimer = undefined;
    for (const [service, entry] of this.services) for (const scope of entry.seen.keys()) this.consider(service, scope, entry);
  }

  private next(): void {
    this.timer = undefined;
    const due = this.queue.shift();
    const entry = due && this.services.get(due.service);
    if (!entry) return;
    const runs = [...this.runsOf(entry, due.scope)];
    const seen = entry.seen.get(due.scope) ?? 0;
    const steps = fitDemandModel(runs);
    const slice = (): void => {
      this.timer = undefined;
      const until = this.clock.now() + SLICE_MS;
      do {
        const step = steps.next();
        if (step.done !== true) continue;
        this.counters.fits++;
        const { value } = step;
        entry.fitted.set(due.scope, { model: value.ok ? value.value : undefined, reason: value.ok ? '' : value.reason, atMs: this.clock.now(), seen });
        this.onChange(due.service);
        if (this.queue.length > 0) this.timer = this.clock.setTimeout(() => this.next(), PAUSE_MS);
        return;
      } while (this.clock.now() < until);
      this.timer = this.clock.setTimeout(slice, PAUSE_MS);
    };
    slice();
  }

  /** How long a task would take at an instance in the state that it announced; undefined without a model. */
  estimate(service: string, exit: string, instance: Pick<Instance, 'id' | 'computing' | 'storage'>, demand: Demand, wantedClass?: number): DemandEstimate | undefined {
    const fitted = this.services.get(service)?.fitted;
    if (!fitted) return undefined;
    const own = `${exit}#${instance.id}`;
    for (const scope of [own, '']) {
      const model = fitted.get(scope)?.model;
      if (!model) continue;
      const predicted = predictDemand(model, demand, nodeStateOf(instance.computing, instance.storage, wantedClass));
      if (predicted.ok) return { ...predicted.value, runs: model.runs, scope };
    }
    return undefined;
  }

  runs(service: string | undefined): LabelledRun[] {
    return service === undefined ? [...this.services.values()].flatMap(({ runs }) => runs) : [...(this.services.get(service)?.runs ?? [])];
  }

  views(service: string | undefined): DemandModelView[] {
    const now = this.clock.now();
    return [...this.services].flatMap(([name, entry]) => {
      if (service !== undefined && name !== service) return [];
      return [...entry.seen.keys()].filter((scope) => scope === '' || entry.fitted.has(scope)).map((scope): DemandModelView => {
        const fitted = entry.fitted.get(scope);
        const count = this.runsOf(entry, scope).length;
        return { service: name, scope, runs: count, model: fitted?.model, reason: fitted ? fitted.reason : count < LEAST_RUNS ? `${count} runs: at least ${LEAST_RUNS} are needed` : 'being fitted', fittedMs: fitted && now - fitted.atMs };
      });
    });
  }
}
