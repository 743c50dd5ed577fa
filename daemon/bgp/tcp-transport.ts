/** BGP's transport over TCP sockets of the kernel. */
import net from 'node:net';
import { canonicalIp } from '../../dataplane/packet/ip.js';
import type { Cancellable, ConnectOptions, Endpoint, Stream, StreamHandlers, Transport } from './transport.js';

/** How long queued octets, a last NOTIFICATION above all, may take to leave after `close`, ms. */
const lingerMs = 1000;

/** Canonical text without a zone; IPv4-mapped IPv6 as IPv4. */
function plainAddress(text: string | undefined): string {
  const address = (text ?? '').split('%')[0]!.replace(/^::ffff:(?=\d+\.)/i, '');
  return canonicalIp(address) ?? address;
}

class TcpStream implements Stream {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  private handlers: StreamHandlers | undefined;
  private ended = false;

  constructor(private readonly socket: net.Socket) {
    this.local = { address: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
    this.remote = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
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

export const tcpTransport: Transport = {
  connect(options: ConnectOptions, connected: (stream: Stream) => void, failed: (error: string) => void): Cancellable {
    let cancelled = false;
    const socket = net.connect({ host: options.remote.address, port: options.remote.port, localAddress: options.local });
    const timer = setTimeout(() => socket.destroy(new Error('connection timed out')), options.timeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      if (!cancelled) failed(error.message);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', onError);
      if (cancelled) socket.destroy();
      else connected(new TcpStream(socket));
    });
    return {
      cancel(): void {
        if (cancelled) return;
        cancelled = true;
        clearTimeout(timer);
        if (socket.connecting) socket.destroy();
      },
    };
  },

  listen(local: Endpoint, accepted: (stream: Stream) => void, failed: (error: string) => void): Cancellable {
    const server = net.createServer({ pauseOnConnect: true }, (socket) => accepted(new TcpStream(socket)));
    server.on('error', (error) => failed(error.message));
    server.listen({ host: local.address, port: local.port, ipv6Only: local.address.includes(':') });
    return { cancel: () => void server.close() };
  },
};
