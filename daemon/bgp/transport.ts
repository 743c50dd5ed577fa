/** What BGP needs of a transport, so that a whole network of speakers also runs in memory. TCP is in tcp-transport.ts. */

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** One established connection. */
export interface Stream {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Octets accepted by `write` that the peer's side has not taken yet. */
  readonly buffered: number;
  /** Queues octets; never blocks and never refuses. Callers look at `buffered` and wait for `drained`. */
  write(bytes: Uint8Array): void;
  /** Sends what is queued, then closes. Nothing is reported any more. */
  close(): void;
  /** Stops reading, so that the peer is slowed down by the window. */
  pause(): void;
  resume(): void;
  /** Says who hears of this stream, of octets that came before too; an end that came before is told after the call. */
  attach(handlers: StreamHandlers): void;
}

export interface StreamHandlers {
  received(bytes: Uint8Array): void;
  /** Everything written has left, after more than a little of it had to wait. */
  drained(): void;
  /** The connection ended without `close`; an error text when it failed. */
  closed(error: string | undefined): void;
}

export interface ConnectOptions {
  readonly local: string;
  readonly remote: Endpoint;
  /** Hop limit of our packets. */
  readonly ttl: number;
  readonly timeoutMs: number;
}

/** Something under way that can be given up; idempotent. */
export interface Cancellable {
  cancel(): void;
}

export interface Transport {
  /** Exactly one of the callbacks is called, later, unless cancelled. */
  connect(options: ConnectOptions, connected: (stream: Stream) => void, failed: (error: string) => void): Cancellable;
  /** Accepts connections on an address until cancelled; `failed` when listening does not work (any more). */
  listen(local: Endpoint, accepted: (stream: Stream) => void, failed: (error: string) => void): Cancellable;
}
