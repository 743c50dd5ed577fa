/**
 * A pool as a black box (survey section 3.2): a queue M/G/k, or G/G/k where arrivals are not random, described by its number of servers, the mean of its service
 * time and the squared coefficients of variation of service and arrivals.
 *
 * The mean wait is that of M/M/k scaled by the spread (Allen and Cunneen; Allen, Probability, Statistics and Queueing Theory, 1990, section 5.3; for one server that is
 * Kingman's formula, exact for M/G/1):
 *
 *     Wq = C(k, rho) / (k mu - lambda) x (Ca^2 + Cs^2) / 2
 *
 * Who waits, waits for about an exponential time (Kingman's heavy traffic limit), so that P(W > t) = C(k, rho) exp(-(k mu - lambda) t / ((Ca^2 + Cs^2) / 2)). The time in the
 * pool is that wait and a service time on its own, taken as a Weibull time of the same mean and spread, or as the times that were observed.
 */
import { modelled, refused, told, type Modelled } from './result.js';

export interface QueueModel {
  readonly servers: number; // k
  readonly meanUs: number; // of the service time
  readonly serviceScv: number; // Cs^2
  readonly arrivalScv: number; // Ca^2; 1: random arrivals
  /** Observed service times at even shares of their order, us; absent: a Weibull time stands for them. */
  readonly serviceQuantilesUs?: readonly number[] | undefined;
}

export interface QueuePrediction {
  /** rho. */
  readonly utilisation: number;
  /** C(k, rho): share of requests that wait. */
  readonly waitProbability: number;
  readonly waitUs: number;
  readonly waitP99Us: number;
  /** Wait and service together. */
  readonly responseUs: number;
  readonly responseP99Us: number;
}

const MOST_SERVERS = 100_000;
const P99 = 0.99;
/** Service times that stand for their distribution in the quantile of the response. */
const SHARES = 200;

/** Probability that a request waits in M/M/k (Erlang C), by the recursion of Erlang B, which does not overflow. */
export function erlangC(servers: number, offered: number): number {
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = (offered * blocking) / (n + offered * blocking);
  const rho = offered / servers;
  return blocking / (1 - rho * (1 - blocking));
}

export function checkQueue({ servers, meanUs, serviceScv, arrivalScv }: QueueModel): string | undefined {
  if (!(Number.isInteger(servers) && servers >= 1 && servers <= MOST_SERVERS)) return `servers: expected a whole number from 1 to ${MOST_SERVERS}, not ${servers}`;
  if (!(meanUs > 0 && meanUs < Infinity)) return `mean service time: expected us above 0, not ${meanUs}`;
  if (!(serviceScv >= 0 && serviceScv < 1e6)) return `spread of the service time: expected 0 or more, not ${serviceScv}`;
  return arrivalScv >= 0 && arrivalScv < 1e6 ? undefined : `spread of arrivals: expected 0 or more, not ${arrivalScv}`;
}

/** Wait of all requests, and of those that wait at all, us; undefined where the queue grows without end. The model has been checked. */
function waitsOf({ servers, meanUs, serviceScv, arrivalScv }: QueueModel, rate: number): { readonly waitProbability: number; readonly waitUs: number; readonly waitingUs: number } | undefined {
  const mu = 1e6 / meanUs;
  if (rate >= servers * mu) return undefined;
  const waitProbability = erlangC(servers, rate / mu);
  const waitingUs = ((arrivalScv + serviceScv) / 2 / (servers * mu - rate)) * 1e6;
  return { waitProbability, waitUs: waitProbability * waitingUs, waitingUs };
}

/** Mean time in the pool at `rate` requests a second, us; Infinity where the queue grows without end. */
export function meanResponse(model: QueueModel, rate: number): number {
  const waits = waitsOf(model, rate);
  return waits ? waits.waitUs + model.meanUs : Infinity;
}

/** What requests meet that come at `rate` a second. */
export function predictQueue(model: QueueModel, rate: number): Modelled<QueuePrediction> {
  const fault = checkQueue(model);
  if (fault !== undefined) return refused(fault);
  if (!(rate >= 0 && rate < Infinity)) return refused(`rate: expected requests per second of 0 or more, not ${rate}`);
  const { servers, meanUs } = model;
  const mu = 1e6 / meanUs;
  const waits = waitsOf(model, rate);
  if (!waits) return refused(`${told(rate)} requests/s are more than the ${told(servers * mu)} that the pool serves: the queue grows without end`);
  const { waitProbability, waitUs, waitingUs } = waits;
  const tail = (us: number): number => (us < 0 ? 1 : waitingUs > 0 ? waitProbability * Math.exp(-us / waitingUs) : 0);
  const services = serviceQuantiles(model);
  const response = (us: number): number => services.reduce((sum, service) => sum + tail(us - service), 0) / services.length;
  return modelled({
    utilisation: rate / (servers * mu),
    waitProbability,
    waitUs,
    waitP99Us: waitProbability > 1 - P99 && waitingUs > 0 ? waitingUs * Math.log(waitProbability / (1 - P99)) : 0,
    responseUs: waitUs + meanUs,
    responseP99Us: crossing(response, 1 - P99, services.at(-1)! + waitingUs * 20),
  });
}

/** Where a falling function reaches a value, between 0 and an upper end. */
function crossing(falling: (x: number) => number, value: number, end: number): number {
  let [low, high] = [0, end];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (falling(middle) > value) low = middle;
    else high = middle;
  }
  return high;
}

function serviceQuantiles({ meanUs, serviceScv, serviceQuantilesUs }: QueueModel): readonly number[] {
  if (serviceQuantilesUs && serviceQuantilesUs.length >= SHARES / 4) return serviceQuantilesUs;
  if (serviceScv < 1e-4) return [meanUs];
  const shape = weibullShape(serviceScv);
  const scale = meanUs / gamma(1 + 1 / shape);
  return Array.from({ length: SHARES }, (_, i) => scale * (-Math.log(1 - (i + 0.5) / SHARES)) ** (1 / shape));
}

/** The shape k of a Weibull time whose squared coefficient of variation is gamma(1 + 2 / k) / gamma(1 + 1 / k)^2 - 1; it falls with k. */
export function weibullShape(scv: number): number {
  let [low, high] = [0.1, 100];
  for (let i = 0; i < 80; i++) {
    const middle = Math.sqrt(low * high);
    if (gamma(1 + 2 / middle) / gamma(1 + 1 / middle) ** 2 - 1 > scv) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}

/** The gamma function for x >= 0.5 (Lanczos, A precision approximation of the gamma function, 1964, with g = 7 and nine terms). */
export function gamma(x: number): number {
  const terms = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  const z = x - 1;
  const sum = terms.reduce((total, term, i) => total + term / (z + i + 1), 0.99999999999980993);
  const t = z + 7.5;
  return Math.sqrt(2 * Math.PI) * t ** (z + 0.5) * Math.exp(-t) * sum;
}
