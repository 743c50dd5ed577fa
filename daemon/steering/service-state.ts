/** What the steering knows of one service: its members, its blocks of policy ids, and the prepared choices for first packets. */
import type { PolicyBlockOwner } from '../../dataplane/dataplane.js';
import type { ServiceConfig } from '../config/types.js';
import { freshness } from './freshness.js';
import type { Member } from './member.js';
import { ArrivalRate, offersOf, situationOf } from './offers.js';
import type { PolicyBlock, PolicyTarget } from './policies.js';
import type { Requirements } from './requirement-option.js';
import { assess, type Assessment, type DemandEstimator } from './selector.js';
import { createStrategy } from './strategies/catalogue.js';
import type { Chooser, Strategy, StrategyConfig } from './strategies/strategy.js';

/** A prepared choice is made anew when it is this old, ms ... */
const MAX_AGE_MS = 100;
/** ... or when what was sent since then may have changed the order, but not more often than this, ms. */
const MIN_AGE_MS = 1;
/** Sent requests that may raise the best predicted latency by this share make the choice due. */
const ACCEPTED_DRIFT = 0.05;
const MAX_BUDGET = 1024;

/** The candidates for flows with one set of requirements, prepared by the strategy for the hot path. */
export class PreparedChoice {
  /** All that may serve such a flow, for client stickiness. */
  private readonly feasible = new Set<Member>();
  readonly offers: ReturnType<typeof offersOf>;
  private readonly chooser: Chooser | undefined;
  private budget = 0;

  constructor(
    assessments: readonly Assessment<Member>[],
    strategy: Strategy,
    arrivalsPerSecond: number,
    private readonly madeAt: number,
  ) {
    let requestsPerUs = 0;
    let bestUs = Infinity;
    for (const { input: member, feasible, weight, prediction } of assessments) {
      if (!feasible || !member.block) continue;
      this.feasible.add(member);
      if (weight <= 0) continue;
      bestUs = Math.min(bestUs, prediction.totalUs);
      const rate = member.candidate.instance.serviceDelay?.serviceRate ?? 0;
      requestsPerUs += rate > 0 ? rate / 1e6 : prediction.serviceUs > 0 ? 1 / prediction.serviceUs : Infinity;
    }
    this.offers = offersOf(assessments);
    if (this.offers.length === 0) return;
    this.chooser = strategy.prepare(this.offers, situationOf(this.offers, arrivalsPerSecond, madeAt));
    this.budget = this.feasible.size < 2 ? MAX_BUDGET : Math.min(MAX_BUDGET, Math.max(1, Math.floor(ACCEPTED_DRIFT * bestUs * requestsPerUs)));
  }

  get isEmpty(): boolean {
    return this.chooser === undefined;
  }

  /** What the strategy says of itself; undefined when there is nothing to choose. */
  get words(): string | undefined {
    return this.chooser?.words;
  }

  /** How long first packets may wait for others, ms; undefined: they are answered at once. */
  get windowMs(): number | undefined {
    return this.chooser?.windowMs;
  }

  isDue(nowMs: number): boolean {
    const age = nowMs - this.madeAt;
    return age >= MAX_AGE_MS || (this.budget <= 0 && age >= MIN_AGE_MS);
  }

  isFeasible(member: Member): boolean {
    return this.feasible.has(member);
  }

  /** The member that a flow with this hash would go to; the set is not empty. */
  preview(hash: number): Member {
    return this.offers[this.chooser!.choose(hash)]!.member;
  }

  /** So many flows were placed elsewhere. */
  spend(flows: number): void {
    this.budget -= flows;
  }

  /** The member that a flow with this hash goes to; the set is not empty. */
  choose(hash: number): Member {
    this.budget--;
    const place = this.chooser!.choose(hash);
    this.chooser!.taken?.(place);
    return this.offers[place]!.member;
  }
}

/** What a policy found in the dataplane at start leads to, until a candidate with that SID appears or the restart time is over. */
export class AdoptedTarget implements PolicyTarget {
  usable = true;

  constructor(
    readonly exit: string,
    readonly instance: number,
    readonly segments: readonly string[],
    readonly mtu: number,
  ) {}
}

export class ServiceState {
  readonly members: Member[] = [];
  /** Those of members, those that only pinned flows still use, and adopted ones. */
  readonly blocks = new Set<PolicyBlock>();
  /** Choice without a requirement option, and by option data. */
  defaultSet: PreparedChoice | undefined;
  optionSets: Map<string, PreparedChoice> | undefined;
  /** First packets that were steered. */
  readonly arrivals = new ArrivalRate();
  private current: Strategy;

  constructor(
    readonly service: string,
    /** Index in the steering's table of services. */
    readonly index: number,
    public defaults: Requirements,
    public via: ServiceConfig['via'],
    /** Named in the configuration: known even without a candidate. */
    public configured: boolean,
    strategy: StrategyConfig,
    private readonly estimate?: DemandEstimator,
  ) {
    this.current = createStrategy(strategy);
  }

  get strategy(): Strategy {
    return this.current;
  }

  /** Another strategy, or the same with other parameters, begins anew; an equal one goes on. */
  setStrategy(config: StrategyConfig): void {
    if (JSON.stringify(config) === JSON.stringify(this.current.config)) return;
    this.current = createStrategy(config);
    this.invalidate();
  }

  member(exit: string, instance: number): Member | undefined {
    return this.members.find((member) => member.exit === exit && member.instance === instance);
  }

  memberOf({ exit, instance }: PolicyBlockOwner): Member | undefined {
    return this.member(exit, instance);
  }

  /** Assesses the members that are there. */
  assess(requirements: Requirements, nowMs: number, explain = false): Assessment<Member>[] {
    const present = this.members.filter((member) => member.present);
    for (const member of present) {
      member.look(nowMs);
      member.freshness = freshness(member.candidate, nowMs);
    }
    return assess(present, requirements, explain, this.estimate);
  }

  /** Prepared choices no longer hold. */
  invalidate(): void {
    this.defaultSet = undefined;
    this.optionSets = undefined;
  }
}
