/** BFD for the daemon: the service in a process of its own, started with the first client, and started again should it ever end. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock, Timer } from '../clock.js';
import type { FromChild, ToChild } from './messages.js';
import type { BfdEvent } from './service.js';
import type { BfdConfig, BfdHandle, BfdListener, BfdRegistrar, BfdRequest, BfdView } from './types.js';

export interface BfdProcessOptions {
  readonly clock: Clock;
  readonly config: BfdConfig;
  readonly report: (event: BfdEvent) => void;
}

/**
 * A garbage collector without helpers: the helpers would run at the priority of everything else, and the collector waits for them, on a busy
 * machine for longer than a Detection Time.
 */
const EXEC_ARGV = ['--single-threaded-gc', '--max-semi-space-size=2'];
/** Pause before a process that ended is started again, and how long one may take to say goodbye, ms. */
const RESTART_MS = 1000;
const CLOSE_MS = 1000;

const NOTHING: BfdView = { sessions: [], discards: {} };

export class BfdProcess implements BfdRegistrar {
  private config: BfdConfig;
  private child: ChildProcess | undefined;
  private readonly clients = new Map<number, { readonly request: BfdRequest; readonly listener: BfdListener }>();
  private readonly views = new Map<number, (view: BfdView) => void>();
  private restart: Timer | undefined;
  private count = 0;
  private closed: (() => void) | undefined;
  private isClosing = false;

  constructor(private readonly options: BfdProcessOptions) {
    this.config = options.config;
  }

  register(request: BfdRequest, listener: BfdListener): BfdHandle {
    const id = this.count++;
    this.clients.set(id, { request, listener });
    // A process that starts hears of all clients.
    if (this.child) this.say({ do: 'register', id, request });
    else if (!this.restart) this.start();
    return {
      unregister: () => {
        if (this.clients.delete(id)) this.say({ do: 'unregister', id });
      },
    };
  }

  configure(config: BfdConfig): void {
    this.config = config;
    this.say({ do: 'configure', config });
  }

  /** All sessions as they are now. */
  view(): Promise<BfdView> {
    if (!this.child) return Promise.resolve(NOTHING);
    const id = this.count++;
    return new Promise((resolve) => {
      this.views.set(id, resolve);
      this.say({ do: 'view', id });
    });
  }

  /** Says goodbye to the peers and ends the process. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.restart?.cancel();
    const { child } = this;
    if (!child) return;
    const limit = this.options.clock.setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
    await new Promise<void>((resolve) => {
      this.closed = resolve;
      this.say({ do: 'close' });
    });
    limit.cancel();
  }

  private say(message: ToChild): void {
    if (this.child?.connected === true) this.child.send(message);
  }

  private start(): void {
    if (this.isClosing) return;
    const child = fork(fileURLToPath(new URL('child.js', import.meta.url)), [], { execArgv: EXEC_ARGV, serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.child = child;
    let over = false;
    const ended = (why: string): void => {
      if (!over) this.ended(why);
      over = true;
    };
    child.on('message', (message) => this.heard(message as FromChild));
    child.on('error', (error) => ended(error.message));
    child.on('exit', (code, signal) => ended(signal ?? `exit status ${code ?? 0}`));
    this.say({ do: 'start', config: this.config });
    for (const [id, { request }] of this.clients) this.say({ do: 'register', id, request });
  }

  private heard(message: FromChild): void {
    switch (message.kind) {
      case 'verdict':
        this.clients.get(message.id)?.listener(message.verdict, message.change);
        break;
      case 'event':
        this.options.report(message.event);
        break;
      case 'view':
        this.views.get(message.id)?.(message.view);
        this.views.delete(message.id);
        break;
    }
  }

  private ended(why: string): void {
    this.child = undefined;
    for (const resolve of this.views.values()) resolve(NOTHING);
    this.views.clear();
    if (this.isClosing) {
      this.closed?.();
      return;
    }
    this.options.report({ type: 'error', severity: 'warning', text: `the BFD process ended (${why}); it is started again`, fields: {} });
    this.restart = this.options.clock.setTimeout(() => {
      this.restart = undefined;
      this.start();
    }, RESTART_MS);
  }
}
