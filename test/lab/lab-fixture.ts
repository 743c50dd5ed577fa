/** Labs of the lab's own tests: topologies in a temporary folder, under names that no other run uses. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { Lab, type LabNode } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';

let count = 0;

/** Writes files (the topology as `test.clab.yml`, with NAME replaced by an unused lab name) and returns the topology's path. Its lab is down when the test ends. */
export function scenario(t: TestContext, topology: string, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'cpn-lab-test-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const file = join(folder, 'test.clab.yml');
  writeFileSync(file, topology.replace('NAME', `cpn-test-${process.pid}-${count++}`));
  t.after(async () => {
    await Lab.down(file);
    rmSync(folder, { recursive: true });
  });
  return file;
}

/** Brings a topology up for one test; every line of the log that says ERROR fails the test. */
export async function labFor(t: TestContext, topology: string, files: Readonly<Record<string, string>> = {}): Promise<{ lab: Lab; file: string }> {
  const file = scenario(t, topology, files);
  const errors: string[] = [];
  const lab = await Lab.up(file, { log: (line) => line.startsWith('ERROR') && errors.push(line) });
  if (errors.length > 0) throw new Error(errors.join('\n'));
  return { lab, file };
}

/** Two hosts on one link, with addresses that need no duplicate address detection. */
export const twoHosts = `
name: NAME
topology:
  defaults: {kind: linux}
  nodes:
    a: {exec: [ip -6 address add fd00::1/64 dev eth1 nodad]}
    b: {exec: [ip -6 address add fd00::2/64 dev eth1 nodad]}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
`;

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The lab command itself, as a user runs it. */
export function labCommand(argv: readonly string[], input = ''): Promise<CommandResult> {
  const child = spawn(process.execPath, [`${checkout}/dist/lab/main.js`, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
}

/** Network namespaces (as /proc/PID/ns/net links) that any process is in. */
function namespacesInUse(): Set<string> {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      found.add(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** What a lab occupies, to be checked when it is down. */
export function footprint(lab: Lab): { left(): string[] } {
  const wire = lab.state.readWire()!;
  const namespaces = [...lab.nodeNames.map((name) => lab.node(name).networkNamespace), `/proc/${wire.pid}/ns/net`].map((path) => readlinkSync(path));
  return {
    left: () => {
      const inUse = namespacesInUse();
      return [...namespaces.filter((namespace) => inUse.has(namespace)), ...processesNaming(lab.state.directory), ...mountsNaming(lab.state.directory)];
    },
  };
}

/** Processes with `text` in their command line, this one aside. */
export function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

export function mountsNaming(text: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(text));
}

/** Round trips of `count` pings in ms. */
export async function pingTimes(node: LabNode, to: string, count: number, intervalS = 0.02): Promise<number[]> {
  const result = await node.exec(['ping', '-n', '-c', String(count), '-i', String(intervalS), '-W', '1', to]);
  return [...result.stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
