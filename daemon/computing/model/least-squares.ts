/**
 * Weighted least squares with coefficients of 0 or more (Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23, on the normal equations, which are small
 * here). Columns that others make up already (rank deficiency) get nothing instead of everything: the active set takes one column at a time and leaves it out again when
 * it does not help.
 */

/** A diagonal this small against the largest one is none: the column depends on those before it. */
const RANK_TOLERANCE = 1e-10;
const MOST_ROUNDS = 100;

/** Minimises sum(w_i (y_i - x_i . b)^2) over b >= 0. Rows of x have the same length; columns of zeros get 0. */
export function nonNegativeLeastSquares(x: readonly (readonly number[])[], y: readonly number[], weights: readonly number[]): number[] {
  const columns = x[0]?.length ?? 0;
  // Columns of very different sizes (octets, seconds) are brought to length 1 first.
  const scales = Array.from({ length: columns }, (_, j) => Math.sqrt(x.reduce((sum, row, i) => sum + weights[i]! * row[j]! ** 2, 0)));
  const at = (row: readonly number[], j: number): number => (scales[j]! > 0 ? row[j]! / scales[j]! : 0);
  const normal = Array.from({ length: columns }, (_, j) => Array.from({ length: columns }, (__, k) => x.reduce((sum, row, i) => sum + weights[i]! * at(row, j) * at(row, k), 0)));
  const right = Array.from({ length: columns }, (_, j) => x.reduce((sum, row, i) => sum + weights[i]! * at(row, j) * y[i]!, 0));
  const size = Math.max(...right.map(Math.abs), Number.MIN_VALUE);

  const solution = new Array<number>(columns).fill(0);
  const passive: number[] = [];
  const barred = new Set<number>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const gradient = (j: number): number => right[j]! - normal[j]!.reduce((sum, value, k) => sum + value * solution[k]!, 0);
    const free = Array.from({ length: columns }, (_, j) => j).filter((j) => !passive.includes(j) && !barred.has(j) && scales[j]! > 0);
    const best = free.reduce<number | undefined>((most, j) => (most === undefined || gradient(j) > gradient(most) ? j : most), undefined);
    if (best === undefined || gradient(best) <= size * 1e-12) break;
    passive.push(best);
    const inner = solveOn(normal, right, passive);
    if (!inner || inner.at(-1)! <= 0) {
      // It depends on the others, or wants to be negative at once.
      passive.pop();
      barred.add(best);
      continue;
    }
    barred.clear();
    settle(normal, right, passive, solution, inner);
  }
  return solution.map((value, j) => (scales[j]! > 0 ? value / scales[j]! : 0));
}

/** Steps towards the unrestricted solution on the passive columns, leaving out those that would become negative on the way. */
function settle(normal: readonly (readonly number[])[], right: readonly number[], passive: number[], solution: number[], first: readonly number[]): void {
  let wanted = first;
  for (;;) {
    const negative = passive.filter((_, k) => wanted[k]! <= 0);
    if (negative.length === 0) break;
    const step = Math.min(...passive.map((j, k) => (wanted[k]! <= 0 ? solution[j]! / (solution[j]! - wanted[k]!) : Infinity)));
    passive.forEach((j, k) => (solution[j]! += step * (wanted[k]! - solution[j]!)));
    for (let k = passive.length - 1; k >= 0; k--) {
      const j = passive[k]!;
      if (wanted[k]! > 0 || solution[j]! > 1e-15) continue;
      solution[j] = 0;
      passive.splice(k, 1);
    }
    const next = solveOn(normal, right, passive);
    if (!next) break;
    wanted = next;
  }
  passive.forEach((j, k) => (solution[j] = Math.max(0, wanted[k]!)));
}

/** Solves the normal equations on some columns (Cholesky); undefined when they depend on each other. */
function solveOn(normal: readonly (readonly number[])[], right: readonly number[], columns: readonly number[]): number[] | undefined {
  const n = columns.length;
  const lower = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = normal[columns[i]!]![columns[j]!]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      if (i !== j) lower[i]![j] = sum / lower[j]![j]!;
      else if (sum <= RANK_TOLERANCE) return undefined;
      else lower[i]![i] = Math.sqrt(sum);
    }
  }
  const forward = new Array<number>(n).fill(0);
  for (let i = 0; i < n; i++) forward[i] = (right[columns[i]!]! - lower[i]!.slice(0, i).reduce((sum, value, k) => sum + value * forward[k]!, 0)) / lower[i]![i]!;
  const back = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = forward[i]!;
    for (let k = i + 1; k < n; k++) sum -= lower[k]![i]! * back[k]!;
    back[i] = sum / lower[i]![i]!;
  }
  return back;
}
