/** Waiting on conditions with a bound, for the runner and for tests. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Upper bound in milliseconds. */
  readonly timeoutMs: number;
  /** What is waited for, named in the error. */
  readonly what: string;
  /** Pause between two looks in milliseconds (default 20). */
  readonly intervalMs?: number;
}

/**
 * Looks until `condition` gives something other than undefined, null or false, and returns that. A condition that throws counts as not
 * met; the error at the bound names the last one.
 */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) return value as Exclude<T, undefined | null | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const reason = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`timed out after ${options.timeoutMs} ms waiting for ${options.what}${reason}`);
    }
    await sleep(options.intervalMs ?? 20);
  }
}
