/**
 * Observed runs of the node's services: a service (or a proxy before it) appends a line of JSON to a file when a task is done,
 *
 *     {"service": "2001:db8:5e::1", "startMs": 1700000000000, "endMs": 1700000000250, "workload": 2e9, "dataSize": 40000}
 *
 * and the agent adds how the node was when the task arrived (Eq. (4)), from its own samples. Work that nobody counted is what the node did meanwhile (Eq. (9)), which is
 * that of the task where it was alone. A line may state computingUsed itself, who knows it at that very moment.
 */
import { open } from 'node:fs/promises';
import { canonicalIp } from '../../dataplane/packet/ip.js';
import type { FlatRun } from '../awareness/demand/run-view.js';
import { nodeStateOf } from '../computing/model/node-state.js';
import { modelled, refused, type Modelled } from '../computing/model/result.js';
import { stateAt, workloadOf, type NodeState as ModelState, type StateSample } from '../computing/model/run.js';
import type { NodeState } from './report.js';

/** States that are kept: ten minutes at a second each. */
const MOST_SAMPLES = 600;
/** What is read of a file at once, octets; the rest the next time. */
const MOST_READ = 65_536;

/** What the node was like lately. */
export class StateHistory {
  private readonly samples: StateSample[] = [];
  private last: ModelState = { capacity: 0, computingUsed: 0, storage: 0, storageUsed: 0, ioRate: 0 };

  note({ computing, storage }: Pick<NodeState, 'computing' | 'storage'>, unixMs: number): void {
    this.last = nodeStateOf(computing, storage);
    const { computingUsed, storageUsed, ioRate } = this.last;
    this.samples.push({ atMs: unixMs, computingUsed, storageUsed, ioRate });
    if (this.samples.length > MOST_SAMPLES) this.samples.shift();
  }

  /** A run with the state at its start. */
  run(line: RunLine): FlatRun {
    const { startMs, endMs } = line;
    const at = stateAt(this.samples, startMs) ?? { computingUsed: 0, storageUsed: 0, ioRate: 0 };
    return {
      service: line.service,
      instance: '',
      atMs: startMs,
      workload: line.workload ?? workloadOf(this.last.capacity, this.samples, startMs, endMs),
      dataSize: line.dataSize ?? 0,
      latencyUs: (endMs - startMs) * 1000,
      capacity: this.last.capacity,
      computingUsed: line.computingUsed ?? at.computingUsed,
      storage: this.last.storage,
      storageUsed: at.storageUsed,
      ioRate: at.ioRate,
    };
  }
}

export interface RunLine {
  readonly service: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly workload: number | undefined;
  readonly dataSize: number | undefined;
  readonly computingUsed: number | undefined;
}

export function parseRunLine(text: string): Modelled<RunLine> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('expected a line of JSON');
  }
  if (typeof value !== 'object' || value === null) return refused('expected a JSON object');
  const { service, startMs, endMs, workload, dataSize, computingUsed } = value as Readonly<Record<string, unknown>>;
  const address = typeof service === 'string' ? canonicalIp(service) : undefined;
  if (address === undefined) return refused('service: expected an IP address');
  if (typeof startMs !== 'number' || typeof endMs !== 'number' || !(endMs > startMs && startMs > 0)) return refused('expected startMs < endMs, in Unix ms');
  const optional = { workload, dataSize, computingUsed };
  for (const [name, entry] of Object.entries(optional)) if (entry !== undefined && !(typeof entry === 'number' && entry >= 0)) return refused(`${name}: expected a number of 0 or more`);
  return modelled({ service: address, startMs, endMs, workload: workload as number | undefined, dataSize: dataSize as number | undefined, computingUsed: computingUsed as number | undefined });
}

/** The lines that are appended to a file from now on; one that was replaced or cut short is read from its beginning. */
export class LineTail {
  private offset: number | undefined;
  private partial = '';

  constructor(private readonly path: string) {}

  async read(): Promise<string[]> {
    let file;
    try {
      file = await open(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Not there yet: all that will be in it is new.
      this.offset = 0;
      return [];
    }
    try {
      const { size } = await file.stat();
      this.offset ??= size;
      if (size < this.offset) {
        this.offset = 0;
        this.partial = '';
      }
      const buffer = Buffer.alloc(Math.min(MOST_READ, size - this.offset));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.offset);
      this.offset += bytesRead;
      const lines = (this.partial + buffer.toString('latin1', 0, bytesRead)).split('\n');
      const rest = lines.pop() ?? '';
      this.partial = rest.length > MOST_READ ? '' : rest;
      return lines.filter((line) => line.trim() !== '');
    } finally {
      await file.close();
    }
  }
}

/** Runs that wait to be told; the oldest goes first. */
const MOST_WAITING = 512;

/** The runs of all files, until the router was told. */
export class RunReports {
  private readonly history = new StateHistory();
  private readonly tails: readonly (readonly [path: string, tail: LineTail])[];
  private waiting: FlatRun[] = [];

  constructor(
    paths: readonly string[],
    /** What cannot be used, and of which file. */
    private readonly onFault: (path: string, reason: string) => void,
  ) {
    this.tails = paths.map((path) => [path, new LineTail(path)]);
  }

  /** Notes how the node is, and reads what was appended. */
  async read(state: NodeState, unixMs: number): Promise<void> {
    if (this.tails.length === 0) return;
    this.history.note(state, unixMs);
    for (const [path, tail] of this.tails) {
      try {
        for (const line of await tail.read()) {
          const parsed = parseRunLine(line);
          if (parsed.ok) this.waiting.push(this.history.run(parsed.value));
          else this.onFault(path, parsed.reason);
        }
      } catch (error) {
        this.onFault(path, error instanceof Error ? error.message : String(error));
      }
    }
    this.waiting = this.waiting.slice(-MOST_WAITING);
  }

  /** The first of those that wait. */
  next(most: number): readonly FlatRun[] {
    return this.waiting.slice(0, most);
  }

  /** So many of the first ones were told. */
  told(count: number): void {
    this.waiting = this.waiting.slice(count);
  }
}
