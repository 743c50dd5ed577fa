/** `verify`: runs the scenario's own check, the executable `verify` beside the topology file. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Lab } from '../lab.js';
import { checkout } from '../runner/checkout.js';
import { exitStatus } from '../runner/enter.js';
import { LabError } from '../runner/state.js';

/**
 * Returns the check's exit status. It runs in the scenario's folder with LAB_FILE and LAB_NAME set and with `lab` on its PATH, which is
 * this program with the file filled in: `lab exec NODE COMMAND...`.
 */
export async function verify(lab: Lab, argv: readonly string[]): Promise<number> {
  const folder = dirname(lab.topology.file);
  const program = join(folder, 'verify');
  try {
    accessSync(program, constants.X_OK);
  } catch {
    throw new LabError(`${program} is not there or not executable: the scenario has no check`);
  }
  const child = spawn(program, argv, {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, LAB_FILE: lab.topology.file, LAB_NAME: lab.name, PATH: `${checkout}/lab/bin:${process.env['PATH'] ?? ''}` },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(exitStatus(code, signal)));
  });
}
