/**
 * Predicted end-to-end latency of a request at an instance (survey Eq. (2): latency as a function of demand and supply):
 *
 *     latency = path round trip + transfer + service + wait
 *     service = what a demand model says of a task of W and D there, its wait included (computing/model/demand.ts), where there is one; else
 *               W / residual operations where the workload W is known, else the advertised mean, else 1 / service rate
 *     transfer = D / available bandwidth of the instance's interface where the data size D is known
 *     wait    = max(queueing model at the utilisation, queue / service rate) + own account / service rate
 *
 * Utilisation and queue are those expected a little ahead (load/forecast.ts), or as advertised.
 *
 * The queueing model is Sakasegawa's approximation of M/M/c (An approximation formula Lq = a * rho^b / (1 - rho), Ann. Inst. Statist.
 * Math. 29, 1977), exact for c = 1 (W = S / (1 - rho)): wait = S * rho^(sqrt(2 (c + 1)) - 1) / (c (1 - rho)). The number of servers c is
 * service rate * service time: what an instance works on at once at full load (Little's law). The utilisation is capped, so that a
 * full instance is bad and not infinitely bad. The own account is what this router sent since the advertisement was made and the
 * instance cannot have served yet; it moves flows to other instances before the next advertisement tells everybody.
 *
 * An aggregate serves a request at one of its instances, at first the best one, and the fuller it is the more often at a slower one: between its mean (of the
 * best) and its 99th percentile (of the worst) by its utilisation. Its residual capacity is a sum that no single request gets, so that it decides nothing where
 * a delay is stated.
 */
import type { DemandEstimate } from '../computing/model/demand.js';
import type { Computing, Instance, Load, ServiceDelay } from '../computing/types.js';
import type { PathState } from '../rib/candidate.js';
import type { Requirements } from './requirement-option.js';

/** Cap of the utilisation in the model. */
const MAX_UTILISATION = 0.99;
/** Cap of the wait for own requests, us. */
const MAX_OWN_WAIT_US = 10_000_000;
/** Round trip to rank an exit by that no probe answered yet, us: worse than a measured one of this continent. */
const UNMEASURED_RTT_US = 100_000;

export interface Prediction {
  /** Round trip of the path, us; undefined: not measured yet. */
  readonly pathUs: number | undefined;
  readonly transferUs: number;
  readonly serviceUs: number;
  readonly waitUs: number;
  /** What a demand model says of the service time; undefined: none does. */
  readonly demand: DemandEstimate | undefined;
  /** Wait for what this router sent itself. */
  readonly ownWaitUs: number;
  /** What is advertised and measured, without the own account: decides feasibility. */
  readonly statedUs: number;
  /** With the own account, and an assumption for an unmeasured path: ranks. */
  readonly totalUs: number;
}

export function predict(instance: Instance, path: PathState, requirements: Requirements, ownBacklog: number, load: Load | undefined = instance.load, demand?: DemandEstimate): Prediction {
  const rate = instance.serviceDelay?.serviceRate ?? 0;
  const serviceUs = demand?.latencyUs ?? serviceTimeUs(instance, requirements, load);
  const transferUs = transferTimeUs(instance, requirements);
  const rho = Math.min(MAX_UTILISATION, (load?.utilisation ?? 0) / 10_000);
  const servers = Math.max(1, (rate * serviceUs) / 1e6);
  const modelled = rho === 0 ? 0 : (serviceUs * rho ** (Math.sqrt(2 * (servers + 1)) - 1)) / (servers * (1 - rho));
  const perRequestUs = rate > 0 ? 1e6 / rate : serviceUs;
  const waitUs = demand ? 0 : Math.max(modelled, (load?.queueLength ?? 0) * perRequestUs);
  const ownWaitUs = Math.min(MAX_OWN_WAIT_US, ownBacklog * perRequestUs);
  const pathUs = path.rttUs;
  const statedUs = (pathUs ?? 0) + transferUs + serviceUs + waitUs;
  return { pathUs, transferUs, serviceUs, waitUs, demand, ownWaitUs, statedUs, totalUs: statedUs + ownWaitUs + (pathUs === undefined ? UNMEASURED_RTT_US : 0) };
}

/** Requests per second that the instance can take beyond what it has; 0: unknown. */
export function spareRate(instance: Instance, load: Load | undefined = instance.load): number {
  return (instance.serviceDelay?.serviceRate ?? 0) * (1 - Math.min(MAX_UTILISATION, (load?.utilisation ?? 0) / 10_000));
}

/** The capacity of the class that is asked for, else the one with the largest residual. */
export function capacityFor(instance: Instance, requirements: Requirements): Computing | undefined {
  const wanted = requirements.computing?.class;
  let best: Computing | undefined;
  for (const computing of instance.computing) {
    if (wanted !== undefined && computing.class !== wanted) continue;
    if (!best || computing.residual > best.residual) best = computing;
  }
  return best;
}

function serviceTimeUs(instance: Instance, requirements: Requirements, load: Load | undefined): number {
  if (instance.aggregate && instance.serviceDelay && instance.serviceDelay.meanUs > 0) return aggregateServiceTimeUs(instance.serviceDelay, load?.utilisation ?? 0);
  if (requirements.workload !== undefined) {
    const residual = capacityFor(instance, requirements)?.residual ?? 0n;
    if (residual > 0n) return (Number(requirements.workload) / Number(residual)) * 1e6;
  }
  const delay = instance.serviceDelay;
  if (!delay) return 0;
  return delay.meanUs > 0 ? delay.meanUs : delay.serviceRate > 0 ? 1e6 / delay.serviceRate : 0;
}

function aggregateServiceTimeUs({ meanUs, p99Us }: ServiceDelay, utilisation: number): number {
  return meanUs + (Math.max(0, p99Us - meanUs) * utilisation) / 10_000;
}

function transferTimeUs(instance: Instance, requirements: Requirements): number {
  const available = instance.interface?.available ?? 0n;
  return requirements.dataSize === undefined || available === 0n ? 0 : (Number(requirements.dataSize) * 8e6) / Number(available);
}
