/** The black-box model of a pool from its history: of requests that were seen one by one, or of rates and the latencies they met. */
import { quantile } from './errors.js';
import { checkQueue, meanResponse, type QueueModel } from './queue.js';
import { modelled, refused, type Modelled } from './result.js';

/** One request: when it came, when it was taken up and when it was done, ms. */
export interface ServedRequest {
  readonly arrivalMs: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Mean latency of requests that came at a rate. */
export interface RateLatency {
  readonly rate: number; // requests per second
  readonly latencyUs: number;
}

export interface FittedQueue extends QueueModel {
  readonly samples: number;
  /** False: nobody waited, so that there may be more servers than were ever busy. */
  readonly serversKnown: boolean;
}

const LEAST_REQUESTS = 20;
const LEAST_RATES = 4;
const QUANTILES = 200;
/** A request taken up within this time after it came did not wait, ms. */
const AT_ONCE_MS = 0.05;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and squared coefficient of variation. */
function spreadOf(values: readonly number[]): { readonly mean: number; readonly scv: number } {
  const middle = mean(values);
  return { mean: middle, scv: values.length > 1 && middle > 0 ? values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1) / middle ** 2 : 0 };
}

/** From single requests: k is how many were served at once while another waited, the spreads are those observed. */
export function fitServedRequests(requests: readonly ServedRequest[]): Modelled<FittedQueue> {
  if (requests.length < LEAST_REQUESTS) return refused(`${requests.length} requests: at least ${LEAST_REQUESTS} are needed`);
  const wrong = requests.findIndex(({ arrivalMs, startMs, endMs }) => !(Number.isFinite(arrivalMs) && startMs >= arrivalMs && endMs > startMs && Number.isFinite(endMs)));
  if (wrong >= 0) return refused(`request ${wrong + 1}: expected arrival <= start < end, in ms`);
  const services = requests.map(({ startMs, endMs }) => (endMs - startMs) * 1000);
  const service = spreadOf(services);
  const arrivals = requests.map(({ arrivalMs }) => arrivalMs).sort((a, b) => a - b);
  const gaps = arrivals.slice(1).map((arrival, i) => arrival - arrivals[i]!);
  const busy = busiest(requests);
  const sorted = [...services].sort((a, b) => a - b);
  return modelled({
    servers: busy.whileWaiting > 0 ? busy.whileWaiting : busy.ever,
    serversKnown: busy.whileWaiting > 0,
    meanUs: service.mean,
    serviceScv: service.scv,
    arrivalScv: spreadOf(gaps).scv,
    serviceQuantilesUs: sorted.length < QUANTILES ? undefined : Array.from({ length: QUANTILES }, (_, i) => quantile(sorted, (i + 0.5) / QUANTILES)),
    samples: requests.length,
  });
}

/** Most requests in service at once: ever, and while another waited. */
function busiest(requests: readonly ServedRequest[]): { readonly ever: number; readonly whileWaiting: number } {
  // Ends before starts at the same time: a server that becomes free takes up the next.
  const changes = requests
    .flatMap(({ arrivalMs, startMs, endMs }) => {
      const waits = startMs - arrivalMs > AT_ONCE_MS;
      return [
        { at: startMs, order: 1, serving: 1, waiting: waits ? -1 : 0 },
        { at: endMs, order: 0, serving: -1, waiting: 0 },
        ...(waits ? [{ at: arrivalMs, order: 2, serving: 0, waiting: 1 }] : []),
      ];
    })
    .sort((a, b) => a.at - b.at || a.order - b.order);
  let [serving, waiting, ever, whileWaiting] = [0, 0, 0, 0];
  changes.forEach((change, i) => {
    serving += change.serving;
    waiting += change.waiting;
    if (changes[i + 1]?.at === change.at) return;
    ever = Math.max(ever, serving);
    if (waiting > 0) whileWaiting = Math.max(whileWaiting, serving);
  });
  return { ever, whileWaiting };
}

const SPREADS = [0, 0.25, 0.5, 1, 2, 4, 8];
const MOST_SERVERS_TRIED = 128;

/**
 * From rates and latencies: the k, service time and spread (as one number, with random arrivals) whose predicted response is nearest, by least squares of relative errors.
 * Where the pool was never loaded the smallest k that explains the rates is as good as any.
 */
export function fitRateLatency(history: readonly RateLatency[]): Modelled<FittedQueue> {
  if (history.length < LEAST_RATES) return refused(`${history.length} rates: at least ${LEAST_RATES} are needed`);
  const wrong = history.findIndex(({ rate, latencyUs }) => !(rate >= 0 && Number.isFinite(rate) && latencyUs > 0 && Number.isFinite(latencyUs)));
  if (wrong >= 0) return refused(`entry ${wrong + 1}: expected a rate of 0 or more and a latency above 0`);
  const least = Math.min(...history.map(({ latencyUs }) => latencyUs));
  const most = Math.max(...history.map(({ rate }) => rate));
  let best: { readonly error: number; readonly model: QueueModel } | undefined;
  for (let servers = 1; servers <= MOST_SERVERS_TRIED; servers = servers < 16 ? servers + 1 : Math.ceil(servers * 1.25)) {
    // The pool took the highest rate, so its service time leaves room for it.
    const ceiling = most > 0 ? Math.min(least, (servers / most) * 1e6 * 0.999) : least;
    for (const serviceScv of SPREADS) {
      const errorOf = (meanUs: number): number => squaredErrors({ servers, meanUs, serviceScv, arrivalScv: 1 }, history);
      const meanUs = lowest(errorOf, ceiling / 1000, ceiling);
      const error = errorOf(meanUs);
      // A larger k has to be clearly better.
      if (!best || error < best.error * 0.99) best = { error, model: { servers, meanUs, serviceScv, arrivalScv: 1 } };
    }
  }
  if (!best || checkQueue(best.model) !== undefined) return refused('no queue explains these rates and latencies');
  return modelled({ ...best.model, samples: history.length, serversKnown: history.some(({ rate }) => rate / ((best.model.servers * 1e6) / best.model.meanUs) > 0.5) });
}

/** Relative error of a model that says that a queue grows without end which did not. */
const OFF = 10;

function squaredErrors(model: QueueModel, history: readonly RateLatency[]): number {
  let sum = 0;
  for (const { rate, latencyUs } of history) {
    sum += Math.min(OFF, meanResponse(model, rate) / latencyUs - 1) ** 2;
  }
  return sum;
}

/** Where a function with one valley is lowest (golden section, on a logarithmic scale). */
function lowest(of: (x: number) => number, from: number, to: number): number {
  const share = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(from), Math.log(to)];
  for (let i = 0; i < 40; i++) {
    const [left, right] = [high - share * (high - low), low + share * (high - low)];
    if (of(Math.exp(left)) < of(Math.exp(right))) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
