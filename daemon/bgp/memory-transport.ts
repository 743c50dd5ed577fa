/** A transport in memory on an injected clock: networks of speakers run in a unit test, with connections that can be cut. */
import type { Clock } from '../clock.js';
import type { Cancellable, ConnectOptions, Endpoint, ListenHandlers, Listener, Stream, StreamHandlers, Transport } from './transport.js';

/** As with a socket, `drained` is reported only after more than this was buffered. */
const fullOctets = 16_384;

class MemoryStream implements Stream {
  other: MemoryStream | undefined;
  buffered = 0;
  private handlers: StreamHandlers | undefined;
  private readonly inbox: Uint8Array[] = [];
  private paused = false;
  private full = false;
  private open = true;

  constructor(
    private readonly network: MemoryNetwork,
    readonly local: Endpoint,
    readonly remote: Endpoint,
  ) {}

  write(bytes: Uint8Array): void {
    if (!this.open) return;
    this.buffered += bytes.length;
    this.full ||= this.buffered > fullOctets;
    this.network.travel(this, () => this.other?.deliver(Uint8Array.from(bytes), this));
  }

  private deliver(bytes: Uint8Array, from: MemoryStream): void {
    if (!this.open) return;
    this.inbox.push(bytes);
    this.flush(from);
  }

  private flush(from: MemoryStream | undefined): void {
    if (!this.handlers || this.paused) return;
    for (let bytes = this.inbox.shift(); bytes; bytes = this.inbox.shift()) {
      if (from) from.taken(bytes.length);
      this.handlers.received(bytes);
      // The handler may have paused, or closed, this stream.
      if (!this.isReading()) return;
    }
  }

  private isReading(): boolean {
    return this.open && !this.paused;
  }

  private taken(count: number): void {
    this.buffered -= count;
    if (this.buffered > 0 || !this.full) return;
    this.full = false;
    this.network.later(() => this.open && this.handlers?.drained());
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.handlers = undefined;
    this.network.travel(this, () => this.other?.ended(undefined));
  }

  /** The other side has gone. */
  ended(error: string | undefined): void {
    if (!this.open) return;
    this.open = false;
    const handlers = this.handlers;
    this.handlers = undefined;
    handlers?.closed(error);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.flush(this.other);
  }

  attach(handlers: StreamHandlers): void {
    this.handlers = handlers;
    if (this.open) this.flush(this.other);
    else this.network.later(() => this.handlers?.closed(undefined));
  }
}

const endpointKey = (endpoint: Endpoint): string => `[${endpoint.address}]:${endpoint.port}`;

/** The links between speakers. Everything takes `latencyMs` one way. */
export class MemoryNetwork implements Transport {
  private readonly listeners = new Map<string, (stream: Stream) => void>();
  private readonly connections = new Set<{ readonly a: MemoryStream; readonly b: MemoryStream }>();
  /** Directions in which nothing arrives, with what waits there. */
  private readonly silent = new Map<string, (() => void)[]>();
  private nextPort = 49152;

  constructor(
    private readonly clock: Clock,
    private readonly latencyMs = 1,
  ) {}

  later(action: () => void): void {
    this.clock.setTimeout(action, this.latencyMs);
  }

  /** What a stream sends arrives later; while its direction is silent, when that is over, as TCP sends again what was lost. */
  travel({ local, remote }: Stream, action: () => void): void {
    this.later(() => {
      const held = this.silent.get(`${local.address} ${remote.address}`);
      if (held) held.push(action);
      else action();
    });
  }

  connect(options: ConnectOptions, connected: (stream: Stream) => void, failed: (error: string) => void): Cancellable {
    let cancelled = false;
    this.later(() => {
      if (cancelled) return;
      const accept = this.listeners.get(endpointKey(options.remote));
      if (!accept || this.isSilent(options.local, options.remote.address)) {
        failed(accept ? 'connection timed out' : 'connection refused');
        return;
      }
      const local = { address: options.local, port: this.nextPort++ };
      const a = new MemoryStream(this, local, options.remote);
      const b = new MemoryStream(this, options.remote, local);
      a.other = b;
      b.other = a;
      this.connections.add({ a, b });
      accept(b);
      connected(a);
    });
    return { cancel: () => void (cancelled = true) };
  }

  /** There are no packets here that rules could apply to. */
  listen(local: Endpoint, handlers: ListenHandlers): Listener {
    const key = endpointKey(local);
    if (this.listeners.has(key)) {
      this.later(() => handlers.failed('address already in use'));
      return { cancel: () => undefined, setNeighbors: () => undefined };
    }
    this.listeners.set(key, (stream) => handlers.accepted(stream));
    return { cancel: () => void this.listeners.delete(key), setNeighbors: () => undefined };
  }

  /** Resets every connection between two addresses, as when a process dies. */
  reset(left: string, right: string): void {
    for (const connection of this.connections) {
      const { a, b } = connection;
      if (![a, b].every((stream) => stream.local.address === left || stream.local.address === right)) continue;
      this.connections.delete(connection);
      a.ended('connection reset');
      b.ended('connection reset');
    }
  }

  /** Lets nothing pass between two addresses, without telling either side, until restored. */
  setSilent(left: string, right: string, silent: boolean): void {
    for (const key of [`${left} ${right}`, `${right} ${left}`]) {
      const held = this.silent.get(key);
      if (silent) {
        if (!held) this.silent.set(key, []);
        continue;
      }
      this.silent.delete(key);
      for (const action of held ?? []) action();
    }
  }

  /** What waits in the silence between two addresses never arrives: the machine that would have sent it again is gone. */
  lose(left: string, right: string): void {
    for (const key of [`${left} ${right}`, `${right} ${left}`]) this.silent.get(key)?.splice(0);
  }

  isSilent(left: string, right: string): boolean {
    return this.silent.has(`${left} ${right}`);
  }
}
