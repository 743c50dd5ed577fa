/**
 * The node's session with its router: registers, keeps the stream, comes back with growing pauses when it breaks. Pure: the stream is behind
 * `Dial`, time is injected.
 *
 *   waiting --pause over--> dialling --parameters--> attached --stream ends--> waiting
 *                              ^------- what is registered changed -------'
 */
import type { Clock, Timer } from '../clock.js';
import type { NodeMessage, NodeParameters, RouterMessage } from '../awareness/registration/types.js';

export interface StreamEnd {
  readonly reason: string;
  /** The router said no: coming back soon would not change that. */
  readonly refused: boolean;
}

export interface RouterStream {
  send(message: NodeMessage): void;
  /** Ends the stream once what was sent is out. */
  close(): void;
}

/** Opens a stream. `ended` is called once, also when none comes about. */
export type Dial = (handlers: { readonly message: (message: RouterMessage) => void; readonly ended: (end: StreamEnd) => void }) => RouterStream;

export interface SessionHandlers {
  /** The registration to begin a stream with. */
  register(): NodeMessage;
  attached(parameters: NodeParameters): void;
  command(command: NonNullable<RouterMessage['command']>): void;
  limited(reason: string): void;
  lost(end: StreamEnd, retryMs: number): void;
}

const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 10_000;
const REFUSED_PAUSE_MS = 5000;
/** Parameters have to come within this time, ms. */
const PATIENCE_MS = 10_000;

export class Session {
  private stream: RouterStream | undefined;
  /** The stream before, until the router has taken the one in its place. */
  private replaced: RouterStream | undefined;
  /** Grows with each stream: what an older one says is nobody's business any more. */
  private generation = 0;
  private timer: Timer | undefined;
  private failures = 0;
  private stopped = false;
  private parameters: NodeParameters | undefined;

  constructor(
    private readonly dial: Dial,
    private readonly handlers: SessionHandlers,
    private readonly clock: Clock,
    /** 0..1, so that nodes of a router that restarted do not all come back at once. */
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    this.open();
  }

  get attached(): boolean {
    return this.parameters !== undefined;
  }

  /** Sends when attached; true when it went. */
  send(message: NodeMessage): boolean {
    if (!this.stream || !this.parameters) return false;
    this.stream.send(message);
    return true;
  }

  /** Something changed that only a registration says (chips): registers anew. The router puts the new stream in the place of this one and withdraws nothing. */
  renew(): void {
    if (!this.stream || !this.parameters) return;
    this.replaced = this.stream;
    this.stream = undefined;
    this.parameters = undefined;
    this.open();
  }

  /** Step 5 of the registration; without a stream there is nobody to tell. */
  logOut(reason: string): void {
    this.stopped = true;
    this.timer?.cancel();
    this.stream?.send({ logOut: { reason } });
    this.stream?.close();
  }

  private open(): void {
    const generation = ++this.generation;
    let over = false;
    const ended = (end: StreamEnd): void => {
      if (over || generation !== this.generation) return;
      over = true;
      this.over(end);
    };
    const stream = this.dial({
      message: (message) => {
        if (!over && generation === this.generation) this.take(message);
      },
      ended,
    });
    // The dial may have failed at once.
    if (over as boolean) return;
    this.stream = stream;
    this.timer = this.clock.setTimeout(() => {
      stream.close();
      ended({ reason: `no answer to the registration within ${PATIENCE_MS} ms`, refused: false });
    }, PATIENCE_MS);
    stream.send(this.handlers.register());
  }

  private take(message: RouterMessage): void {
    if (message.parameters) {
      this.timer?.cancel();
      this.failures = 0;
      this.endReplaced();
      this.parameters = message.parameters;
      this.handlers.attached(message.parameters);
    } else if (message.command) this.handlers.command(message.command);
    else if (message.limited) this.handlers.limited(message.limited.reason);
  }

  private endReplaced(): void {
    this.replaced?.close();
    this.replaced = undefined;
  }

  private over(end: StreamEnd): void {
    this.timer?.cancel();
    this.endReplaced();
    this.stream = undefined;
    this.parameters = undefined;
    if (this.stopped) return;
    const pause = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    this.failures = Math.min(16, this.failures + 1);
    const retryMs = (end.refused ? Math.max(REFUSED_PAUSE_MS, pause) : pause) * (0.75 + 0.5 * this.random());
    this.handlers.lost(end, retryMs);
    this.timer = this.clock.setTimeout(() => this.open(), retryMs);
  }
}
