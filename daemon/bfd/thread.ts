/** BFD for the daemon: the service in a thread of its own, started with the first client, and started again should it ever end. */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../clock.js';
import type { FromWorker, ToWorker } from './messages.js';
import type { BfdEvent } from './service.js';
import type { BfdConfig, BfdHandle, BfdListener, BfdRegistrar, BfdRequest, BfdView } from './types.js';

export interface BfdThreadOptions {
  readonly clock: Clock;
  readonly config: BfdConfig;
  readonly report: (event: BfdEvent) => void;
}

/** Pause before a thread that ended is started again, and how long one may take to say goodbye, ms. */
const RESTART_MS = 1000;
const CLOSE_MS = 1000;

const NOTHING: BfdView = { sessions: [], discards: {} };

export class BfdThread implements BfdRegistrar {
  private config: BfdConfig;
  private worker: Worker | undefined;
  private readonly clients = new Map<number, { readonly request: BfdRequest; readonly listener: BfdListener }>();
  private readonly views = new Map<number, (view: BfdView) => void>();
  private restart: Timer | undefined;
  private count = 0;
  private closed: (() => void) | undefined;
  private isClosing = false;

  constructor(private readonly options: BfdThreadOptions) {
    this.config = options.config;
  }

  register(request: BfdRequest, listener: BfdListener): BfdHandle {
    const id = this.count++;
    this.clients.set(id, { request, listener });
    // A thread that starts hears of all clients.
    if (this.worker) this.say({ do: 'register', id, request });
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
    if (!this.worker) return Promise.resolve(NOTHING);
    const id = this.count++;
    return new Promise((resolve) => {
      this.views.set(id, resolve);
      this.say({ do: 'view', id });
    });
  }

  /** Says goodbye to the peers and ends the thread. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.restart?.cancel();
    const { worker } = this;
    if (!worker) return;
    const timer = await new Promise<Timer>((resolve) => {
      const limit = this.options.clock.setTimeout(() => resolve(limit), CLOSE_MS);
      this.closed = () => resolve(limit);
      this.say({ do: 'close' });
    });
    timer.cancel();
    await worker.terminate();
  }

  private say(message: ToWorker): void {
    this.worker?.postMessage(message);
  }

  private start(): void {
    if (this.isClosing) return;
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: this.config, name: 'bfd' });
    this.worker = worker;
    worker.on('message', (message: FromWorker) => this.heard(message));
    worker.on('error', (error) => this.options.report({ type: 'error', severity: 'warning', text: `the BFD thread failed: ${String(error)}`, fields: {} }));
    worker.on('exit', () => this.ended());
    for (const [id, { request }] of this.clients) this.say({ do: 'register', id, request });
  }

  private heard(message: FromWorker): void {
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
      case 'closed':
        this.closed?.();
        break;
    }
  }

  private ended(): void {
    this.worker = undefined;
    for (const resolve of this.views.values()) resolve(NOTHING);
    this.views.clear();
    if (this.isClosing) return;
    this.restart = this.options.clock.setTimeout(() => {
      this.restart = undefined;
      this.start();
    }, RESTART_MS);
  }
}
