/** A thread that runs tasks when told to: matrix products and digests of real octets. Also keeps a processor busy for a share of the time. */
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

export interface TaskOrder {
  /** Order of the matrices: 2 n^3 operations a product. */
  readonly n: number;
  readonly products: number;
  /** Octets to digest. */
  readonly octets: number;
}

/** Busy for this share of every 20 ms until told otherwise. */
export interface LoadOrder {
  readonly busy: number;
}

const PERIOD_MS = 20;
const data = Buffer.alloc(4 * 1024 * 1024, 0x5a);

function multiply(n: number, a: Float64Array, b: Float64Array, c: Float64Array): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * b[k * n + j]!;
      c[i * n + j] = sum;
    }
  }
}

function run({ n, products, octets }: TaskOrder): number {
  const [a, b, c] = [new Float64Array(n * n).fill(1.5), new Float64Array(n * n).fill(0.5), new Float64Array(n * n)];
  const began = performance.now();
  for (let i = 0; i < products; i++) multiply(n, a, b, c);
  if (octets > 0) createHash('sha256').update(data.subarray(0, octets)).digest();
  return performance.now() - began;
}

let share = 0;
function burn(): void {
  if (share === 0) return;
  const until = performance.now() + share * PERIOD_MS;
  while (performance.now() < until);
  setTimeout(burn, (1 - share) * PERIOD_MS);
}

parentPort!.on('message', (order: TaskOrder | LoadOrder) => {
  if ('busy' in order) {
    const idle = share === 0;
    share = order.busy;
    if (idle) burn();
  } else parentPort!.postMessage(run(order));
});
