/**
 * Load of a queueing service over time, as an agent would report it: arrivals are Poisson with a rate that swings like a day, wanders and
 * bursts; one server with exponential service times works them off. Everything follows from the seed.
 */

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One reporting interval. */
export interface LoadSample {
  /** Share of the interval that the server was busy, 0..1. */
  readonly utilisation: number;
  /** Requests in the queue or in service at its end. */
  readonly queueLength: number;
  /** Mean time in the system of the requests that ended in it, us; that of the last interval with any where none ended. */
  readonly latencyUs: number;
}

export interface TraceOptions {
  readonly seed: number;
  readonly samples: number;
  readonly intervalS: number;
  /** Requests a second that the server works off. */
  readonly serviceRate: number;
}

/** The trace of one instance. */
export function loadTrace({ seed, samples, intervalS, serviceRate }: TraceOptions): LoadSample[] {
  const random = seeded(seed);
  const exponential = (rate: number): number => -Math.log(1 - random()) / rate;
  const phase = random() * 2 * Math.PI;
  const mean = 0.25 + 0.35 * random();
  let drift = 0;
  let burst = 0;
  let clock = 0;
  let freeAt = 0;
  const ends: number[] = [];
  const trace: LoadSample[] = [];
  let latencyUs = 1e6 / serviceRate;
  for (let sample = 0; sample < samples; sample++) {
    const end = (sample + 1) * intervalS;
    drift = 0.95 * drift + 0.04 * (random() - 0.5);
    if (random() < 0.01) burst = 0.2 + 0.5 * random();
    burst *= 0.85;
    const share = Math.min(1.05, Math.max(0.02, mean + 0.2 * Math.sin((2 * Math.PI * sample * intervalS) / 300 + phase) + drift + burst));
    const rate = share * serviceRate;
    const busyBefore = Math.max(0, Math.min(freeAt, end) - sample * intervalS);
    let busy = busyBefore;
    let sojourn = 0;
    let served = 0;
    for (clock = Math.max(clock, sample * intervalS) + exponential(rate); clock < end; clock += exponential(rate)) {
      const begin = Math.max(clock, freeAt);
      freeAt = begin + exponential(serviceRate);
      busy += Math.max(0, Math.min(freeAt, end) - Math.min(begin, end));
      sojourn += freeAt - clock;
      served++;
      ends.push(freeAt);
    }
    // An arrival after the end is drawn anew by the next interval: Poisson arrivals have no memory.
    clock = end;
    while (ends.length > 0 && ends[0]! <= end) ends.shift();
    if (served > 0) latencyUs = (sojourn / served) * 1e6;
    trace.push({ utilisation: Math.min(1, busy / intervalS), queueLength: ends.length, latencyUs });
  }
  return trace;
}
