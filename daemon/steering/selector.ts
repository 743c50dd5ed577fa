/**
 * The path selector (C-PS of CATS): which candidates may serve a flow, how good each is, and how new flows are spread over the best.
 *
 * A candidate's score is its predicted latency relative to the best one's, or, where objective weights are given, the weighted sum of
 * latency, energy, utilisation and price, each scaled to 0..1 between the best and the worst candidate (simple additive weighting;
 * Hwang and Yoon, Multiple Attribute Decision Making, 1981). Candidates within a tolerance of the best share new flows by weight =
 * spare capacity / latency, so that several entries do not all jump on the same exit. Flows of a dead exit are spread by the same weight
 * over all that are left, without the tolerance: the best one alone could not take them.
 */
import type { Load } from '../computing/types.js';
import type { DemandEstimate } from '../computing/model/demand.js';
import type { Candidate, PathState } from '../rib/candidate.js';
import { describeDemand } from './demand-words.js';
import { isDormant, isFeasible, isUsable, type Reason } from './feasibility.js';
import { capacityFor, predict, spareRate, type Prediction } from './prediction.js';
import type { Requirements } from './requirement-option.js';

/** Candidates this much worse than the best still share new flows. */
const LATENCY_TOLERANCE = 0.1;
const OBJECTIVE_TOLERANCE = 0.1;

export interface SelectorInput {
  readonly candidate: Candidate;
  readonly path: PathState;
  readonly firstSidResolves: boolean;
  /** Requests sent from here that the candidate cannot have served yet. */
  readonly ownBacklog: number;
  /** Its load as it is expected a little ahead; undefined: none was announced. */
  readonly load: Load | undefined;
  /** How far its announcement can be trusted by its age, above 0 up to 1 (freshness.ts). */
  readonly freshness: number;
}

export interface Assessment<T extends SelectorInput> {
  readonly input: T;
  /** Pinned flows may stay. */
  readonly usable: boolean;
  /** New flows with these requirements may come. */
  readonly feasible: boolean;
  readonly prediction: Prediction;
  /** 0: as good as the best; undefined for what is not feasible. */
  readonly score: number | undefined;
  /** Share of new flows, 0..1. */
  readonly weight: number;
  /** Share of the flows of a candidate that is gone, 0..1. */
  readonly spreadWeight: number;
  /** Every fact that counted; empty unless asked for. */
  readonly reasons: readonly Reason[];
}

type Draft<T extends SelectorInput> = { -readonly [K in keyof Assessment<T>]: Assessment<T>[K] };

/** How long a task with these requirements would take at a candidate, by a demand model; undefined where none answers. */
export type DemandEstimator = (candidate: Candidate, requirements: Requirements) => DemandEstimate | undefined;

/** Assesses all candidates of a service for one set of requirements. The order of the input is kept. */
export function assess<T extends SelectorInput>(inputs: readonly T[], requirements: Requirements, explain = false, estimate?: DemandEstimator): Assessment<T>[] {
  // The capacity of an aggregate is a sum that no single task gets.
  const hasDemand = requirements.workload !== undefined || requirements.dataSize !== undefined;
  const drafts = inputs.map((input): Draft<T> => {
    const reasons: Reason[] = [];
    const sink = explain ? reasons : undefined;
    const { candidate, path } = input;
    const usable = isUsable(candidate, path, input.firstSidResolves, sink);
    const prediction = predict(candidate.instance, path, requirements, input.ownBacklog, input.load, hasDemand && !candidate.instance.aggregate ? estimate?.(candidate, requirements) : undefined);
    if (prediction.demand) sink?.push({ code: 'demand', ok: true, text: describeDemand(prediction.demand) });
    // `isFeasible` first: all its facts are wanted for display, usable or not.
    const feasible = isFeasible(candidate, path, requirements, prediction, sink) && usable;
    if (input.freshness < 1) sink?.push({ code: 'age', ok: true, text: `its announcement is overdue: the latency counts ${(1 / input.freshness).toFixed(1)} times` });
    return { input, usable, feasible, prediction, score: undefined, weight: 0, spreadWeight: 0, reasons };
  });
  const chosen = fresh(drafts.filter(({ feasible }) => feasible));
  score(chosen, requirements);
  const tolerance = requirements.objective ? OBJECTIVE_TOLERANCE : LATENCY_TOLERANCE;
  shareOut(chosen.filter(({ score: value }) => value !== undefined && value <= tolerance), requirements, 'weight');
  shareOut(survivors(drafts), requirements, 'spreadWeight');
  return drafts;
}

/** Those that run and are not stale; else those that run; else any. */
function fresh<T extends SelectorInput>(drafts: readonly Draft<T>[]): readonly Draft<T>[] {
  const running = drafts.filter(({ input }) => !isDormant(input.candidate.instance));
  const wanted = running.length > 0 ? running : drafts;
  const without = wanted.filter(({ input }) => !input.candidate.stale);
  return without.length > 0 ? without : wanted;
}

/** Who takes flows whose candidate is gone: feasible ones, else any that is not draining, else any that is there. */
function survivors<T extends SelectorInput>(drafts: readonly Draft<T>[]): readonly Draft<T>[] {
  const usable = drafts.filter((draft) => draft.usable);
  for (const group of [usable.filter(({ feasible }) => feasible), usable.filter(({ input }) => !input.candidate.instance.draining)]) {
    if (group.length > 0) return fresh(group);
  }
  return fresh(usable);
}

/** The predicted latency as it counts in comparisons: an old picture is believed less. */
const countedUs = <T extends SelectorInput>({ prediction, input }: Draft<T>): number => prediction.totalUs / input.freshness;

function score<T extends SelectorInput>(drafts: readonly Draft<T>[], requirements: Requirements): void {
  const { objective } = requirements;
  const total = objective ? objective.latency + objective.energy + objective.utilisation + objective.price : 0;
  if (!objective || total === 0) {
    const best = Math.min(...drafts.map(countedUs));
    for (const draft of drafts) draft.score = best > 0 ? countedUs(draft) / best - 1 : countedUs(draft) > 0 ? Infinity : 0;
    return;
  }
  const add = (weight: number, valueOf: (draft: Draft<T>) => number | undefined): void => {
    if (weight === 0) return;
    const values = drafts.map(valueOf);
    const known = values.filter((value) => value !== undefined);
    const low = Math.min(...known);
    const range = Math.max(...known) - low;
    // What a candidate does not say counts as the worst that others say.
    drafts.forEach((draft, index) => {
      const value = values[index];
      const scaled = known.length === 0 ? 0 : value === undefined ? 1 : range > 0 ? (value - low) / range : 0;
      draft.score = (draft.score ?? 0) + (weight / total) * scaled;
    });
  };
  add(objective.latency, countedUs);
  add(objective.utilisation, ({ input }) => input.load?.utilisation);
  add(objective.energy, ({ input }) => {
    const { energy } = input.candidate.instance;
    return energy && energy.idleMw + ((energy.fullMw - energy.idleMw) * (input.load?.utilisation ?? 0)) / 10_000;
  });
  add(objective.price, ({ input }) => {
    const price = input.candidate.instance.price;
    return price && Number(price.microUnits);
  });
  const best = Math.min(...drafts.map((draft) => draft.score ?? 0));
  for (const draft of drafts) draft.score = (draft.score ?? 0) - best;
}

function shareOut<T extends SelectorInput>(drafts: readonly Draft<T>[], requirements: Requirements, field: 'weight' | 'spreadWeight'): void {
  if (drafts.length === 0) return;
  const capacities = comparableCapacities(drafts, requirements);
  const raw = drafts.map((draft, index) => capacities[index]! / Math.max(1, countedUs(draft)));
  const sum = raw.reduce((a, b) => a + b, 0);
  drafts.forEach((draft, index) => (draft[field] = raw[index]! / sum));
}

/** Spare capacity in the first unit that all candidates state: requests per second, operations per second; else they count alike. */
function comparableCapacities<T extends SelectorInput>(drafts: readonly Draft<T>[], requirements: Requirements): number[] {
  const rates = drafts.map(({ input }) => spareRate(input.candidate.instance, input.load));
  if (rates.every((rate) => rate > 0)) return rates;
  const operations = drafts.map(({ input }) => Number(capacityFor(input.candidate.instance, requirements)?.residual ?? 0n));
  return operations.every((value) => value > 0) ? operations : drafts.map(() => 1);
}
