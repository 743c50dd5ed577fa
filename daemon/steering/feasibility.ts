/**
 * Whether a candidate can serve a flow with given requirements. One pass serves the hot path (answer only) and `explain` (every fact
 * that counted), so that what is explained is what was decided.
 */
import type { Instance } from '../computing/types.js';
import type { Candidate, PathState } from '../rib/candidate.js';
import type { Prediction } from './prediction.js';
import type { Requirements } from './requirement-option.js';

export type ReasonCode =
  | 'path'
  | 'route'
  | 'way'
  | 'sid'
  | 'aggregate'
  | 'draining'
  | 'stale'
  | 'dormant'
  | 'age'
  | 'demand'
  | 'latency'
  | 'computing'
  | 'storage'
  | 'bandwidth'
  | 'delayVariation'
  | 'loss'
  | 'algorithm'
  | 'security'
  | 'policy';

/** One fact that was looked at. */
export interface Reason {
  readonly code: ReasonCode;
  /** False: for this the candidate is not feasible. */
  readonly ok: boolean;
  readonly text: string;
}

/** RFC 8986 section 10.2: what these deliver is of one IP version; others are left to whoever announced them. */
const ONE_VERSION: ReadonlyMap<number, 4 | 6> = new Map([
  [0x0010, 6], // End.DX6
  [0x0011, 4], // End.DX4
  [0x0012, 6], // End.DT6
  [0x0013, 4], // End.DT4
]);

/** The most this router can offer: it encrypts and authenticates no path. */
const OFFERED_SECURITY = 0;

/** An aggregate that states neither load nor delay runs nothing yet: the exit activates it on first packets (proto/WIRE.md section 5). */
export const isDormant = ({ aggregate, load, serviceDelay }: Instance): boolean => aggregate && !load && !serviceDelay;

/** Whether flows that are pinned to a candidate may stay: the way to it is there. */
export function isUsable(candidate: Candidate, path: PathState, firstSidResolves: boolean, reasons?: Reason[]): boolean {
  const sid = candidate.instance.sid;
  const version = candidate.service.includes(':') ? 6 : 4;
  const delivered = sid && (ONE_VERSION.get(sid.behaviour) ?? version);
  const delivers = delivered === version;
  reasons?.push(
    { code: 'path', ok: path.alive, text: path.alive ? 'the exit answers' : 'the exit does not answer probes' },
    { code: 'route', ok: firstSidResolves, text: firstSidResolves ? 'the first SID has a route' : 'the first SID has no route but the default route' },
    { code: 'sid', ok: delivers, text: delivered === undefined ? 'the instance has no SID' : `the SID delivers IPv${delivered}${delivers ? '' : ' only'}` },
  );
  return path.alive && firstSidResolves && delivers;
}

/** Whether new flows with these requirements may go to a usable candidate. */
export function isFeasible(candidate: Candidate, path: PathState, requirements: Requirements, prediction: Prediction, reasons?: Reason[]): boolean {
  const { instance } = candidate;
  let feasible = true;
  const check = (code: ReasonCode, ok: boolean, text: () => string): void => {
    feasible &&= ok;
    reasons?.push({ code, ok, text: text() });
  };
  if (instance.aggregate) check('aggregate', true, () => 'an aggregate: its exit chooses one of the instances behind it');
  // What an aggregate says nothing of, its instances may have: its exit knows.
  const unstated = (list: readonly unknown[]): boolean => instance.aggregate && list.length === 0;
  if (instance.draining) check('draining', false, () => 'the instance is draining: no new flows');
  // Graceful restart: better than nothing, so it does not exclude; the selector prefers what is fresh.
  if (isDormant(instance)) check('dormant', true, () => 'does not run: the exit activates it; used while nothing that runs is feasible');
  if (candidate.stale) check('stale', true, () => 'kept from an earlier session: used while nothing fresh is feasible');

  const { latencyUs, computing, storage, network, algorithm, security } = requirements;
  if (latencyUs !== undefined) {
    check('latency', prediction.statedUs <= latencyUs, () => `predicted ${Math.round(prediction.statedUs)} us, at most ${latencyUs} us wanted`);
  }
  if (computing) {
    const best = instance.computing.filter((item) => item.class === computing.class).reduce<bigint | undefined>((most, { residual }) => (most === undefined || residual > most ? residual : most), undefined);
    check('computing', unstated(instance.computing) || (best !== undefined && best >= computing.minResidual), () =>
      unstated(instance.computing) ? 'an aggregate that states no computing power' : best === undefined ? `offers no computing of class ${computing.class}` : `residual ${best} operations/s of class ${computing.class}, at least ${computing.minResidual} wanted`,
    );
  }
  if (storage) {
    const best = instance.storage.filter(({ ability }) => ability === storage.ability).reduce<bigint | undefined>((most, { residual }) => (most === undefined || residual > most ? residual : most), undefined);
    check('storage', unstated(instance.storage) || (best !== undefined && best >= storage.octets), () =>
      unstated(instance.storage) ? 'an aggregate that states no storage' : best === undefined ? `offers no storage of ability ${storage.ability}` : `${best} octets free of ability ${storage.ability}, at least ${storage.octets} wanted`,
    );
  }
  if (network) {
    const available = instance.interface?.available;
    if (network.minBandwidth > 0n) {
      // What is not advertised cannot be held against the instance.
      check('bandwidth', available === undefined || available >= network.minBandwidth, () =>
        available === undefined ? 'bandwidth not advertised' : `${available} bit/s available, at least ${network.minBandwidth} wanted`,
      );
    }
    check('delayVariation', path.jitterUs <= network.maxPdvUs, () => `delay variation ${Math.round(path.jitterUs)} us, at most ${network.maxPdvUs} us wanted`);
    check('loss', path.lossPpm <= network.maxLossPpm, () => `loss ${Math.round(path.lossPpm)} ppm, at most ${network.maxLossPpm} ppm wanted`);
  }
  if (algorithm !== undefined) check('algorithm', unstated(instance.algorithms) || instance.algorithms.includes(algorithm), () => `algorithms offered: ${instance.algorithms.join(', ') || 'none'}; ${algorithm} wanted`);
  if (security !== undefined && security > OFFERED_SECURITY) check('security', false, () => `security level ${security} wanted, paths offer ${OFFERED_SECURITY}`);
  return feasible;
}
