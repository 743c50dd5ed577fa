/** One node of a running lab. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { TopologyNode } from '../topology/topology.js';
import { commandBehind, enter, execIn, NodeProcess, nodeEnvironment, type ExecOptions, type ExecResult } from './enter.js';
import { isRunning, processRef, signalProcess, type ProcessRef } from './processes.js';
import { LabError, type DaemonRecord, type LabState } from './state.js';
import { waitFor } from './wait.js';

export interface DaemonSpec {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly afterStart?: readonly string[];
}

/** A long-lived program of a node: started by `up`, restarted by `restore` or by hand; its output goes to a log file. */
export class Daemon {
  constructor(
    private readonly node: LabNode,
    readonly name: string,
  ) {}

  private get record(): DaemonRecord {
    const record = this.node.state.readDaemon(this.node.name, this.name);
    if (!record) throw new LabError(`node ${this.node.name} has no daemon ${this.name}`);
    return record;
  }

  /** Pid on the host; of the last run when it is not running. */
  get pid(): number {
    return this.record.process.pid;
  }

  get running(): boolean {
    return isRunning(this.record.process);
  }

  get argv(): readonly string[] {
    return this.record.argv;
  }

  /** What it has printed since the lab came up. */
  get log(): string {
    return readFileSync(this.node.state.logFile(this.node.name, this.name), 'utf8');
  }

  /** False when it is not running. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    return signalProcess(this.record.process, signal);
  }

  /** Ends it with `signal` and waits until it is gone; SIGKILL after five seconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { process } = this.record;
    if (!signalProcess(process, signal)) return;
    await waitFor(() => !isRunning(process), { timeoutMs: 5000, what: `${this.name} to stop`, intervalMs: 5 }).catch(() => signalProcess(process, 'SIGKILL'));
    await waitFor(() => !isRunning(process), { timeoutMs: 5000, what: `${this.name} to be gone`, intervalMs: 5 });
  }

  /** Starts it again with the arguments it had; it must not be running. */
  async start(): Promise<void> {
    if (this.running) throw new LabError(`node ${this.node.name}: ${this.name} is running already`);
    const { argv, env, afterStart } = this.record;
    await this.node.startDaemon({ name: this.name, argv, env, afterStart });
    if (afterStart.length > 0) {
      await waitFor(async () => (await this.node.exec(afterStart)).status === 0, { timeoutMs: 10_000, what: `${afterStart.join(' ')} on node ${this.node.name}`, intervalMs: 100 });
    }
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stop(signal);
    await this.start();
  }
}

export class LabNode {
  constructor(
    readonly state: LabState,
    readonly definition: TopologyNode,
    /** Holds the node's namespaces. */
    readonly init: ProcessRef,
  ) {}

  get name(): string {
    return this.definition.name;
  }

  /** Path of the network namespace, for native.inNetworkNamespace. */
  get networkNamespace(): string {
    return `/proc/${this.init.pid}/ns/net`;
  }

  private alive(): ProcessRef {
    if (!isRunning(this.init)) throw new LabError(`node ${this.name} is not running`);
    return this.init;
  }

  /** Runs a command in the node with the node's environment. */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return execIn(this.alive(), argv, { ...options, env: { ...this.definition.env, ...options.env } });
  }

  /** As exec, but a status other than 0 throws LabError with what the command said; returns its output. */
  async run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    const result = await this.exec(argv, options);
    if (result.status !== 0) {
      throw new LabError(`node ${this.name}: ${argv.join(' ')}: exit status ${result.status}: ${(result.stderr.trim() || result.stdout.trim()).slice(0, 2000)}`);
    }
    return result.stdout;
  }

  /** Runs a command in the node and leaves it running. */
  async spawn(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
    return NodeProcess.start(this.alive(), argv, { ...this.definition.env, ...env });
  }

  /** Runs a command on the caller's terminal or pipes; the child's exit status is the command's. */
  enter(argv: readonly string[]): ReturnType<typeof enter> {
    return enter(this.alive(), argv, { env: nodeEnvironment(this.definition.env), stdio: 'inherit' });
  }

  /** Starts a program that outlives the caller, with its output in a log file. */
  async startDaemon(spec: DaemonSpec): Promise<Daemon> {
    const env = spec.env ?? {};
    const log = openSync(this.state.logFile(this.name, spec.name), 'a');
    const child = enter(this.alive(), spec.argv, { env: nodeEnvironment({ ...this.definition.env, ...env }), stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    const process = (await Promise.race([commandBehind(child), failed])) ?? processRef(child.pid!) ?? { pid: child.pid!, start: '' };
    child.unref();
    this.state.writeDaemon(this.name, { name: spec.name, argv: spec.argv, env, afterStart: spec.afterStart ?? [], process });
    return new Daemon(this, spec.name);
  }

  /** Daemons in the order they were started. */
  get daemons(): Daemon[] {
    return this.state.daemons(this.name).map((record) => new Daemon(this, record.name));
  }

  /** The node's own program: cpnd, bird, gobgpd, exabgp, or bgpd (else zebra) of FRR. Throws LabError on a plain host. */
  get daemon(): Daemon {
    const daemons = this.daemons;
    const daemon = daemons.find((d) => d.name === 'bgpd') ?? daemons[0];
    if (!daemon) throw new LabError(`node ${this.name} (image ${this.definition.image}) runs no daemon`);
    return daemon;
  }

  /** Ends every process of the node but its init, without a chance to say goodbye. */
  async killAll(): Promise<void> {
    // kill(2) with -1 reaches everything the caller can see except itself and process 1 of the PID namespace.
    await execIn(this.alive(), ['sh', '-c', 'kill -9 -1']);
    await waitFor(() => this.daemons.every((daemon) => !daemon.running), { timeoutMs: 5000, what: `the processes of node ${this.name} to end`, intervalMs: 5 });
  }
}
