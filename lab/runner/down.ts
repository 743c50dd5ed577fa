/** Takes a lab down, also one whose `up` was killed half way. */
import { isRunning, signalProcess, wakeEnterers } from './processes.js';
import type { LabState } from './state.js';
import { waitFor } from './wait.js';

/**
 * Ends everything the state names. An init process that was still waiting for its runner ends by itself with it, so that no process is
 * left that the state does not know.
 */
export async function takeDown(state: LabState): Promise<void> {
  const runner = state.readLab()?.runner;
  if (runner && runner.pid !== process.pid && state.readLab()?.complete === false) {
    signalProcess(runner, 'SIGKILL');
    await waitFor(() => !isRunning(runner), { timeoutMs: 5000, what: 'the interrupted up to end', intervalMs: 5 });
  }
  const holders = state.holders();
  wakeEnterers(holders);
  for (const holder of holders) signalProcess(holder, 'SIGKILL');
  await waitFor(() => !holders.some(isRunning), { timeoutMs: 10_000, what: `the processes of lab ${state.lab} to end`, intervalMs: 5 });
  state.remove();
}
