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

/** What holds for every packet exchanged with one neighbour. */
export interface PacketRules {
  /** Hop limit of our packets. */
  readonly ttl: number;
  /** Packets that arrive with a lower hop limit are dropped (GTSM, RFC 5082 section 3); undefined takes all. */
  readonly minimumTtl: number | undefined;
  /** Key of the TCP MD5 signature (RFC 2385); undefined for TCP without it. */
  readonly password: string | undefined;
}

export interface ConnectOptions extends PacketRules {
  readonly local: string;
  readonly remote: Endpoint;
  readonly timeoutMs: number;
}

export interface NeighborRules extends PacketRules {
  /** An address, or a prefix for all addresses inside it that have no rules of their own; a prefix has no password. */
  readonly address: string;
}

/** Something under way that can be given up; idempotent. */
export interface Cancellable {
  cancel(): void;
}

export interface ListenHandlers {
  /** A connection, to which the rules of its neighbour apply already; one from elsewhere comes too. */
  accepted(stream: Stream): void;
  /** Connections of a neighbour cannot be accepted under its rules, and are closed. */
  refused(address: string, reason: string): void;
  /** Listening does not work (any more). */
  failed(error: string): void;
}

export interface Listener extends Cancellable {
  /** Takes other neighbours and rules for connections to come. One that waits to be accepted under an earlier password is closed. */
  setNeighbors(neighbors: readonly NeighborRules[]): void;
}

export interface Transport {
  /** Exactly one of the callbacks is called, later, unless cancelled. */
  connect(options: ConnectOptions, connected: (stream: Stream) => void, failed: (error: string) => void): Cancellable;
  /** Accepts connections on an address until cancelled. The handlers are called later. */
  listen(local: Endpoint, handlers: ListenHandlers, neighbors: readonly NeighborRules[]): Listener;
}
