/**
 * Offloading in simulated time: requests come at entries by Poisson processes, each entry's own Steering sends them to exits, and each exit works them off one after
 * the other, with exponential service times. All entries hear the same announcements, every exit's at a moment of its own, and know nothing else. Pure; everything
 * follows from the seed.
 */
import { ManualClock } from '../../daemon/clock.js';
import type { RequirementDefaults } from '../../daemon/config/types.js';
import { silentLogger } from '../../daemon/log.js';
import { ComputingRib } from '../../daemon/rib/computing-rib.js';
import type { StrategyConfig } from '../../daemon/steering/strategies/strategy.js';
import { Steering } from '../../daemon/steering/steering.js';
import { DEFERRED, type Settle, type Steer } from '../../dataplane/dataplane.js';
import { FLOW_KEY_LENGTH, flowKeyAddress } from '../../dataplane/packet/flow-key.js';
import { advertisement, CountingFlowTable, exitAddress, serviceAddress } from '../steering-setup.js';
import { seeded } from './load-trace.js';

export interface OffloadingOptions {
  /** `random`: by service rate, whatever is announced; `omniscient`: where the request is done first, with all queues known as they are. */
  readonly strategy: StrategyConfig | 'random' | 'omniscient';
  readonly entries: number;
  /** Requests a second of each exit. */
  readonly rates: readonly number[];
  /** Round trips of the ways to the exits, us. */
  readonly rttUs: readonly number[];
  /** Share of what all exits can do. */
  readonly load: number;
  /** Between announcements of an exit, ms. */
  readonly updateMs: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface OffloadingResult {
  readonly meanMs: number;
  readonly p99Ms: number;
  /** Standard deviation of an exit's queue over time and exits, over its mean. */
  readonly variation: number;
  readonly requests: number;
}

const NO_DEFAULTS: RequirementDefaults = { maxLatencyUs: undefined, computing: undefined, stickiness: undefined, storage: undefined, network: undefined, algorithm: undefined, objective: undefined };

class EntryTable extends CountingFlowTable {
  steer: Steer | undefined;
  settle: Settle | undefined;

  override onPunt(steer?: Steer, settle?: Settle): void {
    this.steer = steer;
    this.settle = settle;
  }
}

/** One exit: what it has to do is done at `freeAt`. */
class Queue {
  freeAt = 0;
  readonly ends: number[] = [];
  private first = 0;
  busyMs = 0;

  constructor(readonly rate: number) {}

  waiting(nowMs: number): number {
    while (this.first < this.ends.length && this.ends[this.first]! <= nowMs) this.first++;
    return this.ends.length - this.first;
  }

  /** Returns when it is done, ms. */
  take(nowMs: number, serviceMs: number): number {
    this.freeAt = Math.max(this.freeAt, nowMs) + serviceMs;
    this.busyMs += serviceMs;
    this.ends.push(this.freeAt);
    return this.freeAt;
  }
}

/** Statistics begin after so long, ms. */
const WARM_UP_MS = 25_000;
const SAMPLE_MS = 100;
/** Load is measured over so long a time, ms. */
const LOAD_MS = 1000;

export function simulate(options: OffloadingOptions): OffloadingResult {
  const { strategy, rates, rttUs, updateMs, seconds, entries: entryCount } = options;
  const random = seeded(options.seed);
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const clock = new ManualClock();
  const queues = rates.map((rate) => new Queue(rate));
  const capacity = rates.reduce((a, b) => a + b, 0);
  const places = new Map(rates.map((_, exit) => [exitAddress(exit + 2), exit]));
  const config = typeof strategy === 'string' ? ({ name: 'weighted' } as const) : strategy;
  const entries = Array.from({ length: typeof strategy === 'string' ? 0 : entryCount }, (_, number) => {
    const flows = new EntryTable();
    const rib = new ComputingRib({ clock, log: silentLogger, ownExit: 'fc00:0:1::1' });
    const steering = new Steering({
      clock,
      log: silentLogger,
      rib,
      flows,
      config: { services: [{ id: 'default', via: {}, strategy: config, requirements: NO_DEFAULTS }], flowIdleMs: 1000, maxFlows: 1 << 21, restartTimeMs: 0, prediction: { model: 'learned', horizonMs: 0 } },
      pathState: (exit) => ({ rttUs: rttUs[places.get(exit)!]!, jitterUs: 0, lossPpm: 0, alive: true, cost: 0, mtu: 1500, resolved: true }),
      seed: options.seed + number,
    });
    rib.onChange((changed) => steering.onRibChange(changed));
    steering.start();
    return { flows, rib, steering };
  });

  const latencies: number[] = [];
  const samples: number[] = [];
  const busyBefore = rates.map(() => 0);
  let sequence = 1n;
  let flowNumber = 0;
  const announce = (exit: number): void => {
    const queue = queues[exit]!;
    const now = clock.now();
    // Work done within the last measuring time: what was taken, less what is still to be done.
    const done = queue.busyMs - Math.max(0, queue.freeAt - now);
    const utilisation = Math.round(Math.min(1, Math.max(0, (done - busyBefore[exit]!) / (now === 0 ? 1 : Math.min(updateMs, LOAD_MS)))) * 10_000);
    sequence++;
    const base = advertisement(0, exit + 2, sequence);
    const meanUs = Math.round(1e6 / queue.rate);
    const instances = base.instances.map((instance) => ({ ...instance, load: { utilisation, queueLength: queue.waiting(now), activeFlows: 0 }, serviceDelay: { meanUs, p99Us: 5 * meanUs, serviceRate: queue.rate } }));
    for (const { rib } of entries) {
      rib.advertise({ ...base, instances });
      rib.flush();
    }
  };
  const measureFrom = (exit: number): void => {
    const queue = queues[exit]!;
    busyBefore[exit] = queue.busyMs - Math.max(0, queue.freeAt - clock.now());
  };
  const serve = (exit: number, cameAt: number): void => {
    const done = queues[exit]!.take(clock.now(), exponential(1000 / queues[exit]!.rate));
    if (cameAt >= WARM_UP_MS) latencies.push(done - cameAt + rttUs[exit]! / 1000);
  };
  const choose = (): number => {
    if (strategy === 'random') {
      let draw = random() * capacity;
      return Math.min(rates.length - 1, rates.findIndex((rate) => (draw -= rate) < 0));
    }
    let best = 0;
    const doneAt = (exit: number): number => Math.max(queues[exit]!.freeAt, clock.now()) + 1000 / rates[exit]! + rttUs[exit]! / 1000;
    for (let exit = 1; exit < rates.length; exit++) if (doneAt(exit) < doneAt(best)) best = exit;
    return best;
  };

  const repeat = (afterMs: number, everyMs: number, work: () => void): void => {
    clock.setTimeout(() => {
      work();
      repeat(everyMs, everyMs, work);
    }, afterMs);
  };
  rates.forEach((_, exit) => {
    announce(exit);
    const firstMs = ((exit + 1) / rates.length) * updateMs;
    repeat(firstMs, updateMs, () => announce(exit));
    repeat(Math.max(0, firstMs - Math.min(updateMs, LOAD_MS)) + (firstMs < LOAD_MS ? updateMs - Math.min(updateMs, LOAD_MS) : 0), updateMs, () => measureFrom(exit));
  });
  repeat(WARM_UP_MS, SAMPLE_MS, () => queues.forEach((queue) => samples.push(queue.waiting(clock.now()))));

  const service = flowKeyAddress(serviceAddress(0));
  const arena = new Uint8Array(64);
  const arrive = (number: number): void => {
    const cameAt = clock.now();
    const entry = entries[number];
    if (!entry) {
      serve(choose(), cameAt);
      return;
    }
    const key = new Uint8Array(FLOW_KEY_LENGTH);
    new DataView(key.buffer).setUint32(12, ++flowNumber);
    key.set(service, 16);
    const packet = { arena, offset: 0, length: 64, key, requirement: undefined };
    const serveBy = (policy: number): void => serve(places.get(entry.steering.policies.targetOf(policy)!.exit)!, cameAt);
    const policy = entry.flows.steer!(packet);
    if (policy !== DEFERRED) {
      serveBy(policy);
      return;
    }
    const settle = entry.flows.settle!;
    const waiting = held[number]!;
    waiting.push(() => serveBy(entry.flows.steer!({ ...packet, held: true })));
    if (waiting.length > 1) return;
    clock.setTimeout(() => {
      settle.decide();
      for (const each of waiting.splice(0)) each();
    }, settle.windowMs());
  };
  const held = Array.from({ length: entryCount }, (): (() => void)[] => []);
  const meanGapMs = (1000 * entryCount) / (options.load * capacity);
  for (let number = 0; number < entryCount; number++) {
    const next = (): void => {
      arrive(number);
      clock.setTimeout(next, exponential(meanGapMs));
    };
    clock.setTimeout(next, exponential(meanGapMs));
  }
  clock.advance(seconds * 1000);
  for (const { steering, rib } of entries) {
    steering.stop();
    rib.close();
  }
  latencies.sort((a, b) => a - b);
  const mean = samples.reduce((a, b) => a + b, 0) / samples.length;
  const deviation = Math.sqrt(samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples.length);
  return {
    meanMs: latencies.reduce((a, b) => a + b, 0) / latencies.length,
    p99Ms: latencies[Math.floor(0.99 * latencies.length)]!,
    variation: deviation / mean,
    requests: latencies.length,
  };
}
