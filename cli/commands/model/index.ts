/** `cpnctl model`: computing models. Commands that take a file work without a daemon. */
import type { Command } from 'commander';
import type { Session } from '../../session.js';
import { modelFit } from './fit.js';
import { modelImport } from './import.js';
import { modelPlot } from './plot.js';
import { modelPool } from './pool.js';
import { modelPredict } from './predict.js';
import { modelShow } from './show.js';

export function model(root: Command, session: Session): void {
  const parent = root.command('model').description('computing models: what pools can do, how long tasks take');
  modelShow(parent, session);
  modelPool(parent, session);
  modelFit(parent, session);
  modelPredict(parent, session);
  modelPlot(parent, session);
  modelImport(parent, session);
}
