/** An established TCP connection of the kernel as a stream: node:net moves its octets. */
import net from 'node:net';
import { canonicalIp } from '../../dataplane/packet/ip.js';
import type { Endpoint, Stream, StreamHandlers } from './transport.js';

/** How long queued octets, a last NOTIFICATION above all, may take to leave after `close`, ms. */
const lingerMs = 1000;

export class TcpStream implements Stream {
  readonly local: Endpoint;
  private readonly socket: net.Socket;
  private handlers: StreamHandlers | undefined;
  private ended = false;

  /** Takes over the descriptor of a connected socket. */
  constructor(
    fd: number,
    readonly remote: Endpoint,
  ) {
    const socket = new net.Socket({ fd, readable: true, writable: true });
    this.socket = socket;
    this.local = { address: canonicalIp((socket.localAddress ?? '').split('%')[0]!) ?? '', port: socket.localPort ?? 0 };
    socket.pause();
    socket.setNoDelay(true);
    let error: string | undefined;
    socket.on('data', (bytes) => this.handlers?.received(bytes));
    socket.on('drain', () => this.handlers?.drained());
    socket.on('error', (reason: Error) => (error = reason.message));
    socket.on('close', () => {
      const handlers = this.handlers;
      this.handlers = undefined;
      this.ended = true;
      handlers?.closed(error);
    });
  }

  get buffered(): number {
    return this.socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.ended) this.socket.write(bytes);
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    this.handlers = undefined;
    // Unread octets in the receive buffer would turn the close into a reset, which may overtake the last NOTIFICATION.
    this.socket.resume();
    this.socket.end();
    setTimeout(() => this.socket.destroy(), lingerMs).unref();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (!this.ended) this.socket.resume();
  }

  attach(handlers: StreamHandlers): void {
    this.handlers = handlers;
    if (!this.ended) this.socket.resume();
    // Never from within this call: the caller has not finished with the stream's beginning.
    else setImmediate(() => this.handlers?.closed(undefined));
  }
}
