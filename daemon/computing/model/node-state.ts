/** P of Eq. (3) as far as it is known when a task arrives, out of what a node or an instance states. */
import type { NodeState } from './run.js';

interface StatedComputing {
  readonly class: string | number;
  readonly total: bigint;
  readonly residual: bigint;
}

interface StatedStorage {
  readonly total: bigint; // octets
  readonly residual: bigint;
  readonly readRate: bigint; // octets per second
  readonly writeRate: bigint;
}

const share = (residual: bigint, total: bigint): number => (total > 0n ? Math.min(1, Math.max(0, 1 - Number(residual) / Number(total))) : 0);

/**
 * F_w and F_0 are those of the class that is asked for, else of the class with the largest total, over all its chips, so that who reports a run and who predicts one
 * count in the same class. Storage counts as a whole.
 */
export function nodeStateOf(computing: readonly StatedComputing[], storage: readonly StatedStorage[], wanted?: string | number): NodeState {
  const totals = new Map<string | number, { total: bigint; residual: bigint }>();
  for (const entry of computing) {
    const sum = totals.get(entry.class) ?? { total: 0n, residual: 0n };
    totals.set(entry.class, { total: sum.total + entry.total, residual: sum.residual + entry.residual });
  }
  const largest = [...totals.values()].reduce<{ total: bigint; residual: bigint } | undefined>((most, entry) => (most && most.total >= entry.total ? most : entry), undefined);
  const of = (wanted === undefined ? undefined : totals.get(wanted)) ?? largest ?? { total: 0n, residual: 0n };
  const sum = (pick: keyof StatedStorage): bigint => storage.reduce((total, entry) => total + entry[pick], 0n);
  return {
    capacity: Number(of.total),
    computingUsed: share(of.residual, of.total),
    storage: Number(sum('total')),
    storageUsed: share(sum('residual'), sum('total')),
    ioRate: Number(sum('readRate') + sum('writeRate')),
  };
}
