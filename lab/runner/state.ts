/**
 * What is known about labs that are up: a folder a lab under /run/cpn-lab (a tmpfs, so that a reboot forgets it with the namespaces).
 * Several small files, each written once and whole, so that commands running at the same time never overwrite each other's news:
 *
 *   LAB/lab.json                      the topology as it was deployed, and the process that deploys it
 *   LAB/wire.json wire.sock wire.log  the process that holds the wire namespace
 *   LAB/nodes/NODE/node.json          the node's init process
 *   LAB/nodes/NODE/fs                 mount point of the node's file system, empty outside the node
 *   LAB/nodes/NODE/log/DAEMON.log     output of its programs
 *   LAB/nodes/NODE/daemons/DAEMON.json
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Topology, TopologyNode } from '../topology/topology.js';
import { isRunning, type ProcessRef } from './processes.js';

/** A failure that the caller's input explains; the message is for people. */
export class LabError extends Error {
  override readonly name = 'LabError';
}

export interface LabRecord {
  readonly topology: Topology;
  /** The process that runs `up`. */
  readonly runner: ProcessRef;
  /** Unix time in ms. */
  readonly created: number;
  /** Whether `up` came to its end. */
  readonly complete: boolean;
}

export interface DaemonRecord {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Command to run in the node once the daemon listens again after a restart; empty for none. */
  readonly afterStart: readonly string[];
  readonly process: ProcessRef;
}

/** Root of all state; another one can be given for runs that must not see each other. */
export function stateRoot(): string {
  return process.env['CPN_LAB_STATE'] ?? '/run/cpn-lab';
}

function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 1)}\n`);
  renameSync(temporary, path);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function writeLabFile(directory: string, record: LabRecord): void {
  writeJson(join(directory, 'lab.json'), { ...record, topology: { ...record.topology, nodes: [...record.topology.nodes.values()] } });
}

export class LabState {
  readonly directory: string;

  constructor(readonly lab: string) {
    this.directory = join(stateRoot(), lab);
  }

  /** Makes the lab's folder with its record in it, at one stroke; false when there is one already. */
  create(record: LabRecord): boolean {
    mkdirSync(stateRoot(), { recursive: true, mode: 0o755 });
    const draft = mkdtempSync(join(stateRoot(), '.new-'));
    writeLabFile(draft, record);
    try {
      renameSync(draft, this.directory);
      return true;
    } catch (error) {
      rmSync(draft, { recursive: true });
      if (['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
    try {
      rmdirSync(stateRoot());
    } catch {
      // Other labs are there.
    }
  }

  get exists(): boolean {
    return existsSync(this.directory);
  }

  get wireSocket(): string {
    return join(this.directory, 'wire.sock');
  }

  get wireLog(): string {
    return join(this.directory, 'wire.log');
  }

  nodeDirectory(node: string): string {
    return join(this.directory, 'nodes', node);
  }

  logFile(node: string, program: string): string {
    return join(this.nodeDirectory(node), 'log', `${program}.log`);
  }

  createNode(node: string): void {
    for (const folder of ['fs', 'log', 'daemons']) mkdirSync(join(this.nodeDirectory(node), folder), { recursive: true });
  }

  writeLab(record: LabRecord): void {
    writeLabFile(this.directory, record);
  }

  readLab(): LabRecord | undefined {
    const raw = readJson(join(this.directory, 'lab.json')) as (Omit<LabRecord, 'topology'> & { topology: Omit<Topology, 'nodes'> & { nodes: TopologyNode[] } }) | undefined;
    return raw && { ...raw, topology: { ...raw.topology, nodes: new Map(raw.topology.nodes.map((node) => [node.name, node])) } };
  }

  writeWire(wire: ProcessRef): void {
    writeJson(join(this.directory, 'wire.json'), wire);
  }

  readWire(): ProcessRef | undefined {
    return readJson(join(this.directory, 'wire.json')) as ProcessRef | undefined;
  }

  writeInit(node: string, init: ProcessRef): void {
    writeJson(join(this.nodeDirectory(node), 'node.json'), init);
  }

  readInit(node: string): ProcessRef | undefined {
    return readJson(join(this.nodeDirectory(node), 'node.json')) as ProcessRef | undefined;
  }

  writeDaemon(node: string, daemon: DaemonRecord): void {
    writeJson(join(this.nodeDirectory(node), 'daemons', `${daemon.name}.json`), daemon);
  }

  readDaemon(node: string, daemon: string): DaemonRecord | undefined {
    return readJson(join(this.nodeDirectory(node), 'daemons', `${daemon}.json`)) as DaemonRecord | undefined;
  }

  /** In the order they were started. */
  daemons(node: string): DaemonRecord[] {
    const folder = join(this.nodeDirectory(node), 'daemons');
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => this.readDaemon(node, file.slice(0, -5)))
      .filter((daemon) => daemon !== undefined)
      .sort((a, b) => Number(a.process.start) - Number(b.process.start) || a.process.pid - b.process.pid);
  }

  /** Every process that holds a namespace of the lab and still runs. */
  holders(): ProcessRef[] {
    const nodes = join(this.directory, 'nodes');
    const inits = existsSync(nodes) ? readdirSync(nodes).map((node) => this.readInit(node)) : [];
    return [...inits, this.readWire()].filter((ref) => ref !== undefined).filter(isRunning);
  }
}
