/** One instance of a service as this router uses it: candidate, way to it, own account of what was sent, its block of policy ids. */
import type { Load } from '../computing/types.js';
import type { Candidate, PathState } from '../rib/candidate.js';
import { LoadForecast, type ForecastConfig } from './load/forecast.js';
import type { PolicyBlock, PolicyTarget } from './policies.js';
import { spareRate } from './prediction.js';
import type { SelectorInput } from './selector.js';

export class Member implements PolicyTarget, SelectorInput {
  readonly service: string;
  readonly exit: string;
  readonly instance: number;
  candidate: Candidate;
  /** As of the last look (freshness.ts). */
  freshness = 1;
  /** As expected at the last look. */
  load: Load | undefined;
  forecast: LoadForecast | undefined;
  path: PathState;
  /** False once the computing RIB has it no more. */
  present = true;
  /** Transit SIDs of the way it is reached by now. */
  transit: readonly string[] = [];
  firstSidResolves = false;
  /** Flows pinned to it may stay. */
  usable = false;
  /** Travel order: transit SIDs, then the SID of the instance. */
  segments: readonly string[] = [];
  mtu = 0;
  /** Lowered by Packet Too Big messages about outer packets; 0: not. */
  learnedMtu = 0;
  learnedMtuAt = 0;
  /** Block for new flows; undefined while it is not usable. */
  block: PolicyBlock | undefined;
  /** First packets sent to it since the daemon started. */
  sent = 0;
  private backlog = 0;
  private drainedAt = 0;
  /** Between the last two announcements, ms. */
  private interval = 0;

  constructor(
    candidate: Candidate,
    path: PathState,
    private forecasting: ForecastConfig,
  ) {
    this.service = candidate.service;
    this.exit = candidate.exit;
    this.instance = candidate.instance.id;
    this.candidate = candidate;
    this.path = path;
    this.foresee(candidate);
  }

  /** Requests of ours it cannot have served yet, as of the last drain(). */
  get ownBacklog(): number {
    return this.backlog;
  }

  /** A newer announcement counts what was sent before it. */
  update(candidate: Candidate): void {
    if (candidate.sequence !== this.candidate.sequence) {
      this.backlog = 0;
      this.interval = candidate.receivedAt - this.candidate.receivedAt;
      this.foresee(candidate);
    }
    this.candidate = candidate;
    this.present = true;
  }

  /** Another model begins with what is announced now. */
  setForecasting(config: ForecastConfig): void {
    if (config.model === this.forecasting.model && config.horizonMs === this.forecasting.horizonMs) return;
    this.forecasting = config;
    this.forecast = undefined;
    this.foresee(this.candidate);
  }

  private foresee({ instance: { load }, receivedAt }: Candidate): void {
    if (!load) this.forecast = undefined;
    else if (this.forecast) this.forecast.announced(receivedAt, load);
    else this.forecast = new LoadForecast(this.forecasting, receivedAt, load);
    this.load = load;
  }

  /** What is expected of it at `nowMs`. */
  look(nowMs: number): void {
    this.load = this.forecast?.at(nowMs);
    this.drain(nowMs);
  }

  /** How old its announcement gets before the next: the interval between the last two, or its age where that is longer, ms. */
  staleness(nowMs: number): number {
    return Math.max(this.interval, nowMs - this.candidate.receivedAt);
  }

  account(): void {
    this.sent++;
    this.backlog++;
  }

  /** Takes off what it has served since the last call: its spare rate, or all within a second where no rate is known. */
  private drain(nowMs: number): void {
    const seconds = (nowMs - this.drainedAt) / 1000;
    this.drainedAt = nowMs;
    if (this.backlog === 0) return;
    const rate = spareRate(this.candidate.instance, this.load);
    this.backlog = rate > 0 ? Math.max(0, this.backlog - rate * seconds) : this.backlog * Math.exp(-seconds);
    if (this.backlog < 0.01) this.backlog = 0;
  }
}
