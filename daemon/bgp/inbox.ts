/**
 * The receiving side of a stream: octets become messages, and messages are handled in slices with a pause in between, so that a full
 * table from one peer holds up neither other peers nor first packets. While too much waits, the stream is not read and TCP slows the
 * peer down.
 */
import type { Clock, Timer } from '../clock.js';
import type { Stream } from './transport.js';
import { MessageFramer } from './wire/framer.js';
import type { SessionFault } from './wire/types.js';

/** Messages handled, and ms spent, before others get their turn. */
const sliceMessages = 64;
const sliceMs = 3;
/** Octets of unhandled messages at which reading stops, and goes on. */
const high = 1 << 20;
const low = 1 << 18;

interface InboxHandlers {
  message(raw: Uint8Array): void;
  /** The stream cannot be followed any more; called after all messages before the fault. */
  fault(fault: SessionFault, raw: Uint8Array): void;
}

export class Inbox {
  private readonly framer = new MessageFramer();
  private waiting: Uint8Array[] = [];
  private octets = 0;
  private slice: Timer | undefined;
  private paused = false;
  private closed = false;

  constructor(
    private readonly clock: Clock,
    private readonly stream: Stream,
    private readonly handlers: InboxHandlers,
  ) {
    // Announced in every OPEN, so that the peer may send them (RFC 8654 section 4).
    this.framer.extendedMessage = true;
  }

  /** Whether messages wait to be handled. */
  get isBusy(): boolean {
    return this.waiting.length > 0;
  }

  push(bytes: Uint8Array): void {
    const { messages, fault } = this.framer.push(bytes);
    for (const message of messages) {
      this.waiting.push(message);
      this.octets += message.length;
    }
    if (fault) {
      this.flush();
      if (!this.closed) this.handlers.fault(fault, bytes);
      return;
    }
    if (this.octets > high && !this.paused) {
      this.paused = true;
      this.stream.pause();
    }
    if (!this.slice) this.run(sliceMessages, this.clock.now() + sliceMs);
  }

  /** Handles everything that has arrived: nothing more will. */
  flush(): void {
    this.slice?.cancel();
    this.run(Infinity, Infinity);
  }

  /** Drops what waits. */
  close(): void {
    this.closed = true;
    this.waiting = [];
    this.slice?.cancel();
    this.slice = undefined;
  }

  private run(limit: number, until: number): void {
    this.slice = undefined;
    const { waiting } = this;
    let handled = 0;
    while (handled < waiting.length && handled < limit && this.clock.now() < until && !this.isClosed()) {
      const raw = waiting[handled++]!;
      this.octets -= raw.length;
      this.handlers.message(raw);
    }
    if (this.isClosed()) return;
    waiting.splice(0, handled);
    if (waiting.length > 0) this.slice = this.clock.setTimeout(() => this.run(sliceMessages, this.clock.now() + sliceMs), 0);
    if (this.paused && this.octets < low) {
      this.paused = false;
      this.stream.resume();
    }
  }

  /** A handled message may have closed this inbox. */
  private isClosed(): boolean {
    return this.closed;
  }
}
