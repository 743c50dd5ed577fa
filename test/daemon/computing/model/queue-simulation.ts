/** A queue of k servers as a discrete event simulation, independent of the formulas: every request is followed. */
import type { ServedRequest } from '../../../../daemon/computing/model/queue-fit.js';
import { seededRandom } from '../../../../daemon/computing/model/random.js';

export interface Simulation {
  readonly servers: number;
  /** Requests per second. */
  readonly rate: number;
  /** Service time, ms. */
  readonly service: (random: () => number) => number;
  /** Time between arrivals at a mean of 1; exponential by default. */
  readonly gap?: (random: () => number) => number;
  readonly requests: number;
  readonly seed: number;
}

export const exponential = (mean: number) => (random: () => number): number => -mean * Math.log(1 - random());

/** First come, first served: each request goes to the server that is free first. */
export function simulate({ servers, rate, service, gap = exponential(1), requests, seed }: Simulation): ServedRequest[] {
  const random = seededRandom(seed);
  const freeAt = new Array<number>(servers).fill(0);
  let now = 0;
  return Array.from({ length: requests }, () => {
    now += (gap(random) * 1000) / rate;
    let first = 0;
    for (let i = 1; i < servers; i++) if (freeAt[i]! < freeAt[first]!) first = i;
    const startMs = Math.max(now, freeAt[first]!);
    freeAt[first] = startMs + service(random);
    return { arrivalMs: now, startMs, endMs: freeAt[first]! };
  });
}

/** Mean wait, mean response and p99 of the response, us, without the warm-up. */
export function measured(requests: readonly ServedRequest[]): { readonly waitUs: number; readonly responseUs: number; readonly responseP99Us: number } {
  const settled = requests.slice(Math.floor(requests.length / 10));
  const mean = (pick: (request: ServedRequest) => number): number => (settled.reduce((sum, request) => sum + pick(request), 0) / settled.length) * 1000;
  const responses = settled.map(({ arrivalMs, endMs }) => endMs - arrivalMs).sort((a, b) => a - b);
  return { waitUs: mean((r) => r.startMs - r.arrivalMs), responseUs: mean((r) => r.endMs - r.arrivalMs), responseP99Us: responses[Math.floor(0.99 * responses.length)]! * 1000 };
}
