/**
 * How far the picture of a candidate can be trusted by its age. An announcement with a validity is expected anew after a third of it
 * (awareness/announcement-control.ts); from then on its candidates weaken evenly until they expire with the validity. Without one they
 * count fully as long as the session lives. Age counts from receipt, on this router's clock (proto/WIRE.md section 1).
 */
import type { Candidate } from '../rib/candidate.js';

/** Share of the validity after which a new announcement is overdue. */
const EXPECTED_AT = 1 / 3;

/** A candidate about to expire still counts for something: it may be the only one. */
const LEAST = 0.01;

/** 1: fresh; falls to almost 0 with the end of the validity. A candidate's predicted latency counts 1/freshness times. */
export function freshness({ validityMs, receivedAt }: Pick<Candidate, 'validityMs' | 'receivedAt'>, nowMs: number): number {
  if (validityMs === 0) return 1;
  const age = (nowMs - receivedAt) / validityMs;
  return Math.min(1, Math.max(LEAST, (1 - age) / (1 - EXPECTED_AT)));
}
