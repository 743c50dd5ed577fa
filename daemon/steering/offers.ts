/** What a strategy chooses among: the assessed candidates of a service for one set of requirements. */
import type { Member } from './member.js';
import type { Assessment } from './selector.js';
import type { Offer, Situation } from './strategies/strategy.js';

/** Time constant of the count behind the rate of first packets, s. */
const RATE_SECONDS = 1;

class MemberOffer implements Offer {
  readonly name: string;
  readonly isLocal: boolean;
  readonly pathUs: number;
  readonly perRequestUs: number;
  readonly weight: number;
  readonly spreadWeight: number;
  readonly statedUs: number;
  private readonly backlog: number;

  constructor(
    readonly member: Member,
    { prediction, weight, spreadWeight }: Assessment<Member>,
    /** At the time of the assessment, us. */
    private readonly preparedUs: number,
  ) {
    this.name = `${member.exit}#${member.instance}`;
    this.isLocal = member.candidate.source === 'local';
    this.pathUs = prediction.pathUs ?? Infinity;
    this.weight = weight;
    this.spreadWeight = spreadWeight;
    this.backlog = member.ownBacklog;
    const rate = member.candidate.instance.serviceDelay?.serviceRate ?? 0;
    this.perRequestUs = (rate > 0 ? 1e6 / rate : prediction.serviceUs) / member.freshness;
    this.statedUs = Math.max(0, preparedUs - prediction.ownWaitUs / member.freshness);
  }

  get costUs(): number {
    return this.preparedUs + (this.member.ownBacklog - this.backlog) * this.perRequestUs;
  }
}

/** Those that may be chosen: feasible, with policies to go by, and neither stale nor dormant while there are others. */
export function offersOf(assessments: readonly Assessment<Member>[]): MemberOffer[] {
  const meant = assessments.filter(({ feasible, score, input }) => feasible && score !== undefined && input.block);
  // The score is relative to the best: of latencies it is exact, of objectives it makes the cost that the own account adds to.
  const best = meant.find(({ score }) => score === 0);
  const bestUs = best ? best.prediction.totalUs / best.input.freshness : 0;
  return meant.map((assessment) => new MemberOffer(assessment.input, assessment, bestUs > 0 ? bestUs * (1 + assessment.score!) : assessment.prediction.totalUs / assessment.input.freshness));
}

/** First packets to a service a second, an exponential mean. */
export class ArrivalRate {
  private count = 0;
  private countedAt = 0;

  arrived(nowMs: number): void {
    this.count = this.decayed(nowMs) + 1;
    this.countedAt = nowMs;
  }

  perSecond(nowMs: number): number {
    return this.decayed(nowMs) / RATE_SECONDS;
  }

  private decayed(nowMs: number): number {
    return this.count === 0 ? 0 : this.count * Math.exp(-(nowMs - this.countedAt) / (1000 * RATE_SECONDS));
  }
}

export function situationOf(offers: readonly MemberOffer[], arrivalsPerSecond: number, nowMs: number): Situation {
  const staleness = offers.reduce((sum, { member }) => sum + member.staleness(nowMs), 0);
  return { nowMs, arrivalsPerSecond, stalenessMs: offers.length === 0 ? 0 : staleness / offers.length };
}
