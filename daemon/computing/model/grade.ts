/** Grades of computing power by floating-point operations per second (survey section 3.4). */
import type { Computing } from '../types.js';

export type Grade = 1 | 2 | 3 | 4; // super, large, medium, small

/** Lower ends of the grades, FLOPS. Super is what is over 1 PFLOPS; the other ends belong to the grade above. */
export const SUPER_FLOPS = 1_000_000_000_000_000n;
export const LARGE_FLOPS = 10_000_000_000_000n;
export const MEDIUM_FLOPS = 500_000_000_000n;

/** Parallel and neural count FLOPS, logical counts OPS. */
const FLOPS_CLASSES: ReadonlySet<number> = new Set([2, 3]);

/** Grade of an amount of FLOPS above 0. */
export function gradeOfFlops(flops: bigint): Grade {
  if (flops > SUPER_FLOPS) return 1;
  if (flops >= LARGE_FLOPS) return 2;
  return flops >= MEDIUM_FLOPS ? 3 : 4;
}

/** Grade of all floating-point capacity together; undefined where there is none. */
export function gradeOf(computing: readonly Computing[]): Grade | undefined {
  let flops = 0n;
  for (const entry of computing) if (FLOPS_CLASSES.has(entry.class)) flops += entry.total;
  return flops === 0n ? undefined : gradeOfFlops(flops);
}
