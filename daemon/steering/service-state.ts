/** What the steering knows of one service: its members, its blocks of policy ids, and the prepared choices for first packets. */
import type { PolicyBlockOwner } from '../../dataplane/dataplane.js';
import type { ServiceConfig } from '../config/types.js';
import { freshness } from './freshness.js';
import type { Member } from './member.js';
import type { PolicyBlock, PolicyTarget } from './policies.js';
import type { Requirements } from './requirement-option.js';
import { assess, type Assessment, type DemandEstimator } from './selector.js';

/** A prepared choice is made anew when it is this old, ms ... */
const MAX_AGE_MS = 100;
/** ... or when what was sent since then may have changed the order, but not more often than this, ms. */
const MIN_AGE_MS = 1;
/** Sent requests that may raise the best predicted latency by this share make the choice due. */
const ACCEPTED_DRIFT = 0.05;
const MAX_BUDGET = 1024;

/** The candidates that share new flows with one set of requirements, prepared for the hot path. */
export class WeightedSet {
  /** Upper ends of the members' parts of the 32-bit hash space. */
  private readonly thresholds: number[] = [];
  private readonly chosen: Member[] = [];
  /** All that may serve such a flow, for client stickiness. */
  private readonly feasible = new Set<Member>();
  private budget: number;
  private readonly madeAt: number;

  constructor(assessments: readonly Assessment<Member>[], nowMs: number) {
    this.madeAt = nowMs;
    let sum = 0;
    let requestsPerUs = 0;
    let bestUs = Infinity;
    for (const { input: member, feasible, weight, prediction } of assessments) {
      if (!feasible || !member.block) continue;
      this.feasible.add(member);
      if (weight <= 0) continue;
      sum += weight;
      this.chosen.push(member);
      this.thresholds.push(sum);
      bestUs = Math.min(bestUs, prediction.totalUs);
      const rate = member.candidate.instance.serviceDelay?.serviceRate ?? 0;
      requestsPerUs += rate > 0 ? rate / 1e6 : prediction.serviceUs > 0 ? 1 / prediction.serviceUs : Infinity;
    }
    for (let i = 0; i < this.thresholds.length; i++) this.thresholds[i]! *= 0x1_0000_0000 / sum;
    this.budget = this.chosen.length < 2 && this.feasible.size < 2 ? MAX_BUDGET : Math.min(MAX_BUDGET, Math.max(1, Math.floor(ACCEPTED_DRIFT * bestUs * requestsPerUs)));
  }

  get isEmpty(): boolean {
    return this.chosen.length === 0;
  }

  isDue(nowMs: number): boolean {
    const age = nowMs - this.madeAt;
    return age >= MAX_AGE_MS || (this.budget <= 0 && age >= MIN_AGE_MS);
  }

  isFeasible(member: Member): boolean {
    return this.feasible.has(member);
  }

  /** The member that a flow with this hash goes to; the set is not empty. */
  choose(hash: number): Member {
    this.budget--;
    const last = this.chosen.length - 1;
    for (let i = 0; i < last; i++) if (hash < this.thresholds[i]!) return this.chosen[i]!;
    return this.chosen[last]!;
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
  defaultSet: WeightedSet | undefined;
  optionSets: Map<string, WeightedSet> | undefined;

  constructor(
    readonly service: string,
    /** Index in the steering's table of services. */
    readonly index: number,
    public defaults: Requirements,
    public via: ServiceConfig['via'],
    /** Named in the configuration: known even without a candidate. */
    public configured: boolean,
    private readonly estimate?: DemandEstimator,
  ) {}

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
