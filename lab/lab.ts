/** A running lab: what the commands, the tests and the demo work with. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Capture, splitEndpoint } from './capture.js';
import { YamlDocument } from './topology/document.js';
import { readTopology, type ReadOptions } from './topology/read.js';
import { isImpaired, type Impairment, type Topology } from './topology/topology.js';
import { takeDown } from './runner/down.js';
import { setOffloads } from './runner/links.js';
import { LabNode } from './runner/node.js';
import { isRunning, processRef } from './runner/processes.js';
import { LabError, LabState, type LabRecord } from './runner/state.js';
import { bringUp, startPrograms, type Log } from './runner/up.js';
import { askWire } from './wire/client.js';
import type { Direction, LinkStatus } from './wire/protocol.js';

export interface UpOptions extends ReadOptions {
  /** Receives warnings and errors that do not stop `up`, one line each (default: standard error). */
  readonly log?: Log;
  /** Takes a lab of this name down first. */
  readonly reconfigure?: boolean;
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The lab name a file gives; lenient, so that a lab can be taken down although its file has become faulty. */
function labNameOf(file: string): string {
  let value: unknown;
  try {
    value = new YamlDocument(readFileSync(file, 'utf8')).value();
  } catch (error) {
    throw new LabError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const name = (value as { name?: unknown } | null)?.name;
  // The name becomes a folder's name: only what a topology file may say.
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9\-._]*$/.test(name)) throw new LabError(`${file} has no lab name`);
  return name;
}

export class Lab {
  private readonly nodes: ReadonlyMap<string, LabNode>;

  private constructor(
    readonly state: LabState,
    readonly topology: Topology,
  ) {
    const nodes = new Map<string, LabNode>();
    for (const definition of topology.nodes.values()) {
      const init = state.readInit(definition.name);
      if (init) nodes.set(definition.name, new LabNode(state, definition, init));
    }
    this.nodes = nodes;
  }

  /**
   * Brings up the topology of a file. Throws TopologyError for a faulty file, LabError when the lab is up already or cannot be made; then
   * nothing of it is left.
   */
  static async up(file: string, options: UpOptions = {}): Promise<Lab> {
    const log = options.log ?? toStandardError;
    if (process.getuid?.() !== 0) throw new LabError('the lab needs root: it makes network namespaces');
    const topology = readTopology(file, options);
    for (const warning of topology.warnings) log(`warning: ${warning}`);
    const state = new LabState(topology.name);
    if (options.reconfigure === true && state.exists) await takeDown(state);
    const record: LabRecord = { topology, runner: processRef(process.pid)!, created: Date.now(), complete: false };
    if (!state.create(record)) {
      const other = state.readLab();
      if (state.holders().length > 0 || (other && isRunning(other.runner) && !other.complete)) {
        throw new LabError(`lab ${topology.name} is up already (from ${other?.topology.file ?? 'an interrupted up'}); take it down first, or use up --reconfigure`);
      }
      // Left by a lab whose processes are all gone.
      state.remove();
      if (!state.create(record)) throw new LabError(`lab ${topology.name} is being brought up by another process`);
    }
    try {
      await bringUp(state, record, log);
    } catch (error) {
      await takeDown(state);
      throw error;
    }
    return new Lab(state, topology);
  }

  /** The running lab of a topology file. Throws LabError when it is not up. */
  static open(file: string, name?: string): Lab {
    const state = new LabState(name ?? labNameOf(resolve(file)));
    const record = state.readLab();
    if (!record || state.holders().length === 0) throw new LabError(`lab ${state.lab} is not up`);
    return new Lab(state, record.topology);
  }

  /** Takes down the lab of a topology file; false when there was nothing of it. */
  static async down(file: string, name?: string): Promise<boolean> {
    const state = new LabState(name ?? labNameOf(resolve(file)));
    if (!state.exists) return false;
    await takeDown(state);
    return true;
  }

  get name(): string {
    return this.topology.name;
  }

  /** Takes the lab down with everything that runs in it. */
  async down(): Promise<void> {
    await takeDown(this.state);
  }

  node(name: string): LabNode {
    const node = this.nodes.get(name);
    if (!node) throw new LabError(`no node ${name} in lab ${this.name}; expected one of ${[...this.nodes.keys()].join(', ')}`);
    return node;
  }

  get nodeNames(): string[] {
    return [...this.nodes.keys()];
  }

  /** The link whose end is `node:interface`, and the direction of what that node sends. */
  private endpoint(text: string): { link: number; direction: Direction } {
    for (const [link, { endpoints }] of this.topology.links.entries()) {
      const direction = endpoints.findIndex((e) => `${e.node}:${e.interface}` === text);
      if (direction === 0 || direction === 1) return { link, direction };
    }
    const all = this.topology.links.flatMap((l) => l.endpoints.map((e) => `${e.node}:${e.interface}`));
    throw new LabError(`no link endpoint ${text} in lab ${this.name}; expected one of ${all.join(', ')}`);
  }

  /** Changes what happens to frames that leave a node through an interface; what is not given stays. */
  async impair(endpoint: string, change: Partial<Impairment>): Promise<void> {
    const { link, direction } = this.endpoint(endpoint);
    const sender = this.topology.links[link]!.endpoints[direction];
    const node = this.node(sender.node);
    const before = (await this.links())[link]!.directions[direction].impairment;
    const impaired = isImpaired({ ...before, ...change });
    // Offloads go before the first frame passes a delay line, and come back after the last.
    if (impaired) await setOffloads(node.init, sender.interface, false);
    await askWire(this.state, { op: 'set', link, direction, change });
    if (!impaired && isImpaired(before)) await setOffloads(node.init, sender.interface, true);
  }

  /** One-way delay in milliseconds of what leaves through `node:interface`. */
  async setDelay(endpoint: string, milliseconds: number, jitterMs = 0): Promise<void> {
    await this.impair(endpoint, { delayMs: milliseconds, jitterMs });
  }

  /** Random loss in percent of what leaves through `node:interface`. */
  async setLoss(endpoint: string, percent: number): Promise<void> {
    await this.impair(endpoint, { lossPercent: percent });
  }

  /** Rate in bit/s of what leaves through `node:interface`; 0 is unlimited. */
  async setRate(endpoint: string, bitsPerSecond: number): Promise<void> {
    await this.impair(endpoint, { rateBps: bitsPerSecond });
  }

  /**
   * Captures packets of `node:interface` into a pcap file until `stop()`. Without `path` the file lies in the lab's state and goes with it.
   * @param filter pcap filter expression
   */
  async capture(endpoint: string, filter = '', path?: string): Promise<Capture> {
    const { node, interface: name } = splitEndpoint(endpoint);
    const folder = join(this.state.directory, 'captures');
    mkdirSync(folder, { recursive: true });
    return Capture.start(this.node(node), name, { output: path ?? join(folder, `${node}-${name}-${randomUUID()}.pcap`), filter });
  }

  /** State of all links, in the order of the file. */
  async links(): Promise<readonly LinkStatus[]> {
    return askWire(this.state, { op: 'status' });
  }

  private linksOf(node: string): number[] {
    return this.topology.links.flatMap((link, i) => (link.endpoints.some((e) => e.node === node) ? [i] : []));
  }

  /** Fails `node:interface` (both ends of the link lose carrier) or a whole node: its links first, then all its processes without a goodbye. */
  async fail(target: string): Promise<void> {
    if (target.includes(':')) {
      await askWire(this.state, { op: 'carrier', links: [this.endpoint(target).link], up: false });
      return;
    }
    const node = this.node(target);
    await askWire(this.state, { op: 'carrier', links: this.linksOf(target), up: false });
    await node.killAll();
  }

  /** Undoes `fail`: carrier back; the programs of a node's image that do not run are started again. */
  async restore(target: string): Promise<void> {
    if (target.includes(':')) {
      await askWire(this.state, { op: 'carrier', links: [this.endpoint(target).link], up: true });
      return;
    }
    const node = this.node(target);
    await askWire(this.state, { op: 'carrier', links: this.linksOf(target), up: true });
    if (!node.daemons.some((daemon) => daemon.running)) await startPrograms(node);
  }
}
