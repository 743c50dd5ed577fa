import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { TaskRun } from '../../../daemon/computing/model/run.js';
import { CommandFailure, EXIT_NO } from '../../exit.js';
import type { Session } from '../../session.js';
import { readRuns } from './files.js';

export function modelPlot(parent: Command, session: Session): void {
  parent
    .command('plot')
    .description('draw what a demand model predicts against what was observed, and the residuals')
    .argument('<file|service>', 'runs, or a service whose runs the router holds')
    .requiredOption('-o, --output <svg>', 'file to draw into')
    .action(async (what: string, { output }: { output: string }) => {
      const runs = existsSync(what) ? await readRuns(what) : await ofService(what, session);
      const [{ fitDemandModelNow }, { modelPlotSvg }] = await Promise.all([import('../../../daemon/computing/model/demand.js'), import('../../plot/model.js')]);
      const fitted = fitDemandModelNow(runs);
      if (!fitted.ok) throw new CommandFailure(EXIT_NO, `${what}: ${fitted.reason}`);
      try {
        writeFileSync(output, modelPlotSvg(what, runs, fitted.value));
      } catch (error) {
        throw new CommandFailure(EXIT_NO, `${output} cannot be written: ${(error as Error).message}`);
      }
      await session.answer({ runs: runs.length, chosen: fitted.value.chosen, output }, () => `${runs.length} runs drawn into ${output}`);
    });
}

async function ofService(service: string, session: Session): Promise<TaskRun[]> {
  const runs = await session.list((methods) => methods.modelMethods.listTaskRuns, { service }, (batch) => batch.runs);
  if (runs.length === 0) throw new CommandFailure(EXIT_NO, `no file ${service}, and no runs of a service of that name`);
  return runs.map(({ atMs, workload, dataSize, latencyUs, capacity, computingUsed, storage, storageUsed, ioRate }) => ({ atMs, workload, dataSize, latencyUs, state: { capacity, computingUsed, storage, storageUsed, ioRate } }));
}
