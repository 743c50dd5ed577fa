/**
 * Requests to the kernel's NETLINK_ROUTE and their answers, matched by sequence number.
 *
 * Requests of one turn of the event loop go out together, up to 64 a system call, and every one is acknowledged: `done` is called
 * with what the kernel said. The kernel works on a batch inside sendmsg, so its answers are read straight after it.
 */
import { splitMessages, decodeAnswer, type Answer, type NetlinkMessage } from './message.js';
import { NetlinkError, systemCallError } from './error.js';
import type { Decoded } from './attributes.js';
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST } from './constants.js';
import type { NetlinkTransport } from './socket.js';
import { MessageWriter } from './writer.js';

/** Requests a system call carries, and octets after which it carries no more: the send buffer takes a batch as a whole or not at all. */
const BATCH = 64;
const BATCH_OCTETS = 64 * 1024;
/** Batches between two turns of the event loop, so that other work is not held up for more than some milliseconds. */
const BATCHES_A_TURN = 8;
const DUMP_ATTEMPTS = 10;
const EINTR = 4;
const EINVAL = 22;
const EPROTO = 71;
const ENOBUFS = 105;
const ECANCELED = 125;

export interface NetlinkRequest {
  /** RTM_*. */
  readonly type: number;
  /** NLM_F_* besides REQUEST and ACK. */
  readonly flags?: number;
  readonly encode: (writer: MessageWriter) => void;
  /** The request in words, for errors. */
  readonly describe: () => string;
}

interface Pending {
  readonly request: NetlinkRequest;
  readonly done: (error?: NetlinkError) => void;
  readonly reply: ((message: NetlinkMessage) => void) | undefined;
  readonly dump: boolean;
  interrupted: boolean;
}

export class NetlinkClient {
  private readonly writer = new MessageWriter();
  private readonly queue: Pending[] = [];
  private readonly pending = new Map<number, Pending>();
  private sequence = 0;
  private scheduled = false;
  /** The last dump: the kernel runs one a socket at a time. */
  private lastDump: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(private readonly transport: NetlinkTransport) {
    transport.onReady(() => this.receive());
  }

  /** Port number of the socket: events that bear it were caused by this client. */
  get port(): number {
    return this.transport.port;
  }

  /** Queues a request; `reply` gets the messages it is answered with (valid during the call), then `done` the outcome. */
  submit(request: NetlinkRequest, done: (error?: NetlinkError) => void, reply?: (message: NetlinkMessage) => void): void {
    this.enqueue({ request, done, reply, dump: false, interrupted: false });
  }

  /**
   * Sends requests at once, ahead of everything queued: for what may not wait until thousands of routes are written. `done` may be called
   * before this returns.
   */
  submitUrgently(requests: readonly { readonly request: NetlinkRequest; readonly done: (error?: NetlinkError) => void }[]): void {
    for (let taken = 0; taken < requests.length; ) {
      if (this.closed) {
        for (const { request, done } of requests.slice(taken)) done(this.closedError(request));
        return;
      }
      const writer = new MessageWriter();
      const first = this.sequence + 1;
      const end = Math.min(taken + BATCH, requests.length);
      for (; taken < end; taken++) this.write({ ...requests[taken]!, reply: undefined, dump: false, interrupted: false }, writer);
      if (writer.length > 0) this.send(first, writer);
    }
  }

  /** Sends a request; resolves when the kernel acknowledged it, rejects with NetlinkError. */
  request(request: NetlinkRequest, reply?: (message: NetlinkMessage) => void): Promise<void> {
    return new Promise((resolve, reject) => this.submit(request, (error) => (error ? reject(error) : resolve()), reply));
  }

  /**
   * Reads a whole table. A dump that the kernel marks as inconsistent (the table changed meanwhile) is repeated. Messages of
   * `decode`'s undefined are left out, as are malformed ones. Rejects with NetlinkError.
   */
  dump<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => Decoded<T> | undefined): Promise<T[]> {
    const result = this.lastDump.then(() => this.dumpRepeatedly(request, decode));
    this.lastDump = result.catch(() => undefined);
    return result;
  }

  private async dumpRepeatedly<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => Decoded<T> | undefined): Promise<T[]> {
    for (let attempt = 1; ; attempt++) {
      const values: T[] = [];
      const collect = (message: NetlinkMessage): void => {
        const value = decode(message)?.value;
        if (value !== undefined) values.push(value);
      };
      try {
        await new Promise<void>((resolve, reject) =>
          this.enqueue({ request, done: (error) => (error ? reject(error) : resolve()), reply: collect, dump: true, interrupted: false }),
        );
        return values;
      } catch (error) {
        if (!(error instanceof NetlinkError) || (error.errno !== EINTR && error.errno !== ENOBUFS) || attempt === DUMP_ATTEMPTS) throw error;
      }
    }
  }

  /** Closes the socket; what is unanswered fails. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.transport.close();
    this.failAll(ECANCELED, 'the netlink socket was closed');
    for (const waiting of this.queue.splice(0)) waiting.done(this.closedError(waiting.request));
  }

  private closedError(request: NetlinkRequest): NetlinkError {
    return new NetlinkError(ECANCELED, request.describe(), { errno: ECANCELED, text: 'the netlink socket is closed' });
  }

  private enqueue(pending: Pending): void {
    if (this.closed) {
      queueMicrotask(() => pending.done(this.closedError(pending.request)));
      return;
    }
    this.queue.push(pending);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.queue.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    let taken = 0;
    for (let batch = 0; batch < BATCHES_A_TURN && taken < this.queue.length && !this.closed; batch++) {
      const first = this.sequence + 1;
      const end = Math.min(taken + BATCH, this.queue.length);
      this.writer.reset();
      for (; taken < end && this.writer.length < BATCH_OCTETS; taken++) this.write(this.queue[taken]!, this.writer);
      if (this.writer.length > 0) this.send(first, this.writer);
    }
    this.queue.splice(0, taken);
    this.schedule();
  }

  private write(pending: Pending, writer: MessageWriter): void {
    const { request, dump } = pending;
    this.sequence = (this.sequence + 1) >>> 0 || 1;
    writer.begin(request.type, NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK) | (request.flags ?? 0), this.sequence);
    try {
      request.encode(writer);
    } catch (error) {
      // A caller's mistake costs its own request, not those that share the batch.
      writer.discard();
      pending.done(new NetlinkError(EINVAL, request.describe(), { errno: EINVAL, text: (error as Error).message }));
      return;
    }
    writer.end();
    this.pending.set(this.sequence, pending);
  }

  private send(first: number, writer: MessageWriter): void {
    try {
      if (!this.transport.send(writer.written())) this.failFrom(first, ENOBUFS, 'the kernel has no room for the request');
    } catch (error) {
      const { errno, message } = systemCallError(error);
      this.failFrom(first, errno, message);
      return;
    }
    this.receive();
  }

  private receive(): void {
    if (this.closed) return;
    try {
      // What is left after the limit is read in the next turn: the descriptor stays readable.
      this.transport.receive((datagram) => this.onDatagram(datagram), 4 * BATCH);
    } catch (error) {
      // Answers were dropped, nobody knows which: everything under way is in doubt.
      const { errno, message } = systemCallError(error);
      this.failAll(errno, message);
    }
  }

  private onDatagram(datagram: Uint8Array): void {
    for (const message of splitMessages(datagram).messages) {
      const pending = this.pending.get(message.sequence);
      if (!pending || message.type === NLMSG_NOOP) continue;
      if ((message.flags & NLM_F_DUMP_INTR) !== 0 && pending.dump) pending.interrupted = true;
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) this.onAnswer(message, pending);
      else pending.reply?.(message);
    }
  }

  private onAnswer(message: NetlinkMessage, pending: Pending): void {
    this.pending.delete(message.sequence);
    const decoded = decodeAnswer(message);
    let answer: Answer = decoded.fault === undefined ? decoded.value : { errno: EPROTO, text: decoded.fault };
    if (answer.errno === 0 && pending.interrupted) answer = { errno: EINTR, text: 'the table changed while it was read' };
    pending.done(answer.errno === 0 ? undefined : new NetlinkError(answer.errno, pending.request.describe(), answer));
  }

  private failFrom(first: number, errno: number, text: string): void {
    for (const [sequence, pending] of [...this.pending]) {
      if (sequence < first) continue;
      this.pending.delete(sequence);
      pending.done(new NetlinkError(errno, pending.request.describe(), { errno, text }));
    }
  }

  private failAll(errno: number, text: string): void {
    this.failFrom(0, errno, text);
  }
}
