/** Starts a lab's wire process and talks to it. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { checkout } from '../runner/checkout.js';
import { processRef, type ProcessRef } from '../runner/processes.js';
import { LabError, type LabState } from '../runner/state.js';
import type { LinkStatus, WireAnswer, WireRequest } from './protocol.js';

/** Starts the wire process; it runs on its own from then on. */
export async function startWire(state: LabState): Promise<ProcessRef> {
  const log = openSync(state.wireLog, 'a');
  // A sysfs of its own shows it the wire namespace's interfaces.
  const program = [process.execPath, '--enable-source-maps', `${checkout}/dist/lab/wire/main.js`, state.wireSocket];
  const child = spawn('unshare', ['--net', '--mount', 'sh', '-c', 'mount -t sysfs cpn-lab /sys && exec "$@"', 'cpn-lab-wire', ...program], {
    detached: true,
    stdio: ['pipe', 'pipe', log],
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', CPN_LAB_IMPAIRMENT: process.env['CPN_LAB_IMPAIRMENT'] ?? '' },
    cwd: '/',
  });
  closeSync(log);
  const stdin = child.stdin!;
  const stdout = child.stdout!;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: stdout }).once('line', () => resolve());
    child.once('error', reject);
    child.once('exit', () => reject(new LabError(`the wire process could not start: ${readFileSync(state.wireLog, 'utf8').trim()}`)));
  }).finally(() => child.removeAllListeners('exit'));
  // unshare without --fork becomes the shell and that the program: the child is the wire process itself.
  const wire = processRef(child.pid!);
  if (!wire) throw new LabError('the wire process ended');
  state.writeWire(wire);
  stdin.end('go\n');
  stdout.destroy();
  child.unref();
  return wire;
}

/** Sends one request and returns the state of all links after it. */
export async function askWire(state: LabState, request: WireRequest): Promise<readonly LinkStatus[]> {
  const socket = createConnection(state.wireSocket);
  const line = await new Promise<string>((resolve, reject) => {
    socket.once('error', (error) => reject(new LabError(`lab ${state.lab}: its wire process does not answer (${error.message})`)));
    socket.once('close', () => reject(new LabError(`lab ${state.lab}: its wire process ended; see ${state.wireLog}`)));
    createInterface({ input: socket }).once('line', resolve);
    socket.write(`${JSON.stringify(request)}\n`);
  }).finally(() => socket.destroy());
  const answer = JSON.parse(line) as WireAnswer;
  if (!answer.ok) throw new LabError(`lab ${state.lab}: ${answer.error}`);
  return answer.links;
}
