/** An accepted connection of which the first message has been read already: whoever takes it over gets those octets again. */
import type { Clock, Timer } from '../clock.js';
import type { Endpoint, Stream, StreamHandlers } from './transport.js';
import { MessageFramer } from './wire/framer.js';

/** How long a peer may take for its OPEN before the connection is given up, ms. */
const openTimeoutMs = 10_000;

class PeekedStream implements Stream {
  private closed = false;
  private paused = false;

  constructor(
    private readonly clock: Clock,
    private readonly inner: Stream,
    private readonly read: Uint8Array,
  ) {}

  get local(): Endpoint {
    return this.inner.local;
  }

  get remote(): Endpoint {
    return this.inner.remote;
  }

  get buffered(): number {
    return this.inner.buffered;
  }

  write(bytes: Uint8Array): void {
    this.inner.write(bytes);
  }

  close(): void {
    this.closed = true;
    this.inner.close();
  }

  pause(): void {
    this.paused = true;
    this.inner.pause();
  }

  resume(): void {
    this.paused = false;
    this.inner.resume();
  }

  /** The octets come again after the call, as they would have from a stream that nobody has read. */
  attach(handlers: StreamHandlers): void {
    this.clock.setTimeout(() => {
      if (this.closed) return;
      handlers.received(this.read);
      if (this.isClosed()) return;
      this.inner.attach(handlers);
      if (!this.paused) this.inner.resume();
    }, 0);
  }

  /** The handler of `received` may have closed the stream. */
  private isClosed(): boolean {
    return this.closed;
  }
}

/**
 * Reads the first message of a connection. `taken` gets the message and the stream as if nothing had been read, also of a stream that holds no
 * BGP, so that the session says what is wrong with it; `gone` is called when the connection ends first, or nothing comes. Returns a
 * function that gives it up.
 */
export function peekMessage(clock: Clock, stream: Stream, taken: (message: Uint8Array | undefined, stream: Stream) => void, gone: () => void): () => void {
  const framer = new MessageFramer();
  const chunks: Uint8Array[] = [];
  let done = false;
  const finish = (then: () => void): void => {
    if (done) return;
    done = true;
    timer.cancel();
    then();
  };
  const timer: Timer = clock.setTimeout(() => {
    finish(() => {
      stream.close();
      gone();
    });
  }, openTimeoutMs);
  stream.attach({
    received: (bytes) => {
      if (done) return;
      chunks.push(Uint8Array.from(bytes));
      const { messages, fault } = framer.push(bytes);
      const [first] = messages;
      if (!first && !fault) return;
      stream.pause();
      const message = first && Uint8Array.from(first);
      finish(() => taken(message, new PeekedStream(clock, stream, Buffer.concat(chunks))));
    },
    drained: () => undefined,
    closed: () => finish(gone),
  });
  return () => finish(() => stream.close());
}
