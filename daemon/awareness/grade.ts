/** Grades of computing power by floating-point operations per second (survey section 3.4). */
import type { Computing } from '../computing/types.js';

const FLOPS_CLASSES: ReadonlySet<number> = new Set([2, 3]); // parallel and neural count FLOPS, logical counts OPS

export type Grade = 1 | 2 | 3 | 4; // super, large, medium, small

/** Grade of all floating-point capacity together; undefined where there is none. */
export function gradeOf(computing: readonly Computing[]): Grade | undefined {
  let flops = 0n;
  for (const entry of computing) if (FLOPS_CLASSES.has(entry.class)) flops += entry.total;
  if (flops === 0n) return undefined;
  if (flops > 1_000_000_000_000_000n) return 1;
  if (flops >= 10_000_000_000_000n) return 2;
  if (flops >= 500_000_000_000n) return 3;
  return 4;
}
