/**
 * The load of one instance as an entry router expects it a little ahead, from what was announced. Silence says something too: whoever announces what changes
 * (awareness/announcement-control.ts) and says nothing has not changed much, so each interval without news counts as the last value seen again. Pure.
 */
import type { Load } from '../../computing/types.js';
import { loadModel, type LoadModel, type LoadModelName } from './model.js';

/** Nodes report, and announcements follow each other, at this interval by default, ms. */
const SILENCE_MS = 1000;
/** Models take in nothing sooner after the last: what changes from one moment to the next is no slope. News that comes sooner shifts what is expected. */
const LEAST_MS = SILENCE_MS / 2;
/** Silent intervals that are gone through one by one; a longer silence changes nothing more. */
const MOST_SILENT = 60;
/** Weight of the next announcement in the error so far. */
const ERROR_WEIGHT = 0.1;
/** Models see numbers of about 1: the utilisation as a share, queues in hundreds of requests. */
const FULL = 10_000;
const QUEUE_SCALE = 100;
/** A queue is not expected to be longer than so many times the longest that was announced lately. */
const QUEUE_ROOM = 2;
const QUEUE_MEMORY = 0.9;

export interface ForecastConfig {
  readonly model: LoadModelName;
  /** How far ahead, ms. */
  readonly horizonMs: number;
}

/** What there is to say of a forecast. */
export interface ForecastView {
  readonly model: LoadModelName;
  readonly horizonMs: number;
  readonly announced: Load;
  readonly predicted: Load;
  /** Distance of the utilisation from what was expected when an announcement came, in hundredths of a percent, the latest ones weighing most; undefined: none yet. */
  readonly error: number | undefined;
  /** The same of the assumption that the last value holds. */
  readonly lastValueError: number | undefined;
  readonly announcements: number;
}

export class LoadForecast {
  private readonly utilisation: LoadModel;
  private readonly queue: LoadModel;
  private load: Load;
  /** What the models saw last. */
  private seenLoad: Load;
  private longestQueue = 0;
  /** Until when announcements and silence are taken in. */
  private heardMs: number;
  private error: number | undefined;
  private lastValueError: number | undefined;
  private announcements = 1;

  constructor(
    readonly config: ForecastConfig,
    atMs: number,
    load: Load,
  ) {
    this.utilisation = loadModel(config.model);
    this.queue = loadModel(config.model);
    this.load = load;
    this.longestQueue = load.queueLength;
    this.seenLoad = load;
    this.heardMs = atMs;
    this.see();
  }

  announced(atMs: number, load: Load): void {
    this.listen(atMs);
    const expected = this.utilisationAt(atMs);
    this.error = mean(this.error, Math.abs(load.utilisation - expected));
    this.lastValueError = mean(this.lastValueError, Math.abs(load.utilisation - this.load.utilisation));
    this.announcements++;
    this.load = load;
    this.longestQueue = Math.max(load.queueLength, QUEUE_MEMORY * this.longestQueue);
    if (atMs - this.heardMs < LEAST_MS) return;
    this.heardMs = atMs;
    this.see();
  }

  /** Expected at `nowMs` and the horizon. */
  at(nowMs: number): Load {
    this.listen(nowMs);
    const then = nowMs + this.config.horizonMs;
    return {
      utilisation: Math.round(this.utilisationAt(then)),
      queueLength: Math.round(Math.min(QUEUE_ROOM * this.longestQueue, Math.max(0, QUEUE_SCALE * this.queue.at(then) + this.load.queueLength - this.seenLoad.queueLength))),
      activeFlows: this.load.activeFlows,
    };
  }

  view(nowMs: number): ForecastView {
    const { config, load, error, lastValueError, announcements } = this;
    return { ...config, announced: load, predicted: this.at(nowMs), error, lastValueError, announcements };
  }

  private utilisationAt(atMs: number): number {
    return Math.min(FULL, Math.max(0, FULL * this.utilisation.at(atMs) + this.load.utilisation - this.seenLoad.utilisation));
  }

  private see(): void {
    this.seenLoad = this.load;
    this.utilisation.observe(this.heardMs, this.load.utilisation / FULL);
    this.queue.observe(this.heardMs, this.load.queueLength / QUEUE_SCALE);
  }

  /** Takes in the silence until then. An interval counts as silent when so much more is over that no news of its end is to come. */
  private listen(untilMs: number): void {
    for (let count = 0; this.heardMs + SILENCE_MS + LEAST_MS <= untilMs; count++) {
      if (count === MOST_SILENT) this.heardMs = untilMs - SILENCE_MS - LEAST_MS;
      this.heardMs += SILENCE_MS;
      this.see();
    }
  }
}

const mean = (before: number | undefined, next: number): number => (before === undefined ? next : before + ERROR_WEIGHT * (next - before));
