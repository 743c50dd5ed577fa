/** Runs one service of the node: starts and stops it as the configuration says how, and looks whether it is there. */
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import type { ServiceState } from '../awareness/registration/types.js';
import type { Clock, Timer } from '../clock.js';
import type { AgentService } from './config.js';

/** A process that does not end on SIGTERM gets SIGKILL after so long, ms. */
const KILL_AFTER_MS = 5000;
/** While a service starts its check is repeated so often, ms. */
const STARTING_CHECK_MS = 100;
const COMMAND_TIMEOUT_MS = 30_000;

export class ServiceRunner {
  state: ServiceState = 'inactive';
  reason = '';
  private child: ChildProcess | undefined;
  private timer: Timer | undefined;
  private stopped = false;
  /** Grows with each order, so that what an older one comes to is not taken for the newer one's. */
  private order = 0;

  constructor(
    readonly config: AgentService,
    private readonly clock: Clock,
    /** Called when state or reason changed. */
    private readonly onChange: () => void,
    /** How long it may take to become active, ms; the router says. */
    public activationTimeoutMs = COMMAND_TIMEOUT_MS,
  ) {}

  private get managed(): boolean {
    return this.config.run !== undefined || this.config.unit !== undefined || this.config.activate !== undefined;
  }

  private enter(state: ServiceState, reason: string): void {
    if (this.state === state && this.reason === reason) return;
    this.state = state;
    this.reason = reason;
    this.onChange();
  }

  /** Looks how the service is, and goes on looking. One that nobody starts is taken for active unless its check says otherwise. */
  async start(): Promise<void> {
    const failure = await this.check();
    if (failure === undefined && (!this.managed || this.config.check)) this.enter('active', '');
    else if (!this.managed) this.enter('failed', failure ?? '');
    this.watch();
  }

  private watch(): void {
    this.timer?.cancel();
    if (this.stopped || !this.config.check) return;
    this.timer = this.clock.setTimeout(() => void this.look().finally(() => this.watch()), this.config.check.interval);
  }

  /** An active service whose check fails has failed; one that nobody starts is active again when its check works. */
  private async look(): Promise<void> {
    const order = this.order;
    const failure = await this.check();
    if (order !== this.order || this.stopped) return;
    if (this.state === 'active' && failure !== undefined) this.enter('failed', failure);
    else if (this.state === 'failed' && failure === undefined && (!this.managed || this.child)) this.enter('active', '');
  }

  async activate(): Promise<void> {
    if (this.state === 'active' || this.state === 'activating' || !this.managed) return;
    const order = ++this.order;
    this.enter('activating', '');
    const { run, unit, activate } = this.config;
    if (run) this.spawn(run);
    else {
      const failure = await this.command(unit === undefined ? activate! : ['systemctl', 'start', unit], this.activationTimeoutMs);
      if (order !== this.order) return;
      if (failure !== undefined) {
        this.enter('failed', failure);
        return;
      }
    }
    const deadline = this.clock.now() + this.activationTimeoutMs;
    for (;;) {
      const failure = await this.check();
      // The process may have ended meanwhile, or the next order came.
      if (order !== this.order || (this.state as ServiceState) !== 'activating') return;
      if (failure === undefined) break;
      if (this.clock.now() >= deadline) {
        await this.end();
        this.enter('failed', failure);
        return;
      }
      await new Promise<void>((resolve) => this.clock.setTimeout(resolve, STARTING_CHECK_MS));
    }
    this.enter('active', '');
  }

  async deactivate(): Promise<void> {
    if (this.state === 'inactive' || !this.managed) return;
    const order = ++this.order;
    this.enter('deactivating', '');
    const failure = await this.end();
    if (order === this.order) this.enter(failure === undefined ? 'inactive' : 'failed', failure ?? '');
  }

  /** Ends what the agent itself runs; units and what `activate` started stay. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.order++;
    this.timer?.cancel();
    if (this.child) await this.end();
  }

  private async end(): Promise<string | undefined> {
    const { run, unit, deactivate } = this.config;
    if (!run) return this.command(unit === undefined ? deactivate! : ['systemctl', 'stop', unit], COMMAND_TIMEOUT_MS);
    const { child } = this;
    if (!child) return (await this.check()) === undefined && this.config.check ? 'it was not started by this agent, which therefore cannot stop it' : undefined;
    this.child = undefined;
    await new Promise<void>((resolve) => {
      const limit = this.clock.setTimeout(() => signal(child, 'SIGKILL'), KILL_AFTER_MS);
      child.once('close', () => {
        limit.cancel();
        resolve();
      });
      signal(child, 'SIGTERM');
    });
    return undefined;
  }

  private spawn(argv: readonly string[]): void {
    // A process group of its own, so that its children end with it.
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
    this.child = child;
    const ended = (text: string): void => {
      if (this.child !== child) return;
      this.child = undefined;
      this.order++;
      this.enter('failed', text);
    };
    child.once('error', (error) => ended(error.message));
    child.once('close', (status, name) => ended(`it ended with ${name ?? `status ${String(status)}`}`));
  }

  /** Undefined when the service is there, else why not. */
  private async check(): Promise<string | undefined> {
    const { check, address } = this.config;
    if (!check) return undefined;
    if (check.command) return this.command(check.command, check.timeout);
    return check.port === undefined ? undefined : probe(address, check.port, check.timeout);
  }

  /** Runs a command to its end; undefined when its status is 0. */
  private command(argv: readonly string[], timeoutMs: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
      let said = '';
      const limit = this.clock.setTimeout(() => {
        signal(child, 'SIGKILL');
        resolve(`${argv[0]!} took more than ${timeoutMs} ms`);
      }, timeoutMs);
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-200)));
      child.once('error', (error) => {
        limit.cancel();
        resolve(error.message);
      });
      child.once('exit', (status, name) => {
        limit.cancel();
        resolve(status === 0 ? undefined : `${argv[0]!} ended with ${name ?? `status ${String(status)}`}${said === '' ? '' : `: ${said.trim()}`}`);
      });
    });
  }
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // It ended meanwhile.
  }
}

function probe(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (failure: string | undefined): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`no answer from [${host}]:${port} within ${timeoutMs} ms`));
    socket.once('error', (error) => end(error.message));
  });
}
