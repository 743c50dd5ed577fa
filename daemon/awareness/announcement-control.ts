/**
 * Announcement control: which services are worth an announcement now. The same for every protocol that carries computing state (survey
 * section 4.4: computing state changes faster than routing should).
 *
 * Three kinds of change:
 * - urgent (an instance comes, goes, drains, is reached by another SID): announced at once, whatever the interval and the budget;
 * - a change beyond the threshold, or another grade: announced once the minimum interval of its service is over and the budget of this
 *   router allows it: the most wrong pictures first, and the longer one waits the sooner its turn comes;
 * - any smaller change: announced once the maximum interval is over, so that no picture stays wrong for longer.
 * Where announcements have a validity, an unchanged service is announced again after a third of it.
 *
 * Pure: time is an argument, in ms of one clock.
 */
import type { Instance } from '../computing/types.js';
import type { AnnounceBudget, AnnouncePolicy } from '../config/types.js';
import { changeOf, isUrgentChange } from './damping.js';

/** What is true of a service now. */
export interface Picture {
  readonly instances: readonly Instance[];
  /** Requests that the queue of each instance holds; 0: unknown. In the order of the instances. */
  readonly queueCapacities: readonly number[];
}

export interface DueService {
  readonly service: string;
  /** Empty: the service is to be withdrawn. */
  readonly instances: readonly Instance[];
}

interface Entry {
  picture: Picture;
  policy: AnnouncePolicy;
  /** As last announced, by instance id; undefined: not announced. */
  announced: ReadonlyMap<number, Instance> | undefined;
  announcedAt: number;
  /** Relative difference of what is announced and what is true, 0..1. */
  error: number;
  /** When it is to be looked at, Infinity when nothing waits. */
  notBefore: number;
}

/** The least time between two looks while the budget is used up, ms: what is due meanwhile goes out together and packs. */
const BUDGET_STEP_MS = 100;

/** A fresh announcement is expected three times within its validity, so that one may be late or lost. */
export const REFRESHES_PER_VALIDITY = 3;

export class AnnouncementControl {
  private readonly entries = new Map<string, Entry>();
  private readonly urgent = new Set<string>();
  /** Services whose `notBefore` is finite. */
  private readonly waiting = new Set<string>();
  private nextAt = Infinity;
  private tokens: number;
  private tokensAt = -Infinity;
  /** Announcements that the budget held up, and those sent, since the start. */
  readonly counters = { sent: 0, urgent: 0, delayedByBudget: 0 };

  constructor(private budget: AnnounceBudget) {
    this.tokens = budget.burst;
  }

  setBudget(budget: AnnounceBudget): void {
    this.budget = budget;
    this.tokens = Math.min(this.tokens, budget.burst);
    this.nextAt = Math.min(this.nextAt, this.tokensAt);
  }

  /** When `take` has something to do next; Infinity: nothing waits. */
  get wakeAt(): number {
    return this.urgent.size > 0 ? -Infinity : this.nextAt;
  }

  /** What is announced of a service now, by instance id. */
  announced(service: string): ReadonlyMap<number, Instance> | undefined {
    return this.entries.get(service)?.announced;
  }

  /** Says what is true of a service now. */
  offer(service: string, picture: Picture, policy: AnnouncePolicy): void {
    let entry = this.entries.get(service);
    if (!entry) {
      if (picture.instances.length === 0) return;
      entry = { picture, policy, announced: undefined, announcedAt: -Infinity, error: 0, notBefore: Infinity };
      this.entries.set(service, entry);
    }
    entry.picture = picture;
    entry.policy = policy;
    if (!entry.announced || isUrgentChange(entry.announced, picture.instances)) {
      this.urgent.add(service);
      return;
    }
    this.urgent.delete(service);
    entry.error = errorOf(entry);
    this.wait(service, entry);
  }

  /** Everything is to be announced again: somebody held a higher sequence of this router. */
  renewAll(): void {
    for (const service of this.entries.keys()) this.urgent.add(service);
  }

  /** Takes what is due at `now`; it counts as announced then. */
  take(now: number): DueService[] {
    const due: DueService[] = [];
    for (const service of this.urgent) this.announce(service, now, due);
    this.counters.urgent += due.length;
    this.urgent.clear();
    this.refill(now, due.length);
    if (now >= this.nextAt) this.takeWaiting(now, due);
    this.counters.sent += due.length;
    return due;
  }

  private takeWaiting(now: number, due: DueService[]): void {
    this.nextAt = Infinity;
    const ready: { service: string; priority: number }[] = [];
    for (const service of this.waiting) {
      const entry = this.entries.get(service)!;
      if (entry.notBefore <= now) ready.push({ service, priority: priorityOf(entry, now) });
      else this.nextAt = Math.min(this.nextAt, entry.notBefore);
    }
    const room = this.budget.rate === 0 ? ready.length : Math.max(0, Math.min(ready.length, Math.floor(this.tokens)));
    if (room < ready.length) {
      ready.sort((a, b) => b.priority - a.priority || (a.service < b.service ? -1 : 1));
      this.counters.delayedByBudget += ready.length - room;
      const missing = Math.max(1, 1 - (this.tokens - room)) / this.budget.rate;
      this.nextAt = Math.min(this.nextAt, now + Math.max(BUDGET_STEP_MS, missing * 1000));
    }
    for (const { service } of ready.slice(0, room)) this.announce(service, now, due);
    this.tokens -= room;
  }

  private announce(service: string, now: number, due: DueService[]): void {
    const entry = this.entries.get(service);
    if (!entry) return;
    const { instances } = entry.picture;
    due.push({ service, instances });
    if (instances.length === 0) {
      this.entries.delete(service);
      this.waiting.delete(service);
      return;
    }
    entry.announced = new Map(instances.map((instance) => [instance.id, instance]));
    entry.announcedAt = now;
    entry.error = 0;
    this.wait(service, entry);
  }

  private wait(service: string, entry: Entry): void {
    const { policy, error, announcedAt } = entry;
    let notBefore = Infinity;
    if (error > policy.threshold) notBefore = announcedAt + policy.minIntervalMs;
    else if (error > 0 && policy.maxIntervalMs > 0) notBefore = announcedAt + Math.max(policy.minIntervalMs, policy.maxIntervalMs);
    if (policy.validityMs > 0) notBefore = Math.min(notBefore, announcedAt + policy.validityMs / REFRESHES_PER_VALIDITY);
    entry.notBefore = notBefore;
    if (notBefore === Infinity) {
      this.waiting.delete(service);
      return;
    }
    this.waiting.add(service);
    this.nextAt = Math.min(this.nextAt, notBefore);
  }

  /** Urgent announcements are paid for too, so that the others wait for them; but never more than one burst of debt. */
  private refill(now: number, spent: number): void {
    const { rate, burst } = this.budget;
    if (this.tokensAt !== -Infinity) this.tokens = Math.min(burst, this.tokens + ((now - this.tokensAt) / 1000) * rate);
    this.tokensAt = now;
    this.tokens = Math.max(-burst, this.tokens - spent);
  }
}

/** The error, and the share of the maximum interval that is over: a picture that waited for all of it goes before any younger one. */
function priorityOf({ error, announcedAt, policy: { maxIntervalMs } }: Entry, now: number): number {
  return error + (maxIntervalMs > 0 ? (now - announcedAt) / maxIntervalMs : 0);
}

function errorOf({ announced, picture: { instances, queueCapacities } }: Entry): number {
  let largest = 0;
  instances.forEach((instance, index) => (largest = Math.max(largest, changeOf(announced!.get(instance.id)!, instance, queueCapacities[index] ?? 0))));
  return largest;
}
